//! Everything that can be chosen for a group: by its creator, by who joins it, and later.

mod common;

use common::{assert_in_step, code, Database, Device};
use openmls_wasm::{
    client::{
        AppCapabilities, CommitRequest, Extension, GroupOptions, GroupSettings, JoinOptions,
        OutboxEntry, Party, ProcessedContent, ProposalRequest, WireFormatPolicy,
    },
    MlsClient,
};

const APP_PROPOSAL: u16 = 0xf001;
const APP_EXTENSION: u16 = 0xf002;
const LEAF_EXTENSION: u16 = 0xf003;

fn rehydrate(device: &mut Device) {
    assert!(device.save());
    device.crash();
}

/// A commit that adds `joiner`, merged by its creator.
fn adding(creator: &mut Device, group: &[u8], joiner: &mut Device) -> OutboxEntry {
    let packages = joiner.client.generate_key_packages(1).unwrap();
    let entry = creator.client.add_members(group, &packages, None).unwrap();
    creator.client.merge_pending_commit(group).unwrap();
    entry
}

fn add(creator: &mut Device, group: &[u8], joiner: &mut Device, options: &JoinOptions) {
    let welcome = adding(creator, group, joiner).welcome.unwrap();
    joiner.client.join_group_with(&welcome, options).unwrap();
    assert_in_step(creator, joiner, group);
}

fn external_sender(name: &[u8]) -> Party {
    let mut client = MlsClient::new();
    let identity = client.create_identity(name, 1).unwrap();
    Party {
        identity: identity.identity,
        certificates: vec![],
        signature_key: identity.signature_public_key,
    }
}

fn settings() -> GroupSettings {
    GroupSettings {
        wire_format_policy: WireFormatPolicy::MixedPlaintext,
        padding_size: 64,
        maximum_forward_distance: 12,
        out_of_order_tolerance: 3,
        max_past_epochs: 4,
        max_past_epoch_age: Some(86_400),
        number_of_resumption_psks: 7,
        use_ratchet_tree_extension: false,
    }
}

