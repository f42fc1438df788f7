//! Proposals: drawn for a commit to contain, or sent by themselves for others to commit.

use std::collections::BTreeSet;

use openmls_wasm::client::{OutboxKind, ProposalRequest};

use super::{
    commits::is_worth_trying,
    committed::hold,
    device::{Expected, Published, APP_PROPOSAL, SHARED_PSKS},
    effect::{Context, Proposed, Psk, Sender},
    leaves::{self, Leaf},
    service::{ClientIndex, GroupIndex, What},
    view::Waiting,
    world::World,
};

/// Somebody to be added, with a key package of theirs: mostly one who is not in the group yet.
pub fn draw_package(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
) -> Option<(ClientIndex, Published)> {
    let members: BTreeSet<ClientIndex> = world.members(client, group).values().copied().collect();
    draw_package_of(world, client, group, &members)
}

/// The same, for somebody who knows of these members.
pub fn draw_package_of(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    members: &BTreeSet<ClientIndex>,
) -> Option<(ClientIndex, Published)> {
    // With another signature key a member could be added a second time, as somebody else.
    let members_too = !world.groups[group].rotated && world.rng.chance(5);
    let others = (0..world.devices.len()).filter(|other| {
        let wanted = members_too || !members.contains(other);
        *other != client && wanted && !world.packages[*other].is_empty()
    });
    let others: Vec<ClientIndex> = others.collect();
    let other = world.rng.pick(&others)?;
    let package = world.take_package(other)?;
    Some((other, package))
}

/// Something that a commit can contain inline.
pub fn draw(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
) -> Option<(ProposalRequest, Proposed)> {
    let number = world.number();
    Some(match world.rng.below(7) {
        0 => {
            let (other, package) = draw_package(world, client, group)?;
            let request = ProposalRequest::Add {
                key_package: package.bytes,
            };
            (request, Proposed::Add(other, package.reference))
        }
        1 => {
            let own = world.view(client, group).own_leaf;
            let members = world.members(client, group).keys().copied();
            let others: Vec<u32> = members.filter(|leaf| *leaf != own).collect();
            let leaf_index = world.rng.pick(&others)?;
            (
                ProposalRequest::Remove { leaf_index },
                Proposed::Remove(leaf_index),
            )
        }
        2 => {
            let psk_id = vec![world.rng.one_of(&SHARED_PSKS)];
            let request = ProposalRequest::ExternalPsk {
                psk_id: psk_id.clone(),
            };
            (request, Proposed::Psk(Psk::External(psk_id)))
        }
        3 => {
            let epoch = draw_epoch(world, client, group)?;
            let request = ProposalRequest::ResumptionPsk { epoch };
            (request, Proposed::Psk(Psk::Resumption(epoch)))
        }
        4 => {
            let data = number.to_be_bytes().to_vec();
            let request = ProposalRequest::AppEphemeral {
                component_id: 0x8001,
                data: data.clone(),
            };
            (request, Proposed::AppEphemeral(data))
        }
        5 => {
            let context = draw_context(world);
            let extensions = world.extensions(&context);
            (
                ProposalRequest::GroupContextExtensions { extensions },
                Proposed::Extensions(context),
            )
        }
        _ => {
            let payload = number.to_be_bytes().to_vec();
            let request = ProposalRequest::AppDefined {
                proposal_type: APP_PROPOSAL,
                payload: payload.clone(),
            };
            (request, Proposed::AppDefined(payload))
        }
    })
}

/// What the members must support, and who may propose from outside: often members too.
pub fn draw_context(world: &mut World) -> Context {
    let mut senders: Vec<ClientIndex> = vec![];
    for _ in 0..world.rng.below(4) {
        let sender = world.rng.below(world.devices.len());
        if !senders.contains(&sender) {
            senders.push(sender);
        }
    }
    Context {
        requires_app_proposal: world.rng.chance(50),
        senders,
    }
}

/// An epoch for a resumption PSK: mostly one that every member keeps the key of, so that they can
/// follow.
fn draw_epoch(world: &mut World, client: ClientIndex, group: GroupIndex) -> Option<u64> {
    let now = world.view(client, group).epoch;
    let drawn = now.saturating_sub(world.rng.below(4) as u64) + u64::from(world.rng.chance(2));
    let psk = Psk::Resumption(drawn);
    let mut members = world.members(client, group).values();
    let all = members.all(|member| world.devices[*member].view.has_psk(group, &psk));
    (all || world.rng.chance(8)).then_some(drawn)
}

/// Proposes, for somebody to commit.
pub fn propose(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let has_update = {
        let mut own = world.view(client, group).own_waiting();
        own.any(|what| matches!(what, Proposed::Update { .. }))
    };
    let drawn = if !has_update && world.rng.chance(40) {
        let new_key = world.rng.chance(30);
        world.groups[group].rotated |= new_key;
        let leaf = leaves::draw(world, client, new_key);
        let request = ProposalRequest::Update(leaf.update.clone());
        Some((request, Proposed::Update { new_key }, leaf))
    } else {
        let drawn = draw(world, client, group);
        drawn.map(|(request, proposed)| (request, proposed, Leaf::default()))
    };
    let Some((request, proposed, leaf)) = drawn else {
        return false;
    };
    send(world, client, group, &request, proposed, &leaf);
    true
}

