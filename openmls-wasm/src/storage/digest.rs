//! The digest of a group: whether its records belong together, and are the ones that this client wrote last.
//!
//! OpenMLS writes up to a dozen records for one operation and loads whatever it finds, so a record
//! that is missing, or older than the others, would be loaded without a word and decrypt nothing, or
//! use keys twice. The checksum of a record says that it is whole, not that it is the last one. So
//! each operation that changes a group also notes the sum of the checksums of all its records in the
//! [root](super::root), and a group of which the sum is another is not loaded (G6).
//!
//! A sum, because a batch changes it by what the batch changes, whatever the size of the group (G9).
//! Like the checksums it is no protection against somebody who wants to deceive.
//!
//! Digests were records of the groups once. One that is there still counts as long as the root does not
//! know the group: it goes with the next change of the group.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::{
    category::{Category, Scope},
    codec, key,
    state::{State, Value},
    StorageError,
};
use crate::sorted::set_of;

/// What the records of a group come to; of one that does not exist, zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    records: u64,
    sum: u64,
}

impl Digest {
    pub(super) const SIZE: usize = 2 * size_of::<u64>();

    pub(super) fn to_bytes(self) -> [u8; Self::SIZE] {
        (u128::from(self.records) | u128::from(self.sum) << 64).to_le_bytes()
    }

    pub(super) fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let both = u128::from_le_bytes(bytes);
        let [records, sum] = [both as u64, (both >> 64) as u64];
        Digest { records, sum }
    }

    /// Whether it is that of a group of which there are no records.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.records == 0
    }
}

/// A digest as it was stored first, before it was a byte string.
#[derive(Deserialize)]
struct FormerDigest {
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

    /// The groups of which there are records.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(|group| &**group)
    }

    /// What the records of a group take, keys included.
    pub(super) fn bytes_of(&self, group: &str) -> usize {
        self.groups.get(group).map_or(0, |group| group.bytes)
    }

    /// What the records of all groups take, keys included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The digest of a group.
    pub(super) fn get(&self, group: &str) -> Digest {
        let group = self.groups.get(group);
        group.map(|group| group.digest).unwrap_or_default()
    }
}

fn is_digested(category: Category) -> bool {
    category.scope() == Scope::Group && category != Category::GroupDigest
}

/// A digest that is a record of its group.
fn decode(group: &str, value: &Value) -> Result<Digest, StorageError> {
    if let Ok(bytes) = codec::decode::<ByteBuf>(Category::GroupDigest, group, value) {
        let bytes = bytes.first_chunk();
        return match bytes {
            Some(bytes) => Ok(Digest::from_bytes(*bytes)),
            None => Err(codec::undecodable(Category::GroupDigest, group)),
        };
    }
    let FormerDigest { records, sum } = codec::decode(Category::GroupDigest, group, value)?;
    Ok(Digest { records, sum })
}

/// The groups that these records are of.
pub(super) fn groups_of<'a>(
    keys: impl Iterator<Item = &'a (Category, Box<str>)>,
) -> BTreeSet<Box<str>> {
    let of_groups = keys.filter(|(category, _)| is_digested(*category));
    set_of(of_groups.map(|(_, key)| key::group_part(key).into()))
}

impl State {
    /// Brings the digests of these groups up to date.
    ///
    /// # Errors
    /// [`NotLoaded`](StorageError::NotLoaded) if a node of the root is not in memory that changes too.
    pub(super) fn write_digests(&mut self, groups: BTreeSet<Box<str>>) -> Result<(), StorageError> {
        if cfg!(without_digests) {
            return Ok(());
        }
        for group in groups {
            self.change(Category::GroupDigest, &group, None);
            self.note_in_root(&group, self.digests.get(&group))?;
        }
        Ok(())
    }

    /// Whether a group is as this client left it.
    ///
    /// # Errors
    /// [`DamagedGroup`](StorageError::DamagedGroup) if it is not;
    /// [`NotLoaded`](StorageError::NotLoaded) if a node of the root that knows is not in memory.
    pub(super) fn check_digest(&self, group: &str) -> Result<(), StorageError> {
        let expected = match self.digest_in_root(group) {
            Ok(None) => match self.get(Category::GroupDigest, group) {
                Some(value) => Some(decode(group, value)?),
                None => Some(Digest::default()),
            },
            Err(StorageError::DamagedRecord { .. }) => None,
            known => known?,
        };
        match expected == Some(self.digests.get(group)) {
            true => Ok(()),
            false => Err(StorageError::DamagedGroup(group.into())),
        }
    }
}
