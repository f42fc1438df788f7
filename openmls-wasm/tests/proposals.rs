//! Proposals and commits: every kind, by reference and inline, with a peer on the other side.

mod common;

use common::{assert_in_step, code, Database, Device};
use openmls_wasm::{
    client::{
        AppCapabilities, CommitRequest, Credential, Extension, GroupSettings, LeafUpdate,
        OutboxEntry, OutboxKind, Processed, ProposalInfo, ProposalRequest, ProposalSender,
        WireFormatPolicy,
    },
    storage::Category,
};

/// A proposal type and an extension type of the app's own.
const APP_PROPOSAL: u16 = 0xf001;
const APP_EXTENSION: u16 = 0xf002;
const APP_EPHEMERAL: u16 = 9;

fn device(name: &str) -> Device {
    let mut device = Device::new(name);
    device.client.set_group_settings(GroupSettings {
        wire_format_policy: WireFormatPolicy::MixedPlaintext,
        number_of_resumption_psks: 5,
        ..GroupSettings::default()
    });
    device.client.set_app_capabilities(AppCapabilities {
        extensions: vec![APP_EXTENSION],
        proposals: vec![APP_PROPOSAL, APP_EPHEMERAL],
    });
    device.client.store_external_psk(b"psk", b"secret").unwrap();
    device.save();
    device
}

fn key_package(device: &mut Device) -> Vec<u8> {
    let package = device.client.generate_key_packages(1).unwrap().remove(0);
    device.save();
    package
}

/// Three members; whatever one of them uploads, the others process at once.
struct Trio {
    group: Vec<u8>,
    members: Vec<Device>,
}

impl Trio {
    fn new() -> Self {
        let mut members = vec![device("alice"), device("bob"), device("carol")];
        let group = members[0].client.create_group(None).unwrap();
        let packages = [key_package(&mut members[1]), key_package(&mut members[2])];
        let alice = &mut members[0].client;
        let entry = alice.add_members(&group, &packages, None).unwrap();
        alice.merge_pending_commit(&group).unwrap();
        for joiner in &mut members[1..] {
            let joined = joiner.client.join_group(entry.welcome.as_ref().unwrap());
            assert_eq!(joined.unwrap(), group);
        }
        let mut trio = Self { group, members };
        trio.rehydrate();
        trio.assert_agreed();
        trio
    }

    /// Every member starts anew from what it has stored.
    fn rehydrate(&mut self) {
        for member in &mut self.members {
            assert!(member.save());
            member.crash();
        }
    }

    fn propose(&mut self, by: usize, request: &ProposalRequest) -> OutboxEntry {
        let client = &mut self.members[by].client;
        let entry = client.propose(&self.group, request, b"why", None).unwrap();
        assert_eq!(entry.kind, OutboxKind::Proposal);
        self.deliver(by, &entry);
        entry
    }

    fn commit(&mut self, by: usize, request: &CommitRequest) -> OutboxEntry {
        let client = &mut self.members[by].client;
        let entry = client.commit(&self.group, request, None).unwrap();
        assert_eq!(entry.kind, OutboxKind::Commit);
        self.rehydrate();
        self.deliver(by, &entry);
        entry
    }

    /// The delivery service accepted the entry and hands it to the others.
    fn deliver(&mut self, by: usize, entry: &OutboxEntry) -> Vec<Processed> {
        let bytes = entry.bytes.as_ref().unwrap();
        let mut processed = vec![];
        for (index, member) in self.members.iter_mut().enumerate() {
            if !member.info(&self.group).is_active {
                continue;
            }
            if index != by {
                processed.push(member.client.process_message(bytes).unwrap());
            } else if entry.kind == OutboxKind::Commit {
                member.client.merge_pending_commit(&self.group).unwrap();
            } else {
                member.client.acknowledge_outbox(&entry.id).unwrap();
            }
        }
        processed
    }

    /// Everyone who is still in agrees on the epoch, and reads what the others send.
    fn assert_agreed(&mut self) {
        let group = self.group.clone();
        let (first, others) = self.members.split_first_mut().unwrap();
        for other in others {
            if other.info(&group).is_active {
                assert_in_step(first, other, &group);
                let message = other.client.encrypt_message(&group, b"from them").unwrap();
                first.client.process_message(&message).unwrap();
                let message = first.client.encrypt_message(&group, b"from me").unwrap();
                other.client.process_message(&message).unwrap();
            }
        }
    }

