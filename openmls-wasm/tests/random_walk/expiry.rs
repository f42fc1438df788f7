//! Key packages whose lifetime is over. They are made as if long ago: a walk does not wait.

use std::{collections::BTreeSet, rc::Rc};

use openmls::prelude::Lifetime;
use openmls_wasm::client::LifetimeStatus;

use super::{
    device::Expected,
    packages,
    service::{ClientIndex, Welcome},
    view::{Note, Package},
    world::World,
};
use crate::common::bare::key_package_of;

const WEEK: u64 = 60 * 60 * 24 * 7;

/// A key package has expired: others take it no more. Of one that has done so long ago nothing is
/// remembered when it is purged.
pub fn expire(world: &mut World, client: ClientIndex) -> bool {
    let now = Lifetime::new(0).not_after();
    let is_ancient = world.rng.chance(30);
    let ago = if is_ancient { 6 * WEEK } else { WEEK };
    world.devices[client].load_all();
    let bytes = key_package_of(&world.devices[client].client, now - 8 * WEEK, now - ago);
    world.view_mut(client).packages.push(Package {
        reference: packages::reference(&bytes),
        bytes: bytes.clone(),
        last_resort: false,
        expired: Some(is_ancient),
    });
    packages::check_key_packages(world, client);
    let other = world.rng.below(world.devices.len());
    let seen = world.look(other, Expected::Ok, |mls| mls.inspect_key_package(&bytes));
    assert_eq!(seen.unwrap().lifetime, LifetimeStatus::Expired);
    let code = Expected::Code("invalid-key-package");
    let noted = [bytes.clone()];
    world.attempt(other, code, |mls| {
        mls.note_key_packages_of_other_clients(&noted)
    });
    let Some(group) = world.active_group(other) else {
        return true;
    };
    let id = world.groups[group].id.clone();
    let possible = world.devices[other].view.refusal(group);
    world.attempt(other, possible.and(Err("invalid-key-package")), |mls| {
        mls.add_members(&id, &noted, None)
    });
    true
}

pub fn purge(world: &mut World, client: ClientIndex) -> bool {
    let (gone, kept): (Vec<Package>, Vec<Package>) = {
        let packages = world.devices[client].view.packages.iter().cloned();
        packages.partition(|package| package.expired.is_some())
    };
    if gone.is_empty() && world.rng.chance(80) {
        return false;
    }
    let purged = world.attempt(client, Expected::Ok, |mls| mls.purge_expired_key_packages());
    let purged: BTreeSet<_> = purged.unwrap().into_iter().collect();
    let expected = gone.iter().map(|package| package.reference.clone());
    assert_eq!(purged, expected.collect());
    let view = world.view_mut(client);
    view.packages = kept;
    for package in gone {
        view.notes.remove(&package.reference);
        if package.expired == Some(false) {
            view.notes.insert(package.reference, Note::Purged);
        }
    }
    packages::check_key_packages(world, client);
    true
}

/// A Welcome that was made in time and waited: it names a key package that has expired, and may have
/// been purged.
pub fn join_late(world: &mut World, client: ClientIndex) -> bool {
    let view = &world.devices[client].view;
    let purged = view.notes.iter();
    let purged = purged.filter(|(_, note)| **note == Note::Purged);
    let expired = view.packages.iter().filter(|one| one.expired.is_some());
    let references = purged.map(|(reference, _)| reference.clone());
    let references = references.chain(expired.map(|one| one.reference.clone()));
    let references: Vec<Vec<u8>> = references.collect();
    let everybody: Vec<Rc<Welcome>> = world.welcomes.iter().flatten().cloned().collect();
    let (Some(reference), Some(welcome)) =
        (world.rng.pick(&references), world.rng.pick(&everybody))
    else {
        return false;
    };
    let mut bytes = welcome.bytes.clone();
    let named = &welcome.references[0];
    let mut windows = bytes.windows(named.len());
    let Some(at) = windows.position(|window| window == named) else {
        return false;
    };
    bytes[at..at + named.len()].copy_from_slice(&reference);
    let view = &world.devices[client].view;
    if welcome.references[1..]
        .iter()
        .any(|other| view.packages.iter().any(|own| own.reference == *other))
    {
        return false; // that one is for it
    }
    let is_used = |other: &Vec<u8>| view.notes.get(other) == Some(&Note::Used);
    let is_held = view.packages.iter().any(|own| own.reference == reference);
    let code = match (is_held, welcome.references[1..].iter().any(is_used)) {
        // It is opened, and is for another.
        (true, _) => "invalid-welcome",
        (_, true) => "key-package-used",
        _ => "key-package-expired",
    };
    let code = Expected::Code(code);
    world.attempt(client, code, |mls| mls.join_group(&bytes));
    world.look(client, code, |mls| mls.inspect_welcome(&bytes, None));
    true
}
