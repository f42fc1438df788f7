//! Commits and the proposals that go before them.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openmls_wasm::client::{OutboxEntry, OutboxKind};

use super::{
    device::Expected,
    service::{ClientIndex, Effect, GroupIndex, Proposed, Sent, What},
    view::{Held, Waiting},
    world::World,
};

pub fn add(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let others = (0..world.devices.len()).filter(|other| *other != client);
    let published: Vec<ClientIndex> = others
        .filter(|other| !world.packages[*other].is_empty())
        .collect();
    // Mostly those who are not in the group yet.
    let members: BTreeSet<ClientIndex> = world.members(client, group).values().copied().collect();
    let strangers: Vec<ClientIndex> = published
        .iter()
        .copied()
        .filter(|other| !members.contains(other))
        .collect();
    let pool = if world.rng.chance(95) {
        strangers
    } else {
        published
    };
    let mut chosen = BTreeMap::new();
    for _ in 0..1 + world.rng.below(2) {
        if let Some(other) = world.rng.pick(&pool) {
            chosen.entry(other).or_insert_with(|| {
                let packages = &mut world.packages[other];
                let index = world.rng.below(packages.len());
                if packages[index].last_resort {
                    packages[index].clone()
                } else {
                    packages.remove(index)
                }
            });
        }
    }
    if chosen.is_empty() {
        return false;
    }
    let packages: Vec<Vec<u8>> = chosen.values().map(|one| one.bytes.clone()).collect();
    let effect = Effect {
        added: chosen
            .iter()
            .map(|(other, package)| (*other, package.reference.clone()))
            .collect(),
        removed: BTreeSet::new(),
    };
    let is_member = chosen.keys().any(|other| members.contains(other));
    let refused = is_member.then_some("commit-rejected");
    commit(world, client, group, effect, refused, |mls, id, entry| {
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
    let list: Vec<u32> = leaves.iter().copied().collect();
    let effect = Effect {
        removed: leaves,
        ..Effect::default()
    };
    commit(world, client, group, effect, None, |mls, id, entry| {
        mls.remove_members(id, &list, entry)
    })
}

pub fn self_update(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let nothing = Effect::default();
    commit(world, client, group, nothing, None, |mls, id, entry| {
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
    let nothing = Effect::default();
    commit(world, client, group, nothing, None, |mls, id, entry| {
        mls.commit_pending_proposals(id, entry)
    })
}

/// Commits `asked` and what is pending. `refused`: why OpenMLS may find that invalid.
fn commit(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    asked: Effect,
    refused: Option<&'static str>,
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
    let expected = match (world.devices[client].view.refusal(group), refused) {
        (Ok(()), Some(code)) => Expected::OkOr(code),
        (possible, _) => possible.into(),
    };
    let done = world.attempt(client, expected, |mls| {
        operation(mls, &id, entry_id.as_deref())
    });
    let Some(entry) = done else { return true };
    let view = world.view(client, group);
    let mut effect = asked;
    for waiting in &view.waiting {
        match waiting.what {
            Proposed::Leave => effect.removed.insert(waiting.leaf),
        };
    }
    check_commit(world, client, group, &entry, &effect);
    hold(world, client, group, entry, What::Commit(effect));
    true
}

/// What is certain to be refused is tried only now and then.
fn is_worth_trying(world: &mut World, client: ClientIndex, group: GroupIndex) -> bool {
    world.devices[client].view.refusal(group).is_ok() || world.rng.chance(15)
}

/// What the entry says of itself.
fn check_commit(
    world: &World,
    client: ClientIndex,
    group: GroupIndex,
    entry: &OutboxEntry,
    effect: &Effect,
) {
    assert_eq!(entry.kind, OutboxKind::Commit);
    assert_eq!(entry.welcome.is_some(), !effect.added.is_empty());
    let members = world.members(client, group);
    let added = entry
        .added
        .iter()
        .map(|party| world.who(&party.signature_key));
    let asked = effect.added.iter().map(|(other, _)| *other);
    assert_eq!(
        added.collect::<BTreeSet<_>>(),
        asked.collect::<BTreeSet<_>>()
    );
    let removed = entry.removed.iter();
    let removed: BTreeSet<_> = removed
        .map(|party| world.who(&party.signature_key))
        .collect();
    let asked: BTreeSet<_> = effect.removed.iter().map(|leaf| members[leaf]).collect();
    assert_eq!(removed, asked);
}

/// Notes a proposal or commit that went into the outbox.
fn hold(world: &mut World, client: ClientIndex, group: GroupIndex, entry: OutboxEntry, what: What) {
    let view = world.devices[client].view.groups.get_mut(&group).unwrap();
    assert_eq!(entry.epoch, view.epoch);
    let private = view.sends_private();
    let sent = Rc::new(Sent {
        id: entry.id.clone(),
        group,
        sender: client,
        leaf: view.own_leaf,
        epoch: view.epoch,
        private,
        generation: view.handshake_generation,
        bytes: entry.bytes.clone().expect("handshakes have bytes"),
        what,
    });
    view.handshake_generation += u32::from(private);
    let view = world.view_mut(client);
    view.has_sequence = true;
    view.outbox.push(Held {
        entry,
        group,
        sent: Some(sent),
    });
}

pub fn leave(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    if world.view(client, group).active && world.members(client, group).len() == 1 {
        return false; // nobody would be left to commit it
    }
    if !is_worth_trying(world, client, group) {
        return false;
    }
    let id = world.groups[group].id.clone();
    let entry_id = world.some_id();
    let expected = world.devices[client].view.refusal(group);
    let done = world.attempt(client, expected, |mls| {
        mls.leave_group(&id, entry_id.as_deref())
    });
    let Some(entry) = done else { return true };
    assert_eq!(entry.kind, OutboxKind::Proposal);
    let view = world.devices[client].view.groups.get_mut(&group).unwrap();
    view.waiting.push(Waiting {
        id: entry.id.clone(),
        leaf: view.own_leaf,
        what: Proposed::Leave,
    });
    hold(world, client, group, entry, What::Proposal(Proposed::Leave));
    true
}

/// The service said that another commit was first.
pub fn reject(world: &mut World, client: ClientIndex) -> bool {
    let device = &world.devices[client];
    let refused = device.view.outbox.iter().find(|held| {
        held.entry.kind == OutboxKind::Commit && device.refused.contains(&held.entry.id)
    });
    let Some((id, group)) = refused.map(|held| (held.entry.id.clone(), held.group)) else {
        return false;
    };
    let group_id = world.groups[group].id.clone();
    let by_id = world.rng.chance(50);
    world.attempt(client, Expected::Ok, |mls| match by_id {
        true => mls.reject_commit(&id),
        false => mls.clear_pending_commit(&group_id),
    });
    world
        .view_mut(client)
        .outbox
        .retain(|held| held.entry.id != id);
    true
}

/// An app that knows by itself that its commit is the next in the log.
pub fn merge(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let accepted = view.outbox.iter().find(|held| {
        let next = view.groups.get(&held.group).map(|group| group.next);
        let log = &world.groups[held.group].log;
        held.entry.kind == OutboxKind::Commit
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
    true
}
