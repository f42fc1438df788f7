//! Who may read and write a group's log, and what it refuses.

use openmls::prelude::*;
use serde_json::{json, Value};

use crate::support::client::group_path;
use crate::support::{decode, Client, Service};

fn ids(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect()
}

#[test]
fn members_read_what_was_sent_between_joining_and_removal() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let eve = Client::start(&service, "eve", "phone");
    let mut group = ann.create_group(&service);
    ann.send(&service, &mut group, "before", "m1").ok();
    ann.invite(&service, &mut group, "bob", "add");
    let (mut bobs, _) = bob.join(&service);
    ann.send(&service, &mut group, "hello bob", "m2").ok();
    let log = bob.log(&service, &group, 0);
    assert_eq!(
        ids(&log),
        ["m2"],
        "neither what was before nor the commit that added"
    );
    assert_eq!(log[0]["sender"], "ann/phone");
    assert_eq!(log[0]["position"], 3);
    assert_eq!(
        bob.process(&mut bobs, &decode(&log[0]["message"])).unwrap(),
        "hello bob"
    );

    let removal = ann.remove(&mut group, "bob/phone", "remove");
    ann.upload_commit(&service, &group, &removal).ok();
    group.merge_pending_commit(&ann.provider).unwrap();
    ann.send(&service, &mut group, "bob is gone", "m3").ok();
    let log = bob.log(&service, &group, 0);
    assert_eq!(
        ids(&log),
        ["m2", "remove"],
        "the removal itself is the last entry"
    );
    bob.process(&mut bobs, &decode(&log[1]["message"]));
    assert!(!bobs.is_active());
    let late = ann.encrypt(&mut group, "not bob's");
    bob.upload_message(&service, &group, &late, "m4")
        .refused(403, "not-a-member");
    assert_eq!(
        bob.get(&service, "/v1/groups").ok(),
        json!({ "groups": [] })
    );

    // Added again, there is a hole where he was away.
    bobs.delete(bob.provider.storage()).unwrap();
    service.request("DELETE", "/v1/welcomes?upTo=1", Some(&bob.token), None);
    ann.invite(&service, &mut group, "bob", "again");
    let (bobs, position) = bob.join(&service);
    assert_eq!((bobs.epoch().as_u64(), position), (3, 6));
    ann.send(&service, &mut group, "welcome back", "m5").ok();
    assert_eq!(ids(&bob.log(&service, &group, 0)), ["m2", "remove", "m5"]);
    assert_eq!(
        ids(&ann.log(&service, &group, 0)),
        ["m1", "add", "m2", "remove", "m3", "again", "m5"]
    );
    let listed = ann.get(&service, "/v1/groups").ok()["groups"][0].clone();
    assert_eq!(
        (&listed["epoch"], &listed["position"]),
        (&json!(3), &json!(7))
    );
    assert_eq!(listed["members"], json!(["ann/phone", "bob/phone"]));

    // To a stranger there is no such group, whatever she asks.
    eve.get(&service, &group_path(&group, "log"))
        .refused(404, "unknown-group");
    let message = ann.encrypt(&mut group, "not eve's");
    eve.upload_message(&service, &group, &message, "m6")
        .refused(404, "unknown-group");
    let commit = ann.self_update(&mut group, "c6");
    eve.upload_commit(&service, &group, &commit)
        .refused(404, "unknown-group");
    assert_eq!(
        eve.get(&service, "/v1/groups").ok(),
        json!({ "groups": [] })
    );
}

#[test]
fn pages_follow_the_cursor() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    for number in 1..=7 {
        let sent = ann
            .send(&service, &mut group, "x", &format!("m{number}"))
            .ok();
        assert_eq!(sent, json!({ "position": number }));
    }
    let (mut after, mut read, mut pages) = (0, 0, 0);
    loop {
        let page = ann
            .get(
                &service,
                &format!("{}?after={after}&limit=3", group_path(&group, "log")),
            )
            .ok();
        let entries = page["entries"].as_array().unwrap();
        (read, pages) = (read + entries.len(), pages + 1);
        after = entries.last().unwrap()["position"].as_u64().unwrap();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!((after, read, pages), (7, 7, 3));
    for limit in ["0", "501"] {
        let path = format!("{}?limit={limit}", group_path(&group, "log"));
        ann.get(&service, &path).refused(400, "malformed-limit");
    }
}

