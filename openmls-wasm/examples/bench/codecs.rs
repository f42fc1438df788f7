//! What other encodings of OpenMLS's two large values would cost: bytes, time to write, time to load.
//!
//! The values are those that OpenMLS hands to its storage provider, as it has them in memory, for a
//! message and for a commit in a group in use.

use std::cell::RefCell;

use openmls::prelude::{GroupId, LeafNodeParameters, MlsGroup, MlsGroupJoinConfig};
use openmls_traits::storage::{traits, StorageProvider as _, CURRENT_VERSION};
use openmls_wasm::{
    storage::{Category, Record},
    GranularStorage,
};
use rmp_serde::config::BytesMode;
use serde::{de::DeserializeOwned, Serialize};
use serde_json::{json, Value};

use crate::{
    clock::{median, timed},
    file::Lists,
    observed::{Observed, Observer},
    world::{restored, signer, PLAINTEXT},
};

const ROUNDS: usize = 15;

/// The table of the group in a file of the fixture.
pub fn table(file: &[u8]) -> Value {
    let lists = Lists::read(file);
    let before = lists.records("alice");
    let group = GroupId::from_slice(&lists.list("group")[0]);
    let signer = signer(&restored(&before));
    let provider = Observed::<Table>::default();
    provider.storage.inner.hydrate(before.clone()).unwrap();
    let mut alice = MlsGroup::load(&provider.storage, &group).unwrap().unwrap();
    let table = &provider.storage.observer;
    *table.state.borrow_mut() = Some((group, before));
    alice
        .create_message(&provider, &signer, &PLAINTEXT)
        .unwrap();
    // With the message secrets of a new epoch, in which nobody has spoken: not what is measured.
    table.has_secrets();
    let parameters = LeafNodeParameters::default();
    alice.self_update(&provider, &signer, parameters).unwrap();
    alice.merge_pending_commit(&provider).unwrap();
    alice
        .set_configuration(&provider.storage, &MlsGroupJoinConfig::default())
        .unwrap();
    json!({ "members": alice.members().count(), "rows": table.rows.take() })
}

#[derive(Default)]
struct Table {
    /// The group, and its records before.
    state: RefCell<Option<(GroupId, Vec<Record>)>>,
    rows: RefCell<Vec<Value>>,
    done: RefCell<bool>,
}

impl Observer for Table {
    fn tree<T: traits::TreeSync<CURRENT_VERSION>>(&self, tree: &T) {
        self.ours(
            Category::Tree,
            |storage, group| storage.write_tree(group, tree).unwrap(),
            |storage, group| drop(storage.tree::<_, T>(group).unwrap().unwrap()),
        );
        self.others("tree", tree);
    }

    fn message_secrets<T: traits::MessageSecrets<CURRENT_VERSION>>(&self, secrets: &T) {
        if *self.done.borrow() {
            return;
        }
        self.ours(
            Category::MessageSecrets,
            |storage, group| storage.write_message_secrets(group, secrets).unwrap(),
            |storage, group| drop(storage.message_secrets::<_, T>(group).unwrap().unwrap()),
        );
        self.others("message_secrets", secrets);
    }

    fn join_config<T: traits::MlsGroupJoinConfig<CURRENT_VERSION>>(&self, config: &T) {
        self.others("mls_group_join_config", config);
    }
}

impl Table {
    fn has_secrets(&self) {
        *self.done.borrow_mut() = true;
    }