#[test]
fn a_group_is_what_its_creator_chose() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let extensions = vec![
        Extension::RequiredCapabilities {
            extension_types: vec![APP_EXTENSION, 1],
            proposal_types: vec![APP_PROPOSAL, 3],
            credential_types: vec![1],
        },
        Extension::ExternalSenders {
            senders: vec![external_sender(b"server"), external_sender(b"bot")],
        },
        Extension::Other {
            extension_type: APP_EXTENSION,
            data: b"topic".to_vec(),
        },
    ];
    let options = GroupOptions {
        settings: Some(settings()),
        ciphersuite: Some(3),
        lifetime: Some(60),
        group_context_extensions: extensions.clone(),
        leaf_extensions: vec![Extension::Other {
            extension_type: LEAF_EXTENSION,
            data: b"in the leaf".to_vec(),
        }],
        ..GroupOptions::default()
    };
    let alices = &mut alice.client;
    let group = alices.create_group_with(Some(b"id"), &options).unwrap();
    assert_eq!(group, b"id");
    rehydrate(&mut alice);
    let info = alice.info(&group);
    assert_eq!(info.ciphersuite, 3);
    assert_eq!(info.extensions, extensions);
    assert_eq!(info.settings, settings());
    assert_eq!(info.confirmation_tag.len(), 32);

    // Bob supports what the group requires and is of its ciphersuite; the tree comes beside the
    // Welcome.
    bob.client = MlsClient::new();
    bob.client.create_identity(b"bob", 3).unwrap();
    let lacking = bob.client.generate_key_packages(1).unwrap();
    assert_eq!(
        code(alice.client.add_members(&group, &lacking, None)),
        "commit-rejected"
    );
    bob.client.set_app_capabilities(AppCapabilities {
        extensions: vec![APP_EXTENSION],
        proposals: vec![APP_PROPOSAL],
    });
    let welcome = adding(&mut alice, &group, &mut bob).welcome.unwrap();
    let tree = alice.client.export_ratchet_tree(&group).unwrap();
    let before = Database::of(&bob.client);
    assert_eq!(
        code(bob.client.join_group(&welcome)),
        "ratchet-tree-missing"
    );
    assert_eq!(Database::of(&bob.client), before);
    let options = JoinOptions {
        settings: Some(settings()),
        ratchet_tree: Some(tree.clone()),
    };
    bob.client.join_group_with(&welcome, &options).unwrap();
    assert_in_step(&mut alice, &mut bob, &group);
    let joined = bob.info(&group);
    assert_eq!(joined.settings, settings());
    assert_eq!(joined.extensions, extensions);
    assert_eq!(joined.confirmation_tag, alice.info(&group).confirmation_tag);
    assert!(tree.windows(11).any(|window| window == b"in the leaf"));
    // The group uses what it requires.
    let proposal = ProposalRequest::AppDefined {
        proposal_type: APP_PROPOSAL,
        payload: vec![],
    };
    let entry = bob.client.propose(&group, &proposal, b"", None).unwrap();
    alice.client.process_message(&entry.bytes.unwrap()).unwrap();
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let mut alice = Device::new("alice");
    let before = Database::of(&alice.client);
    let extensions = |group_context_extensions| GroupOptions {
        group_context_extensions,
        ..GroupOptions::default()
    };
    let other = |extension_type, data: &[u8]| Extension::Other {
        extension_type,
        data: data.to_vec(),
    };
    let in_leaf = |extension| GroupOptions {
        leaf_extensions: vec![extension],
        ..GroupOptions::default()
    };
    let suite = |ciphersuite| GroupOptions {
        ciphersuite: Some(ciphersuite),
        ..GroupOptions::default()
    };
    let lifetime = |seconds| GroupOptions {
        lifetime: Some(seconds),
        ..GroupOptions::default()
    };
    let bad_sender = Extension::ExternalSenders {
        senders: vec![Party {
            certificates: vec![vec![]],
            ..external_sender(b"server")
        }],
    };
    let padding = GroupOptions {
        settings: Some(GroupSettings {
            padding_size: 1 << 20,
            ..GroupSettings::default()
        }),
        ..GroupOptions::default()
    };
    for (options, expected) in [
        (suite(2), "unsupported-ciphersuite"),
        (suite(99), "unsupported-ciphersuite"),
        (lifetime(0), "invalid-argument"),
        (lifetime(u64::MAX), "invalid-argument"),
        (
            extensions(vec![other(APP_EXTENSION, b"")]),
            "invalid-argument",
        ),
        (extensions(vec![other(2, b"a tree")]), "invalid-argument"),
        (extensions(vec![bad_sender]), "invalid-credential"),
        (in_leaf(other(5, b"")), "invalid-argument"),
        (padding.clone(), "invalid-argument"),
    ] {
        let created = alice.client.create_group_with(None, &options);
        assert_eq!(code(created), expected, "{options:?}");
        assert_eq!(Database::of(&alice.client), before);
    }
    let group = alice.client.create_group(None).unwrap();
    let before = Database::of(&alice.client);
    let settings = padding.settings.unwrap();
    let configured = alice.client.configure_group(&group, &settings);
    assert_eq!(code(configured), "invalid-argument");
    assert_eq!(
        code(
            alice
                .client
                .configure_group(b"?", &GroupSettings::default())
        ),
        "group-not-found"
    );
    let again = alice
        .client
        .create_group_with(Some(&group), &GroupOptions::default());
    assert_eq!(code(again), "group-exists");
    assert_eq!(Database::of(&alice.client), before);
}

#[test]
fn a_group_can_be_configured_anew() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let group = alice.client.create_group(None).unwrap();
    add(&mut alice, &group, &mut bob, &JoinOptions::default());
    for device in [&mut alice, &mut bob] {
        device.client.configure_group(&group, &settings()).unwrap();
        rehydrate(device);
    }
    // Alice created hers, and so has the number of resumption PSKs that OpenMLS chose.
    assert_eq!(alice.info(&group).settings, settings());
    // Handshakes travel in the clear, and messages are padded.
    let entry = bob.client.self_update(&group, None).unwrap();
    let (public, commit) = (1, entry.bytes.unwrap());
    assert_eq!(
        commit[3], public,
        "the wire format of the MLSMessage (RFC 9420 §6)"
    );
    alice.client.process_message(&commit).unwrap();
    bob.client.merge_pending_commit(&group).unwrap();
    let short = bob.client.encrypt_message(&group, b"a").unwrap();
    let longer = bob.client.encrypt_message(&group, &[b'a'; 40]).unwrap();
    assert_eq!(short.len(), longer.len());
    // Only so far ahead.
    for _ in 0..13 {
        bob.client.encrypt_message(&group, b"skipped").unwrap();
    }
    let too_far = bob.client.encrypt_message(&group, b"too far").unwrap();
    assert_eq!(
        code(alice.client.process_message(&too_far)),
        "too-far-out-of-order"
    );
    alice.client.process_message(&longer).unwrap();
}

