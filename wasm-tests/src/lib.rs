//! What the tests of this crate share.
//!
//! The path under test is the package's own, end to end: `CoreCryptoClient` with its write-behind
//! loop and IndexedDB persister (TypeScript, as built into `openmls-wasm/dist`), over an engine that
//! is the bindings' `MlsClient` in the wasm of the test itself. So one test sees both ends: the
//! Rust state in memory, and the object stores, which it reads with the crate `idb`.

#![cfg(target_arch = "wasm32")]
#![forbid(unsafe_code)]

pub mod package;
pub mod person;
pub mod room;
pub mod stores;

/// What a test returns: an error is whatever JavaScript or a check had to say.
pub type TestResult<T = ()> = Result<T, wasm_bindgen::JsValue>;

/// A check that failed, as a test reports it.
pub fn failure(text: impl AsRef<str>) -> wasm_bindgen::JsValue {
    js_sys::Error::new(text.as_ref()).into()
}
