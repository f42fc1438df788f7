//! The service as a witness: an upload is accepted behind the one that was accepted last, and no other.

use openmls::prelude::*;
use serde_json::{json, Value};

use crate::support::client::{group_path, parse};
use crate::support::{encode, Answer, Client, Service};

/// Uploads a message with a link behind `previous`.
fn send(
    client: &Client,
    service: &Service,
    group: &MlsGroup,
    (id, message): (&str, &[u8]),
    previous: Option<u8>,
    link: u8,
) -> Answer {
    let body = json!({
        "id": id,
        "message": encode(message),
        "previous": previous.map(|byte| encode(&[byte; 32])),
        "link": encode(&[link; 32]),
    });
    client.post(service, &group_path(group, "messages"), body)
}

fn commit(
    client: &Client,
    service: &Service,
    group: &MlsGroup,
    (id, commit): (&str, &[u8]),
    previous: Option<u8>,
    link: u8,
) -> Answer {
    let body = json!({
        "id": id,
        "commit": encode(commit),
        "previous": previous.map(|byte| encode(&[byte; 32])),
        "link": encode(&[link; 32]),
    });
    client.post(service, &group_path(group, "commits"), body)
}

/// What the service says at sign-in.
fn current(client: &Client, service: &Service) -> Value {
    client.get(service, "/v1/groups").ok()["groups"][0]["link"].clone()
}

#[test]
fn an_upload_is_accepted_behind_the_last_one_only() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    assert_eq!(current(&ann, &service), Value::Null);
    let messages: Vec<Vec<u8>> = (0..4).map(|_| ann.encrypt(&mut group, "hello")).collect();

    let first = send(&ann, &service, &group, ("m0", &messages[0]), None, 1);
    assert_eq!(first.ok(), json!({ "position": 1 }));
    assert_eq!(current(&ann, &service), json!(encode(&[1; 32])));
    // Its answer was lost.
    let again = send(&ann, &service, &group, ("m0", &messages[0]), None, 1);
    assert_eq!(again.ok(), json!({ "position": 1 }));
    send(&ann, &service, &group, ("m1", &messages[1]), Some(1), 2).ok();
    // So was that of the first, for ever, and it is repeated after all.
    let again = send(&ann, &service, &group, ("m0", &messages[0]), None, 1);
    assert_eq!(again.ok(), json!({ "position": 1 }));
    assert_eq!(current(&ann, &service), json!(encode(&[2; 32])));

    // An older state, of the same epoch: whatever it sends, nothing changes.
    for previous in [None, Some(1), Some(7)] {
        let refused = send(&ann, &service, &group, ("m2", &messages[2]), previous, 9);
        refused.refused(409, "state-rolled-back");
    }
    // One that says nothing of its state, after one that did.
    ann.upload_message(&service, &group, &messages[2], "m2")
        .refused(409, "state-rolled-back");
    assert_eq!(current(&ann, &service), json!(encode(&[2; 32])));
    assert_eq!(ann.log(&service, &group, 0).len(), 2);
    send(&ann, &service, &group, ("m2", &messages[2]), Some(2), 3).ok();
}

#[test]
fn what_is_refused_leaves_the_link_where_it_was() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let mut group = ann.create_group(&service);
    ann.invite(&service, &mut group, "bob", "c1");
    let (mut bobs, _) = bob.join(&service);
    let message = ann.encrypt(&mut group, "hello");
    send(&ann, &service, &group, ("m0", &message), None, 1).ok();

    // Both commit, Bob is first.
    let winner = bob.self_update(&mut bobs, "c2");
    let loser = ann.self_update(&mut group, "c3");
    commit(&bob, &service, &bobs, ("c2", &winner.commit), None, 5).ok();
    commit(&ann, &service, &group, ("c3", &loser.commit), Some(1), 2).refused(409, "past-epoch");
    assert_eq!(current(&ann, &service), json!(encode(&[1; 32])));
    // An older state that is behind besides hears of the worse.
    commit(&ann, &service, &group, ("c4", &loser.commit), None, 2)
        .refused(409, "state-rolled-back");
    group.clear_pending_commit(ann.provider.storage()).unwrap();
    ann.process(&mut group, &winner.commit);
    let message = ann.encrypt(&mut group, "again");
    send(&ann, &service, &group, ("m1", &message), Some(1), 2).ok();
    // Every client has a chain of its own in every group.
    assert_eq!(current(&bob, &service), json!(encode(&[5; 32])));
}

