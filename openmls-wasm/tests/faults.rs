//! Every operation, with a storage error at its n-th write, for every n: records, dirty events and
//! epoch authenticator are what they were, the error says that the store failed, and the operation
//! succeeds when it is tried again.

#![cfg(feature = "test-hooks")]

mod common;

use common::{bare::key_package_of, pair, Database, Device};
use openmls::prelude::Lifetime;
use openmls_wasm::{
    client::{
        CommitRequest, Delivered, DeliveredWelcome, GroupSettings, KeyPackageOptions, LeafUpdate,
        ProposalRequest,
    },
    storage::StorageEvent,
    ClientError, MlsClient,
};

/// The events a drain would hand over, without answering it for good.
fn dirty_events(client: &MlsClient) -> Vec<StorageEvent> {
    match client.drain_storage_events().unwrap() {
        Some(batch) => {
            client.put_back_batch(batch.sequence).unwrap();
            batch.events
        }
        None => vec![],
    }
}

fn authenticators(client: &mut MlsClient) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    let groups = client.list_groups().unwrap();
    let describe = |group: Vec<u8>| {
        let info = client.group_info(&group).unwrap();
        (group, info.epoch, info.epoch_authenticator)
    };
    groups.into_iter().map(describe).collect()
}

/// Fails `operation` at each of its writes. Returns how many there are.
fn fail_at_every_write(
    name: &str,
    device: &mut Device,
    operation: impl Fn(&mut MlsClient) -> Result<(), ClientError>,
) -> u64 {
    // Something of another operation is dirty already: it must stay so.
    device.client.create_group(Some(b"bystander")).unwrap();
    let client = &mut device.client;
    let records = Database::of(client);
    let events = dirty_events(client);
    let epochs = authenticators(client);
    for writes in 0.. {
        client.storage().fail_after(Some(writes)).unwrap();
        let result = operation(client);
        client.storage().fail_after(None).unwrap();
        let Err(error) = result else {
            assert_ne!(dirty_events(client), events, "{name} changed something");
            return writes;
        };
        assert_eq!(error.code(), "storage", "{name}, write {writes}: {error}");
        assert_eq!(
            Database::of(client),
            records,
            "{name}, write {writes}: records"
        );
        assert_eq!(
            dirty_events(client),
            events,
            "{name}, write {writes}: dirty events"
        );
        assert_eq!(
            authenticators(client),
            epochs,
            "{name}, write {writes}: epochs"
        );
        assert!(client.inbox().unwrap().is_empty() && client.outbox().unwrap().is_empty());
    }
    unreachable!()
}

/// The same, for an operation that works on a group of two; and afterwards the peers still talk.
fn in_a_pair(
    name: &str,
    prepare: impl Fn(&mut Device, &mut Device, &[u8]) -> Vec<u8>,
    operation: impl Fn(&mut MlsClient, &[u8], &[u8]) -> Result<(), ClientError>,
) {
    let (mut alice, mut bob, _, group) = pair();
    let input = prepare(&mut alice, &mut bob, &group);
    alice.save();
    let writes = fail_at_every_write(name, &mut alice, |client| operation(client, &group, &input));
    assert!(writes > 0, "{name} writes");
    println!("{name}: {writes} writes");
    alice.save();
    alice.crash();
    alice.client.group_info(&group).unwrap();
}

fn nothing(_: &mut Device, _: &mut Device, _: &[u8]) -> Vec<u8> {
    vec![]
}

#[test]
fn identity_and_key_packages() {
    let mut device = Device::new("alice");
    device.client = MlsClient::new();
    device.database = Database::default();
    for writes in 0.. {
        device.client.storage().fail_after(Some(writes)).unwrap();
        let result = device.client.create_identity(b"alice", 1);
        device.client.storage().fail_after(None).unwrap();
        if result.is_ok() {
            break;
        }
        assert_eq!(Database::of(&device.client), Database::default());
        assert_eq!(device.client.identity().unwrap(), None);
    }
    fail_at_every_write("key packages", &mut device, |client| {
        client.generate_key_packages(3).map(drop)
    });
    fail_at_every_write("last resort", &mut Device::new("x"), |client| {
        client.generate_last_resort_key_package().map(drop)
    });
    fail_at_every_write("create group", &mut Device::new("x"), |client| {
        client.create_group(Some(b"g")).map(drop)
    });
}

#[test]
fn keys_before_their_credential() {
    let mut device = Device::new("alice");
    device.client.generate_signature_key(1).unwrap();
    device.save();
    let writes = fail_at_every_write("generate signature key", &mut device, |client| {
        client.generate_signature_key(1).map(drop)
    });
    assert!(writes >= 4, "the one before goes, and both have a note");

    let mut client = MlsClient::new();
    client.generate_signature_key(1).unwrap();
    let before = Database::of(&client);
    for writes in 0.. {
        client.storage().fail_after(Some(writes)).unwrap();
        let result = client.create_identity(b"alice", 1);
        client.storage().fail_after(None).unwrap();
        if result.is_ok() {
            assert!(writes >= 4);
            break;
        }
        assert_eq!(Database::of(&client), before);
    }
}

