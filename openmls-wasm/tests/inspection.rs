//! Looking at a message or Welcome before accepting or refusing it: what the app is told, and that
//! nothing has happened meanwhile.

mod common;

use common::{assert_in_step, code, pair, Database, Device};
use openmls_wasm::{
    client::{
        CommitRequest, Credential, CredentialReason, CredentialToValidate, Delivered,
        DeliveredWelcome, Extension, ExternalJoin, GroupOptions, GroupSettings, InboxContent,
        LeafUpdate, Member, Party, Processed, ProposalInfo, ProposalRequest, ProposalSender,
        ProposalTarget, WireFormatPolicy,
    },
    storage::Category,
    MlsClient,
};

/// Does something with a client that must change none of its records and leave nothing to store.
fn untouched<T>(device: &mut Device, look: impl FnOnce(&mut MlsClient) -> T) -> T {
    let before = Database::of(&device.client);
    let told = look(&mut device.client);
    assert_eq!(Database::of(&device.client), before);
    assert!(!device.client.storage().is_dirty().unwrap());
    told
}

fn inspect(device: &mut Device, bytes: &[u8]) -> Processed {
    untouched(device, |client| client.inspect_message(bytes)).unwrap()
}

/// Inspects, and accepts in the epoch of the inspection: what comes of it is what was announced.
fn accept(device: &mut Device, bytes: &[u8]) -> Processed {
    let inspected = inspect(device, bytes);
    let processed = device
        .client
        .process_message_in_epoch(bytes, inspected.group_epoch)
        .unwrap();
    assert_eq!(processed, inspected);
    device.save();
    processed
}

fn party(device: &Device) -> Party {
    let identity = device.client.identity().unwrap().unwrap();
    Party {
        identity: identity.identity,
        certificates: identity.certificates,
        signature_key: identity.signature_public_key,
    }
}

fn member(device: &mut Device, group: &[u8], identity: &[u8]) -> Member {
    let members = device.info(group).members;
    let found = members
        .into_iter()
        .find(|member| member.identity == identity);
    found.unwrap()
}

fn entering(party: Party, reason: CredentialReason) -> CredentialToValidate {
    CredentialToValidate { party, reason }
}

fn key_package(device: &mut Device) -> Vec<u8> {
    let package = device.client.generate_key_packages(1).unwrap().remove(0);
    device.save();
    package
}

fn commit(device: &mut Device, group: &[u8], request: CommitRequest) -> Vec<u8> {
    let entry = device.client.commit(group, &request, None).unwrap();
    device.client.merge_pending_commit(group).unwrap();
    device.save();
    entry.bytes.unwrap()
}

/// A commit of `add`; its sender has merged it.
fn add(device: &mut Device, group: &[u8], add: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let entry = device.client.add_members(group, &[add], None).unwrap();
    device.client.merge_pending_commit(group).unwrap();
    device.save();
    (entry.bytes.unwrap(), entry.welcome.unwrap())
}

#[test]
fn inspecting_uses_no_key_and_other_messages_go_on_meanwhile() {
    let (mut alice, mut bob, _, group) = pair();
    let mut say = |text: &str| {
        alice
            .client
            .encrypt_message(&group, text.as_bytes())
            .unwrap()
    };
    let (first, second, third) = (say("1"), say("2"), say("3"));
    let update = CommitRequest {
        force_self_update: true,
        ..Default::default()
    };
    let update = commit(&mut alice, &group, update);

    // Twice over, and the newest first: nothing is used up by it.
    for bytes in [&update, &third, &second, &update, &third] {
        inspect(&mut bob, bytes);
    }
    assert_eq!(bob.info(&group).epoch + 1, alice.info(&group).epoch);
    for (bytes, text) in [(&second, b"2"), (&first, b"1"), (&third, b"3")] {
        inspect(&mut bob, &update);
        let InboxContent::Message { plaintext, .. } = accept(&mut bob, bytes).content else {
            panic!("no message");
        };
        assert_eq!(plaintext, text);
        assert_eq!(
            untouched(&mut bob, |client| code(client.inspect_message(bytes))),
            "duplicate-message"
        );
    }
    accept(&mut bob, &update);
    assert_in_step(&mut alice, &mut bob, &group);
    // The ratchets of the new epoch have seen nothing of the inspections either.
    let message = alice.client.encrypt_message(&group, b"4").unwrap();
    accept(&mut bob, &message);
}

