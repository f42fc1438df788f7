//! Groups: create, load, list, describe, delete (RFC 9420 §11).

use openmls::prelude::{GroupContext, GroupId, LeafNodeIndex, MlsGroup};
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};
use tls_codec::VLBytes;

use super::{
    credential, early, inert,
    outbox::{self, OutboxKind},
    own_leaf, proposals,
    provider::Provider,
    summaries, witness, ClientError, Extension, GroupOptions, GroupSettings, MlsClient, Result,
};
use crate::storage::{key, unpack_all, Category, GranularStorage, Record, Scope};

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The member's place in the ratchet tree (RFC 9420 §7).
    pub leaf_index: u32,
    /// The identity of its basic credential. Empty for an X.509 credential.
    pub identity: Vec<u8>,
    /// The chain of its X.509 credential, DER-encoded, its own certificate first. Empty for a basic
    /// credential. Both are empty for a credential that cannot be read, or whose certificate is for
    /// another key than `signature_key` (RFC 9420 §5.3 forbids it): it is nobody's.
    #[serde(default)]
    pub certificates: Vec<Vec<u8>>,
    /// Its public signature key.
    pub signature_key: Vec<u8>,
}

/// What a group looks like at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// The group id.
    pub group_id: Vec<u8>,
    /// The epoch (RFC 9420 §8.1).
    pub epoch: u64,
    /// Equal for all members of the same epoch, and only for them (RFC 9420 §8.7).
    pub epoch_authenticator: Vec<u8>,
    /// The own place in the ratchet tree.
    pub own_leaf_index: u32,
    /// `false` once this client was removed.
    pub is_active: bool,
    /// Whether an own commit waits to be merged or cleared.
    pub has_pending_commit: bool,
    /// The number of proposals that wait for a commit.
    pub pending_proposals: usize,
    /// The members, by leaf index.
    pub members: Vec<Member>,
    /// The ciphersuite (RFC 9420 §17.1).
    pub ciphersuite: u16,
    /// What the last commit proved its committer's knowledge of the epoch by (RFC 9420 §8.1).
    pub confirmation_tag: Vec<u8>,
    /// The extensions of the group context (RFC 9420 §8.1).
    pub extensions: Vec<Extension>,
    /// How the group treats its messages here.
    pub settings: GroupSettings,
}

pub(super) fn load(provider: &Provider, group_id: &[u8]) -> Result<MlsGroup> {
    let storage = provider.storage();
    match MlsGroup::load(storage, &GroupId::from_slice(group_id))? {
        Some(group) => Ok(group),
        None if inert::is_inert(storage, group_id)? => {
            Err(ClientError::GroupInert(group_id.to_vec()))
        }
        None => Err(ClientError::GroupNotFound(group_id.to_vec())),
    }
}

/// An id that no group has.
pub(super) fn new_id(provider: &Provider) -> Result<GroupId> {
    let group_id = GroupId::random(provider.rand());
    provider.storage().note_new(group_id.as_slice())?;
    Ok(group_id)
}

/// Makes room for joining a group again that this client was removed from. A group it is still in
/// is not touched: joining that one fails.
///
/// # Errors
/// `stale-welcome` if the Welcome leads to an epoch that this client has been in: a last-resort key
/// package opens an old Welcome again, and its ratchets would start over.
pub(super) fn prepare_to_join(provider: &Provider, group_id: &[u8], welcome: u64) -> Result<()> {
    let storage = provider.storage();
    let former = storage.get(Category::FormerGroup, &key::bytes_key(group_id))?;
    let stored = MlsGroup::load(storage, &GroupId::from_slice(group_id))?;
    let known = former.max(stored.as_ref().map(|group| group.epoch().as_u64()));
    if let Some(known) = known.filter(|known| welcome <= *known) {
        return Err(ClientError::StaleWelcome { welcome, known });
    }
    match stored {
        Some(group) if !group.is_active() => {
            let summary = summaries::get(storage, group_id)?;
            forget(provider, &group, group.epoch().as_u64(), None)?;
            // Its name is that of the group that is joined.
            summary.map_or(Ok(()), |summary| summary.put(storage))
        }
        None => inert::make_room(provider, group_id),
        _ => Ok(()),
    }
}