    /// Nothing is stored but what the present epoch needs.
    fn assert_nothing_left_behind(&self) {
        for member in &self.members {
            let records = Database::of(&member.client);
            for category in [
                Category::EncryptionKeyPair,
                Category::OwnLeafNode,
                Category::QueuedProposal,
                Category::Outbox,
            ] {
                assert_eq!(records.count(category), 0, "{category:?}");
            }
            assert_eq!(
                records.count(Category::SignatureKeyPair),
                1 + records.count(Category::OwnSignatureKey),
            );
        }
    }

    fn pending(&mut self, of: usize) -> Vec<openmls_wasm::client::PendingProposal> {
        self.members[of]
            .client
            .pending_proposals(&self.group)
            .unwrap()
    }
}

/// Group context extensions with one of the app's own.
fn topic(topic: &[u8]) -> Vec<Extension> {
    vec![
        Extension::RequiredCapabilities {
            extension_types: vec![APP_EXTENSION],
            proposal_types: vec![APP_PROPOSAL],
            credential_types: vec![1],
        },
        Extension::Other {
            extension_type: APP_EXTENSION,
            data: topic.to_vec(),
        },
    ]
}

/// Every kind that a member may propose by reference, and what it then says.
fn by_reference() -> Vec<(ProposalRequest, ProposalInfo)> {
    let mut dave = device("dave");
    let package = key_package(&mut dave);
    let dave = dave.client.identity().unwrap().unwrap();
    let extensions = topic(b"topic");
    vec![
        (
            ProposalRequest::Add {
                key_package: package,
            },
            ProposalInfo::Add {
                added: openmls_wasm::client::Party {
                    identity: dave.identity,
                    certificates: vec![],
                    signature_key: dave.signature_public_key,
                },
            },
        ),
        (
            ProposalRequest::ExternalPsk {
                psk_id: b"psk".to_vec(),
            },
            ProposalInfo::ExternalPsk {
                psk_id: b"psk".to_vec(),
            },
        ),
        (
            ProposalRequest::GroupContextExtensions {
                extensions: extensions.clone(),
            },
            ProposalInfo::GroupContextExtensions { extensions },
        ),
        (
            ProposalRequest::AppDefined {
                proposal_type: APP_PROPOSAL,
                payload: b"anything".to_vec(),
            },
            ProposalInfo::AppDefined {
                proposal_type: APP_PROPOSAL,
                payload: b"anything".to_vec(),
            },
        ),
    ]
}

#[test]
fn every_kind_is_proposed_by_one_and_committed_by_another() {
    for (request, info) in by_reference() {
        let mut trio = Trio::new();
        let entry = trio.propose(1, &request);
        assert_eq!(entry.authenticated_data, b"why");
        trio.rehydrate();
        let bob = trio.members[0].info(&trio.group.clone()).members[1].clone();
        for of in 0..3 {
            let pending = trio.pending(of);
            assert_eq!(pending.len(), 1, "{info:?}");
            assert_eq!(
                Some(&pending[0].reference),
                entry.proposal_reference.as_ref()
            );
            assert_eq!(pending[0].sender, ProposalSender::Member(bob.clone()));
            assert_eq!(pending[0].proposal, info);
        }
        trio.commit(0, &CommitRequest::default());
        trio.assert_agreed();
        trio.assert_nothing_left_behind();
    }
}

/// A commit that proposes `proposals` itself and leaves out what waits.
fn inline(proposals: Vec<ProposalRequest>) -> CommitRequest {
    CommitRequest {
        proposals,
        include_pending: false,
        ..CommitRequest::default()
    }
}

fn new_signature_key() -> LeafUpdate {
    LeafUpdate {
        new_signature_key: true,
        ..LeafUpdate::default()
    }
}

fn new_credential(identity: &[u8]) -> LeafUpdate {
    LeafUpdate {
        credential: Some(Credential::basic(identity)),
        ..LeafUpdate::default()
    }
}

