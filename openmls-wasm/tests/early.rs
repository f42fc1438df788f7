//! Messages that come before their epoch, or long after it.

mod common;

use common::{assert_in_step, code, pair, Database, Device};
use openmls_wasm::{
    client::{
        CommitRequest, Delivered, EarlyMessageSettings, ExternalJoin, GroupSettings, InboxContent,
        InboxItem, ProposalRequest,
    },
    storage::Category,
    ClientError,
};

/// Hands in a message beside any log.
fn receive(device: &mut Device, bytes: &[u8]) -> Result<Option<InboxItem>, ClientError> {
    device.client.receive_message(Delivered {
        bytes,
        ..Default::default()
    })
}

/// Hands in a message that must be kept.
fn keep(device: &mut Device, bytes: &[u8]) {
    assert_eq!(receive(device, bytes), Ok(None));
    assert!(device.client.take_early_items().is_empty());
    assert!(device.save());
}

fn say(device: &mut Device, group: &[u8], text: &str) -> Vec<u8> {
    let bytes = device.client.encrypt_message(group, text.as_bytes());
    device.save();
    bytes.unwrap()
}

/// A commit of new keys, merged by its sender.
fn update(device: &mut Device, group: &[u8]) -> Vec<u8> {
    let entry = device.client.self_update(group, None).unwrap();
    device.client.merge_pending_commit(group).unwrap();
    device.save();
    entry.bytes.unwrap()
}

fn told(items: &[InboxItem]) -> Vec<String> {
    let text = |item: &InboxItem| match &item.content {
        InboxContent::Message { plaintext, .. } => String::from_utf8(plaintext.clone()).unwrap(),
        InboxContent::Commit { epoch, .. } => format!("commit to {epoch}"),
        InboxContent::Failed { code } => code.clone(),
        InboxContent::Joined { epoch } => format!("joined {epoch}"),
        other => panic!("unexpected {other:?}"),
    };
    items.iter().map(text).collect()
}

fn inbox(device: &Device) -> Vec<String> {
    told(&device.client.inbox().unwrap())
}

fn kept(device: &Device) -> usize {
    let records = Database::of(&device.client);
    records.count(Category::EarlyMessage)
}

#[test]
fn whole_epochs_that_came_backwards_are_read_in_one_call_and_one_batch() {
    let (mut alice, mut bob, _, group) = pair();
    let first_commit = update(&mut alice, &group);
    let a = say(&mut alice, &group, "a");
    let second_commit = update(&mut alice, &group);
    let (b, c) = (say(&mut alice, &group, "b"), say(&mut alice, &group, "c"));
    for bytes in [&c, &b, &second_commit, &a] {
        keep(&mut bob, bytes);
        bob.crash();
    }
    assert_eq!((kept(&bob), inbox(&bob).len()), (4, 0));
    let item = receive(&mut bob, &first_commit).unwrap().unwrap();
    // "a" belongs before the commit that ends its epoch; "c" came before "b".
    let early = bob.client.take_early_items();
    assert_eq!(told(&early), ["a", "commit to 3", "c", "b"]);
    assert_eq!(bob.client.inbox().unwrap(), [vec![item], early].concat());
    assert!(bob.client.take_early_items().is_empty());
    assert_eq!(kept(&bob), 0);
    assert_in_step(&mut alice, &mut bob, &group);
    let batch = bob.client.drain_storage_events().unwrap().unwrap();
    let of = |category| {
        batch
            .events
            .iter()
            .filter(move |event| event.category == category)
    };
    assert_eq!(of(Category::Inbox).count(), 5);
    assert!(of(Category::EarlyMessage).all(|event| event.value.is_none()));
    bob.client.put_back_batch(batch.sequence).unwrap();
    bob.save();
    bob.crash();
    assert_eq!(inbox(&bob), ["commit to 2", "a", "commit to 3", "c", "b"]);
}

