//! Secrets for the app, derived from a group's epoch (RFC 9420 §8.5).

use openmls::prelude::ExportSecretError;
use openmls_traits::OpenMlsProvider;

use super::{ClientError, MlsClient, Result};

impl MlsClient {
    /// Derives a secret of `length` bytes from the present epoch: equal for all its members, unequal
    /// for every other label, context and epoch (RFC 9420 §8.5, MLS-Exporter).
    ///
    /// # Errors
    /// `invalid-argument` for a length of 0 or more than 255 hashes of the ciphersuite (8160 bytes
    /// for SHA-256), which HKDF cannot give; `group-inactive`, `group-not-found`.
    pub fn export_secret(
        &mut self,
        group_id: &[u8],
        label: &str,
        context: &[u8],
        length: usize,
    ) -> Result<Vec<u8>> {
        self.with_group(group_id, |provider, _, group| {
            let longest = 255 * group.ciphersuite().hash_length();
            if length == 0 || length > longest {
                return Err(ClientError::InvalidArgument(
                    "the length of an exported secret is 1 to 255 hashes of the ciphersuite",
                ));
            }
            Ok(group.export_secret(provider.crypto(), label, context, length)?)
        })
    }
}

impl From<ExportSecretError> for ClientError {
    fn from(error: ExportSecretError) -> Self {
        match error {
            ExportSecretError::GroupStateError(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
