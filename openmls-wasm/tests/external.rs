//! From outside a group: group infos, exported secrets, external commits and external proposals.

mod common;

use common::{code, pair, refused, Device};

/// Bob, removed by Alice.
fn removed() -> (Device, Device, common::Service, Vec<u8>) {
    let (mut alice, mut bob, mut service, group) = pair();
    let bob_index = bob.info(&group).own_leaf_index;
    alice
        .client
        .remove_members(&group, &[bob_index], None)
        .unwrap();
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    assert!(!bob.info(&group).is_active);
    (alice, bob, service, group)
}

#[test]
fn a_group_info_says_what_is_in_it() {
    let (mut alice, mut bob, _, group) = pair();
    for (with_tree, extensions) in [(true, vec![2, 4]), (false, vec![4])] {
        let bytes = bob.client.export_group_info(&group, with_tree).unwrap();
        let details = alice.client.inspect_group_info(&bytes).unwrap();
        let info = bob.info(&group);
        assert_eq!(details.group_id, group);
        assert_eq!(details.epoch, info.epoch);
        assert_eq!(details.ciphersuite, 1);
        assert_eq!(details.signer, info.own_leaf_index);
        assert_ne!(details.signer, 0, "or the test proves nothing");
        assert_eq!(details.has_ratchet_tree, with_tree);
        assert!(details.has_external_pub);
        assert_eq!(details.extensions, extensions);
        assert_eq!(details.group_context_extensions, [0u16; 0]);
        // Whoever reads it needs no group and no identity.
        let nobody = openmls_wasm::MlsClient::new();
        assert_eq!(nobody.inspect_group_info(&bytes), Ok(details));
    }
    bob.save();
    alice.save();
}

#[test]
fn what_is_no_group_info_is_told() {
    let (mut alice, bob, _, group) = pair();
    let message = alice
        .client
        .encrypt_message(&group, b"no group info")
        .unwrap();
    alice.save();
    let bytes = alice.client.export_group_info(&group, true).unwrap();
    assert_eq!(code(bob.client.inspect_group_info(&message)), "wrong-kind");
    for length in 0..bytes.len() {
        let error = code(bob.client.inspect_group_info(&bytes[..length]));
        assert_eq!(error, "malformed-message", "cut off after {length} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(
        code(bob.client.inspect_group_info(&longer)),
        "malformed-message"
    );
}

#[test]
fn nothing_is_exported_from_a_group_that_is_not_ones_own() {
    let (_, mut bob, _, group) = removed();
    for (id, expected) in [
        (&group[..], "group-inactive"),
        (b"other", "group-not-found"),
    ] {
        let codes = [
            refused(&mut bob, |client| client.export_group_info(id, true)),
            refused(&mut bob, |client| client.export_ratchet_tree(id)),
            refused(&mut bob, |client| client.export_secret(id, "l", b"", 32)),
            refused(&mut bob, |client| client.safe_export_secret(id, 1)),
        ];
        assert_eq!(codes, [expected; 4]);
    }
}

#[test]
fn members_export_the_same_secret_and_only_for_the_same_question() {
    let (mut alice, mut bob, mut service, group) = pair();
    let export = |device: &mut Device, label: &str, context: &[u8], length| {
        device.client.export_secret(&group, label, context, length)
    };
    let secret = export(&mut alice, "app", b"context", 32).unwrap();
    assert_eq!(export(&mut bob, "app", b"context", 32), Ok(secret.clone()));
    // Asking changes nothing: any number of times, after a restart too.
    alice.crash();
    assert_eq!(
        export(&mut alice, "app", b"context", 32),
        Ok(secret.clone())
    );
    let others = [
        export(&mut alice, "app2", b"context", 32).unwrap(),
        export(&mut alice, "app", b"context2", 32).unwrap(),
        export(&mut alice, "app", b"context", 33).unwrap()[..32].to_vec(),
    ];
    assert!(!others.contains(&secret));
    alice.client.self_update(&group, None).unwrap();
    alice.sync(&mut service, &group);
    assert_ne!(export(&mut alice, "app", b"context", 32), Ok(secret));
}

#[test]
fn an_exported_secret_has_a_length_that_hkdf_can_give() {
    let (mut alice, _, _, group) = pair();
    for length in [1, 8160] {
        let secret = alice.client.export_secret(&group, "", b"", length).unwrap();
        assert_eq!(secret.len(), length);
    }
    for length in [0, 8161, 0xffff, 0x1_0000, usize::MAX] {
        let code = refused(&mut alice, |client| {
            client.export_secret(&group, "", b"", length)
        });
        assert_eq!(code, "invalid-argument");
    }
}

#[test]
fn a_component_secret_is_there_once_in_an_epoch_also_after_a_restart() {
    let (mut alice, mut bob, mut service, group) = pair();
    let first = alice.client.safe_export_secret(&group, 7).unwrap();
    assert!(alice.save());
    alice.crash();
    assert_eq!(
        refused(&mut alice, |client| client.safe_export_secret(&group, 7)),
        "secret-consumed"
    );
    // The refusal broke nothing: other components have theirs.
    let highest = alice.client.safe_export_secret(&group, 0xffff).unwrap();
    alice.save();
    assert_eq!(bob.client.safe_export_secret(&group, 7), Ok(first.clone()));
    assert_eq!(
        bob.client.safe_export_secret(&group, 0xffff),
        Ok(highest.clone())
    );
    bob.save();
    assert_ne!(first, highest);
    alice.client.self_update(&group, None).unwrap();
    alice.sync(&mut service, &group);
    let next = alice.client.safe_export_secret(&group, 7).unwrap();
    alice.save();
    assert!(next != first && next.len() == 32);
}

#[test]
fn a_component_secret_of_the_epoch_to_come_is_used_up_with_it() {
    let (mut alice, mut bob, mut service, group) = pair();
    assert_eq!(
        refused(&mut alice, |client| client
            .safe_export_pending_secret(&group, 7)),
        "no-pending-commit"
    );
    alice.client.self_update(&group, None).unwrap();
    let secret = alice.client.safe_export_pending_secret(&group, 7).unwrap();
    alice.save();
    alice.crash();
    assert_eq!(
        refused(&mut alice, |client| client
            .safe_export_pending_secret(&group, 7)),
        "secret-consumed"
    );
    alice.sync(&mut service, &group);
    bob.sync(&mut service, &group);
    assert_eq!(
        refused(&mut alice, |client| client.safe_export_secret(&group, 7)),
        "secret-consumed"
    );
    assert_eq!(bob.client.safe_export_secret(&group, 7), Ok(secret));
    bob.save();
}

#[test]
fn a_component_secret_whose_write_failed_is_still_there() {
    let (mut alice, mut bob, _, group) = pair();
    alice.client.self_update(&group, None).unwrap();
    alice.save();
    let fail = |device: &Device| device.client.storage().fail_after(Some(0)).unwrap();
    fail(&alice);
    assert_eq!(
        refused(&mut alice, |client| client.safe_export_secret(&group, 7)),
        "storage"
    );
    fail(&alice);
    assert_eq!(
        refused(&mut alice, |client| client
            .safe_export_pending_secret(&group, 7)),
        "storage"
    );
    let secret = bob.client.safe_export_secret(&group, 7).unwrap();
    assert_eq!(alice.client.safe_export_secret(&group, 7), Ok(secret));
    assert!(alice.client.safe_export_pending_secret(&group, 7).is_ok());
}