#[test]
fn inspecting_sees_what_is_not_stored_yet_and_leaves_it_to_be_stored() {
    let (mut alice, mut bob, _, group) = pair();
    let first = alice.client.encrypt_message(&group, b"1").unwrap();
    bob.client.process_message(&first).unwrap();
    assert_eq!(
        code(bob.client.inspect_message(&first)),
        "duplicate-message"
    );
    let batch = bob.client.drain_storage_events().unwrap().unwrap();
    assert_eq!(
        code(bob.client.inspect_message(&first)),
        "duplicate-message"
    );
    bob.client.put_back_batch(batch.sequence).unwrap();
    assert!(bob.save());
}

#[test]
fn what_was_inspected_is_accepted_in_that_epoch_only() {
    let (mut alice, mut bob, _, group) = pair();
    let mut carol = Device::new("carol");
    let package = key_package(&mut carol);
    let (added, _) = add(&mut alice, &group, package);
    let inspected = inspect(&mut bob, &added);
    // Bob commits meanwhile.
    commit(
        &mut bob,
        &group,
        CommitRequest {
            force_self_update: true,
            ..Default::default()
        },
    );
    let epoch = inspected.group_epoch;
    let delivered = Delivered {
        bytes: &added,
        position: Some(2),
        inspected_epoch: Some(epoch),
        ..Default::default()
    };
    for refusal in [
        untouched(&mut bob, |client| {
            code(client.process_message_in_epoch(&added, epoch))
        }),
        untouched(&mut bob, |client| code(client.receive_message(delivered))),
        untouched(&mut bob, |client| code(client.reject_message(delivered))),
    ] {
        assert_eq!(refusal, "epoch-changed");
    }
    // Inspected again, it turns out to be late.
    assert_eq!(code(bob.client.inspect_message(&added)), "past-epoch");
}

#[test]
fn a_refused_message_leaves_an_item_and_the_cursor_and_nothing_else() {
    let (mut alice, mut bob, mut service, group) = pair();
    let mut mallory = Device::new("mallory");
    let package = key_package(&mut mallory);
    let entry = alice.client.add_members(&group, &[package], None).unwrap();
    service.upload(&entry);
    let position = service.log().len() as u64;
    let delivered = Delivered {
        bytes: entry.bytes.as_deref().unwrap(),
        id: Some(&entry.id),
        position: Some(position),
        inspected_epoch: Some(bob.info(&group).epoch),
    };
    assert_eq!(
        untouched(&mut bob, |client| code(client.reject_message(Delivered {
            position: Some(position + 1),
            ..delivered
        }))),
        "position-gap"
    );
    let before = Database::of(&bob.client);
    let item = bob.client.reject_message(delivered).unwrap().unwrap();
    assert!(
        matches!(&item.content, InboxContent::Failed { code } if code == "credential-rejected")
    );
    assert_eq!((&item.id, item.position), (&entry.id, Some(position)));
    let changed = changed(&before, &Database::of(&bob.client));
    assert_eq!(
        changed,
        [
            Category::Inbox,
            Category::LastSequence,
            Category::DigestRoot,
            Category::DeliveryCursor
        ]
    );
    bob.save();
    bob.crash();
    assert_eq!(bob.client.inbox().unwrap(), [item]);
    assert_eq!(bob.client.delivery_cursor(&group).unwrap(), Some(position));
    // Handed in once more it is a duplicate, refused or not.
    assert_eq!(
        untouched(&mut bob, |client| client.reject_message(delivered)),
        Ok(None)
    );
    assert_eq!(
        untouched(&mut bob, |client| client.receive_message(delivered)),
        Ok(None)
    );
    // Bob is not where the others are, and says so.
    alice.sync(&mut service, &group);
    assert_eq!(bob.info(&group).members.len(), 2);
    let message = alice.client.encrypt_message(&group, b"after").unwrap();
    assert_eq!(code(bob.client.process_message(&message)), "future-epoch");
}

fn changed(before: &Database, after: &Database) -> Vec<Category> {
    let of = |database: &Database, category| {
        let records = database.records().into_iter();
        let records = records.filter(|record| record.category == category);
        records
            .map(|record| (record.key, record.value))
            .collect::<Vec<_>>()
    };
    let differs = |category: &&Category| of(before, **category) != of(after, **category);
    Category::ALL.iter().filter(differs).copied().collect()
}

