//! The JavaScript face of [`MlsClient`](crate::client::MlsClient): conversions and errors, no logic.
//!
//! Bytes are `Uint8Array`s, epochs and times are `bigint`s, leaf indexes, positions and sequences
//! are numbers. A failure is thrown as an `MlsError` with a stable `code`, and has changed nothing.
//! Anything else that is thrown comes from a panic: the instance must be discarded.

mod client;
mod convert;
mod external;
mod external_proposals;
mod identity;
mod inbox_view;
mod incoming;
mod key_packages;
mod proposal_view;
mod proposals;
mod recovery;
mod requests;
mod settings;
mod snapshot;
mod view;

pub use client::JsMlsClient;

use wasm_bindgen::prelude::wasm_bindgen;

/// Lets a panic say on the console what it was, before it ends the instance.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}
