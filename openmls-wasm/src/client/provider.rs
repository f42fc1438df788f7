//! The one `OpenMlsProvider` of a client: RustCrypto, the system's randomness and the client's
//! store.

use openmls_traits::OpenMlsProvider;

use super::crypto::{SupportedCrypto, SystemRand};
use crate::storage::GranularStorage;

#[derive(Debug, Default)]
pub struct Provider {
    crypto: SupportedCrypto,
    rand: SystemRand,
    storage: GranularStorage,
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = SupportedCrypto;
    type RandProvider = SystemRand;
    type StorageProvider = GranularStorage;

    fn storage(&self) -> &GranularStorage {
        &self.storage
    }

    fn crypto(&self) -> &SupportedCrypto {
        &self.crypto
    }

    fn rand(&self) -> &SystemRand {
        &self.rand
    }
}