#[test]
fn an_own_message_is_not_refused() {
    let (mut alice, _, _, group) = pair();
    let entry = alice.client.self_update(&group, None).unwrap();
    alice.save();
    let delivered = Delivered {
        bytes: entry.bytes.as_deref().unwrap(),
        ..Default::default()
    };
    assert_eq!(
        untouched(&mut alice, |client| code(client.reject_message(delivered))),
        "wrong-kind"
    );
}

#[test]
fn a_welcome_is_inspected_refused_and_accepted_after_all() {
    let (mut alice, mut bob, _, group) = pair();
    let mut carol = Device::new("carol");
    let package = key_package(&mut carol);
    let (_, welcome) = add(&mut alice, &group, package);
    let inspected = |carol: &mut Device| {
        untouched(carol, |client| client.inspect_welcome(&welcome, None)).unwrap()
    };
    let info = inspected(&mut carol);
    assert_eq!(info, inspected(&mut carol), "and once more");
    let of_alice = alice.info(&group);
    assert_eq!((&info.group_id, info.epoch), (&group, of_alice.epoch));
    assert_eq!(info.members, of_alice.members);
    assert_eq!(info.sender.as_ref().unwrap().identity, b"alice");
    assert_eq!((info.ciphersuite, info.psks.len()), (1, 0));
    let expected: Vec<_> = of_alice
        .members
        .iter()
        .map(|member| {
            let leaf_index = member.leaf_index;
            entering(member.into(), CredentialReason::Member { leaf_index })
        })
        .collect();
    assert_eq!(info.credentials, expected);
    assert_eq!(
        untouched(&mut bob, |client| code(
            client.inspect_welcome(&welcome, None)
        )),
        "no-matching-key-package"
    );

    let delivered = DeliveredWelcome {
        bytes: &welcome,
        position: Some(1),
        group_position: Some(2),
        inspected_epoch: Some(info.epoch),
        ..Default::default()
    };
    let elsewhere = DeliveredWelcome {
        inspected_epoch: Some(info.epoch + 1),
        ..delivered
    };
    assert_eq!(
        untouched(&mut carol, |client| code(client.receive_welcome(elsewhere))),
        "epoch-changed"
    );
    let before = Database::of(&carol.client);
    let item = carol.client.reject_welcome(delivered).unwrap().unwrap();
    assert!(
        matches!(&item.content, InboxContent::Failed { code } if code == "credential-rejected")
    );
    assert_eq!(item.group_id, group);
    assert_eq!(
        changed(&before, &Database::of(&carol.client)),
        [
            Category::Inbox,
            Category::LastSequence,
            Category::WelcomeCursor
        ],
        "the key package is still there"
    );
    carol.save();
    assert_eq!(
        carol.client.receive_welcome(delivered),
        Ok(None),
        "a duplicate"
    );
    // Refused was the delivery: the app may think better of it.
    let again = DeliveredWelcome {
        position: Some(2),
        ..delivered
    };
    let joined = carol.client.receive_welcome(again).unwrap().unwrap();
    assert!(matches!(joined.content, InboxContent::Joined { .. }));
    assert_in_step(&mut alice, &mut carol, &group);
    carol.save();
    assert_eq!(
        untouched(&mut carol, |client| code(
            client.inspect_welcome(&welcome, None)
        )),
        "key-package-used"
    );
}

#[test]
fn a_welcome_without_the_tree_asks_for_it() {
    let mut alice = Device::new("alice");
    let settings = GroupSettings {
        use_ratchet_tree_extension: false,
        ..Default::default()
    };
    alice.client.set_group_settings(settings);
    let group = alice.client.create_group(None).unwrap();
    let mut bob = Device::new("bob");
    let package = key_package(&mut bob);
    let (_, welcome) = add(&mut alice, &group, package);
    let tree = alice.client.export_ratchet_tree(&group).unwrap();
    let delivered = DeliveredWelcome {
        bytes: &welcome,
        position: Some(1),
        ..Default::default()
    };
    assert_eq!(
        untouched(&mut bob, |client| code(
            client.inspect_welcome(&welcome, None)
        )),
        "ratchet-tree-missing"
    );
    assert_eq!(
        untouched(&mut bob, |client| code(client.receive_welcome(delivered))),
        "ratchet-tree-missing"
    );
    let with_tree = DeliveredWelcome {
        ratchet_tree: Some(&tree),
        ..delivered
    };
    let info = untouched(&mut bob, |client| {
        client.inspect_welcome(&welcome, Some(&tree)).unwrap()
    });
    assert_eq!(info.members.len(), 2);
    bob.client.receive_welcome(with_tree).unwrap();
    assert_in_step(&mut alice, &mut bob, &group);
}

