//! Key packages: what they are made with, how they stand, and what a Welcome says for one whose
//! private keys are gone.

mod common;

use common::{bare::key_package_of, code, Database, Device};
use openmls::prelude::Lifetime;
use openmls_wasm::{
    client::{
        AppCapabilities, Capabilities, Credential, DeliveredWelcome, Extension, InboxContent,
        KeyPackageInfo, KeyPackageOptions, KeyPackageState, LifetimeStatus,
    },
    storage::{key::bytes_key, Category},
    MlsClient,
};

const WEEK: u64 = 7 * 24 * 3600;

fn now() -> u64 {
    Lifetime::new(0).not_after()
}

fn reference(client: &MlsClient, key_package: &[u8]) -> Vec<u8> {
    client.inspect_key_package(key_package).unwrap().reference
}

fn info(client: &MlsClient, reference: &[u8]) -> Option<KeyPackageInfo> {
    let infos = client.key_packages().unwrap();
    let mut found = infos.into_iter().filter(|info| info.reference == reference);
    let info = found.next();
    assert_eq!(found.next(), None, "listed twice");
    info
}

fn state(client: &MlsClient, reference: &[u8]) -> (KeyPackageState, bool) {
    let info = info(client, reference).expect("a known key package");
    (info.state, info.has_private_keys)
}

/// A Welcome of a new group for this key package, which must be valid.
fn welcome_for(key_package: &[u8]) -> Vec<u8> {
    let mut alice = Device::new("alice");
    let group = alice.client.create_group(None).unwrap();
    let added = alice
        .client
        .add_members(&group, &[key_package.to_vec()], None)
        .unwrap();
    added.welcome.unwrap()
}

/// A Welcome that names the key package `reference`, as one made in time would.
fn welcome_naming(reference: &[u8]) -> Vec<u8> {
    let mut other = Device::new("other");
    let key_package = other.client.generate_key_packages(1).unwrap().remove(0);
    let named = self::reference(&other.client, &key_package);
    let mut welcome = welcome_for(&key_package);
    let at = welcome
        .windows(named.len())
        .position(|window| window == named)
        .unwrap();
    welcome[at..at + named.len()].copy_from_slice(reference);
    welcome
}

/// The Welcome is refused for good, with this code, and nothing else happens.
fn assert_refused(device: &mut Device, welcome: &[u8], expected: &str) {
    let before = Database::of(&device.client);
    assert_eq!(code(device.client.join_group(welcome)), expected);
    assert_eq!(Database::of(&device.client), before);
    let delivered = DeliveredWelcome {
        bytes: welcome,
        id: None,
        position: None,
        group_position: None,
        ..Default::default()
    };
    let item = device.client.receive_welcome(delivered).unwrap().unwrap();
    let failed = InboxContent::Failed {
        code: expected.into(),
    };
    assert_eq!(item.content, failed);
    device.client.acknowledge_inbox(&[item.id]).unwrap();
    device.save();
}

#[test]
fn a_key_package_is_available_then_given_out_then_used() {
    let mut bob = Device::new("bob");
    let made = bob.client.generate_key_packages(2).unwrap();
    let [first, second] = [0, 1].map(|index| reference(&bob.client, &made[index]));
    assert_eq!(
        state(&bob.client, &first),
        (KeyPackageState::Available, true)
    );
    let unknown = [first.clone(), vec![1; 32]];
    assert_eq!(
        code(bob.client.mark_key_packages_given_out(&unknown)),
        "unknown-key-package"
    );
    assert_eq!(
        state(&bob.client, &first),
        (KeyPackageState::Available, true),
        "all or none"
    );
    bob.client
        .mark_key_packages_given_out(std::slice::from_ref(&first))
        .unwrap();
    bob.save();
    bob.crash();
    assert_eq!(
        state(&bob.client, &first),
        (KeyPackageState::GivenOut, true)
    );
    assert_eq!(
        state(&bob.client, &second),
        (KeyPackageState::Available, true)
    );
    bob.client.join_group(&welcome_for(&made[0])).unwrap();
    bob.save();
    bob.crash();
    assert_eq!(state(&bob.client, &first), (KeyPackageState::Used, false));
    assert_eq!(
        state(&bob.client, &second),
        (KeyPackageState::Available, true)
    );
    // The delivery service hears of the upload late.
    bob.client
        .mark_key_packages_given_out(std::slice::from_ref(&first))
        .unwrap();
    assert_eq!(state(&bob.client, &first), (KeyPackageState::Used, false));
}

