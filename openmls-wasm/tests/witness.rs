//! The delivery service as a witness: a database that is put back as a whole is told from a true one.

mod common;

use common::{assert_in_step, code, pair, refused, Database, Device};
use openmls_wasm::{
    client::{
        Delivered, ExternalJoin, OutboxEntry, OutboxKind, ProcessedContent, ProposalRequest,
        UploadLink,
    },
    ClientError, MlsClient,
};

/// What the service keeps of one client in one group.
#[derive(Default)]
struct Witness {
    link: Option<Vec<u8>>,
    accepted: Vec<(String, Vec<u8>)>,
}

impl Witness {
    /// Whether the upload is accepted.
    fn upload(&mut self, device: &Device, entry: &OutboxEntry) -> bool {
        let upload = (entry.id.clone(), entry.bytes.clone().unwrap());
        if self.accepted.contains(&upload) {
            return true;
        }
        let link = device.client.upload_link(&entry.id).unwrap();
        let UploadLink { previous, link } = link.expect("the group is watched");
        if self.link.is_some() && previous != self.link {
            return false;
        }
        self.link = Some(link);
        self.accepted.push(upload);
        true
    }

    fn is_current(&self, device: &mut Device, group: &[u8]) -> bool {
        let answer = device.client.check_witness(group, self.link.as_deref());
        device.save();
        answer.unwrap()
    }
}

fn restored(database: &Database) -> Device {
    let mut device = Device::with(MlsClient::new(), Default::default());
    device.database = database.clone();
    device.crash();
    device
}

/// A message that is sent, accepted and acknowledged.
fn say(device: &mut Device, witness: &mut Witness, group: &[u8], text: &[u8]) -> OutboxEntry {
    let entry = device.client.send_message(group, text, None).unwrap();
    device.save();
    assert!(witness.upload(device, &entry));
    device.client.acknowledge_outbox(&entry.id).unwrap();
    device.save();
    entry
}

fn watched() -> (Device, Device, Vec<u8>, Witness) {
    let (mut alice, bob, _, group) = pair();
    let witness = Witness::default();
    assert!(witness.is_current(&mut alice, &group));
    (alice, bob, group, witness)
}

#[test]
fn a_group_is_watched_from_the_first_question_on() {
    let (mut alice, _, _, group) = pair();
    let entry = alice.client.send_message(&group, b"1", None).unwrap();
    assert_eq!(alice.client.upload_link(&entry.id), Ok(None));
    assert_eq!(alice.client.check_witness(&group, None), Ok(true));
    let link = alice.client.upload_link(&entry.id).unwrap().unwrap();
    assert_eq!((link.previous, link.link.len()), (None, 32));
    alice.save();
    let malformed = refused(&mut alice, |client| {
        client.check_witness(&group, Some(&[1]))
    });
    assert_eq!(malformed, "invalid-argument");
    let unknown = refused(&mut alice, |client| client.check_witness(b"none", None));
    assert_eq!(unknown, "group-not-found");
    let unknown = refused(&mut alice, |client| client.upload_link("none"));
    assert_eq!(unknown, "unknown-outbox-entry");
}

#[test]
fn each_upload_comes_behind_the_one_that_was_accepted_before() {
    let (mut alice, mut bob, group, mut witness) = watched();
    for text in [b"1", b"2", b"3"] {
        let entry = say(&mut alice, &mut witness, &group, text);
        bob.client.process_message(&entry.bytes.unwrap()).unwrap();
        assert!(witness.is_current(&mut alice, &group));
    }
    // In another order than they were made in, and one that never goes up.
    let [one, two, three] =
        [b"4", b"5", b"6"].map(|text| alice.client.send_message(&group, text, None).unwrap());
    alice.client.reject_outbox(&two.id).unwrap();
    for entry in [three, one] {
        assert!(witness.upload(&alice, &entry));
        alice.client.acknowledge_outbox(&entry.id).unwrap();
    }
    assert!(witness.is_current(&mut alice, &group));
    // Proposals and commits.
    let update = ProposalRequest::Update(Default::default());
    let proposal = alice.client.propose(&group, &update, &[], None).unwrap();
    assert!(witness.upload(&alice, &proposal));
    alice
        .client
        .process_message(proposal.bytes.as_ref().unwrap())
        .unwrap();
    assert!(alice.client.outbox().unwrap().is_empty());
    let commit = alice.client.commit_pending_proposals(&group, None);
    assert_eq!(commit.map(|entry| entry.kind), Ok(OutboxKind::Commit));
    let commit = alice.client.outbox().unwrap().remove(0);
    assert!(witness.upload(&alice, &commit));
    alice.client.merge_pending_commit(&group).unwrap();
    assert!(witness.is_current(&mut alice, &group));
    say(&mut alice, &mut witness, &group, b"after all of it");
}

