//! Groups come and go: create, configure, delete; pre-shared keys, restarts.

use openmls_wasm::client::{GroupOptions, GroupSettings};

use super::{
    device::{Expected, SHARED_PSKS},
    effect::{Context, Psk},
    proposals,
    service::{ClientIndex, Epoch, Group, GroupIndex, Wire},
    view::{GroupView, Resumption, Session},
    world::World,
};

/// So many groups at once that somebody is in; more would only spread the walk thin.
pub const GROUPS: usize = 3;

/// How many groups somebody is in.
pub fn alive(world: &World) -> usize {
    let is_alive = |group: &usize| {
        let mut devices = world.devices.iter();
        devices.any(|device| {
            let view = device.view.groups.get(group);
            view.is_some_and(|view| view.active)
        })
    };
    (0..world.groups.len()).filter(is_alive).count()
}

pub fn create(world: &mut World, client: ClientIndex) -> bool {
    if alive(world) >= GROUPS {
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
            tree: None,
            secrets: Default::default(),
        }],
        pending_secrets: Default::default(),
    });
    let mut view = GroupView::new(0, 0, settings, 1);
    view.resumption = created_resumption(0);
    world.view_mut(client).groups.insert(group, view);
    let session = Session::from_the_start(group);
    world.view_mut(client).sessions.push(session);
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

/// Gives a group that is there other settings, or forgets past epochs at once.
pub fn configure(world: &mut World, client: ClientIndex) -> bool {
    let Some(group) = world.any_group(client) else {
        return false;
    };
    let id = world.groups[group].id.clone();
    let Group {
        wire, past, strict, ..
    } = world.groups[group];
    if world.rng.chance(30) {
        return forget_past(world, client, group);
    }
    let settings = world.settings(wire, past, strict);
    world.attempt(client, Expected::Ok, |mls| {
        mls.configure_group(&id, &settings)
    });
    let view = world.view_mut(client).groups.get_mut(&group).unwrap();
    view.settings = settings;
    view.forget_past(view.settings.max_past_epochs as u64);
    true
}

fn forget_past(world: &mut World, client: ClientIndex, group: GroupIndex) -> bool {
    let id = world.groups[group].id.clone();
    let past = world.groups[group].past;
    // Messages that the service still accepts are to be read.
    let least = if world.groups[group].strict { past } else { 0 };
    let kept = world
        .rng
        .chance(70)
        .then(|| least + world.rng.below(3) as u64);
    let long_ago = world.rng.chance(30).then_some(1_000_000);
    if (kept, long_ago, least) == (None, None, past) && past > 0 {
        return false;
    }
    world.attempt(client, Expected::Ok, |mls| {
        mls.delete_past_epoch_secrets(&id, long_ago, kept.map(|kept| kept as usize))
    });
    let view = world.view_mut(client).groups.get_mut(&group).unwrap();
    match (kept, long_ago) {
        (Some(kept), _) => view.forget_past(kept),
        (None, Some(_)) => {}
        (None, None) => view.forget_past(0),
    }
    true
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

/// Closes in good order and opens again; the database may be one of layout 4 then.
pub fn reopen(world: &mut World, client: ClientIndex) -> bool {
    let released = world.devices[client].save();
    world.release(client, released);
    if world.rng.chance(30) {
        let device = &mut world.devices[client];
        device.database = device.database.apart();
    }
    world.devices[client].die(false);
    super::records::check(world, client);
    true
}
