//! Joining by external commit: alone, anew, refused, and killed at every batch.

mod common;

use std::rc::Rc;

use common::{
    assert_in_step, bare::Bare, code, pair, refused, Crash, Database, Device, Plan, Service, Upload,
};
use openmls::prelude::{
    BasicCredential, CredentialWithKey, GroupId, Lifetime, MlsGroup, SignatureScheme,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::OpenMlsProvider as _;
use openmls_wasm::{
    client::{
        AppCapabilities, CommitRequest, Delivered, Extension, ExternalJoin, GroupOptions,
        GroupSettings, InboxContent, LeafUpdate, ProposalRequest, WireFormatPolicy,
    },
    storage::Category,
    ClientError, MlsClient,
};

fn join(device: &mut Device, group_info: &[u8]) -> openmls_wasm::client::OutboxEntry {
    device
        .client
        .join_by_external_commit(group_info, &ExternalJoin::default(), Some("join"))
        .unwrap()
}

/// Hands the entry at `position` of the log to the device.
fn receive(
    device: &mut Device,
    service: &Service,
    position: usize,
) -> Result<Option<InboxContent>, ClientError> {
    let logged = &service.log()[position - 1];
    let item = device.client.receive_message(Delivered {
        bytes: &logged.bytes,
        id: Some(&logged.id),
        position: Some(position as u64),
        ..Default::default()
    })?;
    assert!(device.save());
    Ok(item.map(|item| item.content))
}

/// Both read what the other writes, and nothing is left of the way here.
fn assert_settled(one: &mut Device, other: &mut Device, service: &mut Service, group: &[u8]) {
    assert_in_step(one, other, group);
    let texts = [one.history.len(), other.history.len()];
    one.client.send_message(group, b"one", None).unwrap();
    other.client.send_message(group, b"other", None).unwrap();
    for _ in 0..2 {
        one.sync(service, group);
        other.sync(service, group);
    }
    assert_eq!(
        [one.history.len(), other.history.len()],
        texts.map(|n| n + 2)
    );
    for device in [one, other] {
        assert!(device.client.outbox().unwrap().is_empty());
        assert_eq!(device.database.count(Category::PendingExternalJoin), 0);
        // Of one epoch each: one group context, the keys of one leaf.
        for category in [
            Category::GroupContext,
            Category::EpochKeyPairs,
            Category::Tree,
        ] {
            assert_eq!(device.database.count(category), 1, "{category:?}");
        }
    }
}

#[test]
fn a_newcomer_joins_by_itself_with_the_tree_inside_or_beside_the_group_info() {
    for inside in [true, false] {
        let (mut alice, mut bob, mut service, group) = pair();
        let mut carol = Device::new("carol");
        let info = alice.client.export_group_info(&group, inside).unwrap();
        let tree = alice.client.export_ratchet_tree(&group).unwrap();
        alice.save();
        if !inside {
            assert_eq!(
                refused(&mut carol, |client| client.join_by_external_commit(
                    &info,
                    &ExternalJoin::default(),
                    None
                )),
                "ratchet-tree-missing"
            );
        }
        let with = ExternalJoin {
            ratchet_tree: (!inside).then_some(tree),
            authenticated_data: b"let me in".to_vec(),
            ..Default::default()
        };
        let found = carol.client.inspect_external_join(&info, &with).unwrap();
        let members = found.members.iter();
        let identities: Vec<_> = members.map(|member| &member.identity[..]).collect();
        assert_eq!(identities, [&b"alice"[..], b"bob", b"carol"]);
        assert_eq!(
            (&found.group_id, found.epoch, found.ciphersuite),
            (&group, alice.info(&group).epoch + 1, 1)
        );
        let credentials = found.credentials.iter();
        let parties: Vec<_> = credentials.map(|it| &it.party.identity[..]).collect();
        assert_eq!(parties, identities);

        let entry = carol
            .client
            .join_by_external_commit(&info, &with, Some("join"))
            .unwrap();
        assert!(carol.save());
        let bytes = entry.bytes.clone().unwrap();
        assert!(bytes.windows(9).any(|window| window == b"let me in"));
        assert_eq!(code(carol.client.group_info(&group)), "group-not-found");
        assert_eq!(carol.client.list_groups(), Ok(vec![]));
        // What the client knows survives a restart: the same bytes are uploaded.
        carol.crash();
        let waiting = carol.client.outbox().unwrap();
        assert_eq!(waiting, std::slice::from_ref(&entry));
        assert_eq!(service.upload(&entry), Upload::Accepted);
        let position = service.log().len();
        assert_eq!(
            receive(&mut carol, &service, position).unwrap(),
            Some(InboxContent::Joined {
                epoch: entry.epoch + 1
            })
        );
        carol.crash();
        let item = carol.client.inbox().unwrap().remove(0);
        assert_eq!(
            (item.id.as_str(), &item.group_id, item.position),
            ("join", &group, Some(position as u64)),
            "it is handed over until it is acknowledged"
        );
        assert_eq!(
            carol.client.delivery_cursor(&group),
            Ok(Some(position as u64))
        );
        assert_eq!(receive(&mut carol, &service, position), Ok(None), "again");
        for device in [&mut alice, &mut bob] {
            device.sync(&mut service, &group);
            assert_in_step(device, &mut carol, &group);
        }
        assert_eq!(carol.info(&group).members, found.members);
        assert_settled(&mut alice, &mut carol, &mut service, &group);
    }
}

#[test]
fn without_a_log_the_app_says_that_the_commit_was_accepted() {
    let (mut alice, _, _, group) = pair();
    let mut carol = Device::new("carol");
    let info = alice.client.export_group_info(&group, true).unwrap();
    alice
        .client
        .send_message(&group, b"text", Some("t"))
        .unwrap();
    let entry = join(&mut carol, &info);
    assert_eq!(
        refused(&mut carol, |client| client.accept_external_join("other")),
        "unknown-outbox-entry"
    );
    assert_eq!(
        refused(&mut alice, |client| client.accept_external_join("t")),
        "wrong-kind"
    );
    assert_eq!(
        carol.client.accept_external_join(&entry.id),
        Ok(group.clone())
    );
    assert_eq!(carol.client.delivery_cursor(&group), Ok(None));
    alice.client.process_message(&entry.bytes.unwrap()).unwrap();
    assert_in_step(&mut alice, &mut carol, &group);
    assert!(carol.client.outbox().unwrap().is_empty());
}

#[test]
fn an_own_commit_that_comes_back_without_a_log_is_the_join() {
    // A newcomer, and a member in step: the same bytes would remove its old self.
    for member in [false, true] {
        let (mut alice, mut bob, _, group) = pair();
        let mut carol = Device::new("carol");
        let joiner = if member { &mut bob } else { &mut carol };
        let info = alice.client.export_group_info(&group, true).unwrap();
        let entry = join(joiner, &info);
        let bytes = entry.bytes.unwrap();
        let before = Database::of(&joiner.client);
        let inspected = joiner.client.inspect_message(&bytes).unwrap();
        assert_eq!(Database::of(&joiner.client), before);
        let processed = joiner.client.process_message(&bytes).unwrap();
        assert_eq!(processed, inspected);
        let epoch = entry.epoch + 1;
        assert_eq!(processed.content, InboxContent::Joined { epoch });
        assert_eq!(processed.group_id, group);
        alice.client.process_message(&bytes).unwrap();
        assert_in_step(&mut alice, joiner, &group);
        assert!(joiner.client.outbox().unwrap().is_empty());
    }
}

#[test]
fn a_welcome_that_is_faster_lets_the_client_in_all_the_same() {
    let (mut alice, mut bob, mut service, group) = pair();
    let mut carol = Device::new("carol");
    let package = carol.client.generate_key_packages(1).unwrap();
    carol.save();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut carol, &info);
    carol.save();
    alice.client.add_members(&group, &package, None).unwrap();
    for device in [&mut alice, &mut bob] {
        device.sync(&mut service, &group);
    }
    carol.receive_welcomes(&service);
    carol.save();
    assert_in_step(&mut alice, &mut carol, &group);
    assert_eq!(service.upload(&entry), Upload::PastEpoch);
    assert_eq!(
        refused(&mut carol, |client| client.self_update(&group, None)),
        "pending-commit"
    );
    carol.client.reject_commit(&entry.id).unwrap();
    carol.save();
    carol.take_over();
    assert_settled(&mut alice, &mut carol, &mut service, &group);
}

