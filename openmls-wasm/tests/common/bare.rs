//! OpenMLS over the store of a client.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_wasm::GranularStorage;

/// OpenMLS without our client on top: what a member can do who means harm.
pub struct Bare<'a>(pub RustCrypto, pub &'a GranularStorage);

impl OpenMlsProvider for Bare<'_> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = GranularStorage;
    fn storage(&self) -> &GranularStorage {
        self.1
    }
    fn crypto(&self) -> &RustCrypto {
        &self.0
    }
    fn rand(&self) -> &RustCrypto {
        &self.0
    }
}
