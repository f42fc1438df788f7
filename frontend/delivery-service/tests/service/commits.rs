//! The first commit of an epoch wins; commit, Welcomes and members change together.

use std::collections::BTreeSet;
use std::sync::mpsc::{channel, Receiver, Sender};

use openmls::prelude::*;
use serde_json::json;

use crate::support::client::CommitUpload;
use crate::support::{decode, Client, Service};

#[test]
fn a_commit_is_stored_whole_or_not_at_all() {
    let service = Service::start();
    let ann = Client::start(&service, "ann", "phone");
    let bob = Client::start(&service, "bob", "phone");
    Client::start(&service, "eve", "phone");
    let mut group = ann.create_group(&service);
    let add = ann.add_user(&service, &mut group, "bob", "c1");
    let refused = |change: &dyn Fn(&mut CommitUpload), status, code| {
        let mut changed = add.clone();
        change(&mut changed);
        ann.upload_commit(&service, &group, &changed)
            .refused(status, code);
    };
    refused(&|c| c.welcome = None, 400, "missing-welcome");
    refused(&|c| c.added.clear(), 400, "unexpected-welcome");
    refused(
        &|c| c.welcome = Some(c.commit.clone()),
        400,
        "wrong-wire-format",
    );
    refused(&|c| c.welcome = Some(vec![0; 64]), 400, "malformed-message");
    refused(
        &|c| c.added = vec!["bob/tablet".into()],
        400,
        "unknown-client",
    );
    refused(&|c| c.added = vec!["bob".into()], 400, "unknown-client");
    refused(
        &|c| c.added = vec!["ann/phone".into()],
        409,
        "already-member",
    );
    refused(
        &|c| c.added.push("eve/phone".into()),
        400,
        "welcome-mismatch",
    );
    refused(
        &|c| c.removed = vec!["bob/tablet".into()],
        400,
        "unknown-client",
    );
    refused(
        &|c| c.removed = vec!["eve/phone".into()],
        409,
        "removed-not-member",
    );
    refused(
        &|c| c.removed = vec!["ann/phone".into()],
        400,
        "removes-itself",
    );
    refused(
        &|c| c.added = vec!["bob/phone".into(); 1001],
        413,
        "too-many-changes",
    );

    let listed = || ann.get(&service, "/v1/groups").ok()["groups"][0].clone();
    assert_eq!(
        (&listed()["epoch"], &listed()["members"]),
        (&json!(0), &json!(["ann/phone"]))
    );
    assert!(ann.log(&service, &group, 0).is_empty());
    assert_eq!(
        bob.get(&service, "/v1/welcomes").ok()["welcomes"],
        json!([])
    );
    ann.upload_commit(&service, &group, &add).ok();
    assert_eq!(
        (&listed()["epoch"], &listed()["members"]),
        (&json!(1), &json!(["ann/phone", "bob/phone"]))
    );
    assert_eq!(
        bob.get(&service, "/v1/welcomes").ok()["welcomes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// One side of the contest: a client, its group, and how far it has read.
struct Member {
    client: Client,
    group: MlsGroup,
    cursor: u64,
    received: BTreeSet<String>,
    sent: BTreeSet<String>,
}

impl Member {
    /// Reads the log to its end. An own commit in it is merged.
    fn catch_up(&mut self, service: &Service) {
        for entry in self.client.log(service, &self.group, self.cursor) {
            self.cursor = entry["position"].as_u64().unwrap();
            let message = decode(&entry["message"]);
            if entry["sender"] != self.client.identity() {
                if let Some(text) = self.client.process(&mut self.group, &message) {
                    assert!(self.received.insert(text), "handed over twice");
                }
            } else if entry["id"].as_str().unwrap().starts_with("commit") {
                self.group
                    .merge_pending_commit(&self.client.provider)
                    .unwrap();
            }
        }
    }

    /// Sends a text; caught up and sent anew, under the same id, for as long as its epoch is past.
    fn send(&mut self, service: &Service, text: &str) {
        loop {
            let answer = self.client.send(service, &mut self.group, text, text);
            if answer.status == 200 {
                self.sent.insert(text.to_owned());
                return;
            }
            answer.refused(409, "past-epoch");
            self.catch_up(service);
        }
    }

    /// Commits in the epoch it is in. Returns whether it won; the loser has cleared its commit.
    fn commit(&mut self, service: &Service, id: &str) -> bool {
        let upload = self.client.self_update(&mut self.group, id);
        let epoch = self.group.epoch().as_u64();
        let answer = self.client.upload_commit(service, &self.group, &upload);
        if answer.status == 200 {
            assert_eq!(answer.body["epoch"], epoch + 1);
            return true;
        }
        assert_eq!(answer.refused(409, "past-epoch")["epoch"], epoch + 1);
        self.group
            .clear_pending_commit(self.client.provider.storage())
            .unwrap();
        false
    }
}

/// Where two threads wait for each other. If one fails, the other fails too instead of waiting.
struct Meeting(Sender<()>, Receiver<()>);

impl Meeting {
    fn pair() -> (Self, Self) {
        let ((to_a, from_b), (to_b, from_a)) = (channel(), channel());
        (Self(to_b, from_b), Self(to_a, from_a))
    }

    fn wait(&self) {
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
    }
}

/// Two members commit in the same epoch, a hundred times, at the same moment. Before it, each sends a
/// message; a third member sends all the while.
#[test]
fn of_two_concurrent_commits_exactly_one_wins_a_hundred_times() {
    const ROUNDS: usize = 100;
    let service = Service::start();
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|user| Client::start(&service, user, "phone"));
    let mut group = ann.create_group(&service);
    ann.invite(&service, &mut group, "bob", "commit-add-bob");
    ann.invite(&service, &mut group, "eve", "commit-add-eve");
    let member = |client: Client, group, cursor| Member {
        client,
        group,
        cursor,
        received: BTreeSet::new(),
        sent: BTreeSet::new(),
    };
    let (bobs, cursor) = bob.join(&service);
    let mut bob = member(bob, bobs, cursor);
    bob.catch_up(&service);
    let (eves, cursor) = eve.join(&service);
    let mut eve = member(eve, eves, cursor);
    let mut ann = member(ann, group, 2);

    let (anns, bobs) = Meeting::pair();
    let contest = |member: &mut Member, meeting: Meeting| -> Vec<bool> {
        let name = member.client.user.clone();
        (0..ROUNDS)
            .map(|round| {
                member.catch_up(&service);
                // Both have read the same commits: they are in the same epoch now.
                meeting.wait();
                member.send(&service, &format!("{name}-before-{round}"));
                meeting.wait();
                let won = member.commit(&service, &format!("commit-{name}-{round}"));
                meeting.wait();
                member.catch_up(&service);
                meeting.wait();
                if !won {
                    // The winner's commit is processed: the loser's next one succeeds.
                    assert!(member.commit(&service, &format!("commit-{name}-{round}-again")));
                    member.catch_up(&service);
                }
                meeting.wait();
                won
            })
            .collect()
    };
    let (anns, bobs) = std::thread::scope(|scope| {
        let anns = scope.spawn(|| contest(&mut ann, anns));
        let bobs = scope.spawn(|| contest(&mut bob, bobs));
        let mut number = 0;
        while !(anns.is_finished() || bobs.is_finished()) {
            eve.send(&service, &format!("eve-{number}"));
            number += 1;
        }
        (anns.join().unwrap(), bobs.join().unwrap())
    });
    for (round, (ann, bob)) in anns.iter().zip(&bobs).enumerate() {
        assert!(ann ^ bob, "round {round}: exactly one wins");
    }
    for member in [&mut ann, &mut bob, &mut eve] {
        member.catch_up(&service);
    }
    // Two commits a round, and the two additions.
    assert_eq!(ann.group.epoch().as_u64(), 2 * ROUNDS as u64 + 2);
    assert_eq!(ann.group.epoch(), bob.group.epoch());
    assert_eq!(
        ann.group.epoch_authenticator().as_slice(),
        bob.group.epoch_authenticator().as_slice()
    );
    assert_eq!(
        ann.group.epoch_authenticator().as_slice(),
        eve.group.epoch_authenticator().as_slice()
    );
    let all: BTreeSet<_> = [&ann, &bob, &eve]
        .iter()
        .flat_map(|member| member.sent.clone())
        .collect();
    assert!(all.len() > 2 * ROUNDS);
    for member in [&ann, &bob, &eve] {
        let expected: BTreeSet<_> = all.difference(&member.sent).cloned().collect();
        assert_eq!(
            member.received, expected,
            "{} has every message of the others",
            member.client.user
        );
    }
}
