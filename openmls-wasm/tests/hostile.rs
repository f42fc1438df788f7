//! What goes wrong when others do not do as they should: members that propose what cannot be
//! committed, a delivery service that repeats, reorders and renames, connections that do not say
//! whether a write arrived.

mod common;

use common::{assert_in_step, bare::Bare, code, pair, Device};
use openmls::prelude::{
    tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes},
    BasicCredential, Ciphersuite, CredentialWithKey, ExternalProposal, GroupId, JoinProposal,
    KeyPackage, MlsGroup, MlsMessageBodyIn, MlsMessageIn, ProtocolVersion, SenderExtensionIndex,
    SignatureScheme,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::{signatures::Signer as _, OpenMlsProvider};
use openmls_wasm::{
    client::{Delivered, DeliveredWelcome, Extension, GroupOptions, InboxContent, Party},
    GranularStorage,
};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

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

/// A key package whose signatures are good, with `init_key` and, if told, a leaf that nothing can be
/// encrypted to. It begins with four bytes of an MLSMessage, version, ciphersuite; each key is behind
/// one byte that says its length, each signature behind two.
fn unusable_key_package(of: &Device, init_key: Option<&[u8]>, bad_leaf: bool) -> Vec<u8> {
    let signer = signer_of(of);
    let sign = |label: &str, content: &[u8]| {
        let content = [
            VLBytes::from(format!("MLS 1.0 {label}").into_bytes()),
            content.into(),
        ];
        let tbs = content.map(|part| part.tls_serialize_detached().unwrap());
        let signature = signer.sign(&tbs.concat()).unwrap();
        VLBytes::from(signature).tls_serialize_detached().unwrap()
    };
    let good = common::bare::key_package_of(&of.client, 0, u64::MAX - 1);
    let end = good.len() - 66;
    let extensions = &good[end - 1..end];
    assert_eq!((good[8], good[41], extensions), (32, 32, &[0][..]));
    let mut leaf = good[41..end - 1 - 66].to_vec();
    if bad_leaf {
        leaf[1..33].fill(0);
    }
    leaf.extend(sign("LeafNodeTBS", &leaf));
    let init_key = VLBytes::from(init_key.unwrap_or(&good[9..41]).to_vec());
    let init_key = init_key.tls_serialize_detached().unwrap();
    let mut content = [&good[4..8], &init_key, &leaf, extensions].concat();
    content.extend(sign("KeyPackageTBS", &content));
    [&good[..4], &content].concat()
}

fn signer_of(device: &Device) -> SignatureKeyPair {
    let key = device.client.identity().unwrap().unwrap();
    let (storage, scheme) = (device.client.storage(), SignatureScheme::ED25519);
    SignatureKeyPair::read(storage, &key.signature_public_key, scheme).unwrap()
}

fn add_proposals(bob: &Device, carol: &Device, group: &[u8], package: &[u8]) -> [Vec<u8>; 3] {
    let MlsMessageBodyIn::KeyPackage(package) = MlsMessageIn::tls_deserialize_exact_bytes(package)
        .unwrap()
        .extract()
    else {
        panic!("a key package");
    };
    let version = ProtocolVersion::Mls10;
    let package = package.validate(&RustCrypto::default(), version).unwrap();
    let provider = Bare(RustCrypto::default(), bob.client.storage());
    let id = GroupId::from_slice(group);
    let mut loaded = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();
    let (bobs, carols) = (signer_of(bob), signer_of(carol));
    let epoch = loaded.epoch();
    [
        loaded
            .propose_add_member(&provider, &bobs, &package)
            .unwrap()
            .0,
        ExternalProposal::new_add::<Bare<'_>>(
            package.clone(),
            id.clone(),
            epoch,
            &carols,
            SenderExtensionIndex::new(0),
        )
        .unwrap(),
        JoinProposal::new::<GranularStorage>(package, id, epoch, &carols).unwrap(),
    ]
    .map(|message| message.tls_serialize_detached().unwrap())
}

#[test]
fn a_key_that_nothing_can_be_encrypted_to_stops_nobody() {
    for (init_key, bad_leaf) in [
        (Some(&[0; 32][..]), false),
        (Some(&[9; 31][..]), false),
        (None, true),
    ] {
        for sender in 0..3 {
            let carol = Device::new("carol");
            let public = carol.client.identity().unwrap().unwrap();
            let options = GroupOptions {
                group_context_extensions: vec![Extension::ExternalSenders {
                    senders: vec![Party {
                        identity: public.identity,
                        certificates: vec![],
                        signature_key: public.signature_public_key,
                    }],
                }],
                ..Default::default()
            };
            let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
            let group = alice.client.create_group_with(None, &options).unwrap();
            let package = bob.client.generate_key_packages(1).unwrap();
            let entry = alice.client.add_members(&group, &package, None).unwrap();
            alice.client.merge_pending_commit(&group).unwrap();
            bob.client.join_group(&entry.welcome.unwrap()).unwrap();

            let package = unusable_key_package(&carol, init_key, bad_leaf);
            let inspected = alice.client.inspect_key_package(&package);
            assert_eq!(code(inspected), "invalid-key-package");
            let added = alice
                .client
                .add_members(&group, std::slice::from_ref(&package), None);
            assert_eq!(code(added), "invalid-key-package");

            let proposal = &add_proposals(&bob, &carol, &group, &package)[sender];
            alice.client.process_message(proposal).unwrap();
            assert_eq!(alice.info(&group).pending_proposals, 1);
            let commit = alice.client.commit_pending_proposals(&group, None).unwrap();
            assert!(commit.added.is_empty());
            alice.client.merge_pending_commit(&group).unwrap();
            bob.client.process_message(&commit.bytes.unwrap()).unwrap();
            assert_in_step(&mut alice, &mut bob, &group);
            let update = bob.client.self_update(&group, None).unwrap();
            bob.client.merge_pending_commit(&group).unwrap();
            alice
                .client
                .process_message(&update.bytes.unwrap())
                .unwrap();
            assert_in_step(&mut alice, &mut bob, &group);
        }
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
