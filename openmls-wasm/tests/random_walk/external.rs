//! Joining by external commit (RFC 9420 §12.4.3.2): whoever is not in the group, or out of step with
//! it, comes in by itself.

use std::{collections::BTreeSet, rc::Rc};

use openmls_wasm::client::{Delivered, ExternalJoin, OutboxKind};

use super::{
    device::{Expected, SHARED_PSKS},
    early,
    effect::{Effect, Proposed, Psk, Sender},
    groups,
    service::{ClientIndex, Group, GroupIndex, Members, Sent, What},
    view::{GroupView, Held, Item, Joining, Said, Session},
    world::World,
};

pub fn join(world: &mut World, client: ClientIndex) -> bool {
    // Somebody who is up to date says what the group is.
    let groups: Vec<GroupIndex> = (0..world.groups.len()).collect();
    // Often where it did not follow a commit.
    let lost = |group: &&GroupIndex| {
        let view = world.devices[client].view.groups.get(group);
        view.is_some_and(|view| view.active && view.lost)
    };
    let out_of_step: Vec<GroupIndex> = groups.iter().filter(lost).copied().collect();
    let drawn = match world.rng.chance(70) {
        true => world.rng.pick(&out_of_step),
        false => None,
    };
    let Some(group) = drawn.or_else(|| world.rng.pick(&groups)) else {
        return false;
    };
    let epoch = world.groups[group].epoch();
    let members = world.groups[group].epochs[epoch as usize].members.clone();
    let is_informed = |other: &&ClientIndex| {
        let view = world.devices[**other].view.groups.get(&group);
        view.is_some_and(|view| view.active && view.epoch == epoch)
    };
    let informed: Vec<ClientIndex> = members.values().filter(is_informed).copied().collect();
    let is_member = members.values().any(|member| *member == client);
    // By the signature key of its old leaf it is known which one the commit removes: a client that
    // has forgotten that key would be in the group twice.
    let is_known = !world.groups[group].rotated || knows_own_leaf(world, client, group);
    if is_member && (!is_known || drawn.is_none() && world.rng.chance(60)) {
        return false;
    }
    let Some(informant) = world.rng.pick(&informed) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let with_tree = world.rng.chance(60);
    let info = world.look(informant, Expected::Ok, |mls| {
        mls.export_group_info(&id, with_tree)
    });
    let info = info.unwrap();
    check_info(world, client, group, &info, with_tree);
    let tree = world.look(informant, Expected::Ok, |mls| mls.export_ratchet_tree(&id));
    let drawn = super::groups::draw_settings(world, client, group);
    // A group that is stored is joined anew with the settings that it has.
    let stored = world.devices[client].view.groups.get(&group);
    let other = world.rng.chance(30).then(|| drawn.clone());
    let kept = stored.map_or(drawn, |view| view.settings.clone());
    let settings = other.clone().unwrap_or(kept);
    let key = stored.filter(|view| view.active).and_then(|view| view.key);
    let entry_id = world.some_id();
    let psk = world.rng.chance(20).then(|| vec![SHARED_PSKS[0]]);
    let psks: BTreeSet<Psk> = psk.clone().into_iter().map(Psk::External).collect();
    let leaving = match world.rng.chance(70) {
        true => leaving(world, client, group),
        false => vec![],
    };
    let join = ExternalJoin {
        authenticated_data: world.some_data(),
        ratchet_tree: tree.filter(|_| !with_tree),
        settings: other,
        external_psks: psk.clone().into_iter().collect(),
        self_removes: leaving.iter().map(|sent| sent.bytes.clone()).collect(),
        ..ExternalJoin::default()
    };
    let old: BTreeSet<u32> = members
        .iter()
        .filter(|(_, member)| **member == client)
        .map(|(leaf, _)| *leaf)
        .collect();
    let gone = leaving.iter().filter_map(|sent| sent.by.leaf());
    let by_self_remove = true;
    let proposed = Proposed::Leave { by_self_remove };
    let effect = Effect {
        added: vec![(client, vec![])],
        removed: old.into_iter().chain(gone).collect(),
        references: leaving
            .iter()
            .map(|sent| (sent.by, proposed.clone()))
            .collect(),
        psks,
        ..Effect::default()
    };
    let view = &world.devices[client].view;
    let expected = match view.pending_commit(group) {
        Some(_) => Expected::Code("pending-commit"),
        None if !effect.psks.is_subset(&view.psks) => Expected::Code("unknown-psk"),
        None => Expected::Ok,
    };
    if !leaving.is_empty() {
        world.tally("  an external commit with SelfRemove proposals".into());
    }
    if expected == Expected::Ok && !with_tree {
        let without = ExternalJoin::default();
        let code = Expected::Code("ratchet-tree-missing");
        world.attempt(client, code, |mls| {
            mls.join_by_external_commit(&info, &without, None)
        });
    }
    if expected == Expected::Ok {
        let after = super::service::after(&members, &effect);
        let shown = world.look(client, Expected::Ok, |mls| {
            mls.inspect_external_join(&info, &join)
        });
        let members = shown.unwrap().members;
        let members = members.iter();
        let members = members.map(|one| (one.leaf_index, world.who(one)));
        assert_eq!(members.collect::<Members>(), after);
    }
    let made = world.attempt(client, expected, |mls| {
        mls.join_by_external_commit(&info, &join, entry_id.as_deref())
    });
    let Some(entry) = made else { return true };
    assert_eq!(
        (entry.kind, entry.epoch, &entry.welcome),
        (OutboxKind::Commit, epoch, &None)
    );
    assert_eq!(entry.authenticated_data, join.authenticated_data);
    let sent = Rc::new(Sent {
        id: entry.id.clone(),
        group,
        sender: client,
        by: Sender::NewMember,
        epoch,
        private: false,
        generation: 0,
        bytes: entry.bytes.clone().unwrap(),
        what: What::Commit(effect),
    });
    let view = world.view_mut(client);
    view.has_sequence = true;
    view.outbox.push(Held {
        entry,
        group,
        sent: Some(sent),
        joins: Some(Joining { settings, key }),
    });
    true
}

