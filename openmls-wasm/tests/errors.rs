//! Errors that no other test brings about, each by what leads to it in life, and each with the state afterwards compared
//! with the state before.

mod common;

use std::sync::Arc;

use common::{pair, refused_by as refused, Device};
use openmls::prelude::SignatureScheme;
use openmls_basic_credential::SignatureKeyPair;
use openmls_wasm::{
    client::{CommitRequest, Delivered, GroupSettings, ProposalRequest, WireFormatPolicy},
    storage::{Category, Record},
    GranularStorage, MlsClient,
};
use zeroize::Zeroizing;

/// The records of a client, with one category changed.
fn records_but(
    client: &MlsClient,
    category: Category,
    change: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) -> Vec<Record> {
    let records = client.storage().records().unwrap();
    let changed = |record: Record| {
        if record.category != category {
            return Some(record);
        }
        let value = Arc::new(Zeroizing::new(change(record.value.to_vec())?));
        Some(Record { value, ..record })
    };
    records.into_iter().filter_map(changed).collect()
}

/// A group of two with these settings: its first member, the second one, its id.
fn pair_with(settings: GroupSettings) -> (MlsClient, MlsClient, Vec<u8>) {
    let [mut alice, mut bob] = ["alice", "bob"].map(|name| {
        let mut client = Device::new(name).client;
        client.set_group_settings(settings.clone());
        client
    });
    let group = alice.create_group(None).unwrap();
    let key_packages = bob.generate_key_packages(1).unwrap();
    let commit = alice.add_members(&group, &key_packages, None).unwrap();
    alice.merge_pending_commit(&group).unwrap();
    bob.join_group(&commit.welcome.unwrap()).unwrap();
    (alice, bob, group)
}

#[test]
fn a_database_that_lost_the_signature_key_is_told_at_once() {
    let alice = Device::new("alice").client;
    let records = records_but(&alice, Category::SignatureKeyPair, |_| None);
    let mut restored = MlsClient::new();
    let error = restored.hydrate(records).unwrap_err();
    assert_eq!(error.code(), "signature-key-missing");
}

#[test]
fn a_record_of_a_newer_format_is_told_from_a_damaged_one() {
    let alice = Device::new("alice").client;
    let newer = records_but(&alice, Category::Identity, |mut value| {
        value[0] = 200;
        Some(value)
    });
    let damaged = records_but(&alice, Category::Identity, |mut value| {
        value.pop();
        Some(value)
    });
    let mut empty = MlsClient::new();
    assert_eq!(
        refused(&mut empty, |client| client.hydrate(newer)),
        "unsupported-format"
    );
    assert_eq!(
        refused(&mut empty, |client| client.hydrate(damaged)),
        "damaged-record"
    );
}

#[test]
fn records_older_than_memory_are_not_taken_in() {
    let (mut alice, _, _, group) = pair();
    let older = alice.client.storage().records().unwrap();
    alice
        .client
        .encrypt_message(&group, b"one ratchet step")
        .unwrap();
    assert_eq!(
        refused(&mut alice.client, |client| client.hydrate(older)),
        "hydrate-conflict"
    );
}

#[test]
fn a_message_beyond_the_ratchet_settings_is_too_far_out_of_order() {
    let (mut alice, mut bob, group) = pair_with(GroupSettings {
        out_of_order_tolerance: 2,
        maximum_forward_distance: 3,
        ..GroupSettings::default()
    });
    let messages: Vec<_> = (0..6)
        .map(|number| alice.encrypt_message(&group, &[number]).unwrap())
        .collect();
    // Too many are missing before the last one, …
    assert_eq!(
        refused(&mut bob, |client| client.process_message(&messages[5])),
        "too-far-out-of-order"
    );
    // … and once a later one was read, the first is too late.
    bob.process_message(&messages[3]).unwrap();
    assert_eq!(
        refused(&mut bob, |client| client.process_message(&messages[0])),
        "too-far-out-of-order"
    );
    bob.process_message(&messages[2]).unwrap();
}

