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
//!
//! What the digests of all groups are, the [root](super::root) says: a group that is put back as a whole
//! has a digest that fits.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_bytes::{ByteBuf, Bytes};
use zeroize::Zeroizing;

use super::{
    category::{Category, Scope},
    codec, key,
    state::{State, Value},
    StorageError,
};

/// What the records of a group come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    records: u64,
    sum: u64,
}

/// A digest as it was stored before there was a root. One that the root knows of is a byte string.
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

    /// The digest of a group of which there are records.
    fn get(&self, group: &str) -> Option<&Digest> {
        let digest = self.groups.get(group).map(|group| &group.digest);
        digest.filter(|digest| digest.records > 0)
    }
}

fn is_digested(category: Category) -> bool {
    category.scope() == Scope::Group && category != Category::GroupDigest
}

fn encode(group: &str, digest: Digest) -> Result<Zeroizing<Vec<u8>>, StorageError> {
    let mut bytes = digest.records.to_le_bytes().to_vec();
    bytes.extend(digest.sum.to_le_bytes());
    codec::encode(Category::GroupDigest, group, Bytes::new(&bytes), 20)
}

/// The digest, and whether the root knows of it.
fn decode(group: &str, value: &Value) -> Result<(Digest, bool), StorageError> {
    if let Ok(bytes) = codec::decode::<ByteBuf>(Category::GroupDigest, group, value) {
        let (numbers, _) = bytes.as_chunks();
        let [records, sum] = *numbers else {
            return Err(codec::undecodable(Category::GroupDigest, group));
        };
        let [records, sum] = [records, sum].map(u64::from_le_bytes);
        return Ok((Digest { records, sum }, true));
    }
    let FormerDigest { records, sum } = codec::decode(Category::GroupDigest, group, value)?;
    Ok((Digest { records, sum }, false))
}

/// Whether the root knows of the group with this digest.
pub(super) fn is_in_root(group: &str, digest: &Value) -> Result<bool, StorageError> {
    Ok(decode(group, digest)?.1)
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
    /// Brings the digests of these groups up to date, and the root over them.
    ///
    /// # Errors
    /// [`NotLoaded`](StorageError::NotLoaded) if a node of the root is not in memory that changes too.
    pub(super) fn write_digests(&mut self, groups: BTreeSet<Box<str>>) -> Result<(), StorageError> {
        if cfg!(without_digests) {
            return Ok(());
        }
        for group in groups {
            let digest = self.digests.get(&group);
            let value = digest.map(|digest| encode(&group, *digest)).transpose()?;
            self.change(Category::GroupDigest, &group, value.map(Value::new));
            self.note_in_root(&group)?;
        }
        Ok(())
    }

    /// Whether the records of a group come to what its stored digest says.
    ///
    /// # Errors
    /// [`DamagedGroup`](StorageError::DamagedGroup) if they do not.
    pub(super) fn check_digest(&self, group: &str) -> Result<(), StorageError> {
        let stored = self
            .get(Category::GroupDigest, group)
            .map(|value| decode(group, value))
            .transpose()?;
        if stored.map(|(digest, _)| digest) == self.digests.get(group).copied() {
            return Ok(());
        }
        Err(StorageError::DamagedGroup(group.into()))
    }
}
