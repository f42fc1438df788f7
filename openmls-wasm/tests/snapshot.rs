//! Snapshots: what is in a backup, what becomes of it where it is imported, and moving away.

mod common;

use common::{assert_in_step, code, pair, refused, texts, Database, Device, Service};
use openmls_wasm::{
    client::{ExternalJoin, Imported, InboxContent, JoinOptions, LeafUpdate, Role},
    storage::{Category, Record, Scope},
    MlsClient,
};

/// What a backup holds of a database, read as `CoreCryptoClient` reads it: the records of the client,
/// then group by group.
fn backup(device: &Device) -> Vec<Record> {
    let read = |category: Category| openmls_wasm::client::is_read_for_snapshots(category);
    let own = device
        .database
        .records_where(|category, _| category.scope() != Scope::Group && read(category));
    let mut exported = device.client.export_storage_state(own).unwrap();
    for group in device.database.groups() {
        let records = device.database.records_where(|category, key| {
            category.scope() == Scope::Group && read(category) && key.starts_with(group)
        });
        exported.extend(device.client.export_storage_state(records).unwrap());
    }
    exported
}

/// A new device with what the backup holds.
fn restored(records: &[Record]) -> (Device, Imported) {
    let mut device = Device::with(MlsClient::new(), Default::default());
    let imported = device
        .client
        .import_storage_state(records.to_vec())
        .unwrap();
    assert!(device.save());
    device.crash();
    (device, imported)
}

fn rejoin(device: &mut Device, peer: &mut Device, service: &mut Service, group: &[u8]) {
    let info = peer.client.export_group_info(group, true).unwrap();
    peer.save();
    device
        .client
        .join_by_external_commit(&info, &ExternalJoin::default(), None)
        .unwrap();
    device.save();
    let entry = device.client.outbox().unwrap().remove(0);
    service.upload(&entry);
    let position = service.log().len() as u64;
    device
        .client
        .receive_message(openmls_wasm::client::Delivered {
            bytes: entry.bytes.as_deref().unwrap(),
            id: Some(&entry.id),
            position: Some(position),
            ..Default::default()
        })
        .unwrap()
        .unwrap();
    device.save();
}

fn send(device: &mut Device, service: &mut Service, group: &[u8], text: &str) {
    device
        .client
        .send_message(group, text.as_bytes(), None)
        .unwrap();
    device.save();
    device.sync(service, group);
}

#[test]
fn what_must_not_come_back_is_in_no_backup() {
    let (mut alice, mut bob, mut service, group) = pair();
    // One of everything that a client may hold.
    alice.client.generate_key_packages(3).unwrap();
    alice.client.store_external_psk(b"psk", b"secret").unwrap();
    alice
        .client
        .propose(
            &group,
            &openmls_wasm::client::ProposalRequest::Update(LeafUpdate::default()),
            b"",
            None,
        )
        .unwrap();
    alice.save();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    alice.client.self_update(&group, None).unwrap();
    alice.client.send_message(&group, b"waits", None).unwrap();
    alice.save();
    let records = backup(&alice);
    let found: Vec<Category> = records.iter().map(|record| record.category).collect();
    for category in [
        Category::KeyPackage,
        Category::EncryptionKeyPair,
        Category::EpochKeyPairs,
        Category::GroupEpochSecrets,
        Category::MessageSecrets,
        Category::RetainedEpoch,
        Category::ResumptionPskStore,
        Category::ApplicationExportTree,
        Category::GroupState,
        Category::Outbox,
        Category::PendingExternalJoin,
        Category::OwnLeafNode,
        Category::QueuedProposal,
        Category::Tree,
    ] {
        assert!(!found.contains(&category), "{category:?}");
    }
    for category in [
        Category::Identity,
        Category::SignatureKeyPair,
        Category::Psk,
        Category::Inbox,
        Category::GroupSummary,
        Category::InertGroup,
        Category::FormerGroup,
        Category::DeliveryCursor,
    ] {
        assert!(found.contains(&category), "{category:?}");
    }
    // Not under another name either: no secret of the store is in a value of the backup.
    let stored = alice.database.apart();
    let secrets = stored.records_where(|category, _| {
        matches!(
            category,
            Category::KeyPackage
                | Category::EncryptionKeyPair
                | Category::EpochKeyPairs
                | Category::GroupEpochSecrets
        )
    });
    assert!(secrets.len() >= 4, "{} records with secrets", secrets.len());
    let windows = secrets.iter().flat_map(|secret| runs(&secret.value));
    let public: Vec<u8> = stored
        .records_where(|category, _| category == Category::Tree)
        .iter()
        .flat_map(|record| record.value.to_vec())
        .collect();
    for run in windows {
        let is_public = contains(&public, run);
        for record in &records {
            let identity = record.category == Category::Identity
                || record.category == Category::SignatureKeyPair;
            assert!(
                is_public || identity || !contains(&record.value, run),
                "a part of a secret in {:?}",
                record.category
            );
        }
    }
}