#[test]
fn a_refused_commit_leaves_what_was_before() {
    let (mut alice, mut bob, mut service, group) = pair();
    bob.client.send_message(&group, b"before", None).unwrap();
    bob.sync(&mut service, &group);
    alice.sync(&mut service, &group);
    let info = alice.client.export_group_info(&group, true).unwrap();
    let mut carol = Device::new("carol");
    // Alice is faster than Carol (a newcomer) and Bob (a member).
    alice.client.self_update(&group, None).unwrap();
    alice.sync(&mut service, &group);
    for device in [&mut carol, &mut bob] {
        let before = device.database.clone();
        let entry = join(device, &info);
        assert!(device.save());
        assert_eq!(service.upload(&entry), Upload::PastEpoch);
        device.crash();
        device.client.reject_commit(&entry.id).unwrap();
        device.save();
        let (mut after, mut before) = (device.database.clone(), before);
        for database in [&mut after, &mut before] {
            database.remove_all(Category::LastSequence);
        }
        assert_eq!(after, before, "all but the count of entries is as it was");
    }
    assert_eq!(code(carol.client.group_info(&group)), "group-not-found");
    bob.sync(&mut service, &group);
    assert_settled(&mut alice, &mut bob, &mut service, &group);
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut carol, &info);
    carol.save();
    assert_eq!(service.upload(&entry), Upload::Accepted);
    let position = service.log().len();
    receive(&mut carol, &service, position).unwrap();
    alice.sync(&mut service, &group);
    assert_settled(&mut alice, &mut carol, &mut service, &group);
}