#[test]
fn an_own_commit_brings_its_epoch_too() {
    for by_echo in [false, true] {
        let (mut alice, mut bob, _, group) = pair();
        let entry = bob.client.self_update(&group, None).unwrap();
        bob.save();
        let bytes = entry.bytes.unwrap();
        alice.client.process_message(&bytes).unwrap();
        let message = say(&mut alice, &group, "welcome on");
        keep(&mut bob, &message);
        match by_echo {
            true => drop(receive(&mut bob, &bytes).unwrap()),
            false => bob.client.merge_pending_commit(&group).unwrap(),
        }
        assert_eq!(told(&bob.client.take_early_items()), ["welcome on"]);
        assert_eq!(inbox(&bob).last().unwrap(), "welcome on");
        bob.save();
    }
}

#[test]
fn an_external_join_brings_its_epoch_and_a_refused_one_leaves_nothing() {
    let (mut alice, _, _, group) = pair();
    for accepted in [false, true] {
        let mut carol = Device::new("carol");
        let info = alice.client.export_group_info(&group, true).unwrap();
        let join = ExternalJoin::default();
        let entry = carol
            .client
            .join_by_external_commit(&info, &join, Some("join"));
        let bytes = entry.unwrap().bytes.unwrap();
        carol.save();
        alice.client.process_message(&bytes).unwrap();
        alice.save();
        let message = say(&mut alice, &group, "hello Carol");
        keep(&mut carol, &message);
        if accepted {
            receive(&mut carol, &bytes).unwrap();
            assert_eq!(inbox(&carol).last().unwrap(), "hello Carol");
            assert_in_step(&mut alice, &mut carol, &group);
        } else {
            carol.client.reject_commit("join").unwrap();
            assert!(inbox(&carol).is_empty());
            // The group goes on without her.
            let index = alice.info(&group).members[2].leaf_index;
            alice.client.remove_members(&group, &[index], None).unwrap();
            alice.client.merge_pending_commit(&group).unwrap();
            alice.save();
        }
        assert_eq!(kept(&carol), 0);
        carol.save();
    }
}

#[test]
fn who_joins_anew_reads_what_came_for_the_new_epoch() {
    let (mut alice, mut bob, _, group) = pair();
    let lost = update(&mut alice, &group);
    let before = say(&mut alice, &group, "before the join");
    keep(&mut bob, &before);
    let info = alice.client.export_group_info(&group, true).unwrap();
    let join = ExternalJoin::default();
    let entry = bob
        .client
        .join_by_external_commit(&info, &join, Some("join"));
    let bytes = entry.unwrap().bytes.unwrap();
    bob.save();
    alice.client.process_message(&bytes).unwrap();
    let after = say(&mut alice, &group, "after the join");
    keep(&mut bob, &after);
    bob.client.accept_external_join("join").unwrap();
    assert_eq!(told(&bob.client.take_early_items()), ["after the join"]);
    assert_eq!(
        (kept(&bob), inbox(&bob)),
        (0, vec!["after the join".into()])
    );
    bob.save();
    assert_in_step(&mut alice, &mut bob, &group);
    assert_eq!(code(bob.client.process_message(&lost)), "past-epoch");
}

#[test]
fn who_is_refused_reads_what_overtook_the_commit_meanwhile() {
    for accepted in [false, true] {
        let (mut alice, mut bob, _, group) = pair();
        let commit = update(&mut alice, &group);
        let message = say(&mut alice, &group, "overtaking");
        let info = alice.client.export_group_info(&group, true).unwrap();
        let join = ExternalJoin::default();
        let entry = bob.client.join_by_external_commit(&info, &join, None);
        bob.save();
        keep(&mut bob, &message);
        let id = entry.unwrap().id;
        if accepted {
            bob.client.accept_external_join(&id).unwrap();
            bob.save();
        } else {
            bob.client.reject_commit(&id).unwrap();
            bob.save();
            receive(&mut bob, &commit).unwrap();
            assert_eq!(inbox(&bob), ["commit to 2", "overtaking"]);
        }
        assert_eq!(kept(&bob), 0);
        bob.save();
    }
}

