//! A commit that was made: what it says of itself, and its place in the outbox.

use std::{collections::BTreeSet, rc::Rc};

use openmls_wasm::client::{
    CommittedProposal, InboxContent, OutboxEntry, OutboxKind, PendingProposal, ProposalInfo,
};

use super::{
    device::Expected,
    effect::{Effect, Proposed, Psk, Sender},
    service::{ClientIndex, GroupIndex, Sent, What},
    view::{Held, Waiting},
    world::World,
};

/// Checks and notes a commit.
pub fn made(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    entry: OutboxEntry,
    mut effect: Effect,
    waiting: &[Waiting],
) {
    check_commit(world, client, group, &entry, &mut effect);
    check_listed(world, client, group, &entry, waiting, &mut effect);
    let settings = &world.view(client, group).settings;
    effect.has_bare_welcome = !settings.use_ratchet_tree_extension;
    let is_resumption = |psk: &Psk| matches!(psk, Psk::Resumption(_));
    if effect.psks.iter().any(is_resumption) {
        world.tally("  committed a resumption PSK".into());
    }
    hold(world, client, group, entry, What::Commit(effect));
}

/// What the entry says of itself. The order in which members are added is the committer's choice.
fn check_commit(
    world: &World,
    client: ClientIndex,
    group: GroupIndex,
    entry: &OutboxEntry,
    effect: &mut Effect,
) {
    assert_eq!(entry.kind, OutboxKind::Commit);
    assert_eq!(entry.welcome.is_some(), !effect.added.is_empty());
    let members = world.members(client, group);
    let added = entry.added.iter().map(|party| world.who(party));
    let added: Vec<ClientIndex> = added.collect();
    let asked: BTreeSet<ClientIndex> = effect.added.iter().map(|(other, _)| *other).collect();
    assert_eq!(added.iter().copied().collect::<BTreeSet<_>>(), asked);
    let place = |other: &ClientIndex| added.iter().position(|one| one == other);
    effect.added.sort_by_key(|(other, _)| place(other));
    let removed = entry.removed.iter();
    let removed: BTreeSet<_> = removed.map(|party| world.who(party)).collect();
    let asked: BTreeSet<_> = effect.removed.iter().map(|leaf| members[leaf]).collect();
    assert_eq!(removed, asked);
}

/// What the commit says of itself. Which proposals it refers to, and which it contains, is the
/// committer's choice.
fn check_listed(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    entry: &OutboxEntry,
    waiting: &[Waiting],
    effect: &mut Effect,
) {
    let bytes = entry.bytes.as_ref().unwrap();
    let inspected = world.look(client, Expected::Ok, |mls| mls.inspect_message(bytes));
    let InboxContent::Commit { proposals, .. } = inspected.unwrap().content else {
        panic!("a commit of client {client} in group {group} is none");
    };
    effect.listed = Some(listed(&proposals));
    check_content(world, &proposals, effect);
    for one in proposals.into_iter().filter(|one| one.by_reference) {
        let shown = PendingProposal {
            reference: vec![],
            sender: one.sender,
            proposal: one.proposal,
        };
        let mut known = waiting.iter();
        let known = known.find(|waiting| world.is_of(&shown, waiting));
        let known = known.unwrap_or_else(|| panic!("{shown:?} is none of {waiting:?}"));
        effect.references.push((known.by, known.what.clone()));
    }
}

/// It contains what it is to do, and nothing else.
fn check_content(world: &World, proposals: &[CommittedProposal], effect: &Effect) {
    let (mut psks, mut payloads, mut context) = (BTreeSet::new(), BTreeSet::new(), None);
    for one in proposals {
        match &one.proposal {
            ProposalInfo::ExternalPsk { psk_id } => {
                psks.insert(Psk::External(psk_id.clone()));
            }
            ProposalInfo::ResumptionPsk { epoch, .. } => {
                psks.insert(Psk::Resumption(*epoch));
            }
            ProposalInfo::AppDefined { payload: data, .. }
            | ProposalInfo::AppEphemeral { data, .. } => {
                payloads.insert(data.clone());
            }
            ProposalInfo::GroupContextExtensions { extensions } => {
                context = Some(extensions.clone());
            }
            _ => {}
        }
    }
    assert_eq!(psks, effect.psks, "pre-shared keys of a commit");
    assert_eq!(payloads, effect.payloads, "what a commit tells the app");
    let expected = effect.context.as_ref();
    assert_eq!(context, expected.map(|context| world.extensions(context)));
}

/// The proposals of a commit, in no order.
pub fn listed(proposals: &[CommittedProposal]) -> Vec<String> {
    let mut listed: Vec<String> = proposals.iter().map(|one| format!("{one:?}")).collect();
    listed.sort();
    listed
}

fn is_leave(what: &What) -> bool {
    matches!(what, What::Proposal(Proposed::Leave { .. }))
}

/// Notes a proposal or commit that went into the outbox.
pub fn hold(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    entry: OutboxEntry,
    what: What,
) {
    let view = world.devices[client].view.groups.get_mut(&group).unwrap();
    assert_eq!(entry.epoch, view.epoch);
    let bytes = entry.bytes.clone().expect("handshakes have bytes");
    // The wire format (RFC 9420 §6): 1 is a PublicMessage, 2 a PrivateMessage. SelfRemove proposals
    // are always public.
    let private = bytes[3] == 2;
    assert!(private == view.sends_private() || is_leave(&what));
    let sent = Rc::new(Sent {
        id: entry.id.clone(),
        group,
        sender: client,
        by: Sender::Member(view.own_leaf),
        epoch: view.epoch,
        private,
        generation: view.handshake_generation,
        bytes,
        what,
    });
    view.handshake_generation += u32::from(private);
    let view = world.view_mut(client);
    view.has_sequence = true;
    view.outbox.push(Held {
        entry,
        group,
        sent: Some(sent),
        joins: None,
    });
}
