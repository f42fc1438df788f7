//! Proposals and commits: every kind, by reference and inline, with a peer on the other side.

mod common;

use common::pair;
use openmls_wasm::client::{ProposalInfo, ProposalSender};

#[test]
fn a_proposal_that_waits_is_described_to_both_sides() {
    let (mut alice, mut bob, mut service, group) = pair();
    let (alice_index, bob_index) = (0, bob.info(&group).own_leaf_index);
    assert_ne!(alice_index, bob_index);
    bob.client.leave_group(&group, None).unwrap();
    bob.sync(&mut service, &group);
    alice.receive_log(&service, &group).unwrap();
    let seen = alice.client.pending_proposals(&group).unwrap();
    assert_eq!(seen, bob.client.pending_proposals(&group).unwrap());
    assert_eq!(seen.len(), 1);
    let member = &alice.info(&group).members[1];
    assert_eq!(member.identity, b"bob");
    assert_eq!(seen[0].sender, ProposalSender::Member(member.clone()));
    assert_eq!(
        seen[0].proposal,
        ProposalInfo::Remove {
            leaf_index: bob_index,
            removed: Some(member.clone()),
        }
    );
    assert_eq!(seen[0].reference.len(), 32);
}
