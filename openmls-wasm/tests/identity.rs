//! Identities: basic and X.509 credentials, keys that are there before their certificate, backup.

mod common;

use common::{assert_in_step, bare::Bare, code, pair, x509, Database, Device, Service};
use openmls::prelude::{
    tls_codec::Serialize as _, Capabilities, Ciphersuite, Credential as MlsCredential,
    CredentialType, CredentialWithKey, GroupId, KeyPackage, MlsGroup, MlsMessageOut,
    SignatureScheme,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::{OpenMlsRustCrypto, RustCrypto};
use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_wasm::{
    client::{Credential, Identity, InboxContent},
    storage::{key::parse_bytes_key, Category},
    MlsClient,
};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// Made by `openssl`: a certificate of version 1 for an Ed25519 key, and the authority's, of version 3.
const CAROL: &[u8] = include_bytes!("fixtures/carol.der");
const AUTHORITY: &[u8] = include_bytes!("fixtures/ca.der");
const CAROL_PRIVATE_KEY: [u8; 32] = [
    0x31, 0x79, 0x16, 0xb0, 0x54, 0x48, 0xab, 0xe2, 0x5d, 0xff, 0x4d, 0xad, 0x38, 0xec, 0xb6, 0x84,
    0xa6, 0xf7, 0xf2, 0x91, 0xe8, 0x6a, 0xf8, 0x8c, 0xf3, 0x93, 0x99, 0x4f, 0xc0, 0xd2, 0x55, 0x5a,
];
const CAROL_PUBLIC_KEY: [u8; 32] = [
    0x1a, 0xb9, 0x91, 0xad, 0x6e, 0x4c, 0xc3, 0xc2, 0x14, 0x8d, 0x76, 0x51, 0x08, 0x99, 0x0c, 0x93,
    0x9a, 0x6c, 0x53, 0x4f, 0xa1, 0x29, 0xc7, 0x83, 0xa0, 0x29, 0xa2, 0xc2, 0x29, 0x85, 0x45, 0xe6,
];

fn chain(certificates: &[&[u8]]) -> Credential {
    Credential::X509 {
        certificates: certificates.iter().map(|one| one.to_vec()).collect(),
    }
}

fn device(client: MlsClient) -> Device {
    let mut device = Device::with(client, Default::default());
    device.save();
    device
}

/// A client with Carol's key pair, and a credential that claims to be hers.
fn with_carols_key(identity: &[u8], certificates: &[&[u8]]) -> Device {
    let mut client = MlsClient::new();
    let identity = Identity {
        identity: identity.to_vec(),
        certificates: certificates.iter().map(|one| one.to_vec()).collect(),
        signature_public_key: CAROL_PUBLIC_KEY.to_vec(),
        ciphersuite: 1,
    };
    client
        .restore_identity(identity, &CAROL_PRIVATE_KEY)
        .unwrap();
    device(client)
}

/// Carol as her app restores her, with the chain that openssl made.
fn carol() -> Device {
    with_carols_key(b"", &[CAROL, AUTHORITY])
}

#[test]
fn a_certificate_is_made_for_a_key_that_is_generated_first() {
    let mut dave = device(MlsClient::new());
    let key = dave.client.generate_signature_key(1).unwrap();
    dave.save();
    // Weeks later, after a restart, the authority has answered.
    let info = x509::request_info("dave", &key);
    let signature = dave.client.sign_certification_request(&info).unwrap();
    RustCrypto::default()
        .verify_signature(SignatureScheme::ED25519, &info, &key, &signature)
        .unwrap();
    dave.crash();
    let certificate = x509::certificate("dave", &key);
    let identity = dave
        .client
        .create_identity_with(&chain(&[&certificate, AUTHORITY]), 1)
        .unwrap();
    assert_eq!(identity.signature_public_key, key);
    assert_eq!(identity.identity, b"");
    assert_eq!(
        identity.certificates,
        [certificate.clone(), AUTHORITY.to_vec()]
    );
    dave.save();
    dave.crash();
    assert_eq!(dave.client.identity().unwrap(), Some(identity));
    assert_eq!(dave.database.count(Category::SignatureKeyPair), 1);
    assert_eq!(dave.database.count(Category::GeneratedSignatureKey), 0);
    // A certificate that runs out is renewed for the same key.
    dave.client
        .sign_certification_request(&x509::request_info("dave", &key))
        .unwrap();
}

#[test]
fn only_certification_requests_for_own_keys_are_signed() {
    let mut client = MlsClient::new();
    let key = client.generate_signature_key(1).unwrap();
    let info = x509::request_info("dave", &key);
    let other = x509::request_info("dave", &CAROL_PUBLIC_KEY);
    assert_eq!(
        code(client.sign_certification_request(&other)),
        "invalid-argument"
    );
    let whole = x509::request(&info, &[0; 64]);
    for bytes in [
        &b""[..],
        &info[..info.len() - 1],
        &[&info[..], &[0]].concat(),
        &whole,
        &x509::certificate("dave", &key),
        // What MLS would sign.
        b"\x18MLS 1.0 FramedContentTBS\x01x",
    ] {
        assert_eq!(
            code(client.sign_certification_request(bytes)),
            "invalid-argument"
        );
    }
}

#[test]
fn members_with_either_kind_of_credential_share_a_group() {
    // Whoever creates the group, whoever is added.
    for x509_creates in [false, true] {
        let (mut first, mut second) = (Device::new("alice"), carol());
        if x509_creates {
            std::mem::swap(&mut first, &mut second);
        }
        let mut service = Service::default();
        let group = first.client.create_group(None).unwrap();
        let key_packages = second.client.generate_key_packages(1).unwrap();
        second.save();
        let entry = first
            .client
            .add_members(&group, &key_packages, None)
            .unwrap();
        let added = &entry.added[0];
        let own = second.client.identity().unwrap().unwrap();
        assert_eq!(
            (&added.identity, &added.certificates),
            (&own.identity, &own.certificates)
        );
        first.sync(&mut service, &group);
        second.crash();
        let welcome = service.last_welcome();
        second.client.join_group(&welcome).unwrap();
        second.save();
        assert_in_step(&mut first, &mut second, &group);
        let members = first.info(&group).members;
        let carol = &members[usize::from(!x509_creates)];
        assert_eq!(carol.certificates, [CAROL, AUTHORITY]);
        assert_eq!(carol.identity, b"");
        assert_eq!(carol.signature_key, CAROL_PUBLIC_KEY);
        let alice = &members[usize::from(x509_creates)];
        assert_eq!(
            (&alice.identity[..], alice.certificates.len()),
            (&b"alice"[..], 0)
        );
        // What the inbox keeps says the same.
        let sent = second.client.encrypt_message(&group, b"hello").unwrap();
        let delivered = openmls_wasm::client::Delivered {
            bytes: &sent,
            id: None,
            position: Some(2),
            ..Default::default()
        };
        first.client.receive_message(delivered).unwrap();
        first.save();
        first.crash();
        let items = first.client.inbox().unwrap();
        let InboxContent::Message { sender, .. } = &items.last().unwrap().content else {
            panic!("no message");
        };
        assert_eq!(sender, &members[1]);
    }
}

#[test]
fn a_credential_that_cannot_be_right_is_refused() {
    let mut client = MlsClient::new();
    let key = client.generate_signature_key(1).unwrap();
    let good = x509::certificate("dave", &key);
    let before = Database::of(&client);
    for credential in [
        chain(&[]),
        chain(&[&[]]),
        chain(&[&good, &[]]),
        chain(&[b"no certificate"]),
        chain(&[&good[..good.len() - 1]]),
        chain(&[CAROL]),
        chain(&[AUTHORITY, &good]),
    ] {
        let created = client.create_identity_with(&credential, 1);
        assert_eq!(code(created), "invalid-credential", "{credential:?}");
    }
    // The key was generated for Ed25519, suite 2 has ECDSA.
    let created = client.create_identity_with(&chain(&[&good]), 2);
    assert_eq!(code(created), "invalid-credential");
    let created = client.create_identity_with(&chain(&[&good]), 4);
    assert_eq!(code(created), "unsupported-ciphersuite");
    assert_eq!(Database::of(&client), before);
    client.create_identity_with(&chain(&[&good]), 1).unwrap();
    let created = client.create_identity_with(&chain(&[&good]), 1);
    assert_eq!(code(created), "identity-exists");
}

#[test]
fn a_backup_must_fit_together() {
    let restored = |certificates: &[&[u8]], private: &[u8]| {
        let mut client = MlsClient::new();
        let identity = Identity {
            identity: vec![],
            certificates: certificates.iter().map(|one| one.to_vec()).collect(),
            signature_public_key: CAROL_PUBLIC_KEY.to_vec(),
            ciphersuite: 1,
        };
        let result = client.restore_identity(identity, private);
        assert_eq!(client.identity().unwrap().is_some(), result.is_ok());
        result
    };
    restored(&[CAROL], &CAROL_PRIVATE_KEY).unwrap();
    assert_eq!(
        code(restored(&[AUTHORITY], &CAROL_PRIVATE_KEY)),
        "invalid-credential"
    );
    assert_eq!(code(restored(&[CAROL], &[1; 32])), "invalid-argument");
    assert_eq!(code(restored(&[CAROL], &[])), "invalid-argument");

    for suite in MlsClient::new().supported_ciphersuites() {
        let mut old = MlsClient::new();
        old.create_identity(b"dave", suite).unwrap();
        let identity = old.identity().unwrap().unwrap();
        let private = old.export_signature_private_key().unwrap();
        for length in [0, 31, 32, 33, 48, 64, 66] {
            let mut key = private.to_vec();
            key.resize(length, 1);
            let mut client = MlsClient::new();
            let result = client.restore_identity(identity.clone(), &key);
            match key == *private {
                true => result.unwrap(),
                false => assert_eq!(code(result), "invalid-argument", "{suite} {length}"),
            }
            assert_eq!(client.identity().unwrap().is_some(), key == *private);
        }
    }
}

#[test]
fn a_certificate_may_be_for_an_ecdsa_key() {
    // Made by `openssl`, with the private key that goes with it.
    let hex = |text: &str| parse_bytes_key(text).unwrap();
    let private = hex("ed6b5bf1ce99537b200d37f1c09bf34f9a83c19db8694e57391592934a48573c");
    let public = hex(concat!(
        "04b5907feb1b9bcfe3138d2d17d49641b99d0a9d074d47d07c31194d32c9ade63e",
        "a60a99eb131a8c7a6ff50ac608e0350fae676acb13111c7f02d9689c1341ed80",
    ));
    let erin = Identity {
        identity: vec![],
        certificates: vec![include_bytes!("fixtures/erin-p256.der").to_vec()],
        signature_public_key: public,
        ciphersuite: 2,
    };
    let mut client = MlsClient::new();
    client.restore_identity(erin.clone(), &private).unwrap();
    let group = client.create_group(None).unwrap();
    let [own] = &client.group_info(&group).unwrap().members[..] else {
        panic!("one member");
    };
    assert_eq!(own.certificates, erin.certificates);
}

#[test]
fn an_exported_private_key_restores_the_identity() {
    for suite in MlsClient::new().supported_ciphersuites() {
        let mut old = MlsClient::new();
        assert_eq!(code(old.export_signature_private_key()), "no-identity");
        let identity = old.create_identity(b"alice", suite).unwrap();
        let private = old.export_signature_private_key().unwrap();
        let mut new = MlsClient::new();
        new.restore_identity(identity.clone(), &private).unwrap();
        assert_eq!(new.identity().unwrap(), Some(identity));
        assert_eq!(new.export_signature_private_key().unwrap(), private);
        new.generate_key_packages(1).unwrap();
    }
    let private = carol().client.export_signature_private_key().unwrap();
    assert_eq!(*private, CAROL_PRIVATE_KEY);
}

#[test]
fn every_classical_ciphersuite_of_the_provider_is_offered() {
    let mut suites = MlsClient::new().supported_ciphersuites();
    suites.retain(|suite| *suite < 8);
    suites.sort_unstable();
    assert_eq!(suites, [1, 2, 3]);
}

#[test]
fn a_generated_key_leaves_nothing_behind() {
    let mut client = MlsClient::new();
    let first = client.generate_signature_key(1).unwrap();
    let second = client.generate_signature_key(2).unwrap();
    assert_ne!(first, second);
    assert_eq!(
        Database::of(&client).count(Category::SignatureKeyPair),
        1,
        "the first one is gone"
    );
    // A basic credential takes the key if it fits, and leaves none either way.
    for (suite, takes_it) in [(2, true), (1, false)] {
        let mut client = MlsClient::new();
        let key = client.generate_signature_key(2).unwrap();
        let identity = client.create_identity(b"dave", suite).unwrap();
        assert_eq!(identity.signature_public_key == key, takes_it);
        let database = Database::of(&client);
        assert_eq!(database.count(Category::SignatureKeyPair), 1);
        assert_eq!(database.count(Category::GeneratedSignatureKey), 0);
    }
}

/// A key package by OpenMLS itself, with any credential.
fn foreign_key_package(kind: CredentialType, content: &[u8]) -> Vec<u8> {
    MlsMessageOut::from(foreign(kind, content))
        .tls_serialize_detached()
        .unwrap()
}

fn foreign(kind: CredentialType, content: &[u8]) -> KeyPackage {
    let provider = OpenMlsRustCrypto::default();
    let signer = SignatureKeyPair::new(SignatureScheme::ED25519).unwrap();
    let credential = CredentialWithKey {
        credential: MlsCredential::new(kind, content.to_vec()),
        signature_key: signer.public().into(),
    };
    let capabilities = Capabilities::builder().credentials(vec![kind, CredentialType::Basic]);
    let bundle = KeyPackage::builder()
        .leaf_node_capabilities(capabilities.build())
        .build(SUITE, &provider, &signer, credential)
        .unwrap();
    bundle.into_key_package()
}

#[test]
fn a_member_is_not_added_with_a_credential_that_cannot_be_read() {
    let mut alice = Device::new("alice");
    let group = alice.client.create_group(None).unwrap();
    alice.save();
    let certificate = x509::certificate("mallory", &CAROL_PUBLIC_KEY);
    let one = [&[0x40, certificate.len() as u8][..], &certificate].concat();
    for (kind, content) in [
        (CredentialType::X509, &b""[..]),
        (CredentialType::X509, &[0]),
        (CredentialType::X509, &[5, 1]),
        (CredentialType::X509, b"\x05alice"),
        // Somebody else's certificate.
        (CredentialType::X509, &one),
        (CredentialType::Other(0xf000), b"alice"),
    ] {
        let key_package = foreign_key_package(kind, content);
        let added = alice.client.add_members(&group, &[key_package], None);
        assert_eq!(code(added), "invalid-credential", "{kind:?} {content:?}");
    }
    assert!(!alice.client.storage().has_unconfirmed().unwrap());
    let key_package = foreign_key_package(CredentialType::Basic, b"bob");
    alice
        .client
        .add_members(&group, &[key_package], None)
        .unwrap();
}

/// Two clients in a group of their own: the numbers that each sees for the other.
fn safety_numbers(one: &mut Device, other: &mut Device) -> (String, String) {
    let group = one.client.create_group(None).unwrap();
    let key_packages = other.client.generate_key_packages(1).unwrap();
    let entry = one.client.add_members(&group, &key_packages, None).unwrap();
    one.client.merge_pending_commit(&group).unwrap();
    other.client.join_group(&entry.welcome.unwrap()).unwrap();
    (
        one.client.safety_number(&group, 1).unwrap(),
        other.client.safety_number(&group, 0).unwrap(),
    )
}

#[test]
fn both_see_the_same_safety_number_and_nobody_else_does() {
    let (mut alice, mut carol) = (Device::new("alice"), carol());
    let (of_alice, of_carol) = safety_numbers(&mut alice, &mut carol);
    assert_eq!(of_alice, of_carol);
    assert!(of_alice.len() == 60 && of_alice.bytes().all(|digit| digit.is_ascii_digit()));
    // The same in another group, whoever creates it.
    assert_eq!(
        safety_numbers(&mut carol, &mut alice),
        (of_alice.clone(), of_carol)
    );
    // Another key under the same name, another name for the same key, another kind of credential.
    let mut impostor = Device::new("alice");
    let mut numbers = vec![
        of_alice,
        safety_numbers(&mut impostor, &mut carol).0,
        safety_numbers(&mut alice, &mut with_carols_key(b"carol", &[])).0,
        safety_numbers(&mut alice, &mut with_carols_key(b"carol2", &[])).0,
        safety_numbers(&mut alice, &mut with_carols_key(b"", &[CAROL])).0,
        // What the X.509 credential holds, said to be a name.
        safety_numbers(
            &mut alice,
            &mut with_carols_key(&[CAROL, AUTHORITY].concat(), &[]),
        )
        .0,
    ];
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 6);
}