#[test]
fn a_commit_that_lost_its_epoch_leaves_no_link_behind() {
    let (mut alice, mut bob, group, mut witness) = watched();
    say(&mut alice, &mut witness, &group, b"1");
    // Superseded by the commit of another, and rejected.
    for rejects in [false, true] {
        let lost = alice.client.self_update(&group, None).unwrap();
        alice.save();
        if rejects {
            alice.client.reject_commit(&lost.id).unwrap();
        }
        let won = bob.client.self_update(&group, None).unwrap();
        bob.client.merge_pending_commit(&group).unwrap();
        alice.client.process_message(&won.bytes.unwrap()).unwrap();
        assert!(alice.client.outbox().unwrap().is_empty());
        assert!(witness.is_current(&mut alice, &group));
        say(&mut alice, &mut witness, &group, b"2");
    }
}

#[test]
fn an_answer_that_was_lost_is_no_newer_state() {
    let (mut alice, mut bob, group, mut witness) = watched();
    say(&mut alice, &mut witness, &group, b"1");
    let entry = alice.client.send_message(&group, b"2", None).unwrap();
    alice.save();
    assert!(witness.upload(&alice, &entry));
    alice.crash();
    assert!(witness.is_current(&mut alice, &group));
    assert!(witness.upload(&alice, &entry), "answered as before");
    // It was encrypted anew although the first encryption had been accepted.
    let won = bob.client.self_update(&group, None).unwrap();
    bob.client.merge_pending_commit(&group).unwrap();
    alice.client.process_message(&won.bytes.unwrap()).unwrap();
    let renewed = alice.client.renew_outbox(&entry.id).unwrap();
    assert_ne!(renewed.bytes, entry.bytes);
    alice.save();
    alice.crash();
    assert!(witness.is_current(&mut alice, &group));
    // A commit, whose answer comes by the log.
    let (mut alice, _, group, mut witness) = watched();
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.save();
    assert!(witness.upload(&alice, &commit));
    alice.crash();
    assert!(witness.is_current(&mut alice, &group));
    alice
        .client
        .process_message(&commit.bytes.unwrap())
        .unwrap();
    alice.save();
    assert!(witness.is_current(&mut alice, &group));
    say(&mut alice, &mut witness, &group, b"3");
}

/// Whatever would use the keys of the group.
fn assert_refused(device: &mut Device, group: &[u8]) {
    let codes = [
        refused(device, |client| client.send_message(group, b"x", None)),
        refused(device, |client| client.encrypt_message(group, b"x")),
        refused(device, |client| client.self_update(group, None)),
        refused(device, |client| client.remove_members(group, &[1], None)),
        refused(device, |client| client.leave_group(group, None)),
    ];
    assert_eq!(codes, ["rolled-back-state"; 5]);
}

#[test]
fn a_database_that_is_put_back_is_told_of_the_same_epoch_too_and_heals_by_external_commit() {
    for later in [vec![], vec![false], vec![true, false, true]] {
        let (mut alice, mut bob, group, mut witness) = watched();
        say(&mut alice, &mut witness, &group, b"1");
        let waiting = alice.client.send_message(&group, b"waits", None).unwrap();
        alice.save();
        let older = alice.database.clone();
        assert!(witness.upload(&alice, &waiting));
        alice.client.acknowledge_outbox(&waiting.id).unwrap();
        let mut in_between = vec![];
        say(&mut alice, &mut witness, &group, b"2");
        for commits in later {
            if commits {
                let commit = alice.client.self_update(&group, None).unwrap();
                assert!(witness.upload(&alice, &commit));
                alice.client.merge_pending_commit(&group).unwrap();
                in_between.push(commit.bytes.unwrap());
            } else {
                say(&mut alice, &mut witness, &group, b"3");
            }
        }
        for commit in in_between {
            bob.client.process_message(&commit).unwrap();
        }

        let mut alice = restored(&older);
        // Nobody has asked yet; the service refuses it all the same.
        let entry = alice.client.send_message(&group, b"early", None).unwrap();
        assert!(!witness.upload(&alice, &entry));
        let mut alice = restored(&older);
        assert!(!witness.is_current(&mut alice, &group));
        assert_refused(&mut alice, &group);
        let link = refused(&mut alice, |client| client.upload_link(&waiting.id));
        assert_eq!(link, "rolled-back-state");
        let renewal = refused(&mut alice, |client| client.renew_outbox(&waiting.id));
        assert_eq!(renewal, "rolled-back-state");
        // It stays so, whatever is said next.
        alice.crash();
        assert!(!witness.is_current(&mut alice, &group));
        assert_eq!(alice.client.check_witness(&group, None), Ok(false));
        assert_refused(&mut alice, &group);
        let others = alice.client.create_group(None).unwrap();
        alice.client.encrypt_message(&others, b"goes on").unwrap();

        let info = bob.client.export_group_info(&group, true).unwrap();
        let join = ExternalJoin::default();
        let joined = alice.client.join_by_external_commit(&info, &join, None);
        let joined = joined.unwrap();
        alice.save();
        assert!(witness.upload_anew(&alice, &joined));
        alice.crash();
        assert!(!witness.is_current(&mut alice, &group), "not joined yet");
        let commit = joined.bytes.unwrap();
        alice.client.process_message(&commit).unwrap();
        alice.save();
        bob.client.process_message(&commit).unwrap();
        assert_in_step(&mut alice, &mut bob, &group);
        assert!(witness.is_current(&mut alice, &group));
        let entry = say(&mut alice, &mut witness, &group, b"healed");
        let read = bob.client.process_message(&entry.bytes.unwrap()).unwrap();
        assert!(matches!(read.content, ProcessedContent::Message { .. }));
        alice.crash();
        assert!(witness.is_current(&mut alice, &group));
    }
}

