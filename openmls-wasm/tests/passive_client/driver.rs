//! What the passive-client tests do, natively (`../passive_client.rs`) and in a browser
//! (`wasm-tests/tests/passive_client.rs`): both include this file and `common/database.rs`.

use crate::common::Database;
use openmls::prelude::{KeyPackage, KeyPackageIn, MlsMessageBodyIn, MlsMessageIn};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::storage::{traits, Entity, Key, StorageProvider, CURRENT_VERSION};
use openmls_wasm::{
    client::{GroupSettings, Identity, KeyPackageState, WireFormatPolicy},
    GranularStorage, MlsClient,
};
use serde::{Deserialize, Serialize};
use tls_codec::DeserializeBytes;

/// One client of the vectors: what it holds, receives and must reach.
#[derive(Deserialize)]
pub struct Case {
    cipher_suite: u16,
    external_psks: Vec<ExternalPsk>,
    key_package: String,
    signature_priv: String,
    encryption_priv: String,
    init_priv: String,
    welcome: String,
    ratchet_tree: Option<String>,
    initial_epoch_authenticator: String,
    epochs: Vec<Epoch>,
}

#[derive(Deserialize)]
struct ExternalPsk {
    psk_id: String,
    psk: String,
}

#[derive(Deserialize)]
struct Epoch {
    proposals: Vec<String>,
    commit: String,
    epoch_authenticator: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    openmls_wasm::storage::key::parse_bytes_key(hex).expect("the vectors are hex")
}

/// The shape in which OpenMLS stores a key package with its private keys.
#[derive(Serialize, Deserialize)]
struct ForeignKeyPackage {
    key_package: KeyPackage,
    private_init_key: Secret,
    private_encryption_key: EncryptionPrivateKey,
}

#[derive(Serialize, Deserialize)]
struct EncryptionPrivateKey {
    key: Secret,
}

#[derive(Serialize, Deserialize)]
struct Secret {
    vec: Vec<u8>,
}

impl Entity<CURRENT_VERSION> for ForeignKeyPackage {}
impl traits::KeyPackage<CURRENT_VERSION> for ForeignKeyPackage {}

#[derive(Serialize)]
struct Reference(Vec<u8>);
impl Key<CURRENT_VERSION> for Reference {}
impl traits::HashReference<CURRENT_VERSION> for Reference {}

/// The key package as it is. OpenMLS makes one only of what it has verified, and reads one back as
/// it was stored.
fn unverified(key_package: &KeyPackageIn) -> KeyPackage {
    let stored = rmp_serde::to_vec_named(key_package).unwrap();
    rmp_serde::from_slice(&stored).unwrap()
}

/// A client that holds the private keys of the vector: all of it through records and public methods.
fn client_of(case: &Case) -> MlsClient {
    let crypto = RustCrypto::default();
    let message = MlsMessageIn::tls_deserialize_exact_bytes(&bytes(&case.key_package)).unwrap();
    let MlsMessageBodyIn::KeyPackage(key_package) = message.extract() else {
        panic!("not a key package");
    };
    // Not `validate`: the vectors' key packages have expired.
    let key_package = unverified(&key_package);
    let leaf = key_package.leaf_node();
    let identity = Identity {
        identity: leaf.credential().serialized_content().to_vec(),
        certificates: vec![],
        signature_public_key: leaf.signature_key().as_slice().to_vec(),
        ciphersuite: case.cipher_suite,
    };
    let reference = Reference(key_package.hash_ref(&crypto).unwrap().as_slice().to_vec());
    let foreign = ForeignKeyPackage {
        key_package,
        private_init_key: Secret {
            vec: bytes(&case.init_priv),
        },
        private_encryption_key: EncryptionPrivateKey {
            key: Secret {
                vec: bytes(&case.encryption_priv),
            },
        },
    };
    let storage = GranularStorage::default();
    storage.write_key_package(&reference, &foreign).unwrap();

    let mut client = MlsClient::new();
    client.hydrate(storage.records().unwrap()).unwrap();
    client
        .restore_identity(identity, &bytes(&case.signature_priv))
        .unwrap();
    for psk in &case.external_psks {
        client
            .store_external_psk(&bytes(&psk.psk_id), &bytes(&psk.psk))
            .unwrap();
    }
    client
}

/// The client dies and starts again from what it wrote.
fn rehydrated(client: &MlsClient, database: &mut Database) -> MlsClient {
    let batch = client
        .drain_storage_events()
        .unwrap()
        .expect("an epoch changes something");
    database.write(&batch);
    client.confirm_batch(batch.sequence).unwrap();
    let mut again = MlsClient::new();
    again.hydrate(database.records()).unwrap();
    assert_eq!(Database::of(&again), Database::of(client));
    again
}

/// Joins, follows every epoch with a rehydration before each, and compares every authenticator.
pub fn run(case: &Case) {
    let settings = GroupSettings {
        wire_format_policy: WireFormatPolicy::MixedCiphertext,
        number_of_resumption_psks: 16,
        ..GroupSettings::default()
    };
    let mut client = client_of(case);
    let mut database = Database::of(&client);
    client.set_group_settings(settings);
    let tree = case.ratchet_tree.as_deref().map(bytes);
    let before = client.key_packages().unwrap().remove(0);
    // As on a device that was off while the Welcome waited: in the vectors of Welcomes, which have
    // no epochs, every key package has expired.
    assert!(before.state == KeyPackageState::Expired || !case.epochs.is_empty());
    let group = client
        .join_group_with_tree(&bytes(&case.welcome), tree.as_deref())
        .unwrap();
    let authenticator = client.group_info(&group).unwrap().epoch_authenticator;
    assert_eq!(authenticator, bytes(&case.initial_epoch_authenticator));
    let after = client.key_packages().unwrap().remove(0);
    assert_eq!(after.reference, before.reference);
    assert!(after.state == KeyPackageState::Used && !after.has_private_keys);
    for epoch in &case.epochs {
        client = rehydrated(&client, &mut database);
        for proposal in &epoch.proposals {
            client.process_message(&bytes(proposal)).unwrap();
        }
        client.process_message(&bytes(&epoch.commit)).unwrap();
        let authenticator = client.group_info(&group).unwrap().epoch_authenticator;
        assert_eq!(authenticator, bytes(&epoch.epoch_authenticator));
    }
    let mut last = rehydrated(&client, &mut database);
    assert_eq!(
        last.group_info(&group).unwrap().epoch_authenticator,
        client.group_info(&group).unwrap().epoch_authenticator
    );
}

/// The cases of a file of vectors whose ciphersuite `openmls_rust_crypto` has: 1, 2 and 3.
pub fn supported(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = serde_json::from_str(text).expect("the vectors are JSON");
    cases.retain(|case| case.cipher_suite <= 3);
    cases
}
