//! What a caller may rely on when it writes batches: nothing lost, nothing split, nothing twice.

use openmls_traits::storage::{traits, Entity, Key, StorageProvider, CURRENT_VERSION};
use openmls_wasm::{
    storage::{key::SINGLETON, unpack_all, Batch, Category, Record, StorageEvent},
    GranularStorage, StorageError,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Id(Vec<u8>);
impl Key<CURRENT_VERSION> for Id {}
impl traits::GroupId<CURRENT_VERSION> for Id {}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Text(String);
impl Entity<CURRENT_VERSION> for Text {}
impl traits::TreeSync<CURRENT_VERSION> for Text {}
impl traits::GroupContext<CURRENT_VERSION> for Text {}
impl traits::LeafNode<CURRENT_VERSION> for Text {}
impl traits::InterimTranscriptHash<CURRENT_VERSION> for Text {}

fn group() -> Id {
    Id(vec![0xab])
}

fn write(storage: &GranularStorage, text: &str) {
    storage.write_tree(&group(), &Text(text.into())).unwrap();
}

fn read(storage: &GranularStorage) -> Option<String> {
    let tree: Option<Text> = storage.tree(&group()).unwrap();
    tree.map(|text| text.0)
}

/// What a database holds after the batches it was given.
#[derive(Default)]
struct Database(std::collections::BTreeMap<(Category, String), Vec<u8>>);

impl Database {
    fn apply(&mut self, events: &[StorageEvent]) {
        for event in events {
            let id = (event.category, event.key.clone());
            match &event.value {
                Some(value) => self.0.insert(id, value.to_vec()),
                None => self.0.remove(&id),
            };
        }
    }

    fn records(&self) -> Vec<Record> {
        self.0
            .iter()
            .map(|((category, key), value)| Record {
                category: *category,
                key: key.clone(),
                value: std::sync::Arc::new(zeroize::Zeroizing::new(value.clone())),
            })
            .collect()
    }

    fn rehydrated(&self) -> GranularStorage {
        let storage = GranularStorage::default();
        storage.hydrate(self.records()).unwrap();
        storage
    }
}

fn categories(batch: &Batch) -> Vec<&'static str> {
    let events = batch.events.iter();
    events.map(|event| event.category.name()).collect()
}

#[test]
fn a_batch_holds_the_last_write_per_key() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    write(&storage, "two");
    storage
        .append_own_leaf_node(&group(), &Text("leaf".into()))
        .unwrap();
    let batch = storage.drain().unwrap().unwrap();
    let ids: Vec<_> = batch
        .events
        .iter()
        .map(|e| (e.category.name(), e.key.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("digest_root", SINGLETON),
            ("own_leaf_node", "ab/0000000000000000"),
            ("epoch_records", "ab")
        ]
    );
    let mut database = Database::default();
    database.apply(&batch.events);
    assert_eq!(read(&database.rehydrated()).as_deref(), Some("two"));
}

#[test]
fn nothing_changed_gives_no_batch() {
    let storage = GranularStorage::default();
    assert_eq!(storage.drain().unwrap(), None);
    write(&storage, "one");
    storage.delete_tree(&group()).unwrap();
    assert_eq!(storage.drain().unwrap(), None, "written and deleted again");
    write(&storage, "one");
    let batch = storage.drain().unwrap().unwrap();
    storage.confirm(batch.sequence).unwrap();
    write(&storage, "one");
    assert_eq!(storage.drain().unwrap(), None, "the same value again");
    assert!(!storage.has_unconfirmed().unwrap());
}

#[test]
fn a_second_drain_without_an_answer_is_refused_and_loses_nothing() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    let first = storage.drain().unwrap().unwrap();
    write(&storage, "two");
    assert_eq!(
        storage.drain(),
        Err(StorageError::BatchUnconfirmed(first.sequence))
    );
    storage.confirm(first.sequence).unwrap();
    let second = storage.drain().unwrap().unwrap();
    assert!(second.sequence > first.sequence);
    assert_eq!(categories(&second), ["digest_root", "epoch_records"]);
}

