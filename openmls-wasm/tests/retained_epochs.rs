//! Late messages: read as OpenMLS reads those of the past epochs it keeps itself, with less kept.

mod common;
#[path = "random_walk/rng.rs"]
#[allow(dead_code)]
mod rng;

use std::time::{SystemTime, UNIX_EPOCH};

use common::{code, pair, Database, Device};
use openmls::{
    framing::errors::{MessageDecryptionError, SecretTreeError},
    prelude::{
        tls_codec::{DeserializeBytes as _, Serialize as _},
        BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, MlsGroup, MlsGroupJoinConfig,
        MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, ProcessMessageError,
        ProcessedMessageContent, StagedWelcome, ValidationError,
    },
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_wasm::{
    client::{GroupSettings, ProcessedContent},
    storage::{key, Category},
    MlsClient,
};
use rng::Rng;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

fn keeping(max_past_epochs: usize) -> GroupSettings {
    GroupSettings {
        max_past_epochs,
        ..GroupSettings::default()
    }
}

/// A member that is OpenMLS and its own storage, and keeps past epochs as OpenMLS does.
struct Reference {
    provider: OpenMlsRustCrypto,
    bundle: Option<Vec<u8>>,
    group: Option<MlsGroup>,
}

/// What became of a message.
#[derive(Debug, PartialEq)]
enum Outcome {
    Read(Vec<u8>),
    Followed,
    Refused(&'static str),
}

impl Reference {
    fn new() -> Self {
        let provider = OpenMlsRustCrypto::default();
        let signer = SignatureKeyPair::new(SUITE.signature_algorithm()).unwrap();
        let credential = CredentialWithKey {
            credential: BasicCredential::new(b"reference".to_vec()).into(),
            signature_key: signer.public().into(),
        };
        let bundle = KeyPackage::builder()
            .build(SUITE, &provider, &signer, credential)
            .unwrap();
        let message = MlsMessageOut::from(bundle.key_package().clone());
        Self {
            provider,
            bundle: Some(message.tls_serialize_detached().unwrap()),
            group: None,
        }
    }

    fn join(&mut self, welcome: &[u8], max_past_epochs: usize) {
        let config = MlsGroupJoinConfig::builder()
            .max_past_epochs(max_past_epochs)
            .build();
        let message = MlsMessageIn::tls_deserialize_exact_bytes(welcome).unwrap();
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
            panic!("a Welcome");
        };
        let staged =
            StagedWelcome::new_from_welcome(&self.provider, &config, welcome, None).unwrap();
        self.group = Some(staged.into_group(&self.provider).unwrap());
    }

    fn process(&mut self, bytes: &[u8]) -> Outcome {
        let group = self.group.as_mut().unwrap();
        let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).unwrap();
        let message = message.try_into_protocol_message().unwrap();
        let is_past = message.epoch() < group.epoch();
        let processed = match group.process_message(&self.provider, message) {
            Ok(processed) => processed,
            Err(ProcessMessageError::ValidationError(error)) => {
                return Outcome::Refused(match error {
                    ValidationError::NoPastEpochData => "past-epoch",
                    ValidationError::UnableToDecrypt(MessageDecryptionError::SecretTreeError(
                        SecretTreeError::SecretReuseError,
                    )) => "duplicate-message",
                    ValidationError::UnableToDecrypt(MessageDecryptionError::SecretTreeError(
                        SecretTreeError::TooDistantInThePast,
                    )) => match is_past {
                        true => "past-epoch",
                        false => "too-far-out-of-order",
                    },
                    other => panic!("{other:?}"),
                })
            }
            Err(other) => panic!("{other:?}"),
        };
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                Outcome::Read(message.into_bytes())
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                group.merge_staged_commit(&self.provider, *staged).unwrap();
                Outcome::Followed
            }
            _ => panic!("neither message nor commit"),
        }
    }
}

fn process(client: &mut MlsClient, bytes: &[u8]) -> Outcome {
    match client.process_message(bytes) {
        Ok(processed) => match processed.content {
            ProcessedContent::Message {
                plaintext, sender, ..
            } => {
                let claimed = plaintext.split(|byte| *byte == b':').next().unwrap();
                assert_eq!(sender.identity, claimed, "the sender of that time");
                Outcome::Read(plaintext)
            }
            ProcessedContent::Commit { .. } => Outcome::Followed,
            other => panic!("{other:?}"),
        },
        Err(error) => Outcome::Refused(error.code()),
    }
}