#[test]
fn a_last_resort_key_package_that_was_used_can_be_used_again() {
    let mut bob = Device::new("bob");
    let made = bob.client.generate_last_resort_key_package().unwrap();
    let reference = reference(&bob.client, &made);
    for _ in 0..2 {
        bob.client.join_group(&welcome_for(&made)).unwrap();
        assert_eq!(
            state(&bob.client, &reference),
            (KeyPackageState::Used, true)
        );
    }
    bob.client
        .delete_key_packages(std::slice::from_ref(&reference))
        .unwrap();
    assert_eq!(info(&bob.client, &reference), None);
}

#[test]
fn a_welcome_says_what_became_of_its_key_package() {
    let mut bob = Device::new("bob");
    let made = bob.client.generate_key_packages(2).unwrap();
    let used = welcome_for(&made[0]);
    bob.client.join_group(&used).unwrap();
    bob.save();
    bob.crash();
    assert_refused(&mut bob, &used, "key-package-used");
    let again = welcome_naming(&reference(&bob.client, &made[0]));
    assert_refused(&mut bob, &again, "key-package-used");

    let deleted = reference(&bob.client, &made[1]);
    let welcome = welcome_for(&made[1]);
    bob.client.delete_key_packages(&[deleted]).unwrap();
    bob.save();
    assert_refused(&mut bob, &welcome, "no-matching-key-package");

    let expired = key_package_of(&bob.client, now() - WEEK, now() - 1);
    let expired = reference(&bob.client, &expired);
    assert_eq!(
        state(&bob.client, &expired),
        (KeyPackageState::Expired, true)
    );
    assert_eq!(
        bob.client.purge_expired_key_packages().unwrap(),
        std::slice::from_ref(&expired)
    );
    bob.save();
    bob.crash();
    assert_eq!(
        state(&bob.client, &expired),
        (KeyPackageState::Expired, false)
    );
    let welcome = welcome_naming(&expired);
    assert_refused(&mut bob, &welcome, "key-package-expired");

    let mut phone = Device::new("bob's phone");
    let of_phone = phone.client.generate_key_packages(2).unwrap();
    let noted = &of_phone[..1];
    bob.client
        .note_key_packages_of_other_clients(noted)
        .unwrap();
    bob.save();
    bob.crash();
    assert_refused(
        &mut bob,
        &welcome_for(&of_phone[0]),
        "key-package-of-other-client",
    );
    assert_refused(
        &mut bob,
        &welcome_for(&of_phone[1]),
        "no-matching-key-package",
    );
}

#[test]
fn a_welcome_for_several_says_what_concerns_this_client() {
    let (mut bob, mut phone) = (Device::new("bob"), Device::new("bob's phone"));
    let of_phone = phone.client.generate_key_packages(1).unwrap();
    let own = bob.client.generate_key_packages(2).unwrap();
    bob.client
        .note_key_packages_of_other_clients(&of_phone)
        .unwrap();
    for (key_package, joins) in [(&own[0], true), (&own[1], false)] {
        let mut alice = Device::new("alice");
        let group = alice.client.create_group(None).unwrap();
        let both = [of_phone[0].clone(), key_package.clone()];
        let added = alice.client.add_members(&group, &both, None).unwrap();
        let welcome = added.welcome.unwrap();
        if !joins {
            bob.client.join_group(&welcome_for(key_package)).unwrap();
            assert_refused(&mut bob, &welcome, "key-package-used");
        } else {
            bob.client.join_group(&welcome).unwrap();
        }
    }
}

