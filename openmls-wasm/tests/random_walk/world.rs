//! The clients, the service between them, and one step of a walk.

use std::{collections::BTreeMap, rc::Rc};

use openmls_wasm::client::{GroupSettings, OutboxEntry, WireFormatPolicy};

use super::{
    device::{Device, Expected, Named, Published, Release},
    operations::OPERATIONS,
    rng::Rng,
    service::{ClientIndex, Group, GroupIndex, Members, Sent, Welcome, Wire},
    view::{GroupView, View},
};

/// A message on its way from client to client.
#[derive(Clone)]
pub struct Aside {
    pub sent: Rc<Sent>,
}

pub struct World {
    pub rng: Rng,
    pub devices: Vec<Device>,
    pub groups: Vec<Group>,
    /// By client: what others can fetch.
    pub packages: Vec<Vec<Published>>,
    pub welcomes: Vec<Vec<Rc<Welcome>>>,
    pub asides: Vec<Vec<Aside>>,
    /// How often each operation was done.
    pub counts: BTreeMap<String, usize>,
    pub step: usize,
    pub suite: u16,
    next_number: u64,
    trace: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let count = 3 + rng.below(6);
        let suite = rng.one_of(&[1, 1, 3]);
        Self {
            devices: (0..count)
                .map(|client| Device::new(client, suite, rng.chance(30), rng.chance(50)))
                .collect(),
            groups: vec![],
            packages: vec![vec![]; count],
            welcomes: (0..count).map(|_| vec![]).collect(),
            asides: vec![vec![]; count],
            counts: BTreeMap::new(),
            step: 0,
            suite,
            next_number: 0,
            trace: vec![],
            rng,
        }
    }

    /// One client does one thing, and the world goes on.
    pub fn step(&mut self) {
        self.step += 1;
        let client = self.rng.below(self.devices.len());
        let World { devices, rng, .. } = self;
        devices[client].evict(rng);
        loop {
            let (name, _, operation) = self.draw();
            self.note(format!("client {client}: {name}"));
            if operation(self, client) {
                self.tally(name.into());
                break;
            }
            self.trace.pop();
        }
        let World { devices, rng, .. } = self;
        let (released, word) = devices[client].settle(rng);
        self.note(format!("client {client}: {word}"));
        self.tally(format!("  {word}"));
        self.release(client, released);
        self.check_client(client);
        if self.step.is_multiple_of(super::DEEP_CHECK_EVERY) {
            self.check_everything();
        }
    }

    fn draw(&mut self) -> super::operations::Operation {
        let total = OPERATIONS.iter().map(|(_, weight, _)| weight).sum();
        let mut drawn = self.rng.below(total);
        for operation in OPERATIONS {
            if drawn < operation.1 {
                return *operation;
            }
            drawn -= operation.1;
        }
        unreachable!()
    }

    pub fn release(&mut self, from: ClientIndex, released: Vec<Release>) {
        for release in released {
            match release {
                Release::KeyPackage(package) => self.packages[from].push(package),
                Release::Aside(sent) => {
                    let members = &self.groups[sent.group].epochs[sent.epoch as usize].members;
                    let others = members.values().filter(|client| **client != from);
                    for client in others {
                        self.asides[*client].push(Aside { sent: sent.clone() });
                    }
                }
            }
        }
    }

    pub fn note(&mut self, line: String) {
        self.trace.push(format!("{:5} {line}", self.step));
        if self.trace.len() > 400 {
            self.trace.drain(..200);
        }
    }

    /// Counts what came of an operation.
    pub fn tally(&mut self, what: String) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// An id of the app's, or none.
    pub fn some_id(&mut self) -> Option<String> {
        let number = self.number();
        self.rng.chance(50).then(|| format!("id {number}"))
    }

    /// Authenticated data, often none.
    pub fn some_data(&mut self) -> Vec<u8> {
        let length = self.rng.one_of(&[0, 0, 3]);
        vec![7; length]
    }

    pub fn who(&self, named: &impl Named) -> ClientIndex {
        let name = named.owner();
        let known = |device: &Device| device.names.contains(&name);
        self.devices.iter().position(known).expect("a known name")
    }

    pub fn index_of(&self, group_id: &[u8]) -> GroupIndex {
        let known = |group: &Group| group.id == group_id;
        self.groups.iter().position(known).expect("a known group")
    }

    /// A group that the client has, active or not.
    pub fn any_group(&mut self, client: ClientIndex) -> Option<GroupIndex> {
        let known: Vec<GroupIndex> = self.devices[client].view.groups.keys().copied().collect();
        self.rng.pick(&known)
    }

    pub fn active_group(&mut self, client: ClientIndex) -> Option<GroupIndex> {
        let groups = &self.devices[client].view.groups;
        let active = groups.iter().filter(|(_, view)| view.active);
        let active: Vec<GroupIndex> = active.map(|(group, _)| *group).collect();
        self.rng.pick(&active)
    }

    pub fn view(&self, client: ClientIndex, group: GroupIndex) -> &GroupView {
        &self.devices[client].view.groups[&group]
    }

    /// A key package that a client has published; one for one use is gone then.
    pub fn take_package(&mut self, owner: ClientIndex) -> Option<Published> {
        let packages = &mut self.packages[owner];
        if packages.is_empty() {
            return None;
        }
        let index = self.rng.below(packages.len());
        Some(match packages[index].last_resort {
            true => packages[index].clone(),
            false => packages.remove(index),
        })
    }

    /// The members as this client must see them.
    pub fn members(&self, client: ClientIndex, group: GroupIndex) -> &Members {
        let epoch = self.view(client, group).epoch;
        &self.groups[group].epochs[epoch as usize].members
    }

    /// Settings for a group that others can live with.
    pub fn settings(&mut self, wire: Wire, past: u64, strict: bool) -> GroupSettings {
        use WireFormatPolicy::{MixedCiphertext, MixedPlaintext, PureCiphertext, PurePlaintext};
        let rng = &mut self.rng;
        GroupSettings {
            wire_format_policy: match wire {
                Wire::Ciphertext => PureCiphertext,
                Wire::Plaintext => PurePlaintext,
                Wire::Mixed => rng.one_of(&[MixedCiphertext, MixedPlaintext]),
            },
            padding_size: rng.one_of(&[0, 0, 32]),
            maximum_forward_distance: rng.one_of(&[100, 1000]),
            out_of_order_tolerance: rng.one_of(if strict { &[5, 20] } else { &[0, 1, 5, 20] }),
            max_past_epochs: past as usize + rng.below(3),
            max_past_epoch_age: None,
            number_of_resumption_psks: rng.one_of(&[0, 1, 2, 3, 3, 8]),
            use_ratchet_tree_extension: rng.chance(70),
        }
    }

    /// Does an operation of one client and compares what it comes to.
    pub fn attempt<T: std::fmt::Debug>(
        &mut self,
        client: ClientIndex,
        expected: impl Into<Expected>,
        operation: impl FnMut(&mut openmls_wasm::MlsClient) -> Result<T, openmls_wasm::ClientError>,
    ) -> Option<T> {
        self.devices[client].attempt(expected.into(), operation)
    }

    /// Does what must change nothing, whatever it comes to.
    pub fn look<T: std::fmt::Debug>(
        &mut self,
        client: ClientIndex,
        expected: impl Into<Expected>,
        operation: impl FnMut(&mut openmls_wasm::MlsClient) -> Result<T, openmls_wasm::ClientError>,
    ) -> Option<T> {
        let device = &mut self.devices[client];
        let (before, dirty) = (device.everything(), device.is_saved());
        let seen = device.attempt(expected.into(), operation);
        assert!(device.everything() == before && device.is_saved() == dirty);
        seen
    }

    /// Whether the entry, with these bytes, is in the database: then it may be uploaded.
    pub fn is_durable(&self, client: ClientIndex, entry: &OutboxEntry) -> bool {
        let same =
            |held: &super::view::Held| held.entry.id == entry.id && held.entry.bytes == entry.bytes;
        self.devices[client].saved.outbox.iter().any(same)
    }

    pub fn view_mut(&mut self, client: ClientIndex) -> &mut View {
        &mut self.devices[client].view
    }
}

impl Drop for World {
    /// A walk that fails tells how it got there.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let shown = self.trace.len().saturating_sub(60);
            eprintln!("{}", self.trace[shown..].join("\n"));
        }
    }
}
