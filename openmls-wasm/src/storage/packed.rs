//! Records that are stored together, as one.
//!
//! A commit changes a dozen values of a group that are small whatever the size of the group, and a request
//! to IndexedDB costs more than their bytes: with one for each of them, writing a commit took twice the
//! time. In memory, for digests and for OpenMLS they stay records of their own. They are put together when
//! a batch is drained, and taken apart when records are hydrated.
//!
//! | stored in | what |
//! |---|---|
//! | `epoch_records`, group | what is there once and changes with the epoch; of the tree its head and the parts at the root |
//! | `message_secrets`, group / epoch | with the head of the secrets the parts at the root of their tree, and the `retained_epoch` |
//!
//! A record that holds others has a format of its own ([`codec::FORMAT`]). In it each stands as MessagePack,
//! one behind the other: the name of the category, what its key has behind the key of the whole, the value.
//!
//! Up to layout 4 each was stored by itself, and still is in groups that have not changed since. Those that
//! were hydrated so are known as *separate*: the batch that first stores their like as one deletes them.

use std::collections::BTreeSet;

use super::{
    category::Category,
    codec, key,
    msgpack::{self, Malformed},
    state::{Record, RecordId, State, Value},
    StorageError,
};

/// What is stored in `epoch_records`.
const OF_EPOCH: [Category; 9] = [
    Category::Tree,
    Category::InterimTranscriptHash,
    Category::GroupContext,
    Category::ConfirmationTag,
    Category::GroupState,
    Category::ResumptionPskStore,
    Category::GroupEpochSecrets,
    Category::ApplicationExportTree,
    Category::EpochKeyPairs,
];

/// Under which id a record is stored together with others; `None`: it is stored by itself.
pub(super) fn place_of(category: Category, key: &str) -> Option<RecordId> {
    let (whole, parts) = match category {
        Category::MessageSecrets | Category::RetainedEpoch => (Category::MessageSecrets, 2),
        _ => (Category::EpochRecords, 1),
    };
    is_inside(category, key).then(|| (whole, key::first_parts(key, parts).into()))
}

/// Whether a record is stored together with others. Of a value in parts these are its head and the parts at
/// the root of its tree: all commits change them, and they are few in a group of any size.
fn is_inside(category: Category, key: &str) -> bool {
    let is_part = category.key_parts() != Some(key.split('/').count());
    match category {
        Category::EpochRecords | Category::RetainedEpoch => true,
        Category::MessageSecrets | Category::Tree if is_part => {
            key::part_id(key).is_some_and(msgpack::is_near_root)
        }
        Category::MessageSecrets => true,
        _ => OF_EPOCH.contains(&category),
    }
}

/// The records that are stored in a record: itself, if it is stored by itself.
///
/// # Errors
/// [`DamagedRecord`](StorageError::DamagedRecord) if there is something else in it.
pub(crate) fn unpack(record: Record) -> Result<Vec<Record>, StorageError> {
    if !codec::is_packed(&record.value) {
        return Ok(vec![record]);
    }
    record.check()?;
    let mut records = vec![];
    let whole: RecordId = (record.category, record.key.as_str().into());
    let read = msgpack::read_named(codec::content_of(&record.value), |name, rest, value| {
        let category = Category::from_name(name).ok_or(Malformed)?;
        let key = format!("{}{rest}", record.key);
        if category == Category::EpochRecords || place_of(category, &key).as_ref() != Some(&whole) {
            return Err(Malformed);
        }
        let value = Value::new(value.to_vec().into());
        records.push(Record {
            category,
            key,
            value,
        });
        Ok(())
    });
    match read {
        Ok(()) => Ok(records),
        Err(_) => Err(StorageError::DamagedRecord {
            category: record.category,
            key: record.key,
        }),
    }
}

/// All records that are stored in these.
///
/// # Errors
/// Those of [`unpack`].
pub fn unpack_all(records: Vec<Record>) -> Result<Vec<Record>, StorageError> {
    let mut all = Vec::with_capacity(records.len());
    for record in records {
        all.extend(unpack(record)?);
    }
    Ok(all)
}

/// Records as they come from the database, each by itself, and the ids of those that are stored by
/// themselves although they are stored together with others now.
///
/// # Errors
/// Those of [`unpack`]; [`DamagedGroup`](StorageError::DamagedGroup) if a record is there twice, by itself
/// and in another: one of the two is not the last one.
pub(super) fn unpack_stored(
    stored: Vec<Record>,
) -> Result<(Vec<Record>, BTreeSet<RecordId>), StorageError> {
    let mut separate = BTreeSet::new();
    for Record {
        category,
        key,
        value,
    } in &stored
    {
        let id: RecordId = (*category, key.as_str().into());
        if !codec::is_packed(value) && place_of(*category, key).is_some_and(|place| place != id) {
            separate.insert(id);
        }
    }
    let mut records = Vec::with_capacity(stored.len());
    for record in stored {
        let is_packed = codec::is_packed(&record.value);
        for record in unpack(record)? {
            let id: RecordId = (record.category, record.key.as_str().into());
            if is_packed && separate.contains(&id) {
                return Err(StorageError::DamagedGroup(
                    key::group_part(&record.key).into(),
                ));
            }
            records.push(record);
        }
    }
    Ok((records, separate))
}

/// Whether a record is stored in one of these.
pub(super) fn is_in_one_of(places: &BTreeSet<RecordId>, (category, key): &RecordId) -> bool {
    place_of(*category, key).is_some_and(|place| places.contains(&place))
}

impl State {
    /// What is stored under an id at this moment.
    pub(super) fn stored_value(
        &self,
        (category, key): &RecordId,
    ) -> Result<Option<Value>, StorageError> {
        match place_of(*category, key) {
            None => Ok(self.get(*category, key).cloned()),
            Some(place) if place == (*category, key.clone()) => self.pack(&place),
            // It is stored in another.
            Some(_) => Ok(None),
        }
    }

    fn pack(&self, place: &RecordId) -> Result<Option<Value>, StorageError> {
        let (whole, under) = place;
        let categories = match whole {
            Category::EpochRecords => &OF_EPOCH[..],
            _ => &[Category::MessageSecrets, Category::RetainedEpoch],
        };
        let mut found: Vec<(Category, &str, &Value)> = vec![];
        for category in categories {
            let inside = self
                .range(*category, under)
                .filter(|(key, _)| is_inside(*category, key));
            found.extend(inside.map(|(key, value)| (*category, key, value)));
        }
        Ok(match &found[..] {
            [] => None,
            [(category, key, value)] if category == whole && **key == **under => {
                Some((*value).clone())
            }
            found => {
                let records = found.iter().map(|(category, key, value)| {
                    let rest = key.get(under.len()..).unwrap_or_default();
                    (category.name(), rest, value.as_slice())
                });
                Some(Value::new(codec::packed(*whole, under, records)?))
            }
        })
    }
}
