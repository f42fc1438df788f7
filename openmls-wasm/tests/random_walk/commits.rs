//! Commits: of one thing, of several, of what is pending; won, lost and cleared.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openmls_wasm::client::{
    CommitRequest, CommittedProposal, InboxContent, OutboxEntry, OutboxKind, PendingProposal,
    ProposalRequest,
};

use super::{
    device::{Expected, Published},
    effect::{Effect, Proposed, Psk, Sender},
    inbound,
    leaves::{self, Leaf},
    proposals,
    service::{ClientIndex, GroupIndex, Sent, What},
    view::{Held, Waiting},
    world::World,
};

/// What is asked of a commit.
#[derive(Default)]
pub struct Asked {
    proposals: Vec<Proposed>,
    pub without_pending: bool,
    leaf: Leaf,
    data: Vec<u8>,
}

impl Asked {
    pub fn only(proposals: Vec<Proposed>) -> Self {
        Self {
            proposals,
            ..Self::default()
        }
    }
}

pub fn add(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let mut chosen = BTreeMap::new();
    for _ in 0..1 + world.rng.below(2) {
        if let Some((other, package)) = proposals::draw_package(world, client, group) {
            chosen.entry(other).or_insert(package);
        }
    }
    if chosen.is_empty() {
        return false;
    }
    let packages: Vec<Vec<u8>> = chosen.values().map(|one| one.bytes.clone()).collect();
    let add = |(other, package): (ClientIndex, Published)| Proposed::Add(other, package.reference);
    let asked = Asked::only(chosen.into_iter().map(add).collect());
    commit(world, client, group, asked, |mls, id, entry| {
        mls.add_members(id, &packages, entry)
    })
}

pub fn remove(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let own = world.view(client, group).own_leaf;
    let members = world.members(client, group).keys().copied();
    let others: Vec<u32> = members.filter(|leaf| *leaf != own).collect();
    let mut leaves = BTreeSet::new();
    for _ in 0..1 + usize::from(world.rng.chance(20)) {
        leaves.extend(world.rng.pick(&others));
    }
    if leaves.is_empty() {
        return false;
    }
    let leaves: Vec<u32> = leaves.into_iter().collect();
    let asked = Asked::only(leaves.iter().copied().map(Proposed::Remove).collect());
    commit(world, client, group, asked, |mls, id, entry| {
        mls.remove_members(id, &leaves, entry)
    })
}

pub fn self_update(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    commit(world, client, group, Asked::default(), |mls, id, entry| {
        mls.self_update(id, entry)
    })
}

pub fn commit_pending(world: &mut World, client: ClientIndex) -> bool {
    let groups = &world.devices[client].view.groups;
    let with_waiting = groups.iter().filter(|(_, view)| !view.waiting.is_empty());
    let with_waiting: Vec<GroupIndex> = with_waiting.map(|(group, _)| *group).collect();
    let Some(group) = world.rng.pick(&with_waiting) else {
        return false;
    };
    commit(world, client, group, Asked::default(), |mls, id, entry| {
        mls.commit_pending_proposals(id, entry)
    })
}

/// Several proposals inline, with or without those that wait, perhaps with a new signature key.
pub fn commit_inline(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let mut requests: Vec<ProposalRequest> = vec![];
    let mut asked = Asked {
        without_pending: world.rng.chance(20),
        data: world.some_data(),
        ..Asked::default()
    };
    for _ in 0..world.rng.below(4) {
        if let Some((request, proposed)) = proposals::draw(world, client, group) {
            requests.push(request);
            asked.proposals.push(proposed);
        }
    }
    let new_key = world.rng.chance(20);
    asked.leaf = leaves::draw(world, client, new_key);
    world.groups[group].rotated |= new_key;
    let request = CommitRequest {
        proposals: requests,
        include_pending: !asked.without_pending,
        force_self_update: true,
        leaf: asked.leaf.update.clone(),
        authenticated_data: asked.data.clone(),
    };
    commit(world, client, group, asked, |mls, id, entry| {
        mls.commit(id, &request, entry)
    })
}

