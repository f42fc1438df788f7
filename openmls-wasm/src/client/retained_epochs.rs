//! Epochs that are over, and of which application messages that come late can still be read.
//!
//! OpenMLS can keep past epochs itself (`max_past_epochs`), inside the message secrets of the present
//! one: it would write all of them with every message, and keep more of them than late messages need.
//! So it is told to keep none. What decrypts the messages of an epoch stays in the store when the
//! epoch ends ([`message_secrets`](crate::storage)), and beside it stands who was a member then, as
//! the difference from the epoch after it: a commit changes few leaves. A late message is read by
//! OpenMLS all the same, in a scratch store, where it finds that epoch as the one it has kept.
//!
//! Forward secrecy (G7): of an epoch that is over there is no init secret, no exporter and no HPKE
//! private key, no key that would authenticate a handshake message of it, and none that would decrypt
//! one of a member who has spoken. Each
//! message's key goes when the message is read; the others with the epoch, when there are more than
//! `max_past_epochs`, when it is older than `max_past_epoch_age`, or when this client is removed.

use openmls::prelude::{MlsGroup, ProcessMessageError, ProcessedMessage, ProtocolMessage};
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use super::{
    groups, inspection, key_package_state::now, provider::Provider, GroupSettings, Result,
};
use crate::storage::{key, Category, GranularStorage, StorageError};

/// Which epochs of a group are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Policy {
    /// How many at most.
    pub(super) max_epochs: usize,
    /// For how long after their end, in seconds.
    pub(super) max_age: Option<u64>,
}

impl Policy {
    pub(super) fn of(storage: &GranularStorage, group_id: &[u8]) -> Result<Self> {
        let stored = storage.get(Category::PastEpochPolicy, &key::bytes_key(group_id))?;
        Ok(stored.unwrap_or(GroupSettings::default().past_epoch_policy()))
    }

    pub(super) fn put(self, storage: &GranularStorage, group_id: &[u8]) -> Result<()> {
        let key = key::bytes_key(group_id);
        Ok(storage.put(Category::PastEpochPolicy, &key, &self)?)
    }

    fn is_too_old(self, epoch: &RetainedEpoch, now: u64) -> bool {
        self.max_age
            .is_some_and(|age| epoch.ended_at.saturating_add(age) < now)
    }
}

/// An epoch that is over.
#[derive(Serialize, Deserialize)]
struct RetainedEpoch {
    /// When it ended, in seconds since 1970.
    ended_at: u64,
    /// The leaves that are others in the epoch after it: who was there, if anybody was.
    changed: Vec<(u32, Option<openmls::prelude::Member>)>,
}

/// Runs what ends the present epoch, and keeps of it what its late messages need. To be called inside
/// a savepoint.
pub(super) fn keeping(
    provider: &Provider,
    group: &mut MlsGroup,
    end: impl FnOnce(&mut MlsGroup) -> Result<()>,
) -> Result<()> {
    let storage = provider.storage();
    let group_id = key::bytes_key(group.group_id().as_slice());
    let policy = Policy::of(storage, group.group_id().as_slice())?;
    let epoch = group.epoch().as_u64();
    let record = record_key(&group_id, epoch);
    if policy.max_epochs == 0 {
        return end(group);
    }
    let before: Vec<_> = group.members().collect();
    let ended_at = now();
    let mut retained = RetainedEpoch {
        ended_at,
        changed: vec![],
    };
    // Its being there is what lets the message secrets stay.
    storage.put(Category::RetainedEpoch, &record, &retained)?;
    end(group)?;
    if !group.is_active() {
        // Of the last epoch OpenMLS needs the secrets to load the group; they are not retained.
        storage.delete(Category::RetainedEpoch, &record)?;
        return delete_while(storage, &group_id, |_, _| true);
    }
    storage.retain_message_secrets(&group_id, epoch)?;
    retained.changed = differences(before, group.members());
    storage.put(Category::RetainedEpoch, &record, &retained)?;
    delete_beyond(storage, &group_id, policy, ended_at)
}

/// The leaves of which `after` has another owner or another key than `before`, as they were.
fn differences(
    before: Vec<openmls::prelude::Member>,
    after: impl Iterator<Item = openmls::prelude::Member>,
) -> Vec<(u32, Option<openmls::prelude::Member>)> {
    let mut changed = vec![];
    let mut before = before.into_iter().peekable();
    // Both are in the order of the leaves.
    for member in after {
        let index = member.index.u32();
        while let Some(gone) = before.next_if(|old| old.index.u32() < index) {
            changed.push((gone.index.u32(), Some(gone)));
        }
        let old = before.next_if(|old| old.index.u32() == index);
        if old.as_ref() != Some(&member) {
            changed.push((index, old));
        }
    }
    changed.extend(before.map(|gone| (gone.index.u32(), Some(gone))));
    changed
}