#[test]
fn every_kind_is_committed_inline() {
    let mut inlined: Vec<ProposalRequest> = by_reference().into_iter().map(|(it, _)| it).collect();
    inlined.extend([
        ProposalRequest::ResumptionPsk { epoch: 1 },
        ProposalRequest::AppEphemeral {
            component_id: 7,
            data: b"gone with the epoch".to_vec(),
        },
        ProposalRequest::Remove { leaf_index: 2 },
    ]);
    for request in inlined {
        let mut trio = Trio::new();
        let entry = trio.commit(1, &inline(vec![request.clone()]));
        let is_removal = matches!(request, ProposalRequest::Remove { .. });
        assert_eq!(entry.removed.len(), usize::from(is_removal));
        assert_eq!(
            entry.welcome.is_some(),
            matches!(request, ProposalRequest::Add { .. })
        );
        let group = trio.group.clone();
        assert_eq!(trio.members[2].info(&group).is_active, !is_removal);
        assert_eq!(trio.members[0].info(&group).epoch, 2);
        trio.assert_agreed();
        trio.assert_nothing_left_behind();
    }
}

#[test]
fn one_commit_does_everything_at_once() {
    let mut trio = Trio::new();
    trio.propose(2, &ProposalRequest::Update(new_signature_key()));
    let mut proposals: Vec<_> = by_reference().into_iter().map(|(it, _)| it).collect();
    proposals.push(ProposalRequest::ResumptionPsk { epoch: 1 });
    let request = CommitRequest {
        proposals,
        leaf: new_credential(b"alice, at work"),
        force_self_update: true,
        authenticated_data: b"in the clear".to_vec(),
        ..CommitRequest::default()
    };
    let entry = trio.commit(0, &request);
    assert_eq!(entry.authenticated_data, b"in the clear");
    assert_eq!(entry.added[0].identity, b"dave");
    let bytes = entry.bytes.unwrap();
    assert!(bytes.windows(12).any(|window| window == b"in the clear"));
    let group = trio.group.clone();
    assert_eq!(
        trio.members[1].info(&group).members[0].identity,
        b"alice, at work"
    );
    trio.assert_agreed();
    trio.assert_nothing_left_behind();
}

#[test]
fn a_resumption_psk_and_a_removal_are_proposed_by_reference() {
    let mut trio = Trio::new();
    trio.commit(
        0,
        &inline(vec![ProposalRequest::ExternalPsk {
            psk_id: b"psk".to_vec(),
        }]),
    );
    trio.propose(1, &ProposalRequest::ResumptionPsk { epoch: 1 });
    trio.propose(0, &ProposalRequest::Remove { leaf_index: 1 });
    trio.rehydrate();
    let group = trio.group.clone();
    assert!(matches!(
        &trio.pending(2)[0].proposal,
        ProposalInfo::ResumptionPsk { group_id, epoch: 1, .. } if *group_id == group
    ));
    trio.commit(2, &CommitRequest::default());
    assert!(!trio.members[1].info(&group).is_active);
    trio.assert_agreed();
}

#[test]
fn a_member_leaves_by_either_kind_of_proposal() {
    let own = |trio: &mut Trio| trio.members[1].info(&trio.group.clone()).own_leaf_index;
    for by_self_remove in [false, true] {
        let mut trio = Trio::new();
        let request = match by_self_remove {
            true => ProposalRequest::SelfRemove,
            false => ProposalRequest::Remove {
                leaf_index: own(&mut trio),
            },
        };
        trio.propose(1, &request);
        trio.rehydrate();
        let group = trio.group.clone();
        let bob = &mut trio.members[1].client;
        assert_eq!(
            code(bob.send_message(&group, b"after", None)),
            "leave-pending"
        );
        assert_eq!(
            code(bob.propose(&group, &request, b"", None)),
            "leave-pending"
        );
        assert_eq!(
            code(bob.commit(&group, &CommitRequest::default(), None)),
            "leave-pending"
        );
        trio.commit(0, &CommitRequest::default());
        assert!(!trio.members[1].info(&group).is_active);
        assert_eq!(trio.members[2].info(&group).members.len(), 2);
        trio.assert_agreed();
    }
}