#[test]
fn own_key_packages_are_not_taken_for_those_of_another_client() {
    let mut bob = Device::new("bob");
    let own = bob.client.generate_key_packages(1).unwrap();
    bob.client.note_key_packages_of_other_clients(&own).unwrap();
    let own_reference = reference(&bob.client, &own[0]);
    assert_eq!(
        state(&bob.client, &own_reference),
        (KeyPackageState::Available, true)
    );
    let welcome = welcome_for(&own[0]);
    bob.client.join_group(&welcome).unwrap();
    bob.client.note_key_packages_of_other_clients(&own).unwrap();
    assert_refused(&mut bob, &welcome, "key-package-used");
    // All or none.
    let mut phone = Device::new("bob's phone");
    let of_phone = phone.client.generate_key_packages(1).unwrap().remove(0);
    let before = Database::of(&bob.client);
    let noted = bob
        .client
        .note_key_packages_of_other_clients(&[of_phone, vec![1, 2, 3]]);
    assert_eq!(code(noted), "invalid-key-package");
    assert_eq!(Database::of(&bob.client), before);
    let many = vec![own[0].clone(); 1001];
    let noted = bob.client.note_key_packages_of_other_clients(&many);
    assert_eq!(code(noted), "invalid-argument");
}

#[test]
fn what_is_known_of_old_key_packages_does_not_pile_up() {
    let mut bob = Device::new("bob");
    let notes = |client: &MlsClient| Database::of(client).count(Category::KeyPackageState);
    // Purged long after its end: no Welcome can be waiting any more.
    let ancient = key_package_of(&bob.client, 0, now() - 5 * WEEK);
    let ancient = reference(&bob.client, &ancient);
    let recent = key_package_of(&bob.client, 0, now() - 3 * WEEK);
    let recent = reference(&bob.client, &recent);
    let valid = bob.client.generate_key_packages(1).unwrap();
    let mut purged = bob.client.purge_expired_key_packages().unwrap();
    purged.sort();
    let mut expected = vec![ancient.clone(), recent.clone()];
    expected.sort();
    assert_eq!(purged, expected);
    assert_eq!(info(&bob.client, &ancient), None);
    assert!(info(&bob.client, &recent).is_some());
    assert_eq!(notes(&bob.client), 1);
    let database = Database::of(&bob.client);
    assert_eq!(database.count(Category::KeyPackage), 1, "the valid one");
    bob.client.join_group(&welcome_for(&valid[0])).unwrap();
    let database = Database::of(&bob.client);
    assert_eq!(database.count(Category::KeyPackage), 0);
    assert_eq!(database.count(Category::EncryptionKeyPair), 0);

    // Nor does what another client claims about its own.
    let phone = Device::new("bob's phone");
    let eternal = key_package_of(&phone.client, 0, u64::MAX);
    bob.client
        .note_key_packages_of_other_clients(&[eternal])
        .unwrap();
    let claims = bob.client.storage().records().unwrap();
    let claims = claims
        .iter()
        .filter(|record| record.category == Category::KeyPackageState)
        .filter(|record| record.value.windows(8).any(|bytes| bytes == [0xff; 8]));
    assert_eq!(claims.count(), 0);
}

#[test]
fn replenishing_returns_what_is_to_be_published() {
    let mut bob = Device::new("bob");
    let options = KeyPackageOptions::default();
    let first = bob.client.replenish_key_packages(3, &options).unwrap();
    assert_eq!(first.len(), 3);
    bob.save();
    // The app died before it had published any.
    bob.crash();
    let sorted = |mut list: Vec<Vec<u8>>| {
        list.sort();
        list
    };
    let again = bob.client.replenish_key_packages(3, &options).unwrap();
    assert_eq!(sorted(again), sorted(first.clone()));
    let references: Vec<_> = first
        .iter()
        .map(|bytes| reference(&bob.client, bytes))
        .collect();
    bob.client
        .mark_key_packages_given_out(&references[..2])
        .unwrap();
    let left = bob.client.replenish_key_packages(3, &options).unwrap();
    assert_eq!(left, [first[2].clone()]);
    bob.client
        .mark_key_packages_given_out(&references[2..])
        .unwrap();
    assert!(bob
        .client
        .replenish_key_packages(3, &options)
        .unwrap()
        .is_empty());
    // One is used up, one expires: they are replaced. Last-resort ones, and those of another
    // ciphersuite, do not count.
    bob.client.join_group(&welcome_for(&first[0])).unwrap();
    key_package_of(&bob.client, 0, now() - 1);
    bob.client.generate_last_resort_key_package().unwrap();
    let other_suite = KeyPackageOptions {
        ciphersuite: Some(3),
        ..Default::default()
    };
    bob.client.generate_key_packages_with(&other_suite).unwrap();
    let new = bob.client.replenish_key_packages(3, &options).unwrap();
    assert_eq!(new.len(), 1);
    assert!(!first.contains(&new[0]));
    let high = bob.client.replenish_key_packages(1001, &options);
    assert_eq!(code(high), "invalid-argument");
    let nobody = MlsClient::new().replenish_key_packages(1, &options);
    assert_eq!(code(nobody), "no-identity");
}