    /// The store of this crate: what is written is what has changed.
    fn ours(
        &self,
        category: Category,
        write: impl Fn(&GranularStorage, &GroupId),
        load: impl Fn(&GranularStorage, &GroupId),
    ) {
        let state = self.state.borrow();
        let (group, before) = state.as_ref().unwrap();
        let (mut bytes, mut whole, mut loads) = (0, 0, vec![]);
        let writing = median(ROUNDS, || {
            let storage = GranularStorage::default();
            storage.hydrate(before.clone()).unwrap();
            let ((), took) = timed(|| write(&storage, group));
            loads.push(timed(|| load(&storage, group)).1);
            let events = storage.drain().unwrap().unwrap().events;
            let written = events.iter().filter(|event| event.category == category);
            bytes = written
                .map(|event| event.value.as_ref().map_or(0, |value| value.len()))
                .sum();
            whole = last_epoch(&storage.records().unwrap(), category);
            took
        });
        let mut loads = loads.into_iter();
        let loading = median(ROUNDS, || loads.next().unwrap());
        self.add(
            category.name(),
            "MessagePack, named, in parts (ours)",
            bytes,
            writing,
            Ok(loading),
        );
        let row = &mut self.rows.borrow_mut();
        row.last_mut().unwrap()["stored"] = json!(whole);
    }

    fn others<T: Serialize + DeserializeOwned>(&self, value: &str, content: &T) {
        self.codec::<T>(
            value,
            "MessagePack, named, in one piece",
            || named(content),
            |bytes| rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        );
        self.codec::<T>(
            value,
            "MessagePack, positional",
            || positional(content),
            |bytes| rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        );
        self.codec::<T>(
            value,
            "CBOR",
            || cbor(content),
            |bytes| ciborium::from_reader(bytes).map_err(|error| error.to_string()),
        );
        self.codec::<T>(
            value,
            "JSON",
            || serde_json::to_vec(content).unwrap(),
            |bytes| serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        );
        self.codec::<T>(
            value,
            "postcard",
            || postcard::to_allocvec(content).unwrap(),
            |bytes| postcard::from_bytes(bytes).map_err(|error| error.to_string()),
        );
        self.codec::<T>(
            value,
            "bincode",
            || bincode::serialize(content).unwrap(),
            |bytes| bincode::deserialize(bytes).map_err(|error| error.to_string()),
        );
    }

    fn codec<T>(
        &self,
        value: &str,
        codec: &str,
        write: impl Fn() -> Vec<u8>,
        load: impl Fn(&[u8]) -> Result<T, String>,
    ) {
        let bytes = write();
        let writing = median(ROUNDS, || timed(&write).1);
        let loading = load(&bytes).map(|_| median(ROUNDS, || timed(|| load(&bytes)).1));
        self.add(value, codec, bytes.len(), writing, loading);
    }

    fn add(&self, value: &str, codec: &str, bytes: usize, write: f64, load: Result<f64, String>) {
        let load = load.map_or_else(|error| json!(error), |took| json!(took));
        let row =
            json!({ "value": value, "codec": codec, "bytes": bytes, "write": write, "load": load });
        self.rows.borrow_mut().push(row);
    }
}

/// The bytes of a value, of the last epoch that there is.
fn last_epoch(records: &[Record], category: Category) -> usize {
    let records = records.iter().filter(|record| record.category == category);
    let last = records
        .clone()
        .map(|record| epoch(category, &record.key))
        .max()
        .unwrap_or_default();
    records
        .filter(|record| epoch(category, &record.key) == last)
        .map(|record| record.value.len())
        .sum()
}

fn epoch(category: Category, key: &str) -> &str {
    match category {
        Category::MessageSecrets => key.split('/').nth(1).unwrap_or_default(),
        _ => "",
    }
}

fn named<T: Serialize>(content: &T) -> Vec<u8> {
    let mut bytes = vec![];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_bytes(BytesMode::ForceAll);
    content.serialize(&mut serializer).unwrap();
    bytes
}

fn positional<T: Serialize>(content: &T) -> Vec<u8> {
    let mut bytes = vec![];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_bytes(BytesMode::ForceAll);
    content.serialize(&mut serializer).unwrap();
    bytes
}

fn cbor<T: Serialize>(content: &T) -> Vec<u8> {
    let mut bytes = vec![];
    ciborium::into_writer(content, &mut bytes).unwrap();
    bytes
}
