//! Summaries: what a list of conversations shows of a group that is not in memory.
//!
//! A record for each group, written with the operation that changes what it says. It is small and no
//! secret is in it; whoever lists groups reads pages of such records and loads no group.

use openmls::prelude::MlsGroup;
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};

use super::{provider::Provider, ClientError, MlsClient, Result};
use crate::storage::{key, Category, GranularStorage, Record};

/// The longest name of a group, in bytes.
const MAX_NAME: usize = 1024;

/// What this client is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It is a member.
    Member,
    /// It was removed, or left.
    FormerMember,
    /// It is known from a snapshot only: to be a member again, it must join by an external commit.
    Inert,
    /// Nobody knows: the stored summary cannot be read. The group itself may be whole.
    Unreadable,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// The group id.
    #[serde(with = "serde_bytes")]
    pub group_id: Vec<u8>,
    /// What the app calls it, on this client only ([`set_group_name`](MlsClient::set_group_name)).
    #[serde(with = "serde_bytes")]
    pub name: Vec<u8>,
    /// The epoch (RFC 9420 §8.1).
    pub epoch: u64,
    /// How many members it has, this client included.
    pub member_count: u32,
    /// What this client is in it.
    pub role: Role,
}

impl GroupSummary {
    /// What is known of a group whose summary cannot be read: one record keeps no other from the list.
    fn unreadable(key: &str) -> Self {
        Self {
            group_id: key::parse_bytes_key(key).unwrap_or_default(),
            name: vec![],
            epoch: 0,
            member_count: 0,
            role: Role::Unreadable,
        }
    }

    pub(super) fn put(&self, storage: &GranularStorage) -> Result<()> {
        let key = key::bytes_key(&self.group_id);
        Ok(storage.put(Category::GroupSummary, &key, self)?)
    }
}

pub(super) fn get(storage: &GranularStorage, group_id: &[u8]) -> Result<Option<GroupSummary>> {
    Ok(storage.get(Category::GroupSummary, &key::bytes_key(group_id))?)
}

/// Brings the summary of a group up to date; to be called at the end of every operation that may have
/// changed the group, inside its savepoint.
pub(super) fn note(provider: &Provider, group: &MlsGroup) -> Result<()> {
    let storage = provider.storage();
    let stored = get(storage, group.group_id().as_slice())?;
    let epoch = group.epoch().as_u64();
    let role = match group.is_active() {
        true => Role::Member,
        false => Role::FormerMember,
    };
    // Who is in a group changes with the epoch only.
    let is_current = |stored: &GroupSummary| stored.epoch == epoch && stored.role == role;
    if stored.as_ref().is_some_and(is_current) {
        return Ok(());
    }
    let summary = GroupSummary {
        group_id: group.group_id().to_vec(),
        name: stored.map_or_else(Vec::new, |stored| stored.name),
        epoch,
        member_count: u32::try_from(group.members().count()).unwrap_or(u32::MAX),
        role,
    };
    summary.put(storage)
}

/// Gives a group that has a summary another name.
pub(super) fn rename(storage: &GranularStorage, group_id: &[u8], name: &[u8]) -> Result<()> {
    match get(storage, group_id)? {
        Some(summary) => GroupSummary {
            name: name.to_vec(),
            ..summary
        }
        .put(storage),
        None => Ok(()),
    }
}

impl MlsClient {
    /// The summaries of groups, in the order of their ids: of those in memory as they are now, of the
    /// others as `stored` says, which are records of the database. `after` and `until` bound the ids
    /// (the first excluded); without one there is no bound.
    pub fn group_summaries(
        &self,
        stored: &[Record],
        after: Option<&[u8]>,
        until: Option<&[u8]>,
    ) -> Result<Vec<GroupSummary>> {
        let (after, until) = (after.map(key::bytes_key), until.map(key::bytes_key));
        let is_within = |key: &str| {
            after.as_ref().is_none_or(|after| key > after.as_str())
                && until.as_ref().is_none_or(|until| key <= until.as_str())
        };
        let storage = self.storage();
        let mut found: Vec<(String, GroupSummary)> = vec![];
        for record in stored {
            if !storage.is_loaded(Category::GroupSummary, &record.key)? {
                let summary = GranularStorage::read(Category::GroupSummary, record);
                let summary = summary.unwrap_or_else(|_| GroupSummary::unreadable(&record.key));
                found.push((record.key.clone(), summary));
            }
        }
        for record in storage.loaded(Category::GroupSummary)? {
            let summary = GranularStorage::read(Category::GroupSummary, &record)?;
            found.push((record.key, summary));
        }
        found.retain(|(key, _)| is_within(key));
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found.into_iter().map(|(_, summary)| summary).collect())
    }

    /// Gives a group a name for lists, on this client only: up to 1024 bytes, of which nothing is
    /// known here.
    ///
    /// # Errors
    /// `group-not-found`; `invalid-argument` for a longer one.
    pub fn set_group_name(&mut self, group_id: &[u8], name: &[u8]) -> Result<()> {
        if name.len() > MAX_NAME {
            return Err(ClientError::InvalidArgument("a name of at most 1024 bytes"));
        }
        self.with_group(group_id, |provider, _, group| {
            note(provider, group)?;
            rename(provider.storage(), group_id, name)
        })
    }
}