/// A message of each of the last epochs, the oldest first, that Alice has not read.
fn messages_of_past_epochs(
    alice: &mut Device,
    bob: &mut Device,
    group: &[u8],
    epochs: u64,
) -> Vec<Vec<u8>> {
    let one_more = |_| {
        let message = bob.client.encrypt_message(group, b"late").unwrap();
        let commit = alice.client.self_update(group, None).unwrap();
        alice.client.merge_pending_commit(group).unwrap();
        bob.client.process_message(&commit.bytes.unwrap()).unwrap();
        message
    };
    (0..epochs).map(one_more).collect()
}

fn is_readable(alice: &mut Device, message: &[u8]) -> bool {
    match alice.client.process_message(message) {
        Ok(processed) => matches!(processed.content, ProcessedContent::Message { .. }),
        Err(error) => {
            assert_eq!(error.code(), "past-epoch");
            false
        }
    }
}

#[test]
fn with_fewer_past_epochs_it_is_the_latest_that_stay() {
    // usize::MAX: all of them.
    for before in [6, usize::MAX] {
        for starts_anew in [false, true] {
            with_fewer_past_epochs(before, starts_anew);
        }
    }
}

fn with_fewer_past_epochs(before: usize, starts_anew: bool) {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let keeping = |max_past_epochs| GroupSettings {
        max_past_epochs,
        ..GroupSettings::default()
    };
    alice.client.set_group_settings(keeping(before));
    let group = alice.client.create_group(None).unwrap();
    add(&mut alice, &group, &mut bob, &JoinOptions::default());
    let late = messages_of_past_epochs(&mut alice, &mut bob, &group, 4);
    if starts_anew {
        rehydrate(&mut alice);
    }
    assert_eq!(alice.info(&group).settings, keeping(before));
    alice.client.configure_group(&group, &keeping(3)).unwrap();
    rehydrate(&mut alice);
    assert!(!is_readable(&mut alice, &late[0]));
    assert!(is_readable(&mut alice, &late[1]));
    // The next epoch takes the place of the oldest.
    let later = messages_of_past_epochs(&mut alice, &mut bob, &group, 1);
    assert!(is_readable(&mut alice, &later[0]));
    assert!(is_readable(&mut alice, &late[2]));
    assert!(is_readable(&mut alice, &late[3]));
    assert!(!is_readable(&mut alice, &late[1]));
}

#[test]
fn secrets_of_past_epochs_are_deleted_on_demand() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    alice.client.set_group_settings(settings());
    let group = alice.client.create_group(None).unwrap();
    let tree_beside = |alice: &mut Device, bob: &mut Device| {
        let welcome = adding(alice, &group, bob).welcome.unwrap();
        let tree = alice.client.export_ratchet_tree(&group).unwrap();
        let options = JoinOptions {
            settings: Some(settings()),
            ratchet_tree: Some(tree),
        };
        bob.client.join_group_with(&welcome, &options).unwrap();
    };
    tree_beside(&mut alice, &mut bob);
    let late = messages_of_past_epochs(&mut alice, &mut bob, &group, 4);
    alice
        .client
        .delete_past_epoch_secrets(&group, Some(3600), None)
        .unwrap();
    assert!(is_readable(&mut alice, &late[0]));
    alice
        .client
        .delete_past_epoch_secrets(&group, None, Some(2))
        .unwrap();
    rehydrate(&mut alice);
    assert!(!is_readable(&mut alice, &late[1]));
    assert!(is_readable(&mut alice, &late[2]));
    alice
        .client
        .delete_past_epoch_secrets(&group, None, None)
        .unwrap();
    assert!(!is_readable(&mut alice, &late[3]));
    let missing = alice.client.delete_past_epoch_secrets(b"?", None, None);
    assert_eq!(code(missing), "group-not-found");
}