#[test]
fn a_client_that_was_removed_comes_back() {
    let (mut alice, mut bob, mut service, group) = pair();
    let bob_index = bob.info(&group).own_leaf_index;
    alice
        .client
        .remove_members(&group, &[bob_index], None)
        .unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    assert!(!bob.info(&group).is_active);
    alice
        .client
        .send_message(&group, b"without bob", None)
        .unwrap();
    alice.sync(&mut service, &group);
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.save();
    service.upload(&entry);
    let last = service.log().len();
    // What was written without him is passed over, without an item.
    assert_eq!(receive(&mut bob, &service, last - 1), Ok(None));
    assert!(matches!(
        receive(&mut bob, &service, last),
        Ok(Some(InboxContent::Joined { .. }))
    ));
    alice.sync(&mut service, &group);
    assert_eq!(alice.info(&group).members.len(), 2);
    assert_settled(&mut alice, &mut bob, &mut service, &group);
}

/// Bob's database is put back to an old copy: his group is three epochs behind and knows keys that
/// were used since.
fn out_of_step() -> (Device, Device, Service, Vec<u8>) {
    let (mut alice, mut bob, mut service, group) = pair();
    let old = bob.database.clone();
    for _ in 0..3 {
        bob.client.self_update(&group, None).unwrap();
        bob.sync(&mut service, &group);
        alice.sync(&mut service, &group);
    }
    bob.database = old;
    bob.crash();
    (alice, bob, service, group)
}

#[test]
fn a_client_that_is_out_of_step_comes_back_in_the_place_of_its_old_leaf() {
    let (mut alice, mut bob, mut service, group) = out_of_step();
    let before = alice.info(&group);
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.save();
    service.upload(&entry);
    // In the order of the log: his own commits of the life before cannot be read, nor what follows.
    let last = service.log().len();
    for position in 2..last {
        assert!(bob.info(&group).is_active);
        receive(&mut bob, &service, position).unwrap();
    }
    receive(&mut bob, &service, last).unwrap();
    alice.sync(&mut service, &group);
    let after = alice.info(&group);
    assert_eq!(after.members.len(), 2);
    assert_eq!(after.members[1].leaf_index, before.members[1].leaf_index);
    assert_eq!(
        after.members[1].signature_key,
        before.members[1].signature_key
    );
    assert_settled(&mut alice, &mut bob, &mut service, &group);
    // A Welcome of before cannot bring the old state back.
    let welcome = service.last_welcome();
    assert!(bob.client.join_group(&welcome).is_err());
}

#[test]
fn a_client_that_is_behind_need_not_read_what_the_log_does_not_hold_any_more() {
    let (mut alice, mut bob, mut service, group) = out_of_step();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.save();
    service.upload(&entry);
    let position = service.log().len();
    receive(&mut bob, &service, position).unwrap();
    alice.sync(&mut service, &group);
    assert_settled(&mut alice, &mut bob, &mut service, &group);
}

