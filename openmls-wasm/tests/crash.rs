//! The process dies at every batch, with the batch not written and with the batch written and
//! never confirmed. Whoever starts again from the database goes on with its peers: no Welcome
//! lost, no key used twice, no epoch wrong, no message lost or handed over under two ids.

mod common;

use std::rc::Rc;

use common::{assert_in_step, Crash, Device, Plan, Service, Upload};
use openmls_wasm::{client::InboxContent, MlsClient};

const GROUP: &[u8] = b"the group";

/// Alice, Bob and Carol do everything this client can do. Each step says what must hold in the end;
/// it is taken again if a crash undid it, as a person whose call never returned would.
struct World {
    alice: Device,
    bob: Device,
    carol: Device,
    service: Service,
    /// Key packages that left their device.
    published: Vec<(&'static str, Vec<u8>)>,
}

impl World {
    fn new(plan: &Rc<Plan>) -> Self {
        let device = || Device::with(MlsClient::new(), plan.clone());
        Self {
            alice: device(),
            bob: device(),
            carol: device(),
            service: Service::default(),
            published: vec![],
        }
    }

    fn sync(&mut self) {
        for _ in 0..2 {
            for device in [&mut self.alice, &mut self.bob, &mut self.carol] {
                device.sync(&mut self.service, GROUP);
            }
        }
    }

    fn run(&mut self) {
        for (name, pick) in [("alice", 0), ("bob", 1), ("carol", 2)] {
            repeat(|| {
                let device = self.device(pick);
                if device.client.identity().unwrap().is_none() {
                    device.client.create_identity(name.as_bytes(), 1).unwrap();
                }
                device.save()
            });
        }
        for (name, pick) in [("bob", 1), ("carol", 2)] {
            repeat(|| {
                let device = self.device(pick);
                let packages = device.client.generate_key_packages(1).unwrap();
                // Released only once it is stored (G1).
                if !device.save() {
                    return false;
                }
                self.published.push((name, packages[0].clone()));
                true
            });
        }
        repeat(|| {
            if self.alice.client.list_groups().unwrap().is_empty() {
                self.alice.client.create_group(Some(GROUP)).unwrap();
            }
            self.alice.save()
        });
        self.add("bob");
        self.send(0, "a1");
        self.send(1, "b1");
        self.sync();
        self.add("carol");
        self.send(2, "c1");
        self.commit(0, "update-a", |client, id| {
            client.self_update(GROUP, id).map(drop)
        });
        // Both commit in one epoch, with messages on their way.
        self.send(0, "a2");
        self.begin(1, "update-b", |client, id| {
            client.self_update(GROUP, id).map(drop)
        });
        self.begin(0, "update-a2", |client, id| {
            client.self_update(GROUP, id).map(drop)
        });
        self.send(1, "b2");
        self.sync();
        // Bob leaves; whoever hears of it first commits it, and Alice has something to say.
        repeat(|| {
            if !self.bob.info(GROUP).is_active {
                return true;
            }
            match self.bob.client.leave_group(GROUP, None) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.code(), "leave-pending"),
            }
            self.bob.save()
        });
        self.bob.sync(&mut self.service, GROUP);
        self.send(0, "a3");
        self.sync();
        let carol = self.alice.info(GROUP).members.last().unwrap().leaf_index;
        self.send(2, "c2");
        self.sync();
        self.commit(0, "remove", |client, id| {
            client.remove_members(GROUP, &[carol], id).map(drop)
        });
    }

    fn device(&mut self, pick: usize) -> &mut Device {
        [&mut self.alice, &mut self.bob, &mut self.carol][pick]
    }

    fn add(&mut self, name: &'static str) {
        let package = self
            .published
            .iter()
            .find(|(of, _)| *of == name)
            .unwrap()
            .1
            .clone();
        self.commit(0, name, |client, id| {
            client
                .add_members(GROUP, std::slice::from_ref(&package), id)
                .map(drop)
        });
    }

    /// Begins a commit unless it was begun or has happened.
    fn begin(
        &mut self,
        pick: usize,
        id: &str,
        commit: impl Fn(&mut MlsClient, Option<&str>) -> Result<(), openmls_wasm::ClientError>,
    ) {
        repeat(|| {
            let done = self.service.log().iter().any(|logged| logged.id == id);
            let device = self.device(pick);
            let begun = device
                .client
                .outbox()
                .unwrap()
                .iter()
                .any(|entry| entry.id == id);
            if !done && !begun {
                commit(&mut device.client, Some(id)).unwrap();
            }
            device.save()
        });
    }

    fn commit(
        &mut self,
        pick: usize,
        id: &str,
        commit: impl Fn(&mut MlsClient, Option<&str>) -> Result<(), openmls_wasm::ClientError>,
    ) {
        self.begin(pick, id, commit);
        self.sync();
        assert!(
            self.service.log().iter().any(|logged| logged.id == id),
            "{id} was accepted"
        );
    }

    /// Sends a message whose id is its text, unless a crash left it in outbox, log or history.
    fn send(&mut self, pick: usize, text: &str) {
        repeat(|| {
            let accepted = self.service.log().iter().any(|logged| logged.id == text);
            let device = self.device(pick);
            let waits = device
                .client
                .outbox()
                .unwrap()
                .iter()
                .any(|entry| entry.id == text);
            if !accepted && !waits {
                device
                    .client
                    .send_message(GROUP, text.as_bytes(), Some(text))
                    .unwrap();
            }
            device.save()
        });
    }

    fn check(&mut self) {
        self.sync();
        for device in [&self.alice, &self.bob, &self.carol] {
            assert_eq!(device.failures, [""; 0], "nothing failed to be processed");
            for (id, text) in &device.history {
                assert_eq!(id.as_bytes(), text);
            }
            assert!(device.client.inbox().unwrap().is_empty());
        }
        assert!(self.alice.client.outbox().unwrap().is_empty());
        assert_eq!(
            history(&self.alice),
            ["a1", "a2", "a3", "b1", "b2", "c1", "c2"]
        );
        // Whether Alice's a3 or the commit of Bob's leaving came first is open.
        let mut of_bob = history(&self.bob);
        of_bob.retain(|text| text != "a3");
        assert_eq!(of_bob, ["a1", "a2", "b1", "b2", "c1"]);
        assert_eq!(history(&self.carol), ["a2", "a3", "b2", "c1", "c2"]);
        assert!(!self.bob.info(GROUP).is_active && !self.carol.info(GROUP).is_active);
        assert_eq!(self.alice.info(GROUP).members.len(), 1);
    }
}

