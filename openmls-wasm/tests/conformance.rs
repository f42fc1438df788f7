//! OpenMLS's `StorageProvider<1>`: does the store keep its promises, and would we notice if not?
//!
//! `cargo test --test conformance -- --nocapture mutation_table` prints which check finds which bug.

// The suite covers the methods of the extensions draft too.
#![cfg(feature = "extensions-draft")]

#[path = "conformance/mod.rs"]
mod suite;

use std::{
    cell::Cell,
    collections::BTreeMap,
    panic::{self, catch_unwind, AssertUnwindSafe},
    sync::{
        atomic::{AtomicUsize, Ordering},
        Mutex, Once,
    },
};

use openmls_memory_storage::MemoryStorage;
use openmls_wasm::{
    storage::{unpack_all, Category, Record},
    GranularStorage,
};

use suite::{
    checks, failures,
    mutant::Mutant,
    mutations::{self, Bug},
    Subject,
};

impl Subject for MemoryStorage {
    fn records_left(&self) -> usize {
        self.values.read().expect("lock").len()
    }

    fn reopened(self) -> Self {
        self
    }
}

impl Subject for GranularStorage {
    fn records_left(&self) -> usize {
        // The digest of a group is brought up to date when a batch is made.
        if let Some(batch) = self.drain().expect("drain") {
            self.confirm(batch.sequence).expect("confirm");
        }
        self.records().expect("records").len()
    }

    /// A new store that holds what is on disk after the last batch was written: the records that
    /// were confirmed before (which is what a rollback leaves), and the batch's events on top.
    fn reopened(self) -> Self {
        let batch = self.drain().expect("drain");
        let events = batch.map_or(vec![], |batch| {
            self.put_back(batch.sequence).expect("put back");
            batch.events
        });
        let in_memory = self.records_left();
        self.roll_back_unconfirmed().expect("roll back");
        let confirmed = self.records().expect("records");
        let mut disk: BTreeMap<_, _> = confirmed
            .into_iter()
            .map(|record| ((record.category, record.key), record.value))
            .collect();
        for event in events {
            let id = (event.category, event.key);
            disk.retain(|other, _| *other != id && !are_stored_together(other, &id));
            if let Some(value) = event.value {
                disk.insert(id, value);
            }
        }
        let record = |((category, key), value)| Record {
            category,
            key,
            value,
        };
        let reopened = GranularStorage::default();
        let records: Vec<Record> = disk.into_iter().map(record).collect();
        let apart = unpack_all(records.clone()).expect("unpack");
        assert_eq!(apart.len(), in_memory, "events and records disagree");
        reopened.hydrate(records).expect("hydrate");
        assert!(
            !reopened.is_dirty().expect("dirty"),
            "hydrating makes nothing dirty"
        );
        reopened
    }
}

/// Whether a record is stored in the one with the id `whole`.
fn are_stored_together((category, key): &(Category, String), whole: &(Category, String)) -> bool {
    let is_value = category.key_parts() == Some(key.split('/').count());
    let (place, parts) = match category {
        Category::MessageSecrets | Category::RetainedEpoch => (Category::MessageSecrets, 2),
        Category::Tree
        | Category::InterimTranscriptHash
        | Category::GroupContext
        | Category::ConfirmationTag
        | Category::GroupState
        | Category::ResumptionPskStore
        | Category::GroupEpochSecrets
        | Category::ApplicationExportTree
        | Category::EpochKeyPairs => (Category::EpochRecords, 1),
        _ => return false,
    };
    let under: Vec<&str> = key.split('/').take(parts).collect();
    is_value && (place, under.join("/")) == *whole
}

/// Where `MemoryStorage`, the control, breaks the trait's promises itself (0.6.0): the key of
/// epoch key pairs joins epoch and leaf index as text; a proposal that was queued twice stays
/// half queued when it is removed; and `clear_proposal_queue` leaves every proposal in the map,
/// because it looks for them under a key without label and version.
const KNOWN_IN_MEMORY_STORAGE: &[&str] = &[
    "records::nothing_is_left_after_all_deletes",
    "lists::epoch_key_pairs_are_separated_by_epoch_and_leaf_together",
    "proposals::removing_after_queueing_again_leaves_nothing",
    "proposals::clearing_takes_all_of_the_queue",
    "flows::deleted_group_leaves_nothing",
];