#[test]
fn a_client_that_catches_up_after_all_still_waits_for_its_commit() {
    let (mut alice, mut bob, mut service, group) = pair();
    for round in 0..3 {
        alice
            .client
            .send_message(&group, format!("text {round}").as_bytes(), None)
            .unwrap();
        alice.sync(&mut service, &group);
        alice.client.self_update(&group, None).unwrap();
        alice.sync(&mut service, &group);
    }
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.save();
    service.upload(&entry);
    // The commits before his are of epochs before that of his.
    let last = service.log().len();
    for position in 2..last {
        receive(&mut bob, &service, position).unwrap();
        assert_eq!(bob.client.outbox().unwrap().len(), 1);
    }
    assert!(matches!(
        receive(&mut bob, &service, last),
        Ok(Some(InboxContent::Joined { .. }))
    ));
    bob.take_over();
    assert_eq!(common::texts(&bob), ["text 0", "text 1", "text 2"]);
    alice.sync(&mut service, &group);
    assert_settled(&mut alice, &mut bob, &mut service, &group);
}

#[test]
fn what_came_early_is_read_after_the_join_and_gone_after_a_refusal() {
    for accepted in [true, false] {
        let (mut alice, _, _, group) = pair();
        let mut carol = Device::new("carol");
        let info = alice.client.export_group_info(&group, true).unwrap();
        let entry = join(&mut carol, &info);
        let commit = entry.bytes.unwrap();
        alice.client.process_message(&commit).unwrap();
        let early = alice.client.encrypt_message(&group, b"early").unwrap();
        let delivered = Delivered {
            bytes: &early,
            ..Default::default()
        };
        assert_eq!(carol.client.receive_message(delivered), Ok(None));
        carol.save();
        assert_eq!(carol.database.count(Category::EarlyMessage), 1);
        carol.crash();
        if accepted {
            carol.client.accept_external_join(&entry.id).unwrap();
            carol.save();
            carol.take_over();
            assert_eq!(common::texts(&carol), ["early"]);
        } else {
            carol.client.reject_commit(&entry.id).unwrap();
            carol.save();
        }
        assert_eq!(carol.database.count(Category::EarlyMessage), 0);
    }
}

#[test]
fn a_client_in_step_reads_everything_before_it_comes_anew() {
    let (mut alice, mut bob, mut service, group) = pair();
    let info = alice.client.export_group_info(&group, true).unwrap();
    alice
        .client
        .send_message(&group, b"just before", None)
        .unwrap();
    alice.sync(&mut service, &group);
    let entry = join(&mut bob, &info);
    bob.save();
    service.upload(&entry);
    let last = service.log().len();
    assert_eq!(
        refused(&mut bob, |client| client.receive_message(Delivered {
            bytes: &service.log()[last - 1].bytes,
            id: Some("join"),
            position: Some(last as u64),
            ..Default::default()
        })),
        "position-gap"
    );
    bob.receive_log(&service, &group).unwrap();
    bob.save();
    bob.take_over();
    assert_eq!(common::texts(&bob), ["just before"]);
    alice.sync(&mut service, &group);
    assert_settled(&mut alice, &mut bob, &mut service, &group);
}

#[test]
fn a_commit_that_was_first_ends_the_wait_of_a_member() {
    let (mut alice, mut bob, mut service, group) = pair();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.save();
    alice.client.self_update(&group, None).unwrap();
    alice.sync(&mut service, &group);
    let last = service.log().len();
    let Ok(Some(InboxContent::Commit { superseded, .. })) = receive(&mut bob, &service, last)
    else {
        panic!("no commit");
    };
    assert_eq!(superseded, Some(entry.id));
    assert_settled(&mut alice, &mut bob, &mut service, &group);
}

#[test]
fn what_belongs_to_a_later_epoch_waits_for_the_own_commit() {
    let (mut alice, mut bob, mut service, group) = pair();
    let mut carol = Device::new("carol");
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut carol, &info);
    carol.save();
    service.upload(&entry);
    for device in [&mut alice, &mut bob] {
        device.sync(&mut service, &group);
    }
    alice.client.send_message(&group, b"welcome", None).unwrap();
    alice.sync(&mut service, &group);
    let last = service.log().len();
    assert_eq!(
        refused(&mut carol, |client| client.receive_message(Delivered {
            bytes: &service.log()[last - 1].bytes,
            id: None,
            position: Some(last as u64),
            ..Default::default()
        })),
        "future-epoch"
    );
    for position in [last - 1, last] {
        receive(&mut carol, &service, position).unwrap();
    }
    carol.take_over();
    assert_eq!(common::texts(&carol), ["welcome"]);
}

