//! Key packages: made, published, noted, deleted.

use std::collections::BTreeSet;

use openmls::prelude::OpenMlsCrypto;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::types::HashType;
use openmls_wasm::client::{KeyPackageOptions, KeyPackageState};

use super::{
    device::{Expected, Published, Release},
    service::ClientIndex,
    view::{Note, Package},
    world::World,
};

pub fn generate_key_packages(world: &mut World, client: ClientIndex) -> bool {
    let last_resort = world.rng.chance(20);
    let count = if last_resort {
        1
    } else {
        1 + world.rng.below(3)
    };
    let generate = |mls: &mut openmls_wasm::MlsClient| match last_resort {
        true => mls.generate_last_resort_key_package().map(|one| vec![one]),
        false => mls.generate_key_packages(count as u32),
    };
    let generated = world.attempt(client, Expected::Ok, generate).unwrap();
    assert_eq!(generated.len(), count);
    for bytes in generated {
        generated_one(world, client, bytes, last_resort);
    }
    check_key_packages(world, client);
    true
}

fn generated_one(world: &mut World, client: ClientIndex, bytes: Vec<u8>, last_resort: bool) {
    let reference = reference(&bytes);
    let device = &mut world.devices[client];
    device.view.packages.push(Package {
        reference: reference.clone(),
        bytes: bytes.clone(),
        last_resort,
        expired: None,
    });
    device.unreleased.push(Release::KeyPackage(Published {
        reference,
        bytes,
        last_resort,
    }));
}

/// Makes as many as are missing, and hands out again what may not have been published.
pub fn replenish(world: &mut World, client: ClientIndex) -> bool {
    let level = world.rng.below(5);
    let view = &world.devices[client].view;
    let for_one_use = view.packages.iter();
    let for_one_use =
        for_one_use.filter(|package| !package.last_resort && package.expired.is_none());
    let held = for_one_use.clone().count();
    let unnoted = for_one_use.filter(|package| !view.notes.contains_key(&package.reference));
    let unpublished: BTreeSet<_> = unnoted.map(|package| package.reference.clone()).collect();
    let options = KeyPackageOptions::default();
    let returned = world.attempt(client, Expected::Ok, |mls| {
        mls.replenish_key_packages(level as u32, &options)
    });
    let returned = returned.unwrap();
    let again = returned.iter().map(|bytes| reference(bytes));
    let again: BTreeSet<_> = again.collect();
    assert!(unpublished.is_subset(&again));
    assert_eq!(
        again.len(),
        unpublished.len() + level.saturating_sub(held),
        "so many are missing"
    );
    for bytes in returned {
        if !unpublished.contains(&reference(&bytes)) {
            generated_one(world, client, bytes, false);
        }
    }
    check_key_packages(world, client);
    true
}

pub fn mark_given_out(world: &mut World, client: ClientIndex) -> bool {
    let Some(package) = world.rng.pick(&world.devices[client].view.packages) else {
        return false;
    };
    let references = [package.reference.clone()];
    world.attempt(client, Expected::Ok, |mls| {
        mls.mark_key_packages_given_out(&references)
    });
    let notes = &mut world.view_mut(client).notes;
    notes.entry(package.reference).or_insert(Note::GivenOut);
    check_key_packages(world, client);
    true
}

/// As if another client belonged to the same user.
pub fn note_of_other(world: &mut World, client: ClientIndex) -> bool {
    let other = world.rng.below(world.devices.len());
    let Some(package) = world.rng.pick(&world.packages[other]) else {
        return false;
    };
    let packages = [package.bytes];
    world.attempt(client, Expected::Ok, |mls| {
        mls.note_key_packages_of_other_clients(&packages)
    });
    let view = world.view_mut(client);
    let mut own = view.packages.iter();
    if own.all(|own| own.reference != package.reference) {
        let note = view.notes.entry(package.reference);
        note.or_insert(Note::OfOtherClient);
    }
    true
}

pub fn delete_key_packages(world: &mut World, client: ClientIndex) -> bool {
    let Some(package) = world.rng.pick(&world.devices[client].view.packages) else {
        return false;
    };
    let references = [package.reference.clone()];
    world.attempt(client, Expected::Ok, |mls| {
        mls.delete_key_packages(&references)
    });
    let view = world.view_mut(client);
    view.packages
        .retain(|own| own.reference != package.reference);
    view.notes.remove(&package.reference);
    // Often, but not always, the service hears of it.
    if world.rng.chance(70) {
        world.packages[client].retain(|published| published.reference != package.reference);
    }
    check_key_packages(world, client);
    true
}

/// All own key packages with their state, also of those that are used up.
pub fn check_key_packages(world: &World, client: ClientIndex) {
    let device = &world.devices[client];
    let shown = device.client.key_packages().unwrap();
    let shown: BTreeSet<_> = shown
        .into_iter()
        .map(|info| {
            let state = match info.state {
                KeyPackageState::Available => None,
                KeyPackageState::GivenOut => Some(Note::GivenOut),
                KeyPackageState::Used => Some(Note::Used),
                KeyPackageState::Expired => Some(Note::Purged),
            };
            (info.reference, state, info.has_private_keys)
        })
        .collect();
    let view = &device.view;
    let held = view.packages.iter().map(|package| {
        let note = match package.expired {
            Some(_) => Some(Note::Purged),
            None => view.notes.get(&package.reference).copied(),
        };
        (package.reference.clone(), note, true)
    });
    let held: BTreeSet<_> = held.collect();
    let gone = view.notes.iter().filter(|(reference, note)| {
        matches!(note, Note::Used | Note::Purged)
            && held.iter().all(|(held, ..)| held != *reference)
    });
    let gone = gone.map(|(reference, note)| (reference.clone(), Some(*note), false));
    let expected: BTreeSet<_> = gone.chain(held.clone()).collect();
    assert_eq!(shown, expected, "key packages of client {client}");
}

/// The reference of a key package: `RefHash` of RFC 9420 §5.2, for suites with SHA-256.
pub fn reference(message: &[u8]) -> Vec<u8> {
    let label = b"MLS 1.0 KeyPackage Reference";
    let key_package = &message[4..]; // version and wire format
    let length = key_package.len() as u16;
    assert!((64..1 << 14).contains(&length), "a length of two bytes");
    let mut input = vec![label.len() as u8];
    input.extend(label);
    input.extend((length | 0x4000).to_be_bytes());
    input.extend(key_package);
    RustCrypto::default()
        .hash(HashType::Sha2_256, &input)
        .unwrap()
}