pub fn leave(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    if world.view(client, group).active && world.members(client, group).len() == 1 {
        return false; // nobody would be left to commit it
    }
    let by_self_remove = world.rng.chance(50);
    let view = world.view(client, group);
    let by_self_remove = !view.sends_private() && by_self_remove;
    let request = if by_self_remove {
        ProposalRequest::SelfRemove
    } else {
        let leaf_index = view.own_leaf;
        ProposalRequest::Remove { leaf_index }
    };
    let leaf = Leaf::default();
    let proposed = Proposed::Leave { by_self_remove };
    send(world, client, group, &request, proposed, &leaf)
}

fn send(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    request: &ProposalRequest,
    proposed: Proposed,
    leaf: &Leaf,
) -> bool {
    if !is_worth_trying(world, client, group) {
        return false;
    }
    let id = world.groups[group].id.clone();
    let entry_id = world.some_id();
    let data = world.some_data();
    let possible = world.devices[client].view.refusal(group);
    let possible = possible.and(leaf.refusal.map_or(Ok(()), Err));
    // A member that is in the group already cannot be added.
    let possible = possible.and(match &proposed {
        Proposed::Add(other, _) => {
            let members = world.groups[group].epochs[world.view(client, group).epoch as usize]
                .members
                .values();
            let is_member = members.into_iter().any(|member| member == other);
            (!is_member).then_some(()).ok_or("proposal-rejected")
        }
        // Only inside a commit.
        Proposed::AppEphemeral(_) => Err("proposal-rejected"),
        Proposed::Psk(psk) => {
            let is_known = world.devices[client].view.has_psk(group, psk);
            is_known.then_some(()).ok_or("unknown-psk")
        }
        _ => Ok(()),
    });
    if is_ambiguous(world, client, group, &proposed, &data) {
        return false;
    }
    // The same again, in the same words, is the same proposal. What is random makes a difference.
    let is_same = |waiting: &Waiting| waiting.what == proposed && waiting.data == data;
    let is_random = matches!(
        proposed,
        Proposed::Update { .. } | Proposed::Psk(_) | Proposed::AppDefined(_)
    );
    let view = world.view(client, group);
    let own = view.waiting.iter();
    let mut own = own.filter(|one| one.by == Sender::Member(view.own_leaf));
    let possible = match !is_random && own.any(is_same) {
        true => possible.and(Err("proposal-rejected")),
        false => possible,
    };
    let by_self_remove = false;
    let is_leave = proposed == Proposed::Leave { by_self_remove };
    let just_leaves = is_leave && data.is_empty() && world.rng.chance(50);
    let done = world.attempt(client, possible, |mls| match just_leaves {
        true => mls.leave_group(&id, entry_id.as_deref()),
        false => mls.propose(&id, request, &data, entry_id.as_deref()),
    });
    let Some(entry) = done else { return true };
    assert_eq!(entry.kind, OutboxKind::Proposal);
    assert_eq!(entry.authenticated_data, data);
    let view = world.devices[client].view.groups.get_mut(&group).unwrap();
    view.waiting.push(Waiting {
        id: entry.id.clone(),
        by: Sender::Member(view.own_leaf),
        what: proposed.clone(),
        data,
        has_keys: true,
    });
    leaves::used(world, client, leaf);
    hold(world, client, group, entry, What::Proposal(proposed));
    true
}

/// Whether a commit that contains the proposal could mean another one of this member's: what it has
/// dropped since, or said with other authenticated data.
fn is_ambiguous(
    world: &World,
    client: ClientIndex,
    group: GroupIndex,
    proposed: &Proposed,
    data: &[u8],
) -> bool {
    let view = world.view(client, group);
    let is_update = |what: &Proposed| matches!(what, Proposed::Update { .. });
    let is_alike = |what: &Proposed| what == proposed || is_update(what) && is_update(proposed);
    let own = Sender::Member(view.own_leaf);
    let mut waiting = view.waiting.iter();
    let mut log = world.groups[group].log.iter();
    waiting.any(|known| known.by == own && is_alike(&known.what) && known.data != data)
        || log.any(|sent| {
            let is_own = (sent.epoch, sent.by) == (view.epoch, own);
            let is_known = view.waiting.iter().any(|waiting| waiting.id == sent.id);
            is_own && !is_known && matches!(&sent.what, What::Proposal(what) if is_alike(what))
        })
}

/// Takes back what was proposed and not uploaded yet.
pub fn take_back(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let own = view.outbox.iter().find(|held| {
        let group = view.groups.get(&held.group);
        let log = &world.groups[held.group].log;
        held.entry.proposal_reference.is_some()
            && log.iter().all(|sent| sent.id != held.entry.id)
            && group.is_some_and(|group| group.active && group.epoch == held.entry.epoch)
            && view.joining_by_commit(held.group).is_none()
    });
    let Some(held) = own.cloned() else {
        return false;
    };
    let id = world.groups[held.group].id.clone();
    let reference = held.entry.proposal_reference.unwrap();
    let expected = match view.pending_commit(held.group) {
        Some(_) => Expected::Code("pending-commit"),
        None => Expected::Ok,
    };
    let done = world.attempt(client, expected, |mls| {
        mls.remove_pending_proposal(&id, &reference)
    });
    if done.is_some() {
        let view = world.view_mut(client);
        view.outbox.retain(|other| other.entry.id != held.entry.id);
        let what = &held.sent.as_ref().unwrap().what;
        view.lose(*what == What::Proposal(Proposed::Update { new_key: true }));
        let group = view.groups.get_mut(&held.group).unwrap();
        group.waiting.retain(|waiting| waiting.id != held.entry.id);
    }
    true
}
