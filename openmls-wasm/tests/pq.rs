//! The build with post-quantum ciphersuites (draft-ietf-mls-pq-ciphersuites):
//! `cargo test -p openmls-wasm --features pq --test pq -- --nocapture` prints sizes beside suite 1.

#![cfg(feature = "pq")]

mod common;

use common::{assert_in_step, Device};
use openmls_wasm::{
    client::{KeyPackageOptions, ProcessedContent},
    MlsClient,
};

/// Those that RustCrypto implements. The KEM of 0x004E, 0x004F and 0x0052 is X-Wing (ML-KEM-768 + X25519);
/// 0x004D, which had it before the draft numbered them, is the only one it does not offer.
const SUITES: [u16; 9] = [
    0x0042, 0x004e, 0x004f, 0x0050, 0x0051, 0x0052, 0x0906, 0x0907, 0xf042,
];
/// X-Wing with Ed25519.
const HYBRID: u16 = 0x004f;

fn device(name: &str, suite: u16) -> Device {
    let mut client = MlsClient::new();
    client.create_identity(name.as_bytes(), suite).unwrap();
    let mut device = Device::with(client, Default::default());
    device.save();
    device
}

/// Writes what changed, and starts again from the database.
fn reload(devices: &mut [&mut Device]) {
    for device in devices {
        device.save();
        device.crash();
    }
}

fn read(device: &mut Device, bytes: &[u8]) -> ProcessedContent {
    device.client.process_message(bytes).unwrap().content
}

fn assert_read(device: &mut Device, bytes: &[u8], expected: &[u8]) {
    let ProcessedContent::Message { plaintext, .. } = read(device, bytes) else {
        panic!("no message");
    };
    assert_eq!(plaintext, expected);
}

/// Bytes of a key package, of the commit that adds two, of its Welcome, of the commit that removes one.
type Sizes = [usize; 4];

/// A group of three: add, message, remove, message, update, with a reload after every step.
fn group_of_three(suite: u16) -> Sizes {
    let [mut alice, mut bob, mut carol] = ["alice", "bob", "carol"].map(|name| device(name, suite));
    let group = alice.client.create_group(None).unwrap();
    let of_bob = bob.client.generate_key_packages(1).unwrap().remove(0);
    let of_carol = carol.client.generate_key_packages(1).unwrap().remove(0);
    reload(&mut [&mut alice, &mut bob, &mut carol]);
    let key_package = of_bob.len();
    assert_eq!(
        alice
            .client
            .inspect_key_package(&of_bob)
            .unwrap()
            .ciphersuite,
        suite
    );
    let both = [of_bob, of_carol];
    let add = alice.client.add_members(&group, &both, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    let welcome = add.welcome.unwrap();
    bob.client.join_group(&welcome).unwrap();
    carol.client.join_group(&welcome).unwrap();
    reload(&mut [&mut alice, &mut bob, &mut carol]);
    assert_in_step(&mut alice, &mut bob, &group);
    assert_in_step(&mut alice, &mut carol, &group);

    let hello = carol.client.encrypt_message(&group, b"hello").unwrap();
    reload(&mut [&mut carol]);
    assert_read(&mut alice, &hello, b"hello");
    assert_read(&mut bob, &hello, b"hello");

    let remove = bob.client.remove_members(&group, &[2], None).unwrap();
    bob.client.merge_pending_commit(&group).unwrap();
    let remove = remove.bytes.unwrap();
    read(&mut alice, &remove);
    read(&mut carol, &remove);
    reload(&mut [&mut alice, &mut bob, &mut carol]);
    assert_in_step(&mut alice, &mut bob, &group);
    assert!(!carol.info(&group).is_active);

    let update = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    read(&mut bob, &update.bytes.unwrap());
    reload(&mut [&mut alice, &mut bob]);
    assert_in_step(&mut alice, &mut bob, &group);
    let bye = alice.client.encrypt_message(&group, b"bye").unwrap();
    assert_read(&mut bob, &bye, b"bye");

    // Somebody who joins by itself has the suite in its leaf too.
    let info = alice.client.export_group_info(&group, true).unwrap();
    let mut dave = device("dave", suite);
    let joins = dave
        .client
        .join_by_external_commit(&info, &Default::default(), None)
        .unwrap();
    read(&mut alice, &joins.bytes.unwrap());
    assert_eq!(alice.info(&group).members.len(), 3);

    let add = add.bytes.unwrap();
    [key_package, add.len(), welcome.len(), remove.len()]
}

#[test]
fn a_group_of_three_in_every_suite() {
    let mut offered = MlsClient::new().supported_ciphersuites();
    offered.sort_unstable();
    assert_eq!(offered, [&[1, 2, 3][..], &SUITES].concat());
    let columns = [
        "suite",
        "key package",
        "commit (add 2)",
        "Welcome (2)",
        "commit (remove)",
    ];
    println!("{}", columns.map(|column| format!("{column:>16}")).concat());
    for suite in [1].into_iter().chain(SUITES) {
        let sizes = group_of_three(suite);
        let sizes = sizes.map(|size| format!("{size:>16}")).concat();
        println!("{:>16}{sizes}", format!("{suite:#06x}"));
    }
}

#[test]
fn one_identity_is_in_classical_and_post_quantum_groups() {
    // Both suites sign with Ed25519.
    let (mut alice, mut bob) = (device("alice", HYBRID), device("bob", 1));
    let group = alice.client.create_group(None).unwrap();
    let options = KeyPackageOptions {
        ciphersuite: Some(HYBRID),
        ..Default::default()
    };
    let made = bob.client.generate_key_packages_with(&options).unwrap();
    let added = alice.client.add_members(&group, &made, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    bob.client.join_group(&added.welcome.unwrap()).unwrap();
    reload(&mut [&mut alice, &mut bob]);
    assert_in_step(&mut alice, &mut bob, &group);
}
