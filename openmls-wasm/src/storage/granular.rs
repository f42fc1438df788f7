//! [`GranularStorage`]: the store behind one lock, with its batches and savepoints.

use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::de::DeserializeOwned;

use super::{
    codec,
    key::{self, KeyPart},
    msgpack::{self, Encode, Malformed},
    pages::Page,
    state::{Batch, Record, State, Value},
    Category, StorageError,
};

/// Records in memory and the queue of what changed.
///
/// Implements OpenMLS's `StorageProvider<1>`. One store per client: everything OpenMLS does for
/// that client goes through the same value.
///
/// It is one `RwLock` over ordered maps, one map per [`Category`], rather than a lock per map:
/// a record, its dirty event and the savepoint change together or not at all, for every thread.
/// The maps are ordered as IndexedDB orders its keys, so that a group, its proposals and its leaf
/// nodes are ranges here as they are there.
#[derive(Default)]
pub struct GranularStorage {
    state: RwLock<State>,
    /// The first failure inside the operation under way. OpenMLS turns some errors of the store
    /// into its own, and an app must not take a full disk for a forged message.
    failure: Mutex<Option<StorageError>>,
}

impl std::fmt::Debug for GranularStorage {
    /// Says nothing about the records: they are secret.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GranularStorage")
            .finish_non_exhaustive()
    }
}

/// Batches: how changes leave the store.
impl GranularStorage {
    /// Takes everything that changed since the last batch, or `None` if nothing did.
    ///
    /// The batch stays in the store until it is answered by [`confirm`](Self::confirm) or
    /// [`put_back`](Self::put_back) (G3).
    ///
    /// # Errors
    /// [`BatchUnconfirmed`](StorageError::BatchUnconfirmed) while the last batch has no answer:
    /// two batches on their way at once could overtake each other.
    /// [`SavepointActive`](StorageError::SavepointActive) inside an operation: half of it must
    /// not be written (G2).
    pub fn drain(&self) -> Result<Option<Batch>, StorageError> {
        self.write_state()?.drain()
    }

    /// The batch is stored for good.
    ///
    /// # Errors
    /// [`UnknownBatch`](StorageError::UnknownBatch) if that batch is not waiting for an answer.
    pub fn confirm(&self, sequence: u64) -> Result<(), StorageError> {
        self.write_state()?.confirm(sequence)
    }

    /// The batch was not stored: its changes are dirty again, together with newer ones (G3).
    ///
    /// # Errors
    /// [`UnknownBatch`](StorageError::UnknownBatch) if that batch is not waiting for an answer.
    pub fn put_back(&self, sequence: u64) -> Result<(), StorageError> {
        self.write_state()?.put_back(sequence)
    }

    /// Undoes every change that no confirmed batch holds, of a batch on its way too (G3).
    ///
    /// Live `MlsGroup`s must be dropped and loaded anew afterwards. Returns whether anything was
    /// undone. To be called only when it is certain that the batch on its way was not stored.
    ///
    /// # Errors
    /// [`SavepointActive`](StorageError::SavepointActive) inside an operation.
    pub fn roll_back_unconfirmed(&self) -> Result<bool, StorageError> {
        self.write_state()?.roll_back_unconfirmed()
    }

    /// Whether there is something to drain.
    pub fn is_dirty(&self) -> Result<bool, StorageError> {
        Ok(self.read_state()?.is_dirty())
    }

    /// Whether there are changes that no confirmed batch holds.
    pub fn has_unconfirmed(&self) -> Result<bool, StorageError> {
        Ok(self.read_state()?.has_unconfirmed())
    }

