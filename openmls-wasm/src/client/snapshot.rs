//! Snapshots: which records of a database leave it for a file, and what becomes of them where they are
//! imported.
//!
//! Two kinds. A *backup* is for the day on which the database is lost. Meanwhile the client goes on, so
//! whatever a backup held of its ratchets, epoch secrets and one-time key packages would be used twice;
//! they are left out, and its groups come back [inert](super::inert). A *full* export holds all records
//! as they are, for moving to another browser; then it is this database that must not go on.
//!
//! | record | in a backup |
//! |---|---|
//! | identity, signature keys, pre-shared keys | kept |
//! | notes of what became of key packages, last epochs of groups, cursors | kept: they prevent |
//! | inbox | kept |
//! | of a group: name, own leaf, settings, signature keys made for the leaf | kept |
//! | key packages; HPKE keys; epoch secrets, ratchets, epochs that are over | left out |
//! | outbox, pending commits and joins, proposals, early messages | left out: of the old leaf, and the text of what was sent is in the inbox |
//!
//! Importing merges, and what is here wins: a group that is here is not touched.

use std::collections::BTreeMap;

use openmls::prelude::{GroupId, PublicGroup};
use openmls_traits::{storage::StorageProvider as _, OpenMlsProvider};

use super::{
    identity::{self, Identity},
    inert::InertGroup,
    key_package_state::{Event, Note},
    provider::Provider,
    summaries::{self, Role},
    ClientError, GroupSummary, InboxItem, MlsClient, Result,
};
use crate::storage::{
    key::{self, SINGLETON},
    unpack_all, Category, GranularStorage, Record, Scope, StorageError,
};

/// What a backup makes of the records of a category.
#[derive(PartialEq, Eq)]
enum Share {
    /// They are in it.
    Kept,
    /// They are looked at, to say what the own leaf is.
    Read,
    /// They are not even looked at.
    LeftOut,
}

fn share(category: Category) -> Share {
    use Category::*;
    match category {
        Identity
        | SignatureKeyPair
        | GeneratedSignatureKey
        | KeyPackageState
        | Psk
        | Inbox
        | LastSequence
        | WelcomeCursor
        | FormerGroup
        | DeliveryCursor
        | JoinConfig
        | PastEpochPolicy
        | OwnSignatureKey
        | GroupSummary
        | InertGroup => Share::Kept,
        Tree
        | InterimTranscriptHash
        | GroupContext
        | ConfirmationTag
        | EpochRecords
        | OwnLeafIndex => Share::Read,
        KeyPackage
        | EncryptionKeyPair
        | Outbox
        | PendingExternalJoin
        | EarlyMessageGroup
        | EarlyMessage
        | MovedAway
        | DigestRoot
        | DigestNode
        | UploadChain
        | OwnLeafNode
        | QueuedProposal
        | GroupDigest
        | GroupState
        | MessageSecrets
        | RetainedEpoch
        | ResumptionPskStore
        | GroupEpochSecrets
        | ApplicationExportTree
        | EpochKeyPairs => Share::LeftOut,
    }
}

/// Whether a backup needs the records of a category: those that hold the most bytes it does not.
pub fn is_read_for_snapshots(category: Category) -> bool {
    share(category) != Share::LeftOut
}

/// What importing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The groups that were added, inert.
    pub added: Vec<Vec<u8>>,
    /// The groups that are here already, and were not touched.
    pub untouched: Vec<Vec<u8>>,
}

impl MlsClient {
    /// What a backup holds of stored records: of a group all of those that
    /// [are read](is_read_for_snapshots) must be among them, as they are at one moment. Changes nothing.
    ///
    /// # Errors
    /// Those of a record that cannot be read: `malformed-key`, `unsupported-format`,
    /// `damaged-record`, `damaged-group`.
    pub fn export_storage_state(&self, records: Vec<Record>) -> Result<Vec<Record>> {
        let (mut exported, groups) = by_group(records)?;
        exported.retain(|record| share(record.category) == Share::Kept);
        for (group, records) in groups {
            exported.extend(inert_group(&group, records)?);
        }
        Ok(exported)
    }

    /// Takes in what [`export_storage_state`](Self::export_storage_state) returned, as changes of this
    /// store, all or nothing. The records of a group must not be split. What is here already stays, so
    /// that doing it again changes nothing.
    ///
    /// # Errors
    /// `identity-conflict`; `invalid-argument` for a record that belongs in no backup, and those of a
    /// record that cannot be read; `signature-key-missing`, `unsupported-ciphersuite` for an identity
    /// that could not be used.
    pub fn import_storage_state(&mut self, records: Vec<Record>) -> Result<Imported> {
        let (own, groups) = by_group(records)?;
        let imported = self.atomically(|provider| {
            let storage = provider.storage();
            let mut imported = Imported::default();
            for record in own {
                merge(storage, record)?;
            }
            for (group, records) in groups {
                merge_group(storage, &group, records, &mut imported)?;
            }
            // One that cannot be loaded must not be stored.
            identity::load(provider)?;
            Ok(imported)
        })?;
        self.next_sequence = None;
        self.load_identity()?;
        Ok(imported)
    }