#[test]
fn only_the_batch_that_waits_can_be_answered() {
    let storage = GranularStorage::default();
    assert_eq!(storage.confirm(1), Err(StorageError::UnknownBatch(1)));
    write(&storage, "one");
    let batch = storage.drain().unwrap().unwrap();
    assert_eq!(storage.put_back(99), Err(StorageError::UnknownBatch(99)));
    storage.confirm(batch.sequence).unwrap();
    assert_eq!(
        storage.confirm(batch.sequence),
        Err(StorageError::UnknownBatch(batch.sequence))
    );
    assert_eq!(
        storage.put_back(batch.sequence),
        Err(StorageError::UnknownBatch(batch.sequence))
    );
}

#[test]
fn a_batch_that_is_put_back_merges_with_newer_changes() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    storage
        .append_own_leaf_node(&group(), &Text("leaf".into()))
        .unwrap();
    let failed = storage.drain().unwrap().unwrap();
    write(&storage, "two");
    storage.put_back(failed.sequence).unwrap();
    let retried = storage.drain().unwrap().unwrap();
    assert_eq!(
        categories(&retried),
        ["digest_root", "own_leaf_node", "epoch_records"]
    );
    let mut database = Database::default();
    database.apply(&retried.events);
    assert_eq!(read(&database.rehydrated()).as_deref(), Some("two"));
}

#[test]
fn a_delete_is_part_of_the_batch() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    let batch = storage.drain().unwrap().unwrap();
    storage.confirm(batch.sequence).unwrap();
    storage.delete_tree(&group()).unwrap();
    let batch = storage.drain().unwrap().unwrap();
    assert!(batch.events.iter().all(|event| event.value.is_none()));
    // A delete that could not be written is not forgotten when the key is written again.
    storage.put_back(batch.sequence).unwrap();
    write(&storage, "three");
    let batch = storage.drain().unwrap().unwrap();
    assert!(batch.events.iter().all(|event| event.value.is_some()));
}

#[test]
fn rolling_back_leads_to_the_last_confirmed_batch() {
    let storage = GranularStorage::default();
    write(&storage, "confirmed");
    let batch = storage.drain().unwrap().unwrap();
    storage.confirm(batch.sequence).unwrap();
    write(&storage, "in flight");
    storage
        .append_own_leaf_node(&group(), &Text("leaf".into()))
        .unwrap();
    let in_flight = storage.drain().unwrap().unwrap();
    write(&storage, "newer");
    assert!(storage.roll_back_unconfirmed().unwrap());
    assert_eq!(read(&storage).as_deref(), Some("confirmed"));
    let left: Vec<_> = storage.records().unwrap();
    let left: Vec<_> = left.iter().map(|left| left.category).collect();
    assert_eq!(left, [Category::DigestRoot, Category::Tree]);
    assert!(!storage.has_unconfirmed().unwrap());
    assert_eq!(
        storage.confirm(in_flight.sequence),
        Err(StorageError::UnknownBatch(in_flight.sequence)),
        "a batch that was rolled back cannot be confirmed later"
    );
    assert!(!storage.roll_back_unconfirmed().unwrap());
}

#[test]
fn a_put_back_batch_that_was_stored_after_all_is_undone_in_the_next() {
    let storage = GranularStorage::default();
    let mut database = Database::default();
    write(&storage, "confirmed");
    let batch = storage.drain().unwrap().unwrap();
    database.apply(&batch.events);
    storage.confirm(batch.sequence).unwrap();
    // The connection goes away under this one, after it was stored.
    write(&storage, "changed");
    storage
        .append_own_leaf_node(&group(), &Text("leaf".into()))
        .unwrap();
    let unknown = storage.drain().unwrap().unwrap();
    database.apply(&unknown.events);
    storage.put_back(unknown.sequence).unwrap();
    // Meanwhile everything returns to what was confirmed.
    write(&storage, "confirmed");
    storage.delete_own_leaf_nodes(&group()).unwrap();
    let next = storage
        .drain()
        .unwrap()
        .expect("both keys are written again");
    assert_eq!(
        categories(&next),
        ["digest_root", "own_leaf_node", "epoch_records"]
    );
    database.apply(&next.events);
    storage.confirm(next.sequence).unwrap();
    assert_eq!(read(&database.rehydrated()).as_deref(), Some("confirmed"));
    let stored = unpack_all(database.records()).unwrap();
    assert_eq!(stored.len(), storage.records().unwrap().len());
}

