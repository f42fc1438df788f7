//! The root over the digests of all groups: whether a group is as this client left it.
//!
//! The digest of a group tells that a record does not belong to the others. It is silent about a group
//! of which all records, the digest among them, are those of an older time, or are gone, or are there
//! again after the group was deleted. So what the digests of all groups are is itself a tree of hashes,
//! and its root is a record of the client:
//!
//! - `group_root` names the groups that changed last, each with the checksum of its digest, and the
//!   checksums of 16 branches. It is written with every batch that changes a group, and is all that most
//!   batches write: the groups that somebody writes in at a time are few.
//! - A branch has the checksums of 16 leaves, a leaf has the groups whose hash begins with its number. Of
//!   the groups in the list the one that changed longest ago goes into its leaf when there are too many.
//!
//! So a change writes the root, and at most one branch and one leaf; a group that is loaded needs at most
//! a branch and a leaf, which are loaded one by one when they are asked for: neither opening nor a message
//! grows with the number of groups (G9).
//!
//! What is compared are the checksums of records, 64 bits of xxHash. That is no protection against
//! somebody who writes records of his own, as the records in the clear are none. Of records that are
//! sealed nobody can make new ones, nor see a checksum, and so cannot look for old ones that come to the
//! same sum: there is nothing left but to put records back, which this is for. An older state of the
//! database as a whole agrees with itself, and no record can tell it.
//!
//! A database of before there was a root has none, and the digests in it do not say that they are in one.
//! Such a group is taken as it is, and is in the root from its next change on. A digest that says so, and
//! is not in the root, is of a group that was deleted, or its root is gone: either is refused.

use std::collections::BTreeSet;

use serde_bytes::{ByteBuf, Bytes};
use sha2::{Digest as _, Sha256};

use super::{
    category::Category,
    codec, digest, key,
    state::{State, Value},
    StorageError,
};

const ROOT: Category = Category::GroupRoot;
const NODE: Category = Category::GroupRootNode;

/// How many groups the root itself names.
const RECENT: usize = 16;
/// How many branches there are, and leaves on each.
const FAN_OUT: usize = 16;
/// Stands for a record that does not exist.
const NONE: u64 = 0;

/// A group: SHA-256 of its id, cut. An id may be long, and others choose it.
type Name = [u8; 16];

fn name_of(group: &str) -> Name {
    let mut name = Name::default();
    let hash = Sha256::digest(group.as_bytes());
    name.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    name
}

/// Where a group is, if the root does not name it: the numbers of its branch and of the leaf on it.
fn place_of(name: &Name) -> (usize, usize) {
    let first = usize::from(name[0]);
    (first / FAN_OUT, first % FAN_OUT)
}

fn branch_key(branch: usize) -> String {
    key::integer_key(branch as u64)
}

fn leaf_key((branch, leaf): (usize, usize)) -> String {
    key::integer_key((FAN_OUT + branch * FAN_OUT + leaf) as u64)
}

/// What a record is compared by.
fn tag_of(value: Option<&Value>) -> u64 {
    value.map_or(NONE, |value| codec::checksum_of(value).max(1))
}

/// A group and the tag of its digest.
#[derive(Clone, Copy)]
struct Entry {
    name: Name,
    tag: u64,
}

#[derive(Default)]
struct Root {
    branches: [u64; FAN_OUT],
    /// The one that changed last comes last. One without a tag was deleted.
    recent: Vec<Entry>,
}

/// Which branches there are, a bit for each; their tags; the groups. Most clients have few groups, and
/// no branches. Once all tags stood there, without the bits: lengths tell, all else comes in eights.
fn read_root(bytes: &[u8]) -> Root {
    let (present, mut rest) = match bytes.split_first_chunk() {
        Some((bits, rest)) if rest.len() % size_of::<u64>() == 0 => {
            (u16::from_le_bytes(*bits), rest)
        }
        _ => (u16::MAX, bytes),
    };
    let mut root = Root::default();
    for (branch, tag) in root.branches.iter_mut().enumerate() {
        if present >> branch & 1 == 1 {
            if let Some((first, others)) = rest.split_first_chunk() {
                (*tag, rest) = (u64::from_le_bytes(*first), others);
            }
        }
    }
    root.recent = read_entries(rest);
    root
}

fn write_root(root: &Root) -> Vec<u8> {
    let there = |tag: &&u64| **tag != NONE;
    if root.recent.is_empty() && !root.branches.iter().any(|tag| *tag != NONE) {
        return vec![];
    }
    let bits = root.branches.iter().enumerate();
    let bits = bits.fold(0u16, |bits, (branch, tag)| {
        bits | u16::from(*tag != NONE) << branch
    });
    let tags = root.branches.iter().filter(there);
    let tags = tags.flat_map(|tag| tag.to_le_bytes());
    let mut bytes: Vec<u8> = bits.to_le_bytes().into_iter().chain(tags).collect();
    bytes.extend(write_entries(&root.recent));
    bytes
}

