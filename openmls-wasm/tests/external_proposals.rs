//! Proposals from outside a group: of senders that it lists, and of clients that ask to be added.

mod common;

use common::{assert_in_step, refused, Device};
use openmls_wasm::{
    client::{
        Extension, GroupOptions, OutboxEntry, OutboxKind, Party, ProposalInfo, ProposalSender,
        ProposalTarget,
    },
    storage::Category,
    MlsClient,
};

fn listing(senders: &[&Device]) -> Extension {
    let party = |device: &&Device| {
        let identity = device.client.identity().unwrap().unwrap();
        Party {
            identity: identity.identity,
            certificates: vec![],
            signature_key: identity.signature_public_key,
        }
    };
    Extension::ExternalSenders {
        senders: senders.iter().map(party).collect(),
    }
}

/// Alice and Bob, in a group that listens to a server and a moderator.
struct Town {
    alice: Device,
    bob: Device,
    server: Device,
    moderator: Device,
    target: ProposalTarget,
}

impl Town {
    fn new() -> Self {
        let [mut alice, mut bob, server, moderator] =
            ["alice", "bob", "server", "moderator"].map(Device::new);
        let options = GroupOptions {
            group_context_extensions: vec![listing(&[&server, &moderator])],
            ..Default::default()
        };
        let group_id = alice.client.create_group_with(None, &options).unwrap();
        let package = bob.client.generate_key_packages(1).unwrap();
        let entry = alice.client.add_members(&group_id, &package, None).unwrap();
        alice.client.merge_pending_commit(&group_id).unwrap();
        bob.client.join_group(&entry.welcome.unwrap()).unwrap();
        let mut town = Self {
            alice,
            bob,
            server,
            moderator,
            target: ProposalTarget { group_id, epoch: 1 },
        };
        town.save();
        town
    }

    fn save(&mut self) {
        for device in [
            &mut self.alice,
            &mut self.bob,
            &mut self.server,
            &mut self.moderator,
        ] {
            assert!(device.save());
        }
    }

    /// Alice and Bob receive the proposal, Alice commits it, Bob follows.
    fn carry_out(&mut self, proposal: &OutboxEntry) -> OutboxEntry {
        assert_eq!(proposal.kind, OutboxKind::Proposal);
        assert_eq!(proposal.epoch, self.target.epoch);
        let group_id = self.target.group_id.clone();
        for member in [&mut self.alice, &mut self.bob] {
            let bytes = proposal.bytes.as_ref().unwrap();
            member.client.process_message(bytes).unwrap();
            member.save();
            member.crash();
        }
        let commit = self
            .alice
            .client
            .commit_pending_proposals(&group_id, None)
            .unwrap();
        self.alice.client.merge_pending_commit(&group_id).unwrap();
        self.bob
            .client
            .process_message(commit.bytes.as_ref().unwrap())
            .unwrap();
        self.save();
        self.target.epoch += 1;
        assert_eq!(self.alice.info(&group_id).epoch, self.target.epoch);
        commit
    }

    fn waiting(&mut self) -> (ProposalSender, ProposalInfo) {
        let group_id = self.target.group_id.clone();
        let mut waiting = self.bob.client.pending_proposals(&group_id).unwrap();
        assert_eq!(waiting.len(), 1);
        let proposal = waiting.remove(0);
        (proposal.sender, proposal.proposal)
    }
}

#[test]
fn a_listed_sender_has_members_added_and_removed() {
    let mut town = Town::new();
    let mut carol = Device::new("carol");
    let key_package = carol.client.generate_key_packages(1).unwrap().remove(0);
    let proposal = town
        .moderator
        .client
        .propose_external_add(&town.target, 1, &key_package, Some("add"))
        .unwrap();
    town.moderator.save();
    town.moderator.crash();
    let waiting = town.moderator.client.outbox().unwrap();
    assert_eq!(waiting, std::slice::from_ref(&proposal));
    let bytes = proposal.bytes.as_ref().unwrap();
    town.bob.client.process_message(bytes).unwrap();
    let (sender, content) = town.waiting();
    assert_eq!(sender, ProposalSender::External { index: 1 });
    assert!(matches!(content, ProposalInfo::Add { added } if added.identity == b"carol"));
    town.bob
        .client
        .clear_pending_proposals(&town.target.group_id)
        .unwrap();
    town.bob.save();
    let commit = town.carry_out(&proposal);
    town.moderator.client.acknowledge_outbox("add").unwrap();
    assert!(town.moderator.client.outbox().unwrap().is_empty());
    let group_id = town.target.group_id.clone();
    carol.client.join_group(&commit.welcome.unwrap()).unwrap();
    assert_in_step(&mut town.bob, &mut carol, &group_id);

    let leaf_index = carol.info(&group_id).own_leaf_index;
    let proposal = town
        .server
        .client
        .propose_external_remove(&town.target, 0, leaf_index, None);
    let commit = town.carry_out(&proposal.unwrap());
    assert_eq!(commit.removed[0].identity, b"carol");
    assert_in_step(&mut town.alice, &mut town.bob, &group_id);
    assert_eq!(town.alice.info(&group_id).members.len(), 2);
}

#[test]
fn a_listed_sender_changes_the_list_and_is_heard_no_more() {
    let mut town = Town::new();
    let list = [listing(&[&town.moderator])];
    let proposal = town
        .server
        .client
        .propose_external_group_context_extensions(&town.target, 0, &list, None);
    town.carry_out(&proposal.unwrap());
    let bob = town.bob.info(&town.target.group_id).own_leaf_index;
    for index in [0, 1] {
        let proposal = town
            .server
            .client
            .propose_external_remove(&town.target, index, bob, None);
        let bytes = proposal.unwrap().bytes.unwrap();
        assert_eq!(
            refused(&mut town.alice, |client| client.process_message(&bytes)),
            "invalid-message"
        );
    }
    let proposal = town
        .moderator
        .client
        .propose_external_remove(&town.target, 0, bob, None);
    assert_eq!(town.carry_out(&proposal.unwrap()).removed.len(), 1);
}

