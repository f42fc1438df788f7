//! Commits: of one thing, of several, of what is pending; won, lost and cleared.

use std::collections::{BTreeMap, BTreeSet};

use openmls_wasm::client::{CommitRequest, OutboxEntry, OutboxKind, ProposalRequest};

use super::{
    committed,
    device::{Expected, Published},
    early,
    effect::{Effect, Proposed, Psk},
    leaves::{self, Leaf},
    proposals,
    service::{ClientIndex, GroupIndex, What},
    view::Waiting,
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
    mut operation: impl FnMut(
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
    committed::made(world, client, group, entry, effect, &waiting);
    true
}

/// What is certain to be refused is tried only now and then.
pub fn is_worth_trying(world: &mut World, client: ClientIndex, group: GroupIndex) -> bool {
    world.devices[client].view.refusal(group).is_ok() || world.rng.chance(15)
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
    early::early(world, client, held.group);
    true
}