#[test]
fn a_commit_says_whom_it_adds_removes_and_renews() {
    let (mut alice, mut bob, _, group) = pair();
    let mut carol = Device::new("carol");
    let package = key_package(&mut carol);
    let (added, welcome) = add(&mut alice, &group, package);
    let processed = accept(&mut bob, &added);
    assert_eq!(
        processed.credentials,
        [entering(party(&carol), CredentialReason::Added)]
    );
    let InboxContent::Commit {
        own: false,
        external: false,
        sender: Some(sender),
        added,
        proposals,
        ..
    } = processed.content
    else {
        panic!("no commit");
    };
    assert_eq!(
        (sender.identity, added),
        (b"alice".to_vec(), vec![party(&carol)])
    );
    assert!(!proposals[0].by_reference);
    assert!(
        matches!(&proposals[0].proposal, ProposalInfo::Add { added } if *added == party(&carol))
    );
    carol.client.join_group(&welcome).unwrap();
    carol.save();

    // Alice changes her name and key, and removes Carol in the same commit.
    let (before, gone) = (
        member(&mut bob, &group, b"alice"),
        member(&mut bob, &group, b"carol"),
    );
    let renewed = CommitRequest {
        proposals: vec![ProposalRequest::Remove {
            leaf_index: gone.leaf_index,
        }],
        leaf: LeafUpdate {
            credential: Some(Credential::basic(b"alice at home")),
            new_signature_key: true,
            ..Default::default()
        },
        ..Default::default()
    };
    let renewed = commit(&mut alice, &group, renewed);
    let processed = accept(&mut bob, &renewed);
    let after = member(&mut bob, &group, b"alice at home");
    assert_ne!(after.signature_key, before.signature_key);
    let reason = CredentialReason::Updated {
        before: before.clone(),
    };
    assert_eq!(processed.credentials, [entering((&after).into(), reason)]);
    let InboxContent::Commit {
        sender,
        removed,
        updated,
        ..
    } = processed.content
    else {
        panic!("no commit");
    };
    assert_eq!(
        (sender.as_ref(), &removed),
        (Some(&before), &vec![gone.clone()])
    );
    assert_eq!(updated.len(), 1);
    assert_eq!((&updated[0].before, &updated[0].after), (&before, &after));
    let InboxContent::Commit {
        self_removed: true,
        removed,
        ..
    } = accept(&mut carol, &renewed).content
    else {
        panic!("Carol was not removed");
    };
    assert_eq!(removed, [gone]);

    // New keys alone bring in no new credential.
    let healed = CommitRequest {
        force_self_update: true,
        ..Default::default()
    };
    let healed = commit(&mut alice, &group, healed);
    let processed = accept(&mut bob, &healed);
    assert!(processed.credentials.is_empty());
    assert!(
        matches!(&processed.content, InboxContent::Commit { updated, .. } if updated.is_empty())
    );
}

#[test]
fn a_leaf_that_changes_hands_is_no_update() {
    let (mut alice, mut bob, _, group) = pair();
    let (mut carol, mut dave) = (Device::new("carol"), Device::new("dave"));
    let package = key_package(&mut carol);
    let (added, _) = add(&mut alice, &group, package);
    accept(&mut bob, &added);
    let gone = member(&mut bob, &group, b"carol");
    let swap = CommitRequest {
        proposals: vec![
            ProposalRequest::Remove {
                leaf_index: gone.leaf_index,
            },
            ProposalRequest::Add {
                key_package: key_package(&mut dave),
            },
        ],
        ..Default::default()
    };
    let swap = commit(&mut alice, &group, swap);
    let processed = accept(&mut bob, &swap);
    assert_eq!(
        member(&mut bob, &group, b"dave").leaf_index,
        gone.leaf_index
    );
    assert_eq!(
        processed.credentials,
        [entering(party(&dave), CredentialReason::Added)]
    );
    let InboxContent::Commit {
        added,
        removed,
        updated,
        ..
    } = processed.content
    else {
        panic!("no commit");
    };
    assert_eq!(
        (added, removed, updated),
        (vec![party(&dave)], vec![gone], vec![])
    );
}

