//! Key packages of others: what they say, and whether they are valid (RFC 9420 §10.1).

use openmls::prelude::{
    KeyPackage, KeyPackageIn, KeyPackageVerifyError, LeafNode, MlsMessageBodyIn, MlsMessageIn,
    ProtocolVersion,
};
use openmls::treesync::errors::LifetimeError;
use openmls_traits::{crypto::OpenMlsCrypto as _, types::Ciphersuite, OpenMlsProvider};
use tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes};

use super::{
    key_package_state::{self, Event, Note},
    provider::Provider,
    Capabilities, ClientError, Credential, Extension, MlsClient, Result,
};
use crate::storage::{key, Category};

/// Whether a key package may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeStatus {
    /// Its lifetime has begun and not ended.
    Valid,
    /// Its lifetime begins later, or a clock is wrong.
    NotYetValid,
    /// Its lifetime is over.
    Expired,
}

/// What a key package says. Its signatures are valid; whether its lifetime is, it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPackageDetails {
    /// The key package reference (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// The credential of its owner.
    pub credential: Credential,
    /// The public signature key of its owner.
    pub signature_key: Vec<u8>,
    /// The only ciphersuite of groups it can be used for (RFC 9420 §17.1).
    pub ciphersuite: u16,
    /// Start of its lifetime, seconds since 1970.
    pub not_before: u64,
    /// End of its lifetime, seconds since 1970.
    pub not_after: u64,
    /// How its lifetime stands to the clock of this device.
    pub lifetime: LifetimeStatus,
    /// Whether the lifetime is not longer than twelve weeks and an hour. RFC 9420 §7.2 leaves it to
    /// the app to refuse longer ones.
    pub has_acceptable_range: bool,
    /// Whether it may be used more than once (RFC 9420 §16.8).
    pub last_resort: bool,
    /// What its owner supports.
    pub capabilities: Capabilities,
    /// The extensions of the key package.
    pub extensions: Vec<Extension>,
    /// The extensions of its leaf.
    pub leaf_extensions: Vec<Extension>,
}

impl MlsClient {
    /// Verifies a key package (an MLSMessage) and says what is in it. One that has expired or is
    /// not valid yet is described too; it cannot be added to a group.
    ///
    /// # Errors
    /// `invalid-key-package`; `invalid-credential` for a credential that cannot be read, or whose
    /// certificate is for another key.
    pub fn inspect_key_package(&self, key_package: &[u8]) -> Result<KeyPackageDetails> {
        let (key_package, lifetime) = checked(&self.provider, key_package)?;
        let note = Note::about(&self.provider, &key_package, Event::Made)?;
        let leaf = key_package.leaf_node();
        Ok(KeyPackageDetails {
            reference: note.reference,
            credential: Credential::from_mls(leaf.credential())?,
            signature_key: leaf.signature_key().as_slice().to_vec(),
            ciphersuite: note.ciphersuite,
            not_before: note.not_before,
            not_after: note.not_after,
            lifetime,
            has_acceptable_range: key_package.life_time().has_acceptable_range(),
            last_resort: note.last_resort,
            capabilities: leaf.capabilities().into(),
            extensions: Extension::list_from_mls(key_package.extensions())?,
            leaf_extensions: Extension::list_from_mls(leaf.extensions())?,
        })
    }

    /// Notes that these key packages (MLSMessages) were made by other clients of this user, so that
    /// a Welcome for one of them is told from one that is for nobody here:
    /// `key-package-of-other-client` instead of `no-matching-key-package`. Own ones are passed over.
    ///
    /// # Errors
    /// `invalid-key-package` for one that is malformed, wrongly signed or expired; then none is
    /// noted. `invalid-argument` for more than 1000.
    pub fn note_key_packages_of_other_clients(&mut self, key_packages: &[Vec<u8>]) -> Result<()> {
        if key_packages.len() > 1000 {
            return Err(ClientError::InvalidArgument(
                "at most 1000 key packages at once",
            ));
        }
        let now = key_package_state::now();
        let latest = now + key_package_state::MAX_LIFETIME_SECONDS;
        self.atomically(|provider| {
            let storage = provider.storage();
            key_package_state::forget_old(storage, now)?;
            for bytes in key_packages {
                let key_package = verified(provider, bytes)?;
                let mut note = Note::about(provider, &key_package, Event::OfOtherClient)?;
                // A note must not stay for ever because somebody else says so.
                note.not_after = note.not_after.min(latest);
                let known = key_package_state::get(storage, &note.reference)?;
                let key = key::bytes_key(&note.reference);
                if known.is_none() && !storage.contains(Category::KeyPackage, &key)? {
                    note.put(storage)?;
                }
            }
            Ok(())
        })
    }
}

