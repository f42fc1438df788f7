//! Groups that are known from a snapshot, without their keys.
//!
//! A copy of a ratchet that is put back uses its keys a second time, for other messages; so a snapshot
//! has none, and what it says of a group cannot read, send or commit. All that the others know of this
//! client is its old leaf, and it comes back as any client comes back that has lost step: by an
//! external commit, which removes the old leaf (found by its signature key) and adds one with fresh
//! HPKE keys. For that is kept what the old leaf says. When the group is joined, by that or by a
//! Welcome, the batch that makes it live deletes what made it inert.

use openmls::prelude::{Ciphersuite, GroupId, LeafNode};
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use super::{
    groups,
    identity::{self, LoadedIdentity},
    own_leaf,
    provider::Provider,
    summaries, ClientError, Result,
};
use crate::storage::{key, Category, GranularStorage};

/// What is kept of a group for joining it anew.
#[derive(Serialize, Deserialize)]
pub(super) struct InertGroup {
    /// The last epoch that is known.
    pub(super) epoch: u64,
    /// The ciphersuite (RFC 9420 §17.1).
    pub(super) ciphersuite: u16,
    /// The own leaf; `None` if this client was no member any more.
    pub(super) leaf: Option<LeafNode>,
}

impl InertGroup {
    /// The identity of this client in the group, where its leaf says something else than the client's
    /// identity does.
    pub(super) fn identity(
        &self,
        provider: &Provider,
        identity: &LoadedIdentity,
    ) -> Result<Option<LoadedIdentity>> {
        let Some(leaf) = &self.leaf else {
            return Ok(None);
        };
        own_leaf::identity_of(provider, identity, leaf, self.suite(provider)?)
    }

    fn suite(&self, provider: &Provider) -> Result<Ciphersuite> {
        identity::supported(provider, self.ciphersuite)
    }
}

pub(super) fn get(storage: &GranularStorage, group_id: &[u8]) -> Result<Option<InertGroup>> {
    Ok(storage.get(Category::InertGroup, &key::bytes_key(group_id))?)
}

pub(super) fn is_inert(storage: &GranularStorage, group_id: &[u8]) -> Result<bool> {
    Ok(storage.contains(Category::InertGroup, &key::bytes_key(group_id))?)
}

/// The id of a group that is to be created.
///
/// # Errors
/// `group-exists` if an inert group has it.
pub(super) fn unless_inert(storage: &GranularStorage, group_id: &[u8]) -> Result<GroupId> {
    match is_inert(storage, group_id)? {
        true => Err(ClientError::GroupExists),
        false => Ok(GroupId::from_slice(group_id)),
    }
}

/// Makes room for the live group, if there is an inert one of that id: all that stays is its name. To
/// be called inside a savepoint.
pub(super) fn make_room(provider: &Provider, group_id: &[u8]) -> Result<()> {
    let storage = provider.storage();
    if !is_inert(storage, group_id)? {
        return Ok(());
    }
    let summary = summaries::get(storage, group_id)?;
    groups::delete_records(provider, group_id)?;
    summary.map_or(Ok(()), |summary| summary.put(storage))
}

/// Deletes an inert group, and the signature keys that were made for it alone. To be called inside a
/// savepoint.
pub(super) fn forget(provider: &Provider, group_id: &[u8]) -> Result<()> {
    let storage = provider.storage();
    if let Some(inert) = get(storage, group_id)? {
        own_leaf::delete_inert(storage, group_id, inert.suite(provider)?)?;
    }
    groups::delete_records(provider, group_id)
}