#[test]
fn an_upload_whose_answer_was_lost_is_stored_once_and_answered_the_same() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    let mut group = ann.create_group(&service);
    let message = ann.encrypt(&mut group, "once");
    let first = ann.upload_message(&service, &group, &message, "m1").ok();
    assert_eq!(
        ann.upload_message(&service, &group, &message, "m1").ok(),
        first
    );

    let commit = ann.add_user(&service, &mut group, "bob", "c1");
    let first = ann.upload_commit(&service, &group, &commit).ok();
    // The group has moved on: what was stored is answered all the same, not as past.
    assert_eq!(ann.upload_commit(&service, &group, &commit).ok(), first);
    assert_eq!(
        ann.upload_message(&service, &group, &message, "m1").ok()["position"],
        1
    );
    assert_eq!(ann.log(&service, &group, 0).len(), 2);
    assert_eq!(
        bob.get(&service, "/v1/welcomes").ok()["welcomes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    group.merge_pending_commit(&ann.provider).unwrap();
    let other = ann.encrypt(&mut group, "other");
    ann.upload_message(&service, &group, &other, "m1")
        .refused(409, "id-conflict");
    ann.upload_message(&service, &group, &other, "c1")
        .refused(409, "id-conflict");
    let mut changed = commit.clone();
    changed.added.clear();
    changed.welcome = None;
    ann.upload_commit(&service, &group, &changed)
        .refused(409, "id-conflict");
    bob.upload_message(&service, &group, &message, "m1")
        .refused(409, "id-conflict");

    // Creating a group is repeated likewise, until something was sent to it.
    let second = ann.create_group(&service);
    let body = json!({ "groupId": crate::support::encode(second.group_id().as_slice()) });
    assert_eq!(ann.post(&service, "/v1/groups", body.clone()).status, 200);
    bob.post(&service, "/v1/groups", body)
        .refused(409, "group-exists");
    let body = json!({ "groupId": crate::support::encode(group.group_id().as_slice()) });
    ann.post(&service, "/v1/groups", body)
        .refused(409, "group-exists");
}

#[test]
fn only_messages_of_the_current_epoch_are_taken() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let mut group = ann.create_group(&service);
    let past = ann.encrypt(&mut group, "late");
    let commit = ann.self_update(&mut group, "c1");
    group.merge_pending_commit(&ann.provider).unwrap();
    let early = ann.encrypt(&mut group, "early");
    let refusal = ann
        .upload_message(&service, &group, &early, "m2")
        .refused(409, "future-epoch");
    assert_eq!(refusal["epoch"], 0);
    ann.upload_commit(&service, &group, &commit).ok();
    ann.upload_message(&service, &group, &early, "m2").ok();
    let refusal = ann
        .upload_message(&service, &group, &past, "m1")
        .refused(409, "past-epoch");
    assert_eq!(refusal["epoch"], 1);
    // Refused means not stored: the id is free for the message made anew.
    ann.send(&service, &mut group, "late", "m1").ok();
}

#[test]
fn takes_public_and_private_handshakes_of_members_only() {
    let service = Service::start();
    for policy in [
        PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
        PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
    ] {
        let suffix = if policy == PURE_PLAINTEXT_WIRE_FORMAT_POLICY {
            "public"
        } else {
            "private"
        };
        let mut ann = Client::start(&service, &format!("ann-{suffix}"), "phone");
        let mut bob = Client::start(&service, &format!("bob-{suffix}"), "phone");
        ann.wire_format_policy = policy;
        bob.wire_format_policy = policy;
        let mut group = ann.create_group(&service);
        ann.invite(&service, &mut group, &bob.user, "add");
        let (mut bobs, _) = bob.join(&service);

        let proposal = bobs
            .leave_group(&bob.provider, &bob.keys)
            .unwrap()
            .to_bytes()
            .unwrap();
        bob.upload_message(&service, &bobs, &proposal, "leave").ok();
        ann.process(&mut group, &proposal);
        let (commit, _, _) = group
            .commit_to_pending_proposals(&ann.provider, &ann.keys)
            .unwrap();
        let commit = crate::support::client::CommitUpload {
            id: "let-go".into(),
            commit: commit.to_bytes().unwrap(),
            removed: vec![bob.identity()],
            ..Default::default()
        };
        // Each kind has its own address.
        ann.upload_message(&service, &group, &commit.commit, "x")
            .refused(400, "wrong-content-type");
        let mut misplaced = commit.clone();
        misplaced.commit = proposal;
        ann.upload_commit(&service, &group, &misplaced)
            .refused(400, "wrong-content-type");
        ann.upload_commit(&service, &group, &commit).ok();
        group.merge_pending_commit(&ann.provider).unwrap();
        let listed = ann.get(&service, "/v1/groups").ok();
        assert_eq!(listed["groups"][0]["members"], json!([ann.identity()]));
    }
}

#[test]
fn refuses_commits_from_outside_the_group() {
    let service = Service::start();
    let mut ann = Client::start(&service, "ann", "phone");
    ann.wire_format_policy = PURE_PLAINTEXT_WIRE_FORMAT_POLICY;
    let bob = Client::start(&service, "bob", "phone");
    let group = ann.create_group(&service);
    let info = group
        .export_group_info(ann.provider.crypto(), &ann.keys, true)
        .unwrap();
    let MlsMessageBodyIn::GroupInfo(info) =
        crate::support::client::parse(&info.to_bytes().unwrap())
    else {
        panic!("not a group info")
    };
    let (_, bundle) = MlsGroup::external_commit_builder()
        .build_group(&bob.provider, info, bob.credential())
        .unwrap()
        .load_psks(bob.provider.storage())
        .unwrap()
        .build(
            bob.provider.rand(),
            bob.provider.crypto(),
            &bob.keys,
            |_| true,
        )
        .unwrap()
        .finalize(&bob.provider)
        .unwrap();
    let upload = crate::support::client::CommitUpload {
        id: "external".into(),
        commit: bundle.into_commit().to_bytes().unwrap(),
        ..Default::default()
    };
    bob.upload_commit(&service, &group, &upload)
        .refused(400, "external-sender");
    ann.upload_commit(&service, &group, &upload)
        .refused(400, "external-sender");
}
