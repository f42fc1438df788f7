//! Key packages are given out once, then the last-resort one.

use serde_json::{json, Value};

use crate::support::client::parse_key_package;
use crate::support::{decode, encode, Client, Service};

#[test]
fn each_is_given_out_once_and_then_the_last_resort_one() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let last_resort = bob.key_package(true);
    let body = json!({ "keyPackages": [], "lastResort": encode(&last_resort) });
    assert_eq!(
        bob.put(&service, "/v1/key-packages", body).ok(),
        json!({ "available": 5 })
    );

    let mut given = Vec::new();
    for left in (0..5).rev() {
        let answer = ann
            .post(&service, "/v1/users/bob/key-packages", json!({}))
            .ok();
        assert_eq!(answer["keyPackages"][0]["client"], "phone");
        let key_package = decode(&answer["keyPackages"][0]["keyPackage"]);
        assert!(!parse_key_package(&key_package).last_resort());
        assert!(!given.contains(&key_package));
        given.push(key_package);
        assert_eq!(
            bob.get(&service, "/v1/key-packages").ok(),
            json!({ "available": left, "lastResort": true })
        );
    }
    for _ in 0..2 {
        let answer = ann
            .post(&service, "/v1/users/bob/key-packages", json!({}))
            .ok();
        assert_eq!(decode(&answer["keyPackages"][0]["keyPackage"]), last_resort);
    }
    // Uploading one again that was given out does not bring it back.
    let again: Vec<_> = given
        .iter()
        .map(|key_package| encode(key_package))
        .collect();
    let answer = bob.put(
        &service,
        "/v1/key-packages",
        json!({ "keyPackages": again }),
    );
    assert_eq!(answer.ok(), json!({ "available": 0 }));
}

#[test]
fn those_of_a_client_that_has_lost_their_private_keys_are_withdrawn() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let fresh = bob.key_package(false);
    let body = json!({ "keyPackages": [encode(&fresh)], "replace": true });
    assert_eq!(
        bob.put(&service, "/v1/key-packages", body).ok(),
        json!({ "available": 1 })
    );
    let answer = ann
        .post(&service, "/v1/users/bob/key-packages", json!({}))
        .ok();
    assert_eq!(decode(&answer["keyPackages"][0]["keyPackage"]), fresh);
    // Those of others stay.
    assert_eq!(
        ann.get(&service, "/v1/key-packages").ok()["available"],
        json!(5)
    );
}

/// A second client of Bob, with no key packages.
fn link_laptop(service: &Service, bob: &Client) -> Client {
    let mut laptop = Client::unregistered("bob", "laptop");
    let link = json!({ "publicKey": encode(laptop.keys.public()) });
    bob.post(service, "/v1/links", link).ok();
    let registered = laptop.register(service).ok();
    laptop.token = registered["token"].as_str().unwrap().to_owned();
    laptop
}

/// The clients that a claim has key packages of, and those it has none of.
fn clients(answer: &Value) -> (Vec<&str>, Vec<&str>) {
    let with = answer["keyPackages"].as_array().unwrap().iter();
    let without = answer["without"].as_array().unwrap().iter();
    (
        with.map(|c| c["client"].as_str().unwrap()).collect(),
        without.map(|c| c.as_str().unwrap()).collect(),
    )
}

