//! Records that are stored together, as one.
//!
//! A commit changes a dozen values of a group that are small whatever the size of the group, and a request
//! to IndexedDB costs more than their bytes: with one for each of them a commit was some twenty requests, and is
//! ten. In memory, for digests and for OpenMLS they stay records of their own. They are put together when
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
//! Up to layout 4 each was stored by itself. One that was hydrated so is *separate*: the next batch that writes
//! the record it belongs into also deletes it where it is.

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
    is_packed(category, key).then(|| (whole, key::first_parts(key, parts).into()))
}

/// Whether a record is stored together with others. Of a value in parts these are its head and the parts at
/// the root of its tree: all commits change them, and they are few in a group of any size.
fn is_packed(category: Category, key: &str) -> bool {
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

/// More than a group of any size has in one record.
const MOST: usize = 2000;

/// The records that are stored in a record: itself, if it is stored by itself.
///
/// # Errors
/// Those of [`Record::check`]; [`DamagedRecord`](StorageError::DamagedRecord) if something else is in it than
/// what belongs there, each whole and once.
pub(crate) fn unpack(record: Record) -> Result<Vec<Record>, StorageError> {
    let whole: RecordId = (record.category, record.key.as_str().into());
    let damaged = || StorageError::DamagedRecord {
        category: record.category,
        key: record.key.clone(),
    };
    if !codec::is_packed(&record.value) {
        return match record.category {
            Category::EpochRecords => Err(damaged()),
            _ => Ok(vec![record]),
        };
    }
    record.check()?;
    let mut records: Vec<Record> = vec![];
    let read = msgpack::read_named(codec::content_of(&record.value), |name, rest, value| {
        let inner = Record {
            category: Category::from_name(name).ok_or(Malformed)?,
            key: format!("{}{rest}", record.key),
            value: Value::new(value.to_vec().into()),
        };
        let place = place_of(inner.category, &inner.key);
        let is_whole = !codec::is_packed(value) && inner.check().is_ok();
        // Those of a category are side by side, in the order of their keys.
        let comes_next = match records.last() {
            Some(last) if last.category == inner.category => last.key < inner.key,
            _ => records.iter().all(|other| other.category != inner.category),
        };
        if place.as_ref() != Some(&whole) || !is_whole || !comes_next || records.len() == MOST {
            return Err(Malformed);
        }
        records.push(inner);
        Ok(())
    });
    match read {
        Ok(()) if !records.is_empty() => Ok(records),
        _ => Err(damaged()),
    }
}

/// Stored records, each by itself as it is in memory.
///
/// # Errors
/// [`DamagedRecord`](StorageError::DamagedRecord), [`MalformedKey`](StorageError::MalformedKey) for one in which
/// something else is stored than what belongs there.
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

/// Whether a record is stored in that one.
pub(super) fn is_in((category, key): &RecordId, place: &RecordId) -> bool {
    place_of(*category, key).as_ref() == Some(place)
}

impl State {
    /// What is stored under an id at this moment.
    pub(super) fn stored_value(&self, id: &RecordId) -> Result<Option<Value>, StorageError> {
        match place_of(id.0, &id.1) {
            None => Ok(self.get(id.0, &id.1).cloned()),
            Some(place) if place == *id => self.pack(id),
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
                .filter(|(key, _)| is_packed(*category, key));
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

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "abcd";

    fn single(category: Category, key: &str) -> Vec<u8> {
        codec::encode(category, key, &"content", 0)
            .unwrap()
            .to_vec()
    }

    /// A record of a group that holds these: name of the category, rest of the key, value.
    fn holding(category: Category, inner: &[(&str, &str, Vec<u8>)]) -> Record {
        let inner = inner
            .iter()
            .map(|(name, rest, value)| (*name, *rest, &**value));
        Record {
            category,
            key: GROUP.into(),
            value: Value::new(codec::packed(category, GROUP, inner).unwrap()),
        }
    }

    fn context() -> (&'static str, &'static str, Vec<u8>) {
        ("group_context", "", single(Category::GroupContext, GROUP))
    }

    fn key_pairs(epoch: &'static str) -> (&'static str, &'static str, Vec<u8>) {
        let key = format!("{GROUP}{epoch}");
        (
            "epoch_key_pairs",
            epoch,
            single(Category::EpochKeyPairs, &key),
        )
    }

    const FIRST: &str = "/0000000000000001/0000000000000000";
    const SECOND: &str = "/0000000000000002/0000000000000000";

    #[test]
    fn what_belongs_together_is_taken_apart() {
        let whole = holding(
            Category::EpochRecords,
            &[context(), key_pairs(FIRST), key_pairs(SECOND)],
        );
        let records = unpack(whole).unwrap();
        let keys: Vec<_> = records.iter().map(|it| (it.category, &*it.key)).collect();
        assert_eq!(
            keys,
            [
                (Category::GroupContext, GROUP),
                (Category::EpochKeyPairs, &*format!("{GROUP}{FIRST}")),
                (Category::EpochKeyPairs, &*format!("{GROUP}{SECOND}")),
            ]
        );
        for record in records {
            record.check().unwrap();
            assert_eq!(unpack(record).unwrap().len(), 1);
        }
    }

    #[test]
    fn a_record_that_lies_about_what_it_holds_is_refused() {
        let whole = Category::EpochRecords;
        let damaged = single(Category::GroupContext, "ffff");
        let inside = holding(whole, &[context()]).value.to_vec();
        for (what, record) in [
            ("nothing", holding(whole, &[])),
            ("one twice", holding(whole, &[context(), context()])),
            (
                "not in order",
                holding(whole, &[key_pairs(SECOND), key_pairs(FIRST)]),
            ),
            (
                "not side by side",
                holding(whole, &[key_pairs(FIRST), context(), key_pairs(SECOND)]),
            ),
            (
                "no category",
                holding(whole, &[("none", "", damaged.clone())]),
            ),
            (
                "what belongs elsewhere",
                holding(
                    whole,
                    &[(
                        "delivery_cursor",
                        "",
                        single(Category::DeliveryCursor, GROUP),
                    )],
                ),
            ),
            (
                "a key that is none",
                holding(
                    whole,
                    &[(
                        "group_context",
                        "0",
                        single(Category::GroupContext, "abcd0"),
                    )],
                ),
            ),
            (
                "a damaged one",
                holding(whole, &[("group_context", "", damaged)]),
            ),
            (
                "another of its kind",
                holding(whole, &[("epoch_records", "", inside)]),
            ),
            (
                "in another store",
                holding(Category::GroupSummary, &[context()]),
            ),
            (
                "by itself",
                Record {
                    value: Value::new(single(whole, GROUP).into()),
                    ..holding(whole, &[])
                },
            ),
        ] {
            let (category, key) = (record.category, record.key.clone());
            assert_eq!(
                unpack(record).unwrap_err(),
                StorageError::DamagedRecord { category, key },
                "{what}"
            );
        }
    }

    #[test]
    fn every_altered_or_missing_byte_is_found() {
        let whole = holding(Category::EpochRecords, &[context(), key_pairs(FIRST)]);
        let length = whole.value.len();
        for position in 0..length {
            let mut altered = whole.value.to_vec();
            altered[position] ^= 1;
            for value in [altered, whole.value[..position].to_vec()] {
                let value = Value::new(value.into());
                let record = Record {
                    value,
                    ..whole.clone()
                };
                assert!(unpack(record).is_err(), "byte {position}");
            }
        }
    }
}