#[test]
fn an_own_update_is_committed_by_another() {
    let updates = [
        LeafUpdate::default(),
        new_signature_key(),
        new_credential(b"robert"),
        LeafUpdate {
            extensions: Some(vec![Extension::Other {
                extension_type: APP_EXTENSION,
                data: b"in the leaf".to_vec(),
            }]),
            ..new_credential(b"robert")
        },
        LeafUpdate {
            capabilities: Some(AppCapabilities {
                extensions: vec![APP_EXTENSION, 0xf003],
                proposals: vec![APP_PROPOSAL],
            }),
            ..new_signature_key()
        },
    ];
    for update in updates {
        let mut trio = Trio::new();
        let group = trio.group.clone();
        let before = trio.members[0].info(&group).members[1].clone();
        trio.propose(1, &ProposalRequest::Update(update.clone()));
        trio.rehydrate();
        let updated = trio.pending(2).remove(0).proposal;
        trio.commit(0, &CommitRequest::default());
        let after = trio.members[0].info(&group).members[1].clone();
        assert_eq!(
            before.signature_key != after.signature_key,
            update.new_signature_key
        );
        assert_eq!(
            before.identity != after.identity,
            update.credential.is_some()
        );
        assert_eq!(
            updated,
            ProposalInfo::Update {
                updated: (&after).into()
            }
        );
        trio.assert_agreed();
        trio.assert_nothing_left_behind();
        // From now on Bob signs what he commits as what his leaf says.
        trio.commit(
            1,
            &CommitRequest {
                force_self_update: true,
                ..CommitRequest::default()
            },
        );
        trio.assert_agreed();
    }
}

#[test]
fn an_own_update_that_lost_its_epoch_leaves_no_key_behind() {
    for update in [LeafUpdate::default(), new_signature_key()] {
        let mut trio = Trio::new();
        trio.propose(1, &ProposalRequest::Update(update.clone()));
        trio.propose(1, &ProposalRequest::Update(update));
        let waiting = Database::of(&trio.members[1].client);
        assert_eq!(waiting.count(Category::EncryptionKeyPair), 2);
        trio.commit(
            0,
            &CommitRequest {
                include_pending: false,
                ..inline_update()
            },
        );
        trio.assert_agreed();
        trio.assert_nothing_left_behind();
        assert_eq!(
            Database::of(&trio.members[1].client).count(Category::SignatureKeyPair),
            1
        );
        // The same for the own commit, which cannot contain an own update.
        trio.propose(1, &ProposalRequest::Update(new_signature_key()));
        trio.commit(1, &CommitRequest::default());
        trio.assert_agreed();
        trio.assert_nothing_left_behind();
        assert_eq!(
            Database::of(&trio.members[1].client).count(Category::SignatureKeyPair),
            1
        );
    }
}

fn inline_update() -> CommitRequest {
    CommitRequest {
        force_self_update: true,
        ..CommitRequest::default()
    }
}

#[test]
fn own_signature_keys_live_as_long_as_a_group_needs_them() {
    let mut trio = Trio::new();
    let group = trio.group.clone();
    let keys =
        |trio: &Trio| Database::of(&trio.members[0].client).count(Category::SignatureKeyPair);
    let rotate = CommitRequest {
        leaf: new_signature_key(),
        ..CommitRequest::default()
    };
    // A commit that the delivery service refuses takes its key with it.
    let before = Database::of(&trio.members[0].client);
    let entry = trio.members[0]
        .client
        .commit(&group, &rotate, None)
        .unwrap();
    assert_eq!(keys(&trio), 2);
    trio.rehydrate();
    trio.members[0].client.reject_commit(&entry.id).unwrap();
    assert_eq!(keys(&trio), 1);
    assert_eq!(before.count(Category::SignatureKeyPair), 1);
    // So does one that lost against another's.
    trio.members[0]
        .client
        .commit(&group, &rotate, None)
        .unwrap();
    trio.rehydrate();
    let entry = trio.members[1].client.self_update(&group, None).unwrap();
    trio.deliver(1, &entry);
    assert_eq!(keys(&trio), 1);
    trio.assert_nothing_left_behind();
    // One after the other: the identity's stays, and the present one.
    let mut seen = vec![];
    for _ in 0..3 {
        trio.commit(0, &rotate);
        trio.assert_agreed();
        trio.assert_nothing_left_behind();
        assert_eq!(keys(&trio), 2);
        seen.push(
            trio.members[0].info(&group).members[0]
                .signature_key
                .clone(),
        );
    }
    seen.dedup();
    assert_eq!(seen.len(), 3);
    // Who joins later can verify all this.
    let mut dave = device("dave");
    let package = key_package(&mut dave);
    let entry = trio.commit(
        0,
        &inline(vec![ProposalRequest::Add {
            key_package: package,
        }]),
    );
    dave.client.join_group(&entry.welcome.unwrap()).unwrap();
    assert_in_step(&mut trio.members[0], &mut dave, &group);
    // The group takes its key along when it is deleted; the identity's stays.
    let update = ProposalRequest::Update(new_signature_key());
    let alice = &mut trio.members[0].client;
    alice.propose(&group, &update, b"", None).unwrap();
    assert_eq!(keys(&trio), 3);
    trio.members[0].client.delete_group(&group).unwrap();
    assert_eq!(keys(&trio), 1);
    let records = Database::of(&trio.members[0].client);
    assert_eq!(records.count(Category::EncryptionKeyPair), 0);
    trio.members[0].client.create_group(None).unwrap();
}