#[test]
fn a_put_back_batch_is_rolled_back_to_before_it() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    let batch = storage.drain().unwrap().unwrap();
    write(&storage, "two");
    storage.put_back(batch.sequence).unwrap();
    storage.roll_back_unconfirmed().unwrap();
    assert_eq!(read(&storage), None);
}

#[test]
fn a_savepoint_that_is_not_released_undoes_records_and_events() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    let savepoint = storage.savepoint().unwrap();
    write(&storage, "two");
    storage
        .append_own_leaf_node(&group(), &Text("leaf".into()))
        .unwrap();
    assert_eq!(
        storage.drain(),
        Err(StorageError::SavepointActive),
        "never half an operation"
    );
    assert_eq!(
        storage.roll_back_unconfirmed(),
        Err(StorageError::SavepointActive)
    );
    assert!(matches!(
        storage.savepoint().err(),
        Some(StorageError::SavepointActive)
    ));
    drop(savepoint);
    assert_eq!(read(&storage).as_deref(), Some("one"));
    let batch = storage.drain().unwrap().unwrap();
    assert_eq!(
        categories(&batch),
        ["digest_root", "epoch_records"],
        "the leaf node is no longer dirty, the tree still is"
    );
    storage.confirm(batch.sequence).unwrap();

    let savepoint = storage.savepoint().unwrap();
    write(&storage, "two");
    savepoint.release().unwrap();
    assert_eq!(read(&storage).as_deref(), Some("two"));
    assert!(storage.is_dirty().unwrap());
}

#[test]
fn a_savepoint_rolls_back_to_the_state_under_a_batch_in_flight() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    let batch = storage.drain().unwrap().unwrap();
    let savepoint = storage.savepoint().unwrap();
    write(&storage, "two");
    drop(savepoint);
    assert!(!storage.is_dirty().unwrap());
    storage.put_back(batch.sequence).unwrap();
    storage.roll_back_unconfirmed().unwrap();
    assert_eq!(read(&storage), None);
}

#[test]
fn hydrating_makes_nothing_dirty_and_is_all_or_nothing() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    storage
        .append_own_leaf_node(&group(), &Text("leaf".into()))
        .unwrap();
    storage.drain().unwrap();
    let records = storage.records().unwrap();

    let restored = GranularStorage::default();
    restored.hydrate(records.clone()).unwrap();
    assert!(!restored.has_unconfirmed().unwrap());
    assert_eq!(read(&restored).as_deref(), Some("one"));

    let mut damaged = records.clone();
    let last = damaged.last_mut().unwrap();
    let mut bytes = last.value.to_vec();
    bytes[12] ^= 1;
    last.value = std::sync::Arc::new(zeroize::Zeroizing::new(bytes));
    let empty = GranularStorage::default();
    assert!(matches!(
        empty.hydrate(damaged),
        Err(StorageError::DamagedRecord { .. })
    ));
    assert!(empty.records().unwrap().is_empty());

    let mut moved = records;
    let leaf_node = |record: &&mut Record| record.category == Category::OwnLeafNode;
    moved.iter_mut().find(leaf_node).unwrap().key = "ac/0000000000000000".into();
    assert!(matches!(
        empty.hydrate(moved),
        Err(StorageError::DamagedRecord { .. })
    ));
}

#[test]
fn hydrating_never_overwrites_what_is_newer() {
    let storage = GranularStorage::default();
    write(&storage, "old");
    let old = storage.records().unwrap();
    write(&storage, "new");
    assert!(matches!(
        storage.hydrate(old.clone()),
        Err(StorageError::HydrateConflict { .. })
    ));
    assert_eq!(read(&storage).as_deref(), Some("new"));

    let batch = storage.drain().unwrap().unwrap();
    storage.confirm(batch.sequence).unwrap();
    storage.delete_tree(&group()).unwrap();
    assert!(
        matches!(
            storage.hydrate(old),
            Err(StorageError::HydrateConflict { .. })
        ),
        "a deletion that is not stored yet is newer too"
    );
    assert_eq!(read(&storage), None);
}

