//! Key packages: what others need to add this client to a group (RFC 9420 §10).

use openmls::prelude::{
    KeyPackage, KeyPackageBundle, KeyPackageIn, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut,
    ProtocolVersion,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::{DeserializeBytes as _, Serialize as _};

use super::{
    capabilities, provider::Provider, settled, ClientError, Credential, MlsClient, Result,
};
use crate::storage::{key, Category};

/// An own key package whose private keys are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPackageInfo {
    /// The key package reference (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// Whether it may be used more than once, when no other is left (RFC 9420 §16.8).
    pub last_resort: bool,
    /// Start of its lifetime, seconds since 1970.
    pub not_before: u64,
    /// End of its lifetime, seconds since 1970.
    pub not_after: u64,
}

impl MlsClient {
    /// Generates `count` key packages for one use each and stores their private keys.
    ///
    /// Returns them as MLSMessages (RFC 9420 §6), ready to be published.
    ///
    /// # Errors
    /// `no-identity`; `invalid-argument` for a count of 0 or more than 1000.
    pub fn generate_key_packages(&mut self, count: u32) -> Result<Vec<Vec<u8>>> {
        if !(1..=1000).contains(&count) {
            return Err(ClientError::InvalidArgument(
                "1 to 1000 key packages at once",
            ));
        }
        self.build_key_packages(count, false)
    }

    /// Generates a last-resort key package, to be given out when no other is left (RFC 9420 §16.8).
    ///
    /// # Errors
    /// `no-identity`.
    pub fn generate_last_resort_key_package(&mut self) -> Result<Vec<u8>> {
        let mut built = self.build_key_packages(1, true)?;
        built
            .pop()
            .ok_or(ClientError::Internal("no key package was built".into()))
    }

    fn build_key_packages(&mut self, count: u32, last_resort: bool) -> Result<Vec<Vec<u8>>> {
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let capabilities = capabilities::own(&self.provider, &self.capabilities);
        let savepoint = self.provider.storage().savepoint()?;
        let built = (0..count)
            .map(|_| {
                let builder = KeyPackage::builder().leaf_node_capabilities(capabilities.clone());
                let builder = if last_resort {
                    builder.mark_as_last_resort()
                } else {
                    builder
                };
                let bundle = builder
                    .build(
                        identity.ciphersuite,
                        &self.provider,
                        &identity.signer,
                        identity.credential_with_key(),
                    )
                    .map_err(ClientError::internal)?;
                MlsMessageOut::from(bundle.into_key_package())
                    .tls_serialize_detached()
                    .map_err(ClientError::internal)
            })
            .collect();
        settled(savepoint, built)
    }

    /// The key packages whose private keys are stored, by reference.
    pub fn key_packages(&self) -> Result<Vec<KeyPackageInfo>> {
        let bundles: Vec<KeyPackageBundle> = self.storage().get_all(Category::KeyPackage)?;
        bundles
            .iter()
            .map(|bundle| {
                let key_package = bundle.key_package();
                let reference = key_package
                    .hash_ref(self.provider.crypto())
                    .map_err(ClientError::internal)?;
                Ok(KeyPackageInfo {
                    reference: reference.as_slice().to_vec(),
                    last_resort: key_package.last_resort(),
                    not_before: key_package.life_time().not_before(),
                    not_after: key_package.life_time().not_after(),
                })
            })
            .collect()
    }

    /// Deletes key packages with their private keys: those that were never published, have expired
    /// or were replaced. A Welcome for one of them cannot be opened any more.
    ///
    /// # Errors
    /// `unknown-key-package` if one of them is not stored; then none is deleted.
    pub fn delete_key_packages(&mut self, references: &[Vec<u8>]) -> Result<()> {
        self.atomically(|provider| {
            references.iter().try_for_each(|reference| {
                let key = key::bytes_key(reference);
                if !provider.storage().contains(Category::KeyPackage, &key)? {
                    return Err(ClientError::UnknownKeyPackage);
                }
                Ok(provider.storage().delete(Category::KeyPackage, &key)?)
            })
        })
    }
}

/// Parses and verifies a key package of someone else.
///
/// # Errors
/// `invalid-key-package`; `invalid-credential` for one whose credential cannot be read, or whose
/// certificate is for another key.
pub(super) fn verified(provider: &Provider, bytes: &[u8]) -> Result<KeyPackage> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .map_err(|_| ClientError::InvalidKeyPackage)?;
    let key_package: KeyPackageIn = match message.extract() {
        MlsMessageBodyIn::KeyPackage(key_package) => key_package,
        _ => return Err(ClientError::InvalidKeyPackage),
    };
    let key_package = key_package
        .validate(provider.crypto(), ProtocolVersion::Mls10)
        .map_err(|_| ClientError::InvalidKeyPackage)?;
    let leaf = key_package.leaf_node();
    Credential::from_mls(leaf.credential())?.check_key(leaf.signature_key().as_slice())?;
    Ok(key_package)
}