impl Witness {
    /// An external commit begins a new chain.
    fn upload_anew(&mut self, device: &Device, entry: &OutboxEntry) -> bool {
        self.link = None;
        self.upload(device, entry)
    }
}

#[test]
fn an_older_state_in_which_a_message_had_not_been_encrypted_anew_is_told() {
    let (mut alice, mut bob, group, mut witness) = watched();
    let entry = alice.client.send_message(&group, b"1", None).unwrap();
    alice.save();
    let older = alice.database.clone();
    let won = bob.client.self_update(&group, None).unwrap();
    bob.client.merge_pending_commit(&group).unwrap();
    alice.client.process_message(&won.bytes.unwrap()).unwrap();
    let renewed = alice.client.renew_outbox(&entry.id).unwrap();
    assert!(witness.upload(&alice, &renewed));
    alice.client.acknowledge_outbox(&entry.id).unwrap();
    alice.save();
    assert!(!witness.is_current(&mut restored(&older), &group));
}

#[test]
fn a_service_that_has_lost_its_links_accuses_nobody() {
    let (mut alice, _, group, mut witness) = watched();
    say(&mut alice, &mut witness, &group, b"1");
    witness.link = None;
    assert!(witness.is_current(&mut alice, &group));
    say(&mut alice, &mut witness, &group, b"2");
    assert!(witness.is_current(&mut alice, &group));
}

#[test]
fn what_belongs_to_no_chain_any_more() {
    let (mut alice, _, group, mut witness) = watched();
    say(&mut alice, &mut witness, &group, b"1");
    let commit = alice.client.self_update(&group, None).unwrap();
    let wrong = code(alice.client.reject_outbox(&commit.id));
    assert_eq!(wrong, "wrong-kind");
    alice.client.delete_group(&group).unwrap();
    alice.save();
    let gone: Result<_, ClientError> = alice.client.upload_link(&commit.id);
    assert_eq!(code(gone), "unknown-outbox-entry");
    let of_chain =
        |record: &openmls_wasm::storage::Record| record.category.name() == "upload_chain";
    assert!(!alice.database.records().iter().any(of_chain));
}

#[test]
fn an_encryption_that_was_accepted_and_renewed_all_the_same_is_the_last_link() {
    let (mut alice, mut bob, group, mut witness) = watched();
    let entry = alice.client.send_message(&group, b"1", None).unwrap();
    alice.save();
    assert!(witness.upload(&alice, &entry));
    let won = bob.client.self_update(&group, None).unwrap();
    bob.client.merge_pending_commit(&group).unwrap();
    alice.client.process_message(&won.bytes.unwrap()).unwrap();
    alice.client.renew_outbox(&entry.id).unwrap();
    alice.save();
    // It is in the log already: the renewed one must not go up.
    let delivered = Delivered {
        bytes: entry.bytes.as_ref().unwrap(),
        id: Some(&entry.id),
        ..Default::default()
    };
    assert_eq!(alice.client.receive_message(delivered), Ok(None));
    assert!(alice.client.outbox().unwrap().is_empty());
    assert!(witness.is_current(&mut alice, &group));
    say(&mut alice, &mut witness, &group, b"2");
}
