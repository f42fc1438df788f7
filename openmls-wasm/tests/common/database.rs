//! What is stored, for tests that are their own write-behind loop. Also a part of `wasm-tests`.

use std::{collections::BTreeMap, sync::Arc};

use openmls_wasm::{
    storage::{Batch, Category, Record},
    MlsClient,
};
use zeroize::Zeroizing;

/// What is stored: changes only by whole batches.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Database(BTreeMap<(Category, String), Vec<u8>>);

impl Database {
    pub fn write(&mut self, batch: &Batch) {
        for event in &batch.events {
            let id = (event.category, event.key.clone());
            match &event.value {
                Some(value) => self.0.insert(id, value.to_vec()),
                None => self.0.remove(&id),
            };
        }
    }

    pub fn records(&self) -> Vec<Record> {
        let record = |((category, key), value): (&(Category, String), &Vec<u8>)| Record {
            category: *category,
            key: key.clone(),
            value: Arc::new(Zeroizing::new(value.clone())),
        };
        self.0.iter().map(record).collect()
    }

    /// The number of values; one in parts counts once.
    pub fn count(&self, category: Category) -> usize {
        let is_part = |key: &str| {
            category.has_parts() && Some(key.split('/').count()) != category.key_parts()
        };
        let keys = self.0.keys();
        keys.filter(|(of, key)| *of == category && !is_part(key))
            .count()
    }

    pub fn remove_all(&mut self, category: Category) {
        self.0.retain(|(of, _), _| *of != category);
    }

    /// The records of a client's memory, for comparison.
    pub fn of(client: &MlsClient) -> Self {
        let records = client.storage().records().unwrap();
        let entry = |record: Record| ((record.category, record.key), record.value.to_vec());
        Self(records.into_iter().map(entry).collect())
    }
}