fn history(device: &Device) -> Vec<String> {
    let mut texts = common::texts(device);
    texts.sort();
    texts
}

/// Takes a step until it is stored.
fn repeat(mut step: impl FnMut() -> bool) {
    while !step() {}
}

#[test]
fn a_crash_at_any_batch_loses_and_repeats_nothing() {
    let plan: Rc<Plan> = Rc::default();
    let mut world = World::new(&plan);
    world.run();
    world.check();
    let batches = plan.batches.get();
    assert!(
        batches > 40,
        "the walk through all operations makes {batches} batches"
    );
    for at in 0..batches {
        for crash in [Crash::Before, Crash::After] {
            let plan: Rc<Plan> = Rc::default();
            plan.crash_at.set(Some((at, crash)));
            let mut world = World::new(&plan);
            println!("crash at batch {at} of {batches}, {crash:?}");
            world.run();
            world.check();
        }
    }
}

/// What the walk above would look like without G1: this is what its checks are there to find.
#[test]
fn a_message_released_before_it_is_stored_is_lost_for_its_receiver() {
    let (mut alice, mut bob, mut service, group) = common::pair();
    let entry = alice
        .client
        .send_message(&group, b"too early", Some("1"))
        .unwrap();
    assert_eq!(service.upload(&entry), Upload::Accepted);
    alice.crash();
    bob.sync(&mut service, &group);
    alice
        .client
        .send_message(&group, b"same generation", Some("2"))
        .unwrap();
    alice.save();
    let entry = alice.client.outbox().unwrap().remove(0);
    service.upload(&entry);
    bob.receive_log(&service, &group).unwrap();
    let last = bob.client.inbox().unwrap().pop().unwrap();
    assert_eq!(
        last.content,
        InboxContent::Failed {
            code: "duplicate-message".into()
        }
    );
}

#[test]
fn a_lost_batch_keeps_the_welcome_usable() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let package = bob.client.generate_key_packages(1).unwrap();
    bob.save();
    let group = alice.client.create_group(None).unwrap();
    let entry = alice.client.add_members(&group, &package, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    let welcome = entry.welcome.unwrap();
    bob.client.join_group(&welcome).unwrap();
    bob.crash();
    assert!(bob.client.list_groups().unwrap().is_empty());
    assert_eq!(bob.client.join_group(&welcome).unwrap(), group);
    assert_in_step(&mut alice, &mut bob, &group);
}

#[test]
fn a_pending_commit_survives_and_can_be_merged_or_cleared() {
    for merge in [true, false] {
        let (mut alice, _, _, group) = common::pair();
        alice.client.self_update(&group, Some("c")).unwrap();
        alice.save();
        alice.crash();
        let before = alice.info(&group);
        assert!(before.has_pending_commit);
        if merge {
            alice.client.merge_pending_commit(&group).unwrap();
        } else {
            alice.client.reject_commit("c").unwrap();
        }
        let after = alice.info(&group);
        assert_eq!(after.epoch, before.epoch + u64::from(merge));
        assert!(!after.has_pending_commit && alice.client.outbox().unwrap().is_empty());
    }
}
