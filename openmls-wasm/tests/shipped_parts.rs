//! A group large enough for values in parts of the size that is shipped. With `test-hooks` parts are
//! smaller, and what is written is compared with what encoding everything comes to; this runs without
//! too.

mod common;

use common::Device;
use openmls_wasm::client::ProcessedContent;

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
