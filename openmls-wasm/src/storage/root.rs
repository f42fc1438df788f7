//! The root: the digests of all groups, and one number over them.
//!
//! A digest that were a record of its group would tell that a record does not belong to the others. It
//! would be silent about a group of which all records, the digest among them, are those of an older
//! time, or are gone, or are there again after the group was deleted. So the digests are records of the
//! client, and what they are is itself a tree of hashes:
//!
//! - `digest_root` has the digests of the groups that changed last, and the checksums of 16 branches. It
//!   is written with every batch that changes a group, and is all that most batches write: the groups
//!   that somebody writes in at a time are few.
//! - A branch has the checksums of 16 leaves, a leaf has the digests of the groups whose hash begins with
//!   its number. Of the groups in the root the one that changed longest ago goes into its leaf when there
//!   are too many.
//!
//! So a change writes the root, and at most one branch and one leaf; a group that is loaded needs at most
//! a branch and a leaf, which are loaded when they are asked for: neither opening nor a message grows with
//! the number of groups (G9). What does is a leaf, by 32 bytes for 256 groups; it is written when a group
//! leaves the root.
//!
//! What is compared are the checksums of records, 64 bits of xxHash. That is no protection against
//! somebody who writes records of his own, as the records in the clear are none. Of records that are
//! sealed nobody can make new ones, nor see a checksum, and so cannot look for old ones that come to the
//! same sum: there is nothing left but to put records back, which this is for. An older state of the
//! database as a whole agrees with itself, and no record can tell it.
//!
//! A group that the root does not name does not exist, or has had no change since digests are here: then
//! its digest is a record of its own.

use std::collections::BTreeSet;

use serde_bytes::{ByteBuf, Bytes};
use sha2::{Digest as _, Sha256};

use super::{
    category::Category,
    codec,
    digest::Digest,
    key,
    state::{State, Value},
    StorageError,
};
use crate::sorted::set_of;

const ROOT: Category = Category::DigestRoot;
const NODE: Category = Category::DigestNode;

/// How many groups the root itself has the digests of.
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

/// A group and its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    name: Name,
    digest: Digest,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Root {
    branches: [u64; FAN_OUT],
    /// The one that changed last comes last. One with the digest of nothing was deleted.
    recent: Vec<Entry>,
}