/// The suite, one test per promise.
mod granular_storage {
    use super::*;

    conformance_tests!(GranularStorage);
}

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Panics of this thread are what is asked for until the guard is dropped: not to be printed.
fn expect_panics() -> impl Drop {
    struct Expecting;
    impl Drop for Expecting {
        fn drop(&mut self) {
            EXPECTED.set(false);
        }
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                print(panic);
            }
        }));
    });
    EXPECTED.set(true);
    Expecting
}

#[test]
fn memory_storage_passes_as_the_control() {
    let expecting = expect_panics();
    let failed = failures::<MemoryStorage>(&MemoryStorage::default);
    drop(expecting);
    let names: Vec<_> = failed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, KNOWN_IN_MEMORY_STORAGE, "{failed:#?}");
}

/// The first check that finds the bug, and the first of those that run OpenMLS itself.
type Found = (Bug, Option<&'static str>, Option<&'static str>);

fn find<S: Subject + Default>(bug: Bug, known: &[&str]) -> Found {
    let new = || Mutant::new(S::default(), bug);
    let is_flow = |name: &str| name.contains("flows::");
    let find = |flows: bool| {
        let mut checks = checks::<Mutant<S>>().into_iter();
        let found = checks.find(|check| {
            is_flow(check.name) == flows
                && !known.contains(&check.name)
                && catch_unwind(AssertUnwindSafe(|| (check.run)(&new))).is_err()
        });
        found.map(|check| check.name)
    };
    let flow = bug.may_show_in_flows().then(|| find(true)).flatten();
    (bug, find(false), flow)
}

/// `known`: checks that the store fails itself; `own_bugs`: what therefore cannot be found in it.
fn mutation_table<S: Subject + Default>(store: &str, known: &[&str], own_bugs: &[Bug]) {
    let expecting = expect_panics();
    let unmutated = failures(&|| Mutant::new(S::default(), Bug::None));
    drop(expecting);
    let names: Vec<_> = unmutated.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names, known,
        "a mutant without a bug is not the store itself: {unmutated:#?}"
    );

    let bugs = mutations::all();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(vec![None; bugs.len()]);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let _expecting = expect_panics();
                while let Some(index) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < bugs.len())
                {
                    let result = find::<S>(bugs[index], known);
                    found.lock().expect("lock")[index] = Some(result);
                }
            });
        }
    });
    let found: Vec<Found> = found
        .into_inner()
        .expect("lock")
        .into_iter()
        .flatten()
        .collect();

    println!("\n{store}: injected bug -> check that fails | flow of OpenMLS that fails too");
    for (bug, direct, flow) in &found {
        let direct = direct.unwrap_or("-");
        println!(
            "  {:<75} -> {direct} | {}",
            bug.to_string(),
            flow.unwrap_or("-")
        );
    }
    let missed: Vec<Bug> = found
        .iter()
        .filter(|(_, direct, flow)| direct.or(*flow).is_none())
        .map(|(bug, _, _)| *bug)
        .collect();
    println!(
        "{store}: {} of {} bugs found",
        found.len() - missed.len(),
        bugs.len()
    );
    assert_eq!(missed, own_bugs, "not found");
}

/// That the suite finds the bugs on a store that it was not written for. Run it after changing
/// the suite: `cargo test --test conformance -- --ignored --nocapture`.
#[test]
#[ignore = "the control of the control: as long as the table above, and only about the suite"]
fn mutation_table_of_memory_storage() {
    let own_bugs = [Bug::EpochAndLeafJoined, Bug::ClearLeavesHidden];
    mutation_table::<MemoryStorage>("MemoryStorage", KNOWN_IN_MEMORY_STORAGE, &own_bugs);
}

#[test]
fn mutation_table_of_granular_storage() {
    mutation_table::<GranularStorage>("GranularStorage", &[], &[]);
}
