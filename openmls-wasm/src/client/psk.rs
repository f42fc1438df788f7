//! External pre-shared keys (RFC 9420 §8.4): secrets that the app gives every member by another way.

use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_traits::{storage::StorageProvider, OpenMlsProvider};

use super::{ClientError, MlsClient, Result};
use crate::storage::{key, Category};

/// The first part of the record keys of external pre-shared keys: the place of their kind in `Psk`.
const EXTERNAL: &str = "0000000000000000";

impl MlsClient {
    /// Stores the external pre-shared key `psk_id`, for commits and Welcomes that refer to it. One
    /// that is stored already is replaced.
    ///
    /// # Errors
    /// `invalid-argument` for an empty secret.
    pub fn store_external_psk(&mut self, psk_id: &[u8], psk: &[u8]) -> Result<()> {
        if psk.is_empty() {
            return Err(ClientError::InvalidArgument("an empty pre-shared key"));
        }
        // The nonce is no part of what is stored: each use has its own.
        let id = PreSharedKeyId::external(psk_id.to_vec(), vec![]);
        self.atomically(|provider| id.store(provider, psk).map_err(ClientError::internal))
    }

    /// Deletes the external pre-shared key `psk_id`. It is no error if there is none.
    pub fn delete_external_psk(&mut self, psk_id: &[u8]) -> Result<()> {
        let id = Psk::External(ExternalPsk::new(psk_id.to_vec()));
        self.atomically(|provider| Ok(provider.storage().delete_psk(&id)?))
    }

    /// The ids of the external pre-shared keys that are stored.
    pub fn external_psks(&self) -> Result<Vec<Vec<u8>>> {
        let keys = self.storage().keys(Category::Psk)?;
        Ok(keys
            .iter()
            .filter_map(|key| key.strip_prefix(EXTERNAL)?.strip_prefix('/'))
            .filter_map(key::parse_bytes_key)
            .collect())
    }
}
