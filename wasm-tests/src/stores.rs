//! Reads the object stores with `idb`, and compares them with the Rust state.

use std::collections::{BTreeMap, BTreeSet};

use idb::{Factory, TransactionMode};
use js_sys::Uint8Array;
use openmls_wasm::storage::{unpack_all, Category, Record};
use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue};

use crate::{failure, package::Engine, TestResult};

/// The stores that hold no records: layout version 5 of the IndexedDB persister.
const OWN_STORES: [&str; 3] = ["incoming", "meta", "quarantine"];

/// Records by category and key.
pub type Records = BTreeMap<(String, String), Vec<u8>>;

/// Every record of a database, by a connection of our own.
pub async fn read(name: &str) -> TestResult<Records> {
    let database = Factory::new()
        .and_then(|factory| factory.open(name, None))
        .map_err(said)?
        .await
        .map_err(said)?;
    let stores: BTreeSet<String> = database.store_names().into_iter().collect();
    let known = Category::ALL.iter().map(|category| category.name());
    let expected: BTreeSet<String> = known.chain(OWN_STORES).map(str::to_owned).collect();
    if stores != expected {
        return Err(failure(format!("stores {stores:?}, expected {expected:?}")));
    }
    let names: Vec<_> = stores.into_iter().collect();
    let transaction = database
        .transaction(&names, TransactionMode::ReadOnly)
        .map_err(said)?;
    // All requests are made before the first is awaited: the view is one of one moment.
    let mut requests = Vec::new();
    for category in Category::ALL {
        let store = transaction.object_store(category.name()).map_err(said)?;
        let keys = store.get_all_keys(None, None).map_err(said)?;
        let values = store.get_all(None, None).map_err(said)?;
        requests.push((category.name(), keys, values));
    }
    let mut records = Records::new();
    for (category, keys, values) in requests {
        let (keys, values) = (keys.await.map_err(said)?, values.await.map_err(said)?);
        for (key, value) in keys.into_iter().zip(values) {
            let key = key
                .as_string()
                .ok_or_else(|| failure("a key is no string"))?;
            let value = value
                .dyn_into::<Uint8Array>()
                .map_err(|_| failure(format!("{category}/{key} is no Uint8Array")))?;
            records.insert((category.to_owned(), key), value.to_vec());
        }
    }
    database.close();
    Ok(records)
}

#[derive(Deserialize)]
struct RecordView {
    category: String,
    key: String,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    value: Uint8Array,
}

/// Every record in memory: `MlsClient::storage().records()`, handed out by the bindings.
pub fn in_memory(engine: &Engine) -> TestResult<Records> {
    let views: Vec<RecordView> = serde_wasm_bindgen::from_value(engine.records()?)?;
    let count = views.len();
    let records: Records = views
        .into_iter()
        .map(|view| ((view.category, view.key), view.value.to_vec()))
        .collect();
    if records.len() != count {
        return Err(failure("memory holds a record twice"));
    }
    Ok(records)
}

/// As Rust takes them in.
pub fn to_rust(records: &Records) -> TestResult<Vec<Record>> {
    records
        .iter()
        .map(|((category, key), value)| {
            Ok(Record {
                category: Category::from_name(category)
                    .ok_or_else(|| failure(format!("unknown category {category}")))?,
                key: key.clone(),
                value: std::sync::Arc::new(value.clone().into()),
            })
        })
        .collect()
}

/// As Rust hands them out.
pub fn from_rust(records: Vec<Record>) -> Records {
    records
        .into_iter()
        .map(|record| {
            let id = (record.category.name().to_owned(), record.key);
            (id, record.value.to_vec())
        })
        .collect()
}

/// Each record by itself, as in memory; some are stored together.
fn apart(records: &Records) -> TestResult<Records> {
    let records = unpack_all(to_rust(records)?).map_err(|error| failure(error.to_string()))?;
    let count = records.len();
    let apart = from_rust(records);
    match apart.len() == count {
        true => Ok(apart),
        false => Err(failure("a record is stored twice")),
    }
}

/// Fails with the first records that differ.
pub fn same(step: &str, stored: &Records, memory: &Records) -> TestResult {
    let (stored, memory) = (apart(stored)?, apart(memory)?);
    let mut differences = Vec::new();
    for (id, value) in &memory {
        match stored.get(id) {
            None => differences.push(format!("{id:?} is in memory only")),
            Some(other) if other != value => differences.push(format!("{id:?} differs")),
            Some(_) => {}
        }
    }
    for id in stored.keys().filter(|id| !memory.contains_key(*id)) {
        differences.push(format!("{id:?} is stored only"));
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(failure(format!("after {step}: {}", differences.join(", "))))
}

fn said(error: idb::Error) -> JsValue {
    failure(error.to_string())
}