/// The last epoch that any of these records of a group says it was in.
fn last_epoch(records: &[Record]) -> Option<u64> {
    let epoch = |record: &Record| match record.category {
        Category::GroupSummary => {
            GranularStorage::read::<summaries::GroupSummary>(record.category, record)
                .ok()
                .map(|summary| summary.epoch)
        }
        Category::GroupContext => GranularStorage::read::<GroupContext>(record.category, record)
            .ok()
            .map(|context| context.epoch().as_u64()),
        Category::FormerGroup => GranularStorage::read(record.category, record).ok(),
        _ => None,
    };
    let unpacked = |record: &Record| unpack_all(vec![record.clone()]).unwrap_or_default();
    let records = records.iter().flat_map(unpacked);
    records.filter_map(|record| epoch(&record)).max()
}

/// Deletes every record of a group but the number of the last epoch that this client has been in, the
/// signature key `kept`, and messages of epochs that may be reached by joining anew.
pub(super) fn forget(
    provider: &Provider,
    group: &MlsGroup,
    last_epoch: u64,
    kept: Option<&[u8]>,
) -> Result<()> {
    let storage = provider.storage();
    let group_id = group.group_id().as_slice();
    own_leaf::delete_all(storage, group, kept)?;
    delete_records(provider, group_id)?;
    let key = key::bytes_key(group_id);
    // A group that was joined anew after a fork may be behind what it was before.
    let former: Option<u64> = storage.get(Category::FormerGroup, &key)?;
    let epoch = last_epoch.max(former.unwrap_or(0));
    Ok(storage.put(Category::FormerGroup, &key, &epoch)?)
}

/// What is not deleted with a group, or on its own: the records of own signature keys go with the keys,
/// early messages and a pending external commit may lead back into the group.
const KEPT: [Category; 4] = [
    Category::OwnSignatureKey,
    Category::EarlyMessage,
    Category::PendingExternalJoin,
    Category::FormerGroup,
];

/// Deletes the records of a group.
pub(super) fn delete_records(provider: &Provider, group_id: &[u8]) -> Result<()> {
    let group = key::bytes_key(group_id);
    Category::ALL
        .iter()
        .filter(|category| category.scope() == Scope::Group && !KEPT.contains(category))
        .try_for_each(|category| provider.storage().delete_range(*category, &group))?;
    Ok(())
}

pub(super) fn check_active(group: &MlsGroup) -> Result<()> {
    match group.is_active() {
        true => Ok(()),
        false => Err(ClientError::GroupInactive),
    }
}

pub(super) fn members(group: &MlsGroup) -> Vec<Member> {
    group.members().map(Member::from).collect()
}

pub(super) fn member_at(group: &MlsGroup, index: LeafNodeIndex) -> Option<Member> {
    group.member_at(index).map(Member::from)
}

impl From<openmls::prelude::Member> for Member {
    fn from(member: openmls::prelude::Member) -> Self {
        let (identity, certificates) = credential::parts(&member.credential, &member.signature_key);
        Self {
            leaf_index: member.index.u32(),
            identity,
            certificates,
            signature_key: member.signature_key,
        }
    }
}

impl MlsClient {
    /// Creates a group with this client as its only member. Without an id, a random one is chosen.
    ///
    /// # Errors
    /// Those of [`create_group_with`](Self::create_group_with).
    pub fn create_group(&mut self, group_id: Option<&[u8]>) -> Result<Vec<u8>> {
        self.create_group_with(group_id, &GroupOptions::default())
    }

    /// The ids of all groups, those this client was removed from included; not those that are known
    /// from a snapshot only.
    ///
    /// # Errors
    /// `storage` if not all groups are in memory: then list their
    /// [summaries](Self::group_summaries).
    pub fn list_groups(&self) -> Result<Vec<Vec<u8>>> {
        let keys = self.storage().keys(Category::GroupState)?;
        Ok(keys
            .iter()
            .filter_map(|group| key::parse_bytes_key(group))
            .collect())
    }