/// Where a device sits, as another member sees it.
fn leaf_of(device: &Device, other: &mut Device, group: &[u8]) -> u32 {
    let name = device.client.identity().unwrap().unwrap().identity;
    let members = other.info(group).members;
    let found = members.iter().find(|member| member.identity == name);
    found.unwrap().leaf_index
}

/// Hands what has come by this step to both, not in the order in which it was sent. Returns how many
/// messages were read.
fn deliver(
    rng: &mut Rng,
    step: usize,
    late: &mut Vec<(usize, Vec<u8>)>,
    ours: &mut Device,
    reference: &mut Reference,
) -> usize {
    let mut read = 0;
    late.sort_by_key(|(at, _)| *at);
    while late.first().is_some_and(|(at, _)| *at <= step) {
        let due = late.iter().take_while(|(at, _)| *at <= step).count();
        let (_, message) = late.remove(rng.below(due));
        let before = Database::of(&ours.client);
        let outcome = process(&mut ours.client, &message);
        assert_eq!(outcome, reference.process(&message), "step {step}");
        match outcome {
            Outcome::Read(_) => read += 1,
            _ => assert!(Database::of(&ours.client) == before),
        }
    }
    read
}

/// Members come, go and come back at other leaves; messages come up to twelve epochs late, and twice.
fn walk(seed: u64, max_past_epochs: usize) -> usize {
    let mut rng = Rng::new(seed);
    let mut alice = Device::new("alice");
    let mut ours = Device::new("ours");
    let mut reference = Reference::new();
    ours.client.set_group_settings(keeping(max_past_epochs));
    let group = alice.client.create_group(None).unwrap();
    let mut packages = ours.client.generate_key_packages(1).unwrap();
    packages.extend(reference.bundle.take());
    let welcome = alice.client.add_members(&group, &packages, None).unwrap();
    let welcome = welcome.welcome.unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    ours.client.join_group(&welcome).unwrap();
    reference.join(&welcome, max_past_epochs);

    let mut others: Vec<Device> = vec![];
    // Messages on their way, with the step in which they arrive.
    let mut late: Vec<(usize, Vec<u8>)> = vec![];
    let mut read = 0;
    for step in 0..70 {
        let mut senders: Vec<&mut Device> = others.iter_mut().collect();
        senders.push(&mut alice);
        for sender in senders {
            for number in 0..rng.below(4) {
                let name = String::from_utf8(sender.client.identity().unwrap().unwrap().identity);
                let text = format!("{}: {step} {number}", name.unwrap());
                let message = sender
                    .client
                    .encrypt_message(&group, text.as_bytes())
                    .unwrap();
                for _ in 0..rng.one_of(&[1, 1, 1, 2]) {
                    late.push((step + rng.one_of(&[0, 0, 1, 2, 5, 12]), message.clone()));
                }
            }
        }
        if rng.chance(50) {
            read += deliver(&mut rng, step, &mut late, &mut ours, &mut reference);
        }
        let commit = match rng.below(4) {
            0 if others.len() < 9 => {
                let mut other = Device::new(&format!("other {step}"));
                let package = other.client.generate_key_packages(1).unwrap();
                let entry = alice.client.add_members(&group, &package, None).unwrap();
                alice.client.merge_pending_commit(&group).unwrap();
                let welcome = entry.welcome.as_deref().unwrap();
                other.client.join_group(welcome).unwrap();
                others.push(other);
                let newest = others.len() - 1;
                for other in &mut others[..newest] {
                    process(&mut other.client, entry.bytes.as_deref().unwrap());
                }
                entry.bytes.unwrap()
            }
            1 if !others.is_empty() => {
                let gone = others.remove(rng.below(others.len()));
                let leaf = leaf_of(&gone, &mut alice, &group);
                let entry = alice.client.remove_members(&group, &[leaf], None).unwrap();
                alice.client.merge_pending_commit(&group).unwrap();
                for other in &mut others {
                    process(&mut other.client, entry.bytes.as_deref().unwrap());
                }
                entry.bytes.unwrap()
            }
            _ => {
                let entry = alice.client.self_update(&group, None).unwrap();
                alice.client.merge_pending_commit(&group).unwrap();
                for other in &mut others {
                    process(&mut other.client, entry.bytes.as_deref().unwrap());
                }
                entry.bytes.unwrap()
            }
        };
        assert_eq!(process(&mut ours.client, &commit), Outcome::Followed);
        assert_eq!(reference.process(&commit), Outcome::Followed);
        read += deliver(&mut rng, step, &mut late, &mut ours, &mut reference);
        if rng.chance(30) {
            ours.save();
            ours.crash();
        }
    }
    read
}