/// The byte strings of 32 bytes in MessagePack: keys and secrets.
fn runs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .windows(34)
        .filter(|window| window[0] == 0xc4 && window[1] == 32)
        .map(|window| &window[2..])
}

fn contains(value: &[u8], run: &[u8]) -> bool {
    value.windows(run.len()).any(|window| window == run)
}

#[test]
fn a_restored_group_is_listed_and_does_nothing_until_it_is_joined_anew() {
    let (mut alice, mut bob, mut service, group) = pair();
    alice.client.set_group_name(&group, b"friends").unwrap();
    alice.save();
    send(&mut bob, &mut service, &group, "before");
    alice.receive_log(&service, &group).unwrap();
    alice.save();
    let own_index = alice.info(&group).own_leaf_index;
    let records = backup(&alice);
    let (mut again, imported) = restored(&records);
    assert_eq!(
        (imported.added, imported.untouched),
        (vec![group.clone()], vec![])
    );
    assert_eq!(again.client.identity(), alice.client.identity());
    let summaries = again.client.group_summaries(&[], None, None).unwrap();
    let summary = &summaries[0];
    assert_eq!(
        (
            &summary.name[..],
            summary.epoch,
            summary.member_count,
            summary.role
        ),
        (&b"friends"[..], 1, 2, Role::Inert)
    );
    // The history that the app has not saved.
    let inbox = again.client.inbox().unwrap();
    assert!(inbox.iter().any(|item| matches!(
        &item.content, InboxContent::Message { plaintext, .. } if plaintext == b"before"
    )));
    let message = bob.client.encrypt_message(&group, b"x").unwrap();
    let commit = bob.client.self_update(&group, None).unwrap();
    let codes = [
        refused(&mut again, |client| client.send_message(&group, b"x", None)),
        refused(&mut again, |client| client.encrypt_message(&group, b"x")),
        refused(&mut again, |client| client.self_update(&group, None)),
        refused(&mut again, |client| {
            client.remove_members(&group, &[0], None)
        }),
        refused(&mut again, |client| {
            client.commit_pending_proposals(&group, None)
        }),
        refused(&mut again, |client| client.leave_group(&group, None)),
        refused(&mut again, |client| client.merge_pending_commit(&group)),
        refused(&mut again, |client| client.export_group_info(&group, true)),
        refused(&mut again, |client| {
            client.export_secret(&group, "l", b"", 32)
        }),
        refused(&mut again, |client| client.set_group_name(&group, b"x")),
        refused(&mut again, |client| client.group_info(&group)),
        refused(&mut again, |client| client.process_message(&message)),
        refused(&mut again, |client| {
            client.process_message(commit.bytes.as_ref().unwrap())
        }),
        refused(&mut again, |client| client.inspect_message(&message)),
    ];
    assert_eq!(codes, ["group-inert"; 14]);
    assert_eq!(
        refused(&mut again, |client| client.create_group(Some(&group))),
        "group-exists"
    );
    bob.client.clear_pending_commit(&group).unwrap();
    bob.client.reject_commit(&commit.id).ok();
    bob.save();

    rejoin(&mut again, &mut bob, &mut service, &group);
    bob.receive_log(&service, &group).unwrap();
    bob.save();
    assert_in_step(&mut again, &mut bob, &group);
    let members = again.info(&group).members;
    assert_eq!(members.len(), 2, "the old leaf is gone: {members:?}");
    assert_eq!(again.database.count(Category::InertGroup), 0);
    let summary = again
        .client
        .group_summaries(&[], None, None)
        .unwrap()
        .remove(0);
    assert_eq!(
        (&summary.name[..], summary.role),
        (&b"friends"[..], Role::Member)
    );

    // The device that was thought lost learns that another has taken its place.
    alice.receive_log(&service, &group).unwrap();
    alice.save();
    assert!(!alice.info(&group).is_active);
    let own_key = alice
        .client
        .identity()
        .unwrap()
        .unwrap()
        .signature_public_key;
    let replaced = alice.client.inbox().unwrap().into_iter().any(|item| {
        matches!(&item.content, InboxContent::Commit { self_removed: true, external: true, added, .. }
            if added.iter().any(|party| party.signature_key == own_key))
    });
    assert!(replaced, "own leaf {own_index}: {:?}", alice.client.inbox());
    assert_eq!(
        refused(&mut alice, |client| client.send_message(&group, b"x", None)),
        "group-inactive"
    );

    send(&mut again, &mut service, &group, "I am back");
    bob.sync(&mut service, &group);
    send(&mut bob, &mut service, &group, "welcome back");
    again.receive_log(&service, &group).unwrap();
    again.save();
    again.take_over();
    assert!(texts(&bob).contains(&"I am back".into()));
    assert!(texts(&again).contains(&"welcome back".into()));
    again.crash();
    assert_in_step(&mut again, &mut bob, &group);
}