/// Commits what is asked for and what is pending.
pub fn commit(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    asked: Asked,
    operation: impl FnOnce(
        &mut openmls_wasm::MlsClient,
        &[u8],
        Option<&str>,
    ) -> Result<OutboxEntry, openmls_wasm::ClientError>,
) -> bool {
    if !is_worth_trying(world, client, group) {
        return false;
    }
    let id = world.groups[group].id.clone();
    let entry_id = world.some_id();
    let possible = world.devices[client].view.refusal(group);
    let view = world.view(client, group);
    let waiting = view.waiting.iter().filter(|_| !asked.without_pending);
    let waiting: Vec<Waiting> = waiting.cloned().collect();
    let effect = possible.and_then(|()| {
        let members = world.members(client, group);
        let Asked {
            proposals, leaf, ..
        } = &asked;
        if let Some(code) = leaf.refusal {
            return Err(code);
        }
        let has = |psk: &Psk| world.devices[client].view.has_psk(group, psk);
        let waiting: Vec<_> = waiting
            .iter()
            .map(|one| (one.by, one.what.clone()))
            .collect();
        Effect::of(
            members,
            view.own_leaf,
            proposals,
            &waiting,
            leaf.new_key,
            has,
        )
    });
    let expected = effect.as_ref().map(|_| ()).map_err(|code| *code);
    let done = world.attempt(client, expected, |mls| {
        operation(mls, &id, entry_id.as_deref())
    });
    let (Some(entry), Ok(effect)) = (done, effect) else {
        return true;
    };
    assert_eq!(entry.authenticated_data, asked.data);
    leaves::used(world, client, &asked.leaf);
    made(world, client, group, entry, effect, &waiting);
    true
}

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

/// What is certain to be refused is tried only now and then.
pub fn is_worth_trying(world: &mut World, client: ClientIndex, group: GroupIndex) -> bool {
    world.devices[client].view.refusal(group).is_ok() || world.rng.chance(15)
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

/// The service said that another commit was first.
pub fn reject(world: &mut World, client: ClientIndex) -> bool {
    let device = &world.devices[client];
    let refused = device.view.outbox.iter().find(|held| {
        held.entry.kind == OutboxKind::Commit && device.refused.contains(&held.entry.id)
    });
    let Some(held) = refused.cloned() else {
        return false;
    };
    let id = held.entry.id.clone();
    let group_id = world.groups[held.group].id.clone();
    let by_id = held.joins.is_some() || world.rng.chance(50);
    world.attempt(client, Expected::Ok, |mls| match by_id {
        true => mls.reject_commit(&id),
        false => mls.clear_pending_commit(&group_id),
    });
    let view = world.view_mut(client);
    view.outbox.retain(|held| held.entry.id != id);
    if let Some(group) = view.groups.get_mut(&held.group) {
        group.exported_pending.clear();
    }
    if let What::Commit(effect) = &held.sent.unwrap().what {
        view.lose(effect.new_key);
    }
    true
}

/// An app that knows by itself that its commit is the next in the log.
pub fn merge(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let accepted = view.outbox.iter().find(|held| {
        let next = view.groups.get(&held.group).map(|group| group.next);
        let log = &world.groups[held.group].log;
        held.entry.kind == OutboxKind::Commit
            && held.joins.is_none()
            && !world.groups[held.group].strict
            && next.is_some_and(|next| {
                log.get(next as usize - 1)
                    .is_some_and(|sent| sent.id == held.entry.id)
            })
    });
    let Some(held) = accepted.cloned() else {
        return false;
    };
    let id = world.groups[held.group].id.clone();
    world.attempt(client, Expected::Ok, |mls| mls.merge_pending_commit(&id));
    let World {
        devices, groups, ..
    } = world;
    let sent = held.sent.unwrap();
    devices[client].view.accept_own(&groups[held.group], &sent);
    inbound::early(world, client, held.group);
    true
}
