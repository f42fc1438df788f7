//! OpenMLS on top of the store: proposals, and the commits that cover them.

use std::fmt::Debug;

use openmls::prelude::{hash_ref::ProposalRef, *};

use super::{
    party::{assert_in_touch, bytes, two_members, Party},
    types::Opaque,
    New, Subject,
};

/// Proposes to add one new client per name; returns the messages and references.
fn propose_adds<S: Subject>(
    party: &mut Party<S>,
    id: &GroupId,
    names: &[String],
    new: New<S>,
) -> Vec<(Vec<u8>, ProposalRef)> {
    let mut proposals = vec![];
    for name in names {
        let package = Party::new(new, name).key_package();
        let (message, reference) = party
            .group(id)
            .propose_add_member(&party.provider, &party.signer, &package)
            .expect("propose");
        proposals.push((bytes(&message), reference));
        party.reopen();
    }
    proposals
}

fn names(count: usize) -> Vec<String> {
    // Twelve, so that positions have two digits, and not in alphabetical order.
    (0..count)
        .map(|index| format!("{:02} joiner", 99 - index))
        .collect()
}

pub fn proposals_keep_their_order<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    let names = names(12);
    let proposals = propose_adds(&mut alice, &id, &names, new);
    assert_eq!(alice.proposed(&id), names);
    // Bob gets each two of them in the other order, and keeps that one.
    let order: Vec<usize> = (0..names.len()).map(|index| index ^ 1).collect();
    for index in &order {
        bob.process(&id, &proposals[*index].0);
        bob.reopen();
    }
    let swapped: Vec<_> = order.iter().map(|index| names[*index].clone()).collect();
    assert_eq!(bob.proposed(&id), swapped);
    let refs: Vec<ProposalRef> = bob.storage().queued_proposal_refs(&id).expect("read");
    let expected: Vec<_> = order
        .iter()
        .map(|index| proposals[*index].1.clone())
        .collect();
    assert_eq!(refs, expected);
}

pub fn removed_proposal_is_not_committed<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    let names = names(4);
    let proposals = propose_adds(&mut alice, &id, &names, new);
    for (message, _) in &proposals {
        bob.process(&id, message);
    }
    alice
        .group(&id)
        .remove_pending_proposal(alice.storage(), &proposals[2].1)
        .expect("remove");
    alice.reopen();
    let expected = [&names[..2], &names[3..]].concat();
    assert_eq!(alice.proposed(&id), expected);
    let commit = alice.commit(&id);
    alice.reopen();
    alice.merge(&id);
    bob.process(&id, &commit);
    let members = alice.members(&id);
    assert_eq!(members[2..], expected);
    assert_in_touch(&mut alice, &mut bob, &id);
}

pub fn committing_empties_the_queue<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    for round in 0..2 {
        for (message, _) in propose_adds(&mut alice, &id, &names(2), new) {
            bob.process(&id, &message);
        }
        bob.reopen();
        let commit = bob.commit(&id);
        bob.merge(&id);
        alice.process(&id, &commit);
        for party in [&mut alice, &mut bob] {
            party.reopen();
            assert!(!party.group(&id).has_pending_proposals(), "round {round}");
            assert_eq!(party.proposed(&id), [""; 0], "round {round}");
        }
        assert_in_touch(&mut alice, &mut bob, &id);
    }
    assert_eq!(alice.members(&id).len(), 6);
}

pub fn cleared_proposals_stay_cleared<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    propose_adds(&mut alice, &id, &names(3), new);
    alice
        .group(&id)
        .clear_pending_proposals(alice.storage())
        .expect("clear");
    alice.reopen();
    assert_eq!(alice.proposed(&id), [""; 0]);
    // A member cannot send while proposals are pending.
    assert_in_touch(&mut alice, &mut bob, &id);
}

/// Bob proposes a new leaf of his own.
fn propose_update<S: Subject>(bob: &mut Party<S>, id: &GroupId) -> Vec<u8> {
    let (message, _) = bob
        .group(id)
        .propose_self_update(&bob.provider, &bob.signer, LeafNodeParameters::default())
        .expect("propose");
    bob.reopen();
    bytes(&message)
}

fn own_encryption_key<S: Subject>(bob: &Party<S>, id: &GroupId) -> impl PartialEq + Debug {
    let group = bob.group(id);
    group
        .own_leaf_node()
        .expect("own leaf")
        .encryption_key()
        .clone()
}

pub fn update_proposal_is_committed_by_another<S: Subject>(new: New<S>) {
    let (mut alice, mut bob, id) = two_members(new, b"group");
    for _ in 0..2 {
        let old = own_encryption_key(&bob, &id);
        let proposal = propose_update(&mut bob, &id);
        alice.process(&id, &proposal);
        let commit = alice.commit(&id);
        alice.merge(&id);
        bob.process(&id, &commit);
        bob.reopen();
        assert_ne!(own_encryption_key(&bob, &id), old);
        // Alice encrypts her next path to Bob's new leaf.
        let commit = alice.self_update(&id);
        alice.merge(&id);
        bob.process(&id, &commit);
        assert_in_touch(&mut alice, &mut bob, &id);

        let nodes: Vec<Opaque> = bob.storage().own_leaf_nodes(&id).expect("read");
        assert!(nodes.is_empty(), "leaf nodes are left");
        let group = bob.group(&id);
        let key = group.own_leaf_node().expect("own leaf").encryption_key();
        let pair: Option<Opaque> = bob.storage().encryption_key_pair(key).expect("read");
        assert!(pair.is_none(), "the key pair of the update is left");
    }
}

/// Bob proposes two new leaves; whichever Alice commits, Bob still has it.
pub fn several_own_updates_keep_every_leaf<S: Subject>(new: New<S>) {
    for committed in [0, 1] {
        let (mut alice, mut bob, id) = two_members(new, b"group");
        let proposals = [propose_update(&mut bob, &id), propose_update(&mut bob, &id)];
        alice.process(&id, &proposals[committed]);
        let commit = alice.commit(&id);
        alice.merge(&id);
        bob.process(&id, &commit);
        assert_in_touch(&mut alice, &mut bob, &id);
        let commit = alice.self_update(&id);
        alice.merge(&id);
        bob.process(&id, &commit);
        assert_in_touch(&mut alice, &mut bob, &id);
    }
}
