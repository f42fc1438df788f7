//! Key packages: what others need to add this client to a group (RFC 9420 §10).

use openmls::prelude::{KeyPackage, KeyPackageBundle, MlsMessageOut};
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    identity::LoadedIdentity,
    key_package_state::{self, Event, Note},
    provider::Provider,
    settled, AppCapabilities, ClientError, KeyPackageOptions, MlsClient, Result,
};
use crate::storage::{key, Category};

/// How many key packages can be made at once.
const MAX_COUNT: u32 = 1000;

/// How an own key package stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPackageState {
    /// Made, and not known to be given out.
    Available,
    /// Given out: a Welcome for it may come.
    GivenOut,
    /// A Welcome has used it. A last-resort one can be used again.
    Used,
    /// Its lifetime is over.
    Expired,
}

/// An own key package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPackageInfo {
    /// The key package reference (RFC 9420 §5.2).
    pub reference: Vec<u8>,
    /// Whether it may be used more than once, when no other is left (RFC 9420 §16.8).
    pub last_resort: bool,
    /// The ciphersuite of the groups it is for (RFC 9420 §17.1).
    pub ciphersuite: u16,
    /// Start of its lifetime, seconds since 1970.
    pub not_before: u64,
    /// End of its lifetime, seconds since 1970.
    pub not_after: u64,
    /// How it stands.
    pub state: KeyPackageState,
    /// Whether its private keys are stored, so that a Welcome for it can be opened.
    pub has_private_keys: bool,
}

impl MlsClient {
    /// Generates `count` key packages for one use each and stores their private keys.
    ///
    /// Returns them as MLSMessages (RFC 9420 §6), ready to be published.
    ///
    /// # Errors
    /// Those of [`generate_key_packages_with`](Self::generate_key_packages_with).
    pub fn generate_key_packages(&mut self, count: u32) -> Result<Vec<Vec<u8>>> {
        self.generate_key_packages_with(&KeyPackageOptions {
            count,
            ..Default::default()
        })
    }

    /// Generates a last-resort key package, to be given out when no other is left (RFC 9420 §16.8).
    ///
    /// # Errors
    /// Those of [`generate_key_packages_with`](Self::generate_key_packages_with).
    pub fn generate_last_resort_key_package(&mut self) -> Result<Vec<u8>> {
        let mut built = self.generate_key_packages_with(&KeyPackageOptions {
            last_resort: true,
            ..Default::default()
        })?;
        built
            .pop()
            .ok_or(ClientError::Internal("no key package was built".into()))
    }

    /// Generates key packages as MLSMessages and stores their private keys.
    ///
    /// # Errors
    /// `no-identity`; `unsupported-ciphersuite`; `invalid-argument` for a count, a lifetime or a
    /// ciphersuite that is not one of those, and for extensions that do not belong there.
    pub fn generate_key_packages_with(
        &mut self,
        options: &KeyPackageOptions,
    ) -> Result<Vec<Vec<u8>>> {
        if !(1..=MAX_COUNT).contains(&options.count) {
            return Err(ClientError::InvalidArgument(
                "1 to 1000 key packages at once",
            ));
        }
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let savepoint = self.provider.storage().savepoint()?;
        let app = &self.capabilities;
        settled(savepoint, build(&self.provider, identity, app, options))
    }

    /// Generates as many key packages for one use as are missing to `level`, and returns all that
    /// are to be published: every one that was not [given out](Self::mark_key_packages_given_out),
    /// so that none is lost if the app dies before it has published them.
    ///
    /// Those given out count too until they are used or expire. `options.count` and
    /// `options.last_resort` have no meaning here.
    ///
    /// # Errors
    /// Those of [`generate_key_packages_with`](Self::generate_key_packages_with);
    /// `invalid-argument` for a level above 1000.
    pub fn replenish_key_packages(
        &mut self,
        level: u32,
        options: &KeyPackageOptions,
    ) -> Result<Vec<Vec<u8>>> {
        if level > MAX_COUNT {
            return Err(ClientError::InvalidArgument(
                "a level of at most 1000 key packages",
            ));
        }
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let savepoint = self.provider.storage().savepoint()?;
        let app = &self.capabilities;
        let replenished = replenish(&self.provider, identity, app, level, options);
        settled(savepoint, replenished)
    }

    /// The own key packages: those whose private keys are stored, and those of which it is known
    /// what became of them, until four weeks after they have expired.
    pub fn key_packages(&self) -> Result<Vec<KeyPackageInfo>> {
        let now = key_package_state::now();
        let mut infos = vec![];
        for (_, note) in held(&self.provider)? {
            infos.push(info(note, now, true));
        }
        let notes: Vec<Note> = self.storage().get_all(Category::KeyPackageState)?;
        for note in notes {
            let is_own = matches!(note.event, Event::Used | Event::Purged);
            if is_own && infos.iter().all(|info| info.reference != note.reference) {
                infos.push(info(note, now, false));
            }
        }
        Ok(infos)
    }

