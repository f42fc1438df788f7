//! What comes in: from the log in order, from the log again or out of turn, and beside the log.

use std::rc::Rc;

use openmls_wasm::client::{Delivered, InboxItem};

use super::{
    device::Expected,
    external,
    service::{ClientIndex, GroupIndex, Sent, What},
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
fn handed_over(
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

/// A message that travels beside the log: any of them, perhaps again.
pub fn receive_aside(world: &mut World, client: ClientIndex) -> bool {
    if world.asides[client].is_empty() {
        return false;
    }
    let index = world.rng.below(world.asides[client].len());
    let group = world.asides[client][index].sent.group;
    if world.devices[client]
        .view
        .joining_by_commit(group)
        .is_some()
    {
        return false;
    }
    let sent = if world.rng.chance(20) {
        world.asides[client][index].sent.clone()
    } else {
        world.asides[client].swap_remove(index).sent
    };
    if world.rng.chance(50) {
        process(world, client, &sent);
    } else {
        receive_without_position(world, client, &sent);
    }
    true
}

/// The next entry of the log is a commit or a proposal and comes in beside the log before.
pub fn process_next(world: &mut World, client: ClientIndex) -> bool {
    let group = world.active_group(client).filter(|group| {
        let joining = world.devices[client].view.joining_by_commit(*group);
        !world.groups[*group].strict && joining.is_none()
    });
    let Some(group) = group else {
        return false;
    };
    let next = world.view(client, group).next;
    let Some(sent) = world.groups[group].log.get(next as usize - 1).cloned() else {
        return false;
    };
    if sent.sender == client || matches!(sent.what, What::Message { .. }) {
        return false;
    }
    process(world, client, &sent);
    true
}

/// Something from far up the log comes in beside it, before its epoch.
pub fn receive_ahead(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let is_behind = |(group, view): &(&GroupIndex, &super::view::GroupView)| {
        let known = &world.groups[**group];
        let joining = world.devices[client].view.joining_by_commit(**group);
        let is_ahead = known.epoch() > view.epoch;
        view.active && is_ahead && !known.strict && joining.is_none()
    };
    let behind = view.groups.iter().filter(is_behind);
    let behind: Vec<GroupIndex> = behind.map(|(group, _)| *group).collect();
    let Some(group) = world.rng.pick(&behind) else {
        return false;
    };
    let next = world.view(client, group).next;
    let ahead = world.groups[group].log.get(next as usize - 1..);
    let others = ahead.unwrap_or_default().iter();
    // A commit without the proposals that it refers to is of no use.
    let log = &world.groups[group].log;
    let is_bare = |sent: &Sent| {
        let mut proposals = log
            .iter()
            .filter(|other| matches!(other.what, What::Proposal(_)));
        !matches!(sent.what, What::Commit(_)) || proposals.all(|other| other.epoch != sent.epoch)
    };
    let mut others: Vec<Rc<Sent>> = others
        .filter(|sent| sent.sender != client && is_bare(sent))
        .cloned()
        .collect();
    // Mostly what is of a later epoch, if there is something.
    let epoch = world.view(client, group).epoch;
    if world.rng.chance(70) && others.iter().any(|sent| sent.epoch > epoch) {
        others.retain(|sent| sent.epoch > epoch);
    }
    // What the app wants to look at, if it does.
    let is_handshake = |sent: &Rc<Sent>| !matches!(sent.what, What::Message { .. });
    let holds = world.devices[client].view.holds_handshakes;
    if holds && world.rng.chance(60) && others.iter().any(is_handshake) {
        others.retain(is_handshake);
    }
    if others.is_empty() {
        return false;
    }
    // Several, in any order: whatever reaches their epoch has to put them into theirs.
    for _ in 0..1 + world.rng.below(5) {
        let sent = world.rng.pick(&others).unwrap();
        receive_without_position(world, client, &sent);
        if !world.view(client, group).active {
            break;
        }
    }
    true
}

/// The app looks at what came early and is held for it.
pub fn take_held(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let groups = view.groups.keys();
    let due = groups.filter_map(|group| view.next_early(*group, &[], |_| false));
    let due: Vec<_> = due.map(|early| early.sent).collect();
    let Some(sent) = world.rng.pick(&due) else {
        return false;
    };
    let joining = world.devices[client].view.joining_by_commit(sent.group);
    if joining.is_some() {
        return false;
    }
    inspect(world, client, &sent);
    receive_without_position(world, client, &sent);
    true
}

/// Says what a message of others would do, and that looking does nothing.
fn inspect(world: &mut World, client: ClientIndex, sent: &Sent) {
    let mut view = world.devices[client].view.clone();
    let predicted = view.process(&world.groups[sent.group], sent);
    let outcome = predicted.clone().map(|_| ());
    let inspected = world.look(client, outcome, |mls| mls.inspect_message(&sent.bytes));
    if let Some(inspected) = inspected {
        assert_eq!(Ok(world.said(&inspected.content)), predicted);
        let epoch = world.view(client, sent.group).epoch;
        assert_eq!(inspected.group_epoch, epoch);
        world.tally("  inspected before".into());
    }
}

fn process(world: &mut World, client: ClientIndex, sent: &Rc<Sent>) {
    let is_inspected = world.rng.chance(40);
    if is_inspected {
        inspect(world, client, sent);
    }
    let World {
        devices, groups, ..
    } = world;
    let mut view = devices[client].view.clone();
    let predicted = view.process(&groups[sent.group], sent);
    let outcome = predicted.clone().map(|_| ());
    let bytes = &sent.bytes;
    let epoch = devices[client].view.groups.get(&sent.group);
    let inspected = epoch.map(|view| view.epoch).filter(|_| is_inspected);
    if let Some(epoch) = inspected {
        let code = Expected::Code("epoch-changed");
        world.attempt(client, code, |mls| {
            mls.process_message_in_epoch(bytes, epoch + 1)
        });
    }
    let processed = world.attempt(client, outcome, |mls| match inspected {
        Some(epoch) => mls.process_message_in_epoch(bytes, epoch),
        None => mls.process_message(bytes),
    });
    if let Some(processed) = processed {
        assert_eq!(world.index_of(&processed.group_id), sent.group);
        assert_eq!(Ok(world.said(&processed.content)), predicted);
        world.devices[client].view = view;
        early(world, client, sent.group);
    }
}

fn receive_without_position(world: &mut World, client: ClientIndex, sent: &Rc<Sent>) {
    let id = world.rng.chance(50).then(|| sent.id.clone());
    let delivered = Delivered {
        bytes: &sent.bytes,
        id: id.as_deref(),
        position: None,
        ..Default::default()
    };
    let World {
        devices, groups, ..
    } = world;
    let mut view = devices[client].view.clone();
    let said = match view.process(&groups[sent.group], sent) {
        Err(code @ ("group-not-found" | "unknown-psk")) => {
            let expected = Expected::Code(code);
            world.attempt(client, expected, |mls| mls.receive_message(delivered));
            return;
        }
        // It is kept until its epoch is there.
        Err("future-epoch") => {
            devices[client].view.keep_early(sent, id.clone());
            None
        }
        Err(code) => {
            devices[client].view.forget_early(sent.group, sent);
            Some(Said::Failed { code: code.into() })
        }
        Ok(said) => {
            view.forget_early(sent.group, sent);
            devices[client].view = view;
            (said != Said::OwnMessage).then_some(said)
        }
    };
    handed_over(world, client, sent.group, delivered, said);
}

/// What has come too early is processed by whatever reaches its epoch.
pub fn early(world: &mut World, client: ClientIndex, group: GroupIndex) {
    let items = world.devices[client].client.take_early_items();
    let mut items = items
        .iter()
        .map(|item| world.item(item))
        .collect::<Vec<_>>()
        .into_iter();
    let mut tried: Vec<u64> = vec![];
    loop {
        let World {
            devices, groups, ..
        } = world;
        let view = &mut devices[client].view;
        let holds = view.holds_handshakes;
        let is_held = |sent: &Sent| holds && !matches!(sent.what, What::Message { .. });
        let Some(early) = view.next_early(group, &tried, is_held) else {
            break;
        };
        tried.push(early.order);
        let own = view
            .outbox
            .iter()
            .any(|held| held.entry.bytes.as_ref() == Some(&early.sent.bytes));
        assert!(!own, "own messages do not travel beside the log");
        let mut next = view.clone();
        let processed = next.process(&groups[group], &early.sent);
        if processed == Err("unknown-psk") {
            continue; // it stays
        }
        *view = next;
        let said = match processed {
            Err(code) => Said::Failed { code: code.into() },
            Ok(said) => said,
        };
        view.forget_early(group, &early.sent);
        if said == Said::OwnMessage {
            continue;
        }
        let item = items.next();
        let shown = item.as_ref().map(|item| item.id.clone());
        let free = early
            .id
            .filter(|id| view.inbox.iter().all(|item| item.id != *id));
        let expected = Item {
            id: free.or(shown).unwrap_or_default(),
            group: Some(group),
            position: None,
            said,
        };
        assert_eq!(item.as_ref(), Some(&expected), "what came early");
        assert!(view.inbox.iter().all(|other| other.id != expected.id));
        view.inbox.push(expected);
        world.tally("  an early message was processed".into());
    }
    assert_eq!(items.next(), None, "more was early than should be");
    let view = world.devices[client].view.groups.get(&group);
    if view.is_some_and(|view| !view.early.is_empty()) {
        next_early(world, client, group);
    }
}

/// What is kept although its epoch is there: it failed for a reason that may go away.
fn next_early(world: &mut World, client: ClientIndex, group: GroupIndex) {
    let id = world.groups[group].id.clone();
    let mut after: Option<Vec<u8>> = None;
    let mut tried = vec![];
    while let Some(next) = world.devices[client]
        .view
        .next_early(group, &tried, |_| false)
    {
        let shown = world.look(client, Expected::Ok, |mls| {
            mls.next_early_message(&id, after.as_deref())
        });
        let shown = shown.unwrap().map(|early| early.bytes);
        assert_eq!(shown.as_ref(), Some(&next.sent.bytes));
        tried.push(next.order);
        after = shown;
    }
    let shown = world.look(client, Expected::Ok, |mls| {
        mls.next_early_message(&id, after.as_deref())
    });
    assert!(shown.unwrap().is_none() || after.is_none());
}
