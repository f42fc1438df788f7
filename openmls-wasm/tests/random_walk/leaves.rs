//! The own leaf: new credentials and signature keys. A certificate is made for a key that is there
//! before, and whose proposal or commit may be lost: then the key waits again.

use openmls_wasm::client::{Credential, LeafUpdate};

use super::{
    device::{Expected, Owner},
    service::ClientIndex,
    world::World,
};
use crate::common::x509;

/// What is asked of the own leaf.
#[derive(Clone, Default)]
pub struct Leaf {
    pub update: LeafUpdate,
    pub new_key: bool,
    /// Why it cannot be, if it cannot.
    pub refusal: Option<&'static str>,
}

pub fn draw(world: &mut World, client: ClientIndex, new_key: bool) -> Leaf {
    match world.devices[client].view.is_certified {
        true => draw_certified(world, client, new_key),
        false => draw_basic(world, client, new_key),
    }
}

fn draw_basic(world: &mut World, client: ClientIndex, new_key: bool) -> Leaf {
    let has_new_name = world.rng.chance(20);
    let name = format!("client {client}, {}", world.number()).into_bytes();
    let credential = has_new_name.then(|| Credential::basic(&name));
    if has_new_name {
        let owner = Owner::of(&name, &[]);
        world.devices[client].names.push(owner);
    }
    Leaf {
        update: LeafUpdate {
            credential,
            new_signature_key: new_key,
            ..LeafUpdate::default()
        },
        new_key,
        refusal: None,
    }
}

fn draw_certified(world: &mut World, client: ClientIndex, new_key: bool) -> Leaf {
    if !new_key {
        return Leaf::default();
    }
    if world.rng.chance(20) {
        // There is no certificate for a key that nobody has seen.
        let new_signature_key = true;
        return Leaf {
            update: LeafUpdate {
                new_signature_key,
                ..LeafUpdate::default()
            },
            new_key,
            refusal: Some("invalid-credential"),
        };
    }
    let suite = world.suite;
    let key = world.attempt(client, Expected::Ok, |mls| {
        mls.generate_signature_key(suite)
    });
    let key = key.unwrap();
    world.view_mut(client).has_generated_key = true;
    let name = format!("client {client}");
    let info = x509::request_info(&name, &key);
    world.look(client, Expected::Ok, |mls| {
        mls.sign_certification_request(&info)
    });
    let strange = world.rng.chance(10);
    let certified = if strange { vec![1; 32] } else { key };
    let certificates = vec![x509::certificate(&name, &certified)];
    let owner = Owner::of(&[], &certificates);
    world.devices[client].names.push(owner);
    Leaf {
        update: LeafUpdate {
            credential: Some(Credential::X509 { certificates }),
            new_signature_key: world.rng.chance(50),
            ..LeafUpdate::default()
        },
        new_key,
        refusal: strange.then_some("invalid-credential"),
    }
}

/// A commit or proposal with the new leaf was made: the key does not wait any more.
pub fn used(world: &mut World, client: ClientIndex, leaf: &Leaf) {
    if leaf.new_key {
        world.view_mut(client).has_generated_key = false;
    }
}
