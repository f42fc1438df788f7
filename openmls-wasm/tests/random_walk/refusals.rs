//! What the app refuses after looking at it: a message, a Welcome, all proposals that wait. Whoever
//! refuses what the others accept does not follow them, and can only go or join again.

use openmls_wasm::client::{Delivered, DeliveredWelcome, OutboxKind};

use super::{
    device::Expected,
    effect::Sender,
    inbound,
    service::{ClientIndex, Welcome, What},
    view::{Item, Said},
    world::World,
};

/// Refuses the next entry of a group's log.
pub fn reject_message(world: &mut World, client: ClientIndex) -> bool {
    let group = world.active_group(client);
    let Some(group) = group.filter(|group| {
        let view = &world.devices[client].view;
        view.joining_by_commit(*group).is_none()
    }) else {
        return false;
    };
    let position = world.view(client, group).next;
    let log = &world.groups[group].log;
    let Some(sent) = log.get(position as usize - 1).cloned() else {
        return false;
    };
    // Mostly what does not part this client from the others.
    if !matches!(sent.what, What::Message { .. }) && world.rng.chance(70) {
        return false;
    }
    let delivered = Delivered {
        bytes: &sent.bytes,
        id: world.rng.chance(80).then_some(&sent.id),
        position: Some(position),
        inspected_epoch: None,
    };
    let epoch = world.view(client, group).epoch;
    let outbox = &world.devices[client].view.outbox;
    let is_own = outbox
        .iter()
        .any(|held| held.entry.bytes.as_ref() == Some(&sent.bytes));
    if is_own {
        let code = Expected::Code("wrong-kind");
        world.attempt(client, code, |mls| mls.reject_message(delivered));
        return true;
    }
    if world.rng.chance(30) {
        let elsewhere = Delivered {
            inspected_epoch: Some(epoch + 1),
            ..delivered
        };
        let code = Expected::Code("epoch-changed");
        world.attempt(client, code, |mls| mls.reject_message(elsewhere));
    }
    let delivered = Delivered {
        inspected_epoch: world.rng.chance(50).then_some(epoch),
        ..delivered
    };
    let item = world.attempt(client, Expected::Ok, |mls| mls.reject_message(delivered));
    let said = Said::Failed {
        code: "credential-rejected".into(),
    };
    inbound::compare(world, client, group, delivered, Some(said), item.unwrap());
    let view = world.view_mut(client);
    view.forget_early(group, &sent);
    view.note_position(group, position);
    view.note_refusal(group, position);
    let view = view.groups.get_mut(&group).unwrap();
    view.cursor = Some(position);
    view.next = position + 1;
    // Received again, it is a duplicate.
    let again = world.attempt(client, Expected::Ok, |mls| mls.reject_message(delivered));
    assert_eq!(again, Some(None));
    true
}

/// Drops everything that waits for a commit.
pub fn clear_proposals(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let view = world.view(client, group);
    // Mostly what nobody else can commit.
    let is_sent = view.waiting.iter().any(|waiting| {
        let mut log = world.groups[group].log.iter();
        waiting.by != Sender::Member(view.own_leaf) || log.any(|sent| sent.id == waiting.id)
    });
    if (is_sent || view.waiting.is_empty()) && world.rng.chance(80) {
        return false;
    }
    let id = world.groups[group].id.clone();
    let view = &world.devices[client].view;
    let is_committing = |held: &super::view::Held| held.joins.is_none();
    let expected = match (
        view.groups[&group].active,
        view.pending_commit(group).is_some_and(is_committing),
    ) {
        (false, _) => Expected::Code("group-inactive"),
        (_, true) => Expected::Code("pending-commit"),
        _ => Expected::Ok,
    };
    let done = world.attempt(client, expected, |mls| mls.clear_pending_proposals(&id));
    if done.is_some() {
        let view = world.view_mut(client);
        view.lose(view.groups[&group].proposed_keys() > 0);
        let waiting = std::mem::take(&mut view.groups.get_mut(&group).unwrap().waiting);
        view.outbox.retain(|held| {
            held.entry.kind != OutboxKind::Proposal
                || held.entry.proposal_reference.is_none()
                || waiting.iter().all(|waiting| waiting.id != held.entry.id)
        });
    }
    true
}

/// Refuses a Welcome. It uses up nothing.
pub fn reject_welcome(
    world: &mut World,
    client: ClientIndex,
    welcome: &Welcome,
    delivered: DeliveredWelcome<'_>,
) {
    let is_readable = world.devices[client]
        .view
        .joining(welcome, delivered.ratchet_tree.is_some());
    let is_readable = is_readable.is_ok();
    let item = world.attempt(client, Expected::Ok, |mls| mls.reject_welcome(delivered));
    let item = world.item(&item.unwrap().expect("an item"));
    let expected = Item {
        id: delivered.id.map_or(item.id.clone(), str::to_owned),
        group: is_readable.then_some(welcome.group),
        position: Some(welcome.position),
        said: Said::Failed {
            code: "credential-rejected".into(),
        },
    };
    assert_eq!(item, expected);
    world.tally("  a Welcome was refused".into());
    let view = world.view_mut(client);
    view.inbox.push(expected);
    view.has_sequence = true;
    view.welcome_cursor = delivered.position;
}

/// Passes over a Welcome to a group that nobody removed this client from.
pub fn skip_welcome(world: &mut World, client: ClientIndex, position: u64) {
    let code = Expected::Code("position-gap");
    world.attempt(client, code, |mls| mls.skip_welcome(position + 1));
    // The second time it is passed over already.
    for _ in 0..2 {
        world.attempt(client, Expected::Ok, |mls| mls.skip_welcome(position));
    }
    world.tally("  a Welcome was passed over".into());
    world.view_mut(client).welcome_cursor = Some(position);
}
