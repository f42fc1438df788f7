//! What is stored, for tests that are their own write-behind loop. Also a part of `wasm-tests`.

use std::collections::{BTreeMap, BTreeSet};

use openmls_wasm::{
    storage::{unpack_all, Batch, Category, Record, Scope, StorageEvent, Value},
    MlsClient,
};

/// What is stored: changes only by whole batches.
#[derive(Clone, Default, Debug)]
pub struct Database(BTreeMap<(Category, String), Value>);

impl PartialEq for Database {
    /// Whether both hold the same, be it together or each by itself.
    fn eq(&self, other: &Self) -> bool {
        self.apart().0 == other.apart().0
    }
}

impl Database {
    pub fn write(&mut self, batch: &Batch) {
        self.check_ranges(batch);
        for event in &batch.events {
            let id = (event.category, event.key.clone());
            match &event.value {
                Some(value) => self.0.insert(id, value.clone()),
                None => self.0.remove(&id),
            };
        }
        self.check_parts(batch);
    }

    /// No part outlives its value: that is what a sealed database deletes by.
    fn check_parts(&self, batch: &Batch) {
        let values = self.apart();
        for event in batch.events.iter().filter(|event| event.value.is_none()) {
            let head_is_gone = !values.0.contains_key(&(event.category, event.key.clone()));
            if event.category.has_parts() && head_is_gone {
                let below = (event.category, format!("{}/", event.key));
                let end = (event.category, format!("{}0", event.key));
                assert!(self.0.range(below..end).next().is_none(), "{}", event.key);
            }
        }
    }

    /// Whoever deletes by range deletes what deleting each by itself does.
    fn check_ranges(&self, batch: &Batch) {
        for (first, last) in &batch.deleted_ranges {
            let events = &batch.events[*first as usize..=*last as usize];
            let deleted: BTreeSet<(Category, &str)> = events
                .iter()
                .map(|event| {
                    assert!(event.value.is_none(), "a range of deletions");
                    (event.category, event.key.as_str())
                })
                .collect();
            let id = |event: &StorageEvent| (event.category, event.key.clone());
            let ends = id(&events[0])..=id(&events[events.len() - 1]);
            for (category, key) in self.0.range(ends).map(|(id, _)| id) {
                assert!(deleted.contains(&(*category, key.as_str())), "{key} stays");
            }
            // A sealed database deletes all that is below a value, if something below it is in the range too.
            for (value, part) in events.iter().zip(&events[1..]) {
                let below = (value.category, format!("{}/", value.key));
                let end = (value.category, format!("{}0", value.key));
                if part.key.starts_with(&below.1) {
                    let mut left = self.0.range(below..end).map(|(id, _)| id);
                    assert!(
                        left.all(|(category, key)| deleted.contains(&(*category, key.as_str())))
                    );
                }
            }
        }
    }

    /// The same with each record by itself, as in memory.
    pub fn apart(&self) -> Self {
        let records = unpack_all(self.records()).unwrap();
        let count = records.len();
        let apart: Self = records.into_iter().collect();
        assert_eq!(apart.0.len(), count, "one is there twice");
        apart
    }

    pub fn records(&self) -> Vec<Record> {
        self.records_where(|_, _| true)
    }

    pub fn records_where(&self, is_wanted: impl Fn(Category, &str) -> bool) -> Vec<Record> {
        let wanted =
            |((category, key), _): &(&(Category, String), &Value)| is_wanted(*category, key);
        let record = |((category, key), value): (&(Category, String), &Value)| Record {
            category: *category,
            key: key.clone(),
            value: value.clone(),
        };
        self.0.iter().filter(wanted).map(record).collect()
    }

    /// The groups of which there are records, as in their keys.
    pub fn groups(&self) -> BTreeSet<&str> {
        let of_groups = |(category, _): &&(Category, String)| category.scope() == Scope::Group;
        let keys = self.0.keys().filter(of_groups);
        keys.filter_map(|(_, key)| key.split('/').next()).collect()
    }

    /// The number of values; one in parts counts once.
    pub fn count(&self, category: Category) -> usize {
        let is_part = |key: &str| {
            category.has_parts() && Some(key.split('/').count()) != category.key_parts()
        };
        let apart = self.apart();
        let keys = apart.0.keys();
        keys.filter(|(of, key)| *of == category && !is_part(key))
            .count()
    }

    pub fn remove_all(&mut self, category: Category) {
        self.0.retain(|(of, _), _| *of != category);
    }

    /// The records of a client's memory, for comparison.
    pub fn of(client: &MlsClient) -> Self {
        client.storage().records().unwrap().into_iter().collect()
    }
}

impl FromIterator<Record> for Database {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let entry = |record: Record| ((record.category, record.key), record.value);
        Self(records.into_iter().map(entry).collect())
    }
}