#[test]
fn states_of_key_packages() {
    let with_two = || {
        let mut device = Device::new("alice");
        let made = device.client.generate_key_packages(2).unwrap();
        let reference = |bytes| device.client.inspect_key_package(bytes).unwrap().reference;
        let references: Vec<_> = made.iter().map(|bytes| reference(bytes)).collect();
        device.save();
        (device, references)
    };
    let (mut device, references) = with_two();
    fail_at_every_write("mark given out", &mut device, |client| {
        client.mark_key_packages_given_out(&references)
    });
    let (mut device, references) = with_two();
    fail_at_every_write("delete key packages", &mut device, |client| {
        client.delete_key_packages(&references)
    });

    let mut device = Device::new("x");
    for end in 1..3 {
        key_package_of(&device.client, 0, Lifetime::new(0).not_after() - end);
    }
    device.save();
    let writes = fail_at_every_write("purge", &mut device, |client| {
        client.purge_expired_key_packages().map(drop)
    });
    assert_eq!(writes, 4);

    let of_phone = Device::new("phone")
        .client
        .generate_key_packages(2)
        .unwrap();
    fail_at_every_write("note those of others", &mut Device::new("x"), |client| {
        client.note_key_packages_of_other_clients(&of_phone)
    });
    fail_at_every_write("replenish", &mut Device::new("x"), |client| {
        let options = KeyPackageOptions::default();
        client.replenish_key_packages(3, &options).map(drop)
    });
}

#[test]
fn encrypt_and_send() {
    in_a_pair("encrypt", nothing, |client, group, _| {
        client.encrypt_message(group, b"text").map(drop)
    });
    in_a_pair("send", nothing, |client, group, _| {
        client.send_message(group, b"text", None).map(drop)
    });
}

#[test]
fn commits() {
    in_a_pair("self-update", nothing, |client, group, _| {
        client.self_update(group, None).map(drop)
    });
    in_a_pair("remove", nothing, |client, group, _| {
        client.remove_members(group, &[1], None).map(drop)
    });
    in_a_pair("leave", nothing, |client, group, _| {
        client.leave_group(group, None).map(drop)
    });
    in_a_pair(
        "add",
        |_, _, _| {
            Device::new("carol")
                .client
                .generate_key_packages(1)
                .unwrap()
                .remove(0)
        },
        |client, group, package| {
            client
                .add_members(group, &[package.to_vec()], None)
                .map(drop)
        },
    );
    in_a_pair(
        "commit proposals",
        |alice, bob, group| {
            let leave = bob.client.leave_group(group, None).unwrap();
            alice.client.process_message(&leave.bytes.unwrap()).unwrap();
            vec![]
        },
        |client, group, _| client.commit_pending_proposals(group, None).map(drop),
    );
}

/// A commit whose entry is not in the outbox, so that the outbox is empty before and after.
fn pending_without_entry(alice: &mut Device, group: &[u8]) {
    let entry = alice.client.self_update(group, None).unwrap();
    alice.client.storage().fail_after(None).unwrap();
    let key: String = entry.id.bytes().map(|byte| format!("{byte:02x}")).collect();
    let records = alice.client.storage().records().unwrap();
    let others = records
        .into_iter()
        .filter(|record| record.key != key)
        .collect();
    alice.client = MlsClient::new();
    alice.client.hydrate(others).unwrap();
    alice.database = Database::of(&alice.client);
}

#[test]
fn merging_and_clearing() {
    let prepare = |alice: &mut Device, _: &mut Device, group: &[u8]| {
        pending_without_entry(alice, group);
        vec![]
    };
    in_a_pair("merge", prepare, |client, group, _| {
        client.merge_pending_commit(group)
    });
    in_a_pair("clear", prepare, |client, group, _| {
        client.clear_pending_commit(group)
    });
}

fn new_signature_key() -> LeafUpdate {
    LeafUpdate {
        new_signature_key: true,
        ..LeafUpdate::default()
    }
}

fn external_psk() -> ProposalRequest {
    ProposalRequest::ExternalPsk {
        psk_id: b"psk".to_vec(),
    }
}

/// Alice and Bob have a pre-shared key, and Bob has proposed it; Alice has proposed new keys twice.
fn with_proposals(alice: &mut Device, bob: &mut Device, group: &[u8]) -> Vec<u8> {
    for device in [&mut *alice, &mut *bob] {
        let stored = device.client.store_external_psk(b"psk", b"secret");
        stored.unwrap();
    }
    let entry = bob.client.propose(group, &external_psk(), b"", None);
    let message = entry.unwrap().bytes.unwrap();
    alice.client.process_message(&message).unwrap();
    for _ in 0..2 {
        let update = ProposalRequest::Update(new_signature_key());
        let entry = alice.client.propose(group, &update, b"", None).unwrap();
        alice.client.acknowledge_outbox(&entry.id).unwrap();
    }
    let pending = alice.client.pending_proposals(group).unwrap();
    pending[1].reference.clone()
}