#[test]
fn proposals_that_wait_can_be_dropped() {
    let mut trio = Trio::new();
    let group = trio.group.clone();
    trio.rehydrate();
    let quiet = Database::of(&trio.members[1].client);
    let bob = &mut trio.members[1].client;
    let propose = |bob: &mut openmls_wasm::MlsClient, update| {
        let entry = bob.propose(&group, &ProposalRequest::Update(update), b"", None);
        entry.unwrap().proposal_reference.unwrap()
    };
    let first = propose(bob, new_signature_key());
    let second = propose(bob, new_signature_key());
    assert_eq!(bob.outbox().unwrap().len(), 2);
    bob.remove_pending_proposal(&group, &second).unwrap();
    assert_eq!(
        code(bob.remove_pending_proposal(&group, &second)),
        "unknown-proposal"
    );
    assert_eq!(bob.pending_proposals(&group).unwrap()[0].reference, first);
    let entry = bob.outbox().unwrap().remove(0);
    assert_eq!(bob.outbox().unwrap().len(), 1);
    assert_eq!(entry.proposal_reference, Some(first));
    // The one that stays can still be committed, and takes effect.
    trio.deliver(1, &entry);
    trio.commit(0, &CommitRequest::default());
    trio.assert_agreed();
    trio.assert_nothing_left_behind();

    let bob = &mut trio.members[1].client;
    propose(bob, new_signature_key());
    propose(bob, LeafUpdate::default());
    bob.clear_pending_proposals(&group).unwrap();
    assert!(bob.pending_proposals(&group).unwrap().is_empty());
    assert!(bob.outbox().unwrap().is_empty());
    trio.assert_nothing_left_behind();
    assert_eq!(quiet.count(Category::SignatureKeyPair), 1);
    // Without a new start in between: the live group has forgotten the keys too.
    let entry = trio.members[0].client.self_update(&group, None).unwrap();
    trio.deliver(0, &entry);
    trio.assert_agreed();
}

