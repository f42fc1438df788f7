//! After a fork, or as if after one: members are added again, a branch is given up, a new group takes
//! the place of the old one.

use std::collections::{BTreeMap, BTreeSet};

use openmls_wasm::client::{OutboxKind, Reboot};

use super::{
    commits::{self, Asked},
    committed,
    device::{Expected, SHARED_PSKS},
    effect::{Effect, Proposed, Psk},
    groups, proposals,
    service::{ClientIndex, Epoch, Group, GroupIndex},
    view::{GroupView, Session},
    world::World,
};

/// Removes everybody but some, and adds some of them again by new key packages.
pub fn readd(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let own = world.view(client, group).own_leaf;
    let members = world.members(client, group).clone();
    let (kept, gone): (Vec<u32>, Vec<u32>) = members
        .keys()
        .partition(|leaf| **leaf == own || world.rng.chance(50));
    let mut packages = BTreeMap::new();
    for leaf in &gone {
        if let Some(package) = world.take_package(members[leaf]) {
            packages.insert(members[leaf], package);
        }
    }
    if gone.is_empty() {
        return false;
    }
    let bytes: Vec<Vec<u8>> = packages.values().map(|one| one.bytes.clone()).collect();
    let removals = gone.iter().copied().map(Proposed::Remove);
    let adds = packages.into_iter();
    let adds = adds.map(|(other, package)| Proposed::Add(other, package.reference));
    let mut asked = Asked::only(removals.chain(adds).collect());
    asked.without_pending = true;
    refuse_bad_partitions(world, client, group, own);
    commits::commit(world, client, group, asked, |mls, id, entry| {
        mls.recover_fork_by_readding(id, &kept, &bytes, entry)
    })
}

fn refuse_bad_partitions(world: &mut World, client: ClientIndex, group: GroupIndex, own: u32) {
    let id = world.groups[group].id.clone();
    let everybody: Vec<u32> = world.members(client, group).keys().copied().collect();
    let others: Vec<u32> = everybody.iter().copied().filter(|it| *it != own).collect();
    let possible = world.devices[client].view.refusal(group);
    for (partition, code) in [
        (vec![own, 77], "unknown-member"),
        (others, "cannot-remove-self"),
        (everybody, "nothing-to-commit"),
    ] {
        world.attempt(client, possible.and(Err(code)), |mls| {
            mls.recover_fork_by_readding(&id, &partition, &[], None)
        });
    }
}

/// An app takes a commit for accepted that was not: it is alone on a branch, and gives it up.
pub fn fork(world: &mut World, client: ClientIndex) -> bool {
    let device = &world.devices[client];
    let lost = device.view.outbox.iter().find(|held| {
        let view = device.view.groups.get(&held.group);
        held.entry.kind == OutboxKind::Commit
            && held.joins.is_none()
            && device.refused.contains(&held.entry.id)
            && view.is_some_and(|view| view.early.is_empty())
    });
    let Some(held) = lost.cloned() else {
        return false;
    };
    let (group, common) = (held.group, held.entry.epoch);
    let id = world.groups[group].id.clone();
    world.attempt(client, Expected::Ok, |mls| mls.merge_pending_commit(&id));
    let further = world.rng.below(4);
    let info = world.attempt(client, Expected::Ok, |mls| mls.group_info(&id));
    let info = info.unwrap();
    assert_eq!(info.epoch, common + 1);
    let said = &world.groups[group].epochs[common as usize + 1].said;
    let other = said.as_ref().map(|said| &said.authenticator);
    assert_ne!(other, Some(&info.epoch_authenticator), "two branches");
    refuse_to_read_the_other_branch(world, client, group);
    // The others have epochs of the same numbers, and may welcome it back to one of them.
    for _ in 0..further {
        world.attempt(client, Expected::Ok, |mls| mls.self_update(&id, None));
        world.attempt(client, Expected::Ok, |mls| mls.merge_pending_commit(&id));
    }
    let last = common + 1 + further as u64;
    let code = Expected::Code("invalid-argument");
    world.attempt(client, code, |mls| mls.abandon_fork(&id, last + 1));
    let is_remembered = world.rng.chance(30);
    world.attempt(client, Expected::Ok, |mls| match is_remembered {
        true => mls.delete_group(&id),
        false => mls.abandon_fork(&id, common),
    });
    let view = world.view_mut(client);
    view.has_sequence = true;
    let forked = view.groups.get_mut(&group).unwrap();
    let lost = forked.proposed_keys() > 0;
    forked.waiting.clear();
    view.outbox.retain(|held| held.group != group);
    view.lose(lost);
    if is_remembered {
        view.groups.get_mut(&group).unwrap().epoch = last;
    }
    view.forget(group);
    true
}