#[test]
fn an_external_join_says_who_comes_in() {
    let (mut alice, mut bob, _, group) = pair();
    let mut carol = Device::new("carol");
    let info = alice.client.export_group_info(&group, true).unwrap();
    let join = ExternalJoin::default();
    let entry = carol.client.join_by_external_commit(&info, &join, None);
    let entry = entry.unwrap();
    let bytes = entry.bytes.unwrap();
    let processed = accept(&mut bob, &bytes);
    assert_eq!(
        processed.credentials,
        [entering(party(&carol), CredentialReason::ExternalJoin)]
    );
    let InboxContent::Commit {
        external: true,
        sender,
        added,
        proposals,
        ..
    } = processed.content
    else {
        panic!("no external commit");
    };
    assert_eq!(sender, Some(member(&mut bob, &group, b"carol")));
    assert_eq!(added, [party(&carol)]);
    assert_eq!(proposals[0].sender, ProposalSender::NewMemberCommit);
    assert_eq!(proposals[0].proposal, ProposalInfo::ExternalInit);

    // Refused by Alice, it leaves no trace in her group.
    let before = alice.info(&group);
    let delivered = Delivered {
        bytes: &bytes,
        ..Default::default()
    };
    alice.client.reject_message(delivered).unwrap();
    assert_eq!(alice.info(&group), before);
}

/// A group of Alice and Bob that lists Ed as an external sender.
fn with_external_sender() -> (Device, Device, Device, Vec<u8>) {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let ed = Device::new("ed");
    let settings = GroupSettings {
        wire_format_policy: WireFormatPolicy::MixedPlaintext,
        ..Default::default()
    };
    for device in [&mut alice, &mut bob] {
        device.client.set_group_settings(settings.clone());
    }
    let senders = vec![party(&ed)];
    let options = GroupOptions {
        group_context_extensions: vec![Extension::ExternalSenders { senders }],
        ..Default::default()
    };
    let group = alice.client.create_group_with(None, &options).unwrap();
    let package = key_package(&mut bob);
    let (_, welcome) = add(&mut alice, &group, package);
    let info = untouched(&mut bob, |client| client.inspect_welcome(&welcome, None));
    let last = info.unwrap().credentials.pop();
    let expected = entering(party(&ed), CredentialReason::ExternalSender);
    assert_eq!(
        last,
        Some(expected),
        "the external sender of a group joined"
    );
    bob.client.join_group(&welcome).unwrap();
    bob.save();
    (alice, bob, ed, group)
}

#[test]
fn proposals_from_outside_are_received_and_committed() {
    let (mut alice, mut bob, mut ed, group) = with_external_sender();
    let (mut carol, mut dave) = (Device::new("carol"), Device::new("dave"));
    let epoch = bob.info(&group).epoch;
    let target = ProposalTarget {
        group_id: group.clone(),
        epoch,
    };
    let package = key_package(&mut carol);
    let of_ed = ed
        .client
        .propose_external_add(&target, 0, &package, None)
        .unwrap();
    let package = key_package(&mut dave);
    let of_dave = dave.client.propose_join(&target, &package, None).unwrap();
    let mut references = vec![];
    for (entry, from, whom) in [
        (of_ed, ProposalSender::External { index: 0 }, &carol),
        (of_dave, ProposalSender::NewMemberProposal, &dave),
    ] {
        let bytes = entry.bytes.unwrap();
        let position = None;
        accept(&mut alice, &bytes);
        let inspected = inspect(&mut bob, &bytes);
        let delivered = Delivered {
            bytes: &bytes,
            position,
            inspected_epoch: Some(inspected.group_epoch),
            ..Default::default()
        };
        let item = bob.client.receive_message(delivered).unwrap().unwrap();
        assert_eq!(item.content, inspected.content);
        let expected = entering(party(whom), CredentialReason::Added);
        assert_eq!(inspected.credentials, [expected]);
        let InboxContent::Proposal {
            sender,
            epoch: of_proposal,
            reference,
            proposal,
        } = item.content
        else {
            panic!("no proposal");
        };
        assert_eq!((sender, of_proposal), (from, epoch));
        assert_eq!(proposal, ProposalInfo::Add { added: party(whom) });
        references.push(reference);
        bob.save();
        // It is there; the same once more is no second one.
        assert_eq!(
            untouched(&mut bob, |client| code(client.process_message(&bytes))),
            "duplicate-message"
        );
    }
    let pending = bob.client.pending_proposals(&group).unwrap();
    let known: Vec<_> = pending
        .into_iter()
        .map(|pending| pending.reference)
        .collect();
    assert_eq!(known, references);
    let committed = commit(&mut alice, &group, CommitRequest::default());
    let processed = accept(&mut bob, &committed);
    assert_eq!(
        processed.credentials.len(),
        2,
        "asked about again: now they enter"
    );
    let InboxContent::Commit {
        proposals, added, ..
    } = processed.content
    else {
        panic!("no commit");
    };
    assert!(proposals.iter().all(|proposal| proposal.by_reference));
    assert!(added.contains(&party(&carol)) && added.contains(&party(&dave)));
    assert_in_step(&mut alice, &mut bob, &group);
}

