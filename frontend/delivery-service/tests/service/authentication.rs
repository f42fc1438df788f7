//! Registering, signing in, and linking a second client.

use openmls::prelude::SignatureScheme;
use serde_json::json;

use crate::support::{encode, Client, Service};

#[test]
fn registers_and_signs_in_with_either_kind_of_key() {
    let service = Service::start();
    for (user, scheme) in [
        ("Ann Müller", SignatureScheme::ED25519),
        ("bob", SignatureScheme::ECDSA_SECP256R1_SHA256),
    ] {
        let mut client = Client::with_scheme(user, "phone", scheme);
        let registered = client.register(&service);
        assert_eq!(registered.status, 201);
        let first = registered.body["token"].as_str().unwrap().to_owned();
        client.token = client.sign_in(&service).ok()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_ne!(first, client.token);

        let path = format!(
            "/v1/users/{}",
            user.replace(' ', "%20").replace('ü', "%C3%BC")
        );
        let expected = json!({ "user": user, "clients": [{ "client": "phone", "publicKey": encode(client.keys.public()) }] });
        assert_eq!(client.get(&service, &path).ok(), expected);
        client.token = first;
        assert_eq!(
            client.get(&service, &path).ok(),
            expected,
            "both sessions are good"
        );
        client
            .get(&service, "/v1/users/nobody")
            .refused(404, "unknown-user");
    }
}

#[test]
fn refuses_a_wrong_signature_and_never_takes_a_challenge_twice() {
    let service = Service::start();
    let ann = Client::unregistered("ann", "phone");
    let post = |path: &str, body| service.request("POST", path, None, Some(&body));

    let challenge = Client::challenge(&service);
    let mut forged = ann.registration(&challenge);
    let other = Client::unregistered("ann", "phone");
    forged["signature"] = encode(&other.sign_challenge("openmls-wasm sign-in", &challenge)).into();
    post("/v1/clients", forged).refused(401, "wrong-signature");
    // Who cannot sign uses nothing up: only a sign-in does.
    let eve = Client::unregistered("eve", "phone");
    post("/v1/clients", eve.registration(&challenge)).ok();
    post("/v1/clients", eve.registration(&challenge)).refused(401, "unknown-challenge");

    let challenge = Client::challenge(&service);
    let mut mislabelled = ann.registration(&challenge);
    mislabelled["signature"] = encode(&ann.sign_challenge("LeafNodeTBS", &challenge)).into();
    post("/v1/clients", mislabelled).refused(401, "wrong-signature");

    let challenge = Client::challenge(&service);
    let registration = ann.registration(&challenge);
    post("/v1/clients", registration.clone()).ok();
    post("/v1/clients", registration.clone()).refused(401, "unknown-challenge");
    post("/v1/sessions", registration).refused(401, "unknown-challenge");
    post("/v1/sessions", ann.registration(&[7; 32])).refused(401, "unknown-challenge");

    other.sign_in(&service).refused(401, "wrong-signature");
    // Nobody learns from signing in who is registered.
    Client::unregistered("nobody", "phone")
        .sign_in(&service)
        .refused(401, "wrong-signature");
}

#[test]
fn a_registration_whose_answer_was_lost_can_be_repeated_and_not_taken_over() {
    let service = Service::start();
    let ann = Client::unregistered("ann", "phone");
    assert_eq!(ann.register(&service).status, 201);
    let again = ann.register(&service);
    assert_eq!(again.status, 200);
    assert!(again.body["token"].is_string());
    Client::unregistered("ann", "phone")
        .register(&service)
        .refused(409, "client-exists");
}

#[test]
fn a_second_client_must_be_linked_by_one_of_the_same_user() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let laptop = Client::unregistered("ann", "laptop");
    laptop.register(&service).refused(403, "not-linked");

    let link = json!({ "publicKey": encode(laptop.keys.public()) });
    // Bob's word counts for Bob's clients only.
    assert_eq!(bob.post(&service, "/v1/links", link.clone()).status, 204);
    laptop.register(&service).refused(403, "not-linked");
    assert_eq!(ann.post(&service, "/v1/links", link.clone()).status, 204);
    assert_eq!(laptop.register(&service).status, 201);

    // The link was for one client: it does not let in another, nor the same key again elsewhere.
    Client::unregistered("ann", "tablet")
        .register(&service)
        .refused(403, "not-linked");
    let mut thief = Client::unregistered("bob", "laptop");
    thief.keys = laptop.keys;
    thief.register(&service).refused(409, "key-in-use");
    let clients = ann.get(&service, "/v1/users/ann").ok()["clients"].clone();
    assert_eq!(clients.as_array().unwrap().len(), 2);
}

#[test]
fn everything_but_health_and_signing_in_needs_a_token() {
    let service = Service::start();
    assert_eq!(
        service.request("GET", "/v1/health", None, None).ok(),
        json!({ "ok": true })
    );
    let forged = encode(&[0; 32]);
    for (method, path) in [
        ("POST", "/v1/links"),
        ("GET", "/v1/users/ann"),
        ("PUT", "/v1/key-packages"),
        ("GET", "/v1/key-packages"),
        ("POST", "/v1/users/ann/key-packages"),
        ("POST", "/v1/groups"),
        ("GET", "/v1/groups"),
        ("POST", "/v1/groups/AAAA/messages"),
        ("POST", "/v1/groups/AAAA/commits"),
        ("GET", "/v1/groups/AAAA/log"),
        ("GET", "/v1/welcomes"),
        ("DELETE", "/v1/welcomes?upTo=1"),
    ] {
        for token in [None, Some(""), Some("short"), Some(forged.as_str())] {
            service
                .request(method, path, token, None)
                .refused(401, "unknown-token");
        }
    }
}
