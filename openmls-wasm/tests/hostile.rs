//! What goes wrong when others do not do as they should: members that propose what cannot be
//! committed, a delivery service that repeats, reorders and renames, connections that do not say
//! whether a write arrived.

mod common;

use common::{assert_in_step, bare::Bare, pair, Device};
use openmls::prelude::{
    tls_codec::Serialize as _, BasicCredential, Ciphersuite, CredentialWithKey, GroupId,
    KeyPackage, MlsGroup, SignatureScheme,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_wasm::{
    client::{Delivered, DeliveredWelcome, InboxContent},
    ClientError,
};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> &'static str {
    result.unwrap_err().code()
}

fn at<'a>(bytes: &'a [u8], id: Option<&'a str>, position: u64) -> Delivered<'a> {
    Delivered {
        bytes,
        id,
        position: Some(position),
        ..Default::default()
    }
}

fn welcome(bytes: &[u8], position: u64, group_position: u64) -> DeliveredWelcome<'_> {
    DeliveredWelcome {
        bytes,
        id: None,
        position: Some(position),
        group_position: Some(group_position),
        ..Default::default()
    }
}

/// Proposes a pre-shared key that nobody else has, or to add a signature key that is in the group.
fn harmful_proposal(member: &Device, group: &[u8], unknown_psk: bool) -> Vec<u8> {
    let public = member.client.identity().unwrap().unwrap();
    let key = public.signature_public_key;
    let provider = Bare(RustCrypto::default(), member.client.storage());
    let scheme = SignatureScheme::ED25519;
    let signer = SignatureKeyPair::read(provider.storage(), &key, scheme).unwrap();
    let id = GroupId::from_slice(group);
    let mut group = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
    let message = if unknown_psk {
        let psk = Psk::External(ExternalPsk::new(vec![1, 2, 3]));
        let psk = PreSharedKeyId::new(SUITE, provider.rand(), psk).unwrap();
        psk.store(&provider, &[7; 32]).unwrap();
        group
            .propose_pre_shared_key(&provider, &signer, psk)
            .unwrap()
            .0
    } else {
        let credential = CredentialWithKey {
            credential: BasicCredential::new(b"bob".to_vec()).into(),
            signature_key: key.into(),
        };
        let package = KeyPackage::builder()
            .build(SUITE, &provider, &signer, credential)
            .unwrap();
        group
            .propose_add_member(&provider, &signer, package.key_package())
            .unwrap()
            .0
    };
    message.tls_serialize_detached().unwrap()
}

#[test]
fn a_proposal_that_cannot_be_committed_stops_nobody_from_sending() {
    for unknown_psk in [true, false] {
        let (mut alice, bob, mut service, group) = pair();
        let proposal = harmful_proposal(&bob, &group, unknown_psk);
        let position = service.log().len() as u64 + 1;
        alice
            .client
            .receive_message(at(&proposal, None, position))
            .unwrap();
        if alice.info(&group).pending_proposals > 0 {
            let commit = alice.client.commit_pending_proposals(&group, None).unwrap();
            service.upload(&commit);
            alice.client.merge_pending_commit(&group).unwrap();
        }
        let entry = alice
            .client
            .send_message(&group, b"still here", None)
            .unwrap();
        assert!(entry.bytes.is_some());
        alice.client.self_update(&group, None).unwrap();
    }
}

#[test]
fn what_can_be_committed_is_committed_beside_what_cannot() {
    let (mut alice, mut bob, mut service, group) = pair();
    let mut carol = Device::new("carol");
    let package = carol.client.generate_key_packages(1).unwrap();
    alice.client.add_members(&group, &package, None).unwrap();
    for device in [&mut alice, &mut bob, &mut carol] {
        device.sync(&mut service, &group);
    }
    let harmful = harmful_proposal(&bob, &group, false);
    let leave = carol
        .client
        .leave_group(&group, None)
        .unwrap()
        .bytes
        .unwrap();
    for proposal in [harmful, leave] {
        alice.client.process_message(&proposal).unwrap();
    }
    let commit = alice.client.commit_pending_proposals(&group, None).unwrap();
    assert_eq!(commit.removed[0].identity, b"carol");
    assert!(commit.added.is_empty());
}

#[test]
fn a_delivery_under_an_own_id_does_not_overwrite_the_own_message() {
    let (mut alice, mut bob, service, group) = pair();
    alice
        .client
        .send_message(&group, b"mine", Some("m1"))
        .unwrap();
    let theirs = bob.client.encrypt_message(&group, b"theirs").unwrap();
    let position = service.log().len() as u64 + 1;
    alice
        .client
        .receive_message(at(&theirs, Some("m1"), position))
        .unwrap();
    let inbox = alice.client.inbox().unwrap();
    let sent =
        |item: &&openmls_wasm::client::InboxItem| matches!(item.content, InboxContent::Sent { .. });
    assert_eq!(inbox.iter().filter(sent).count(), 1);
    assert_eq!(inbox.len(), 2);
}

#[test]
fn the_same_bytes_again_do_not_overwrite_the_message() {
    let (mut alice, mut bob, _, group) = pair();
    let bytes = alice.client.encrypt_message(&group, b"text").unwrap();
    let delivered = Delivered {
        bytes: &bytes,
        id: None,
        position: None,
        ..Default::default()
    };
    for _ in 0..3 {
        bob.client.receive_message(delivered).unwrap();
    }
    let inbox = bob.client.inbox().unwrap();
    assert!(
        matches!(&inbox[0].content, InboxContent::Message { plaintext, .. } if plaintext == b"text")
    );
}

