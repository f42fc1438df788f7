//! What one client may use up of what all share.

use serde_json::json;

use crate::support::{encode, Client, Service};

#[test]
fn a_client_makes_so_many_groups() {
    let service = Service::start_with(&["--quota", "groups=2"]);
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let create = |by: &Client, id: u8| {
        let body = json!({ "groupId": encode(&[id]) });
        by.post(&service, "/v1/groups", body)
    };
    assert_eq!(create(&ann, 1).status, 201);
    assert_eq!(create(&ann, 2).status, 201);
    create(&ann, 3).refused(409, "too-many-groups");
    assert_eq!(create(&ann, 2).status, 200, "a repetition is no new group");
    assert_eq!(create(&bob, 3).status, 201, "others are not concerned");
}

#[test]
fn a_client_stores_so_many_bytes_a_day() {
    let service = Service::start_with(&["--quota", "daily-bytes=20000"]);
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let mut group = ann.create_group(&service);
    ann.invite(&service, &mut group, "bob", "c1");
    let (mut bobs, _) = bob.join(&service);

    let large = "x".repeat(12_000);
    let stored = ann.encrypt(&mut group, &large);
    let answer = ann.upload_message(&service, &group, &stored, "m1").ok();
    let refused = ann.encrypt(&mut group, &large);
    ann.upload_message(&service, &group, &refused, "m2")
        .refused(429, "daily-limit");
    // Nothing of it counts: what is small enough still goes, and so does a repetition, in any group.
    ann.send(&service, &mut group, "small", "m3").ok();
    let again = ann.upload_message(&service, &group, &stored, "m1");
    assert_eq!(again.ok(), answer);
    let mut other = ann.create_group(&service);
    ann.send(&service, &mut other, &large, "m1")
        .refused(429, "daily-limit");
    bob.send(&service, &mut bobs, &large, "b1").ok();

    // A Welcome counts like the commit it comes with.
    let mut commit = ann.add_user(&service, &mut other, "bob", "c1");
    let size = |bytes: &[u8]| i64::try_from(bytes.len()).unwrap();
    let left = size(&commit.commit) + size(commit.welcome.as_deref().unwrap()) - 1;
    let database = rusqlite::Connection::open(service.folder.join("db.sqlite")).unwrap();
    let set = "UPDATE clients SET upload_bytes = 20000 - ?1 WHERE upload_bytes > 0";
    database.execute(set, [left]).unwrap();
    ann.upload_commit(&service, &other, &commit)
        .refused(429, "daily-limit");
    assert!(bob.get(&service, "/v1/welcomes?after=1").ok()["welcomes"]
        .as_array()
        .unwrap()
        .is_empty());
    commit.id = "c2".into();
    database.execute(set, [left + 1]).unwrap();
    ann.upload_commit(&service, &other, &commit).ok();

    // The next day begins at nothing.
    let upload = || ann.upload_message(&service, &group, &refused, "m2");
    upload().refused(429, "daily-limit");
    let yesterday = "UPDATE clients SET upload_day = upload_day - 1";
    database.execute(yesterday, []).unwrap();
    upload().ok();
}

#[test]
fn a_client_takes_key_packages_of_a_user_so_often() {
    let service = Service::start_with(&["--quota", "claims=0"]);
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    ann.post(&service, "/v1/users/bob/key-packages", json!({}))
        .refused(429, "too-many-claims");
    assert_eq!(bob.get(&service, "/v1/key-packages").ok()["available"], 5);
    ann.post(&service, "/v1/users/nobody/key-packages", json!({}))
        .refused(404, "unknown-user");
}

#[test]
fn so_many_welcomes_wait_for_a_client() {
    let service = Service::start_with(&["--quota", "welcomes=3", "--quota", "welcomes-from-one=2"]);
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let eve = Client::start(&service, "eve", "phone");
    let invite = |by: &Client| {
        let mut group = by.create_group(&service);
        let upload = by.add_user(&service, &mut group, "bob", "c1");
        let answer = by.upload_commit(&service, &group, &upload);
        (group, answer)
    };
    invite(&ann).1.ok();
    invite(&ann).1.ok();
    let (group, answer) = invite(&ann);
    let refusal = answer.refused(409, "too-many-welcomes");
    assert_eq!(refusal["clients"], json!(["bob/phone"]));
    assert!(ann.log(&service, &group, 0).is_empty(), "nothing is stored");
    // Ann alone does not keep others from inviting Bob; all together fill the list.
    invite(&eve).1.ok();
    let body = json!({ "keyPackages": [encode(&bob.key_package(false)), encode(&bob.key_package(false))] });
    bob.put(&service, "/v1/key-packages", body).ok();
    invite(&eve).1.refused(409, "too-many-welcomes");
    let taken = service.request("DELETE", "/v1/welcomes?upTo=1", Some(&bob.token), None);
    assert_eq!(taken.status, 204);
    invite(&ann).1.ok();
}

#[test]
fn a_user_has_so_many_clients_and_links() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let link = |client: &Client| {
        let body = json!({ "publicKey": encode(client.keys.public()) });
        ann.post(&service, "/v1/links", body)
    };
    for number in 2..=32 {
        let client = Client::unregistered("ann", &format!("client-{number}"));
        link(&client).ok();
        assert_eq!(client.register(&service).status, 201);
    }
    let last = Client::unregistered("ann", "client-33");
    link(&last).ok();
    last.register(&service).refused(409, "too-many-clients");
    for _ in 1..16 {
        link(&Client::unregistered("ann", "more")).ok();
    }
    link(&Client::unregistered("ann", "more")).refused(409, "too-many-links");
    link(&last).ok();
}