#[test]
fn pre_shared_keys_are_those_of_the_commit_and_in_its_order() {
    let external = |psk_id: &[u8]| ProposalRequest::ExternalPsk {
        psk_id: psk_id.to_vec(),
    };
    let mut trio = Trio::new();
    for member in &mut trio.members {
        member
            .client
            .store_external_psk(b"other", b"secret too")
            .unwrap();
    }
    // Left out.
    trio.propose(1, &external(b"psk"));
    trio.commit(
        0,
        &CommitRequest {
            include_pending: false,
            ..inline_update()
        },
    );
    trio.assert_agreed();
    // Some waiting, some inline.
    trio.propose(1, &external(b"psk"));
    trio.propose(2, &external(b"other"));
    let request = CommitRequest {
        proposals: vec![
            external(b"other"),
            ProposalRequest::ResumptionPsk { epoch: 1 },
        ],
        ..CommitRequest::default()
    };
    trio.commit(0, &request);
    trio.assert_agreed();
    trio.assert_nothing_left_behind();
    // Some waiting, of which the committer has lost one: it is left out, and still waits if the
    // commit is refused.
    trio.propose(1, &external(b"psk"));
    trio.propose(1, &external(b"other"));
    let group = trio.group.clone();
    let waiting = trio.pending(0);
    trio.members[0].client.delete_external_psk(b"psk").unwrap();
    let entry = trio.members[0]
        .client
        .commit(&group, &CommitRequest::default(), None);
    let entry = entry.unwrap();
    trio.members[0].client.reject_commit(&entry.id).unwrap();
    trio.rehydrate();
    let mut still = trio.pending(0);
    still.sort_by_key(|pending| waiting.iter().position(|known| known == pending));
    assert_eq!(still, waiting);
    trio.commit(0, &CommitRequest::default());
    trio.assert_agreed();
    trio.assert_nothing_left_behind();
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut trio = Trio::new();
    let group = trio.group.clone();
    let own_package = key_package(&mut trio.members[1]);
    let mut stranger = Device::new("without the app's types");
    let strangers = key_package(&mut stranger);
    let certificate = LeafUpdate {
        credential: Some(Credential::X509 {
            certificates: vec![common::x509::certificate("bob", &[1; 32])],
        }),
        ..LeafUpdate::default()
    };
    let extension = |extension_type, data: &[u8]| ProposalRequest::GroupContextExtensions {
        extensions: vec![Extension::Other {
            extension_type,
            data: data.to_vec(),
        }],
    };
    let app_defined = |proposal_type| ProposalRequest::AppDefined {
        proposal_type,
        payload: vec![],
    };
    // Request, code when proposed, code when committed.
    let refused: Vec<(ProposalRequest, &str, &str)> = vec![
        (
            ProposalRequest::Add {
                key_package: own_package,
            },
            "proposal-rejected",
            "commit-rejected",
        ),
        (
            ProposalRequest::Add {
                key_package: vec![1],
            },
            "invalid-key-package",
            "invalid-key-package",
        ),
        (
            ProposalRequest::Remove { leaf_index: 9 },
            "unknown-member",
            "unknown-member",
        ),
        (
            ProposalRequest::ExternalPsk { psk_id: vec![9] },
            "unknown-psk",
            "unknown-psk",
        ),
        (
            ProposalRequest::ResumptionPsk { epoch: 77 },
            "unknown-psk",
            "unknown-psk",
        ),
        (
            extension(APP_EXTENSION, b""),
            "proposal-rejected",
            "commit-rejected",
        ),
        (
            extension(3, b"nonsense"),
            "invalid-argument",
            "invalid-argument",
        ),
        (extension(10, b""), "invalid-argument", "invalid-argument"),
        (app_defined(1), "invalid-argument", "invalid-argument"),
        (app_defined(0xf777), "proposal-rejected", "commit-rejected"),
        (
            ProposalRequest::AppEphemeral {
                component_id: 1,
                data: vec![],
            },
            "proposal-rejected",
            "",
        ),
        (
            ProposalRequest::Update(certificate),
            "invalid-credential",
            "invalid-argument",
        ),
        (ProposalRequest::SelfRemove, "", "cannot-remove-self"),
        (
            ProposalRequest::Remove { leaf_index: 0 },
            "",
            "cannot-remove-self",
        ),
    ];
    trio.rehydrate();
    let before = Database::of(&trio.members[0].client);
    for (request, proposed, committed) in refused {
        let alice = &mut trio.members[0].client;
        if !proposed.is_empty() {
            assert_eq!(
                code(alice.propose(&group, &request, b"", None)),
                proposed,
                "{request:?}"
            );
        }
        if !committed.is_empty() {
            let committing = alice.commit(&group, &inline(vec![request.clone()]), None);
            assert_eq!(code(committing), committed, "{request:?}");
        }
        assert_eq!(Database::of(alice), before, "{request:?}");
        assert!(!alice.storage().is_dirty().unwrap(), "{request:?}");
    }
    let alice = &mut trio.members[0].client;
    assert_eq!(
        code(alice.commit(&group, &CommitRequest::default(), None)),
        "nothing-to-commit"
    );
    // A group that has required the app's types takes in nobody without them.
    let extensions = topic(b"required");
    trio.commit(
        0,
        &inline(vec![ProposalRequest::GroupContextExtensions { extensions }]),
    );
    let add = ProposalRequest::Add {
        key_package: strangers,
    };
    let alice = &mut trio.members[0].client;
    assert_eq!(
        code(alice.propose(&group, &add, b"", None)),
        "proposal-rejected"
    );
    assert_eq!(
        code(alice.commit(&group, &inline(vec![add]), None)),
        "commit-rejected"
    );
    let bare = LeafUpdate {
        capabilities: Some(AppCapabilities::default()),
        ..LeafUpdate::default()
    };
    let update = ProposalRequest::Update(bare.clone());
    assert_eq!(
        code(alice.propose(&group, &update, b"", None)),
        "proposal-rejected"
    );
    let request = CommitRequest {
        leaf: bare,
        ..CommitRequest::default()
    };
    assert_eq!(
        code(alice.commit(&group, &request, None)),
        "commit-rejected"
    );
    // While a commit is pending, nothing else begins.
    alice.commit(&group, &inline_update(), None).unwrap();
    let psk = ProposalRequest::ExternalPsk {
        psk_id: b"psk".to_vec(),
    };
    assert_eq!(
        code(alice.propose(&group, &psk, b"", None)),
        "pending-commit"
    );
    assert_eq!(
        code(alice.commit(&group, &inline_update(), None)),
        "pending-commit"
    );
    assert_eq!(
        code(alice.clear_pending_proposals(&group)),
        "pending-commit"
    );
}

