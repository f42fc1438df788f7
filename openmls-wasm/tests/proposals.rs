//! Proposals and commits: every kind, by reference and inline, with a peer on the other side.

mod common;

use common::{assert_in_step, Database, Device};
use openmls_wasm::{
    client::{
        AppCapabilities, CommitRequest, Extension, GroupSettings, OutboxEntry, OutboxKind,
        Processed, ProposalInfo, ProposalRequest, ProposalSender, WireFormatPolicy,
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
