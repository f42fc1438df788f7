//! Proposals from outside a group (RFC 9420 §12.1.8): of clients that ask to be added, and of those
//! that the group context lists. Whoever proposes knows the group's id and epoch from the service.

use std::{collections::BTreeSet, rc::Rc};

use openmls_wasm::client::{OutboxEntry, OutboxKind, ProposalTarget};

use super::{
    device::Expected,
    effect::{Proposed, Sender},
    proposals,
    service::{ClientIndex, GroupIndex, Sent, What},
    view::Held,
    world::World,
};

/// Asks to be added to a group.
pub fn ask_to_join(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.rng.pick(&(0..world.groups.len()).collect::<Vec<_>>()) else {
        return false;
    };
    // With another signature key a member could be added a second time, as somebody else.
    if present(world, group).contains(&client) {
        return false;
    }
    let Some(package) = world.rng.pick(&world.devices[client].view.packages) else {
        return false;
    };
    let proposed = Proposed::Add(client, package.reference.clone());
    let target = target(world, group);
    if is_said(world, client, group, Sender::NewMember, &proposed) {
        return false;
    }
    let id = world.some_id();
    let expected = match package.expired {
        Some(_) => Expected::Code("invalid-key-package"),
        None => Expected::Ok,
    };
    let entry = world.attempt(client, expected, |mls| {
        mls.propose_join(&target, &package.bytes, id.as_deref())
    });
    if package.expired.is_some() {
        return true;
    }
    hold(world, client, group, entry, Sender::NewMember, proposed);
    true
}

/// Proposes as a sender that the group lists. Now and then it is not listed, or not there.
pub fn propose_as_listed(world: &mut World, client: ClientIndex) -> bool {
    let is_listed = |group: &GroupIndex| {
        let group = &world.groups[*group];
        let mut senders = group.epochs[group.epoch() as usize].context.senders.iter();
        senders.any(|sender| *sender == client)
    };
    let mut groups: Vec<GroupIndex> = (0..world.groups.len()).filter(is_listed).collect();
    if groups.is_empty() && world.rng.chance(10) {
        groups = (0..world.groups.len()).collect();
    }
    let Some(group) = world.rng.pick(&groups) else {
        return false;
    };
    let epoch = world.groups[group].epoch();
    let senders = &world.groups[group].epochs[epoch as usize].context.senders;
    let place = senders.iter().position(|sender| *sender == client);
    let index = match place {
        Some(place) if !world.rng.chance(5) => place as u32,
        _ => world.rng.below(4) as u32,
    };
    let target = target(world, group);
    let members = &world.groups[group].epochs[epoch as usize].members;
    let leaves: Vec<u32> = members.keys().copied().collect();
    let by = Sender::External(index);
    let id = world.some_id();
    let (proposed, entry) = match world.rng.below(3) {
        0 => {
            let members = present(world, group);
            let Some((other, package)) = proposals::draw_package_of(world, client, group, &members)
            else {
                return false;
            };
            let entry = world.attempt(client, Expected::Ok, |mls| {
                mls.propose_external_add(&target, index, &package.bytes, id.as_deref())
            });
            (Proposed::Add(other, package.reference), entry)
        }
        1 => {
            let leaf = world.rng.one_of(&leaves);
            let proposed = Proposed::Remove(leaf);
            if is_said(world, client, group, by, &proposed) {
                return false;
            }
            let entry = world.attempt(client, Expected::Ok, |mls| {
                mls.propose_external_remove(&target, index, leaf, id.as_deref())
            });
            (proposed, entry)
        }
        _ => {
            let context = proposals::draw_context(world);
            let extensions = world.extensions(&context);
            let proposed = Proposed::Extensions(context);
            if is_said(world, client, group, by, &proposed) {
                return false;
            }
            let entry = world.attempt(client, Expected::Ok, |mls| {
                mls.propose_external_group_context_extensions(
                    &target,
                    index,
                    &extensions,
                    id.as_deref(),
                )
            });
            (proposed, entry)
        }
    };
    hold(world, client, group, entry, by, proposed);
    true
}

fn target(world: &World, group: GroupIndex) -> ProposalTarget {
    let group = &world.groups[group];
    ProposalTarget {
        group_id: group.id.clone(),
        epoch: group.epoch(),
    }
}

/// Who is in the group, as the service knows.
fn present(world: &World, group: GroupIndex) -> BTreeSet<ClientIndex> {
    let epoch = world.groups[group].epochs.last().unwrap();
    epoch.members.values().copied().collect()
}

/// Whether this client has said the same in this epoch, and may still hear it. The bytes are the same
/// then: without an id, one that comes back stands for the other.
fn is_said(
    world: &World,
    client: ClientIndex,
    group: GroupIndex,
    by: Sender,
    proposed: &Proposed,
) -> bool {
    let epoch = world.groups[group].epoch();
    let what = What::Proposal(proposed.clone());
    let is_same = |sent: &Sent| {
        (sent.group, sent.epoch, sent.by) == (group, epoch, by)
            && sent.sender == client
            && sent.what == what
    };
    let view = &world.devices[client].view;
    let mut held = view.outbox.iter().filter_map(|held| held.sent.as_ref());
    let mut log = world.groups[group].log.iter();
    let is_heard = view.groups.contains_key(&group);
    held.any(|sent| is_same(sent)) || is_heard && log.any(|sent| is_same(sent))
}

fn hold(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    entry: Option<OutboxEntry>,
    by: Sender,
    proposed: Proposed,
) {
    let entry = entry.unwrap();
    let epoch = world.groups[group].epoch();
    assert_eq!((entry.kind, entry.epoch), (OutboxKind::Proposal, epoch));
    assert_eq!(entry.group_id, world.groups[group].id);
    let sent = Rc::new(Sent {
        id: entry.id.clone(),
        group,
        sender: client,
        by,
        epoch,
        private: false,
        generation: 0,
        bytes: entry.bytes.clone().expect("handshakes have bytes"),
        what: What::Proposal(proposed),
    });
    let view = world.view_mut(client);
    view.has_sequence = true;
    view.outbox.push(Held {
        entry,
        group,
        sent: Some(sent),
        joins: None,
    });
}