#[test]
fn who_is_added_again_begins_anew() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let mut group = ann.create_group(&service);
    ann.invite(&service, &mut group, "bob", "c1");
    let (mut bobs, _) = bob.join(&service);
    let message = bob.encrypt(&mut bobs, "hello");
    send(&bob, &service, &bobs, ("m0", &message), None, 1).ok();
    let removal = ann.remove(&mut group, "bob/phone", "c2");
    ann.upload_commit(&service, &group, &removal).ok();
    group.merge_pending_commit(&ann.provider).unwrap();
    ann.invite(&service, &mut group, "bob", "c3");
    assert_eq!(current(&bob, &service), Value::Null);
}

#[test]
fn a_link_has_its_length_and_does_not_come_alone() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    let message = ann.encrypt(&mut group, "hello");
    let link = encode(&[1; 32]);
    for (previous, link) in [
        (None, Some(encode(&[1; 31]))),
        (Some(encode(&[1; 33])), Some(link.clone())),
        (Some(link), None),
    ] {
        let body = json!({
            "id": "m0", "message": encode(&message), "previous": previous, "link": link,
        });
        ann.post(&service, &group_path(&group, "messages"), body)
            .refused(400, "malformed-link");
    }
}

#[test]
fn a_member_publishes_the_group_info_of_the_present_epoch_and_joins_anew_by_it() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let eve = Client::start(&service, "eve", "phone");
    let mut group = ann.create_group(&service);
    ann.invite(&service, &mut group, "bob", "c1");
    let (mut bobs, _) = bob.join(&service);
    let message = bob.encrypt(&mut bobs, "hello");
    send(&bob, &service, &bobs, ("m0", &message), None, 1).ok();

    let path = group_path(&group, "info");
    bob.get(&service, &path).refused(404, "no-group-info");
    let exported = group.export_group_info(ann.provider.crypto(), &ann.keys, true);
    let info = exported.unwrap().to_bytes().unwrap();
    let body = |epoch: u64, info: &[u8]| json!({ "epoch": epoch, "groupInfo": encode(info) });
    ann.put(&service, &path, body(0, &info))
        .refused(409, "past-epoch");
    ann.put(&service, &path, body(1, &message))
        .refused(400, "wrong-wire-format");
    eve.put(&service, &path, body(1, &info))
        .refused(404, "unknown-group");
    let answer = ann.put(&service, &path, body(1, &info));
    assert_eq!(answer.status, 204, "{answer:?}");
    eve.get(&service, &path).refused(404, "unknown-group");
    let read = bob.get(&service, &path).ok();
    assert_eq!(read, json!({ "groupInfo": encode(&info) }));

    // Bob's state was put back: he comes in anew, and a new chain begins.
    let MlsMessageBodyIn::GroupInfo(info) = parse(&info) else {
        panic!("not a group info")
    };
    let restored = Client::with_nothing_of(&bob);
    let (_, bundle) = MlsGroup::external_commit_builder()
        .build_group(&restored.provider, info, bob.credential())
        .unwrap()
        .load_psks(restored.provider.storage())
        .unwrap()
        .build(
            restored.provider.rand(),
            restored.provider.crypto(),
            &bob.keys,
            |_| true,
        )
        .unwrap()
        .finalize(&restored.provider)
        .unwrap();
    let external = bundle.into_commit().to_bytes().unwrap();
    let upload = |client: &Client, previous, link| {
        commit(client, &service, &group, ("c2", &external), previous, link)
    };
    upload(&eve, None, 3).refused(404, "unknown-group");
    upload(&bob, None, 3).ok();
    assert_eq!(current(&bob, &service), json!(encode(&[3; 32])));
    assert_eq!(
        upload(&bob, None, 3).ok(),
        json!({ "position": 3, "epoch": 2 })
    );
    bob.get(&service, &path).refused(404, "no-group-info");
    ann.process(&mut group, &external);
    let members: Vec<_> = group.members().map(|member| member.credential).collect();
    assert_eq!(members.len(), 2, "the old leaf is gone");
}