#[test]
fn new_external_senders_are_to_be_validated_and_known_ones_are_not() {
    let (mut alice, mut bob, ed, group) = with_external_sender();
    let eve = Device::new("eve");
    let senders = vec![party(&ed), party(&eve)];
    let extensions = vec![Extension::ExternalSenders { senders }];
    let request = ProposalRequest::GroupContextExtensions { extensions };
    let proposal = alice.client.propose(&group, &request, &[], None).unwrap();
    let expected = [entering(party(&eve), CredentialReason::ExternalSender)];
    let processed = accept(&mut bob, proposal.bytes.as_deref().unwrap());
    assert_eq!(processed.credentials, expected);
    let committed = commit(&mut alice, &group, CommitRequest::default());
    let processed = accept(&mut bob, &committed);
    assert_eq!(processed.credentials, expected);
    let InboxContent::Commit { proposals, .. } = &processed.content else {
        panic!("no commit");
    };
    assert!(matches!(
        proposals[0].proposal,
        ProposalInfo::GroupContextExtensions { .. }
    ));
}

#[test]
fn a_commit_shows_its_pre_shared_keys_and_a_proposed_update_its_credential() {
    let (mut alice, mut bob, _, group) = pair();
    for device in [&mut alice, &mut bob] {
        device.client.store_external_psk(b"id", b"secret").unwrap();
        device.save();
    }
    let with_psk = CommitRequest {
        proposals: vec![ProposalRequest::ExternalPsk {
            psk_id: b"id".to_vec(),
        }],
        ..Default::default()
    };
    let with_psk = commit(&mut alice, &group, with_psk);
    let InboxContent::Commit { proposals, .. } = accept(&mut bob, &with_psk).content else {
        panic!("no commit");
    };
    let expected = ProposalInfo::ExternalPsk {
        psk_id: b"id".to_vec(),
    };
    assert_eq!(proposals[0].proposal, expected);

    let before = member(&mut bob, &group, b"alice");
    let update = ProposalRequest::Update(LeafUpdate {
        credential: Some(Credential::basic(b"alicia")),
        ..Default::default()
    });
    let proposal = alice.client.propose(&group, &update, &[], None).unwrap();
    alice.save();
    let renamed = Party {
        identity: b"alicia".to_vec(),
        ..party(&alice)
    };
    let expected = [entering(renamed, CredentialReason::Updated { before })];
    let processed = accept(&mut bob, proposal.bytes.as_deref().unwrap());
    assert_eq!(processed.credentials, expected);
    let committed = commit(&mut bob, &group, CommitRequest::default());
    let processed = accept(&mut alice, &committed);
    assert_eq!(
        processed.credentials, expected,
        "the own one too: it enters now"
    );
    assert_in_step(&mut alice, &mut bob, &group);
}

#[test]
fn own_messages_that_come_back_are_told_as_such() {
    for policy in [
        WireFormatPolicy::PureCiphertext,
        WireFormatPolicy::PurePlaintext,
    ] {
        let mut alice = Device::new("alice");
        let settings = GroupSettings {
            wire_format_policy: policy,
            ..Default::default()
        };
        alice.client.set_group_settings(settings);
        let group = alice.client.create_group(None).unwrap();
        let message = alice.client.send_message(&group, b"mine", None).unwrap();
        alice.save();
        let message = message.bytes.unwrap();
        assert_eq!(
            accept(&mut alice, &message).content,
            InboxContent::OwnMessage
        );
        assert!(alice.client.outbox().unwrap().is_empty(), "it was accepted");

        let mut bob = Device::new("bob");
        let package = key_package(&mut bob);
        let entry = alice.client.add_members(&group, &[package], None).unwrap();
        alice.save();
        let processed = accept(&mut alice, entry.bytes.as_deref().unwrap());
        assert!(
            processed.credentials.is_empty(),
            "Alice has chosen Bob herself"
        );
        assert!(matches!(
            processed.content,
            InboxContent::Commit {
                own: true,
                epoch: 1,
                ..
            }
        ));
        assert!(alice.client.outbox().unwrap().is_empty());
        assert_eq!(alice.info(&group).members.len(), 2);
    }
}
