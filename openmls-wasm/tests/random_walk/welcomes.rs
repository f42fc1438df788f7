//! Joining by Welcome: from the service in order, or just so; with the ratchet tree in it or not.

use std::rc::Rc;

use openmls_wasm::client::{DeliveredWelcome, JoinOptions};

use super::{
    device::Expected,
    groups::draw_settings,
    refusals,
    service::{ClientIndex, Welcome},
    view::{GroupView, Item, Note, Said, Session},
    world::World,
};

/// The ratchet tree of the epoch that a Welcome leads to: where it is needed, if somebody has told
/// it, and now and then where it is not.
fn draw_tree(world: &mut World, welcome: &Welcome) -> Option<Vec<u8>> {
    let tree = world.groups[welcome.group].epochs[welcome.epoch as usize]
        .tree
        .clone();
    let percent = if welcome.is_bare { 80 } else { 10 };
    tree.filter(|_| world.rng.chance(percent))
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
    let tree = draw_tree(world, &welcome);
    let delivered = DeliveredWelcome {
        bytes: &welcome.bytes,
        id: id.as_deref(),
        position: Some(position),
        group_position: Some(welcome.position),
        ratchet_tree: tree.as_deref(),
        ..Default::default()
    };
    if world.rng.chance(30) {
        inspect(world, client, &welcome, delivered.ratchet_tree);
    }
    if again {
        let item = world.attempt(client, Expected::Ok, |mls| mls.receive_welcome(delivered));
        assert_eq!(item, Some(None), "received twice");
        return true;
    }
    let predicted = world.devices[client].view.joining(&welcome, tree.is_some());
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
    if let Err(code @ ("group-exists" | "unknown-psk" | "ratchet-tree-missing")) = predicted {
        // Its removal is still to be read, the key to be stored, or the tree to be fetched.
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
    let tree = draw_tree(world, &welcome);
    let predicted = world.devices[client].view.joining(&welcome, tree.is_some());
    let bytes = &welcome.bytes;
    if predicted.is_ok() {
        let wrong = world.groups[welcome.group].epochs[welcome.epoch as usize - 1]
            .tree
            .clone();
        if let (true, Some(wrong)) = (welcome.is_bare, wrong) {
            let code = Expected::Code("invalid-welcome");
            world.attempt(client, code, |mls| {
                mls.join_group_with_tree(bytes, Some(&wrong))
            });
        }
        prepare_settings(world, client, &welcome);
    }
    let settings = world.devices[client].view.next_settings.clone();
    let kind = world.rng.below(3);
    let join = |mls: &mut openmls_wasm::MlsClient| match (kind, &tree) {
        (0, None) => mls.join_group(bytes),
        (0 | 1, tree) => mls.join_group_with_tree(bytes, tree.as_deref()),
        _ => mls.join_group_with(
            bytes,
            &JoinOptions {
                settings: Some(settings.clone()),
                ratchet_tree: tree.clone(),
            },
        ),
    };
    if let Some(id) = world.attempt(client, predicted, join) {
        assert_eq!(id, world.groups[welcome.group].id);
        joined(world, client, &welcome, None);
    }
    true
}

/// Says where a Welcome leads, and that looking does nothing.
fn inspect(world: &mut World, client: ClientIndex, welcome: &Welcome, tree: Option<&[u8]>) {
    let predicted = world.devices[client].view.joining(welcome, tree.is_some());
    let bytes = &welcome.bytes;
    let info = world.look(client, predicted, |mls| mls.inspect_welcome(bytes, tree));
    let Some(info) = info else { return };
    let group = &world.groups[welcome.group];
    assert_eq!(
        (info.group_id, info.epoch),
        (group.id.clone(), welcome.epoch)
    );
    let members = info.members.iter();
    let members = members.map(|one| (one.leaf_index, world.who(one)));
    let members: super::service::Members = members.collect();
    assert_eq!(members, group.epochs[welcome.epoch as usize].members);
}

fn prepare_settings(world: &mut World, client: ClientIndex, welcome: &Welcome) {
    let settings = draw_settings(world, client, welcome.group);
    world.view_mut(client).next_settings = settings;
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
