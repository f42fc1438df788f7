//! The main job, natively: every operation with a peer on the other side.

mod common;

use common::{assert_in_step, code, pair, texts, Device, Service};
use openmls_wasm::{
    client::{Delivered, DeliveredWelcome, GroupSettings, InboxContent, ProcessedContent},
    storage::Category,
};

#[test]
fn two_devices_talk_both_ways() {
    let (mut alice, mut bob, mut service, group) = pair();
    for round in 0..5 {
        alice
            .client
            .send_message(&group, format!("a{round}").as_bytes(), None)
            .unwrap();
        bob.client
            .send_message(&group, format!("b{round}").as_bytes(), None)
            .unwrap();
        alice.sync(&mut service, &group);
        bob.sync(&mut service, &group);
        alice.sync(&mut service, &group);
    }
    assert_eq!(texts(&alice).len(), 10);
    let (mut of_alice, mut of_bob) = (alice.history.clone(), bob.history.clone());
    of_alice.sort();
    of_bob.sort();
    assert_eq!(of_alice, of_bob);
    assert!(alice.client.outbox().unwrap().is_empty());
    assert!(bob.client.inbox().unwrap().is_empty());
}

#[test]
fn a_joined_group_used_up_its_key_package_and_no_other() {
    let (_, bob, _, _) = pair();
    assert_eq!(
        bob.database.count(Category::KeyPackage),
        1,
        "one of two is left"
    );
    let packages = bob.client.key_packages().unwrap();
    let held = packages.iter().filter(|package| package.has_private_keys);
    assert_eq!(held.count(), 1);
}

#[test]
fn a_last_resort_key_package_can_be_used_again() {
    let (mut alice, mut carol) = (Device::new("alice"), Device::new("carol"));
    let package = carol.client.generate_last_resort_key_package().unwrap();
    for _ in 0..2 {
        let group = alice.client.create_group(None).unwrap();
        let commit = alice
            .client
            .add_members(&group, std::slice::from_ref(&package), None)
            .unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        assert_eq!(
            carol.client.join_group(&commit.welcome.unwrap()).unwrap(),
            group
        );
        assert_in_step(&mut alice, &mut carol, &group);
    }
    let packages = carol.client.key_packages().unwrap();
    assert!(packages.len() == 1 && packages[0].last_resort);
}