#[test]
fn nobody_is_heard_who_is_not_listed_or_too_late() {
    let mut town = Town::new();
    let mut stranger = Device::new("stranger");
    let unlisted = town.alice.client.create_group(None).unwrap();
    town.alice.save();
    let target = |epoch| ProposalTarget {
        epoch,
        ..town.target.clone()
    };
    let elsewhere = ProposalTarget {
        group_id: unlisted,
        epoch: 0,
    };
    let cases = [
        (true, target(1), 0, "invalid-message"),
        (false, target(1), 1, "invalid-message"),
        (false, target(1), u32::MAX, "invalid-message"),
        (false, elsewhere, 0, "invalid-message"),
        (false, target(0), 0, "past-epoch"),
        (false, target(2), 0, "future-epoch"),
    ];
    for (is_stranger, target, index, expected) in cases {
        let sender = match is_stranger {
            true => &mut stranger,
            false => &mut town.server,
        };
        let proposal = sender
            .client
            .propose_external_remove(&target, index, 1, None)
            .unwrap();
        let bytes = proposal.bytes.unwrap();
        assert_eq!(
            refused(&mut town.alice, |client| client.process_message(&bytes)),
            expected
        );
    }
}

#[test]
fn what_nobody_could_propose_is_refused_by_name() {
    let mut town = Town::new();
    let target = town.target.clone();
    assert_eq!(
        refused(&mut town.server, |client| client
            .propose_external_add(&target, 0, b"none", None)),
        "invalid-key-package"
    );
    let other = |extension_type, data: &[u8]| Extension::Other {
        extension_type,
        data: data.to_vec(),
    };
    // The mark of a last-resort key package; a list of external senders that is cut short.
    for extension in [other(10, b""), other(5, &[4, 32, 0, 0, 0])] {
        let list = [extension];
        let code = refused(&mut town.server, |client| {
            client.propose_external_group_context_extensions(&target, 0, &list, None)
        });
        assert_eq!(code, "invalid-argument");
    }
    town.server
        .client
        .propose_external_remove(&target, 0, 1, Some("taken"))
        .unwrap();
    assert_eq!(
        refused(&mut town.server, |client| client.propose_external_remove(
            &target,
            0,
            1,
            Some("taken")
        )),
        "duplicate-id"
    );
    let mut nobody = Device::with(MlsClient::new(), Default::default());
    assert_eq!(
        refused(&mut nobody, |client| client
            .propose_external_remove(&target, 0, 1, None)),
        "no-identity"
    );
}

#[test]
fn a_client_asks_to_be_added() {
    let mut town = Town::new();
    let mut carol = Device::new("carol");
    let key_package = carol.client.generate_key_packages(1).unwrap().remove(0);
    carol.save();
    let proposal = carol
        .client
        .propose_join(&town.target, &key_package, Some("ask"))
        .unwrap();
    carol.save();
    carol.crash();
    let waiting = carol.client.outbox().unwrap();
    assert_eq!(waiting, std::slice::from_ref(&proposal));
    assert_eq!(
        refused(&mut carol, |client| client.propose_join(
            &town.target,
            &key_package,
            Some("ask")
        )),
        "duplicate-id"
    );
    let bytes = proposal.bytes.as_ref().unwrap();
    town.bob.client.process_message(bytes).unwrap();
    assert_eq!(town.waiting().0, ProposalSender::NewMemberProposal);
    town.bob.crash();
    let commit = town.carry_out(&proposal);
    carol.client.acknowledge_outbox("ask").unwrap();
    carol.client.join_group(&commit.welcome.unwrap()).unwrap();
    carol.save();
    let group_id = town.target.group_id.clone();
    assert_in_step(&mut town.alice, &mut carol, &group_id);
    assert_eq!(carol.database.count(Category::KeyPackage), 0);
    // With a key package that it has used, or that is another's, it cannot ask.
    let other = town.bob.client.generate_key_packages(1).unwrap().remove(0);
    for key_package in [&key_package, &other] {
        let code = refused(&mut carol, |client| {
            client.propose_join(&town.target, key_package, None)
        });
        assert_eq!(code, "unknown-key-package");
    }
    assert_eq!(
        refused(&mut carol, |client| client.propose_join(
            &town.target,
            b"none",
            None
        )),
        "invalid-key-package"
    );
}

#[test]
fn a_member_who_is_listed_too_follows_its_own_proposal() {
    let mut town = Town::new();
    let group_id = town.target.group_id.clone();
    let list = [listing(&[&town.bob])];
    let request = town
        .server
        .client
        .propose_external_group_context_extensions(&town.target, 0, &list, None);
    town.carry_out(&request.unwrap());
    let mut carol = Device::new("carol");
    let key_package = carol.client.generate_key_packages(1).unwrap().remove(0);
    let proposal = town
        .bob
        .client
        .propose_external_add(&town.target, 0, &key_package, None)
        .unwrap();
    town.bob.save();
    // It comes back while it is still in the outbox.
    town.carry_out(&proposal);
    assert!(town.bob.client.outbox().unwrap().is_empty());
    assert_in_step(&mut town.alice, &mut town.bob, &group_id);
    assert_eq!(town.bob.info(&group_id).members.len(), 3);
}