#[test]
fn one_commit_to_a_group_at_a_time() {
    let (mut alice, mut bob, _, group) = pair();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let by_commit = |client: &mut MlsClient| {
        client.join_by_external_commit(&info, &ExternalJoin::default(), None)
    };
    bob.client.self_update(&group, Some("own")).unwrap();
    assert_eq!(refused(&mut bob, by_commit), "pending-commit");
    bob.client.reject_commit("own").unwrap();
    join(&mut bob, &info);
    assert_eq!(refused(&mut bob, by_commit), "pending-commit");
    assert_eq!(
        refused(&mut bob, |client| client.self_update(&group, None)),
        "pending-commit"
    );
    assert_eq!(
        refused(&mut bob, |client| client.clear_pending_commit(&group)),
        "no-pending-commit"
    );
    assert_eq!(
        refused(&mut bob, |client| client.acknowledge_outbox("join")),
        "wrong-kind"
    );
    // Whoever deletes the group gives up on joining it anew, too.
    bob.client.delete_group(&group).unwrap();
    assert!(bob.client.outbox().unwrap().is_empty());
    bob.save();
    assert_eq!(bob.database.count(Category::PendingExternalJoin), 0);
}

#[test]
fn an_external_commit_can_ask_for_a_pre_shared_key() {
    let (mut alice, mut bob, mut service, group) = pair();
    let mut carol = Device::new("carol");
    let info = alice.client.export_group_info(&group, true).unwrap();
    let with = ExternalJoin {
        external_psks: vec![b"password".to_vec(), b"another".to_vec()],
        ..Default::default()
    };
    assert_eq!(
        refused(&mut carol, |client| client
            .join_by_external_commit(&info, &with, None)),
        "unknown-psk"
    );
    for device in [&mut alice, &mut carol] {
        device
            .client
            .store_external_psk(b"password", b"secret of all but bob")
            .unwrap();
        device
            .client
            .store_external_psk(b"another", b"that too")
            .unwrap();
        device.save();
    }
    let entry = carol
        .client
        .join_by_external_commit(&info, &with, None)
        .unwrap();
    carol.save();
    service.upload(&entry);
    let position = service.log().len();
    receive(&mut carol, &service, position).unwrap();
    alice.sync(&mut service, &group);
    assert_in_step(&mut alice, &mut carol, &group);
    // A member without the keys is told so, and follows when they are there.
    let error = receive(&mut bob, &service, position).unwrap_err();
    assert_eq!(error.code(), "unknown-psk");
    for (psk_id, psk) in [
        (&b"password"[..], &b"secret of all but bob"[..]),
        (b"another", b"that too"),
    ] {
        bob.client.store_external_psk(psk_id, psk).unwrap();
    }
    receive(&mut bob, &service, position).unwrap();
    assert_in_step(&mut bob, &mut carol, &group);
}

#[test]
fn hostile_group_infos_are_refused_by_name_and_change_nothing() {
    let (mut alice, mut bob, _, group) = pair();
    let mut carol = Device::new("carol");
    let mut stranger = Device::new("stranger");
    let other = stranger.client.create_group(None).unwrap();
    let other_tree = stranger.client.export_ratchet_tree(&other).unwrap();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let bare = alice.client.export_group_info(&group, false).unwrap();
    let tree = alice.client.export_ratchet_tree(&group).unwrap();
    let message = bob.client.encrypt_message(&group, b"text").unwrap();
    let by = |info: &[u8], tree: Option<&[u8]>| {
        let with = ExternalJoin {
            ratchet_tree: tree.map(<[u8]>::to_vec),
            ..Default::default()
        };
        let info = info.to_vec();
        move |client: &mut MlsClient| client.join_by_external_commit(&info, &with, None)
    };
    assert_eq!(refused(&mut carol, by(&message, None)), "wrong-kind");
    assert_eq!(refused(&mut carol, by(b"", None)), "malformed-message");
    for (tree, expected) in [
        (&other_tree[..], "invalid-group-info"),
        (b"no tree", "malformed-message"),
    ] {
        assert_eq!(refused(&mut carol, by(&bare, Some(tree))), expected);
    }
    // Any byte of it flipped: the group id, the context, the tree, the extensions, the signature.
    let allowed = [
        "malformed-message",
        "wrong-kind",
        "invalid-group-info",
        "ratchet-tree-missing",
        "unsupported-ciphersuite",
    ];
    for (bytes, tree) in [(&info, None), (&bare, Some(&tree[..]))] {
        for index in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[index] ^= 1 << (index % 8);
            let code = refused(&mut carol, by(&flipped, tree));
            assert!(allowed.contains(&code), "{code} for byte {index}");
        }
    }
    for index in 0..tree.len() {
        let mut flipped = tree.clone();
        flipped[index] ^= 1 << (index % 8);
        let code = refused(&mut carol, by(&bare, Some(&flipped)));
        assert!(
            allowed.contains(&code),
            "{code} for byte {index} of the tree"
        );
    }
    let mut nobody = Device::with(MlsClient::new(), Rc::default());
    assert_eq!(refused(&mut nobody, by(&info, None)), "no-identity");
    let mut other_suite = Device::with(MlsClient::new(), Rc::default());
    other_suite.client.create_identity(b"p256", 2).unwrap();
    assert_eq!(
        refused(&mut other_suite, by(&info, None)),
        "unsupported-ciphersuite"
    );
}