#[test]
fn proposals_and_what_becomes_of_them() {
    in_a_pair("propose new keys", with_proposals, |client, group, _| {
        let update = ProposalRequest::Update(new_signature_key());
        client.propose(group, &update, b"", None).map(drop)
    });
    in_a_pair("propose a psk", with_proposals, |client, group, _| {
        client.propose(group, &external_psk(), b"", None).map(drop)
    });
    // With the proposals in the queue taken out and put back.
    in_a_pair(
        "commit new keys and psks",
        with_proposals,
        |client, group, _| {
            let request = CommitRequest {
                proposals: vec![external_psk()],
                leaf: new_signature_key(),
                ..CommitRequest::default()
            };
            client.commit(group, &request, None).map(drop)
        },
    );
    in_a_pair("drop one", with_proposals, |client, group, reference| {
        client.remove_pending_proposal(group, reference)
    });
    in_a_pair("drop all", with_proposals, |client, group, _| {
        client.clear_pending_proposals(group)
    });
    // What an epoch leaves behind is collected in the same batch.
    let losing_it = |alice: &mut Device, bob: &mut Device, group: &[u8]| {
        with_proposals(alice, bob, group);
        let entry = bob.client.self_update(group, None).unwrap();
        entry.bytes.unwrap()
    };
    in_a_pair("lose the epoch", losing_it, |client, _, commit| {
        client.process_message(commit).map(drop)
    });
}

#[test]
fn settings_of_a_group() {
    let keeping = |max_past_epochs| GroupSettings {
        max_past_epochs,
        ..GroupSettings::default()
    };
    let prepare = |alice: &mut Device, bob: &mut Device, group: &[u8]| {
        alice.client.configure_group(group, &keeping(3)).unwrap();
        let entry = bob.client.self_update(group, None).unwrap();
        let commit = entry.bytes.unwrap();
        alice.client.process_message(&commit).unwrap();
        vec![]
    };
    in_a_pair("configure", prepare, |client, group, _| {
        client.configure_group(group, &keeping(1))
    });
    in_a_pair("delete past epochs", prepare, |client, group, _| {
        client.delete_past_epoch_secrets(group, None, None)
    });
}

#[test]
fn processing_what_comes_in() {
    type Peer = fn(&mut MlsClient, &[u8]) -> Vec<u8>;
    let incoming: [(&str, Peer); 4] = [
        ("message", |bob, group| {
            bob.encrypt_message(group, b"text").unwrap()
        }),
        ("proposal", |bob, group| {
            bob.leave_group(group, None).unwrap().bytes.unwrap()
        }),
        ("update", |bob, group| {
            bob.self_update(group, None).unwrap().bytes.unwrap()
        }),
        ("own removal", |bob, group| {
            bob.remove_members(group, &[0], None)
                .unwrap()
                .bytes
                .unwrap()
        }),
    ];
    for (name, make) in incoming {
        let prepare = |_: &mut Device, bob: &mut Device, group: &[u8]| make(&mut bob.client, group);
        in_a_pair(&format!("process {name}"), prepare, |client, _, bytes| {
            client.process_message(bytes).map(drop)
        });
        in_a_pair(&format!("receive {name}"), prepare, |client, _, bytes| {
            let delivered = Delivered {
                bytes,
                id: Some("id"),
                position: Some(2),
                ..Default::default()
            };
            client.receive_message(delivered).map(drop)
        });
    }
}

#[test]
fn deleting_a_group() {
    let (mut alice, _, _, group) = pair();
    fail_at_every_write("delete group", &mut alice, |client| {
        client.delete_group(&group)
    });
    assert_eq!(alice.client.list_groups().unwrap(), [b"bystander"]);
}

#[test]
fn joining() {
    for receive in [false, true] {
        let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
        let package = bob.client.generate_key_packages(1).unwrap();
        bob.save();
        let group = alice.client.create_group(None).unwrap();
        let entry = alice.client.add_members(&group, &package, None).unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        let bytes = entry.welcome.unwrap();
        fail_at_every_write("join", &mut bob, |client| {
            if !receive {
                return client.join_group(&bytes).map(drop);
            }
            let delivered = DeliveredWelcome {
                bytes: &bytes,
                id: None,
                position: Some(1),
                group_position: Some(1),
                ..Default::default()
            };
            client.receive_welcome(delivered).map(drop)
        });
        common::assert_in_step(&mut alice, &mut bob, &group);
    }
}