/// The SelfRemove proposals of others that the service has for this epoch.
fn leaving(world: &World, client: ClientIndex, group: GroupIndex) -> Vec<Rc<Sent>> {
    let by_self_remove = true;
    let leave = What::Proposal(Proposed::Leave { by_self_remove });
    let group = &world.groups[group];
    let log = group.log.iter();
    log.filter(|sent| sent.epoch == group.epoch() && sent.what == leave)
        .filter(|sent| sent.sender != client)
        .cloned()
        .collect()
}

/// What a group info says before anybody joins by it.
fn check_info(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    info: &[u8],
    with_tree: bool,
) {
    let details = world.look(client, Expected::Ok, |mls| mls.inspect_group_info(info));
    let details = details.unwrap();
    let Group { id, epochs, .. } = &world.groups[group];
    assert_eq!(&details.group_id, id);
    assert_eq!(details.epoch, epochs.len() as u64 - 1);
    assert_eq!(details.has_ratchet_tree, with_tree);
    assert!(details.has_external_pub);
    let members = &epochs[details.epoch as usize].members;
    assert!(members.contains_key(&details.signer));
}

/// Whether the client has the key of the leaf that it has in the group now: no commit that it has not
/// read has taken the leaf away or given it another key.
fn knows_own_leaf(world: &World, client: ClientIndex, group: GroupIndex) -> bool {
    let view = world.devices[client].view.groups.get(&group);
    let Some(view) = view.filter(|view| view.active) else {
        return false;
    };
    let mut unread = world.groups[group].log.iter();
    unread.all(|sent| match &sent.what {
        What::Commit(effect) if sent.epoch >= view.epoch => {
            !effect.removed.contains(&view.own_leaf)
                && effect.updated.get(&view.own_leaf) != Some(&true)
                && (sent.sender != client || !effect.new_key)
        }
        _ => true,
    })
}

fn leaf_of(members: &Members, client: ClientIndex) -> u32 {
    let own = members.iter().find(|(_, member)| **member == client);
    *own.unwrap().0
}

/// The service took the commit of a client that is in no such group: the client is told of nothing
/// before it in the log.
pub fn accept(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let mut joining = view.outbox.iter().filter(|held| held.joins.is_some());
    let accepted = joining.find_map(|held| {
        let active = view.groups.get(&held.group).is_some_and(|view| view.active);
        let log = &world.groups[held.group].log;
        let position = log.iter().position(|sent| sent.id == held.entry.id)?;
        (!active).then_some((held.group, position as u64 + 1, held.entry.id.clone()))
    });
    let Some((group, position, id)) = accepted else {
        return false;
    };
    if world.rng.chance(70) {
        receive_own(world, client, group, position);
        return true;
    }
    let joined = world.attempt(client, Expected::Ok, |mls| mls.accept_external_join(&id));
    assert_eq!(joined.as_ref(), Some(&world.groups[group].id));
    joined_at(world, client, group, position, None);
    early::early(world, client, group);
    true
}

/// The own external commit comes back in the log: now the client is in.
pub fn receive_own(world: &mut World, client: ClientIndex, group: GroupIndex, position: u64) {
    let sent = world.groups[group].log[position as usize - 1].clone();
    let delivered = Delivered {
        bytes: &sent.bytes,
        id: Some(&sent.id),
        position: Some(position),
        ..Delivered::default()
    };
    let item = world.attempt(client, Expected::Ok, |mls| mls.receive_message(delivered));
    let item = world.item(&item.unwrap().expect("an item"));
    let expected = Item {
        id: sent.id.clone(),
        group: Some(group),
        position: Some(position),
        said: Said::Joined {
            epoch: sent.epoch + 1,
        },
    };
    assert_eq!(item, expected);
    joined_at(world, client, group, position, Some(position));
    world.view_mut(client).inbox.push(item);
    early::early(world, client, group);
}

fn joined_at(
    world: &mut World,
    client: ClientIndex,
    group: GroupIndex,
    position: u64,
    cursor: Option<u64>,
) {
    world.tally("  joined by external commit".into());
    let World {
        devices,
        groups: all,
        ..
    } = world;
    let view = &mut devices[client].view;
    let held = view.joining_by_commit(group).unwrap().clone();
    view.outbox.retain(|other| other.entry.id != held.entry.id);
    let epoch = held.entry.epoch + 1;
    let Joining { settings, key } = held.joins.unwrap();
    if view.groups.contains_key(&group) {
        view.forget(group);
    }
    let own_leaf = leaf_of(&all[group].epochs[epoch as usize].members, client);
    let mut joined = GroupView::new(epoch, own_leaf, settings, position + 1);
    joined.cursor = cursor;
    joined.forget_past(joined.settings.max_past_epochs as u64);
    joined.key = key;
    joined.resumption = groups::created_resumption(epoch);
    view.groups.insert(group, joined);
    view.sessions.push(Session {
        group,
        joined: epoch,
        from: position,
        to: position,
        refused: Default::default(),
    });
}
