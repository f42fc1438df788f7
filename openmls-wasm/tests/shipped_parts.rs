//! A group large enough for values in parts of the size that is shipped. With `test-hooks` parts are
//! smaller, and what is written is compared with what encoding everything comes to; this runs without
//! too.

mod common;

use common::{assert_in_step, Database, Device};
use openmls_wasm::{
    client::ProcessedContent,
    storage::{Category, Record, Value},
    MlsClient,
};

#[test]
fn twenty_members_talk_and_every_reload_is_as_good_as_none() {
    let mut alice = Device::new("alice");
    let mut others: Vec<Device> = (0..19).map(|n| Device::new(&format!("m{n}"))).collect();
    let packages: Vec<_> = others
        .iter_mut()
        .flat_map(|other| other.client.generate_key_packages(1).unwrap())
        .collect();
    let group = alice.client.create_group(None).unwrap();
    let commit = alice.client.add_members(&group, &packages, None).unwrap();
    alice.client.merge_pending_commit(&group).unwrap();
    for other in &mut others {
        other
            .client
            .join_group(commit.welcome.as_ref().unwrap())
            .unwrap();
    }
    alice.save();
    let mut late = vec![];
    for round in 0..4 {
        for (index, other) in others.iter_mut().enumerate() {
            let mut messages: Vec<_> = (0..3)
                .map(|_| other.client.encrypt_message(&group, b"text").unwrap())
                .collect();
            late.push(messages.remove(index % 3));
            for message in messages {
                alice.client.process_message(&message).unwrap();
            }
            alice.save();
            if index % 5 == round {
                alice.crash();
            }
        }
        let committer = 3 * round;
        let commit = others[committer].client.self_update(&group, None).unwrap();
        others[committer]
            .client
            .merge_pending_commit(&group)
            .unwrap();
        let bytes = commit.bytes.unwrap();
        for (index, other) in others.iter_mut().enumerate() {
            if index != committer {
                other.client.process_message(&bytes).unwrap();
            }
        }
        alice.client.process_message(&bytes).unwrap();
        alice.save();
        alice.crash();
        for message in late.drain(late.len() / 2..) {
            let read = alice.client.process_message(&message).unwrap();
            assert!(matches!(read.content, ProcessedContent::Message { .. }));
            alice.save();
            alice.crash();
            assert!(alice.client.process_message(&message).is_err(), "once");
        }
    }
    for message in late {
        alice.client.process_message(&message).unwrap();
        assert!(alice.client.process_message(&message).is_err(), "once");
    }
    alice.save();
    alice.crash();
    assert_eq!(alice.info(&group).members.len(), 20);
}

/// Alice and another of twelve, as layout 3 stored them (5cf5eaa, without `test-hooks`), when the inner nodes
/// of trees were cut into neighbours as leaves are: with messages of the last two epochs that Alice has not
/// read. One line a record: whose, category, key, value.
const LAYOUT_3: &str = include_str!("fixtures/group-of-12.layout-3.txt");

fn bytes_of(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn of_layout_3(who: &str) -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> + '_ {
    let of_line = |line: &'static str| {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        (word(), word(), word(), bytes_of(word()))
    };
    let lines = LAYOUT_3.lines().map(of_line);
    lines.filter_map(move |(whose, category, key, value)| {
        (whose == who).then_some((category, key, value))
    })
}

fn device_of_layout_3(who: &str) -> Device {
    // What layout 4 has no category for, it deletes when the database is opened.
    let record = |(category, key, value): (&str, &str, Vec<u8>)| {
        Some(Record {
            category: Category::from_name(category)?,
            key: key.into(),
            value: Value::new(value.into()),
        })
    };
    let database: Database = of_layout_3(who).filter_map(record).collect();
    let mut device = Device::with(MlsClient::new(), Default::default());
    device.database = database;
    device.crash();
    device
}

fn parts_of_tree(device: &Device) -> Vec<String> {
    let tree = device
        .database
        .records_where(|category, _| category == Category::Tree);
    tree.into_iter().map(|record| record.key).collect()
}

fn read_late(device: &mut Device, message: &[u8]) {
    let read = device.client.process_message(message).unwrap();
    assert!(matches!(read.content, ProcessedContent::Message { .. }));
    device.save();
    device.crash();
    assert!(device.client.process_message(message).is_err(), "once");
}

#[test]
fn a_group_whose_trees_were_cut_into_neighbours_goes_on() {
    let group = b"the group".as_slice();
    let (mut alice, mut other) = (device_of_layout_3("alice"), device_of_layout_3("m0"));
    let before = parts_of_tree(&alice);
    let late: Vec<Vec<u8>> = of_layout_3("late").map(|(_, _, bytes)| bytes).collect();
    assert_eq!(late.len(), 11);
    assert_in_step(&mut alice, &mut other, group);
    for message in late.iter().step_by(2) {
        read_late(&mut alice, message);
    }
    for round in 0..4 {
        let (one, two) = match round % 2 {
            0 => (&mut alice, &mut other),
            _ => (&mut other, &mut alice),
        };
        let message = one.client.encrypt_message(group, b"text").unwrap();
        two.client.process_message(&message).unwrap();
        let commit = one.client.self_update(group, None).unwrap();
        one.client.merge_pending_commit(group).unwrap();
        two.client.process_message(&commit.bytes.unwrap()).unwrap();
        for device in [one, two] {
            device.save();
            device.crash();
        }
        assert_in_step(&mut alice, &mut other, group);
    }
    for message in late.iter().skip(1).step_by(2) {
        read_late(&mut alice, message);
    }
    assert_eq!(alice.info(group).members.len(), 12);
    assert_ne!(parts_of_tree(&alice), before, "in levels now");
    for device in [&alice, &other] {
        // What each commit changes was stored record by record, and is one record now.
        let count = |category| device.database.records_where(|of, _| of == category).len();
        assert_eq!(count(Category::EpochRecords), 1);
        for category in [
            Category::GroupContext,
            Category::EpochKeyPairs,
            Category::ResumptionPskStore,
        ] {
            assert_eq!(count(category), 0, "{category:?}");
        }
    }
    if cfg!(not(feature = "test-hooks")) {
        // Fifteen inner nodes are one part; what is left of the second that there was would be old secrets.
        let second = "7468652067726f7570/0000000100000001";
        assert!(before.iter().any(|key| key == second));
        assert!(!parts_of_tree(&alice).iter().any(|key| key == second));
        let secrets = alice
            .database
            .records_where(|category, _| category == Category::MessageSecrets);
        let last_of_layout_3 = "7468652067726f7570/000000000000000d/0000000100000001";
        assert!(secrets.iter().all(|record| record.key != last_of_layout_3));
    }
}