/// Deletes the epochs that the policy does not let stay.
pub(super) fn delete_beyond(
    storage: &GranularStorage,
    group_id: &str,
    policy: Policy,
    now: u64,
) -> Result<()> {
    delete_while(storage, group_id, |newer, epoch| {
        newer >= policy.max_epochs || policy.is_too_old(epoch, now)
    })
}

/// Deletes the epochs whose time is over.
pub(super) fn delete_expired(storage: &GranularStorage, group: &MlsGroup) -> Result<()> {
    let group_id = group.group_id().as_slice();
    let policy = Policy::of(storage, group_id)?;
    if policy.max_age.is_none() {
        return Ok(());
    }
    delete_beyond(storage, &key::bytes_key(group_id), policy, now())
}

/// Deletes the oldest epochs, while `is_to_go`: it is told how many newer ones there are.
fn delete_while(
    storage: &GranularStorage,
    group_id: &str,
    is_to_go: impl Fn(usize, &RetainedEpoch) -> bool,
) -> Result<()> {
    let keys = storage.keys_in_range(Category::RetainedEpoch, group_id)?;
    for (newer, record) in (0..keys.len()).rev().zip(&keys) {
        let Some(retained) = storage.get(Category::RetainedEpoch, record)? else {
            continue;
        };
        if !is_to_go(newer, &retained) {
            break;
        }
        storage.delete(Category::RetainedEpoch, record)?;
        if let Some(epoch) = epoch_of(record) {
            storage.delete_message_secrets_of(group_id, epoch)?;
        }
    }
    Ok(())
}

/// Deletes epochs before their time: those that ended more than `older_than` seconds ago, and all but
/// the latest `max_epochs`.
pub(super) fn delete(
    storage: &GranularStorage,
    group_id: &[u8],
    older_than: Option<u64>,
    max_epochs: Option<usize>,
) -> Result<()> {
    let policy = Policy {
        max_epochs: max_epochs.unwrap_or(match older_than {
            Some(_) => usize::MAX,
            None => 0,
        }),
        max_age: older_than,
    };
    delete_beyond(storage, &key::bytes_key(group_id), policy, now())
}

/// Reads an application message of an epoch that is over. `None` if that epoch is not kept.
pub(super) fn read(
    provider: &Provider,
    group: &MlsGroup,
    message: ProtocolMessage,
) -> Result<Option<std::result::Result<ProcessedMessage, ProcessMessageError<StorageError>>>> {
    let storage = provider.storage();
    let epoch = message.epoch().as_u64();
    let Some(members) = members_at(provider, group, epoch)? else {
        return Ok(None);
    };
    let group_id = key::bytes_key(group.group_id().as_slice());
    let Some(secrets) = storage.past_message_secrets(&group_id, epoch, &members)? else {
        return Ok(None);
    };
    let scratch = Provider::default();
    inspection::copy_group_but(storage, &scratch, &group_id, Category::MessageSecrets)?;
    scratch.storage().adopt(vec![secrets])?;
    let mut past = groups::load(&scratch, group.group_id().as_slice())?;
    let processed = past.process_message(&scratch, message);
    if processed.is_ok() {
        storage.put_past_message_secrets(&group_id, epoch, scratch.storage())?;
    }
    Ok(Some(processed))
}

/// Who was a member in an epoch that is over; `None` if that epoch is not kept.
pub(super) fn members_at(
    provider: &Provider,
    group: &MlsGroup,
    epoch: u64,
) -> Result<Option<Vec<openmls::prelude::Member>>> {
    let storage = provider.storage();
    let group_id = key::bytes_key(group.group_id().as_slice());
    let policy = Policy::of(storage, group.group_id().as_slice())?;
    // In the order of their leaves.
    let mut members: Vec<openmls::prelude::Member> = group.members().collect();
    for back in (epoch..group.epoch().as_u64()).rev() {
        let retained = storage.get(Category::RetainedEpoch, &record_key(&group_id, back))?;
        let retained: Option<RetainedEpoch> = retained;
        let Some(retained) = retained.filter(|epoch| !policy.is_too_old(epoch, now())) else {
            return Ok(None);
        };
        for (index, member) in retained.changed {
            let at = members.partition_point(|other| other.index.u32() < index);
            let is_there = |other: &openmls::prelude::Member| other.index.u32() == index;
            let end = at + usize::from(members.get(at).is_some_and(is_there));
            members.splice(at..end, member);
        }
    }
    Ok(Some(members))
}

fn record_key(group_id: &str, epoch: u64) -> String {
    format!("{group_id}/{}", key::integer_key(epoch))
}

fn epoch_of(record: &str) -> Option<u64> {
    key::parse_integer_key(record.rsplit('/').next()?)
}
