//! Values in parts: which records a write of one changes, and how they are read.

use serde::{de::DeserializeOwned, Serialize};

use super::{
    category::Category,
    codec, key,
    msgpack::Encoded,
    state::{State, Value},
    StorageError,
};

impl State {
    /// Writes a value in parts: those that differ from what is there, and no other (G9).
    pub(super) fn set_parts<T: Serialize + ?Sized>(
        &mut self,
        category: Category,
        key: &str,
        content: &T,
    ) -> Result<(), StorageError> {
        let size = self.size_of_parts(category, key);
        let encoded = codec::encode_parts(category, content, size)?;
        self.set_encoded(category, key, &encoded)
    }

    /// Writes what is encoded already.
    pub(super) fn set_encoded(
        &mut self,
        category: Category,
        key: &str,
        encoded: &Encoded,
    ) -> Result<(), StorageError> {
        let mut changes: Vec<(u64, Option<&[u8]>)> = vec![];
        // Both are in the order of their ids.
        let mut stored = self.parts(category, key).peekable();
        for (id, content) in encoded.parts() {
            while let Some((gone, _)) = stored.next_if(|(stored, _)| *stored < id) {
                changes.push((gone, None));
            }
            let old = stored.next_if(|(stored, _)| *stored == id);
            if old.is_none_or(|(_, value)| codec::content_of(value) != content) {
                changes.push((id, Some(content)));
            }
        }
        changes.extend(stored.map(|(gone, _)| (gone, None)));
        self.set_content(category, key, Some(&encoded.head))?;
        for (id, content) in changes {
            self.set_content(category, &key::part_key(key, id), content)?;
        }
        Ok(())
    }

    /// Reads a value that [`set_parts`](Self::set_parts) wrote.
    pub(super) fn get_parts<T: DeserializeOwned>(
        &self,
        category: Category,
        key: &str,
    ) -> Result<Option<T>, StorageError> {
        let Some(head) = self.get(category, key) else {
            return Ok(None);
        };
        let size = self.size_of_parts(category, key);
        let mut stored = self.parts(category, key).peekable();
        // Asked for in the order of the ids, in which they stand.
        let part = |id| {
            while stored.next_if(|(stored, _)| *stored < id).is_some() {}
            let (_, value) = stored.next_if(|(stored, _)| *stored == id)?;
            Some(value.as_slice())
        };
        codec::decode_parts(category, key, head, size, part).map(Some)
    }

    /// The size of all parts of a value, in bytes.
    pub(super) fn size_of_parts(&self, category: Category, key: &str) -> usize {
        let sizes = self.parts(category, key).map(|(_, value)| value.len());
        sizes.sum()
    }

    /// The parts of the value under `key`, in order.
    fn parts(&self, category: Category, key: &str) -> impl Iterator<Item = (u64, &Value)> {
        self.below(category, key)
            .filter_map(|(key, value)| Some((key::part_id(key)?, value)))
    }

    fn set_content(
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
}