    /// Begins an operation: until the savepoint is released, everything can be undone.
    ///
    /// # Errors
    /// [`SavepointActive`](StorageError::SavepointActive) if an operation is under way already.
    pub fn savepoint(&self) -> Result<Savepoint<'_>, StorageError> {
        self.write_state()?.begin_savepoint()?;
        *self.failure.lock().map_err(|_| StorageError::Poisoned)? = None;
        Ok(Savepoint { storage: self })
    }

    /// Takes in records that are stored already: the whole database or the range of a group.
    /// All or nothing; nothing becomes dirty.
    ///
    /// # Errors
    /// [`MalformedKey`](StorageError::MalformedKey),
    /// [`UnsupportedFormat`](StorageError::UnsupportedFormat) and
    /// [`DamagedRecord`](StorageError::DamagedRecord) for a record that cannot be read,
    /// [`DamagedGroup`](StorageError::DamagedGroup) for one that is missing or out of date, or for a
    /// group that is as a whole (G6);
    /// [`HydrateConflict`](StorageError::HydrateConflict) if memory holds something newer (G5).
    pub fn hydrate(&self, records: Vec<Record>) -> Result<(), StorageError> {
        self.write_state()?.hydrate(records)
    }

    /// Takes in the records of the client scope. Everything else is then loaded when it is asked for:
    /// an operation fails with [`NotLoaded`](StorageError::NotLoaded) until
    /// [`hydrate_page`](Self::hydrate_page) has brought what it needs.
    ///
    /// # Errors
    /// Those of [`hydrate`](Self::hydrate).
    pub fn hydrate_client(&self, records: Vec<Record>) -> Result<(), StorageError> {
        self.write_state()?.hydrate_client(records)
    }

    /// Takes in all records that the database has of a page; none if it has none.
    ///
    /// # Errors
    /// Those of [`hydrate`](Self::hydrate).
    pub fn hydrate_page(&self, page: Page, records: Vec<Record>) -> Result<(), StorageError> {
        self.write_state()?.hydrate_page(page, records)
    }

    /// The keys of [`DigestNode`](Category::DigestNode) that are worth loading together with a group that
    /// is not in memory: [`hydrate_page`](Self::hydrate_page), or the next operation, would ask for them one
    /// by one. A record of that key may not exist.
    pub fn nodes_to_load(&self, group: &str) -> Result<Vec<String>, StorageError> {
        let nodes = self.read_state()?.nodes_to_load(group)?;
        Ok(nodes.into_iter().map(String::from).collect())
    }

    /// Notes in the root that there is nothing of a group, which was damaged and has been put aside. If it
    /// was a node of the root that was damaged, that begins anew.
    pub fn note_absent(&self, group: &str) -> Result<(), StorageError> {
        let mut state = self.write_state()?;
        state.add_group(group);
        state.mend_nodes_of(group)?;
        state.write_digests(std::iter::once(group.into()).collect())
    }

    /// Whether a page is in memory: then what it does not hold does not exist.
    pub fn is_in_memory(&self, page: &Page) -> Result<bool, StorageError> {
        let state = self.read_state()?;
        Ok(match page {
            // Any category of groups: they are loaded together.
            Page::Group(group) => state.require(Category::GroupState, group).is_ok(),
            Page::Category(category) => state.require_all(*category).is_ok(),
            Page::Record(category, key) => state.require(*category, key).is_ok(),
        })
    }

    /// Lets go of the groups that were not used for longest, until the others take no more than
    /// `limit` bytes (of records; a group in use takes about as much again). A group with changes that
    /// are not confirmed stays, and so does the one that was used last. Returns the ids of those that
    /// went.
    pub fn release_groups(&self, limit: usize) -> Result<Vec<Vec<u8>>, StorageError> {
        let released = self.write_state()?.release_groups(limit);
        Ok(released
            .iter()
            .filter_map(|group| key::parse_bytes_key(group))
            .collect())
    }

    /// Notes that a group is used, if it is in memory.
    pub(crate) fn note_use(&self, group_id: &[u8]) -> Result<(), StorageError> {
        self.write_state()?.note_use(&key::bytes_key(group_id));
        Ok(())
    }

    /// Notes that nothing is stored of a group: its id was made up at this moment.
    pub(crate) fn note_new(&self, group_id: &[u8]) -> Result<(), StorageError> {
        self.write_state()?.add_group(&key::bytes_key(group_id));
        Ok(())
    }

    /// Takes in records of another store of this process, for a scratch copy of it.
    pub(crate) fn adopt(&self, records: Vec<Record>) -> Result<(), StorageError> {
        self.write_state()?.adopt(records);
        Ok(())
    }

    /// For a scratch copy of `live`: what is not in memory there is not known here either.
    pub(crate) fn page_like(&self, live: &GranularStorage) -> Result<(), StorageError> {
        self.write_state()?.page_like(&*live.read_state()?);
        Ok(())
    }

    /// From now on (or, with `false`, not any more) operations that change something fail with
    /// [`ReadOnly`](StorageError::ReadOnly).
    pub(crate) fn set_read_only(&self, read_only: bool) -> Result<(), StorageError> {
        self.write_state()?.read_only = read_only;
        Ok(())
    }

    pub(crate) fn is_read_only(&self) -> Result<bool, StorageError> {
        Ok(self.read_state()?.read_only)
    }

    /// Every record in memory, by category and key.
    pub fn records(&self) -> Result<Vec<Record>, StorageError> {
        let of_category = |category: &Category| self.loaded(*category);
        let records: Vec<_> = Category::ALL
            .iter()
            .map(of_category)
            .collect::<Result<_, _>>()?;
        Ok(records.into_iter().flatten().collect())
    }
}