#[test]
fn requirements_are_those_that_every_member_meets() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    alice.client.set_app_capabilities(AppCapabilities {
        extensions: vec![],
        proposals: vec![APP_PROPOSAL],
    });
    let group = alice.client.create_group(None).unwrap();
    add(&mut alice, &group, &mut bob, &JoinOptions::default());
    let requiring = |proposal_type, credential_type| ProposalRequest::GroupContextExtensions {
        extensions: vec![Extension::RequiredCapabilities {
            extension_types: vec![],
            proposal_types: vec![proposal_type],
            credential_types: vec![credential_type],
        }],
    };
    let mut propose = |request: &ProposalRequest| alice.client.propose(&group, request, b"", None);
    assert_eq!(
        code(propose(&requiring(APP_PROPOSAL, 1))),
        "proposal-rejected"
    );
    assert_eq!(code(propose(&requiring(3, 9))), "proposal-rejected");
    propose(&requiring(3, 2)).unwrap();
    alice.client.clear_pending_proposals(&group).unwrap();

    // Who is about to be removed does not count, who is about to be added does.
    let inline = |proposals| CommitRequest {
        proposals,
        include_pending: false,
        ..CommitRequest::default()
    };
    let app = requiring(APP_PROPOSAL, 1);
    let remove = ProposalRequest::Remove { leaf_index: 1 };
    let removing = inline(vec![app.clone(), remove.clone()]);
    let entry = alice.client.commit(&group, &removing, None).unwrap();
    alice.client.reject_commit(&entry.id).unwrap();
    let mut carol = Device::new("carol");
    let carols = carol.client.generate_key_packages(1).unwrap().remove(0);
    let add = |key_package| ProposalRequest::Add { key_package };
    let adding = inline(vec![app.clone(), remove, add(carols.clone())]);
    assert_eq!(
        code(alice.client.commit(&group, &adding, None)),
        "commit-rejected"
    );
    // Of proposals that contradict each other, the first stays.
    alice.client.remove_members(&group, &[1], None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    alice.client.propose(&group, &app, b"", None).unwrap();
    alice
        .client
        .propose(&group, &add(carols), b"", None)
        .unwrap();
    let entry = alice
        .client
        .commit(&group, &CommitRequest::default(), None)
        .unwrap();
    assert!(entry.added.is_empty());
    alice.client.merge_pending_commit(&group).unwrap();
    assert_eq!(alice.info(&group).extensions.len(), 1);
}

#[test]
fn authenticated_data_travels_with_a_message_however_often_it_is_encrypted() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let group = alice.client.create_group(None).unwrap();
    add(&mut alice, &group, &mut bob, &JoinOptions::default());
    let read = |bob: &mut Device, message: &[u8]| match bob.client.process_message(message) {
        Ok(processed) => match processed.content {
            ProcessedContent::Message {
                authenticated_data,
                plaintext,
                ..
            } => (authenticated_data, plaintext),
            other => panic!("{other:?}"),
        },
        Err(error) => panic!("{error}"),
    };
    let message = alice
        .client
        .encrypt_message_with(&group, b"text", b"label")
        .unwrap();
    assert!(message.windows(5).any(|window| window == b"label"));
    assert_eq!(
        read(&mut bob, &message),
        (b"label".to_vec(), b"text".to_vec())
    );
    // It is of that message only.
    let message = alice.client.encrypt_message(&group, b"text").unwrap();
    assert_eq!(read(&mut bob, &message), (vec![], b"text".to_vec()));

    let sent = alice
        .client
        .send_message_with(&group, b"text", b"label", Some("m"));
    let message = sent.unwrap().bytes.unwrap();
    assert_eq!(read(&mut bob, &message).0, b"label");
    let sent = alice
        .client
        .send_message_with(&group, b"late", b"for later", Some("n"));
    assert!(sent.unwrap().bytes.is_some());
    let commit = bob.client.self_update(&group, None).unwrap();
    bob.client.merge_pending_commit(&group).unwrap();
    alice
        .client
        .process_message(&commit.bytes.unwrap())
        .unwrap();
    rehydrate(&mut alice);
    let renewed = alice.client.renew_outbox("n").unwrap();
    assert_eq!(renewed.authenticated_data, b"for later");
    let message = renewed.bytes.unwrap();
    assert_eq!(
        read(&mut bob, &message),
        (b"for later".to_vec(), b"late".to_vec())
    );
    // One that was changed on the way is not read.
    let mut message = alice
        .client
        .encrypt_message_with(&group, b"text", b"label")
        .unwrap();
    let place = message
        .windows(5)
        .position(|window| window == b"label")
        .unwrap();
    message[place] = b'L';
    assert_eq!(code(bob.client.process_message(&message)), "undecryptable");
}

#[test]
fn external_psks_are_listed_replaced_and_deleted() {
    let mut alice = Device::new("alice");
    assert!(alice.client.external_psks().unwrap().is_empty());
    for id in [&b"one"[..], b"", b"two", b"one"] {
        alice.client.store_external_psk(id, b"secret").unwrap();
    }
    rehydrate(&mut alice);
    let mut listed = alice.client.external_psks().unwrap();
    listed.sort();
    assert_eq!(listed, [&b""[..], b"one", b"two"]);
    alice.client.delete_external_psk(b"one").unwrap();
    alice.client.delete_external_psk(b"one").unwrap();
    rehydrate(&mut alice);
    assert_eq!(alice.client.external_psks().unwrap().len(), 2);
    let empty = alice.client.store_external_psk(b"three", b"");
    assert_eq!(code(empty), "invalid-argument");
}