/// What is written on one branch cannot be read on the other.
fn refuse_to_read_the_other_branch(world: &mut World, client: ClientIndex, group: GroupIndex) {
    let id = world.groups[group].id.clone();
    let mut clients = 0..world.devices.len();
    let other = clients.find(|other| {
        let view = world.devices[*other].view.groups.get(&group);
        let epoch = world.devices[client].view.groups[&group].epoch + 1;
        view.is_some_and(|view| view.active && view.epoch == epoch && *other != client)
    });
    let Some(other) = other else { return };
    let device = &mut world.devices[client];
    device.load_all();
    let written = device.client.encrypt_message(&id, b"alone").unwrap();
    let code = Expected::Code("undecryptable");
    world.look(other, code, |mls| mls.inspect_message(&written));
}

/// Goes on in a new group, with whoever has a key package.
pub fn reboot(world: &mut World, client: ClientIndex) -> bool {
    let Some(old) = world.any_group(client) else {
        return false;
    };
    if groups::alive(world) > groups::GROUPS {
        return false;
    }
    let mut packages = BTreeMap::new();
    for _ in 0..1 + world.rng.below(3) {
        let drawn = proposals::draw_package_of(world, client, old, &BTreeSet::new());
        if let Some((other, package)) = drawn {
            packages.entry(other).or_insert(package);
        }
    }
    let old_id = world.groups[old].id.clone();
    let code = Expected::Code("invalid-argument");
    let nobody = Reboot::default();
    world.attempt(client, code, |mls| mls.reboot_group(&old_id, &nobody, None));
    if packages.is_empty() {
        return true;
    }
    let other_context = world.rng.chance(50).then(|| proposals::draw_context(world));
    let view = world.view(client, old);
    let settings = view.settings.clone();
    let epoch = &world.groups[old].epochs[view.epoch as usize];
    let context = other_context.clone().unwrap_or(epoch.context.clone());
    let psk = world.rng.chance(30).then(|| vec![SHARED_PSKS[0]]);
    let reboot = Reboot {
        key_packages: packages.values().map(|one| one.bytes.clone()).collect(),
        extensions: other_context.map(|context| world.extensions(&context)),
        external_psks: psk.clone().into_iter().collect(),
        ..Reboot::default()
    };
    let taken = Reboot {
        group_id: Some(old_id.clone()),
        ..reboot.clone()
    };
    let psks: BTreeSet<Psk> = psk.into_iter().map(Psk::External).collect();
    let possible = match psks.is_subset(&world.devices[client].view.psks) {
        true => Ok(()),
        false => Err("unknown-psk"),
    };
    world.attempt(client, possible.and(Err("group-exists")), |mls| {
        mls.reboot_group(&old_id, &taken, None)
    });
    let entry_id = world.some_id();
    let made = world.attempt(client, possible, |mls| {
        mls.reboot_group(&old_id, &reboot, entry_id.as_deref())
    });
    let Some(entry) = made else { return true };
    let group = world.groups.len();
    let Group {
        wire, past, strict, ..
    } = world.groups[old];
    world.groups.push(Group {
        id: entry.group_id.clone(),
        wire,
        past,
        strict,
        rotated: false,
        log: vec![],
        epochs: vec![Epoch {
            members: [(0, client)].into(),
            context,
            said: None,
            tree: None,
            secrets: Default::default(),
        }],
        pending_secrets: Default::default(),
    });
    let mut view = GroupView::new(0, 0, settings, 1);
    view.resumption = groups::created_resumption(0);
    let all = world.view_mut(client);
    all.groups.insert(group, view);
    all.sessions.push(Session::from_the_start(group));
    let added = packages.into_iter();
    let effect = Effect {
        added: added.map(|(other, one)| (other, one.reference)).collect(),
        psks,
        ..Effect::default()
    };
    committed::made(world, client, group, entry, effect, &[]);
    true
}