#[test]
fn who_sends_no_public_messages_cannot_leave_by_self_remove() {
    let mut alice = Device::new("alice");
    let group = alice.client.create_group(None).unwrap();
    let leaving = alice
        .client
        .propose(&group, &ProposalRequest::SelfRemove, b"", None);
    assert_eq!(code(leaving), "proposal-rejected");
}

#[test]
fn a_certificate_for_a_generated_key_outlives_the_commits_that_lost() {
    let mut trio = Trio::new();
    let group = trio.group.clone();
    let bob = &mut trio.members[1].client;
    let key = bob.generate_signature_key(1).unwrap();
    let chain = Credential::X509 {
        certificates: vec![common::x509::certificate("bob", &key)],
    };
    let leaf = LeafUpdate {
        credential: Some(chain),
        ..LeafUpdate::default()
    };
    let request = CommitRequest {
        leaf: leaf.clone(),
        ..CommitRequest::default()
    };
    // The proposal loses its epoch, and the commit is refused: the key waits for the next attempt.
    trio.propose(1, &ProposalRequest::Update(leaf));
    trio.commit(
        0,
        &CommitRequest {
            include_pending: false,
            ..inline_update()
        },
    );
    let entry = trio.members[1]
        .client
        .commit(&group, &request, None)
        .unwrap();
    trio.rehydrate();
    trio.members[1].client.reject_commit(&entry.id).unwrap();
    trio.commit(1, &request);
    let bob = trio.members[0].info(&group).members[1].clone();
    assert_eq!(bob.signature_key, key);
    assert_eq!(bob.certificates.len(), 1);
    trio.assert_agreed();
    trio.assert_nothing_left_behind();
    // Once it has been in the leaf, it goes with it.
    let basic = CommitRequest {
        leaf: LeafUpdate {
            new_signature_key: true,
            ..new_credential(b"bob")
        },
        ..CommitRequest::default()
    };
    trio.commit(1, &basic);
    trio.assert_agreed();
    trio.assert_nothing_left_behind();
    let records = Database::of(&trio.members[1].client);
    assert_eq!(records.count(Category::GeneratedSignatureKey), 0);
    assert_eq!(records.count(Category::SignatureKeyPair), 2);
}

#[test]
fn an_update_of_whoever_leaves_is_left_out() {
    let mut trio = Trio::new();
    let group = trio.group.clone();
    trio.propose(1, &ProposalRequest::SelfRemove);
    // What the others have already is dropped here, so that more can be proposed.
    let bob = &mut trio.members[1].client;
    bob.clear_pending_proposals(&group).unwrap();
    trio.propose(1, &ProposalRequest::Update(LeafUpdate::default()));
    let alice = &mut trio.members[0].client;
    let entry = alice.commit_pending_proposals(&group, None).unwrap();
    assert_eq!(entry.removed[0].identity, b"bob");
    alice.merge_pending_commit(&group).unwrap();
    let commit = entry.bytes.unwrap();
    trio.members[2].client.process_message(&commit).unwrap();
    let (alice, others) = trio.members.split_first_mut().unwrap();
    common::assert_in_step(alice, &mut others[1], &group);
    assert_eq!(alice.info(&group).members.len(), 2);
}