#[test]
fn what_is_processed_otherwise_is_not_kept_any_more() {
    let (mut alice, mut bob, _, group) = pair();
    bob.client.set_early_message_settings(EarlyMessageSettings {
        hold_handshakes: true,
        ..Default::default()
    });
    let first_commit = update(&mut alice, &group);
    let second_commit = update(&mut alice, &group);
    keep(&mut bob, &second_commit);
    receive(&mut bob, &first_commit).unwrap();
    bob.client.process_message(&second_commit).unwrap();
    assert_eq!(kept(&bob), 0);
    bob.client
        .set_early_message_settings(EarlyMessageSettings::default());
    let third_commit = update(&mut alice, &group);
    receive(&mut bob, &third_commit).unwrap();
    assert_eq!(inbox(&bob), ["commit to 2", "commit to 4"]);
    bob.save();
}

#[test]
fn the_same_message_is_kept_once_and_read_once() {
    let (mut alice, mut bob, _, group) = pair();
    let commit = update(&mut alice, &group);
    let message = say(&mut alice, &group, "once");
    for _ in 0..3 {
        keep(&mut bob, &message);
    }
    assert_eq!(kept(&bob), 1);
    receive(&mut bob, &commit).unwrap();
    assert_eq!(inbox(&bob), ["commit to 2", "once"]);
    bob.save();
    let again = bob.client.process_message(&message);
    assert_eq!(
        code(again),
        "duplicate-message",
        "not undecryptable: it was read before"
    );
}

#[test]
fn garbage_of_a_coming_epoch_is_told_apart_and_holds_nothing_up() {
    let (mut alice, mut bob, _, group) = pair();
    let commit = update(&mut alice, &group);
    let message = say(&mut alice, &group, "genuine");
    let mut garbage = message.clone();
    *garbage.last_mut().unwrap() ^= 1;
    keep(&mut bob, &garbage);
    keep(&mut bob, &message);
    receive(&mut bob, &commit).unwrap();
    assert_eq!(inbox(&bob), ["commit to 2", "undecryptable", "genuine"]);
    assert_eq!(kept(&bob), 0);
    bob.save();
}

#[test]
fn as_many_are_kept_as_the_setting_says() {
    let (mut alice, mut bob, _, group) = pair();
    bob.client.set_early_message_settings(EarlyMessageSettings {
        max_per_group: 2,
        ..Default::default()
    });
    let commit = update(&mut alice, &group);
    let [a, b, c] = ["a", "b", "c"].map(|text| say(&mut alice, &group, text));
    keep(&mut bob, &a);
    keep(&mut bob, &b);
    let before = Database::of(&bob.client);
    assert_eq!(code(receive(&mut bob, &c)), "too-many-early-messages");
    assert_eq!(Database::of(&bob.client), before);
    keep(&mut bob, &b); // is there already
    receive(&mut bob, &commit).unwrap();
    receive(&mut bob, &c).unwrap();
    assert_eq!(inbox(&bob), ["commit to 2", "a", "b", "c"]);
    // The next epoch has all the room again.
    update(&mut alice, &group);
    let next = say(&mut alice, &group, "next");
    keep(&mut bob, &next);
}

/// The message with the epoch in its header replaced: anybody can make one.
fn forged(message: &[u8], group: &[u8], epoch: u64) -> Vec<u8> {
    let mut forged = message.to_vec();
    // An MLSMessage: version and wire format, the group id behind its length, the epoch.
    let at = 4 + 1 + group.len();
    forged[at..at + 8].copy_from_slice(&epoch.to_be_bytes());
    forged
}

