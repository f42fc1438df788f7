//! Groups come and go: create, join, delete; pre-shared keys, restarts.

use std::rc::Rc;

use openmls_wasm::client::{DeliveredWelcome, GroupOptions, GroupSettings};

use super::{
    device::{Expected, SHARED_PSKS},
    effect::{Context, Psk},
    proposals, refusals,
    service::{ClientIndex, Epoch, Group, GroupIndex, Welcome, Wire},
    view::{GroupView, Item, Note, Resumption, Said, Session},
    world::World,
};

/// So many groups at once that somebody is in; more would only spread the walk thin.
const GROUPS: usize = 3;

pub fn create(world: &mut World, client: ClientIndex) -> bool {
    let alive = |group: &usize| {
        let mut devices = world.devices.iter();
        devices.any(|device| {
            device
                .view
                .groups
                .get(group)
                .is_some_and(|view| view.active)
        })
    };
    if (0..world.groups.len()).filter(alive).count() >= GROUPS {
        return false;
    }
    let wire = world
        .rng
        .one_of(&[Wire::Ciphertext, Wire::Plaintext, Wire::Mixed]);
    let past = world.rng.one_of(&[0, 0, 1, 2]);
    let strict = world.rng.chance(60);
    let settings = world.settings(wire, past, strict);
    // Ids of which one is the beginning of the other must not share records.
    let chosen = vec![0xab; world.groups.len() + 1];
    let chosen = world.rng.chance(50).then_some(chosen);
    world.devices[client]
        .client
        .set_group_settings(settings.clone());
    let context = match world.rng.chance(50) {
        true => proposals::draw_context(world),
        false => Context::default(),
    };
    let options = GroupOptions {
        group_context_extensions: world.extensions(&context),
        ..GroupOptions::default()
    };
    let create = |mls: &mut openmls_wasm::MlsClient| match context == Context::default() {
        true => mls.create_group(chosen.as_deref()),
        false => mls.create_group_with(chosen.as_deref(), &options),
    };
    let id = world.attempt(client, Expected::Ok, create).unwrap();
    let group = world.groups.len();
    world.groups.push(Group {
        id,
        wire,
        past,
        strict,
        rotated: false,
        log: vec![],
        epochs: vec![Epoch {
            members: [(0, client)].into(),
            context,
            said: None,
        }],
    });
    let mut view = GroupView::new(0, 0, settings, 1);
    view.resumption = created_resumption(0);
    world.view_mut(client).groups.insert(group, view);
    world.view_mut(client).sessions.push(Session {
        group,
        joined: 0,
        from: 0,
        to: 0,
        refused: Default::default(),
    });
    true
}

/// OpenMLS 0.9.2 keeps 32 resumption PSKs of a group that was created here or joined by external
/// commit, whatever the settings say.
pub fn created_resumption(epoch: u64) -> Resumption {
    let mut resumption = Resumption::of(32);
    resumption.keep(epoch);
    resumption
}

pub fn delete(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    // Those that it was removed from, mostly.
    if world.view(client, group).active && world.rng.chance(80) {
        return false;
    }
    let id = world.groups[group].id.clone();
    world.attempt(client, Expected::Ok, |mls| mls.delete_group(&id));
    let view = world.view_mut(client);
    view.forget(group);
    view.outbox.retain(|held| held.group != group);
    true
}

/// Receives the next Welcome from the service, or the same again.
pub fn receive_welcome(world: &mut World, client: ClientIndex) -> bool {
    let cursor = world.devices[client].view.welcome_cursor.unwrap_or(0);
    let again = cursor > 0 && world.rng.chance(10);
    let position = if again { cursor } else { cursor + 1 };
    let Some(welcome) = world.welcomes[client].get(position as usize - 1).cloned() else {
        return false;
    };
    let joining = world.devices[client].view.joining_by_commit(welcome.group);
    if joining.is_some() {
        return false;
    }
    let id = world.some_id();
    let delivered = DeliveredWelcome {
        bytes: &welcome.bytes,
        id: id.as_deref(),
        position: Some(position),
        group_position: Some(welcome.position),
        ..Default::default()
    };
    if world.rng.chance(30) {
        inspect(world, client, &welcome);
    }
    if again {
        let item = world.attempt(client, Expected::Ok, |mls| mls.receive_welcome(delivered));
        assert_eq!(item, Some(None), "received twice");
        return true;
    }
    let predicted = world.devices[client].view.joining(&welcome);
    if world.rng.chance(5) {
        refusals::reject_welcome(world, client, &welcome, delivered);
        return true;
    }
    if predicted == Err("group-exists") && world.rng.chance(10) {
        refusals::skip_welcome(world, client, position);
        return true;
    }
    let delivered = match predicted.is_ok() && world.rng.chance(30) {
        true => in_epoch(world, client, &welcome, delivered),
        false => delivered,
    };
    if let Err(code @ ("group-exists" | "unknown-psk")) = predicted {
        // Its removal is still to be read, or the key to be stored.
        let expected = Expected::Code(code);
        world.attempt(client, expected, |mls| mls.receive_welcome(delivered));
        return true;
    }
    prepare_settings(world, client, &welcome);
    let received = world.attempt(client, Expected::Ok, |mls| mls.receive_welcome(delivered));
    let item = world.item(&received.unwrap().expect("an item"));
    let (group, said) = match predicted {
        Ok(()) => {
            let epoch = welcome.epoch;
            (Some(welcome.group), Said::Joined { epoch })
        }
        Err(code) => (None, Said::Failed { code: code.into() }),
    };
    let expected = Item {
        id: id.unwrap_or(item.id.clone()),
        group,
        position: Some(welcome.position),
        said,
    };
    assert_eq!(item, expected);
    if predicted.is_ok() {
        joined(world, client, &welcome, Some(welcome.position));
    }
    if let Err(code) = predicted {
        world.tally(format!("  a Welcome failed: {code}"));
    }
    let view = world.view_mut(client);
    view.inbox.push(expected);
    view.has_sequence = true;
    view.welcome_cursor = Some(position);
    true
}

