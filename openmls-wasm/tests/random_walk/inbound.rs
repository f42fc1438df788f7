//! What comes in from the log: in order, again, or out of turn.

use openmls_wasm::client::{Delivered, InboxItem};

use super::{
    aside::inspect,
    device::Expected,
    early::early,
    external,
    service::{ClientIndex, GroupIndex, What},
    view::{Item, Said},
    world::World,
};

/// Receives one or more of the next entries of a group's log.
pub fn receive_log(world: &mut World, client: ClientIndex) -> bool {
    // Now and then the service hands out an entry after the removal.
    let even_after_removal = world.rng.chance(3);
    // What was passed over for a join that came to nothing is to be read.
    let view = world.view_mut(client);
    let joining: Vec<GroupIndex> = view
        .outbox
        .iter()
        .filter(|held| held.joins.is_some())
        .map(|held| held.group)
        .collect();
    for (group, view) in &mut view.groups {
        if !joining.contains(group) {
            view.next = view.passed_over.take().unwrap_or(view.next);
        }
    }
    let device = &world.devices[client];
    let groups = &device.view.groups;
    let unread: Vec<(GroupIndex, u64, u64)> = groups
        .iter()
        .filter(|(group, view)| {
            let joining = device.view.joining_by_commit(**group).is_some();
            view.active || even_after_removal && !joining
        })
        .map(|(group, view)| {
            let left = world.groups[*group].log.len() as u64 + 1 - view.next;
            (*group, view.next, left)
        })
        .filter(|(.., left)| *left > 0)
        .collect();
    let Some((group, next, left)) = world.rng.pick(&unread) else {
        return false;
    };
    let count = match world.rng.below(4) {
        0 => 1,
        1 => left,
        _ => left.min(1 + world.rng.below(4) as u64),
    };
    for position in next..next + count {
        let was_active = world.view(client, group).active;
        receive(world, client, group, position);
        if world.view(client, group).next == position {
            break;
        }
        if !was_active || !world.view(client, group).active {
            break;
        }
    }
    true
}

fn receive(world: &mut World, client: ClientIndex, group: GroupIndex, position: u64) {
    let sent = world.groups[group].log[position as usize - 1].clone();
    let was_active = world.view(client, group).active;
    let epoch = world.view(client, group).epoch;
    if sent.sender != client && world.rng.chance(15) {
        inspect(world, client, &sent);
    }
    let with_id = world.rng.chance(80);
    let World { devices, .. } = world;
    let view = &mut devices[client].view;
    if view
        .joining_by_commit(group)
        .is_some_and(|held| held.entry.id == sent.id)
    {
        external::receive_own(world, client, group, position);
        return;
    }
    if pass_over(world, client, group, position) {
        return;
    }
    let World {
        devices, groups, ..
    } = world;
    let view = &mut devices[client].view;
    let own = view.outbox.iter().find(|held| {
        held.sent
            .as_ref()
            .is_some_and(|own| own.id == sent.id && own.bytes == sent.bytes)
    });
    let is_own = own.is_some();
    // A proposal from outside that comes back waits here like that of anybody else.
    let outside = matches!(sent.what, What::Proposal(_)) && sent.by.leaf().is_none();
    let said = if is_own && !(outside && was_active) {
        view.accept_own(&groups[group], &sent)
    } else {
        let before = view.clone();
        let processed = view.process(&groups[group], &sent);
        if processed.is_err() {
            *view = before;
        }
        if is_own && processed.is_ok() {
            view.accept_own(&groups[group], &sent);
        }
        match processed {
            Ok(Said::OwnMessage) => None,
            Ok(said) => Some(said),
            // The key can still be stored, and the commit read then. And whoever did not follow a
            // commit can only join anew.
            Err(code @ ("unknown-psk" | "future-epoch")) => {
                let delivered = Delivered {
                    bytes: &sent.bytes,
                    position: Some(position),
                    ..Delivered::default()
                };
                world.devices[client]
                    .view
                    .groups
                    .get_mut(&group)
                    .unwrap()
                    .lost = true;
                let (code, word) = (Expected::Code(code), code);
                world.attempt(client, code, |mls| mls.receive_message(delivered));
                world.tally(format!("  an entry of the log waits: {word}"));
                return;
            }
            Err(code) => Some(Said::Failed { code: code.into() }),
        }
    };
    let delivered = Delivered {
        bytes: &sent.bytes,
        id: with_id.then_some(&sent.id),
        position: Some(position),
        ..Default::default()
    };
    let joining = world.devices[client].view.joining_by_commit(group);
    let delivered = match joining.is_none() && world.rng.chance(20) {
        true => in_epoch(world, client, epoch, delivered),
        false => delivered,
    };
    world.view_mut(client).forget_early(group, &sent);
    let view = world.devices[client].view.groups.get_mut(&group).unwrap();
    view.cursor = Some(position);
    view.next = position + 1;
    handed_over(world, client, group, delivered, said);
    if was_active {
        world.view_mut(client).note_position(group, position);
    }
}