#[test]
fn forged_messages_of_far_epochs_keep_no_real_one_out() {
    for by_bytes in [false, true] {
        let (mut alice, mut bob, _, group) = pair();
        let commit = update(&mut alice, &group);
        let message = say(&mut alice, &group, "genuine");
        let mut settings = EarlyMessageSettings {
            max_per_group: 3,
            ..Default::default()
        };
        if by_bytes {
            settings = EarlyMessageSettings {
                max_bytes_per_group: 6 * message.len(),
                ..Default::default()
            };
        }
        bob.client.set_early_message_settings(settings);
        let mut epoch = 1_000;
        let refusal = loop {
            epoch += 1;
            match receive(&mut bob, &forged(&message, &group, epoch)) {
                Ok(_) => assert!(epoch < 1_010, "no limit"),
                Err(error) => break error,
            }
        };
        assert_eq!(refusal.code(), "too-many-early-messages");
        let full = kept(&bob);
        assert!(full > 1);
        keep(&mut bob, &message);
        assert!(kept(&bob) <= full);
        let left = bob.client.early_messages(&group).unwrap();
        let epochs: Vec<u64> = left.iter().map(|message| message.epoch).collect();
        assert_eq!(epochs[..2], [2, 1_001], "the latest made room");
        receive(&mut bob, &commit).unwrap();
        assert_eq!(inbox(&bob), ["commit to 2", "genuine"]);
        bob.save();
    }
}

#[test]
fn with_a_position_nothing_is_kept() {
    let (mut alice, mut bob, _, group) = pair();
    update(&mut alice, &group);
    let message = say(&mut alice, &group, "later");
    let before = Database::of(&bob.client);
    let delivered = Delivered {
        bytes: &message,
        position: Some(2),
        ..Default::default()
    };
    assert_eq!(code(bob.client.receive_message(delivered)), "future-epoch");
    assert_eq!(code(bob.client.process_message(&message)), "future-epoch");
    assert_eq!(Database::of(&bob.client), before);
}

#[test]
fn what_is_kept_goes_with_the_group() {
    let (mut alice, mut bob, _, group) = pair();
    let mut carol = Device::new("carol");
    let packages = carol.client.generate_key_packages(1).unwrap();
    let entry = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    carol.client.join_group(&entry.welcome.unwrap()).unwrap();
    carol.save();
    receive(&mut bob, &entry.bytes.unwrap()).unwrap();
    bob.save();

    let members = alice.info(&group).members;
    let carols = members
        .iter()
        .find(|member| member.identity == b"carol")
        .unwrap();
    let removal = alice
        .client
        .remove_members(&group, &[carols.leaf_index], None)
        .unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    alice.save();
    let message = say(&mut alice, &group, "without Carol");
    for device in [&mut bob, &mut carol] {
        keep(device, &message);
        assert_eq!(kept(device), 1);
    }
    bob.client.delete_group(&group).unwrap();
    assert_eq!(kept(&bob), 0);
    // Who is removed will never reach the epoch.
    receive(&mut carol, removal.bytes.as_deref().unwrap()).unwrap();
    assert_eq!((kept(&carol), inbox(&carol).len()), (0, 1));
    carol.save();
}

#[test]
fn held_handshakes_wait_to_be_inspected_and_messages_do_not() {
    let (mut alice, mut bob, _, group) = pair();
    bob.client.set_early_message_settings(EarlyMessageSettings {
        hold_handshakes: true,
        ..Default::default()
    });
    let first_commit = update(&mut alice, &group);
    let message = say(&mut alice, &group, "a");
    let second_commit = update(&mut alice, &group);
    let third_commit = update(&mut alice, &group);
    for bytes in [&third_commit, &second_commit, &message] {
        keep(&mut bob, bytes);
    }
    receive(&mut bob, &first_commit).unwrap();
    assert_eq!(inbox(&bob), ["commit to 2", "a"]);
    let next = bob.client.early_messages(&group).unwrap().remove(0);
    assert_eq!((&next.bytes, next.epoch), (&second_commit, 2));
    // Accepted or refused, it is not kept any more.
    let inspected = bob.client.inspect_message(&next.bytes).unwrap();
    let delivered = |bytes, epoch| Delivered {
        bytes,
        inspected_epoch: Some(epoch),
        ..Default::default()
    };
    let accepted = delivered(&second_commit, inspected.group_epoch);
    bob.client.receive_message(accepted).unwrap();
    assert_eq!(kept(&bob), 1);
    bob.client
        .reject_message(delivered(&third_commit, 3))
        .unwrap();
    assert_eq!(kept(&bob), 0);
    assert_eq!(
        inbox(&bob),
        ["commit to 2", "a", "commit to 3", "credential-rejected"]
    );
    bob.save();
}

