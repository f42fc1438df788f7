//! Malformed and oversize input: a clear 4xx each, and a service that goes on.

use serde_json::{json, Value};

use crate::support::client::group_path;
use crate::support::{encode, Client, Service};

#[test]
fn malformed_requests_are_refused_clearly() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let group = ann.create_group(&service);
    let messages = group_path(&group, "messages");
    let raw = |path: &str, content_type: &str, body: &str| {
        let body = Some((content_type, body.as_bytes().to_vec()));
        service.raw_request("POST", path, Some(&ann.token), body)
    };
    raw(&messages, "application/json", "{").refused(400, "malformed-request");
    raw(&messages, "application/json", "[]").refused(400, "malformed-request");
    raw(&messages, "application/json", "{}").refused(400, "malformed-request");
    raw(&messages, "application/json", "\u{0}").refused(400, "malformed-request");
    raw(&messages, "text/plain", "{}").refused(415, "not-json");
    for message in [
        json!("a+b/"),
        json!("AA=="),
        json!("A"),
        json!(7),
        Value::Null,
    ] {
        let body = json!({ "id": "m", "message": message });
        ann.post(&service, &messages, body)
            .refused(400, "malformed-request");
    }
    for message in [
        &b""[..],
        b"\0",
        b"\0\x01",
        b"\0\x01\0\x01",
        b"\0\x02\0\x02",
        &[255; 300],
    ] {
        ann.upload_message(&service, &group, message, "m")
            .refused(400, "malformed-message");
    }
    ann.upload_message(&service, &group, &ann.key_package(false), "m")
        .refused(400, "wrong-wire-format");
    for id in ["", " ", "a b", &"x".repeat(129)] {
        ann.upload_message(&service, &group, b"", id)
            .refused(400, "malformed-id");
    }
    for path in ["/v1/groups/!/log", "/v1/groups/AAA=/log"] {
        ann.get(&service, path).refused(400, "malformed-group-id");
    }
    let long = format!("/v1/groups/{}/log", encode(&[0; 256]));
    ann.get(&service, &long).refused(400, "malformed-group-id");
    ann.post(&service, "/v1/groups", json!({ "groupId": "" }))
        .refused(400, "malformed-group-id");
    for query in ["after=x", "after=99999999999999999999", "limit=-1"] {
        ann.get(&service, &format!("{}?{query}", group_path(&group, "log")))
            .refused(400, "malformed-request");
    }
    ann.get(&service, "/v1/users/%ff")
        .refused(400, "malformed-request");
    service
        .request("DELETE", "/v1/welcomes", Some(&ann.token), None)
        .refused(400, "malformed-request");
    ann.get(&service, "/v1/nothing")
        .refused(404, "unknown-route");
    ann.get(&service, "/").refused(404, "unknown-route");
    service
        .request("PUT", "/v1/groups", Some(&ann.token), None)
        .refused(405, "method-not-allowed");
    assert!(ann.log(&service, &group, 0).is_empty());
}

#[test]
fn malformed_names_and_keys_are_refused() {
    let service = Service::start();
    let register = |change: &dyn Fn(&mut Value)| {
        let client = Client::unregistered("ann", "phone");
        let mut body = client.registration(&Client::challenge(&service));
        change(&mut body);
        service.request("POST", "/v1/clients", None, Some(&body))
    };
    for name in ["", " ann", "a/b", &"x".repeat(65)] {
        register(&|body| body["user"] = name.into()).refused(400, "malformed-user");
    }
    for name in ["a\u{7}", "ann\u{200b}", "\u{202e}nna", "Mu\u{308}ller"] {
        register(&|body| body["user"] = name.into()).refused(400, "invalid-name");
    }
    for name in ["", "my phone", "é", &"x".repeat(65)] {
        register(&|body| body["client"] = name.into()).refused(400, "malformed-client");
    }
    for key in [vec![], vec![1; 31], vec![2; 33], vec![3; 65]] {
        register(&|body| body["publicKey"] = encode(&key).into())
            .refused(400, "malformed-public-key");
    }
    for signature in [vec![], vec![0; 64], vec![0; 4000]] {
        register(&|body| body["signature"] = encode(&signature).into())
            .refused(401, "wrong-signature");
    }
    register(&|body| body["challenge"] = "".into()).refused(401, "unknown-challenge");
}

#[test]
fn oversize_uploads_are_refused() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    const MIB: usize = 1024 * 1024;
    // The largest message there can be is taken, one byte more is not.
    let overhead = ann.encrypt(&mut group, &"x".repeat(MIB / 2)).len() - MIB / 2;
    let largest = ann.encrypt(&mut group, &"x".repeat(MIB - overhead));
    assert_eq!(largest.len(), MIB);
    ann.upload_message(&service, &group, &largest, "m1").ok();
    let larger = ann.encrypt(&mut group, &"x".repeat(MIB - overhead + 1));
    ann.upload_message(&service, &group, &larger, "m2")
        .refused(413, "message-too-large");

    let mut commit = ann.self_update(&mut group, "c1");
    commit.added = vec!["bob/phone".into()];
    commit.welcome = Some(vec![0; 8 * MIB + 1]);
    ann.upload_commit(&service, &group, &commit)
        .refused(413, "welcome-too-large");
    let padding = "x".repeat(20 * 1024);
    ann.post(
        &service,
        "/v1/groups",
        json!({ "groupId": "AAAA", "padding": padding }),
    )
    .refused(413, "body-too-large");
    let message = vec![0; 2 * MIB];
    ann.upload_message(&service, &group, &message, "m3")
        .refused(413, "body-too-large");
    assert_eq!(ann.log(&service, &group, 0).len(), 1);

    // A refusal that comes before the body is read reaches the client all the same.
    let body = json!({ "id": "c1", "commit": encode(&vec![0; 8 * MIB]) });
    let path = group_path(&group, "commits");
    for _ in 0..10 {
        let answer = service.request("POST", &path, Some("expired"), Some(&body));
        answer.refused(401, "unknown-token");
    }
}

#[test]
fn a_message_goes_to_the_group_in_its_header() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    let other = ann.create_group(&service);
    let message = ann.encrypt(&mut group, "here");
    ann.upload_message(&service, &other, &message, "m1")
        .refused(400, "wrong-group");
    let commit = ann.self_update(&mut group, "c1");
    ann.upload_commit(&service, &other, &commit)
        .refused(400, "wrong-group");
}
