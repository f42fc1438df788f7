//! What comes in beside the log: in any order, before its time, or again.

use std::rc::Rc;

use openmls_wasm::client::Delivered;

use super::{
    device::Expected,
    early::early,
    inbound::handed_over,
    service::{ClientIndex, GroupIndex, Sent, What},
    view::Said,
    world::World,
};

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

/// Says what a message of others would do, and that looking does nothing.
pub fn inspect(world: &mut World, client: ClientIndex, sent: &Sent) {
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
        view.forget_early(sent.group, sent);
        world.devices[client].view = view;
        early(world, client, sent.group);
    }
}

pub fn receive_without_position(world: &mut World, client: ClientIndex, sent: &Rc<Sent>) {
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