#[test]
fn key_packages_are_made_as_asked_for() {
    let (mut alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let extension = |extension_type, data: &[u8]| Extension::Other {
        extension_type,
        data: data.to_vec(),
    };
    let options = KeyPackageOptions {
        count: 2,
        last_resort: true,
        lifetime: Some(WEEK),
        ciphersuite: Some(3),
        extensions: vec![extension(0xf001, b"of the key package")],
        leaf_extensions: vec![extension(0xf002, b"of the leaf")],
        capabilities: Some(AppCapabilities {
            extensions: vec![0xf003],
            proposals: vec![0xf004],
        }),
    };
    let before = now();
    let made = bob.client.generate_key_packages_with(&options).unwrap();
    assert_eq!(made.len(), 2);
    let details = alice.client.inspect_key_package(&made[0]).unwrap();
    let own = bob.client.identity().unwrap().unwrap();
    assert_eq!(details.credential, Credential::basic(b"bob"));
    assert_eq!(details.signature_key, own.signature_public_key);
    assert_eq!(details.ciphersuite, 3);
    assert!(details.last_resort && details.has_acceptable_range);
    assert_eq!(details.lifetime, LifetimeStatus::Valid);
    assert_eq!(details.not_after - details.not_before, WEEK + 3600);
    assert!((before..=now()).contains(&(details.not_after - WEEK)));
    assert!(details.extensions.contains(&options.extensions[0]));
    assert_eq!(details.leaf_extensions, options.leaf_extensions);
    let Capabilities {
        versions,
        ciphersuites,
        extensions,
        proposals,
        credentials,
    } = details.capabilities;
    assert_eq!(versions, [1]);
    assert!([1, 2, 3].iter().all(|suite| ciphersuites.contains(suite)));
    assert_eq!(extensions, [0x000a, 0xf001, 0xf002, 0xf003]);
    assert!(proposals.contains(&0xf004));
    assert_eq!(credentials, [1, 2]);

    let listed = info(&bob.client, &details.reference).unwrap();
    assert_eq!(listed.reference, details.reference);
    assert!(listed.last_resort);
    assert_eq!(listed.ciphersuite, 3);
    assert_eq!(
        (listed.not_before, listed.not_after),
        (details.not_before, details.not_after)
    );
    // The reference is what the record is stored under.
    let stored = bob.client.storage().records().unwrap();
    let key = bytes_key(&details.reference);
    assert!(stored
        .iter()
        .any(|record| record.category == Category::KeyPackage && record.key == key));
    // Of another ciphersuite than the group's.
    let group = alice.client.create_group(None).unwrap();
    let added = alice.client.add_members(&group, &made[..1], None);
    assert!(added.is_err());
    // What a member brings along is in the group.
    let plain = KeyPackageOptions {
        ciphersuite: None,
        ..options
    };
    let made = bob.client.generate_key_packages_with(&plain).unwrap();
    let added = alice.client.add_members(&group, &made[..1], None).unwrap();
    bob.client.join_group(&added.welcome.unwrap()).unwrap();
}

#[test]
fn impossible_wishes_are_refused_and_change_nothing() {
    let mut bob = Device::new("bob");
    let before = Database::of(&bob.client);
    let good = KeyPackageOptions::default();
    let duplicate = Extension::Other {
        extension_type: 0xf001,
        data: vec![],
    };
    let bad = [
        KeyPackageOptions {
            count: 0,
            ..good.clone()
        },
        KeyPackageOptions {
            count: 1001,
            ..good.clone()
        },
        KeyPackageOptions {
            lifetime: Some(0),
            ..good.clone()
        },
        KeyPackageOptions {
            lifetime: Some(12 * WEEK + 1),
            ..good.clone()
        },
        // The identity has an Ed25519 key.
        KeyPackageOptions {
            ciphersuite: Some(2),
            ..good.clone()
        },
        KeyPackageOptions {
            extensions: vec![duplicate.clone(), duplicate.clone()],
            ..good.clone()
        },
        KeyPackageOptions {
            extensions: vec![Extension::ExternalSenders { senders: vec![] }],
            ..good.clone()
        },
        KeyPackageOptions {
            leaf_extensions: vec![Extension::ExternalSenders { senders: vec![] }],
            ..good.clone()
        },
    ];
    for options in bad {
        let made = bob.client.generate_key_packages_with(&options);
        assert_eq!(code(made), "invalid-argument", "{options:?}");
    }
    for number in [0, 4, 0xffff] {
        let options = KeyPackageOptions {
            ciphersuite: Some(number),
            ..good.clone()
        };
        let made = bob.client.generate_key_packages_with(&options);
        assert_eq!(code(made), "unsupported-ciphersuite");
    }
    let made = MlsClient::new().generate_key_packages_with(&good);
    assert_eq!(code(made), "no-identity");
    assert_eq!(Database::of(&bob.client), before);
    let longest = KeyPackageOptions {
        lifetime: Some(12 * WEEK),
        ..good
    };
    let made = bob.client.generate_key_packages_with(&longest).unwrap();
    let details = bob.client.inspect_key_package(&made[0]).unwrap();
    assert!(details.has_acceptable_range);
}

#[test]
fn a_received_key_package_is_judged_by_its_lifetime() {
    let (mut alice, bob) = (Device::new("alice"), Device::new("bob"));
    let group = alice.client.create_group(None).unwrap();
    let now = now();
    for (not_before, not_after, expected, in_range) in [
        (now - WEEK, now + WEEK, LifetimeStatus::Valid, true),
        (now - WEEK, now - 1, LifetimeStatus::Expired, true),
        (now + 3600, now + WEEK, LifetimeStatus::NotYetValid, true),
        (0, u64::MAX, LifetimeStatus::Valid, false),
        // The end before the beginning.
        (now + WEEK, now - WEEK, LifetimeStatus::Expired, true),
    ] {
        let key_package = key_package_of(&bob.client, not_before, not_after);
        let details = alice.client.inspect_key_package(&key_package).unwrap();
        assert_eq!(details.lifetime, expected);
        assert_eq!(details.has_acceptable_range, in_range);
        assert_eq!(
            (details.not_before, details.not_after),
            (not_before, not_after)
        );
        let added = alice.client.add_members(&group, &[key_package], None);
        match expected {
            LifetimeStatus::Valid => {
                added.unwrap();
                alice.client.clear_pending_commit(&group).unwrap();
            }
            _ => assert_eq!(code(added), "invalid-key-package"),
        }
    }
}

#[test]
fn a_damaged_key_package_is_not_described() {
    let (alice, mut bob) = (Device::new("alice"), Device::new("bob"));
    let expired = key_package_of(&bob.client, 0, 1);
    let valid = bob.client.generate_key_packages(1).unwrap().remove(0);
    for key_package in [valid, expired] {
        alice.client.inspect_key_package(&key_package).unwrap();
        for index in 0..key_package.len() {
            let mut damaged = key_package.clone();
            damaged[index] ^= 1;
            let inspected = alice.client.inspect_key_package(&damaged);
            assert_eq!(code(inspected), "invalid-key-package", "byte {index}");
        }
        let longer = [&key_package[..], &[0]].concat();
        let inspected = alice.client.inspect_key_package(&longer);
        assert_eq!(code(inspected), "invalid-key-package");
    }
    let welcome = welcome_for(&bob.client.generate_key_packages(1).unwrap()[0]);
    let inspected = alice.client.inspect_key_package(&welcome);
    assert_eq!(code(inspected), "invalid-key-package");
}