#[test]
fn what_is_held_behind_one_that_fails_can_be_reached() {
    let (mut alice, mut bob, _, group) = pair();
    bob.client.set_early_message_settings(EarlyMessageSettings {
        hold_handshakes: true,
        ..Default::default()
    });
    let first_commit = update(&mut alice, &group);
    let [a, b] = [b"a", b"b"].map(|id| {
        let psk = ProposalRequest::ExternalPsk {
            psk_id: id.to_vec(),
        };
        alice.client.store_external_psk(id, &[7; 32]).unwrap();
        let entry = alice.client.propose(&group, &psk, b"", None).unwrap();
        alice.save();
        entry.bytes.unwrap()
    });
    for bytes in [&a, &b] {
        keep(&mut bob, bytes);
    }
    receive(&mut bob, &first_commit).unwrap();
    let next = |bob: &mut Device, after: Option<&[u8]>| {
        let next = bob.client.next_early_message(&group, after).unwrap();
        next.map(|message| message.bytes)
    };
    assert_eq!(next(&mut bob, None).as_ref(), Some(&a));
    assert_eq!(next(&mut bob, Some(&a)).as_ref(), Some(&b));
    assert_eq!(next(&mut bob, Some(&b)), None);
    receive(&mut bob, &b).unwrap();
    assert_eq!(next(&mut bob, Some(&a)), None);
    assert_eq!(next(&mut bob, Some(&b)).as_ref(), Some(&a));
    bob.save();
}

#[test]
fn a_failing_store_keeps_what_it_could_not_read() {
    let (mut alice, mut bob, _, group) = pair();
    let commit = update(&mut alice, &group);
    let [a, b, c] = ["a", "b", "c"].map(|text| say(&mut alice, &group, text));
    keep(&mut bob, &a);
    keep(&mut bob, &b);
    let records = bob.database.records();
    let mut writes = 0;
    loop {
        let mut client = openmls_wasm::MlsClient::new();
        client.hydrate(records.clone()).unwrap();
        client.storage().fail_after(Some(writes)).unwrap();
        let received = client.receive_message(Delivered {
            bytes: &commit,
            ..Default::default()
        });
        let failed = client.storage().fail_after(None);
        failed.unwrap();
        bob.client = client;
        let read = inbox(&bob);
        match received {
            Err(_) => assert_eq!((kept(&bob), read.len()), (2, 0)),
            Ok(_) => {
                // Nothing is lost in between: a message is kept or in the inbox.
                assert_eq!(kept(&bob) + read.len(), 3, "{read:?}");
                // What stayed is tried again at the next occasion.
                receive(&mut bob, &c).unwrap();
                let mut read = inbox(&bob);
                read.sort();
                assert_eq!(read, ["a", "b", "c", "commit to 2"]);
                assert_eq!(kept(&bob), 0);
                if writes > 60 {
                    break;
                }
            }
        }
        writes += 1;
    }
}

/// A pair whose second member reads late messages as `settings` say.
fn pair_with(settings: GroupSettings) -> (Device, Device, Vec<u8>) {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    bob.client.set_group_settings(settings);
    let group = alice.client.create_group(None).unwrap();
    let packages = bob.client.generate_key_packages(1).unwrap();
    let entry = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    alice.save();
    bob.client.join_group(&entry.welcome.unwrap()).unwrap();
    bob.save();
    (alice, bob, group)
}