#[test]
fn late_messages_are_read_as_openmls_reads_them() {
    for (seed, max_past_epochs) in [(1, 10), (2, 10), (3, 3), (4, 1), (5, 0), (6, 20)] {
        let read = walk(seed, max_past_epochs);
        println!("{max_past_epochs} past epochs: {read} messages read");
        assert!(read > 50);
    }
}

/// Every byte string of 32 bytes in the values of a category, if it is of that epoch: whatever may be
/// a secret.
fn secrets_in(client: &MlsClient, category: Category, epoch: Option<u64>) -> Vec<Vec<u8>> {
    let records = client.storage().records().unwrap();
    let epoch = epoch.map(|epoch| format!("/{epoch:016x}"));
    let of_epoch = |key: &str| epoch.as_ref().is_none_or(|epoch| key.contains(epoch));
    let of_category = records
        .iter()
        .filter(|record| record.category == category && of_epoch(&record.key));
    let strings = of_category.flat_map(|record| {
        let value: &[u8] = &record.value;
        // In MessagePack: bin 8, 32 bytes long.
        let starts = value.windows(2).enumerate();
        let starts = starts.filter(|(_, marker)| *marker == [0xc4, 32]);
        starts
            .filter_map(|(at, _)| value.get(at + 2..at + 34).map(<[u8]>::to_vec))
            .collect::<Vec<_>>()
    });
    strings.collect()
}

fn is_anywhere(client: &MlsClient, secret: &[u8]) -> bool {
    let records = client.storage().records().unwrap();
    let mut values = records.iter().map(|record| record.value.clone());
    values.any(|value| value.windows(secret.len()).any(|window| window == secret))
}

#[test]
fn of_an_epoch_that_is_over_only_what_reads_its_messages_is_kept() {
    let (mut alice, mut bob, _, group) = pair();
    // A tree with keys of its own, and ratchets of both.
    for _ in 0..2 {
        let commit = bob.client.self_update(&group, None).unwrap();
        bob.client.merge_pending_commit(&group).unwrap();
        process(&mut alice.client, &commit.bytes.unwrap());
    }
    let read = bob.client.encrypt_message(&group, b"bob: read").unwrap();
    process(&mut alice.client, &read);
    let late = bob.client.encrypt_message(&group, b"bob: late").unwrap();
    let epoch = alice.info(&group).epoch;
    // init secret, exporter secret, epoch authenticator, external secret, resumption PSK
    let schedule = secrets_in(&alice.client, Category::GroupEpochSecrets, None);
    let keys = secrets_in(&alice.client, Category::EpochKeyPairs, None);
    let of_epoch = secrets_in(&alice.client, Category::MessageSecrets, Some(epoch));
    assert_eq!(schedule.len(), 5);
    assert!(keys.len() >= 4, "public and private keys of leaf and path");
    // sender data secret, membership key, confirmation key; then the ratchets.
    assert!(of_epoch.len() >= 5);
    // Public keys stay in the tree as long as they are in use.
    let tree = secrets_in(&alice.client, Category::Tree, None);
    let private: Vec<_> = keys.into_iter().filter(|key| !tree.contains(key)).collect();

    // OpenMLS keeps resumption PSKs of past epochs, if it is told to.
    let schedule: Vec<_> = schedule
        .into_iter()
        .filter(|secret| {
            !secrets_in(&alice.client, Category::ResumptionPskStore, None).contains(secret)
        })
        .collect();
    for secret in schedule.iter().chain(&private).chain(&of_epoch) {
        assert!(is_anywhere(&alice.client, secret));
    }
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    process(&mut bob.client, &commit.bytes.unwrap());
    for secret in schedule.iter().chain(&private) {
        assert!(!is_anywhere(&alice.client, secret));
    }
    let kept: Vec<bool> = of_epoch
        .iter()
        .map(|secret| is_anywhere(&alice.client, secret))
        .collect();
    assert!(kept[0], "the sender data secret");
    assert!(!kept[1] && !kept[2], "membership and confirmation key");
    // The ratchets for handshake messages of both are gone, those for messages are there.
    let left = kept[3..].iter().filter(|kept| **kept).count();
    assert_eq!(left, (kept.len() - 3) / 2, "{kept:?}");

    let rehydrated = |device: &mut Device| {
        device.save();
        device.crash();
    };
    rehydrated(&mut alice);
    assert_eq!(
        process(&mut alice.client, &late),
        Outcome::Read(b"bob: late".to_vec())
    );
    rehydrated(&mut alice);
    for replayed in [&late, &read] {
        assert_eq!(
            process(&mut alice.client, replayed),
            Outcome::Refused("duplicate-message")
        );
    }
    assert!(alice.info(&group).epoch > epoch);
}

