//! Calls that must fail, each with its own code and without a trace.

use super::{device::Expected, service::ClientIndex, world::World};

pub fn misuse(world: &mut World, client: ClientIndex) -> bool {
    match world.rng.below(9) {
        0 => {
            let unknown = [9; 16];
            let code = Expected::Code("group-not-found");
            world.attempt(client, code, |mls| mls.group_info(&unknown));
            world.attempt(client, code, |mls| mls.send_message(&unknown, b"x", None));
            world.attempt(client, code, |mls| mls.delete_group(&unknown));
        }
        1 => {
            let code = Expected::Code("identity-exists");
            world.attempt(client, code, |mls| mls.create_identity(b"again", 1));
        }
        2 => return wrong_members(world, client),
        3 => return taken_ids(world, client),
        4 => return existing_group(world, client),
        5 => {
            let garbage = [0, 1, 0, 2, 7, 7, 7];
            let code = Expected::Code("malformed-message");
            world.attempt(client, code, |mls| mls.process_message(&garbage));
            world.attempt(client, code, |mls| mls.join_group(&garbage));
        }
        6 => {
            let code = Expected::Code("unknown-outbox-entry");
            world.attempt(client, code, |mls| mls.acknowledge_outbox("nobody's"));
            world.attempt(client, code, |mls| mls.renew_outbox("nobody's"));
            world.attempt(client, code, |mls| mls.reject_commit("nobody's"));
        }
        7 => return no_commit(world, client),
        _ => return wrong_kinds(world, client),
    }
    true
}

fn wrong_members(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let own = world.view(client, group).own_leaf;
    let possible = world.devices[client].view.refusal(group);
    let or = |code| possible.and(Err(code));
    world.attempt(client, or("cannot-remove-self"), |mls| {
        mls.remove_members(&id, &[own], None)
    });
    world.attempt(client, or("unknown-member"), |mls| {
        mls.remove_members(&id, &[77], None)
    });
    let code = Expected::Code("invalid-argument");
    world.attempt(client, code, |mls| mls.remove_members(&id, &[], None));
    world.attempt(client, code, |mls| mls.add_members(&id, &[], None));
    let bad = [b"no key package".to_vec()];
    world.attempt(client, or("invalid-key-package"), |mls| {
        mls.add_members(&id, &bad, None)
    });
    true
}

fn taken_ids(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let taken = view.inbox.first().map(|item| item.id.clone());
    let held = view.outbox.first().map(|held| held.entry.id.clone());
    let Some((taken, group)) = taken.or(held).zip(world.any_group(client)) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let code = Expected::Code("duplicate-id");
    world.attempt(client, code, |mls| {
        mls.send_message(&id, b"x", Some(&taken))
    });
    world.attempt(client, code, |mls| mls.self_update(&id, Some(&taken)));
    true
}

fn existing_group(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let code = Expected::Code("group-exists");
    world.attempt(client, code, |mls| mls.create_group(Some(&id)));
    true
}

fn no_commit(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let view = &world.devices[client].view;
    if view.pending_commit(group).is_none() {
        let code = Expected::Code("no-pending-commit");
        world.attempt(client, code, |mls| mls.merge_pending_commit(&id));
        world.attempt(client, code, |mls| mls.clear_pending_commit(&id));
    }
    let view = &world.devices[client].view;
    let possible = view.refusal(group);
    if view.groups[&group].waiting.is_empty() {
        world.attempt(client, possible.and(Err("nothing-to-commit")), |mls| {
            mls.commit_pending_proposals(&id, None)
        });
    }
    true
}

fn wrong_kinds(world: &mut World, client: ClientIndex) -> bool {
    let Some(welcome) = world.rng.pick(&world.welcomes[client]) else {
        return false;
    };
    let code = Expected::Code("wrong-kind");
    world.attempt(client, code, |mls| mls.process_message(&welcome.bytes));
    let Some(group) = world.any_group(client) else {
        return true;
    };
    if let Some(sent) = world.rng.pick(&world.groups[group].log) {
        world.attempt(client, code, |mls| mls.join_group(&sent.bytes));
    }
    true
}