#[test]
fn a_late_message_is_read_up_to_the_tolerance_and_an_overtaking_one_up_to_the_distance() {
    let settings = GroupSettings {
        out_of_order_tolerance: 3,
        maximum_forward_distance: 4,
        ..Default::default()
    };
    let (mut alice, mut bob, group) = pair_with(settings);
    let sent: Vec<_> = (0..11)
        .map(|number| say(&mut alice, &group, &number.to_string()))
        .collect();
    let mut read = |number: usize| {
        let processed = bob.client.process_message(&sent[number]);
        bob.save();
        processed.map(drop)
    };
    // The first that is expected is 0: four may be missing before one that arrives.
    assert_eq!(code(read(5)), "too-far-out-of-order");
    read(4).unwrap();
    // 5 is expected now: 4, 3 and 2 are within the tolerance, 1 is not.
    assert_eq!(code(read(1)), "too-far-out-of-order");
    read(2).unwrap();
    read(3).unwrap();
    for again in [2, 3, 4] {
        assert_eq!(code(read(again)), "duplicate-message");
    }
    assert_eq!(code(read(10)), "too-far-out-of-order");
    read(9).unwrap();
    read(10).unwrap();
}

#[test]
fn messages_of_past_epochs_are_read_as_long_as_the_setting_says() {
    let settings = GroupSettings {
        max_past_epochs: 2,
        ..Default::default()
    };
    let (mut alice, mut bob, group) = pair_with(settings);
    let late: Vec<_> = (0..3)
        .map(|number| {
            let messages = [(); 2].map(|()| say(&mut alice, &group, &number.to_string()));
            let commit = update(&mut alice, &group);
            bob.client.process_message(&commit).unwrap();
            messages
        })
        .collect();
    bob.save();
    bob.crash();
    assert_eq!(code(bob.client.process_message(&late[0][0])), "past-epoch");
    for messages in &late[1..] {
        // Newest first, and each once.
        for message in [&messages[1], &messages[0]] {
            let processed = bob.client.process_message(message).unwrap();
            assert!(matches!(processed.content, InboxContent::Message { .. }));
            let again = bob.client.process_message(message);
            assert_eq!(code(again), "duplicate-message");
        }
    }
    bob.save();
    let commit = update(&mut alice, &group);
    bob.client.process_message(&commit).unwrap();
    assert_eq!(code(bob.client.process_message(&late[1][0])), "past-epoch");
}

#[test]
fn a_late_message_is_that_of_its_sender_even_if_another_has_taken_the_leaf() {
    let settings = GroupSettings {
        max_past_epochs: 5,
        ..Default::default()
    };
    let (mut alice, mut bob, group) = pair_with(settings);
    let (mut carol, mut dave) = (Device::new("carol"), Device::new("dave"));
    let packages = carol.client.generate_key_packages(1).unwrap();
    let entry = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    bob.client.process_message(&entry.bytes.unwrap()).unwrap();
    carol.client.join_group(&entry.welcome.unwrap()).unwrap();
    let late = say(&mut carol, &group, "from Carol");
    let members = alice.info(&group).members;
    let carols = members
        .into_iter()
        .find(|member| member.identity == b"carol");
    let carols = carols.unwrap();

    let packages = dave.client.generate_key_packages(1).unwrap();
    let request = CommitRequest {
        proposals: vec![
            openmls_wasm::client::ProposalRequest::Remove {
                leaf_index: carols.leaf_index,
            },
            openmls_wasm::client::ProposalRequest::Add {
                key_package: packages[0].clone(),
            },
        ],
        ..Default::default()
    };
    let entry = alice.client.commit(&group, &request, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    bob.client.process_message(&entry.bytes.unwrap()).unwrap();
    bob.save();
    let daves = bob.info(&group).members;
    assert!(daves
        .iter()
        .any(|member| member.leaf_index == carols.leaf_index && member.identity == b"dave"));
    let InboxContent::Message { sender, .. } = bob.client.process_message(&late).unwrap().content
    else {
        panic!("no message");
    };
    assert_eq!(sender, carols);
}
