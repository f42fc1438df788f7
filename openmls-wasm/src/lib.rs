//! End-to-end encryption for web apps: MLS (RFC 9420) by OpenMLS, over a store that never silently
//! loses, forks or rolls back a group.
//!
//! - [`storage`]: [`GranularStorage`], OpenMLS's storage in memory with a queue of what changed;
//! - [`client`]: [`MlsClient`], the operations, each of them all or nothing;
//! - [`passphrase`]: Argon2id, for the vault that TypeScript puts around the store;
//! - `bindings` (wasm32 only): the same for JavaScript.
//!
//! The TypeScript half of the package, `CoreCryptoClient`, writes what changed into IndexedDB.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(target_arch = "wasm32")]
pub mod bindings;
pub mod client;
pub mod passphrase;
mod sorted;
pub mod storage;

pub use client::{ClientError, MlsClient};
pub use storage::{GranularStorage, StorageError};