#[test]
fn updates_removals_and_leaving_keep_the_members_in_step() {
    let (mut alice, mut bob, mut service, group) = pair();
    bob.client.self_update(&group, None).unwrap();
    bob.sync(&mut service, &group);
    alice.sync(&mut service, &group);
    assert_in_step(&mut alice, &mut bob, &group);

    let mut carol = Device::new("carol");
    let packages = carol.client.generate_key_packages(1).unwrap();
    carol.save();
    let entry = alice.client.add_members(&group, &packages, None).unwrap();
    assert_eq!(entry.added[0].identity, b"carol");
    for device in [&mut alice, &mut bob] {
        device.sync(&mut service, &group);
    }
    assert_eq!(entry.added.len(), 1);
    carol.sync(&mut service, &group);
    assert_in_step(&mut carol, &mut alice, &group);

    // Bob leaves: Alice commits it.
    bob.client.leave_group(&group, None).unwrap();
    assert_eq!(
        code(bob.client.send_message(&group, b"after", None)),
        "leave-pending"
    );
    bob.sync(&mut service, &group);
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    carol.receive_log(&service, &group).unwrap();
    assert!(!bob.info(&group).is_active);
    assert_eq!(alice.info(&group).members.len(), 2);
    assert_in_step(&mut carol, &mut alice, &group);
    assert_eq!(
        code(bob.client.send_message(&group, b"too late", None)),
        "group-inactive"
    );

    // Carol is removed.
    let carol_index = alice.info(&group).members[1].leaf_index;
    alice
        .client
        .remove_members(&group, &[carol_index], None)
        .unwrap();
    alice.sync(&mut service, &group);
    carol.receive_log(&service, &group).unwrap();
    let last = carol.client.inbox().unwrap().pop().unwrap();
    assert!(matches!(
        last.content,
        InboxContent::Commit {
            self_removed: true,
            ..
        }
    ));
    assert_eq!(alice.info(&group).members.len(), 1);
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

#[test]
fn a_message_waits_while_proposals_are_pending() {
    let (mut alice, mut bob, mut service, group) = pair();
    let mut carol = Device::new("carol");
    let packages = carol.client.generate_key_packages(1).unwrap();
    alice.client.add_members(&group, &packages, None).unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    carol.save();
    bob.client.leave_group(&group, None).unwrap();
    bob.sync(&mut service, &group);
    // Alice hears of the proposal and writes before it is committed.
    alice.receive_log(&service, &group).unwrap();
    assert_eq!(
        code(alice.client.encrypt_message(&group, b"raw")),
        "pending-proposals"
    );
    let entry = alice
        .client
        .send_message(&group, b"waits", Some("w1"))
        .unwrap();
    assert_eq!(entry.bytes, None);
    alice.sync(&mut service, &group);
    assert!(alice.client.outbox().unwrap().is_empty());
    assert_eq!(
        service
            .log()
            .iter()
            .filter(|logged| logged.id == "w1")
            .count(),
        1
    );
}

#[test]
fn of_two_commits_in_one_epoch_one_wins_and_the_loser_goes_on() {
    let (mut alice, mut bob, mut service, group) = pair();
    for round in 0..5 {
        alice
            .client
            .self_update(&group, Some(&format!("a{round}")))
            .unwrap();
        let lost = bob
            .client
            .self_update(&group, Some(&format!("b{round}")))
            .unwrap();
        bob.client
            .send_message(&group, format!("m{round}").as_bytes(), None)
            .unwrap();
        alice.sync(&mut service, &group);
        bob.receive_log(&service, &group).unwrap();
        let items = bob.client.inbox().unwrap();
        let superseded = items.iter().find_map(|item| match &item.content {
            InboxContent::Commit { superseded, .. } => superseded.clone(),
            _ => None,
        });
        assert_eq!(superseded, Some(lost.id));
        assert!(!bob.info(&group).has_pending_commit);
        bob.sync(&mut service, &group);
        alice.sync(&mut service, &group);
        assert_in_step(&mut alice, &mut bob, &group);
    }
    assert_eq!(texts(&alice), ["m0", "m1", "m2", "m3", "m4"]);
}

#[test]
fn the_same_delivery_twice_is_nothing_new() {
    let (mut alice, mut bob, mut service, group) = pair();
    alice
        .client
        .send_message(&group, b"once", Some("m"))
        .unwrap();
    alice.sync(&mut service, &group);
    let position = service.log().len() as u64;
    let bytes = service.log().last().unwrap().bytes.clone();
    let delivered = Delivered {
        bytes: &bytes,
        id: Some("m"),
        position: Some(position),
        ..Default::default()
    };
    assert!(bob.client.receive_message(delivered).unwrap().is_some());
    assert!(bob.client.receive_message(delivered).unwrap().is_none());
    bob.save();
    bob.crash();
    assert!(bob.client.receive_message(delivered).unwrap().is_none());
    assert_eq!(bob.client.inbox().unwrap().len(), 1);
    // The same bytes without a position: told apart by the ratchet.
    assert_eq!(
        code(bob.client.process_message(&bytes)),
        "duplicate-message"
    );
    assert!(service.welcomes_once(&mut bob));
}

trait WelcomesOnce {
    fn welcomes_once(&self, device: &mut Device) -> bool;
}
impl WelcomesOnce for Service {
    fn welcomes_once(&self, device: &mut Device) -> bool {
        let before = device.client.list_groups().unwrap();
        device.receive_welcomes(self);
        device.client.list_groups().unwrap() == before
    }
}

#[test]
fn a_bad_message_does_not_hold_up_those_behind_it() {
    let (mut alice, mut bob, _, group) = pair();
    let mut bytes = alice.client.encrypt_message(&group, b"first").unwrap();
    let good = alice.client.encrypt_message(&group, b"second").unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let failed = bob
        .client
        .receive_message(Delivered {
            bytes: &bytes,
            id: Some("bad"),
            position: Some(2),
            ..Default::default()
        })
        .unwrap()
        .unwrap();
    assert!(matches!(failed.content, InboxContent::Failed { code } if code == "undecryptable"));
    assert_eq!(bob.client.delivery_cursor(&group).unwrap(), Some(2));
    let item = bob
        .client
        .receive_message(Delivered {
            bytes: &good,
            id: Some("good"),
            position: Some(3),
            ..Default::default()
        })
        .unwrap()
        .unwrap();
    assert!(
        matches!(item.content, InboxContent::Message { plaintext, .. } if plaintext == b"second")
    );
}

#[test]
fn a_message_that_overtakes_another_does_not_make_it_disappear() {
    let (mut alice, mut bob, _, group) = pair();
    let [first, second] = ["1", "2"].map(|text| {
        alice
            .client
            .encrypt_message(&group, text.as_bytes())
            .unwrap()
    });
    let at = |bytes, position| Delivered {
        bytes,
        id: None,
        position: Some(position),
        ..Default::default()
    };
    assert_eq!(
        code(bob.client.receive_message(at(&second, 3))),
        "position-gap"
    );
    assert!(bob.client.receive_message(at(&first, 2)).unwrap().is_some());
    assert!(bob
        .client
        .receive_message(at(&second, 3))
        .unwrap()
        .is_some());
    assert_eq!(
        code(bob.client.receive_welcome(welcome(b"whatever", 3, 1))),
        "position-gap"
    );
}

#[test]
fn whoever_was_removed_can_be_added_again() {
    let (mut alice, mut bob, mut service, group) = pair();
    alice.client.remove_members(&group, &[1], None).unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    assert!(!bob.info(&group).is_active);
    let package = bob.client.generate_key_packages(1).unwrap();
    bob.save();
    alice
        .client
        .send_message(&group, b"not for bob", None)
        .unwrap();
    alice.client.add_members(&group, &package, None).unwrap();
    alice.sync(&mut service, &group);
    alice
        .client
        .send_message(&group, b"welcome back", None)
        .unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    assert_in_step(&mut alice, &mut bob, &group);
    assert_eq!(texts(&bob), ["welcome back"]);
    assert!(bob.failures.is_empty());
    // A Welcome to a group one is in is refused, and deletes nothing.
    let again = bob.client.generate_key_packages(1).unwrap();
    let other = {
        let mut mallory = Device::new("mallory");
        mallory.client.create_group(Some(&group)).unwrap();
        for _ in 0..9 {
            mallory.client.self_update(&group, None).unwrap();
            mallory.client.merge_pending_commit(&group).unwrap();
        }
        mallory
            .client
            .add_members(&group, &again, None)
            .unwrap()
            .welcome
            .unwrap()
    };
    assert_eq!(code(bob.client.join_group(&other)), "group-exists");
    let next = bob.client.welcome_cursor().unwrap().unwrap() + 1;
    assert_eq!(code(bob.client.skip_welcome(next + 1)), "position-gap");
    bob.client.skip_welcome(next).unwrap();
    assert_eq!(bob.client.welcome_cursor().unwrap(), Some(next));
    assert_in_step(&mut alice, &mut bob, &group);
}

#[test]
fn an_id_that_another_item_has_does_not_overwrite_it() {
    let (mut alice, mut bob, _, group) = pair();
    for (text, position) in [("one", 2), ("two", 3)] {
        let bytes = alice
            .client
            .encrypt_message(&group, text.as_bytes())
            .unwrap();
        let delivered = Delivered {
            bytes: &bytes,
            id: Some("same"),
            position: Some(position),
            ..Default::default()
        };
        bob.client.receive_message(delivered).unwrap();
    }
    assert_eq!(
        bob.client
            .inbox()
            .unwrap()
            .iter()
            .filter(|item| item.position >= Some(2))
            .count(),
        2
    );
}

#[test]
fn errors_name_what_is_wrong_and_change_nothing() {
    let (mut alice, mut bob, _, group) = pair();
    let before = common::Database::of(&alice.client);
    let package = bob.client.generate_key_packages(1).unwrap();
    let client = &mut alice.client;
    assert_eq!(code(client.create_identity(b"again", 1)), "identity-exists");
    assert_eq!(code(client.create_group(Some(&group))), "group-exists");
    assert_eq!(code(client.group_info(b"no such group")), "group-not-found");
    assert_eq!(
        code(client.delete_group(b"no such group")),
        "group-not-found"
    );
    assert_eq!(
        code(client.add_members(&group, &[], None)),
        "invalid-argument"
    );
    assert_eq!(
        code(client.add_members(&group, &[vec![1, 2]], None)),
        "invalid-key-package"
    );
    assert_eq!(
        code(client.add_members(&group, &package, None)),
        "commit-rejected"
    );
    assert_eq!(
        code(client.remove_members(&group, &[7], None)),
        "unknown-member"
    );
    assert_eq!(
        code(client.remove_members(&group, &[0], None)),
        "cannot-remove-self"
    );
    assert_eq!(
        code(client.commit_pending_proposals(&group, None)),
        "nothing-to-commit"
    );
    assert_eq!(
        code(client.merge_pending_commit(&group)),
        "no-pending-commit"
    );
    assert_eq!(
        code(client.clear_pending_commit(&group)),
        "no-pending-commit"
    );
    assert_eq!(
        code(client.process_message(b"nonsense")),
        "malformed-message"
    );
    assert_eq!(code(client.process_message(&package[0])), "wrong-kind");
    assert_eq!(code(client.join_group(b"nonsense")), "malformed-message");
    assert_eq!(code(client.join_group(&package[0])), "wrong-kind");
    assert_eq!(
        code(client.acknowledge_outbox("no")),
        "unknown-outbox-entry"
    );
    assert_eq!(code(client.renew_outbox("no")), "unknown-outbox-entry");
    assert_eq!(code(client.reject_commit("no")), "unknown-outbox-entry");
    assert_eq!(
        code(client.send_message(&group, b"x", Some(""))),
        "invalid-argument"
    );
    assert_eq!(code(client.generate_key_packages(0)), "invalid-argument");
    assert_eq!(
        code(client.sign_with_label("LeafNodeTBS", b"x")),
        "reserved-label"
    );
    assert_eq!(common::Database::of(&alice.client), before);

    let entry = alice.client.self_update(&group, Some("c")).unwrap();
    assert_eq!(
        code(alice.client.self_update(&group, None)),
        "pending-commit"
    );
    assert_eq!(
        code(alice.client.self_update(&group, Some("c"))),
        "duplicate-id"
    );
    assert_eq!(code(alice.client.acknowledge_outbox("c")), "wrong-kind");
    assert_eq!(code(alice.client.renew_outbox("c")), "wrong-kind");
    alice.client.reject_commit(&entry.id).unwrap();
    assert_eq!(
        common::Database::of(&alice.client).count(Category::Outbox),
        0
    );

    let mut nobody = openmls_wasm::MlsClient::new();
    assert_eq!(code(nobody.create_group(None)), "no-identity");
    assert_eq!(code(nobody.generate_key_packages(1)), "no-identity");
    assert_eq!(
        code(nobody.create_identity(b"x", 0x7777)),
        "unsupported-ciphersuite"
    );
    assert_eq!(
        code(nobody.create_identity(b"x", 5)),
        "unsupported-ciphersuite"
    );
}

#[test]
fn messages_of_other_epochs_are_told_apart() {
    let (mut alice, mut bob, _, group) = pair();
    let old = alice.client.encrypt_message(&group, b"old").unwrap();
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    let new = alice.client.encrypt_message(&group, b"new").unwrap();
    assert_eq!(code(bob.client.process_message(&new)), "future-epoch");
    let none = GroupSettings {
        max_past_epochs: 0,
        ..GroupSettings::default()
    };
    bob.client.configure_group(&group, &none).unwrap();
    bob.client.process_message(&commit.bytes.unwrap()).unwrap();
    assert_eq!(code(bob.client.process_message(&old)), "past-epoch");
    let processed = bob.client.process_message(&new).unwrap();
    assert!(
        matches!(processed.content, ProcessedContent::Message { plaintext, .. } if plaintext == b"new")
    );
}

#[test]
fn a_welcome_for_someone_else_deletes_nothing() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let mut carol = Device::new("carol");
    let for_bob = bob.client.generate_key_packages(1).unwrap();
    carol.client.generate_key_packages(1).unwrap();
    let group = alice.client.create_group(None).unwrap();
    let commit = alice.client.add_members(&group, &for_bob, None).unwrap();
    let bytes = commit.welcome.unwrap();
    assert_eq!(
        code(carol.client.join_group(&bytes)),
        "no-matching-key-package"
    );
    let item = carol
        .client
        .receive_welcome(welcome(&bytes, 1, 1))
        .unwrap()
        .unwrap();
    assert!(matches!(item.content, InboxContent::Failed { .. }));
    assert_eq!(carol.client.welcome_cursor().unwrap(), Some(1));
    carol.save();
    assert_eq!(carol.database.count(Category::KeyPackage), 1);
}