#[test]
fn a_write_that_fails_on_the_way_undoes_all_of_it() {
    let (mut alice, _, mut service, group) = pair();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let mut carol = Device::new("carol");
    let fail = |device: &mut Device, writes| {
        let storage = device.client.storage();
        storage.fail_after(Some(writes)).unwrap();
    };
    let mut failures = 0;
    for writes in 0.. {
        fail(&mut carol, writes);
        let before = Database::of(&carol.client);
        let with = ExternalJoin::default();
        match carol
            .client
            .join_by_external_commit(&info, &with, Some("join"))
        {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), "storage"),
        }
        assert_eq!(Database::of(&carol.client), before);
        failures += 1;
    }
    carol.client.storage().fail_after(None).unwrap();
    assert_eq!(failures, 3, "sequence, entry, record");
    carol.save();
    service.upload(&carol.client.outbox().unwrap()[0]);
    let position = service.log().len() as u64;
    let bytes = service.log()[position as usize - 1].bytes.clone();
    for writes in 0.. {
        fail(&mut carol, writes);
        let before = Database::of(&carol.client);
        match carol.client.receive_message(Delivered {
            bytes: &bytes,
            id: Some("join"),
            position: Some(position),
            ..Default::default()
        }) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), "storage"),
        }
        assert_eq!(Database::of(&carol.client), before);
        failures += 1;
    }
    assert!(failures > 12, "the records of a group: {failures}");
    carol.client.storage().fail_after(None).unwrap();
    carol.save();
    alice.sync(&mut service, &group);
    assert_settled(&mut alice, &mut carol, &mut service, &group);
}

/// Bob loses his place and comes back: refused once, accepted then. Whatever dies on the way, he
/// looks at his database, does what is left to do, and ends in step.
fn come_back(plan: &Rc<Plan>) {
    let (mut alice, mut bob, mut service, group) = out_of_step();
    bob.plan = plan.clone();
    let mut raced = false;
    for _ in 0..30 {
        let of_alice = alice.info(&group).epoch_authenticator;
        let entry = bob.client.outbox().unwrap().into_iter().next();
        match entry {
            None if bob.info(&group).epoch_authenticator == of_alice => {
                bob.take_over();
                if bob.client.inbox().unwrap().is_empty() {
                    bob.plan = Rc::default();
                    return assert_settled(&mut alice, &mut bob, &mut service, &group);
                }
            }
            None => {
                let info = alice.client.export_group_info(&group, true).unwrap();
                let with = ExternalJoin::default();
                bob.client
                    .join_by_external_commit(&info, &with, None)
                    .unwrap();
                bob.save();
            }
            Some(entry) => {
                if !raced {
                    raced = true;
                    alice.client.self_update(&group, None).unwrap();
                    alice.sync(&mut service, &group);
                }
                if service.upload(&entry) == Upload::PastEpoch {
                    bob.client.reject_commit(&entry.id).unwrap();
                    bob.save();
                    continue;
                }
                alice.sync(&mut service, &group);
                bob.receive_log(&service, &group).unwrap();
                bob.save();
            }
        }
    }
    panic!("bob does not come to rest");
}

#[test]
fn a_crash_at_any_batch_ends_in_step_with_nothing_left_behind() {
    let plan: Rc<Plan> = Rc::default();
    come_back(&plan);
    let batches = plan.batches.get();
    assert!(batches >= 5, "{batches} batches");
    for at in 0..batches {
        for crash in [Crash::Before, Crash::After] {
            let plan: Rc<Plan> = Rc::default();
            plan.crash_at.set(Some((at, crash)));
            println!("crash at batch {at} of {batches}, {crash:?}");
            come_back(&plan);
        }
    }
}

