//! The one `OpenMlsProvider` of a client: RustCrypto and the client's store.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;

use crate::storage::GranularStorage;

#[derive(Debug, Default)]
pub struct Provider {
    crypto: RustCrypto,
    storage: GranularStorage,
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = GranularStorage;

    fn storage(&self) -> &GranularStorage {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}