/// An operation under way. Dropping it without [`release`](Savepoint::release) puts records and
/// dirty events back to what they were when it began (G2).
#[must_use = "a savepoint that is dropped at once rolls back at once"]
pub struct Savepoint<'a> {
    storage: &'a GranularStorage,
}

impl Savepoint<'_> {
    /// The first error the store returned since the operation began, whatever became of it.
    pub fn failure(&self) -> Option<StorageError> {
        match self.storage.failure.lock() {
            Ok(failure) => failure.clone(),
            Err(_) => Some(StorageError::Poisoned),
        }
    }

    /// The operation succeeded: its changes stay.
    ///
    /// # Errors
    /// The [`failure`](Self::failure) of the operation, if there was one: its changes do not stay.
    pub fn release(self) -> Result<(), StorageError> {
        if let Some(failure) = self.failure() {
            return Err(failure);
        }
        self.storage.write_state()?.release_savepoint()?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.storage.write_state() {
            state.roll_back_to_savepoint();
        }
    }
}

/// Records by category and key: what the provider and the client layer are made of.
impl GranularStorage {
    pub(crate) fn put(
        &self,
        category: Category,
        key: &str,
        content: &dyn Encode,
    ) -> Result<(), StorageError> {
        let mut state = self.writing(category, key)?;
        if category.has_parts() {
            return self.noted(state.set_parts(category, key, content));
        }
        // A record is mostly rewritten with about the same size.
        let expected = state.get(category, key).map_or(256, |old| old.len() + 64);
        let written = codec::encode(category, key, content, expected)
            .and_then(|value| state.set(category, key, Some(Arc::new(value))));
        self.noted(written)
    }