#[test]
fn one_for_each_client_of_the_user_that_has_any() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let laptop = link_laptop(&service, &bob);
    let claim = |by: &Client| by.post(&service, "/v1/users/bob/key-packages", json!({}));
    let upload = || {
        let body = json!({ "keyPackages": [encode(&laptop.key_package(false))] });
        laptop.put(&service, "/v1/key-packages", body).ok();
    };

    // A device that has none left does not make its user impossible to invite.
    assert_eq!(clients(&claim(&ann).ok()), (vec!["phone"], vec!["laptop"]));
    let refusal = claim(&bob).refused(409, "no-key-package");
    assert_eq!(refusal["clients"], json!(["laptop"]));
    upload();
    // To add its user's other clients, a client does not take a key package of its own.
    assert_eq!(clients(&claim(&bob).ok()), (vec!["laptop"], vec![]));
    upload();
    assert_eq!(
        clients(&claim(&ann).ok()),
        (vec!["phone", "laptop"], vec![])
    );
    // A body is not needed.
    let path = "/v1/users/bob/key-packages";
    let without_body = service.request("POST", path, Some(&ann.token), None);
    assert_eq!(clients(&without_body.ok()), (vec!["phone"], vec!["laptop"]));
    ann.post(&service, "/v1/users/nobody/key-packages", json!({}))
        .refused(404, "unknown-user");
}

#[test]
fn only_for_the_clients_asked_for() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let laptop = link_laptop(&service, &bob);
    let body = json!({ "keyPackages": [encode(&laptop.key_package(false))] });
    laptop.put(&service, "/v1/key-packages", body).ok();
    let claim = |names: Value| {
        let body = json!({ "clients": names });
        ann.post(&service, "/v1/users/bob/key-packages", body)
    };
    let available = || bob.get(&service, "/v1/key-packages").ok()["available"].clone();

    assert_eq!(
        clients(&claim(json!(["laptop"])).ok()),
        (vec!["laptop"], vec![])
    );
    let refusal = claim(json!(["laptop"])).refused(409, "no-key-package");
    assert_eq!(refusal["clients"], json!(["laptop"]));
    assert_eq!(available(), 5, "the phone's were not touched");
    // One that the user does not have is one without; asked for twice is given once.
    let answer = claim(json!(["phone", "tablet", "phone"])).ok();
    assert_eq!(clients(&answer), (vec!["phone"], vec!["tablet"]));
    assert_eq!(available(), 4);
    claim(json!(["tablet"])).refused(409, "no-key-package");
    assert_eq!(clients(&claim(json!([])).ok()), (vec![], vec![]));
    claim(json!("phone")).refused(400, "malformed-request");
    assert_eq!(available(), 4);
}

#[test]
fn only_valid_ones_of_the_caller_are_taken() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let upload = |key_packages: &[Vec<u8>], last_resort: Option<Vec<u8>>| {
        let key_packages: Vec<_> = key_packages.iter().map(|k| encode(k)).collect();
        let last_resort = last_resort.map(|k| encode(&k));
        ann.put(
            &service,
            "/v1/key-packages",
            json!({ "keyPackages": key_packages, "lastResort": last_resort }),
        )
    };
    let good = ann.key_package(false);
    upload(&[good.clone(), bob.key_package(false)], None).refused(403, "foreign-key-package");
    // The right identity with another key is foreign too.
    let imposter = Client::unregistered("ann", "phone");
    upload(&[imposter.key_package(false)], None).refused(403, "foreign-key-package");
    let mut tampered = good.clone();
    *tampered.last_mut().unwrap() ^= 1;
    upload(&[tampered], None).refused(400, "invalid-key-package");
    upload(&[good[..good.len() - 1].to_vec()], None).refused(400, "malformed-message");
    upload(&[[&good[..], &[0]].concat()], None).refused(400, "malformed-message");
    upload(&[ann.key_package(true)], None).refused(400, "wrong-key-package-kind");
    upload(&[], Some(ann.key_package(false))).refused(400, "wrong-key-package-kind");
    upload(&vec![good.clone(); 101], None).refused(413, "too-many-in-upload");
    upload(&[vec![0; 16 * 1024 + 1]], None).refused(413, "key-package-too-large");
    // Nothing of any refused upload was stored; a repeated one counts once.
    assert_eq!(ann.get(&service, "/v1/key-packages").ok()["available"], 5);
    assert_eq!(upload(&[good.clone(), good], None).ok()["available"], 6);
}