#[test]
fn what_is_here_wins() {
    let (mut alice, mut bob, mut service, group) = pair();
    let other = alice.client.create_group(None).unwrap();
    alice.save();
    let old = backup(&alice);
    alice.client.delete_group(&other).unwrap();
    alice.save();
    send(&mut alice, &mut service, &group, "newer");
    bob.sync(&mut service, &group);
    let live = |device: &Device| {
        device.database.records_where(|category, key| {
            category.scope() == Scope::Group && key.starts_with(&hex(&group))
        })
    };
    let before = live(&alice);
    let imported = alice.client.import_storage_state(old.clone()).unwrap();
    alice.save();
    assert_eq!(imported.untouched, std::slice::from_ref(&group));
    assert_eq!(imported.added, std::slice::from_ref(&other));
    let same = |records: Vec<Record>| -> Vec<_> {
        records
            .into_iter()
            .map(|record| (record.category, record.key, record.value))
            .collect()
    };
    assert_eq!(same(live(&alice)), same(before));
    send(&mut alice, &mut service, &group, "and on");
    bob.sync(&mut service, &group);
    assert!(texts(&bob).contains(&"and on".into()));
    // Once more changes nothing.
    let imported = alice.client.import_storage_state(old).unwrap();
    assert!(!alice.client.storage().is_dirty().unwrap());
    assert_eq!(imported.added.len(), 0);
    // An inert group can be deleted, and leaves nothing but the number of its epoch.
    alice.client.delete_group(&other).unwrap();
    alice.save();
    let left = alice.database.records_where(|category, key| {
        category.scope() == Scope::Group && key.starts_with(&hex(&other))
    });
    let left: Vec<_> = left.iter().map(|record| record.category).collect();
    assert_eq!(left, [Category::FormerGroup]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn another_identity_is_refused_and_nothing_of_it_stays() {
    let (alice, mut bob, _, _) = pair();
    let records = backup(&alice);
    assert_eq!(
        refused(&mut bob, |client| client.import_storage_state(records)),
        "identity-conflict"
    );
}

#[test]
fn a_file_that_holds_more_than_a_backup_is_refused() {
    let (alice, _, _, _) = pair();
    let mut nobody = Device::with(MlsClient::new(), Default::default());
    let backup = backup(&alice);
    for record in alice.database.records() {
        let known = backup.iter().any(|one| one.category == record.category);
        if known || record.category.scope() == Scope::Group {
            continue;
        }
        let records = [backup.clone(), vec![record.clone()]].concat();
        assert_eq!(
            refused(&mut nobody, |client| client.import_storage_state(records)),
            "invalid-argument",
            "{:?}",
            record.category
        );
    }
    for (category, stored) in [
        (Category::EpochRecords, &alice.database),
        (Category::GroupEpochSecrets, &alice.database.apart()),
    ] {
        let state = stored.records_where(|of, _| of == category);
        assert_eq!(state.len(), 1, "{category:?}");
        let records = [backup.clone(), state].concat();
        assert_eq!(
            refused(&mut nobody, |client| client.import_storage_state(records)),
            "invalid-argument"
        );
    }
    let without_key: Vec<_> = backup
        .into_iter()
        .filter(|record| record.category != Category::SignatureKeyPair)
        .collect();
    assert_eq!(
        refused(&mut nobody, |client| client
            .import_storage_state(without_key)),
        "signature-key-missing"
    );
}

#[test]
fn a_used_key_package_stays_used() {
    let mut alice = Device::new("alice");
    let mut bob = Device::new("bob");
    let packages = bob.client.generate_key_packages(1).unwrap();
    bob.save();
    let before = bob.database.clone();
    let group = alice.client.create_group(None).unwrap();
    let commit = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    let welcome = commit.welcome.unwrap();
    // A backup from before the Welcome has no key for it.
    let (mut restored_early, _) = restored(&backup(&bob));
    assert_eq!(
        code(restored_early.client.join_group(&welcome)),
        "no-matching-key-package"
    );
    bob.client.join_group(&welcome).unwrap();
    bob.save();
    let late = backup(&bob);
    let (mut restored_late, _) = restored(&late);
    assert_eq!(
        code(restored_late.client.join_group(&welcome)),
        "key-package-used"
    );
    // A database that was put back to the time before holds the key once more, until it hears of it.
    let mut old = Device::with(MlsClient::new(), Default::default());
    old.database = before;
    old.crash();
    old.client.import_storage_state(late).unwrap();
    old.save();
    assert_eq!(code(old.client.join_group(&welcome)), "key-package-used");
    assert_eq!(
        code(
            old.client
                .join_group_with(&welcome, &JoinOptions::default())
        ),
        "key-package-used"
    );
}

#[test]
fn the_leaf_is_replaced_as_what_it_said_of_itself() {
    let (mut alice, mut bob, mut service, group) = pair();
    // A leaf with a signature key of its own.
    let update = LeafUpdate {
        new_signature_key: true,
        ..Default::default()
    };
    alice
        .client
        .commit(
            &group,
            &openmls_wasm::client::CommitRequest {
                leaf: update,
                ..Default::default()
            },
            None,
        )
        .unwrap();
    alice.save();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    let index = alice.info(&group).own_leaf_index;
    let key = alice.info(&group).members[index as usize]
        .signature_key
        .clone();
    assert_ne!(
        key,
        alice
            .client
            .identity()
            .unwrap()
            .unwrap()
            .signature_public_key
    );
    let (mut again, _) = restored(&backup(&alice));
    rejoin(&mut again, &mut bob, &mut service, &group);
    bob.receive_log(&service, &group).unwrap();
    assert_in_step(&mut again, &mut bob, &group);
    let members = again.info(&group).members;
    assert_eq!(members.len(), 2);
    assert!(members.iter().any(|member| member.signature_key == key));
    // A snapshot of a snapshot: what is inert stays inert.
    let (copy, _) = restored(&backup(&alice));
    let (mut copy, imported) = restored(&backup(&copy));
    assert_eq!(imported.added, std::slice::from_ref(&group));
    assert_eq!(
        code(copy.client.encrypt_message(&group, b"x")),
        "group-inert"
    );
    // Deleting it deletes the key that was made for its leaf.
    let keys = copy.database.count(Category::SignatureKeyPair);
    copy.client.delete_group(&group).unwrap();
    copy.save();
    assert_eq!(copy.database.count(Category::SignatureKeyPair), keys - 1);
}

#[test]
fn a_welcome_brings_an_inert_group_back() {
    let (mut alice, mut bob, mut service, group) = pair();
    alice.client.set_group_name(&group, b"friends").unwrap();
    alice.save();
    let (mut again, _) = restored(&backup(&alice));
    let package = again.client.generate_key_packages(1).unwrap();
    again.save();
    let index = alice.info(&group).own_leaf_index;
    bob.client.remove_members(&group, &[index], None).unwrap();
    bob.sync(&mut service, &group);
    let commit = bob.client.add_members(&group, &package, None).unwrap();
    bob.sync(&mut service, &group);
    again.client.join_group(&commit.welcome.unwrap()).unwrap();
    again.save();
    again.crash();
    assert_in_step(&mut again, &mut bob, &group);
    assert_eq!(again.database.count(Category::InertGroup), 0);
    let summary = again
        .client
        .group_summaries(&[], None, None)
        .unwrap()
        .remove(0);
    assert_eq!(
        (&summary.name[..], summary.role),
        (&b"friends"[..], Role::Member)
    );
}

#[test]
fn a_database_that_was_moved_is_read_and_never_sends_again() {
    let (mut alice, mut bob, mut service, group) = pair();
    assert_eq!(code(alice.client.complete_move(1)), "invalid-argument");
    alice.client.begin_move(1).unwrap();
    assert_eq!(
        refused(&mut alice, |client| client.encrypt_message(&group, b"x")),
        "moved-away"
    );
    alice.client.cancel_move(1).unwrap();
    alice.client.encrypt_message(&group, b"x").unwrap();
    alice.save();
    alice.client.begin_move(1).unwrap();
    let file = alice.database.records();
    alice.client.complete_move(1).unwrap();
    alice.save();
    let message = bob.client.encrypt_message(&group, b"x").unwrap();
    for restart in [false, true] {
        if restart {
            alice.crash();
        }
        alice.client.cancel_move(1).unwrap();
        let codes = [
            refused(&mut alice, |client| client.encrypt_message(&group, b"x")),
            refused(&mut alice, |client| client.send_message(&group, b"x", None)),
            refused(&mut alice, |client| client.self_update(&group, None)),
            refused(&mut alice, |client| client.leave_group(&group, None)),
            refused(&mut alice, |client| client.generate_key_packages(1)),
            refused(&mut alice, |client| client.create_group(None)),
            refused(&mut alice, |client| client.process_message(&message)),
            refused(&mut alice, |client| client.delete_group(&group)),
        ];
        assert_eq!(codes, ["moved-away"; 8], "after a restart: {restart}");
        assert_eq!(alice.info(&group).members.len(), 2);
        assert_eq!(alice.client.inbox().unwrap().len(), 0);
    }
    // Where it moved to everything goes on.
    let mut moved = Device::with(MlsClient::new(), Default::default());
    moved.database = file.into_iter().collect::<Database>();
    moved.crash();
    moved.client.process_message(&message).unwrap();
    moved.save();
    bob.save();
    send(&mut moved, &mut service, &group, "from the new one");
    bob.sync(&mut service, &group);
    assert!(texts(&bob).contains(&"from the new one".into()));
}
