//! A device as the tests see it: a client, a database that may or may not get its batches, and a
//! delivery service that orders messages. Everything real but the network and the disk.

#![allow(dead_code)] // each test file uses its own part

pub mod bare;
mod database;
pub mod x509;

use std::{cell::Cell, rc::Rc};

use openmls_wasm::{
    client::{
        Delivered, DeliveredWelcome, GroupInfo, InboxContent, InboxItem, OutboxEntry, OutboxKind,
    },
    ClientError, MlsClient,
};

use openmls_wasm::storage::{Category, Record, Scope, Value};

pub use database::Database;

/// A delivery service: one log per group; a commit is stored only if it is the first of its epoch.
#[derive(Default, Clone)]
pub struct Service {
    log: Vec<Logged>,
    epoch: u64,
    welcomes: Vec<Addressed>,
}

#[derive(Clone)]
struct Addressed {
    to: Vec<Vec<u8>>,
    welcome: Vec<u8>,
    group_position: u64,
}

#[derive(Clone)]
pub struct Logged {
    pub id: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub enum Upload {
    Accepted,
    PastEpoch,
}

impl Service {
    pub fn upload(&mut self, entry: &OutboxEntry) -> Upload {
        let bytes = entry
            .bytes
            .clone()
            .expect("only encrypted entries are uploaded");
        if let Some(known) = self.log.iter().find(|logged| logged.id == entry.id) {
            assert_eq!(
                known.bytes, bytes,
                "an id stands for the same bytes for ever"
            );
            return Upload::Accepted;
        }
        if entry.epoch != self.epoch {
            return Upload::PastEpoch;
        }
        self.log.push(Logged {
            id: entry.id.clone(),
            bytes,
        });
        if entry.kind == OutboxKind::Commit {
            self.epoch += 1;
            if let Some(welcome) = &entry.welcome {
                self.welcomes.push(Addressed {
                    to: entry
                        .added
                        .iter()
                        .map(|party| party.identity.clone())
                        .collect(),
                    welcome: welcome.clone(),
                    group_position: self.log.len() as u64,
                });
            }
        }
        Upload::Accepted
    }

    pub fn last_welcome(&self) -> Vec<u8> {
        self.welcomes.last().unwrap().welcome.clone()
    }

    pub fn log(&self) -> &[Logged] {
        &self.log
    }
}

/// When a process dies: at which batch, counted over all devices, and on which side of the write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crash {
    /// The batch was not written.
    Before,
    /// The batch was written, and nobody heard of it.
    After,
}

#[derive(Default)]
pub struct Plan {
    pub batches: Cell<usize>,
    pub crash_at: Cell<Option<(usize, Crash)>>,
}

/// A client with its database and the history its app keeps.
pub struct Device {
    pub client: MlsClient,
    pub database: Database,
    /// What the app saved: id → plaintext. Saving an id twice with another text is a failure.
    pub history: Vec<(String, Vec<u8>)>,
    /// The codes of what could not be processed.
    pub failures: Vec<String>,
    pub plan: Rc<Plan>,
}

impl Device {
    pub fn new(name: &str) -> Self {
        let mut client = MlsClient::new();
        client.create_identity(name.as_bytes(), 1).unwrap();
        let mut device = Self::with(client, Rc::default());
        device.save();
        device
    }

    pub fn with(client: MlsClient, plan: Rc<Plan>) -> Self {
        Self {
            client,
            database: Database::default(),
            history: vec![],
            failures: vec![],
            plan,
        }
    }

    /// Writes what changed and confirms it. Returns false if the process died instead: then
    /// nothing that came before may be released.
    pub fn save(&mut self) -> bool {
        if let Some(batch) = self.client.drain_storage_events().unwrap() {
            let number = self.plan.batches.get();
            self.plan.batches.set(number + 1);
            let crash = self.plan.crash_at.get();
            let crash = crash.and_then(|(at, crash)| (at == number).then_some(crash));
            if crash != Some(Crash::Before) {
                self.database.write(&batch);
            }
            if crash.is_some() {
                self.crash();
                return false;
            }
            self.client.confirm_batch(batch.sequence).unwrap();
        }
        assert_eq!(
            Database::of(&self.client),
            self.database,
            "memory and database differ"
        );
        true
    }