    /// Puts a record that is encoded already, for the same category and key.
    pub(crate) fn put_encoded(
        &self,
        category: Category,
        key: &str,
        value: Value,
    ) -> Result<(), StorageError> {
        let written = codec::check(category, key, &value)
            .and_then(|()| self.writing(category, key)?.set(category, key, Some(value)));
        self.noted(written)
    }

    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        category: Category,
        key: &str,
    ) -> Result<Option<T>, StorageError> {
        let mut found = None;
        self.get_with(category, key, &mut |content| {
            found = Some(msgpack::from_slice(content)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Hands what a record holds to `read`, if there is one.
    fn get_with(
        &self,
        category: Category,
        key: &str,
        read: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), StorageError> {
        let state = self.reading(category, key)?;
        let done = match state.get(category, key) {
            None => Ok(()),
            Some(_) if category.has_parts() => state.read_parts(category, key, read),
            Some(value) => codec::decode_with(category, key, codec::content_of(value), read),
        };
        self.noted(done)
    }

    pub(crate) fn contains(&self, category: Category, key: &str) -> Result<bool, StorageError> {
        Ok(self.reading(category, key)?.get(category, key).is_some())
    }

    pub(crate) fn delete(&self, category: Category, key: &str) -> Result<(), StorageError> {
        let mut state = self.writing(category, key)?;
        let deleted = match category.has_parts() {
            true => state.delete_range(category, key),
            false => state.set(category, key, None),
        };
        self.noted(deleted)
    }

    /// The records under `group`, decoded, in key order.
    pub(crate) fn get_range<T: DeserializeOwned>(
        &self,
        category: Category,
        group: &str,
    ) -> Result<Vec<T>, StorageError> {
        let read = self
            .reading(category, group)?
            .range(category, group)
            .map(|(key, value)| codec::decode(category, key, value))
            .collect();
        self.noted(read)
    }

    /// Every record of a category, decoded, in key order.
    pub(crate) fn get_all<T: DeserializeOwned>(
        &self,
        category: Category,
    ) -> Result<Vec<T>, StorageError> {
        self.reading_all(category)?
            .all(category)
            .map(|(key, value)| codec::decode(category, key, value))
            .collect()
    }

    /// The records of a category that are in memory, whatever else there is in the database.
    pub(crate) fn loaded(&self, category: Category) -> Result<Vec<Record>, StorageError> {
        let state = self.read_state()?;
        let records = state.all(category);
        Ok(records
            .map(|(key, value)| Record {
                category,
                key: key.into(),
                value: value.clone(),
            })
            .collect())
    }

    /// Whether memory knows of the record of that key, or that there is none.
    pub(crate) fn is_loaded(&self, category: Category, key: &str) -> Result<bool, StorageError> {
        Ok(self.read_state()?.require(category, key).is_ok())
    }

    /// Reads a record that comes from outside, beside the store.
    pub(crate) fn read<T: DeserializeOwned>(
        category: Category,
        record: &Record,
    ) -> Result<T, StorageError> {
        codec::check(category, &record.key, &record.value)?;
        codec::decode(category, &record.key, &record.value)
    }

    /// The records of a category as they are: all of them, or those under `group`.
    pub(crate) fn records_of(
        &self,
        category: Category,
        group: Option<&str>,
    ) -> Result<Vec<Record>, StorageError> {
        let state = match group {
            Some(group) => self.reading(category, group)?,
            None => self.reading_all(category)?,
        };
        let record = |(key, value): (&str, &Value)| Record {
            category,
            key: key.into(),
            value: value.clone(),
        };
        Ok(match group {
            Some(group) => state.range(category, group).map(record).collect(),
            None => state.all(category).map(record).collect(),
        })
    }

    pub(crate) fn keys(&self, category: Category) -> Result<Vec<String>, StorageError> {
        let state = self.reading_all(category)?;
        Ok(state.all(category).map(|(key, _)| key.into()).collect())
    }

    pub(crate) fn keys_in_range(
        &self,
        category: Category,
        group: &str,
    ) -> Result<Vec<String>, StorageError> {
        let state = self.reading(category, group)?;
        Ok(state
            .range(category, group)
            .map(|(key, _)| key.into())
            .collect())
    }

    /// The keys under `group` in their order, with the bytes that their records take.
    pub(crate) fn sizes_in_range(
        &self,
        category: Category,
        group: &str,
    ) -> Result<Vec<(String, usize)>, StorageError> {
        let state = self.reading(category, group)?;
        Ok(state
            .range(category, group)
            .map(|(key, value)| (key.into(), value.len()))
            .collect())
    }

    pub(crate) fn delete_range(&self, category: Category, group: &str) -> Result<(), StorageError> {
        let deleted = self.writing(category, group)?.delete_range(category, group);
        self.noted(deleted)
    }

    /// The next free position of a list under `group`: positions only grow while the list lives.
    pub(crate) fn next_position(
        &self,
        category: Category,
        group: &str,
    ) -> Result<u64, StorageError> {
        let state = self.reading(category, group)?;
        let last = state.range(category, group).next_back();
        Ok(last
            .and_then(|(key, _)| key::parse_integer_key(key.split('/').nth(1)?))
            .map_or(0, |position| position.saturating_add(1)))
    }

    pub(crate) fn key(category: Category, parts: &[&dyn KeyPart]) -> Result<String, StorageError> {
        key::key_of(category, parts)
    }

    pub(super) fn noted<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        if let (Err(error), Ok(mut failure)) = (&result, self.failure.lock()) {
            failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    /// The state, if the record of that key is in memory or does not exist.
    pub(super) fn reading(
        &self,
        category: Category,
        key: &str,
    ) -> Result<RwLockReadGuard<'_, State>, StorageError> {
        let state = self.read_state()?;
        self.noted(state.require(category, key))?;
        Ok(state)
    }

    fn reading_all(&self, category: Category) -> Result<RwLockReadGuard<'_, State>, StorageError> {
        let state = self.read_state()?;
        self.noted(state.require_all(category))?;
        Ok(state)
    }

    /// Like [`reading`](Self::reading), to write.
    pub(super) fn writing(
        &self,
        category: Category,
        key: &str,
    ) -> Result<RwLockWriteGuard<'_, State>, StorageError> {
        let state = self.write_state()?;
        self.noted(state.require(category, key))?;
        Ok(state)
    }

    pub(super) fn read_state(&self) -> Result<RwLockReadGuard<'_, State>, StorageError> {
        self.state.read().map_err(|_| StorageError::Poisoned)
    }

    pub(super) fn write_state(&self) -> Result<RwLockWriteGuard<'_, State>, StorageError> {
        self.state.write().map_err(|_| StorageError::Poisoned)
    }
}

/// Fault injection for tests.
#[cfg(feature = "test-hooks")]
impl GranularStorage {
    /// The write after the next `writes` fails, once; `None` calls that off.
    pub fn fail_after(&self, writes: Option<u64>) -> Result<(), StorageError> {
        self.write_state()?.writes_until_failure = writes;
        Ok(())
    }
}