#[test]
fn a_key_of_the_wrong_shape_is_refused() {
    let storage = GranularStorage::default();
    write(&storage, "one");
    for key in ["AB", "a", "ab/cd", "ab/"] {
        let mut records = storage.records().unwrap();
        records[0].key = key.into();
        let empty = GranularStorage::default();
        assert!(
            matches!(
                empty.hydrate(records),
                Err(StorageError::MalformedKey { .. })
            ),
            "{key}"
        );
    }
}

#[test]
fn is_shared_between_threads() {
    fn check<T: Default + Send + Sync>() {}
    check::<GranularStorage>();
}

/// A value that is in parts: one for each element that there is, or for a few of them.
#[derive(Serialize, Deserialize)]
struct Parts {
    list: Vec<Option<String>>,
}
impl Entity<CURRENT_VERSION> for Parts {}
impl traits::TreeSync<CURRENT_VERSION> for Parts {}

/// A group's tree of five parts, with or without the middle one.
fn write_parts(storage: &GranularStorage, group: u8, is_there: impl Fn(usize) -> bool) {
    let element = |at: usize| is_there(at / 8).then(|| "an element".to_owned());
    let list = (0..40).map(element).collect();
    storage
        .write_tree(&Id(vec![group]), &Parts { list })
        .unwrap();
}

fn confirmed(storage: &GranularStorage) -> Batch {
    let batch = storage.drain().unwrap().unwrap();
    storage.confirm(batch.sequence).unwrap();
    batch
}

fn tree_of(batch: &Batch) -> impl Iterator<Item = &StorageEvent> {
    let of_tree = |event: &&StorageEvent| event.category == Category::Tree;
    batch.events.iter().filter(of_tree)
}

/// The keys of the first and the last event of each range.
fn ranges(batch: &Batch) -> Vec<(&str, &str)> {
    let key = |place: &u32| batch.events[*place as usize].key.as_str();
    let ranges = batch.deleted_ranges.iter();
    ranges
        .map(|(first, last)| (key(first), key(last)))
        .collect()
}

#[test]
fn a_range_is_of_deletions_with_nothing_between_them() {
    let storage = GranularStorage::default();
    write_parts(&storage, 0xab, |_| true);
    let first = confirmed(&storage);
    assert!(ranges(&first).is_empty());
    let keys: Vec<String> = tree_of(&first).map(|event| event.key.clone()).collect();
    let parts = keys.len();
    assert!(parts >= 5 && parts.is_multiple_of(5));

    // The middle stays: what is before it is a range, and what comes after it.
    write_parts(&storage, 0xab, |fifth| fifth == 2);
    let (before, after) = (parts / 5 * 2 - 1, parts / 5 * 3);
    let around = confirmed(&storage);
    assert_eq!(
        ranges(&around),
        [
            (keys[0].as_str(), keys[before].as_str()),
            (keys[after].as_str(), keys[parts - 1].as_str())
        ]
    );

    // One with nothing beside it that is deleted is none.
    write_parts(&storage, 0xab, |fifth| fifth == 2 || fifth == 4);
    confirmed(&storage);
    storage.delete_tree(&group()).unwrap();
    let all = storage.drain().unwrap().unwrap();
    let first_deleted = tree_of(&all).next().map(|event| event.key.as_str());
    let last_deleted = tree_of(&all).last().map(|event| event.key.as_str());
    assert_eq!(
        ranges(&all),
        [(first_deleted.unwrap(), last_deleted.unwrap())]
    );

    // Put back, and written between: found anew.
    storage.put_back(all.sequence).unwrap();
    write_parts(&storage, 0xab, |fifth| fifth == 2);
    let again = confirmed(&storage);
    let kept = tree_of(&again).filter(|event| event.value.is_some());
    for event in kept {
        let key = event.key.as_str();
        assert!(!ranges(&again)
            .iter()
            .any(|(first, last)| (first..=last).contains(&&key)));
    }
}