/// Keys of skipped messages are a list too, inside the list of ratchets.
#[test]
fn no_ratchet_of_handshake_messages_comes_back_with_a_late_message() {
    let (mut alice, mut bob, mut carol) = (
        Device::new("alice"),
        Device::new("bob"),
        Device::new("carol"),
    );
    let mut packages = bob.client.generate_key_packages(1).unwrap();
    packages.extend(carol.client.generate_key_packages(1).unwrap());
    let group = alice.client.create_group(None).unwrap();
    let commit = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    let welcome = commit.welcome.unwrap();
    bob.client.join_group(&welcome).unwrap();
    carol.client.join_group(&welcome).unwrap();
    let epoch = alice.info(&group).epoch;
    let late = carol.client.encrypt_message(&group, b"late").unwrap();
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    bob.client.process_message(&commit.bytes.unwrap()).unwrap();
    // The third list in parts is that of the ratchets for handshake messages. Carol had not spoken, so
    // both of her ratchets are derived only when her message is read.
    let handshakes = |client: &MlsClient| {
        let of_list = format!(
            "{}/{}/00000002",
            key::bytes_key(&group),
            key::integer_key(epoch)
        );
        let records = client.storage().records().unwrap();
        records
            .iter()
            .filter(|record| record.category == Category::MessageSecrets)
            .filter(|record| record.key.starts_with(&of_list))
            .count()
    };
    assert_eq!(handshakes(&alice.client), 0);
    let read = alice.client.process_message(&late).unwrap();
    assert!(matches!(read.content, ProcessedContent::Message { .. }));
    assert_eq!(handshakes(&alice.client), 0, "after a late message");
}

#[test]
fn a_sender_of_whom_messages_are_missing_is_read_late_all_the_same() {
    let (mut alice, mut bob, _, group) = pair();
    let patient = GroupSettings {
        out_of_order_tolerance: 20,
        ..GroupSettings::default()
    };
    alice.client.configure_group(&group, &patient).unwrap();
    let mut messages: Vec<Vec<u8>> = (0..20)
        .map(|number| {
            let text = format!("bob: {number}");
            bob.client.encrypt_message(&group, text.as_bytes()).unwrap()
        })
        .collect();
    let last = messages.pop().unwrap();
    process(&mut alice.client, &last);
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    process(&mut bob.client, &commit.bytes.unwrap());
    for (number, message) in messages.iter().enumerate().rev() {
        alice.save();
        alice.crash();
        let read = Outcome::Read(format!("bob: {number}").into_bytes());
        assert_eq!(process(&mut alice.client, message), read);
    }
}

