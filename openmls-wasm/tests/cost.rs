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
