//! Welcomes reach whom they are for, and nobody else.

use serde_json::json;

use crate::support::{decode, encode, Client, Service};

#[test]
fn only_the_added_clients_see_their_welcome_and_until_they_take_it() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let eve = Client::start(&service, "eve", "phone");
    let mut laptop = Client::unregistered("bob", "laptop");
    bob.post(
        &service,
        "/v1/links",
        json!({ "publicKey": encode(laptop.keys.public()) }),
    );
    laptop.token = laptop.register(&service).ok()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let upload = json!({ "keyPackages": [encode(&laptop.key_package(false))] });
    laptop.put(&service, "/v1/key-packages", upload).ok();

    let mut group = ann.create_group(&service);
    ann.send(&service, &mut group, "alone", "m1").ok();
    assert_eq!(
        ann.invite(&service, &mut group, "bob", "add-bob"),
        json!({ "position": 2, "epoch": 1 })
    );

    let nothing = json!({ "welcomes": [], "more": false });
    assert_eq!(ann.get(&service, "/v1/welcomes").ok(), nothing);
    assert_eq!(eve.get(&service, "/v1/welcomes").ok(), nothing);
    for client in [&bob, &laptop] {
        let welcome = &client.get(&service, "/v1/welcomes").ok()["welcomes"][0];
        assert_eq!(welcome["position"], 1);
        assert_eq!(welcome["id"], "add-bob");
        assert_eq!(welcome["groupPosition"], 2);
        assert_eq!(decode(&welcome["groupId"]), group.group_id().as_slice());
        let (joined, position) = client.join(&service);
        assert_eq!(
            joined.epoch_authenticator().as_slice(),
            group.epoch_authenticator().as_slice()
        );
        assert_eq!(position, 2);
    }
    // One client's "I have it" does not take it from the other.
    let delete = |client: &Client, up_to| {
        let path = format!("/v1/welcomes?upTo={up_to}");
        service
            .request("DELETE", &path, Some(&client.token), None)
            .status
    };
    assert_eq!(delete(&eve, 9), 204);
    assert_eq!(delete(&bob, 1), 204);
    assert_eq!(bob.get(&service, "/v1/welcomes").ok(), nothing);
    assert_eq!(
        laptop.get(&service, "/v1/welcomes?after=0").ok()["welcomes"][0]["position"],
        1
    );
    assert_eq!(laptop.get(&service, "/v1/welcomes?after=1").ok(), nothing);
    assert_eq!(delete(&laptop, 1), 204);
    assert_eq!(delete(&laptop, 1), 204, "again is no error");

    // Positions go on where they were.
    let mut second = ann.create_group(&service);
    let upload = json!({ "keyPackages": [encode(&laptop.key_package(false))] });
    laptop.put(&service, "/v1/key-packages", upload).ok();
    ann.invite(&service, &mut second, "bob", "add-bob");
    assert_eq!(
        bob.get(&service, "/v1/welcomes?after=1").ok()["welcomes"][0]["position"],
        2
    );
}