#[test]
fn a_member_with_a_signature_key_of_this_group_comes_anew_with_it_and_loses_no_other() {
    let (mut alice, mut bob, mut service, group) = pair();
    let identity = bob.client.identity().unwrap().unwrap();
    let rotate = CommitRequest {
        leaf: LeafUpdate {
            new_signature_key: true,
            ..Default::default()
        },
        ..Default::default()
    };
    bob.client.commit(&group, &rotate, None).unwrap();
    bob.sync(&mut service, &group);
    alice.sync(&mut service, &group);
    let rotated = bob.info(&group).members[1].signature_key.clone();
    assert_ne!(rotated, identity.signature_public_key);
    let old = bob.database.clone();
    bob.client.self_update(&group, None).unwrap();
    bob.sync(&mut service, &group);
    alice.sync(&mut service, &group);
    bob.database = old;
    bob.crash();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.save();
    service.upload(&entry);
    let position = service.log().len();
    receive(&mut bob, &service, position).unwrap();
    alice.sync(&mut service, &group);
    let members = alice.info(&group).members;
    assert_eq!(members.len(), 2, "his old leaf is gone");
    assert_eq!(members[1].signature_key, rotated);
    assert_settled(&mut alice, &mut bob, &mut service, &group);
    assert_eq!(bob.database.count(Category::OwnSignatureKey), 1);
    assert_eq!(bob.database.count(Category::SignatureKeyPair), 2);
    // It still goes when the leaf has another.
    bob.client.commit(&group, &rotate, None).unwrap();
    bob.sync(&mut service, &group);
    assert_eq!(bob.database.count(Category::SignatureKeyPair), 2);
    bob.client.delete_group(&group).unwrap();
    bob.save();
    assert_eq!(bob.database.count(Category::SignatureKeyPair), 1);
}

#[test]
fn the_key_of_a_join_under_way_outlives_that_of_the_old_leaf() {
    let (mut alice, mut bob, mut service, group) = pair();
    let leaf = LeafUpdate {
        new_signature_key: true,
        ..Default::default()
    };
    let rotate = CommitRequest {
        leaf: leaf.clone(),
        ..Default::default()
    };
    bob.client.commit(&group, &rotate, None).unwrap();
    bob.sync(&mut service, &group);
    alice.sync(&mut service, &group);
    // Bob proposes yet another key; Alice commits it and something after it before he hears of it.
    let proposal = bob
        .client
        .propose(&group, &ProposalRequest::Update(leaf), b"", None);
    bob.save();
    service.upload(&proposal.unwrap());
    alice.receive_log(&service, &group).unwrap();
    for _ in 0..2 {
        alice
            .client
            .commit(
                &group,
                &CommitRequest {
                    force_self_update: true,
                    ..Default::default()
                },
                None,
            )
            .unwrap();
        alice.save();
        service.upload(&alice.client.outbox().unwrap()[0]);
        alice.receive_log(&service, &group).unwrap();
        alice.save();
    }
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = bob
        .client
        .join_by_external_commit(&info, &ExternalJoin::default(), Some("join"));
    bob.save();
    service.upload(&entry.unwrap());
    bob.receive_log(&service, &group).unwrap();
    bob.save();
    alice.receive_log(&service, &group).unwrap();
    alice.save();
    assert_in_step(&mut alice, &mut bob, &group);
    let text = bob.client.encrypt_message(&group, b"signed").unwrap();
    alice.client.process_message(&text).unwrap();
}

