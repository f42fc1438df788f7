//! Records, dirty events, the batch in flight and the savepoint, as one value.
//!
//! One value under one lock, because a record and the event that announces it must change
//! together: no reader may see one without the other.
//!
//! The records are the truth and the queue of dirty events holds only *which* of them changed,
//! each with what the last confirmed batch holds for it (its pre-image). From this follows:
//!
//! - inside a batch the last write per key wins, with no copy of the values before it;
//! - a batch that is put back merges with newer changes: its keys are dirty again, and the next
//!   drain takes their present values;
//! - everything unconfirmed can be undone: the pre-images are put back.
//!
//! A pre-image lives until its batch is confirmed, so a key that OpenMLS deleted leaves memory as
//! soon as its deletion is on disk, and not before (G3 needs it until then, G7 allows it no longer).

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use zeroize::Zeroizing;

use super::{
    category::{Category, Scope},
    codec,
    digest::{self, Digests},
    key, packed,
    pages::Pages,
    StorageError,
};
use crate::sorted::set_of;

/// The bytes of a record. Shared between memory and batches, zeroized when the last one drops it.
pub type Value = Arc<Zeroizing<Vec<u8>>>;

/// A record as it is stored.
#[derive(Clone, Debug)]
pub struct Record {
    /// The object store.
    pub category: Category,
    /// The key in it.
    pub key: String,
    /// Format tag, checksum and content.
    pub value: Value,
}

impl Record {
    /// Whether a record that comes from outside is whole, under a key that its category has.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if !key::is_well_formed(self.category, &self.key) {
            return Err(StorageError::MalformedKey {
                category: self.category,
                key: self.key.clone(),
            });
        }
        codec::check(self.category, &self.key, &self.value)
    }
}

/// One change: a record was written (`Some`) or deleted (`None`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageEvent {
    /// The object store.
    pub category: Category,
    /// The key in it.
    pub key: String,
    /// The new value, or `None` if the record is to be deleted.
    pub value: Option<Value>,
}

/// The changes to be written in one transaction: at most one event per key, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Counts the batches of this store, from 1: what confirms it or puts it back.
    pub sequence: u64,
    /// The changes.
    pub events: Vec<StorageEvent>,
    /// Which of the events, from the first to the last of each range, delete all that there is between the
    /// keys of these two: a database that can delete by range need not look at each. The handshake ratchets
    /// of a thousand members end with their epoch, and are 125 records. A value in parts that is deleted has all
    /// its parts among the events.
    pub deleted_ranges: Vec<(u32, u32)>,
}

pub(super) type RecordId = (Category, Box<str>);
type PreImages = BTreeMap<RecordId, PreImage>;

/// What the last confirmed batch holds for a key that changed since.
#[derive(Clone)]
struct PreImage {
    value: Option<Value>,
    /// The key was in a batch that was put back. Whether that batch was stored may never be known
    /// (a connection that goes away does not say), so the key is written again even if its value
    /// is the confirmed one by now.
    maybe_stored: bool,
}

/// What a key looked like before the operation under way touched it.
pub(super) struct Before {
    value: Option<Value>,
    /// `None`: the key was not dirty.
    dirty: Option<PreImage>,
}

/// One map per category.
struct Tables([BTreeMap<Box<str>, Value>; Category::COUNT]);

impl Default for Tables {
    fn default() -> Self {
        Self(std::array::from_fn(|_| BTreeMap::new()))
    }
}

#[derive(Default)]
pub(super) struct State {
    records: Tables,
    pub(super) digests: Digests,
    dirty_events: PreImages,
    in_flight: Option<(u64, PreImages)>,
    last_sequence: u64,
    pub(super) savepoint: Option<BTreeMap<RecordId, Before>>,
    /// Of each group the records that the database has by themselves, and that are stored together with others
    /// when these are next written.
    pub(super) separate: BTreeMap<Box<str>, Vec<RecordId>>,
    /// What of the database is in memory; `None`: all of it.
    pub(super) pages: Option<Pages>,
    /// Whether an operation that changes something fails.
    pub(super) read_only: bool,
    #[cfg(feature = "test-hooks")]
    pub(super) writes_until_failure: Option<u64>,
}

fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Arc::ptr_eq(left, right) || left == right,
        (left, right) => left.is_none() && right.is_none(),
    }
}

impl State {
    pub(super) fn get(&self, category: Category, key: &str) -> Option<&Value> {
        self.records.0[category.index()].get(key)
    }

