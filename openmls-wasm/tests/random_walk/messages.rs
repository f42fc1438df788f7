//! Application messages on their way out, and what the app does with what was handed over.

use std::rc::Rc;

use openmls_wasm::client::{OutboxEntry, OutboxKind};

use super::{
    device::{Expected, Read, Release},
    effect::Sender,
    service::{ClientIndex, GroupIndex, Sent, Welcome, What},
    view::{Held, Item, Said},
    world::World,
};

pub fn send(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    if world.groups[group].strict && is_behind(world, client, group) {
        return false;
    }
    let id = world.groups[group].id.clone();
    let entry_id = world.some_id();
    let plaintext = format!("message {}", world.number()).into_bytes();
    let data = world.some_data();
    let view = world.view(client, group);
    let expected = match (view.active, view.is_leaving()) {
        (false, _) => Expected::Code("group-inactive"),
        (_, true) => Expected::Code("leave-pending"),
        _ => Expected::Ok,
    };
    if expected != Expected::Ok && world.rng.chance(80) {
        return false;
    }
    let is_plain = data.is_empty() && world.rng.chance(50);
    let sent = world.attempt(client, expected, |mls| match is_plain {
        true => mls.send_message(&id, &plaintext, entry_id.as_deref()),
        false => mls.send_message_with(&id, &plaintext, &data, entry_id.as_deref()),
    });
    let Some(entry) = sent else { return true };
    assert_eq!(entry.kind, OutboxKind::Message);
    assert_eq!(entry.plaintext.as_ref(), Some(&plaintext));
    assert_eq!(entry.authenticated_data, data);
    let held = encrypted(world, client, group, entry);
    let said = Said::Sent {
        epoch: held.entry.epoch,
        plaintext,
    };
    let view = world.view_mut(client);
    view.has_sequence = true;
    view.inbox.push(Item {
        id: held.entry.id.clone(),
        group: Some(group),
        position: None,
        said,
    });
    view.outbox.push(held);
    true
}

/// Whether older messages are still to be encrypted anew. More of them than the ratchets tolerate
/// out of order must not come after newer ones in the log.
fn is_behind(world: &World, client: ClientIndex, group: GroupIndex) -> bool {
    let device = &world.devices[client];
    let view = &device.view.groups[&group];
    device.view.outbox.iter().any(|held| {
        let is_old =
            held.entry.epoch < view.epoch || (held.sent.is_none() && view.waiting.is_empty());
        held.group == group && held.entry.kind == OutboxKind::Message && is_old
    })
}

/// What an entry must look like, by what is pending; counts the generation it used.
fn encrypted(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    entry: OutboxEntry,
) -> Held {
    let view = world.devices[client].view.groups.get_mut(&group).unwrap();
    assert_eq!(entry.epoch, view.epoch);
    assert_eq!(entry.bytes.is_some(), view.waiting.is_empty());
    let sent = entry.bytes.clone().map(|bytes| {
        view.generation += 1;
        Rc::new(Sent {
            id: entry.id.clone(),
            group,
            sender: client,
            by: Sender::Member(view.own_leaf),
            epoch: view.epoch,
            private: true,
            generation: view.generation - 1,
            bytes,
            what: What::Message {
                plaintext: entry.plaintext.clone().unwrap(),
                data: entry.authenticated_data.clone(),
            },
        })
    });
    Held {
        entry,
        group,
        sent,
        joins: None,
    }
}

/// Encrypts a message that travels beside the log.
pub fn encrypt(world: &mut World, client: ClientIndex) -> bool {
    let group = world.any_group(client);
    let Some(group) = group.filter(|group| !world.groups[*group].strict) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let number = world.number();
    let plaintext = format!("aside {number}").into_bytes();
    let data = world.some_data();
    let view = world.view(client, group);
    let expected = match (view.active, view.waiting.is_empty()) {
        (false, _) => Expected::Code("group-inactive"),
        (_, false) => Expected::Code("pending-proposals"),
        _ => Expected::Ok,
    };
    let is_plain = data.is_empty() && world.rng.chance(50);
    let encrypted = world.attempt(client, expected, |mls| match is_plain {
        true => mls.encrypt_message(&id, &plaintext),
        false => mls.encrypt_message_with(&id, &plaintext, &data),
    });
    let Some(bytes) = encrypted else { return true };
    let device = &mut world.devices[client];
    let view = device.view.groups.get_mut(&group).unwrap();
    let sent = Sent {
        id: format!("aside {number}"),
        group,
        sender: client,
        by: Sender::Member(view.own_leaf),
        epoch: view.epoch,
        private: true,
        generation: view.generation,
        bytes,
        what: What::Message { plaintext, data },
    };
    view.generation += 1;
    device.unreleased.push(Release::Aside(Rc::new(sent)));
    true
}

/// Uploads an entry whose batch is stored. The answer may get lost.
pub fn upload(world: &mut World, client: ClientIndex) -> bool {
    let device = &world.devices[client];
    let is_first = |held: &Held| {
        let mut outbox = device.view.outbox.iter();
        let first = outbox.find(|other| other.group == held.group);
        first.is_some_and(|first| first.entry.id == held.entry.id)
    };
    let mut ready: Vec<Held> = device
        .view
        .outbox
        .iter()
        .filter(|held| !world.groups[held.group].strict || is_first(held))
        .filter(|held| !is_overtaking(world, client, held))
        .filter(|held| held.sent.is_some() && world.is_durable(client, &held.entry))
        .filter(|held| !device.refused.contains(&held.entry.id))
        .cloned()
        .collect();
    if !world.rng.chance(10) {
        ready.truncate(1);
    }
    let Some(held) = world.rng.pick(&ready) else {
        return false;
    };
    let (entry, sent) = (&held.entry, held.sent.as_ref().unwrap());
    let group = &mut world.groups[held.group];
    let length = group.log.len();
    let accepted = group.upload(entry, sent);
    if accepted && group.log.len() > length {
        world.tally(format!("  accepted: {:?}", entry.kind));
        post_welcomes(world, &held);
    }
    if !accepted {
        world.devices[client].refused.insert(entry.id.clone());
        if entry.kind == OutboxKind::Proposal {
            acknowledge(world, client, &held);
        }
    } else if world.rng.chance(70) {
        acknowledge(world, client, &held);
    }
    true
}