fn read_tags(bytes: &[u8]) -> [u64; FAN_OUT] {
    let (tags, _) = bytes.as_chunks();
    let mut read = [NONE; FAN_OUT];
    read.iter_mut()
        .zip(tags)
        .for_each(|(to, from)| *to = u64::from_le_bytes(*from));
    read
}

fn read_entries(bytes: &[u8]) -> Vec<Entry> {
    let (entries, _) = bytes.as_chunks::<{ size_of::<Name>() + size_of::<u64>() }>();
    let entry = |bytes: &[u8; 24]| {
        let (name, tag) = bytes.split_first_chunk()?;
        let tag = u64::from_le_bytes(*tag.first_chunk()?);
        Some(Entry { name: *name, tag })
    };
    entries.iter().filter_map(entry).collect()
}

/// Nothing, if there is no tag.
fn write_tags(tags: &[u64; FAN_OUT]) -> Vec<u8> {
    if *tags == [NONE; FAN_OUT] {
        return vec![];
    }
    tags.iter().flat_map(|tag| tag.to_le_bytes()).collect()
}

fn write_entries(entries: &[Entry]) -> Vec<u8> {
    let bytes = |entry: &Entry| entry.name.into_iter().chain(entry.tag.to_le_bytes());
    entries.iter().flat_map(bytes).collect()
}

impl State {
    /// Notes in the root that the digest of a group has changed.
    pub(super) fn note_in_root(&mut self, group: &str) -> Result<(), StorageError> {
        let name = name_of(group);
        let tag = tag_of(self.get(Category::GroupDigest, group));
        let mut root = self.root()?;
        if self.tag_in(&root, &name) == Ok(tag) {
            return Ok(());
        }
        root.recent.retain(|entry| entry.name != name);
        // A group that was deleted is named only as long as a leaf still has it.
        if tag != NONE || self.tag_in(&root, &name) != Ok(NONE) {
            root.recent.push(Entry { name, tag });
        }
        self.move_to_leaves(&mut root)?;
        self.write_node(ROOT, key::SINGLETON, &write_root(&root))
    }

    /// Whether a group is as this client left it.
    ///
    /// # Errors
    /// [`DamagedGroup`](StorageError::DamagedGroup) if it is not;
    /// [`NotLoaded`](StorageError::NotLoaded) if a node that knows is not in memory.
    pub(super) fn check_root(&self, group: &str) -> Result<(), StorageError> {
        let stored = self.get(Category::GroupDigest, group);
        let is_as_left = match self.tag_in(&self.root()?, &name_of(group)) {
            Ok(NONE) => match stored {
                Some(digest) => !digest::is_in_root(group, digest)?,
                None => true,
            },
            Ok(tag) => tag == tag_of(stored),
            Err(StorageError::DamagedRecord { .. }) => false,
            Err(other) => return Err(other),
        };
        match is_as_left {
            true => Ok(()),
            false => Err(StorageError::DamagedGroup(group.into())),
        }
    }

    /// Whether every group that the root knows is in memory, with all of the database there.
    ///
    /// # Errors
    /// [`DamagedGroup`](StorageError::DamagedGroup) with what the root calls a group that is not.
    pub(super) fn check_none_is_missing(&self) -> Result<(), StorageError> {
        let root = self.root()?;
        let present: BTreeSet<Name> = self.digests.groups().map(name_of).collect();
        let mut known = root.recent.clone();
        for branch in 0..FAN_OUT {
            let leaves = self.branch(&root, branch)?;
            for leaf in 0..FAN_OUT {
                let entries = self.leaf(&leaves, (branch, leaf))?;
                let is_newest =
                    |entry: &Entry| root.recent.iter().all(|recent| recent.name != entry.name);
                known.extend(entries.into_iter().filter(is_newest));
            }
        }
        let is_missing = |entry: &&Entry| entry.tag != NONE && !present.contains(&entry.name);
        match known.iter().find(is_missing) {
            Some(missing) => Err(StorageError::DamagedGroup(key::bytes_key(&missing.name))),
            None => Ok(()),
        }
    }

    fn root(&self) -> Result<Root, StorageError> {
        let Some(value) = self.get(ROOT, key::SINGLETON) else {
            return Ok(Root::default());
        };
        let bytes: ByteBuf = codec::decode(ROOT, key::SINGLETON, value)?;
        Ok(read_root(&bytes))
    }

    /// The tag of a group, or [`NONE`].
    fn tag_in(&self, root: &Root, name: &Name) -> Result<u64, StorageError> {
        let is_it = |entry: &&Entry| entry.name == *name;
        let found = match root.recent.iter().find(is_it) {
            Some(entry) => Some(entry.tag),
            None => {
                let place = place_of(name);
                let leaves = self.branch(root, place.0)?;
                let entries = self.leaf(&leaves, place)?;
                entries.iter().find(is_it).map(|entry| entry.tag)
            }
        };
        Ok(found.unwrap_or(NONE))
    }

