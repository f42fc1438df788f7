//! What members tell each other, or ask of their client, without changing the group.

use openmls_wasm::{client::InboxContent, MlsClient};

use super::{
    device::{Expected, Named},
    service::{ClientIndex, GroupIndex},
    world::World,
};

/// Another member in the same epoch.
fn companion(world: &mut World, client: ClientIndex, group: GroupIndex) -> Option<ClientIndex> {
    let epoch = world.view(client, group).epoch;
    let members = world.members(client, group).values().copied();
    let others: Vec<ClientIndex> = members
        .filter(|other| {
            let view = world.devices[*other].view.groups.get(&group);
            *other != client && view.is_some_and(|view| view.active && view.epoch == epoch)
        })
        .collect();
    world.rng.pick(&others)
}

/// Two members compare whom they see.
pub fn compare_keys(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.active_group(client) else {
        return false;
    };
    let Some(other) = companion(world, client, group) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let own = world.view(client, group).own_leaf;
    let theirs = world.view(other, group).own_leaf;
    let mut seen = vec![];
    for (who, leaf) in [(client, own), (other, own)] {
        seen.push(world.look(who, Expected::Ok, |mls| mls.fingerprint(&id, leaf)));
    }
    for (who, leaf) in [(client, theirs), (other, own)] {
        seen.push(world.look(who, Expected::Ok, |mls| mls.safety_number(&id, leaf)));
    }
    assert_eq!((&seen[0], &seen[2]), (&seen[1], &seen[3]));
    let (fingerprint, both) = (seen[0].clone().unwrap(), seen[2].clone().unwrap());
    assert!(both.contains(&fingerprint));
    world.look(client, Expected::Code("invalid-argument"), |mls| {
        mls.safety_number(&id, own)
    });
    world.look(client, Expected::Code("unknown-member"), |mls| {
        mls.fingerprint(&id, 77)
    });
    true
}

/// A secret for a component, once in an epoch: the same for all.
pub fn safe_export(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let component = world.rng.one_of(&[1, 2, 0x8000]);
    let view = world.view(client, group);
    let epoch = view.epoch;
    let expected = match (view.active, view.exported.contains(&component)) {
        (false, _) => Expected::Code("group-inactive"),
        (_, true) => Expected::Code("secret-consumed"),
        _ => Expected::Ok,
    };
    let secret = world.attempt(client, expected, |mls| {
        mls.safe_export_secret(&id, component)
    });
    if let Some(secret) = secret {
        agree(world, group, epoch, component, secret);
        let view = world.view_mut(client).groups.get_mut(&group).unwrap();
        view.exported.insert(component);
    }
    true
}

/// The same from the epoch that a pending commit leads to.
pub fn safe_export_pending(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let component = world.rng.one_of(&[1, 2, 0x8000]);
    let view = &world.devices[client].view;
    let held = view.pending_commit(group);
    let held = held.filter(|held| held.joins.is_none());
    let view = &view.groups[&group];
    let expected = match (held, view.exported_pending.contains(&component)) {
        (None, _) => Expected::Code("no-pending-commit"),
        (_, true) => Expected::Code("secret-consumed"),
        _ => Expected::Ok,
    };
    if held.is_none() && world.rng.chance(80) {
        return false;
    }
    let commit = held.map(|held| held.entry.id.clone());
    let secret = world.attempt(client, expected, |mls| {
        mls.safe_export_pending_secret(&id, component)
    });
    if let (Some(secret), Some(commit)) = (secret, commit) {
        let known = &mut world.groups[group].pending_secrets;
        known.insert((commit, component), secret);
        let view = world.view_mut(client).groups.get_mut(&group).unwrap();
        view.exported_pending.insert(component);
    }
    true
}

/// All members of an epoch derive the same, whoever committed it before the others.
fn agree(world: &mut World, group: GroupIndex, epoch: u64, component: u16, secret: Vec<u8>) {
    let group = &mut world.groups[group];
    let ended = epoch.checked_sub(1);
    let commit = group.log.iter().find(|sent| {
        let is_commit = matches!(sent.what, super::service::What::Commit(_));
        is_commit && Some(sent.epoch) == ended
    });
    let pending = commit.and_then(|sent| {
        let key = (sent.id.clone(), component);
        group.pending_secrets.get(&key).cloned()
    });
    let known = &mut group.epochs[epoch as usize].secrets;
    let known = known.entry(component).or_insert_with(|| secret.clone());
    assert_eq!(*known, secret, "a component's secret");
    assert!(pending.is_none_or(|pending| pending == secret));
}

/// What a client tells of itself, and a backup of its identity.
pub fn identify(world: &mut World, client: ClientIndex) -> bool {
    let suite = world.suite;
    let device = &world.devices[client];
    assert!(device.client.supported_ciphersuites().contains(&suite));
    let identity = device.client.identity().unwrap().unwrap();
    let party = &device.party;
    assert_eq!(identity.signature_public_key, party.signature_key);
    let signed = world.look(client, Expected::Ok, |mls| {
        mls.sign_with_label("walk", b"content")
    });
    world.look(client, Expected::Code("reserved-label"), |mls| {
        mls.sign_with_label("LeafNodeTBS", b"content")
    });
    let key = world.look(client, Expected::Ok, |mls| {
        mls.export_signature_private_key()
    });
    let mut elsewhere = MlsClient::new();
    let taken_over = elsewhere.restore_identity(identity.clone(), &key.unwrap());
    assert_eq!(taken_over, Ok(()));
    assert_eq!(elsewhere.sign_with_label("walk", b"content").ok(), signed);
    world.attempt(client, Expected::Code("identity-exists"), |mls| {
        mls.restore_identity(identity.clone(), &[0; 32])
    });
    true
}

/// What a key package of another says.
pub fn inspect_key_package(world: &mut World, client: ClientIndex) -> bool {
    let other = world.rng.below(world.devices.len());
    let Some(package) = world.rng.pick(&world.packages[other]) else {
        return false;
    };
    let bytes = &package.bytes;
    let seen = world.look(client, Expected::Ok, |mls| mls.inspect_key_package(bytes));
    let seen = seen.unwrap();
    let party = &world.devices[other].party;
    let (identity, certificates) = seen.credential.into_parts();
    assert_eq!(
        super::device::Owner::of(&identity, &certificates),
        party.owner()
    );
    assert_eq!(seen.signature_key, party.signature_key);
    assert_eq!(seen.reference, package.reference);
    assert_eq!(seen.last_resort, package.last_resort);
    true
}

/// What an own entry of the outbox would be if it came back now.
pub fn inspect_own(world: &mut World, client: ClientIndex) -> bool {
    let held = world.devices[client].view.outbox.iter();
    let held: Vec<_> = held
        .filter(|held| {
            let view = world.devices[client].view.groups.get(&held.group);
            let in_step = view.is_some_and(|view| view.active && view.epoch == held.entry.epoch);
            held.sent
                .as_ref()
                .is_some_and(|sent| sent.by.leaf().is_some())
                && in_step
        })
        .cloned()
        .collect();
    let Some(held) = world.rng.pick(&held) else {
        return false;
    };
    let bytes = held.entry.bytes.unwrap();
    let seen = world.look(client, Expected::Ok, |mls| mls.inspect_message(&bytes));
    let content = seen.unwrap().content;
    match held.entry.kind {
        openmls_wasm::client::OutboxKind::Commit => {
            assert!(matches!(content, InboxContent::Commit { own: true, .. }));
        }
        _ => assert_eq!(content, InboxContent::OwnMessage),
    }
    true
}