#[test]
fn members_that_are_leaving_go_with_the_commit_of_a_newcomer() {
    let mixed = GroupSettings {
        wire_format_policy: WireFormatPolicy::MixedPlaintext,
        ..Default::default()
    };
    let (mut alice, mut bob, mut carol) = (
        Device::new("alice"),
        Device::new("bob"),
        Device::new("carol"),
    );
    for device in [&mut alice, &mut bob, &mut carol] {
        device.client.set_group_settings(mixed.clone());
    }
    let mut service = Service::default();
    let group = alice.client.create_group(None).unwrap();
    let package = bob.client.generate_key_packages(1).unwrap();
    bob.save();
    alice.client.add_members(&group, &package, None).unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    let leave = bob
        .client
        .propose(&group, &ProposalRequest::SelfRemove, b"", None)
        .unwrap();
    bob.save();
    service.upload(&leave);
    alice.receive_log(&service, &group).unwrap();
    alice.save();
    let info = alice.client.export_group_info(&group, true).unwrap();
    let leave = leave.bytes.unwrap();
    let with = |self_removes: &[&[u8]]| ExternalJoin {
        self_removes: self_removes.iter().map(|bytes| bytes.to_vec()).collect(),
        ..Default::default()
    };
    let mut forged = leave.clone();
    // Behind the signature there is the membership tag: a length and 32 bytes.
    forged[leave.len() - 34] ^= 1;
    for (self_removes, expected) in [
        (&[&info[..]][..], "wrong-kind"),
        (&[&leave[..leave.len() - 1]], "malformed-message"),
        (&[&forged], "invalid-message"),
    ] {
        let with = with(self_removes);
        assert_eq!(
            refused(&mut carol, |client| client
                .join_by_external_commit(&info, &with, None)),
            expected
        );
    }
    let entry = carol
        .client
        .join_by_external_commit(&info, &with(&[&leave]), None)
        .unwrap();
    carol.save();
    service.upload(&entry);
    let position = service.log().len();
    receive(&mut carol, &service, position).unwrap();
    alice.receive_log(&service, &group).unwrap();
    alice.save();
    alice.take_over();
    let identities = alice.info(&group).members;
    let identities: Vec<_> = identities
        .iter()
        .map(|member| &member.identity[..])
        .collect();
    assert_eq!(identities, [&b"alice"[..], b"carol"]);
    assert_settled(&mut alice, &mut carol, &mut service, &group);
}

#[test]
fn whoever_joins_supports_what_the_group_requires_and_keeps_how_it_treats_its_messages() {
    const APP_EXTENSION: u16 = 0xf00a;
    let app = AppCapabilities {
        extensions: vec![APP_EXTENSION],
        proposals: vec![],
    };
    let mixed = GroupSettings {
        wire_format_policy: WireFormatPolicy::MixedPlaintext,
        ..Default::default()
    };
    let [mut alice, mut bob, mut carol] = ["alice", "bob", "carol"].map(Device::new);
    let options = GroupOptions {
        settings: Some(mixed.clone()),
        group_context_extensions: vec![Extension::RequiredCapabilities {
            extension_types: vec![APP_EXTENSION],
            proposal_types: vec![],
            credential_types: vec![],
        }],
        ..Default::default()
    };
    let group = alice.client.create_group_with(None, &options).unwrap();
    let info = alice.client.export_group_info(&group, true).unwrap();
    assert_eq!(
        refused(&mut carol, |client| client.join_by_external_commit(
            &info,
            &ExternalJoin::default(),
            None
        )),
        "commit-rejected"
    );
    // What was said at the first time holds for the second.
    let first = ExternalJoin {
        capabilities: Some(app),
        settings: Some(mixed),
        ..Default::default()
    };
    for (with, epoch) in [(first, 1), (ExternalJoin::default(), 2)] {
        let info = alice.client.export_group_info(&group, true).unwrap();
        let entry = bob
            .client
            .join_by_external_commit(&info, &with, None)
            .unwrap();
        bob.client.accept_external_join(&entry.id).unwrap();
        alice.client.process_message(&entry.bytes.unwrap()).unwrap();
        assert_in_step(&mut alice, &mut bob, &group);
        assert_eq!(bob.info(&group).epoch, epoch);
        let commit = bob.client.self_update(&group, Some("update")).unwrap();
        assert_eq!(commit.bytes.unwrap()[..4], [0, 1, 0, 1], "a PublicMessage");
        bob.client.reject_commit("update").unwrap();
    }
    assert_eq!(alice.info(&group).members.len(), 2);
}

#[test]
fn a_member_whose_key_package_has_expired_keeps_nobody_out() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let identity = alice.client.identity().unwrap().unwrap();
    let key = identity.signature_public_key;
    let group = b"old".to_vec();
    {
        let provider = Bare(Default::default(), alice.client.storage());
        let scheme = SignatureScheme::ED25519;
        let signer = SignatureKeyPair::read(provider.storage(), &key, scheme).unwrap();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(b"alice".to_vec()).into(),
            signature_key: key.into(),
        };
        MlsGroup::builder()
            .with_group_id(GroupId::from_slice(&group))
            .lifetime(Lifetime::init(0, 1))
            .build(&provider, &signer, credential)
            .unwrap();
    }
    let info = alice.client.export_group_info(&group, true).unwrap();
    let entry = join(&mut bob, &info);
    bob.client.accept_external_join(&entry.id).unwrap();
    alice.client.process_message(&entry.bytes.unwrap()).unwrap();
    assert_in_step(&mut alice, &mut bob, &group);
}
