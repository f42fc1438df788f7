//! What became of a key package, beside its keys: OpenMLS deletes the record when a Welcome uses it,
//! so a second Welcome for it could not be told from one that was never for this client.
//!
//! A note holds a reference (a hash of what is public) and dates, and nothing that opens anything.
//! It goes some time after the key package has expired, because nobody may use it then.

use openmls::prelude::{KeyPackage, KeyPackageBundle, Lifetime, Welcome};
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use super::{provider::Provider, ClientError, Result};
use crate::storage::{key, Category, GranularStorage};

/// How long after its end of life it is still known what became of a key package: a Welcome may wait
/// that long at the delivery service.
const GRACE_SECONDS: u64 = 60 * 60 * 24 * 28;

/// The longest lifetime of a key package made here, and of a note about one made elsewhere: twelve
/// weeks, as OpenMLS has it ([`Lifetime::has_acceptable_range`]).
pub const MAX_LIFETIME_SECONDS: u64 = 60 * 60 * 24 * 28 * 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Event {
    /// It was made: no note is kept of that.
    Made,
    /// It was handed to others.
    GivenOut,
    /// Another client of this user made it.
    OfOtherClient,
    /// It had expired, and its private keys were deleted.
    Purged,
    /// A Welcome used it.
    Used,
}

/// What became of a key package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) reference: Vec<u8>,
    pub(super) event: Event,
    pub(super) last_resort: bool,
    pub(super) ciphersuite: u16,
    pub(super) not_before: u64,
    pub(super) not_after: u64,
}

impl Note {
    pub(super) fn about(
        provider: &Provider,
        key_package: &KeyPackage,
        event: Event,
    ) -> Result<Self> {
        let reference = key_package
            .hash_ref(provider.crypto())
            .map_err(ClientError::internal)?;
        Ok(Self {
            reference: reference.as_slice().to_vec(),
            event,
            last_resort: key_package.last_resort(),
            ciphersuite: key_package.ciphersuite().into(),
            not_before: key_package.life_time().not_before(),
            not_after: key_package.life_time().not_after(),
        })
    }

    pub(super) fn put(&self, storage: &GranularStorage) -> Result<()> {
        let key = key::bytes_key(&self.reference);
        Ok(storage.put(Category::KeyPackageState, &key, self)?)
    }
}

pub(super) fn get(storage: &GranularStorage, reference: &[u8]) -> Result<Option<Note>> {
    let key = key::bytes_key(reference);
    Ok(storage.get(Category::KeyPackageState, &key)?)
}

pub(super) fn delete(storage: &GranularStorage, reference: &[u8]) -> Result<()> {
    let key = key::bytes_key(reference);
    Ok(storage.delete(Category::KeyPackageState, &key)?)
}

/// Seconds since 1970, by the clock that OpenMLS checks lifetimes with, in wasm too.
pub(super) fn now() -> u64 {
    Lifetime::new(0).not_after()
}

/// Deletes the notes about key packages that nobody can have a use for any more.
pub(super) fn forget_old(storage: &GranularStorage, now: u64) -> Result<()> {
    let notes: Vec<Note> = storage.get_all(Category::KeyPackageState)?;
    for note in notes {
        let held = storage.contains(Category::KeyPackage, &key::bytes_key(&note.reference))?;
        if !held && note.not_after.saturating_add(GRACE_SECONDS) < now {
            delete(storage, &note.reference)?;
        }
    }
    Ok(())
}

/// The key package of this client that a Welcome is for, as it will be noted when it was used.
///
/// # Errors
/// `key-package-used`, `key-package-expired`, `key-package-of-other-client`,
/// `no-matching-key-package`.
pub(super) fn welcomed(provider: &Provider, welcome: &Welcome) -> Result<Note> {
    let storage = provider.storage();
    let mut known = None;
    for secrets in welcome.secrets() {
        let reference = secrets.new_member();
        let reference = reference.as_slice();
        let held: Option<KeyPackageBundle> =
            storage.get(Category::KeyPackage, &key::bytes_key(reference))?;
        if let Some(bundle) = held {
            // The note is written when the group is joined. If the others have to be loaded for that,
            // it is said here, and not after the costly part.
            storage.contains(Category::KeyPackageState, &key::bytes_key(reference))?;
            return Note::about(provider, bundle.key_package(), Event::Used);
        }
        let event = get(storage, reference)?.map(|note| note.event);
        // A Welcome is for many. What became of an own key package says more than one of another
        // client that was added with it.
        known = known.max(event);
    }
    Err(match known {
        Some(Event::Used) => ClientError::KeyPackageUsed,
        Some(Event::Purged) => ClientError::KeyPackageExpired,
        Some(Event::OfOtherClient) => ClientError::KeyPackageOfOtherClient,
        Some(Event::Made | Event::GivenOut) | None => ClientError::NoMatchingKeyPackage,
    })
}