#[test]
fn late_proposals_and_commits_are_refused() {
    let (mut alice, mut bob, _, group) = pair();
    let proposal = bob.client.leave_group(&group, None).unwrap();
    let late = bob.client.self_update(&group, None);
    assert_eq!(code(late), "leave-pending");
    let rival = {
        let (mut other, _, _, _) = pair();
        let entry = other.client.create_group(None).unwrap();
        other.client.self_update(&entry, None).unwrap()
    };
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    assert_eq!(
        process(&mut alice.client, proposal.bytes.as_deref().unwrap()),
        Outcome::Refused("past-epoch")
    );
    assert_eq!(
        process(&mut alice.client, rival.bytes.as_deref().unwrap()),
        Outcome::Refused("group-not-found")
    );
    process(&mut bob.client, &commit.bytes.unwrap());
    let rival = bob.client.self_update(&group, None).unwrap();
    let winner = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    assert_eq!(
        process(&mut alice.client, rival.bytes.as_deref().unwrap()),
        Outcome::Refused("past-epoch")
    );
    process(&mut bob.client, &winner.bytes.unwrap());
}

#[test]
fn removal_ends_what_is_kept() {
    let (mut alice, mut bob, _, group) = pair();
    let late = alice
        .client
        .encrypt_message(&group, b"alice: late")
        .unwrap();
    for _ in 0..3 {
        let commit = alice.client.self_update(&group, None).unwrap();
        alice.client.merge_pending_commit(&group).unwrap();
        process(&mut bob.client, &commit.bytes.unwrap());
    }
    bob.save();
    assert_eq!(bob.database.count(Category::RetainedEpoch), 3);
    let leaf = leaf_of(&bob, &mut alice, &group);
    let removal = alice.client.remove_members(&group, &[leaf], None).unwrap();
    process(&mut bob.client, &removal.bytes.unwrap());
    bob.save();
    assert_eq!(bob.database.count(Category::RetainedEpoch), 0);
    assert_eq!(
        bob.database.count(Category::MessageSecrets),
        1,
        "what OpenMLS loads the group with"
    );
    assert_eq!(
        process(&mut bob.client, &late),
        Outcome::Refused("group-inactive")
    );
}

/// Returns in another second.
fn next_second() {
    let now = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let start = now();
    while now() == start {
        std::thread::yield_now();
    }
}

#[test]
fn an_age_limit_ends_an_epoch_before_its_time() {
    let (mut alice, mut bob, _, group) = pair();
    let aged = GroupSettings {
        max_past_epoch_age: Some(0),
        ..GroupSettings::default()
    };
    alice.client.configure_group(&group, &aged).unwrap();
    let late = bob.client.encrypt_message(&group, b"bob: late").unwrap();
    let commit = alice.client.self_update(&group, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    process(&mut bob.client, &commit.bytes.unwrap());
    next_second();
    next_second();
    assert_eq!(
        process(&mut alice.client, &late),
        Outcome::Refused("past-epoch")
    );
    alice.save();
    assert!(alice.database.count(Category::RetainedEpoch) > 0);
    // The next message that is read takes its keys away.
    let message = bob.client.encrypt_message(&group, b"bob: hello").unwrap();
    process(&mut alice.client, &message);
    alice.save();
    assert_eq!(alice.database.count(Category::RetainedEpoch), 0);
    assert_eq!(alice.database.count(Category::MessageSecrets), 1);
}

#[test]
fn retained_epochs_cost_no_bytes_with_a_message() {
    let (mut alice, mut bob, _, group) = pair();
    let mut cost = |keep: usize| {
        bob.client.configure_group(&group, &keeping(keep)).unwrap();
        for _ in 0..12 {
            let message = alice.client.encrypt_message(&group, b"alice: hi").unwrap();
            process(&mut bob.client, &message);
            let commit = alice.client.self_update(&group, None).unwrap();
            alice.client.merge_pending_commit(&group).unwrap();
            process(&mut bob.client, &commit.bytes.unwrap());
        }
        let first = alice.client.encrypt_message(&group, b"alice: hi").unwrap();
        process(&mut bob.client, &first);
        bob.save();
        assert_eq!(bob.database.count(Category::RetainedEpoch), keep);
        let message = alice.client.encrypt_message(&group, b"alice: hi").unwrap();
        process(&mut bob.client, &message);
        let batch = bob.client.drain_storage_events().unwrap().unwrap();
        bob.database.write(&batch);
        bob.client.confirm_batch(batch.sequence).unwrap();
        let values = batch.events.iter().filter_map(|event| event.value.as_ref());
        values.map(|value| value.len()).sum::<usize>()
    };
    let (without, with) = (cost(0), cost(10));
    assert_eq!(without, with);
}