/// Which branches there are, a bit for each; their tags; the groups. Most clients have few groups, and
/// no branches.
fn read_root(bytes: &[u8]) -> Root {
    let mut root = Root::default();
    let Some((bits, mut rest)) = bytes.split_first_chunk() else {
        return root;
    };
    let bits = u16::from_le_bytes(*bits);
    for (branch, tag) in root.branches.iter_mut().enumerate() {
        if bits >> branch & 1 == 1 {
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
    let (entries, _) = bytes.as_chunks::<{ size_of::<Name>() + Digest::SIZE }>();
    let entry = |bytes: &[u8; 32]| {
        let (name, digest) = bytes.split_first_chunk()?;
        let digest = Digest::from_bytes(*digest.first_chunk()?);
        Some(Entry {
            name: *name,
            digest,
        })
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
    let bytes = |entry: &Entry| entry.name.into_iter().chain(entry.digest.to_bytes());
    entries.iter().flat_map(bytes).collect()
}

fn anew_if_damaged<T: Default>(node: Result<T, StorageError>) -> Result<T, StorageError> {
    match node {
        Err(StorageError::DamagedRecord { .. }) => Ok(T::default()),
        other => other,
    }
}

impl State {
    /// Notes the digest of a group in the root.
    pub(super) fn note_in_root(&mut self, group: &str, digest: Digest) -> Result<(), StorageError> {
        let name = name_of(group);
        let mut root = self.root()?;
        let known = self.digest_in(&root, &name);
        if matches!(known, Ok(known) if known.unwrap_or_default() == digest) {
            return Ok(());
        }
        root.recent.retain(|entry| entry.name != name);
        // A group that was deleted is named only as long as a leaf still has it.
        if !digest.is_of_nothing() || self.digest_in(&root, &name) != Ok(None) {
            root.recent.push(Entry { name, digest });
        }
        self.move_to_leaves(&mut root)?;
        self.write_node(ROOT, key::SINGLETON, &write_root(&root))
    }

    /// What the root says of a group; `None`: it does not name it.
    ///
    /// # Errors
    /// [`DamagedRecord`](StorageError::DamagedRecord) if the node that would say so is damaged;
    /// [`NotLoaded`](StorageError::NotLoaded) if it is not in memory.
    pub(super) fn digest_in_root(&self, group: &str) -> Result<Option<Digest>, StorageError> {
        self.digest_in(&self.root()?, &name_of(group))
    }

    /// The keys of the nodes that tell whether a group is as it was left, and of those that take in what
    /// leaves the root when the group changes, as far as they are not in memory and may exist: loaded with
    /// the group, they need not be asked for one after the other.
    pub(super) fn nodes_to_load(&self, group: &str) -> Result<BTreeSet<Box<str>>, StorageError> {
        let root = self.root()?;
        let name = name_of(group);
        let named = root.recent.iter().any(|entry| entry.name == name);
        let oldest = root.recent.first().map(|entry| entry.name);
        let leaving = oldest.filter(|_| root.recent.len() >= RECENT);
        let mut keys = BTreeSet::new();
        for name in leaving.into_iter().chain([name]).filter(|_| !named) {
            let place = place_of(&name);
            if root.branches.get(place.0).is_none_or(|tag| *tag == NONE) {
                continue;
            }
            keys.insert(branch_key(place.0).into_boxed_str());
            keys.insert(leaf_key(place).into_boxed_str());
        }
        keys.retain(|key| self.require(NODE, key).is_err());
        Ok(keys)
    }

    /// Whether every group that the root knows is in memory, with all of the database there.
    ///
    /// # Errors
    /// [`DamagedGroup`](StorageError::DamagedGroup) with what the root calls a group that is not.
    pub(super) fn check_none_is_missing(&self) -> Result<(), StorageError> {
        let root = self.root()?;
        let called = |name: &Name| Box::<str>::from(key::bytes_key(name));
        let present = set_of(self.digests.groups().map(|group| called(&name_of(group))));
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
        let is_missing = |entry: &&Entry| {
            !entry.digest.is_of_nothing() && !present.contains(&called(&entry.name))
        };
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

    /// The digest of a group, if it is named.
    fn digest_in(&self, root: &Root, name: &Name) -> Result<Option<Digest>, StorageError> {
        let is_it = |entry: &&Entry| entry.name == *name;
        if let Some(entry) = root.recent.iter().find(is_it) {
            return Ok(Some(entry.digest));
        }
        let place = place_of(name);
        let leaves = self.branch(root, place.0)?;
        let entries = self.leaf(&leaves, place)?;
        Ok(entries.iter().find(is_it).map(|entry| entry.digest))
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
    fn move_to_leaves(&mut self, root: &mut Root) -> Result<(), StorageError> {
        while root.recent.len() > RECENT {
            let oldest = root.recent.remove(0);
            self.put_in_leaf(root, oldest)?;
        }
        Ok(())
    }

    /// Begins the nodes anew that should tell of a group and are damaged: what they told is lost, and the
    /// groups that they named stay refused; but others that they would have to take in do not.
    pub(super) fn mend_nodes_of(&mut self, group: &str) -> Result<(), StorageError> {
        let mut root = self.root()?;
        let name = name_of(group);
        let place = place_of(&name);
        let leaves = self.branch(&root, place.0);
        match leaves.and_then(|leaves| self.leaf(&leaves, place)) {
            Err(StorageError::DamagedRecord { .. }) => {}
            known => return known.map(drop),
        }
        let at = root.recent.iter().position(|entry| entry.name == name);
        let digest = Digest::default();
        let entry = at.map_or(Entry { name, digest }, |at| root.recent.remove(at));
        self.put_in_leaf(&mut root, entry)?;
        self.write_node(ROOT, key::SINGLETON, &write_root(&root))
    }

    /// Where a node is damaged it begins anew, or the root would have to keep whatever belongs there.
    fn put_in_leaf(&mut self, root: &mut Root, entry: Entry) -> Result<(), StorageError> {
        let place = place_of(&entry.name);
        let (branch, leaf) = place;
        let mut leaves = anew_if_damaged(self.branch(root, branch))?;
        let mut entries = anew_if_damaged(self.leaf(&leaves, place))?;
        entries.retain(|other| other.name != entry.name);
        if !entry.digest.is_of_nothing() {
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
                &Bytes::new(bytes),
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

    #[test]
    fn a_root_is_read_as_it_was_written() {
        for branches in [
            &[][..],
            &[0],
            &[15],
            &[3, 7, 8],
            &(0..16).collect::<Vec<_>>(),
        ] {
            for groups in [0, 1, 16, 17] {
                let mut root = Root::default();
                for branch in branches {
                    root.branches[*branch] = 1000 + *branch as u64;
                }
                let entry = |number: u8| Entry {
                    name: [number; 16],
                    digest: Digest::from_bytes([number + 1; Digest::SIZE]),
                };
                root.recent = (0..groups).map(entry).collect();
                assert_eq!(read_root(&write_root(&root)), root);
            }
        }
        assert!(write_root(&Root::default()).is_empty());
    }
}