    /// The process dies: memory is gone, the database stays.
    pub fn crash(&mut self) {
        let mut client = MlsClient::new();
        client.hydrate(self.database.records()).unwrap();
        assert!(!client.storage().has_unconfirmed().unwrap());
        self.client = client;
    }

    pub fn info(&mut self, group: &[u8]) -> GroupInfo {
        self.client.group_info(group).unwrap()
    }

    /// Takes over what the client hands over, saves it, and acknowledges it.
    pub fn take_over(&mut self) {
        let items = self.client.inbox().unwrap();
        let mut ids = vec![];
        for InboxItem { id, content, .. } in items {
            if let InboxContent::Failed { code } = &content {
                self.failures.push(code.clone());
            }
            if let InboxContent::Message { plaintext, .. } | InboxContent::Sent { plaintext, .. } =
                content
            {
                match self.history.iter().find(|(known, _)| *known == id) {
                    Some((_, known)) => assert_eq!(*known, plaintext, "one id, two texts"),
                    None => self.history.push((id.clone(), plaintext)),
                }
            }
            ids.push(id);
        }
        self.client.acknowledge_inbox(&ids).unwrap();
        self.save();
    }

    /// Receives the Welcomes addressed to this device.
    pub fn receive_welcomes(&mut self, service: &Service) {
        let Some(own) = self.client.identity().unwrap() else {
            return;
        };
        let own = service
            .welcomes
            .iter()
            .filter(|addressed| addressed.to.contains(&own.identity));
        for (index, addressed) in own.enumerate() {
            self.client
                .receive_welcome(DeliveredWelcome {
                    bytes: &addressed.welcome,
                    id: None,
                    position: Some(index as u64 + 1),
                    group_position: Some(addressed.group_position),
                    ..Default::default()
                })
                .unwrap();
        }
    }

    /// Processes the log from the cursor on.
    pub fn receive_log(&mut self, service: &Service, group: &[u8]) -> Result<(), ClientError> {
        let from = self.client.delivery_cursor(group)?.unwrap_or(0) as usize;
        for (index, logged) in service.log.iter().enumerate().skip(from) {
            // What comes after the own removal is not handed out.
            if !self.client.group_info(group)?.is_active {
                break;
            }
            self.client.receive_message(Delivered {
                bytes: &logged.bytes,
                id: Some(&logged.id),
                position: Some(index as u64 + 1),
                ..Default::default()
            })?;
        }
        Ok(())
    }

    /// What an app does whenever it is online, as often as it needs: catch up, upload, catch up.
    pub fn sync(&mut self, service: &mut Service, group: &[u8]) {
        for _ in 0..40 {
            self.receive_welcomes(service);
            if self
                .client
                .list_groups()
                .unwrap()
                .iter()
                .any(|id| id == group)
            {
                self.receive_log(service, group).unwrap();
            }
            if !self.save() {
                continue;
            }
            self.take_over();
            if !self.upload(service, group) {
                return;
            }
        }
        panic!("the device does not come to rest");
    }

    /// Uploads the outbox. Returns whether there was something to do.
    fn upload(&mut self, service: &mut Service, group: &[u8]) -> bool {
        let entries = self.client.outbox().unwrap();
        let active = self
            .client
            .group_info(group)
            .is_ok_and(|info| info.is_active);
        if entries.is_empty() {
            let info = self.client.group_info(group);
            if active && info.is_ok_and(|info| info.pending_proposals > 0) {
                // One of the remaining members commits what others proposed.
                if self.client.commit_pending_proposals(group, None).is_ok() {
                    self.save();
                    return true;
                }
            }
            return false;
        }
        if !active {
            return false;
        }
        for entry in entries {
            let result = match &entry.bytes {
                Some(_) => service.upload(&entry),
                None => Upload::PastEpoch,
            };
            match (result, entry.kind) {
                (Upload::Accepted, _) => {}
                (Upload::PastEpoch, OutboxKind::Message) => {
                    self.receive_log(service, group).unwrap();
                    if self.client.group_info(group).unwrap().pending_proposals > 0 {
                        let _ = self.client.commit_pending_proposals(group, None);
                    } else if self
                        .client
                        .outbox()
                        .unwrap()
                        .iter()
                        .any(|e| e.id == entry.id)
                    {
                        self.client.renew_outbox(&entry.id).unwrap();
                    }
                }
                (Upload::PastEpoch, OutboxKind::Commit) => {
                    // Processing the winner's commit drops the loser.
                    self.receive_log(service, group).unwrap();
                }
                (Upload::PastEpoch, OutboxKind::Proposal) => {
                    self.client.acknowledge_outbox(&entry.id).unwrap();
                }
            }
            if !self.save() {
                return true;
            }
        }
        true
    }
}