    /// From now on whatever would change a record fails with `moved-away`: what a full export reads
    /// stays true. Ends with this value, or with [`cancel_move`](Self::cancel_move). `token` tells this
    /// export from others: one that was made of another instance's records must not complete this one.
    ///
    /// # Errors
    /// `invalid-argument` while another export is under way.
    pub fn begin_move(&mut self, token: u32) -> Result<()> {
        if self.moving.is_some() {
            return Err(ClientError::InvalidArgument("one full export at a time"));
        }
        self.storage().set_read_only(true)?;
        self.moving = Some(token);
        Ok(())
    }

    /// The full export has come to nothing: the client goes on, unless it was moved before.
    pub fn cancel_move(&mut self, token: u32) -> Result<()> {
        if self.moving != Some(token) {
            return Ok(());
        }
        self.moving = None;
        self.storage().set_read_only(false)?;
        self.refuse_changes_if_moved()
    }

    /// All records are in the export: from the batch on that holds this, this database is moved for
    /// good. The end of the export must not be handed out before.
    ///
    /// # Errors
    /// `invalid-argument` if this export is not the one that has [begun](Self::begin_move): then records
    /// may have changed since they were read.
    pub fn complete_move(&mut self, token: u32) -> Result<()> {
        if self.moving != Some(token) || !self.storage().is_read_only()? {
            return Err(ClientError::InvalidArgument("no move has begun"));
        }
        self.storage().set_read_only(false)?;
        let marked = self.atomically(|provider| {
            Ok(provider
                .storage()
                .put(Category::MovedAway, SINGLETON, &true)?)
        });
        self.storage().set_read_only(true)?;
        if marked.is_ok() {
            self.moving = None;
        }
        marked
    }

    pub(super) fn refuse_changes_if_moved(&self) -> Result<()> {
        let moved = self.storage().contains(Category::MovedAway, SINGLETON)?;
        match moved {
            true => Ok(self.storage().set_read_only(true)?),
            false => Ok(()),
        }
    }
}

type ByGroup = BTreeMap<String, Vec<Record>>;

/// The records of the client, and those of each group; all of them whole.
fn by_group(records: Vec<Record>) -> Result<(Vec<Record>, ByGroup)> {
    let mut own = vec![];
    let mut groups = ByGroup::new();
    for record in unpack_all(records)? {
        record.check()?;
        match record.category.scope() {
            Scope::Group => groups
                .entry(key::group_part(&record.key).into())
                .or_default()
                .push(record),
            _ => own.push(record),
        }
    }
    Ok((own, groups))
}

/// What a backup holds of a group.
fn inert_group(group: &str, mut records: Vec<Record>) -> Result<Vec<Record>> {
    // Stored together with what is looked at.
    records.retain(|record| share(record.category) != Share::LeftOut);
    let has = |category| records.iter().any(|record| record.category == category);
    if has(Category::InertGroup) {
        records.retain(|record| share(record.category) == Share::Kept);
        return Ok(records);
    }
    if !has(Category::GroupContext) {
        // It was deleted. That an old Welcome cannot bring it back is kept.
        records.retain(|record| record.category == Category::FormerGroup);
        return Ok(records);
    }
    let damaged = || StorageError::DamagedGroup(group.into());
    let provider = Provider::default();
    let storage = provider.storage();
    storage.adopt(records)?;
    let group_id = key::parse_bytes_key(group).ok_or_else(damaged)?;
    let id = GroupId::from_slice(&group_id);
    let public = PublicGroup::load(storage, &id)?.ok_or_else(damaged)?;
    let own_leaf_index = storage.own_leaf_index(&id)?.ok_or_else(damaged)?;
    let summary = summaries::get(storage, &group_id)?.ok_or_else(damaged)?;
    let epoch = public.group_context().epoch().as_u64();
    let is_member = summary.role == Role::Member;
    let inert = InertGroup {
        epoch,
        ciphersuite: public.ciphersuite().into(),
        leaf: public.leaf(own_leaf_index).filter(|_| is_member).cloned(),
    };
    storage.put(Category::InertGroup, group, &inert)?;
    as_inert(summary).put(storage)?;
    note_epoch(storage, group, epoch)?;
    let mut exported = storage.records()?;
    exported.retain(|record| share(record.category) == Share::Kept);
    Ok(exported)
}

