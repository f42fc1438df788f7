//! Values in parts: which records a write of one changes, and how they are read.
//!
//! A ratchet tree is encoded as a whole and compared with what is there: any node may have changed,
//! and it is written with commits only. Message secrets are written with every message, so there the
//! shapes of the parts are compared, and what has another is encoded. The shape of a ratchet is its
//! generation, and which keys of earlier generations it still has; that of a node of the secret tree,
//! whether it is there. All of these are derived from the secret of the epoch (RFC 9420 §9), so what
//! has the same shape in the same epoch is the same. So a part of message secrets begins with a hash of
//! its shape and of what tells the epoch from all others.

use zeroize::Zeroizing;

use super::{
    category::Category,
    codec, key,
    msgpack::{Encode, Encoded, Malformed},
    state::{State, Value},
    StorageError,
};

/// The bytes of a shape, before the elements of a part.
const SHAPE: usize = size_of::<u64>();

fn shape_of(value: &Value) -> Option<u64> {
    let shape = codec::content_of(value).first_chunk()?;
    Some(u64::from_le_bytes(*shape))
}

impl State {
    /// Writes a value in parts: those that differ from what is there, and no other (G9).
    pub(super) fn set_parts(
        &mut self,
        category: Category,
        key: &str,
        content: &dyn Encode,
    ) -> Result<(), StorageError> {
        let stored = self.parts(category, key);
        let encoded = codec::encode_changed_parts(category, content, stored)?;
        self.set_content(category, key, Some(&encoded.head))?;
        for (id, content) in encoded.parts() {
            self.set_content(category, &key::part_key(key, id), Some(content))?;
        }
        self.delete_parts(category, key, &encoded.gone)
    }

    /// Writes a value in parts of which the shape says whether they have changed, in the epoch that
    /// `epoch` is a hash of.
    pub(super) fn set_shaped(
        &mut self,
        category: Category,
        key: &str,
        content: &dyn Encode,
        shapes: &Encoded,
        epoch: u64,
    ) -> Result<(), StorageError> {
        let shapes_in_epoch = shapes.shapes().map(|(id, shape)| (id, shape ^ epoch));
        let (changed, gone) = self.compare(category, key, shapes_in_epoch, |value, shape| {
            shape_of(value) == Some(shape)
        });
        self.set_content(category, key, Some(&shapes.head))?;
        let ids: Vec<u64> = changed.iter().map(|(id, _)| *id).collect();
        let encoded = codec::encode_some_parts(category, content, &ids)?;
        let mut encoded = encoded.parts().peekable();
        for (id, shape) in changed {
            let elements = encoded.next_if(|(encoded, _)| *encoded == id);
            let (_, elements) = elements.ok_or(StorageError::Encode(category))?;
            let mut part = Zeroizing::new(Vec::with_capacity(SHAPE + elements.len()));
            part.extend_from_slice(&shape.to_le_bytes());
            part.extend_from_slice(elements);
            self.set_content(category, &key::part_key(key, id), Some(&part))?;
        }
        self.delete_parts(category, key, &gone)?;
        #[cfg(feature = "test-hooks")]
        self.assert_shapes_tell_all(category, key, content)?;
        Ok(())
    }

    /// Which of the new parts are not as stored, and which stored ones there are not any more.
    fn compare<P: Copy>(
        &self,
        category: Category,
        key: &str,
        new: impl Iterator<Item = (u64, P)>,
        is_same: impl Fn(&Value, P) -> bool,
    ) -> (Vec<(u64, P)>, Vec<u64>) {
        let (mut changed, mut gone) = (vec![], vec![]);
        // Both are in the order of their ids.
        let mut stored = self.parts(category, key).peekable();
        for (id, part) in new {
            while let Some((old, _)) = stored.next_if(|(stored, _)| *stored < id) {
                gone.push(old);
            }
            let old = stored.next_if(|(stored, _)| *stored == id);
            if old.is_none_or(|(_, value)| !is_same(value, part)) {
                changed.push((id, part));
            }
        }
        gone.extend(stored.map(|(old, _)| old));
        (changed, gone)
    }

    pub(super) fn delete_parts(
        &mut self,
        category: Category,
        key: &str,
        ids: &[u64],
    ) -> Result<(), StorageError> {
        ids.iter()
            .try_for_each(|id| self.set(category, &key::part_key(key, *id), None))
    }

    /// Hands a value in parts to `read`, if it is there.
    pub(super) fn read_parts(
        &self,
        category: Category,
        key: &str,
        read: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), StorageError> {
        match self.get_whole(category, key)? {
            Some(whole) => codec::decode_with(category, key, &whole, read),
            None => Ok(()),
        }
    }

    /// A value in parts as one piece of MessagePack.
    pub(super) fn get_whole(
        &self,
        category: Category,
        key: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        let Some(head) = self.get(category, key) else {
            return Ok(None);
        };
        let size = self.size_of_parts(category, key);
        let stored: Vec<(u64, &Value)> = self.parts(category, key).collect();
        let part = |id| {
            let at = stored.binary_search_by_key(&id, |(stored, _)| *stored);
            let (_, value) = stored.get(at.ok()?)?;
            let content = codec::content_of(value);
            match category {
                Category::MessageSecrets => content.get(SHAPE..),
                _ => Some(content),
            }
        };
        codec::assemble(category, key, head, size, part).map(Some)
    }

    /// The size of all parts of a value, in bytes.
    pub(super) fn size_of_parts(&self, category: Category, key: &str) -> usize {
        let sizes = self.parts(category, key).map(|(_, value)| value.len());
        sizes.sum()
    }

    /// The parts of the value under `key`, in order.
    pub(super) fn parts(
        &self,
        category: Category,
        key: &str,
    ) -> impl Iterator<Item = (u64, &Value)> {
        self.below(category, key)
            .filter_map(|(key, value)| Some((key::part_id(key)?, value)))
    }

    pub(super) fn set_content(
        &mut self,
        category: Category,
        key: &str,
        content: Option<&[u8]>,
    ) -> Result<(), StorageError> {
        let old = self.get(category, key);
        if content.is_some() && old.map(|old| codec::content_of(old)) == content {
            return Ok(());
        }
        let value = content.map(|content| Value::new(codec::record(category, key, content)));
        self.set(category, key, value)
    }

    /// What is stored is what encoding everything comes to.
    #[cfg(feature = "test-hooks")]
    fn assert_shapes_tell_all(
        &self,
        category: Category,
        key: &str,
        content: &dyn Encode,
    ) -> Result<(), StorageError> {
        let whole = codec::encode_parts(category, content)?;
        let (changed, gone) = self.compare(category, key, whole.parts(), |value, content| {
            codec::content_of(value).get(SHAPE..) == Some(content)
        });
        let ids: Vec<u64> = changed.into_iter().map(|(id, _)| id).chain(gone).collect();
        assert!(ids.is_empty(), "the shapes did not tell of parts {ids:?}");
        Ok(())
    }
}