/// Accepts a Welcome that was inspected, and not one that leads elsewhere.
fn in_epoch<'a>(
    world: &mut World,
    client: ClientIndex,
    welcome: &Welcome,
    delivered: DeliveredWelcome<'a>,
) -> DeliveredWelcome<'a> {
    let elsewhere = DeliveredWelcome {
        inspected_epoch: Some(welcome.epoch + 1),
        ..delivered
    };
    let code = Expected::Code("epoch-changed");
    world.attempt(client, code, |mls| mls.receive_welcome(elsewhere));
    DeliveredWelcome {
        inspected_epoch: Some(welcome.epoch),
        ..delivered
    }
}

/// Joins without the service's bookkeeping: any Welcome, as often as one likes.
pub fn join(world: &mut World, client: ClientIndex) -> bool {
    // Now and then somebody else's.
    let addressee = match world.rng.chance(70) {
        true => client,
        false => world.rng.below(world.devices.len()),
    };
    let Some(welcome) = world.rng.pick(&world.welcomes[addressee]) else {
        return false;
    };
    let view = &world.devices[client].view;
    if view.joining_by_commit(welcome.group).is_some() {
        return false;
    }
    let predicted = view.joining(&welcome);
    if predicted.is_ok() {
        prepare_settings(world, client, &welcome);
    }
    let bytes = &welcome.bytes;
    if let Some(id) = world.attempt(client, predicted, |mls| mls.join_group(bytes)) {
        assert_eq!(id, world.groups[welcome.group].id);
        joined(world, client, &welcome, None);
    }
    true
}

/// Says where a Welcome leads, and that looking does nothing.
fn inspect(world: &mut World, client: ClientIndex, welcome: &Welcome) {
    let predicted = world.devices[client].view.joining(welcome);
    let bytes = &welcome.bytes;
    let info = world.look(client, predicted, |mls| mls.inspect_welcome(bytes, None));
    let Some(info) = info else { return };
    let group = &world.groups[welcome.group];
    assert_eq!(
        (info.group_id, info.epoch),
        (group.id.clone(), welcome.epoch)
    );
    let members = info.members.iter();
    let members = members.map(|one| (one.leaf_index, world.who(&one.identity)));
    let members: super::service::Members = members.collect();
    assert_eq!(members, group.epochs[welcome.epoch as usize].members);
}

fn prepare_settings(world: &mut World, client: ClientIndex, welcome: &Welcome) {
    let settings = draw_settings(world, client, welcome.group);
    world.view_mut(client).next_settings = settings;
}

/// Gives the client settings for what it joins next.
pub fn draw_settings(world: &mut World, client: ClientIndex, group: GroupIndex) -> GroupSettings {
    let Group {
        wire, past, strict, ..
    } = world.groups[group];
    let settings = world.settings(wire, past, strict);
    let mls = &mut world.devices[client].client;
    mls.set_group_settings(settings.clone());
    settings
}

fn joined(world: &mut World, client: ClientIndex, welcome: &Rc<Welcome>, cursor: Option<u64>) {
    let group = welcome.group;
    let members = &world.groups[group].epochs[welcome.epoch as usize].members;
    let own = members.iter().find(|(_, member)| **member == client);
    let own_leaf = *own.unwrap().0;
    let again = world.devices[client].view.sessions.iter();
    let again = again.filter(|session| session.group == group).count() > 0;
    world.tally(if again { "  rejoined" } else { "  joined" }.into());
    let view = world.view_mut(client);
    if view.groups.contains_key(&group) {
        view.forget(group);
    }
    let used = view.package_for(welcome).unwrap().reference.clone();
    view.packages
        .retain(|package| package.last_resort || package.reference != used);
    view.notes.insert(used, Note::Used);
    let settings = view.next_settings.clone();
    let mut joined = GroupView::new(welcome.epoch, own_leaf, settings, welcome.position + 1);
    joined.cursor = cursor;
    view.groups.insert(group, joined);
    view.sessions.push(Session {
        group,
        joined: welcome.epoch,
        from: welcome.position,
        to: welcome.position,
        refused: Default::default(),
    });
}

pub fn psk(world: &mut World, client: ClientIndex) -> bool {
    let id = vec![world.rng.one_of(&[0, 1, SHARED_PSKS[0], SHARED_PSKS[1]])];
    if world.rng.chance(75) {
        let secret = [id[0]; 32];
        world.attempt(client, Expected::Ok, |mls| {
            mls.store_external_psk(&id, &secret)
        });
        world.view_mut(client).psks.insert(Psk::External(id));
    } else {
        world.attempt(client, Expected::Ok, |mls| mls.delete_external_psk(&id));
        world.view_mut(client).psks.remove(&Psk::External(id));
    }
    true
}

/// Closes in good order and opens again.
pub fn reopen(world: &mut World, client: ClientIndex) -> bool {
    let released = world.devices[client].save();
    world.release(client, released);
    world.devices[client].die(false);
    super::records::check(world, client);
    true
}