/// Two devices in a group, in step with the service.
pub fn pair() -> (Device, Device, Service, Vec<u8>) {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let mut service = Service::default();
    let group = alice.client.create_group(None).unwrap();
    let key_packages = bob.client.generate_key_packages(2).unwrap();
    bob.save();
    alice
        .client
        .add_members(&group, &key_packages[..1], None)
        .unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    assert_in_step(&mut alice, &mut bob, &group);
    (alice, bob, service, group)
}

pub fn assert_in_step(one: &mut Device, other: &mut Device, group: &[u8]) {
    let (one, other) = (one.info(group), other.info(group));
    assert_eq!(one.epoch, other.epoch);
    assert_eq!(one.epoch_authenticator, other.epoch_authenticator);
    assert_eq!(one.members, other.members);
}

pub fn texts(device: &Device) -> Vec<String> {
    device
        .history
        .iter()
        .map(|(_, text)| String::from_utf8(text.clone()).unwrap())
        .collect()
}

/// The code of what must fail.
pub fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> &'static str {
    result.unwrap_err().code()
}

/// Runs what must fail; no record may differ afterwards, and nothing be there to store that was not.
pub fn refused_by<T: std::fmt::Debug>(
    client: &mut MlsClient,
    operation: impl FnOnce(&mut MlsClient) -> Result<T, ClientError>,
) -> &'static str {
    let before = Database::of(client);
    let dirty = client.storage().is_dirty().unwrap();
    let error = operation(client).unwrap_err();
    assert_eq!(Database::of(client), before, "{error}");
    assert_eq!(client.storage().is_dirty().unwrap(), dirty, "{error}");
    error.code()
}

/// [`refused_by`], for a device.
pub fn refused<T: std::fmt::Debug>(
    device: &mut Device,
    operation: impl FnOnce(&mut MlsClient) -> Result<T, ClientError>,
) -> &'static str {
    refused_by(&mut device.client, operation)
}

/// The digests of all groups as they were written before they were in the root: a record for each group,
/// a byte string or, first, a structure.
pub fn former_digests(database: &Database, as_bytes: bool) -> Vec<Record> {
    #[derive(serde::Serialize)]
    struct Digest {
        records: u64,
        sum: u64,
    }
    let category = Category::GroupDigest;
    let database = database.apart();
    let digest_of = |group: &str| {
        let of_group = database.records_where(|category, key| {
            category.scope() == Scope::Group && key.split('/').next() == Some(group)
        });
        // A format tag and a checksum go before the content.
        let checksum =
            |record: &Record| u64::from_le_bytes(*record.value[1..].first_chunk().unwrap());
        let (records, sum) = (
            of_group.len() as u64,
            of_group.iter().map(checksum).fold(0, u64::wrapping_add),
        );
        let content = match as_bytes {
            true => {
                let both = [records.to_le_bytes(), sum.to_le_bytes()].concat();
                rmp_serde::to_vec_named(serde_bytes::Bytes::new(&both)).unwrap()
            }
            false => rmp_serde::to_vec_named(&Digest { records, sum }).unwrap(),
        };
        let mut hasher = xxhash_rust::xxh64::Xxh64::new(0);
        for part in [
            category.name().as_bytes(),
            &[0],
            group.as_bytes(),
            &[0],
            &content,
        ] {
            hasher.update(part);
        }
        let mut bytes = vec![of_group[0].value[0]];
        bytes.extend(hasher.digest().to_le_bytes());
        bytes.extend(content);
        Record {
            category,
            key: group.into(),
            value: Value::new(zeroize::Zeroizing::new(bytes)),
        }
    };
    database.groups().into_iter().map(digest_of).collect()
}
