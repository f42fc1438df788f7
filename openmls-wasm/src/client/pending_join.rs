//! The record of an external commit that the delivery service has not answered yet; see
//! [`external_join`](super::external_join).

use std::sync::Arc;

use openmls::prelude::{GroupId, MlsGroup};
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{
    early,
    external_commit::ExternalCommit,
    groups, inert,
    outbox::{self, OutboxEntry},
    provider::Provider,
    summaries, witness, Result,
};
use crate::storage::{key, Category, GranularStorage, Scope, StorageError};

/// A group as it will be if the commit is accepted.
#[derive(Serialize, Deserialize)]
pub(super) struct PendingJoin {
    /// The outbox entry of the commit.
    pub(super) entry_id: String,
    /// The epoch that the commit ends.
    pub(super) epoch: u64,
    /// The signature key of the leaf that it adds.
    signature_key: Vec<u8>,
    records: Vec<PendingRecord>,
}

impl PendingJoin {
    pub(super) fn new(entry: &OutboxEntry, commit: &ExternalCommit) -> Result<Self> {
        Ok(Self {
            entry_id: entry.id.clone(),
            epoch: entry.epoch,
            signature_key: commit.signature_key.clone(),
            records: records(commit)?,
        })
    }

    /// Puts it in; to be called inside a savepoint.
    pub(super) fn put(&self, storage: &GranularStorage, group_id: &[u8]) -> Result<()> {
        let key = key::bytes_key(group_id);
        Ok(storage.put(Category::PendingExternalJoin, &key, self)?)
    }
}

#[derive(Serialize, Deserialize)]
struct PendingRecord {
    category: String,
    key: String,
    value: Vec<u8>,
}

impl Drop for PendingRecord {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// A group that is stored.
pub(super) fn stored(provider: &Provider, group_id: &[u8]) -> Result<Option<MlsGroup>> {
    let group_id = GroupId::from_slice(group_id);
    Ok(MlsGroup::load(provider.storage(), &group_id)?)
}

/// What waits for an answer.
pub(super) fn get(storage: &GranularStorage, group_id: &[u8]) -> Result<Option<PendingJoin>> {
    Ok(storage.get(Category::PendingExternalJoin, &key::bytes_key(group_id))?)
}

/// What waits for an answer to this entry.
pub(super) fn of_entry(
    storage: &GranularStorage,
    entry: &OutboxEntry,
) -> Result<Option<PendingJoin>> {
    Ok(get(storage, &entry.group_id)?.filter(|join| join.entry_id == entry.id))
}

/// Whether this client waits to join the group anew: its old self must not commit meanwhile.
pub(super) fn is_pending(storage: &GranularStorage, group_id: &[u8]) -> Result<bool> {
    Ok(storage.contains(Category::PendingExternalJoin, &key::bytes_key(group_id))?)
}

/// The signature key of the leaf that a pending external commit adds.
pub(super) fn signature_key(storage: &GranularStorage, group_id: &[u8]) -> Result<Option<Vec<u8>>> {
    Ok(get(storage, group_id)?.map(|join| join.signature_key.clone()))
}

/// Drops the pending join of this entry, if it is one, with the entry. To be called inside a
/// savepoint. Returns whether it was one.
pub(super) fn discard(provider: &Provider, entry: &OutboxEntry) -> Result<bool> {
    let storage = provider.storage();
    if of_entry(storage, entry)?.is_none() {
        return Ok(false);
    }
    let key = key::bytes_key(&entry.group_id);
    storage.delete(Category::PendingExternalJoin, &key)?;
    if stored(provider, &entry.group_id)?.is_none() {
        early::forget_all(provider, &entry.group_id)?;
    }
    outbox::remove(storage, &entry.id)?;
    Ok(true)
}

/// Puts the group that the commit made in the place of what there was of it; to be called inside a
/// savepoint.
pub(super) fn accept(provider: &Provider, group_id: &[u8], join: &PendingJoin) -> Result<()> {
    let storage = provider.storage();
    let summary = summaries::get(storage, group_id)?;
    // Of a group that was restored or put aside nothing says here that it was watched, and it may have been.
    let was_here = witness::is_watched(storage, group_id)?
        || inert::is_inert(storage, group_id)?
        || storage.contains(Category::FormerGroup, &key::bytes_key(group_id))?;
    if let Some(old) = stored(provider, group_id)? {
        let epoch = old.epoch().as_u64();
        groups::forget(provider, &old, epoch, Some(&join.signature_key))?;
    } else {
        inert::make_room(provider, group_id)?;
    }
    for record in &join.records {
        let category = Category::from_name(&record.category)
            .ok_or_else(|| StorageError::UnknownCategory(record.category.clone()))?;
        let value = Arc::new(Zeroizing::new(record.value.clone()));
        storage.put_encoded(category, &record.key, value)?;
    }
    if let Some(old) = summary {
        summaries::rename(storage, group_id, &old.name)?;
    }
    storage.delete(Category::PendingExternalJoin, &key::bytes_key(group_id))?;
    early::forget_before(provider, group_id, join.epoch.saturating_add(1))?;
    if let Some(entry) = outbox::get(storage, &join.entry_id)?.filter(|_| was_here) {
        witness::begin(storage, &entry)?;
    }
    outbox::remove(storage, &join.entry_id)
}

/// What the group that the commit makes is, as records.
fn records(commit: &ExternalCommit) -> Result<Vec<PendingRecord>> {
    let records = commit.provider.storage().records()?;
    Ok(records
        .into_iter()
        .filter(|record| record.category.scope() == Scope::Group)
        .map(|record| PendingRecord {
            category: record.category.name().into(),
            key: record.key,
            value: record.value.to_vec(),
        })
        .collect())
}