    /// What a group looks like now.
    ///
    /// # Errors
    /// `group-not-found`.
    pub fn group_info(&mut self, group_id: &[u8]) -> Result<GroupInfo> {
        self.with_group(group_id, |provider, _, group| {
            Ok(GroupInfo {
                group_id: group_id.to_vec(),
                epoch: group.epoch().as_u64(),
                epoch_authenticator: group.epoch_authenticator().as_slice().to_vec(),
                own_leaf_index: group.own_leaf_index().u32(),
                is_active: group.is_active(),
                has_pending_commit: group.pending_commit().is_some(),
                pending_proposals: group.pending_proposals().count(),
                members: members(group),
                ciphersuite: group.ciphersuite().into(),
                confirmation_tag: proposals::reencoded::<VLBytes>(group.confirmation_tag())?.into(),
                extensions: Extension::list_from_mls(group.extensions())?,
                settings: GroupSettings::of(provider.storage(), group_id)?,
            })
        })
    }

    /// Deletes every record of a group: its secrets, its cursor, its outbox entries. What was
    /// received and not acknowledged stays in the inbox, and the number of its last epoch stays, so
    /// that an old Welcome cannot bring used keys back.
    ///
    /// # Errors
    /// `group-not-found`.
    pub fn delete_group(&mut self, group_id: &[u8]) -> Result<()> {
        match load(&self.provider, group_id) {
            Ok(group) => self.delete_group_of(&group, group.epoch().as_u64()),
            Err(ClientError::GroupInert(_)) => {
                self.delete_with(group_id, |provider| inert::forget(provider, group_id))
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a group of which `last_epoch` is the last epoch to be remembered.
    /// Notes that a group is not here any more: its records could not be read, and were put aside.
    /// From then on it is one that this client was in, and can join anew: what it has not sent of
    /// commits and proposals is gone, and no Welcome of an epoch it has been in opens again. `readable`
    /// are those of its records that can still be read; if none of them says which epoch that was, no
    /// Welcome is accepted any more, and the way back is an external commit.
    pub fn note_quarantined(&mut self, group_id: &[u8], readable: &[Record]) -> Result<()> {
        let group = key::bytes_key(group_id);
        let last_epoch = last_epoch(readable).unwrap_or(u64::MAX);
        let entries = self.outbox()?.into_iter();
        let unsent: Vec<String> = entries
            .filter(|entry| entry.group_id == group_id && entry.kind != OutboxKind::Message)
            .map(|entry| entry.id)
            .collect();
        self.groups.remove(group_id);
        self.atomically(|provider| {
            let storage = provider.storage();
            storage.note_absent(&group)?;
            for id in &unsent {
                outbox::remove(storage, id)?;
            }
            early::forget_all(provider, group_id)?;
            witness::watch(storage, group_id)?;
            Ok(storage.put(Category::FormerGroup, &group, &last_epoch)?)
        })
    }

    pub(super) fn delete_group_of(&mut self, group: &MlsGroup, last_epoch: u64) -> Result<()> {
        let group_id = group.group_id().as_slice();
        self.delete_with(group_id, |provider| {
            forget(provider, group, last_epoch, None)
        })
    }

    /// Deletes the records of a group by `forget`, and all else that waits for it.
    fn delete_with(
        &mut self,
        group_id: &[u8],
        forget: impl FnOnce(&Provider) -> Result<()>,
    ) -> Result<()> {
        let outbox = self.outbox()?;
        self.atomically(|provider| {
            forget(provider)?;
            super::early::forget_all(provider, group_id)?;
            for entry in outbox.iter().filter(|entry| entry.group_id == group_id) {
                if !super::pending_join::discard(provider, entry)? {
                    super::outbox::remove(provider.storage(), &entry.id)?;
                }
            }
            Ok(())
        })?;
        self.groups.remove(group_id);
        Ok(())
    }
}