    /// Notes that these key packages were given out, for instance that the delivery service has
    /// them. One that was used already stays so.
    ///
    /// # Errors
    /// `unknown-key-package` if one of them is not known; then none is noted.
    pub fn mark_key_packages_given_out(&mut self, references: &[Vec<u8>]) -> Result<()> {
        self.atomically(|provider| {
            let storage = provider.storage();
            for reference in references {
                if key_package_state::get(storage, reference)?.is_some() {
                    continue;
                }
                let bundle: Option<KeyPackageBundle> =
                    storage.get(Category::KeyPackage, &key::bytes_key(reference))?;
                let bundle = bundle.ok_or(ClientError::UnknownKeyPackage)?;
                Note::about(provider, bundle.key_package(), Event::GivenOut)?.put(storage)?;
            }
            Ok(())
        })
    }

    /// Deletes the private keys of every key package that has expired, and returns the references.
    /// A Welcome for one of them is refused with `key-package-expired` from now on.
    ///
    /// Until then such a Welcome is opened: it may have been made in time and waited for a device
    /// that was off for months. So an app reads its Welcomes first and purges then.
    pub fn purge_expired_key_packages(&mut self) -> Result<Vec<Vec<u8>>> {
        let now = key_package_state::now();
        self.atomically(|provider| {
            let storage = provider.storage();
            let mut purged = vec![];
            for (_, note) in held(provider)? {
                if note.not_after > now {
                    continue;
                }
                storage.delete(Category::KeyPackage, &key::bytes_key(&note.reference))?;
                purged.push(note.reference.clone());
                let event = Event::Purged;
                Note { event, ..note }.put(storage)?;
            }
            key_package_state::forget_old(storage, now)?;
            Ok(purged)
        })
    }

    /// Deletes key packages with their private keys, and all that is known of them: those that were
    /// never published or were replaced. A Welcome for one of them cannot be opened any more.
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
                provider.storage().delete(Category::KeyPackage, &key)?;
                key_package_state::delete(provider.storage(), reference)
            })
        })
    }
}

/// The key packages whose private keys are stored, with what is known of them.
fn held(provider: &Provider) -> Result<Vec<(KeyPackage, Note)>> {
    let storage = provider.storage();
    let bundles: Vec<KeyPackageBundle> = storage.get_all(Category::KeyPackage)?;
    bundles
        .iter()
        .map(|bundle| {
            let key_package = bundle.key_package().clone();
            let mut note = Note::about(provider, &key_package, Event::Made)?;
            if let Some(known) = key_package_state::get(storage, &note.reference)? {
                note.event = known.event;
            }
            Ok((key_package, note))
        })
        .collect()
}

fn info(note: Note, now: u64, has_private_keys: bool) -> KeyPackageInfo {
    let state = match note.event {
        Event::Used => KeyPackageState::Used,
        _ if note.not_after <= now => KeyPackageState::Expired,
        Event::GivenOut => KeyPackageState::GivenOut,
        _ => KeyPackageState::Available,
    };
    KeyPackageInfo {
        reference: note.reference,
        last_resort: note.last_resort,
        ciphersuite: note.ciphersuite,
        not_before: note.not_before,
        not_after: note.not_after,
        state,
        has_private_keys,
    }
}

fn build(
    provider: &Provider,
    identity: &LoadedIdentity,
    app: &AppCapabilities,
    options: &KeyPackageOptions,
) -> Result<Vec<Vec<u8>>> {
    key_package_state::forget_old(provider.storage(), key_package_state::now())?;
    let ciphersuite = options.suite(provider, identity)?;
    let builder = options.builder(provider, app)?;
    (0..options.count)
        .map(|_| {
            let bundle = builder
                .clone()
                .build(
                    ciphersuite,
                    provider,
                    &identity.signer,
                    identity.credential_with_key(),
                )
                .map_err(ClientError::internal)?;
            encoded(bundle.into_key_package())
        })
        .collect()
}

fn replenish(
    provider: &Provider,
    identity: &LoadedIdentity,
    app: &AppCapabilities,
    level: u32,
    options: &KeyPackageOptions,
) -> Result<Vec<Vec<u8>>> {
    let now = key_package_state::now();
    let wanted = options.suite(provider, identity)?;
    let mut unused = held(provider)?;
    unused.retain(|(key_package, note)| {
        key_package.ciphersuite() == wanted && !note.last_resort && note.not_after > now
    });
    let count = level.saturating_sub(u32::try_from(unused.len()).unwrap_or(u32::MAX));
    let mut to_publish = unused
        .into_iter()
        .filter(|(_, note)| note.event == Event::Made)
        .map(|(key_package, _)| encoded(key_package))
        .collect::<Result<Vec<_>>>()?;
    let options = KeyPackageOptions {
        count,
        last_resort: false,
        ..options.clone()
    };
    to_publish.extend(build(provider, identity, app, &options)?);
    Ok(to_publish)
}

fn encoded(key_package: KeyPackage) -> Result<Vec<u8>> {
    MlsMessageOut::from(key_package)
        .tls_serialize_detached()
        .map_err(ClientError::internal)
}