fn as_inert(summary: GroupSummary) -> GroupSummary {
    let role = match summary.role {
        Role::FormerMember => Role::FormerMember,
        _ => Role::Inert,
    };
    GroupSummary { role, ..summary }
}

/// Of what this client has been in once, nothing that leads there opens again.
fn note_epoch(storage: &GranularStorage, group: &str, epoch: u64) -> Result<()> {
    let known: Option<u64> = storage.get(Category::FormerGroup, group)?;
    match known {
        Some(known) if known >= epoch => Ok(()),
        _ => Ok(storage.put(Category::FormerGroup, group, &epoch)?),
    }
}

/// Takes in a record of the client; to be called inside a savepoint.
fn merge(storage: &GranularStorage, record: Record) -> Result<()> {
    let category = record.category;
    if share(category) != Share::Kept {
        return Err(ClientError::InvalidArgument(
            "a record that belongs in no backup",
        ));
    }
    match category {
        Category::Identity => {
            let theirs: Identity = GranularStorage::read(category, &record)?;
            let own: Option<Identity> = storage.get(category, SINGLETON)?;
            if own.is_some_and(|own| own != theirs) {
                return Err(ClientError::IdentityConflict);
            }
        }
        Category::LastSequence => {
            let theirs: u64 = GranularStorage::read(category, &record)?;
            let own: Option<u64> = storage.get(category, SINGLETON)?;
            return match own {
                Some(own) if own >= theirs => Ok(()),
                _ => Ok(storage.put(category, SINGLETON, &theirs)?),
            };
        }
        Category::KeyPackageState => {
            return merge_note(storage, GranularStorage::read(category, &record)?)
        }
        // What does not decode would keep all others from being listed.
        Category::Inbox => drop(GranularStorage::read::<InboxItem>(category, &record)?),
        Category::WelcomeCursor => drop(GranularStorage::read::<u64>(category, &record)?),
        _ => {}
    }
    put_if_absent(storage, record)
}

fn put_if_absent(storage: &GranularStorage, record: Record) -> Result<()> {
    match storage.contains(record.category, &record.key)? {
        true => Ok(()),
        false => Ok(storage.put_encoded(record.category, &record.key, record.value)?),
    }
}

/// What became of a key package; of two notes the later one. One that was used is used, also where
/// its private keys are there once more.
fn merge_note(storage: &GranularStorage, note: Note) -> Result<()> {
    let key = key::bytes_key(&note.reference);
    let known: Option<Note> = storage.get(Category::KeyPackageState, &key)?;
    if known.is_some_and(|known| known.event >= note.event) {
        return Ok(());
    }
    if note.event >= Event::Purged && !note.last_resort {
        storage.delete(Category::KeyPackage, &key)?;
    }
    note.put(storage)
}

/// Takes in the records of a group; to be called inside a savepoint.
fn merge_group(
    storage: &GranularStorage,
    group: &str,
    records: Vec<Record>,
    imported: &mut Imported,
) -> Result<()> {
    let malformed = || ClientError::InvalidArgument("the records of a group in no backup");
    let group_id = key::parse_bytes_key(group).ok_or_else(malformed)?;
    let is_inert = records
        .iter()
        .any(|record| record.category == Category::InertGroup);
    for category in [
        Category::GroupState,
        Category::InertGroup,
        Category::PendingExternalJoin,
    ] {
        if storage.contains(category, group)? {
            if is_inert {
                imported.untouched.push(group_id);
            }
            return Ok(());
        }
    }
    let mut is_listed = false;
    for record in records {
        match record.category {
            Category::FormerGroup => {
                note_epoch(
                    storage,
                    group,
                    GranularStorage::read(record.category, &record)?,
                )?;
            }
            category if !is_inert || share(category) != Share::Kept => return Err(malformed()),
            Category::InertGroup => {
                let inert: InertGroup = GranularStorage::read(record.category, &record)?;
                note_epoch(storage, group, inert.epoch)?;
                put_if_absent(storage, record)?;
            }
            Category::GroupSummary => {
                let summary: GroupSummary = GranularStorage::read(record.category, &record)?;
                if summary.group_id != group_id {
                    return Err(malformed());
                }
                as_inert(summary).put(storage)?;
                is_listed = true;
            }
            _ => put_if_absent(storage, record)?,
        }
    }
    if is_inert {
        if !is_listed {
            return Err(malformed());
        }
        imported.added.push(group_id);
    }
    Ok(())
}