#[test]
fn a_commit_that_was_altered_on_the_way_is_invalid() {
    let (mut alice, mut bob, group) = pair_with(GroupSettings {
        wire_format_policy: WireFormatPolicy::PurePlaintext,
        ..GroupSettings::default()
    });
    let commit = alice.self_update(&group, None).unwrap().bytes.unwrap();
    let mut altered = commit.clone();
    // The end of a PublicMessage: its confirmation tag and membership tag.
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(
        refused(&mut bob, |client| client.process_message(&altered)),
        "invalid-message"
    );
    bob.process_message(&commit).unwrap();
}

#[test]
fn a_welcome_whose_group_info_was_altered_is_invalid() {
    let (mut alice, mut bob) = (Device::new("alice").client, Device::new("bob").client);
    let group = alice.create_group(None).unwrap();
    let key_packages = bob.generate_key_packages(1).unwrap();
    let commit = alice.add_members(&group, &key_packages, None).unwrap();
    let welcome = commit.welcome.unwrap();
    let mut altered = welcome.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(
        refused(&mut bob, |client| client.join_group(&altered)),
        "invalid-welcome"
    );
    // The key package is still there for the true one.
    bob.join_group(&welcome).unwrap();
}

#[test]
fn what_asks_for_a_missing_pre_shared_key_can_be_read_once_it_is_there() {
    let (mut alice, mut bob, _, group) = pair();
    let (psk_id, psk) = (b"spoken", b"a secret over the phone");
    alice.client.store_external_psk(psk_id, psk).unwrap();
    let mut carol = Device::new("carol").client;
    let key_package = carol.generate_key_packages(1).unwrap().remove(0);
    let request = CommitRequest {
        proposals: vec![
            ProposalRequest::ExternalPsk {
                psk_id: psk_id.to_vec(),
            },
            ProposalRequest::Add { key_package },
        ],
        ..CommitRequest::default()
    };
    let commit = alice.client.commit(&group, &request, None).unwrap();
    let (bytes, welcome) = (commit.bytes.unwrap(), commit.welcome.unwrap());
    let cursor = bob.client.delivery_cursor(&group).unwrap().unwrap();
    let delivered = Delivered {
        bytes: &bytes,
        id: None,
        position: Some(cursor + 1),
        inspected_epoch: None,
    };
    // A client that took the commit for unreadable would be out of the group for good.
    assert_eq!(
        refused(&mut bob.client, |client| client.receive_message(delivered)),
        "unknown-psk"
    );
    assert_eq!(
        refused(&mut carol, |client| client.join_group(&welcome)),
        "unknown-psk"
    );
    alice.client.merge_pending_commit(&group).unwrap();
    let epoch_authenticator = alice.info(&group).epoch_authenticator;
    for client in [&mut bob.client, &mut carol] {
        client.store_external_psk(psk_id, psk).unwrap();
    }
    bob.client.receive_message(delivered).unwrap();
    carol.join_group(&welcome).unwrap();
    for client in [&mut bob.client, &mut carol] {
        let info = client.group_info(&group).unwrap();
        assert_eq!(info.epoch_authenticator, epoch_authenticator);
    }
}

#[test]
fn keys_that_cannot_sign_are_an_internal_error_and_no_panic() {
    let alice = Device::new("alice").client;
    let public = alice.identity().unwrap().unwrap().signature_public_key;
    let store = GranularStorage::default();
    SignatureKeyPair::from_raw(SignatureScheme::ED25519, vec![1; 3], public)
        .store(&store)
        .unwrap();
    let mut records = records_but(&alice, Category::SignatureKeyPair, |_| None);
    records.extend(store.records().unwrap());
    let mut client = MlsClient::new();
    client.hydrate(records).unwrap();
    assert_eq!(
        refused(&mut client, |client| client
            .sign_with_label("login", b"challenge")),
        "internal"
    );
}