/// Accepts what was inspected in `epoch`, and not what was in another.
fn in_epoch<'a>(
    world: &mut World,
    client: ClientIndex,
    epoch: u64,
    delivered: Delivered<'a>,
) -> Delivered<'a> {
    let elsewhere = Delivered {
        inspected_epoch: Some(epoch + 1),
        ..delivered
    };
    let code = Expected::Code("epoch-changed");
    world.attempt(client, code, |mls| mls.receive_message(elsewhere));
    Delivered {
        inspected_epoch: Some(epoch),
        ..delivered
    }
}

/// A client that is about to join anew and did not follow a commit passes over what lies between:
/// those entries are not for it if it joins, and are read if it does not.
fn pass_over(world: &mut World, client: ClientIndex, group: GroupIndex, position: u64) -> bool {
    let view = &world.devices[client].view;
    let Some(join) = view.joining_by_commit(group) else {
        return false;
    };
    let known = &view.groups[&group];
    let sent = world.groups[group].log[position as usize - 1].clone();
    let follows = known.cursor.is_none_or(|cursor| position == cursor + 1);
    let reached = join.entry.epoch;
    if !known.active || known.epoch >= reached || sent.epoch <= known.epoch && follows {
        return false;
    }
    let delivered = Delivered {
        bytes: &sent.bytes,
        position: Some(position),
        ..Delivered::default()
    };
    let expected = match sent.epoch > reached {
        true => Expected::Code("future-epoch"),
        false => Expected::Ok,
    };
    let passed = world.attempt(client, expected, |mls| mls.receive_message(delivered));
    if let Some(item) = passed {
        assert_eq!(item, None, "passed over");
        world.tally("  an entry of the log was passed over".into());
        let view = world.devices[client].view.groups.get_mut(&group).unwrap();
        view.passed_over.get_or_insert(position);
        view.next = position + 1;
    }
    true
}

/// Delivers, and compares the item with what the model predicts.
pub fn handed_over(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    delivered: Delivered<'_>,
    said: Option<Said>,
) {
    let item = world.attempt(client, Expected::Ok, |mls| mls.receive_message(delivered));
    compare(world, client, group, delivered, said, item.unwrap());
    early(world, client, group);
}

/// Compares what was handed over with what the model predicts.
pub fn compare(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    delivered: Delivered<'_>,
    said: Option<Said>,
    item: Option<InboxItem>,
) {
    let item = item.map(|item| world.item(&item));
    let expected = said.map(|said| {
        let inbox = &world.devices[client].view.inbox;
        let id = delivered.id.map(str::to_owned);
        let free = id.filter(|id| inbox.iter().all(|item| item.id != *id));
        let shown = item.as_ref().map(|item| item.id.clone());
        Item {
            id: free.or(shown).unwrap_or_default(),
            group: Some(group),
            position: delivered.position,
            said,
        }
    });
    assert_eq!(item, expected, "what client {client} was handed");
    world.note(format!("  handed over in group {group}: {item:?}"));
    if let Some(item) = item {
        world.tally(match &item.said {
            Said::Message { .. } => "  a message was read".into(),
            Said::Commit { own: true, .. } => "  an own commit was merged".into(),
            Said::Commit {
                self_removed: true, ..
            } => "  an own removal was read".into(),
            Said::Commit {
                superseded: Some(_),
                ..
            } => "  a commit lost its race".into(),
            Said::Failed { code } => format!("  a delivery failed: {code}"),
            _ => "  another item".into(),
        });
        let view = world.view_mut(client);
        assert!(view.inbox.iter().all(|other| other.id != item.id));
        view.inbox.push(item);
        view.has_sequence = true;
    }
}

/// The service repeats itself: nothing may happen.
pub fn receive_again(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let cursor = world.view(client, group).cursor.unwrap_or(0);
    if cursor == 0 {
        return false;
    }
    let position = 1 + world.rng.below(cursor as usize) as u64;
    let sent = world.groups[group].log[position as usize - 1].clone();
    let delivered = Delivered {
        bytes: &sent.bytes,
        id: world.rng.chance(50).then_some(&sent.id),
        position: Some(position),
        ..Default::default()
    };
    handed_over(world, client, group, delivered, None);
    true
}

/// The service leaves something out: refused.
pub fn receive_with_gap(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let view = world.view(client, group);
    let (next, cursor) = (view.next, view.cursor);
    let log = &world.groups[group].log;
    let Some(sent) = log.get(next as usize).cloned() else {
        return false;
    };
    let joining = world.devices[client].view.joining_by_commit(group);
    if cursor.is_none() || joining.is_some() {
        return false; // nothing to compare with
    }
    let delivered = Delivered {
        bytes: &sent.bytes,
        id: None,
        position: Some(next + 1),
        ..Default::default()
    };
    world.attempt(client, Expected::Code("position-gap"), |mls| {
        mls.receive_message(delivered)
    });
    true
}