#[test]
fn a_fingerprint_is_what_its_description_says() {
    let mut carol = carol();
    let group = carol.client.create_group(None).unwrap();
    // Computed by `hashlib` in Python from the description.
    assert_eq!(
        carol.client.fingerprint(&group, 0).unwrap(),
        "211736477522098726844401177098"
    );
    assert_eq!(code(carol.client.fingerprint(&group, 1)), "unknown-member");
    assert_eq!(
        code(carol.client.safety_number(&group, 1)),
        "unknown-member"
    );
    assert_eq!(
        code(carol.client.safety_number(&group, 0)),
        "invalid-argument"
    );
    assert_eq!(
        code(carol.client.fingerprint(b"none", 0)),
        "group-not-found"
    );
    // The safety number consists of the two fingerprints.
    let mut alice = Device::new("alice");
    let key_packages = alice.client.generate_key_packages(1).unwrap();
    carol
        .client
        .add_members(&group, &key_packages, None)
        .unwrap();
    carol.client.merge_pending_commit(&group).unwrap();
    let mut both = [0, 1].map(|index| carol.client.fingerprint(&group, index).unwrap());
    both.sort();
    assert_eq!(
        carol.client.safety_number(&group, 1).unwrap(),
        both.concat()
    );
}

#[test]
fn nobody_is_taken_for_the_owner_of_a_certificate_without_its_key() {
    let (mut alice, bob, _, group) = pair();
    let carols = [&[0x40, CAROL.len() as u8][..], CAROL].concat();
    // Bob means harm: his client does not look, so nothing keeps him from adding this.
    for (kind, content) in [
        (CredentialType::X509, &carols[..]),
        (CredentialType::X509, b"no chain"),
    ] {
        let provider = Bare(RustCrypto::default(), bob.client.storage());
        let key = bob.client.identity().unwrap().unwrap().signature_public_key;
        let scheme = SignatureScheme::ED25519;
        let signer = SignatureKeyPair::read(provider.1, &key, scheme).unwrap();
        let id = GroupId::from_slice(&group);
        let mut of_bob = MlsGroup::load(provider.1, &id).unwrap().unwrap();
        let mallory = foreign(kind, content);
        let (commit, _, _) = of_bob.add_members(&provider, &signer, &[mallory]).unwrap();
        of_bob.merge_pending_commit(&provider).unwrap();
        let commit = commit.tls_serialize_detached().unwrap();
        alice.client.process_message(&commit).unwrap();
    }
    let members = alice.info(&group).members;
    assert_eq!(members.len(), 4);
    for mallory in &members[2..] {
        assert_eq!(mallory.identity, b"");
        assert!(mallory.certificates.is_empty());
    }
}
