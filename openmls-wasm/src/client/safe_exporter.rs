//! Secrets for application components that can be derived once in an epoch (safe exporter of the MLS
//! extensions draft).

use openmls::prelude::{
    PendingSafeExportSecretError, SafeExportSecretError, StagedSafeExportSecretError,
};
use openmls::schedule::PprfError;
use openmls_traits::OpenMlsProvider;

use super::{ClientError, MlsClient, Result};
use crate::StorageError;

impl MlsClient {
    /// Derives the secret of an application component from the present epoch, once: it is deleted
    /// from the epoch by this, so that what leaks later does not contain it (safe exporter of the
    /// MLS extensions draft).
    ///
    /// # Errors
    /// `secret-consumed` if it was derived in this epoch before, `group-inactive`,
    /// `group-not-found`.
    pub fn safe_export_secret(&mut self, group_id: &[u8], component_id: u16) -> Result<Vec<u8>> {
        self.with_group(group_id, |provider, _, group| {
            Ok(group.safe_export_secret(provider.crypto(), provider.storage(), component_id)?)
        })
    }

    /// Derives the secret of an application component from the epoch that the pending commit leads
    /// to, once; see [`safe_export_secret`](Self::safe_export_secret).
    ///
    /// # Errors
    /// `no-pending-commit`, `secret-consumed`, `group-not-found`.
    pub fn safe_export_pending_secret(
        &mut self,
        group_id: &[u8],
        component_id: u16,
    ) -> Result<Vec<u8>> {
        self.with_group(group_id, |provider, _, group| {
            Ok(group.safe_export_secret_from_pending(
                provider.crypto(),
                provider.storage(),
                component_id,
            )?)
        })
    }
}

impl From<SafeExportSecretError<StorageError>> for ClientError {
    fn from(error: SafeExportSecretError<StorageError>) -> Self {
        use SafeExportSecretError as Error;
        match error {
            Error::GroupState(error) => error.into(),
            Error::Storage(error) => error.into(),
            Error::ApplicationExportTree(PprfError::PuncturedInput) => Self::SecretConsumed,
            other => Self::internal(other),
        }
    }
}

impl From<PendingSafeExportSecretError<StorageError>> for ClientError {
    fn from(error: PendingSafeExportSecretError<StorageError>) -> Self {
        use PendingSafeExportSecretError as Error;
        match error {
            Error::NoPendingCommit => Self::NoPendingCommit,
            Error::Storage(error) => error.into(),
            Error::SafeExportSecretError(StagedSafeExportSecretError::ApplicationExportTree(
                PprfError::PuncturedInput,
            )) => Self::SecretConsumed,
            other => Self::internal(other),
        }
    }
}
