//! What an operation writes, in bytes: cost follows the change (G9).

mod common;

use common::{pair, Device};
use openmls_wasm::storage::{Batch, Scope, StorageEvent};

/// The bytes of MLS values in a batch: records of groups, not those of outbox, inbox and cursor.
fn mls_bytes(batch: &Batch) -> usize {
    let mls = batch.events.iter().filter(|event| {
        event.category.scope() == Scope::Group && event.category.name() != "delivery_cursor"
    });
    mls.map(|event| event.value.as_ref().map_or(0, |value| value.len()))
        .sum()
}

fn drained(device: &mut Device) -> Batch {
    let batch = device.client.drain_storage_events().unwrap().unwrap();
    device.client.confirm_batch(batch.sequence).unwrap();
    batch
}

#[test]
fn a_message_between_two_writes_at_most_1000_bytes_however_many_there_were() {
    let (mut alice, mut bob, _, group) = pair();
    for round in 0..200 {
        let message = alice.client.encrypt_message(&group, &[7; 256]).unwrap();
        let encrypted = drained(&mut alice);
        bob.client.process_message(&message).unwrap();
        let decrypted = drained(&mut bob);
        std::mem::swap(&mut alice, &mut bob);
        for (what, batch) in [("encrypt", encrypted), ("decrypt", decrypted)] {
            let written: Vec<_> = batch.events.iter().map(|e| e.category.name()).collect();
            assert_eq!(
                written,
                ["digest_root", "message_secrets"],
                "{what} writes message_secrets and the digest of the group in the root, and nothing else"
            );
            let bytes = mls_bytes(&batch);
            assert!(bytes <= 1000, "{what} {round} wrote {bytes} bytes");
            let root = root_bytes(&batch);
            assert!(
                root <= MAX_ROOT,
                "{what} {round} wrote a root of {root} bytes"
            );
            if round == 199 {
                println!("{what}: {bytes} bytes, and a root of {root}");
            }
        }
    }
}

/// The secrets that end with an epoch in which everybody has spoken are many records, and few ranges: the handshake
/// ratchets of that epoch, and all of the one that is retained no longer.
#[test]
fn what_ends_with_an_epoch_is_deleted_by_ranges() {
    let (mut alice, _, _, group) = pair();
    let mut others: Vec<Device> = (0..10).map(|n| Device::new(&format!("m{n}"))).collect();
    let packages: Vec<_> = others
        .iter_mut()
        .flat_map(|other| other.client.generate_key_packages(1).unwrap())
        .collect();
    let commit = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    for other in &mut others {
        let welcome = commit.welcome.as_ref().unwrap();
        other.client.join_group(welcome).unwrap();
    }
    for round in 0..12 {
        for other in &mut others {
            let message = other.client.encrypt_message(&group, b"hello").unwrap();
            alice.client.process_message(&message).unwrap();
        }
        alice.save();
        let commit = alice.client.self_update(&group, None).unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        for other in &mut others {
            let bytes = commit.bytes.as_ref().unwrap();
            other.client.process_message(bytes).unwrap();
        }
        let batch = alice.client.drain_storage_events().unwrap().unwrap();
        alice.database.write(&batch);
        alice.client.confirm_batch(batch.sequence).unwrap();
        let of_parts = |event: &StorageEvent| event.category.has_parts() && event.value.is_none();
        let (mut deleted, mut requests) = (0, 0);
        for (place, event) in batch.events.iter().enumerate() {
            if of_parts(event) {
                deleted += 1;
                let place = place as u32;
                let inside = |(first, last): &(u32, u32)| (*first + 1..=*last).contains(&place);
                requests += usize::from(!batch.deleted_ranges.iter().any(inside));
            }
        }
        let of_old_epoch = if round > 10 { 5 } else { 0 };
        assert!(deleted >= 5 + of_old_epoch, "{round}: {deleted}");
        // The ratchets, an inner node of that epoch, and the old epoch.
        assert!(requests <= 3, "{round}: {deleted} in {requests}");
    }
}

/// What changes with every commit is a record for the lot of it, and not a dozen: each is a request to IndexedDB.
#[test]
fn a_commit_writes_few_records() {
    let (mut alice, mut bob, _, group) = pair();
    for _ in 0..12 {
        let commit = alice.client.self_update(&group, None).unwrap();
        drained(&mut alice);
        alice.client.merge_pending_commit(&group).unwrap();
        bob.client.process_message(&commit.bytes.unwrap()).unwrap();
        for device in [&mut alice, &mut bob] {
            let batch = drained(device);
            let put = batch.events.iter().filter(|event| event.value.is_some());
            let put: Vec<_> = put.map(|event| event.category.name()).collect();
            assert_eq!(
                put,
                [
                    "digest_root",
                    "group_summary",
                    // Of the epoch that is over, and of the new one.
                    "message_secrets",
                    "message_secrets",
                    "epoch_records"
                ]
            );
        }
        std::mem::swap(&mut alice, &mut bob);
    }
}

/// The nodes at the root of both trees change with every commit too, and are in those records.
#[test]
fn a_commit_writes_of_a_tree_what_is_below_its_root() {
    let (mut alice, _, _, group) = pair();
    let others: Vec<Device> = (0..30).map(|n| Device::new(&format!("m{n}"))).collect();
    let packages = others
        .into_iter()
        .flat_map(|mut other| other.client.generate_key_packages(1).unwrap());
    let packages: Vec<_> = packages.collect();
    alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    drained(&mut alice);
    for _ in 0..3 {
        alice.client.self_update(&group, None).unwrap();
        drained(&mut alice);
        alice.client.merge_pending_commit(&group).unwrap();
        let batch = drained(&mut alice);
        let put = batch.events.iter().filter(|event| event.value.is_some());
        let put: Vec<_> = put.map(|event| event.category.name()).collect();
        let of = |name: &str| put.iter().filter(|put| **put == name).count();
        // With two levels to a part: the own leaf, and four of five levels. Of the secrets the two heads.
        assert_eq!((of("tree"), of("message_secrets")), (3, 2), "{put:?}");
    }
}

/// The root has the digests of 16 groups, however many there are.
const MAX_ROOT: usize = 700;

fn root_bytes(batch: &Batch) -> usize {
    let root = batch
        .events
        .iter()
        .filter(|event| event.category.name().starts_with("digest_"));
    root.map(|event| event.value.as_ref().map_or(0, |value| value.len()))
        .sum()
}

#[test]
fn a_message_in_one_of_400_groups_writes_a_branch_and_a_leaf_of_the_root_at_most() {
    let mut alice = Device::new("alice");
    let groups: Vec<_> = (0..400)
        .map(|_| alice.client.create_group(None).unwrap())
        .collect();
    drained(&mut alice);
    for group in groups.iter().chain(&groups).chain(&groups[399..]) {
        alice.client.encrypt_message(group, &[7; 256]).unwrap();
        let batch = drained(&mut alice);
        let of_root = |event: &&StorageEvent| event.category.name().starts_with("digest_");
        assert!(batch.events.iter().filter(of_root).count() <= 3);
        let root = root_bytes(&batch);
        assert!(root <= MAX_ROOT + 700, "wrote {root} bytes of the root");
    }
    // In a group that is named by the root already.
    alice
        .client
        .encrypt_message(&groups[399], &[7; 256])
        .unwrap();
    assert!(root_bytes(&drained(&mut alice)) <= MAX_ROOT);
}