#[test]
fn a_deleted_group_leaves_nothing_behind() {
    let (mut alice, mut bob, mut service, group) = pair();
    alice.client.self_update(&group, None).unwrap();
    alice.client.send_message(&group, b"unsent", None).unwrap();
    alice.save();
    bob.client.send_message(&group, b"read me", None).unwrap();
    bob.sync(&mut service, &group);
    alice.receive_log(&service, &group).unwrap();
    alice.client.delete_group(&group).unwrap();
    alice.save();
    assert!(alice.client.list_groups().unwrap().is_empty());
    assert_eq!(
        alice.database.count(Category::Inbox),
        2,
        "received and not saved by the app yet"
    );
    alice.take_over();
    let left: Vec<_> = alice
        .database
        .records()
        .iter()
        .map(|record| record.category)
        .collect();
    use Category::{DigestRoot, FormerGroup, Identity, LastSequence, SignatureKeyPair};
    assert_eq!(
        left,
        [
            Identity,
            SignatureKeyPair,
            LastSequence,
            FormerGroup,
            DigestRoot
        ],
        "what belongs to the client, and how far it was in the group"
    );
}

#[test]
fn every_supported_ciphersuite_works() {
    for suite in [1, 2, 3] {
        let mut clients = [
            openmls_wasm::MlsClient::new(),
            openmls_wasm::MlsClient::new(),
        ];
        for client in &mut clients {
            client.create_identity(b"someone", suite).unwrap();
        }
        let [alice, bob] = &mut clients;
        let packages = bob.generate_key_packages(1).unwrap();
        let group = alice.create_group(None).unwrap();
        let commit = alice.add_members(&group, &packages, None).unwrap();
        alice.merge_pending_commit(&group).unwrap();
        bob.join_group(&commit.welcome.unwrap()).unwrap();
        let bytes = bob.encrypt_message(&group, b"hello").unwrap();
        assert!(alice.process_message(&bytes).is_ok(), "suite {suite}");
    }
}