/// What is stored of a tree in parts as layout 4 stored it, each record by itself.
fn separate_tree() -> (GranularStorage, Vec<(Category, String)>) {
    let former = GranularStorage::default();
    write_parts(&former, 0xab, |_| true);
    former
        .write_context(&group(), &Text("context".into()))
        .unwrap();
    confirmed(&former);
    let records = former.records().unwrap();
    let moving = |record: &&Record| {
        let is_head = record.category == Category::Tree && record.key == "ab";
        is_head || record.category == Category::GroupContext
    };
    let ids = records.iter().filter(moving);
    let ids: Vec<_> = ids.map(|it| (it.category, it.key.clone())).collect();
    assert_eq!(ids.len(), 2);
    let storage = GranularStorage::default();
    storage.hydrate(records).unwrap();
    (storage, ids)
}

/// Whether all of these, or none, are deleted by a batch.
fn deletes(batch: &Batch, ids: &[(Category, String)]) -> bool {
    let is_deleted = |(category, key): &&(Category, String)| {
        let mut events = batch.events.iter();
        events.any(|it| it.category == *category && it.key == *key && it.value.is_none())
    };
    let deleted = ids.iter().filter(is_deleted).count();
    assert!(deleted == 0 || deleted == ids.len(), "{deleted}");
    deleted > 0
}

/// Where they were they would be old secrets for good, and make the group one that is damaged.
#[test]
fn what_was_stored_by_itself_is_deleted_by_the_batch_that_stores_it_with_others() {
    let (storage, moving) = separate_tree();
    let write = |text: &str| {
        let text = Text(text.into());
        storage
            .write_interim_transcript_hash(&group(), &text)
            .unwrap();
    };
    write("one");
    let failed = storage.drain().unwrap().unwrap();
    assert!(deletes(&failed, &moving));
    storage.put_back(failed.sequence).unwrap();
    let again = storage.drain().unwrap().unwrap();
    assert!(deletes(&again, &moving), "it was put back");
    assert!(storage.roll_back_unconfirmed().unwrap());
    write("two");
    assert!(deletes(&confirmed(&storage), &moving), "it was undone");
    write("three");
    assert!(!deletes(&confirmed(&storage), &moving), "once");
}

/// A value that moves has parts that stay: in a sealed database all that is below it would go with a range.
#[test]
fn what_moves_is_in_no_range() {
    let (storage, moving) = separate_tree();
    write_parts(&storage, 0xab, |fifth| fifth > 1);
    let other = Text("another context".into());
    storage.write_context(&group(), &other).unwrap();
    let batch = confirmed(&storage);
    assert!(deletes(&batch, &moving));
    assert_eq!(ranges(&batch).len(), 1);
    assert!(ranges(&batch).iter().all(|(first, _)| *first != "ab"));
}

/// Another group may be between them that is not in memory; and in a sealed database groups are in another order.
#[test]
fn a_range_is_within_a_group() {
    let storage = GranularStorage::default();
    for group in [0xaa, 0xab] {
        write_parts(&storage, group, |_| true);
    }
    confirmed(&storage);
    for group in [0xaa, 0xab] {
        storage.delete_tree(&Id(vec![group])).unwrap();
    }
    let batch = confirmed(&storage);
    assert_eq!(ranges(&batch).len(), 2);
    for (first, last) in ranges(&batch) {
        assert_eq!(first.get(..2), last.get(..2));
    }
}

#[test]
fn values_in_one_piece_are_in_no_range() {
    let storage = GranularStorage::default();
    for group in 0..5 {
        let text = Text("context".into());
        storage
            .append_own_leaf_node(&Id(vec![group]), &text)
            .unwrap();
    }
    confirmed(&storage);
    for group in 0..5 {
        storage.delete_own_leaf_nodes(&Id(vec![group])).unwrap();
    }
    let batch = confirmed(&storage);
    let leaves = batch.events.iter();
    let leaves = leaves.filter(|event| event.category == Category::OwnLeafNode);
    assert_eq!(leaves.count(), 5);
    assert!(batch.deleted_ranges.is_empty());
}