#[test]
fn a_welcome_that_overtakes_the_removal_before_it_is_not_lost() {
    let (mut alice, mut bob, mut service, group) = pair();
    alice.client.remove_members(&group, &[1], None).unwrap();
    alice.sync(&mut service, &group);
    let package = bob.client.generate_key_packages(1).unwrap();
    bob.save();
    alice.client.add_members(&group, &package, None).unwrap();
    alice.sync(&mut service, &group);
    let position = service.log().len() as u64;
    let bytes = service.last_welcome();
    let before = bob.client.welcome_cursor().unwrap();
    assert_eq!(
        code(bob.client.receive_welcome(welcome(&bytes, 2, position))),
        "group-exists"
    );
    assert_eq!(bob.client.welcome_cursor().unwrap(), before);
    bob.receive_log(&service, &group).unwrap();
    let item = bob
        .client
        .receive_welcome(welcome(&bytes, 2, position))
        .unwrap()
        .unwrap();
    assert!(matches!(item.content, InboxContent::Joined { .. }));
    assert_in_step(&mut alice, &mut bob, &group);
}

#[test]
fn a_first_delivery_out_of_turn_is_refused() {
    let mut bob = Device::new("bob");
    let packages = bob.client.generate_key_packages(2).unwrap();
    let welcomes: Vec<Vec<u8>> = packages
        .iter()
        .map(|package| {
            let mut alice = Device::new("alice");
            let group = alice.client.create_group(None).unwrap();
            let entry = alice
                .client
                .add_members(&group, std::slice::from_ref(package), None)
                .unwrap();
            entry.welcome.unwrap()
        })
        .collect();
    assert_eq!(
        code(bob.client.receive_welcome(welcome(&welcomes[1], 2, 1))),
        "position-gap"
    );
    for (index, bytes) in welcomes.iter().enumerate() {
        let position = index as u64 + 1;
        assert!(bob
            .client
            .receive_welcome(welcome(bytes, position, 1))
            .unwrap()
            .is_some());
    }
    assert_eq!(bob.client.list_groups().unwrap().len(), 2);

    let mut alice = Device::new("alice");
    let group = alice.client.create_group(None).unwrap();
    let bytes = alice
        .client
        .self_update(&group, Some("c"))
        .unwrap()
        .bytes
        .unwrap();
    assert_eq!(
        code(alice.client.receive_message(at(&bytes, Some("c"), 2))),
        "position-gap"
    );
    assert!(alice
        .client
        .receive_message(at(&bytes, Some("c"), 1))
        .unwrap()
        .is_some());
}

#[test]
fn an_old_welcome_does_not_bring_used_keys_back() {
    for deleted in [true, false] {
        let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
        let package = bob.client.generate_last_resort_key_package().unwrap();
        let group = alice.client.create_group(None).unwrap();
        let entry = alice
            .client
            .add_members(&group, std::slice::from_ref(&package), None)
            .unwrap();
        let old = entry.welcome.unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        bob.client.join_group(&old).unwrap();
        bob.client.encrypt_message(&group, b"generation 0").unwrap();
        let removal = alice.client.remove_members(&group, &[1], None).unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        if deleted {
            bob.client.delete_group(&group).unwrap();
        } else {
            bob.client.process_message(&removal.bytes.unwrap()).unwrap();
        }
        bob.save();
        bob.crash();
        assert_eq!(code(bob.client.join_group(&old)), "stale-welcome");
        let item = bob
            .client
            .receive_welcome(welcome(&old, 1, 1))
            .unwrap()
            .unwrap();
        assert!(matches!(item.content, InboxContent::Failed { code } if code == "stale-welcome"));
        // A new Welcome for the same key package is good.
        let entry = alice.client.add_members(&group, &[package], None).unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        bob.client.join_group(&entry.welcome.unwrap()).unwrap();
        assert_in_step(&mut alice, &mut bob, &group);
    }
}

#[test]
fn a_write_of_unknown_outcome_is_undone_by_what_came_after_it() {
    let (mut alice, _, _, group) = pair();
    alice.client.self_update(&group, None).unwrap();
    let batch = alice.client.drain_storage_events().unwrap().unwrap();
    alice.database.write(&batch);
    alice.client.put_back_batch(batch.sequence).unwrap();
    alice.client.clear_pending_commit(&group).unwrap();
    alice.save();
    alice.crash();
    assert!(!alice.info(&group).has_pending_commit);
    assert!(alice.client.outbox().unwrap().is_empty());
}

#[test]
fn order_outlives_a_restart_with_everything_acknowledged() {
    let (mut alice, _, mut service, group) = pair();
    let first = alice
        .client
        .send_message(&group, b"one", None)
        .unwrap()
        .sequence;
    alice.sync(&mut service, &group);
    assert!(alice.client.outbox().unwrap().is_empty() && alice.client.inbox().unwrap().is_empty());
    alice.crash();
    assert!(
        alice
            .client
            .send_message(&group, b"two", None)
            .unwrap()
            .sequence
            > first
    );
}

#[test]
fn a_deleted_key_package_opens_no_welcome() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let package = bob.client.generate_key_packages(1).unwrap();
    let reference = bob.client.key_packages().unwrap()[0].reference.clone();
    let both = [reference.clone(), vec![1, 2]];
    assert_eq!(
        code(bob.client.delete_key_packages(&both)),
        "unknown-key-package"
    );
    assert_eq!(bob.client.key_packages().unwrap().len(), 1, "all or none");
    bob.client.delete_key_packages(&[reference]).unwrap();
    bob.save();
    let group = alice.client.create_group(None).unwrap();
    let entry = alice.client.add_members(&group, &package, None).unwrap();
    assert_eq!(
        code(bob.client.join_group(&entry.welcome.unwrap())),
        "no-matching-key-package"
    );
}