    fn branch(&self, root: &Root, branch: usize) -> Result<[u64; FAN_OUT], StorageError> {
        let tag = root.branches.get(branch).copied().unwrap_or(NONE);
        let bytes = self.node(&branch_key(branch), tag)?;
        Ok(read_tags(&bytes))
    }

    fn leaf(
        &self,
        leaves: &[u64; FAN_OUT],
        place: (usize, usize),
    ) -> Result<Vec<Entry>, StorageError> {
        let tag = leaves.get(place.1).copied().unwrap_or(NONE);
        let bytes = self.node(&leaf_key(place), tag)?;
        Ok(read_entries(&bytes))
    }

    /// What a branch or leaf holds that must have this tag.
    fn node(&self, key: &str, tag: u64) -> Result<ByteBuf, StorageError> {
        if tag == NONE {
            return Ok(ByteBuf::new());
        }
        self.require(NODE, key)?;
        match self.get(NODE, key) {
            Some(value) if tag_of(Some(value)) == tag => codec::decode(NODE, key, value),
            _ => Err(StorageError::DamagedRecord {
                category: NODE,
                key: key.into(),
            }),
        }
    }

    /// Moves those that changed longest ago into their leaves, until the root names no more than it may.
    /// Where a leaf is damaged they stay: that is the end of the groups that it has, and of no other.
    fn move_to_leaves(&mut self, root: &mut Root) -> Result<(), StorageError> {
        let mut oldest = 0;
        while root.recent.len() > RECENT && oldest < RECENT {
            let Some(entry) = root.recent.get(oldest).copied() else {
                break;
            };
            match self.put_in_leaf(root, entry) {
                Ok(()) => drop(root.recent.remove(oldest)),
                Err(StorageError::DamagedRecord { .. }) => oldest += 1,
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn put_in_leaf(&mut self, root: &mut Root, entry: Entry) -> Result<(), StorageError> {
        let place = place_of(&entry.name);
        let (branch, leaf) = place;
        let mut leaves = self.branch(root, branch)?;
        let mut entries = self.leaf(&leaves, place)?;
        entries.retain(|other| other.name != entry.name);
        if entry.tag != NONE {
            entries.push(entry);
        }
        let key = leaf_key(place);
        self.write_node(NODE, &key, &write_entries(&entries))?;
        if let Some(tag) = leaves.get_mut(leaf) {
            *tag = tag_of(self.get(NODE, &key));
        }
        let key = branch_key(branch);
        self.write_node(NODE, &key, &write_tags(&leaves))?;
        if let Some(tag) = root.branches.get_mut(branch) {
            *tag = tag_of(self.get(NODE, &key));
        }
        Ok(())
    }

    /// Writes a record of the tree; deletes one that holds nothing.
    fn write_node(
        &mut self,
        category: Category,
        key: &str,
        bytes: &[u8],
    ) -> Result<(), StorageError> {
        let value = match bytes {
            [] => None,
            bytes => Some(codec::encode(
                category,
                key,
                Bytes::new(bytes),
                bytes.len() + 4,
            )?),
        };
        self.change(category, key, value.map(Value::new));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(branches: &[usize], groups: u8) -> Root {
        let mut root = Root::default();
        for branch in branches {
            root.branches[*branch] = 1000 + *branch as u64;
        }
        let entry = |number| Entry {
            name: [number; 16],
            tag: u64::from(number) + 1,
        };
        root.recent = (0..groups).map(entry).collect();
        root
    }

    fn assert_same(read: &Root, written: &Root) {
        assert_eq!(read.branches, written.branches);
        let pairs = |root: &Root| {
            let recent = root.recent.iter();
            recent
                .map(|entry| (entry.name, entry.tag))
                .collect::<Vec<_>>()
        };
        assert_eq!(pairs(read), pairs(written));
    }

    #[test]
    fn a_root_is_read_as_it_was_written_and_as_it_was_written_once() {
        for branches in [
            &[][..],
            &[0],
            &[15],
            &[3, 7, 8],
            &(0..16).collect::<Vec<_>>(),
        ] {
            for groups in [0, 1, 16, 17] {
                let root = example(branches, groups);
                assert_same(&read_root(&write_root(&root)), &root);
                let all_tags = root.branches.iter().flat_map(|tag| tag.to_le_bytes());
                let former: Vec<u8> = all_tags.chain(write_entries(&root.recent)).collect();
                assert_same(&read_root(&former), &root);
            }
        }
        assert!(write_root(&Root::default()).is_empty());
        assert_eq!(write_root(&example(&[], 1)).len(), 2 + 24);
    }
}