    /// The records of `category` whose key is `group` or begins with `group/`, in key order.
    pub(super) fn range<'a>(
        &'a self,
        category: Category,
        group: &str,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Value)> {
        let bounds = Box::from(group)..key::group_range_end(group).into_boxed_str();
        self.records.0[category.index()]
            .range(bounds)
            .map(|(key, value)| (&**key, value))
    }

    /// The records of `category` whose key begins with `key/`, in key order.
    pub(super) fn below<'a>(
        &'a self,
        category: Category,
        key: &str,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a Value)> {
        let first = format!("{key}/").into_boxed_str();
        self.records.0[category.index()]
            .range(first..key::group_range_end(key).into_boxed_str())
            .map(|(key, value)| (&**key, value))
    }

    /// The first key of `category` that is not before `from`.
    pub(super) fn first_from(&self, category: Category, from: &str) -> Option<&str> {
        let records = &self.records.0[category.index()];
        let bounds = (Bound::Included(from), Bound::Unbounded);
        records
            .range::<str, _>(bounds)
            .next()
            .map(|(key, _)| &**key)
    }

    /// Deletes the record under `group` and all whose key begins with `group/`.
    pub(super) fn delete_range(
        &mut self,
        category: Category,
        group: &str,
    ) -> Result<(), StorageError> {
        let keys = self.range(category, group).map(|(key, _)| Box::from(key));
        let keys: Vec<Box<str>> = keys.collect();
        keys.iter()
            .try_for_each(|key| self.set(category, key, None))
    }

    pub(super) fn all(
        &self,
        category: Category,
    ) -> impl DoubleEndedIterator<Item = (&str, &Value)> {
        self.records.0[category.index()]
            .iter()
            .map(|(key, value)| (&**key, value))
    }

    /// Writes (`Some`) or deletes (`None`) a record and notes the change.
    pub(super) fn set(
        &mut self,
        category: Category,
        key: &str,
        value: Option<Value>,
    ) -> Result<(), StorageError> {
        #[cfg(feature = "test-hooks")]
        self.fail_if_asked()?;
        self.change(category, key, value);
        Ok(())
    }

    pub(super) fn change(&mut self, category: Category, key: &str, value: Option<Value>) {
        let old = self.get(category, key);
        if same(old, value.as_ref()) {
            return;
        }
        let old = old.cloned();
        let id: RecordId = (category, key.into());
        if let Some(savepoint) = &mut self.savepoint {
            let dirty_events = &self.dirty_events;
            savepoint.entry(id.clone()).or_insert_with(|| Before {
                value: old.clone(),
                dirty: dirty_events.get(&id).cloned(),
            });
        }
        self.dirty_events.entry(id).or_insert(PreImage {
            value: old,
            maybe_stored: false,
        });
        self.put(category, key, value);
    }

    /// The keys of all changes that no confirmed batch holds.
    pub(super) fn unconfirmed(&self) -> impl Iterator<Item = &RecordId> {
        let in_flight = self.in_flight.iter().flat_map(|(_, keys)| keys.keys());
        self.dirty_events.keys().chain(in_flight)
    }

    /// Every way in which a record changes leads through here.
    pub(super) fn put(&mut self, category: Category, key: &str, value: Option<Value>) {
        let records = &mut self.records.0[category.index()];
        let new = value.clone();
        let old = match value {
            Some(value) => records.insert(key.into(), value),
            None => records.remove(key),
        };
        self.digests.note(category, key, old.as_ref(), new.as_ref());
    }

    pub(super) fn drain(&mut self) -> Result<Option<Batch>, StorageError> {
        self.refuse_inside_savepoint()?;
        if let Some((sequence, _)) = self.in_flight {
            return Err(StorageError::BatchUnconfirmed(sequence));
        }
        // Of what changed outside any operation.
        self.write_digests(digest::groups_of(self.dirty_events.keys()))?;
        let mut pre_images = std::mem::take(&mut self.dirty_events);
        // What was written and deleted again since the last batch is no change.
        pre_images.retain(|(category, key), before| {
            let present = self.records.0[category.index()].get(key);
            before.maybe_stored || !same(before.value.as_ref(), present)
        });
        if pre_images.is_empty() {
            return Ok(None);
        }
        let events = match self.events_of(&pre_images) {
            Ok(events) => events,
            Err(error) => {
                self.dirty_events = pre_images;
                return Err(error);
            }
        };
        let deleted_ranges = self.deleted_ranges(&events);
        self.last_sequence += 1;
        self.in_flight = Some((self.last_sequence, pre_images));
        Ok(Some(Batch {
            sequence: self.last_sequence,
            events,
            deleted_ranges,
        }))
    }

    /// What is to be written where, for these keys to be stored as they are: [`packed`](super::packed).
    fn events_of(&self, changed: &PreImages) -> Result<Vec<StorageEvent>, StorageError> {
        let stored_at = |(category, key): &RecordId| {
            packed::place_of(*category, key).unwrap_or((*category, key.clone()))
        };
        let mut places = set_of(changed.keys().map(stored_at));
        let mut moved: Vec<RecordId> = vec![];
        for place in &places {
            let separate = self.separate.get(key::group_part(&place.1));
            let inside = separate.into_iter().flatten();
            moved.extend(inside.filter(|id| packed::is_in(id, place)).cloned());
        }
        for id in moved {
            places.insert(id);
        }
        let event = |place: RecordId| {
            Ok(StorageEvent {
                value: self.stored_value(&place)?,
                category: place.0,
                key: place.1.into(),
            })
        };
        places.into_iter().map(event).collect()
    }

    /// See [`Batch::deleted_ranges`]. Only in values in parts: there the records that are deleted together are
    /// many, and whatever is between two of a group is in memory as they are.
    fn deleted_ranges(&self, events: &[StorageEvent]) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = vec![];
        for (pair, place) in events.windows(2).zip(0u32..) {
            let [one, next] = pair else { continue };
            let both_deleted = one.value.is_none() && next.value.is_none();
            if !both_deleted || !one.category.has_parts() || one.category != next.category {
                continue;
            }
            // What is stored elsewhere from now on is there, and so may be what belongs to it.
            let is_there = |event: &StorageEvent| self.get(event.category, &event.key).is_some();
            if is_there(one) || is_there(next) {
                continue;
            }
            let between = (
                Bound::Excluded(one.key.as_str()),
                Bound::Excluded(next.key.as_str()),
            );
            let records = &self.records.0[one.category.index()];
            if key::group_part(&one.key) != key::group_part(&next.key)
                || records.range::<str, _>(between).next().is_some()
            {
                continue;
            }
            match ranges.last_mut().filter(|(_, last)| *last == place) {
                Some((_, last)) => *last += 1,
                None => ranges.push((place, place + 1)),
            }
        }
        ranges
    }

    pub(super) fn confirm(&mut self, sequence: u64) -> Result<(), StorageError> {
        for (category, key) in self.take_in_flight(sequence)?.into_keys() {
            let Some(place) = packed::place_of(category, &key) else {
                continue;
            };
            let group = key::group_part(&key);
            if let Some(separate) = self.separate.get_mut(group) {
                separate.retain(|id| !packed::is_in(id, &place));
                if separate.is_empty() {
                    self.separate.remove(group);
                }
            }
        }
        Ok(())
    }

    pub(super) fn put_back(&mut self, sequence: u64) -> Result<(), StorageError> {
        // The older pre-image is the confirmed one: it replaces that of a newer change.
        self.refuse_inside_savepoint()?;
        for (id, mut pre_image) in self.take_in_flight(sequence)? {
            pre_image.maybe_stored = true;
            self.dirty_events.insert(id, pre_image);
        }
        Ok(())
    }

    fn take_in_flight(&mut self, sequence: u64) -> Result<PreImages, StorageError> {
        match self.in_flight.take() {
            Some((waiting, pre_images)) if waiting == sequence => Ok(pre_images),
            other => {
                self.in_flight = other;
                Err(StorageError::UnknownBatch(sequence))
            }
        }
    }

    /// Undoes every change that no confirmed batch holds. Returns whether there was one.
    pub(super) fn roll_back_unconfirmed(&mut self) -> Result<bool, StorageError> {
        self.refuse_inside_savepoint()?;
        let newer = std::mem::take(&mut self.dirty_events);
        let older = self.in_flight.take().map(|(_, pre_images)| pre_images);
        let mut any = false;
        for ((category, key), before) in newer.into_iter().chain(older.into_iter().flatten()) {
            any = true;
            self.put(category, &key, before.value);
        }
        Ok(any)
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty_events.is_empty()
    }

    pub(super) fn has_unconfirmed(&self) -> bool {
        self.is_dirty() || self.in_flight.is_some()
    }

    pub(super) fn begin_savepoint(&mut self) -> Result<(), StorageError> {
        self.refuse_inside_savepoint()?;
        self.savepoint = Some(BTreeMap::new());
        Ok(())
    }

    pub(super) fn release_savepoint(&mut self) -> Result<(), StorageError> {
        if let Some(savepoint) = &self.savepoint {
            if self.read_only && !savepoint.is_empty() {
                return Err(StorageError::ReadOnly);
            }
            self.write_digests(digest::groups_of(savepoint.keys()))?;
        }
        self.savepoint = None;
        Ok(())
    }

    pub(super) fn roll_back_to_savepoint(&mut self) {
        for (id, before) in self.savepoint.take().unwrap_or_default() {
            self.put(id.0, &id.1, before.value);
            match before.dirty {
                Some(pre_image) => self.dirty_events.insert(id, pre_image),
                None => self.dirty_events.remove(&id),
            };
        }
    }

    fn refuse_inside_savepoint(&self) -> Result<(), StorageError> {
        match self.savepoint {
            Some(_) => Err(StorageError::SavepointActive),
            None => Ok(()),
        }
    }

    /// Takes records in as confirmed: those of the whole database, or of some groups. All or nothing;
    /// makes nothing dirty.
    pub(super) fn hydrate(&mut self, records: Vec<Record>) -> Result<(), StorageError> {
        let has_root = |record: &Record| record.category == Category::DigestRoot;
        let is_whole = records.iter().any(has_root);
        self.take_in(records, |state| match is_whole {
            true => state.check_none_is_missing(),
            false => Ok(()),
        })
    }

    /// Takes records in as confirmed, if `check` agrees. All or nothing; makes nothing dirty.
    pub(super) fn take_in(
        &mut self,
        records: Vec<Record>,
        check: impl FnOnce(&Self) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.refuse_inside_savepoint()?;
        let (records, separate) = packed::unpack_stored(records)?;
        for record in &records {
            self.check_hydration(record)?;
        }
        let is_new = |record: &&Record| self.get(record.category, &record.key).is_none();
        let new: Vec<RecordId> = records
            .iter()
            .filter(is_new)
            .map(|record| (record.category, record.key.as_str().into()))
            .collect();
        let of_groups = records
            .iter()
            .filter(|record| record.category.scope() == Scope::Group);
        let groups: BTreeSet<Box<str>> =
            set_of(of_groups.map(|record| key::group_part(&record.key).into()));
        self.adopt(records);
        let checked = groups
            .iter()
            .try_for_each(|group| self.check_digest(group))
            .and_then(|()| check(self));
        match checked {
            Ok(()) => {
                for id in separate {
                    let group = key::group_part(&id.1).into();
                    self.separate.entry(group).or_default().push(id);
                }
            }
            Err(_) => new
                .into_iter()
                .for_each(|(category, key)| self.put(category, &key, None)),
        }
        checked
    }

    /// Takes in records of another store of this process, whatever became of them there.
    pub(super) fn adopt(&mut self, records: Vec<Record>) {
        for Record {
            category,
            key,
            value,
        } in records
        {
            self.put(category, &key, Some(value));
        }
    }

    fn check_hydration(&self, record: &Record) -> Result<(), StorageError> {
        let Record {
            category,
            key,
            value,
        } = record;
        record.check()?;
        // Memory is newer than any stored record (G5): a record that differs from it, or that
        // has changed and is not confirmed yet, is a caller's mistake and not merged.
        let id: RecordId = (*category, key.as_str().into());
        let unconfirmed = self.dirty_events.contains_key(&id)
            || matches!(&self.in_flight, Some((_, pre_images)) if pre_images.contains_key(&id));
        let present = self.get(*category, key);
        if unconfirmed || present.is_some_and(|present| present != value) {
            return Err(StorageError::HydrateConflict {
                category: *category,
                key: key.clone(),
            });
        }
        Ok(())
    }

    #[cfg(feature = "test-hooks")]
    fn fail_if_asked(&mut self) -> Result<(), StorageError> {
        self.writes_until_failure = match self.writes_until_failure {
            Some(0) => {
                self.writes_until_failure = None;
                return Err(StorageError::Injected);
            }
            left => left.map(|left| left - 1),
        };
        Ok(())
    }
}
