//! Forks and new beginnings: members that merged different commits come together again, in the old
//! group or in a new one.

mod common;

use std::rc::Rc;

use common::{assert_in_step, bare::Bare, pair, refused, Crash, Database, Device, Plan};
use openmls::prelude::{
    tls_codec::{DeserializeBytes as _, Serialize as _, VLBytes},
    CreateCommitError, GroupId, MlsGroup, PreSharedKeyProposal, Proposal, ProposalValidationError,
    ReInitProposal, SignatureScheme,
};
use openmls::schedule::{
    errors::PskError,
    psk::{ResumptionPsk, ResumptionPskUsage},
    PreSharedKeyId, Psk,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::OpenMlsProvider;
use openmls_wasm::{
    client::{
        AppCapabilities, CommitRequest, Extension, ExternalJoin, GroupOptions, KeyPackageOptions,
        OutboxEntry, Party, ProcessedContent, ProposalRequest, Reboot,
    },
    storage::Category,
    ClientError, MlsClient,
};

fn key_package(device: &mut Device) -> Vec<u8> {
    let package = device.client.generate_key_packages(1).unwrap().remove(0);
    device.save();
    package
}

/// The commit of `by` is merged by itself and by `others`, and nobody else hears of it.
fn merge(by: &mut Device, entry: &OutboxEntry, others: &mut [&mut Device]) {
    by.client.merge_pending_commit(&entry.group_id).unwrap();
    by.save();
    for other in others {
        other
            .client
            .process_message(entry.bytes.as_ref().unwrap())
            .unwrap();
        other.save();
    }
}

/// Everyone reads what everyone writes.
fn assert_agreed(devices: &mut [&mut Device], group: &[u8]) {
    for index in 0..devices.len() {
        let message = devices[index]
            .client
            .encrypt_message(group, b"text")
            .unwrap();
        devices[index].save();
        for other in (0..devices.len()).filter(|other| *other != index) {
            let processed = devices[other].client.process_message(&message).unwrap();
            assert!(matches!(
                processed.content,
                ProcessedContent::Message { .. }
            ));
            devices[other].save();
        }
        let (first, rest) = devices.split_first_mut().unwrap();
        for other in rest {
            assert_in_step(first, other, group);
        }
    }
}

const COMMON_EPOCH: u64 = 1;

/// Alice and Bob are in epoch 2, Carol and Dave in epoch 3 of another branch.
struct Fork {
    alice: Device,
    bob: Device,
    carol: Device,
    dave: Device,
    group: Vec<u8>,
    /// By which Carol came into the group, with a key package that may be used again.
    welcome: Vec<u8>,
}

impl Fork {
    fn new() -> Self {
        let [mut alice, mut bob, mut carol, mut dave] =
            ["alice", "bob", "carol", "dave"].map(Device::new);
        let group = alice.client.create_group(None).unwrap();
        let last_resort = carol.client.generate_last_resort_key_package().unwrap();
        let packages = [key_package(&mut bob), last_resort, key_package(&mut dave)];
        let entry = alice.client.add_members(&group, &packages, None).unwrap();
        merge(&mut alice, &entry, &mut []);
        let welcome = entry.welcome.unwrap();
        for device in [&mut bob, &mut carol, &mut dave] {
            device.client.join_group(&welcome).unwrap();
            device.save();
        }
        assert_eq!(alice.info(&group).epoch, COMMON_EPOCH);
        let entry = alice.client.self_update(&group, None).unwrap();
        merge(&mut alice, &entry, &mut [&mut bob]);
        for _ in 0..2 {
            let entry = carol.client.self_update(&group, None).unwrap();
            merge(&mut carol, &entry, &mut [&mut dave]);
        }
        let message = dave.client.encrypt_message(&group, b"lost").unwrap();
        dave.save();
        assert!(alice.client.process_message(&message).is_err());
        Self {
            alice,
            bob,
            carol,
            dave,
            group,
            welcome,
        }
    }

    fn assert_agreed(&mut self) {
        let group = self.group.clone();
        let mut all = [
            &mut self.alice,
            &mut self.bob,
            &mut self.carol,
            &mut self.dave,
        ];
        assert_agreed(&mut all, &group);
    }
}

#[test]
fn the_members_of_the_other_branch_are_added_again() {
    let mut fork = Fork::new();
    let packages = [key_package(&mut fork.carol), key_package(&mut fork.dave)];
    let partition: Vec<u32> = (0..2).collect();
    let entry = fork
        .alice
        .client
        .recover_fork_by_readding(&fork.group, &partition, &packages, Some("recovery"))
        .unwrap();
    let names = |parties: &[Party]| -> Vec<Vec<u8>> {
        let mut names: Vec<_> = parties.iter().map(|party| party.identity.clone()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&entry.added), [&b"carol"[..], b"dave"]);
    assert_eq!(names(&entry.removed), [&b"carol"[..], b"dave"]);
    fork.alice.save();
    fork.alice.crash();
    assert_eq!(
        fork.alice.client.outbox().unwrap(),
        std::slice::from_ref(&entry)
    );
    merge(&mut fork.alice, &entry, &mut [&mut fork.bob]);
    let welcome = entry.welcome.unwrap();
    // It leads to an epoch of a number that Carol and Dave have been in, on their branch.
    assert_eq!(
        refused(&mut fork.carol, |client| client.join_group(&welcome)),
        "stale-welcome"
    );
    for device in [&mut fork.carol, &mut fork.dave] {
        device
            .client
            .abandon_fork(&fork.group, COMMON_EPOCH)
            .unwrap();
        device.save();
        device.crash();
        assert_eq!(device.client.join_group(&welcome), Ok(fork.group.clone()));
        device.save();
    }
    fork.assert_agreed();
    assert_eq!(fork.alice.info(&fork.group).members.len(), 4);
    for device in [&fork.alice, &fork.bob, &fork.carol, &fork.dave] {
        assert_eq!(device.database.count(Category::GroupContext), 1);
    }
}

#[test]
fn a_fork_that_was_abandoned_brings_no_epoch_back_that_both_branches_had() {
    let mut fork = Fork::new();
    fork.carol
        .client
        .abandon_fork(&fork.group, COMMON_EPOCH)
        .unwrap();
    fork.carol.save();
    let welcome = fork.welcome.clone();
    assert_eq!(
        refused(&mut fork.carol, |client| client.join_group(&welcome)),
        "stale-welcome"
    );
    let group = fork.group.clone();
    assert_eq!(
        refused(&mut fork.dave, |client| client.abandon_fork(&group, 4)),
        "invalid-argument"
    );
    assert_eq!(
        refused(&mut fork.dave, |client| client.abandon_fork(b"other", 0)),
        "group-not-found"
    );
}

#[test]
fn whoever_is_on_the_other_branch_can_come_over_alone() {
    let mut fork = Fork::new();
    let group = fork.group.clone();
    for index in 0..2 {
        let info = fork.alice.client.export_group_info(&group, true).unwrap();
        let device = [&mut fork.carol, &mut fork.dave].into_iter().nth(index);
        let device = device.unwrap();
        let entry = device
            .client
            .join_by_external_commit(&info, &ExternalJoin::default(), None)
            .unwrap();
        device.save();
        device.client.accept_external_join(&entry.id).unwrap();
        device.save();
        let bytes = entry.bytes.unwrap();
        for member in [&mut fork.alice, &mut fork.bob] {
            member.client.process_message(&bytes).unwrap();
            member.save();
        }
        if index == 1 {
            fork.carol.client.process_message(&bytes).unwrap();
            fork.carol.save();
        }
    }
    fork.assert_agreed();
    assert_eq!(fork.alice.info(&group).members.len(), 4);
}

#[test]
fn whoever_came_over_remembers_the_epochs_of_the_other_branch() {
    let mut fork = Fork::new();
    let group = fork.group.clone();
    for _ in 0..3 {
        let entry = fork.carol.client.self_update(&group, None).unwrap();
        merge(&mut fork.carol, &entry, &mut []);
    }
    assert_eq!(fork.carol.info(&group).epoch, 6);
    let info = fork.alice.client.export_group_info(&group, true).unwrap();
    let entry = fork
        .carol
        .client
        .join_by_external_commit(&info, &ExternalJoin::default(), Some("join"))
        .unwrap();
    fork.carol.client.accept_external_join("join").unwrap();
    fork.carol.save();
    let bytes = entry.bytes.unwrap();
    fork.alice.client.process_message(&bytes).unwrap();
    assert_eq!(fork.carol.info(&group).epoch, 3);
    // She leaves this branch too, and is added again: to an epoch of a number that she has been in.
    fork.carol.client.delete_group(&group).unwrap();
    fork.carol.save();
    let package = key_package(&mut fork.carol);
    let entry = fork
        .alice
        .client
        .recover_fork_by_readding(&group, &[0, 1], &[package], None)
        .unwrap();
    let welcome = entry.welcome.unwrap();
    assert_eq!(entry.epoch + 1, 4);
    assert_eq!(
        refused(&mut fork.carol, |client| client.join_group(&welcome)),
        "stale-welcome"
    );
}

#[test]
fn a_recovery_that_cannot_be_is_refused_by_name() {
    let mut fork = Fork::new();
    let group = fork.group.clone();
    let package = key_package(&mut fork.carol);
    let mut stranger = Device::new("stranger");
    let by = |partition: &[u32], packages: &[Vec<u8>]| {
        let (partition, packages) = (partition.to_vec(), packages.to_vec());
        let group = group.clone();
        move |client: &mut MlsClient| {
            client.recover_fork_by_readding(&group, &partition, &packages, None)
        }
    };
    let all = [0, 1, 2, 3];
    let alice = &mut fork.alice;
    assert_eq!(refused(alice, by(&[0, 9], &[])), "unknown-member");
    assert_eq!(refused(alice, by(&[1, 2], &[])), "cannot-remove-self");
    assert_eq!(refused(alice, by(&all, &[])), "nothing-to-commit");
    assert_eq!(
        refused(alice, by(&[0], &[b"no key package".to_vec()])),
        "invalid-key-package"
    );
    // Carol is not removed, so she cannot be added.
    assert_eq!(refused(alice, by(&all, &[package])), "commit-rejected");
    assert_eq!(refused(&mut stranger, by(&[0], &[])), "group-not-found");
    alice.client.self_update(&group, None).unwrap();
    assert_eq!(refused(alice, by(&[0], &[])), "pending-commit");
}

#[test]
fn a_proposal_that_waits_stands_in_the_way_of_no_recovery() {
    let mut fork = Fork::new();
    fork.bob
        .client
        .store_external_psk(b"psk", b"of bob")
        .unwrap();
    fork.alice
        .client
        .store_external_psk(b"psk", b"of alice")
        .unwrap();
    let request = ProposalRequest::ExternalPsk {
        psk_id: b"psk".to_vec(),
    };
    let proposal = fork.bob.client.propose(&fork.group, &request, b"", None);
    let proposal = proposal.unwrap().bytes.unwrap();
    fork.alice.client.process_message(&proposal).unwrap();
    let package = key_package(&mut fork.dave);
    let entry = fork
        .alice
        .client
        .recover_fork_by_readding(&fork.group, &[0, 1], &[package], None)
        .unwrap();
    merge(&mut fork.alice, &entry, &mut [&mut fork.bob]);
    let group = fork.group.clone();
    fork.dave.client.abandon_fork(&group, COMMON_EPOCH).unwrap();
    fork.dave
        .client
        .join_group(&entry.welcome.unwrap())
        .unwrap();
    let mut all = [&mut fork.alice, &mut fork.bob, &mut fork.dave];
    assert_agreed(&mut all, &group);
}

#[test]
fn everyone_goes_on_in_a_new_group() {
    let mut fork = Fork::new();
    let senders = vec![Extension::ExternalSenders {
        senders: vec![Party {
            identity: b"server".to_vec(),
            certificates: vec![],
            signature_key: vec![7; 32],
        }],
    }];
    let request = CommitRequest {
        proposals: vec![ProposalRequest::GroupContextExtensions {
            extensions: senders.clone(),
        }],
        ..Default::default()
    };
    let entry = fork
        .alice
        .client
        .commit(&fork.group, &request, None)
        .unwrap();
    merge(&mut fork.alice, &entry, &mut [&mut fork.bob]);
    let reboot = Reboot {
        group_id: Some(b"the new group".to_vec()),
        key_packages: vec![
            key_package(&mut fork.bob),
            key_package(&mut fork.carol),
            key_package(&mut fork.dave),
        ],
        ..Default::default()
    };
    let before = fork.alice.info(&fork.group);
    let entry = fork
        .alice
        .client
        .reboot_group(&fork.group, &reboot, Some("reboot"))
        .unwrap();
    assert_eq!(entry.group_id, b"the new group");
    assert_eq!((entry.epoch, entry.added.len()), (0, 3));
    assert_eq!(
        fork.alice.client.delivery_cursor(b"the new group"),
        Ok(Some(0))
    );
    fork.alice.save();
    fork.alice.crash();
    merge(&mut fork.alice, &entry, &mut []);
    for device in [&mut fork.bob, &mut fork.carol, &mut fork.dave] {
        device
            .client
            .join_group(entry.welcome.as_ref().unwrap())
            .unwrap();
        device.save();
    }
    assert_eq!(fork.alice.info(&fork.group), before, "the old group stays");
    let old = std::mem::replace(&mut fork.group, b"the new group".to_vec());
    fork.assert_agreed();
    let info = fork.bob.client.export_group_info(b"the new group", true);
    let details = fork.bob.client.inspect_group_info(&info.unwrap()).unwrap();
    assert_eq!(details.group_context_extensions, [5], "external_senders");
    fork.alice.client.delete_group(&old).unwrap();
    fork.alice.save();
    fork.assert_agreed();
}

#[test]
fn a_new_group_can_have_another_ciphersuite_and_be_bound_to_the_old_one() {
    let (mut alice, mut bob, _, group) = pair();
    let bind = |device: &mut Device| {
        let secret = device.client.export_secret(&group, "successor", b"", 32);
        device
            .client
            .store_external_psk(b"successor", &secret.unwrap())
            .unwrap();
        device.save();
    };
    let suite_3 = KeyPackageOptions {
        ciphersuite: Some(3),
        ..Default::default()
    };
    let package = |device: &mut Device| {
        let packages = device.client.generate_key_packages_with(&suite_3);
        device.save();
        packages.unwrap().remove(0)
    };
    let mut stranger = Device::new("stranger");
    let reboot = Reboot {
        key_packages: vec![package(&mut bob), package(&mut stranger)],
        extensions: Some(vec![]),
        ciphersuite: Some(3),
        external_psks: vec![b"successor".to_vec()],
        ..Default::default()
    };
    assert_eq!(
        refused(&mut alice, |client| client
            .reboot_group(&group, &reboot, None)),
        "unknown-psk"
    );
    bind(&mut alice);
    let entry = alice.client.reboot_group(&group, &reboot, None).unwrap();
    merge(&mut alice, &entry, &mut []);
    let welcome = entry.welcome.unwrap();
    // Whoever was not in the old group does not get into the new one, even if invited.
    let mut outside = refused(&mut stranger, |client| client.join_group(&welcome));
    assert!(["unknown-psk", "invalid-welcome"].contains(&outside));
    stranger
        .client
        .store_external_psk(b"successor", b"guessed")
        .unwrap();
    outside = refused(&mut stranger, |client| client.join_group(&welcome));
    assert_eq!(outside, "invalid-welcome");
    bind(&mut bob);
    assert_eq!(bob.client.join_group(&welcome), Ok(entry.group_id.clone()));
    assert_agreed(&mut [&mut alice, &mut bob], &entry.group_id);
    let info = bob.client.export_group_info(&entry.group_id, false);
    let details = bob.client.inspect_group_info(&info.unwrap()).unwrap();
    assert_eq!(details.ciphersuite, 3);
}

#[test]
fn a_new_group_requires_what_the_old_one_did() {
    const APP_EXTENSION: u16 = 0xf00a;
    let [mut alice, mut bob] = ["alice", "bob"].map(Device::new);
    let options = GroupOptions {
        group_context_extensions: vec![Extension::RequiredCapabilities {
            extension_types: vec![APP_EXTENSION],
            proposal_types: vec![],
            credential_types: vec![],
        }],
        ..Default::default()
    };
    let group = alice.client.create_group_with(None, &options).unwrap();
    let reboot = |key_package: Vec<u8>| Reboot {
        key_packages: vec![key_package],
        ..Default::default()
    };
    let unable = reboot(key_package(&mut bob));
    assert_eq!(
        refused(&mut alice, |client| client
            .reboot_group(&group, &unable, None)),
        "commit-rejected"
    );
    bob.client.set_app_capabilities(AppCapabilities {
        extensions: vec![APP_EXTENSION],
        proposals: vec![],
    });
    let able = reboot(key_package(&mut bob));
    let entry = alice.client.reboot_group(&group, &able, None).unwrap();
    merge(&mut alice, &entry, &mut []);
    bob.client.join_group(&entry.welcome.unwrap()).unwrap();
    assert_agreed(&mut [&mut alice, &mut bob], &entry.group_id);
}

#[test]
fn a_new_group_that_cannot_be_is_refused_by_name() {
    let (mut alice, mut bob, _, group) = pair();
    let packages = [key_package(&mut bob), key_package(&mut bob)];
    let reboot = |change: fn(&mut Reboot)| {
        let mut reboot = Reboot {
            key_packages: packages.to_vec(),
            ..Default::default()
        };
        change(&mut reboot);
        let group = group.clone();
        move |client: &mut MlsClient| client.reboot_group(&group, &reboot, None)
    };
    alice.client.create_group(Some(b"taken")).unwrap();
    type Change = fn(&mut Reboot);
    let cases: [(Change, &str); 7] = [
        (|reboot| reboot.key_packages.clear(), "invalid-argument"),
        (
            |reboot| reboot.key_packages = vec![b"none".to_vec()],
            "invalid-key-package",
        ),
        (
            |reboot| reboot.group_id = Some(b"taken".to_vec()),
            "group-exists",
        ),
        (
            |reboot| reboot.ciphersuite = Some(2),
            "unsupported-ciphersuite",
        ),
        (
            |reboot| reboot.ciphersuite = Some(99),
            "unsupported-ciphersuite",
        ),
        // The key package is for ciphersuite 1.
        (
            |reboot| {
                reboot.key_packages.pop();
                reboot.ciphersuite = Some(3);
            },
            "commit-rejected",
        ),
        // Two key packages of one signature key.
        (|_| {}, "commit-rejected"),
    ];
    for (change, expected) in cases {
        assert_eq!(refused(&mut alice, reboot(change)), expected);
    }
    let other = Reboot::default();
    assert_eq!(
        refused(&mut alice, |client| client
            .reboot_group(b"other", &other, None)),
        "group-not-found"
    );
}

#[test]
fn a_recovery_or_new_group_whose_write_fails_leaves_nothing() {
    let mut fork = Fork::new();
    let group = fork.group.clone();
    let package = key_package(&mut fork.dave);
    let reboot = Reboot {
        key_packages: vec![package.clone()],
        ..Default::default()
    };
    type Operation<'a> = Box<dyn FnMut(&mut MlsClient) -> Result<(), ClientError> + 'a>;
    let operations: [Operation<'_>; 2] = [
        Box::new(|client| {
            let packages = std::slice::from_ref(&package);
            client
                .recover_fork_by_readding(&group, &[0, 1], packages, None)
                .map(drop)
        }),
        Box::new(|client| client.reboot_group(&group, &reboot, None).map(drop)),
    ];
    let alice = &mut fork.alice;
    for mut operation in operations {
        let mut failures = 0;
        for writes in 0.. {
            alice.client.storage().fail_after(Some(writes)).unwrap();
            let before = Database::of(&alice.client);
            match operation(&mut alice.client) {
                Ok(()) => break,
                Err(error) => assert_eq!(error.code(), "storage"),
            }
            assert_eq!(Database::of(&alice.client), before);
            failures += 1;
        }
        alice.client.storage().fail_after(None).unwrap();
        assert!(failures >= 3, "{failures}");
    }
}

/// Carol's way back, as a person takes it whose calls may never return.
fn carol_returns(plan: &Rc<Plan>) {
    let mut fork = Fork::new();
    let package = key_package(&mut fork.carol);
    let entry = fork
        .alice
        .client
        .recover_fork_by_readding(&fork.group, &[0, 1, 3], &[package], None)
        .unwrap();
    merge(&mut fork.alice, &entry, &mut [&mut fork.bob]);
    fork.carol.plan = plan.clone();
    let welcome = entry.welcome.unwrap();
    for _ in 0..10 {
        let carol = &mut fork.carol;
        match carol.client.group_info(&fork.group) {
            Ok(info) if info.epoch == entry.epoch + 1 && info.members.len() == 4 => {
                let mine = info.epoch_authenticator;
                if mine == fork.alice.info(&fork.group).epoch_authenticator {
                    break;
                }
                carol
                    .client
                    .abandon_fork(&fork.group, COMMON_EPOCH)
                    .unwrap();
            }
            Ok(_) => carol
                .client
                .abandon_fork(&fork.group, COMMON_EPOCH)
                .unwrap(),
            Err(_) => drop(carol.client.join_group(&welcome).unwrap()),
        }
        carol.save();
    }
    fork.carol.plan = Rc::default();
    let group = fork.group.clone();
    let mut all = [&mut fork.alice, &mut fork.bob, &mut fork.carol];
    assert_agreed(&mut all, &group);
    assert_eq!(fork.carol.database.count(Category::GroupContext), 1);
}

#[test]
fn a_crash_on_the_way_back_loses_nothing() {
    let plan: Rc<Plan> = Rc::default();
    carol_returns(&plan);
    let batches = plan.batches.get();
    assert_eq!(batches, 2, "abandon, join");
    for at in 0..batches {
        for crash in [Crash::Before, Crash::After] {
            let plan: Rc<Plan> = Rc::default();
            plan.crash_at.set(Some((at, crash)));
            carol_returns(&plan);
        }
    }
}

/// Why this client offers no ReInit proposal and no branch: OpenMLS 0.9.2 cannot (see `recovery.rs`).
#[test]
fn openmls_commits_no_reinit_and_no_resumption_psk_for_another_group() {
    let (alice, _, _, group) = pair();
    let key = alice
        .client
        .identity()
        .unwrap()
        .unwrap()
        .signature_public_key;
    let provider = Bare(Default::default(), alice.client.storage());
    let scheme = SignatureScheme::ED25519;
    let signer = SignatureKeyPair::read(provider.storage(), &key, scheme).unwrap();
    let id = GroupId::from_slice(&group);
    let mut group = MlsGroup::load(provider.storage(), &id).unwrap().unwrap();

    // ReInit { group_id, version, cipher_suite, extensions } (RFC 9420 §12.1.5)
    let mut reinit = VLBytes::from(b"new".to_vec())
        .tls_serialize_detached()
        .unwrap();
    reinit.extend([0, 1, 0, 1, 0]);
    let reinit = ReInitProposal::tls_deserialize_exact_bytes(&reinit).unwrap();
    let builder = group
        .commit_builder()
        .add_proposal(Proposal::ReInit(Box::new(reinit)))
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &signer, |_| true)
        .unwrap();
    builder.stage_commit(&provider).unwrap();
    let staged = group.pending_commit().unwrap();
    assert_eq!(staged.queued_proposals().count(), 0, "it was left out");
    group.clear_pending_commit(provider.storage()).unwrap();

    for usage in [ResumptionPskUsage::Reinit, ResumptionPskUsage::Branch] {
        let psk = Psk::Resumption(ResumptionPsk::new(usage, id.clone(), group.epoch()));
        let psk = PreSharedKeyId::new(group.ciphersuite(), provider.rand(), psk).unwrap();
        let error = group
            .commit_builder()
            .add_proposal(Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(
                psk,
            ))))
            .load_psks(provider.storage())
            .and_then(|builder| {
                builder.build(provider.rand(), provider.crypto(), &signer, |_| true)
            })
            .unwrap_err();
        assert_eq!(
            error,
            CreateCommitError::ProposalValidationError(ProposalValidationError::Psk(
                PskError::UsageMismatch {
                    allowed: vec![ResumptionPskUsage::Application],
                    got: usage,
                }
            ))
        );
    }
}