/// Parses and verifies a key package of someone else.
///
/// # Errors
/// `invalid-key-package`, also for one that is not valid at this time; `invalid-credential` for one
/// whose credential cannot be read, or whose certificate is for another key.
pub(super) fn verified(provider: &Provider, bytes: &[u8]) -> Result<KeyPackage> {
    match checked(provider, bytes)? {
        (key_package, LifetimeStatus::Valid) => Ok(key_package),
        _ => Err(ClientError::InvalidKeyPackage),
    }
}

/// Checks everything but that it is valid at this time.
fn checked(provider: &Provider, bytes: &[u8]) -> Result<(KeyPackage, LifetimeStatus)> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .map_err(|_| ClientError::InvalidKeyPackage)?;
    let MlsMessageBodyIn::KeyPackage(key_package) = message.extract() else {
        return Err(ClientError::InvalidKeyPackage);
    };
    let (key_package, lifetime) = signed(provider, key_package)?;
    let leaf = key_package.leaf_node();
    Credential::from_mls(leaf.credential())?.check_key(leaf.signature_key().as_slice())?;
    if !can_be_encrypted_to(provider, &key_package) {
        return Err(ClientError::InvalidKeyPackage);
    }
    Ok((key_package, lifetime))
}

/// Whether both public HPKE keys of the key package can be used. Its signatures say nothing of that,
/// and OpenMLS 0.9.2 does not look: the init key would fail the commit that adds the client, the
/// encryption key of the leaf every commit after it.
pub(super) fn can_be_encrypted_to(provider: &Provider, key_package: &KeyPackage) -> bool {
    let suite = key_package.ciphersuite();
    is_usable(provider, suite, key_package.hpke_init_key().as_slice())
        && has_usable_key(provider, suite, key_package.leaf_node())
}

/// Whether something can be encrypted to a leaf.
pub(super) fn has_usable_key(provider: &Provider, suite: Ciphersuite, leaf: &LeafNode) -> bool {
    // OpenMLS gives the bytes of the key in its encoding only.
    let encoded = leaf.encryption_key().tls_serialize_detached();
    let key = encoded.and_then(|encoded| VLBytes::tls_deserialize_exact_bytes(&encoded));
    key.is_ok_and(|key| is_usable(provider, suite, key.as_slice()))
}

fn is_usable(provider: &Provider, suite: Ciphersuite, key: &[u8]) -> bool {
    let config = suite.hpke_config();
    let sealed = provider.crypto().hpke_seal(config, key, b"", b"", b"");
    sealed.is_ok()
}

/// Verifies signatures and extensions. OpenMLS looks at the lifetime last: if that is all it finds
/// fault with, everything else was checked.
fn signed(provider: &Provider, key_package: KeyPackageIn) -> Result<(KeyPackage, LifetimeStatus)> {
    let validated = key_package
        .clone()
        .validate(provider.crypto(), ProtocolVersion::Mls10);
    match validated {
        Ok(key_package) => Ok((key_package, LifetimeStatus::Valid)),
        Err(KeyPackageVerifyError::LifetimeError(error)) => {
            let status = match error {
                LifetimeError::Expired { .. } => LifetimeStatus::Expired,
                _ => LifetimeStatus::NotYetValid,
            };
            Ok((key_package.into_unchecked(), status))
        }
        Err(_) => Err(ClientError::InvalidKeyPackage),
    }
}
