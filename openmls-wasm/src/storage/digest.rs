//! The digest of a group: whether its records belong together.
//!
//! OpenMLS writes up to a dozen records for one operation and loads whatever it finds, so a record
//! that is missing, or older than the others, would be loaded without a word and decrypt nothing, or
//! use keys twice. The checksum of a record says that it is whole, not that it is the last one. So
//! each operation that changes a group also writes the sum of the checksums of all its records, and a
//! group of which the sum is another is not loaded (G6).
//!
//! A sum, because a batch changes it by what the batch changes, whatever the size of the group (G9).
//! Like the checksums it is no protection against somebody who wants to deceive.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    category::{Category, Scope},
    codec, key,
    state::{State, Value},
    StorageError,
};

/// What the records of a group come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest {
    records: u64,
    sum: u64,
}

/// A group in memory.
#[derive(Clone, Copy, Default)]
struct Group {
    digest: Digest,
    /// What its records take, keys included.
    bytes: usize,
}

/// The digests of all groups in memory, as their records are at this moment.
#[derive(Default)]
pub(super) struct Digests {
    groups: BTreeMap<Box<str>, Group>,
    /// What the records of all groups take, keys included.
    bytes: usize,
}

impl Digests {
    /// A record has changed from `old` to `new`.
    pub(super) fn note(
        &mut self,
        category: Category,
        key: &str,
        old: Option<&Value>,
        new: Option<&Value>,
    ) {
        if category.scope() != Scope::Group {
            return;
        }
        let name = key::group_part(key);
        let mut group = self.groups.get(name).copied().unwrap_or_default();
        let size = |value: Option<&Value>| value.map_or(0, |value| key.len() + value.len());
        let (less, more) = (size(old), size(new));
        self.bytes = self.bytes.wrapping_sub(less).wrapping_add(more);
        let Group { digest, bytes } = &mut group;
        *bytes = bytes.wrapping_sub(less).wrapping_add(more);
        if is_digested(category) {
            if let Some(old) = old {
                digest.records = digest.records.wrapping_sub(1);
                digest.sum = digest.sum.wrapping_sub(codec::checksum_of(old));
            }
            if let Some(new) = new {
                digest.records = digest.records.wrapping_add(1);
                digest.sum = digest.sum.wrapping_add(codec::checksum_of(new));
            }
        }
        if group.bytes == 0 {
            self.groups.remove(name);
        } else if let Some(known) = self.groups.get_mut(name) {
            *known = group;
        } else {
            self.groups.insert(name.into(), group);
        }
    }

    /// What the records of a group take, keys included.
    pub(super) fn bytes_of(&self, group: &str) -> usize {
        self.groups.get(group).map_or(0, |group| group.bytes)
    }

    /// What the records of all groups take, keys included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The digest of a group of which there are records.
    fn get(&self, group: &str) -> Option<&Digest> {
        let digest = self.groups.get(group).map(|group| &group.digest);
        digest.filter(|digest| digest.records > 0)
    }
}

fn is_digested(category: Category) -> bool {
    category.scope() == Scope::Group && category != Category::GroupDigest
}

/// The groups that these records are of.
pub(super) fn groups_of<'a>(
    keys: impl Iterator<Item = &'a (Category, Box<str>)>,
) -> BTreeSet<Box<str>> {
    keys.filter(|(category, _)| is_digested(*category))
        .map(|(_, key)| key::group_part(key).into())
        .collect()
}

impl State {
    /// Brings the digests of these groups up to date.
    pub(super) fn write_digests(&mut self, groups: BTreeSet<Box<str>>) -> Result<(), StorageError> {
        for group in groups {
            let digest = self.digests.get(&group);
            let value = digest
                .map(|digest| codec::encode(Category::GroupDigest, &group, digest, 32))
                .transpose()?;
            self.change(Category::GroupDigest, &group, value.map(Value::new));
        }
        Ok(())
    }

    /// Whether the records of a group come to what its stored digest says.
    ///
    /// # Errors
    /// [`DamagedGroup`](StorageError::DamagedGroup) if they do not.
    pub(super) fn check_digest(&self, group: &str) -> Result<(), StorageError> {
        let stored: Option<Digest> = self
            .get(Category::GroupDigest, group)
            .map(|value| codec::decode(Category::GroupDigest, group, value))
            .transpose()?;
        if stored == self.digests.get(group).copied() {
            return Ok(());
        }
        Err(StorageError::DamagedGroup(group.into()))
    }
}