/// A commit refers to proposals: what was proposed or committed before it in the group goes first.
fn is_overtaking(world: &World, client: ClientIndex, held: &Held) -> bool {
    let outbox = world.devices[client].view.outbox.iter();
    let before = outbox.take_while(|other| other.entry.id != held.entry.id);
    let log = &world.groups[held.group].log;
    let is_new = |id: &str| log.iter().all(|sent| sent.id != id);
    let mut handshakes =
        before.filter(|other| other.group == held.group && other.entry.kind != OutboxKind::Message);
    held.entry.kind != OutboxKind::Message && handshakes.any(|other| is_new(&other.entry.id))
}

fn post_welcomes(world: &mut World, held: &Held) {
    let (Some(bytes), Some(sent)) = (&held.entry.welcome, &held.sent) else {
        return;
    };
    let What::Commit(effect) = &sent.what else {
        panic!("only a commit has a Welcome");
    };
    let references: Vec<_> = effect.added.iter().map(|(_, one)| one.clone()).collect();
    for (member, _) in &effect.added {
        world.welcomes[*member].push(Rc::new(Welcome {
            bytes: bytes.clone(),
            group: held.group,
            epoch: sent.epoch + 1,
            position: world.groups[held.group].log.len() as u64,
            references: references.clone(),
            psks: effect.psks.clone(),
            is_bare: effect.has_bare_welcome,
        }));
    }
}

/// Tells the client that the service took an entry. A commit is taken when it comes back.
fn acknowledge(world: &mut World, client: ClientIndex, held: &Held) {
    let id = held.entry.id.clone();
    let expected = match held.entry.kind {
        OutboxKind::Commit => Expected::Code("wrong-kind"),
        _ => Expected::Ok,
    };
    let done = world.attempt(client, expected, |mls| mls.acknowledge_outbox(&id));
    if done.is_some() {
        let outbox = &mut world.view_mut(client).outbox;
        outbox.retain(|held| held.entry.id != id);
    }
}

/// Encrypts anew what the service refused, or what waited for proposals to be committed.
pub fn renew(world: &mut World, client: ClientIndex) -> bool {
    let device = &world.devices[client];
    let renewable = device.view.outbox.iter().find(|held| {
        let refused = device.refused.contains(&held.entry.id);
        held.entry.kind == OutboxKind::Message && (held.sent.is_none() || refused)
    });
    let Some(held) = renewable.cloned() else {
        return false;
    };
    let id = held.entry.id.clone();
    let expected = match device.view.groups.get(&held.group) {
        None => Expected::Code("group-not-found"),
        Some(view) if !view.active => Expected::Code("group-inactive"),
        Some(view) if view.is_leaving() => Expected::Code("leave-pending"),
        Some(_) => Expected::Ok,
    };
    let renewed = world.attempt(client, expected, |mls| mls.renew_outbox(&id));
    let Some(entry) = renewed else { return true };
    assert_eq!(entry.sequence, held.entry.sequence, "it keeps its place");
    let renewed = encrypted(world, client, held.group, entry);
    let device = &mut world.devices[client];
    device.refused.remove(&id);
    let mut outbox = device.view.outbox.iter_mut();
    *outbox.find(|held| held.entry.id == id).unwrap() = renewed;
    true
}

/// Gives up a message of a group that the client is no longer in.
pub fn drop_entry(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let lost = view.outbox.iter().find(|held| {
        let active = view.groups.get(&held.group).is_some_and(|view| view.active);
        !active && held.entry.kind != OutboxKind::Commit
    });
    let Some(held) = lost.cloned() else {
        return false;
    };
    acknowledge(world, client, &held);
    true
}

/// The app saves what was handed over (only what is stored is), and acknowledges some of it.
pub fn take_over(world: &mut World, client: ClientIndex) -> bool {
    let device = &mut world.devices[client];
    if device.view.inbox.is_empty() || !device.is_saved() {
        return false;
    }
    for item in &device.view.inbox {
        let (Said::Message { plaintext, .. } | Said::Sent { plaintext, .. }) = &item.said else {
            continue;
        };
        let history = device.history.entry(item.group.unwrap()).or_default();
        match history.iter().find(|read| read.id == item.id) {
            Some(known) => assert_eq!(known.text, *plaintext, "one id, two texts"),
            None => history.push(Read {
                id: item.id.clone(),
                position: item.position,
                text: plaintext.clone(),
            }),
        }
    }
    let some = if world.rng.chance(70) {
        device.view.inbox.len()
    } else {
        world.rng.below(device.view.inbox.len())
    };
    let ids: Vec<String> = device.view.inbox[..some]
        .iter()
        .map(|item| item.id.clone())
        .collect();
    world.attempt(client, Expected::Ok, |mls| mls.acknowledge_inbox(&ids));
    world.view_mut(client).inbox.drain(..some);
    true
}
