//! A group in which everybody has spoken, in each of the epochs that are retained, and members all over
//! the tree have committed: what a group looks like that has been in use.
//!
//! Two members are clients, Alice and Bob. For the others one copy of Bob's store speaks: it is told
//! that its leaf is theirs, and given their signature key. Whoever knows an epoch can do so (RFC 9420
//! §16.12), and it takes a twentieth of the time of a thousand joins.

use openmls::prelude::{GroupId, LeafNodeIndex, LeafNodeParameters, MlsGroup, SignatureScheme};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::storage::{traits, Entity, StorageProvider as _, CURRENT_VERSION};
use openmls_wasm::{storage::Record, MlsClient};
use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// `MessageSecretsStore` of OpenMLS, whatever is in it.
#[derive(Clone, Serialize, Deserialize)]
struct Secrets(ciborium::Value);

impl Entity<CURRENT_VERSION> for Secrets {}
impl traits::MessageSecrets<CURRENT_VERSION> for Secrets {}

impl Secrets {
    /// Who encrypts with them.
    fn set_owner(&mut self, leaf: usize) {
        let mut place = &mut self.0;
        for name in ["message_secrets", "secret_tree", "own_index"] {
            let fields = place.as_map_mut().unwrap();
            let field = fields
                .iter_mut()
                .find(|(key, _)| key.as_text() == Some(name));
            place = &mut field.unwrap().1;
        }
        *place = (leaf as u64).into();
    }
}

pub const CIPHERSUITE: u16 = 1;
const SCHEME: SignatureScheme = SignatureScheme::ED25519;
/// What the members say, and what is measured: 256 bytes.
pub const PLAINTEXT: [u8; 256] = [7; 256];

pub struct World {
    pub alice: MlsClient,
    pub bob: MlsClient,
    pub group: Vec<u8>,
    /// The signature keys of the others, from leaf 2 on.
    signers: Vec<SignatureKeyPair>,
    /// The key packages they were added with.
    pub packages: Vec<Vec<u8>>,
}

pub fn client(name: &str) -> MlsClient {
    let mut client = MlsClient::new();
    client
        .create_identity(name.as_bytes(), CIPHERSUITE)
        .unwrap();
    client
}

/// A client with these records.
pub fn restored(records: &[Record]) -> MlsClient {
    let mut client = MlsClient::new();
    client.hydrate(records.to_vec()).unwrap();
    client
}

/// What the client would have written by now is written.
pub fn settle(client: &mut MlsClient) {
    if let Some(batch) = client.drain_storage_events().unwrap() {
        client.confirm_batch(batch.sequence).unwrap();
    }
}

pub fn records(client: &mut MlsClient) -> Vec<Record> {
    settle(client);
    client.storage().records().unwrap()
}

pub fn signer(client: &MlsClient) -> SignatureKeyPair {
    let key = client.identity().unwrap().unwrap().signature_public_key;
    SignatureKeyPair::read(client.storage(), &key, SCHEME).unwrap()
}

impl World {
    /// Alice adds everybody else by one commit.
    pub fn new(members: usize) -> Self {
        let (mut alice, mut bob) = (client("alice"), client("bob"));
        let (mut signers, mut packages) = (vec![], vec![]);
        for member in 2..members {
            let mut other = client(&format!("member {member}"));
            packages.append(&mut other.generate_key_packages(1).unwrap());
            signers.push(signer(&other));
        }
        let mut added = bob.generate_key_packages(1).unwrap();
        added.extend(packages.iter().cloned());
        let group = alice.create_group(None).unwrap();
        let commit = alice.add_members(&group, &added, None).unwrap();
        alice.merge_pending_commit(&group).unwrap();
        bob.join_group(&commit.welcome.unwrap()).unwrap();
        Self {
            alice,
            bob,
            group,
            signers,
            packages,
        }
    }

    /// What stands for the others in this epoch.
    fn puppet(&mut self) -> Observed<()> {
        let puppet = Observed::default();
        puppet
            .storage
            .inner
            .hydrate(records(&mut self.bob))
            .unwrap();
        puppet
    }

    fn group_id(&self) -> GroupId {
        GroupId::from_slice(&self.group)
    }

    /// The present secrets, which nobody must have spoken with.
    fn secrets(&self, puppet: &Observed<()>) -> Secrets {
        puppet
            .storage
            .message_secrets(&self.group_id())
            .unwrap()
            .unwrap()
    }

    fn become_member(&self, puppet: &Observed<()>, mut secrets: Secrets, leaf: usize) -> MlsGroup {
        let group = self.group_id();
        let index = LeafNodeIndex::new(leaf as u32);
        secrets.set_owner(leaf);
        puppet
            .storage
            .inner
            .write_message_secrets(&group, &secrets)
            .unwrap();
        puppet
            .storage
            .inner
            .write_own_leaf_index(&group, &index)
            .unwrap();
        MlsGroup::load(&puppet.storage, &group).unwrap().unwrap()
    }

    /// Everybody says something.
    pub fn all_speak(&mut self) {
        let puppet = self.puppet();
        let secrets = self.secrets(&puppet);
        for leaf in 2..self.signers.len() + 2 {
            let mut member = self.become_member(&puppet, secrets.clone(), leaf);
            let message = member.create_message(&puppet, &self.signers[leaf - 2], &PLAINTEXT);
            let message = message.unwrap().to_bytes().unwrap();
            self.alice.process_message(&message).unwrap();
            self.bob.process_message(&message).unwrap();
        }
        let message = self.alice.encrypt_message(&self.group, &PLAINTEXT).unwrap();
        self.bob.process_message(&message).unwrap();
        let message = self.bob.encrypt_message(&self.group, &PLAINTEXT).unwrap();
        self.alice.process_message(&message).unwrap();
        settle(&mut self.alice);
        settle(&mut self.bob);
    }

    /// Up to `number` members all over the tree commit new keys.
    pub fn others_commit(&mut self, number: usize) {
        let puppet = self.puppet();
        let step = (self.signers.len() / number).max(1);
        for leaf in (2..self.signers.len() + 2).step_by(step) {
            let mut member = self.become_member(&puppet, self.secrets(&puppet), leaf);
            let parameters = LeafNodeParameters::default();
            let commit = member.self_update(&puppet, &self.signers[leaf - 2], parameters);
            let commit = commit.unwrap().into_commit().to_bytes().unwrap();
            member.merge_pending_commit(&puppet).unwrap();
            self.alice.process_message(&commit).unwrap();
            self.bob.process_message(&commit).unwrap();
            settle(&mut self.alice);
            settle(&mut self.bob);
        }
    }

    /// Alice commits new keys: another epoch is over.
    pub fn next_epoch(&mut self) {
        let commit = self.alice.self_update(&self.group, None).unwrap();
        self.alice.merge_pending_commit(&self.group).unwrap();
        self.bob.process_message(&commit.bytes.unwrap()).unwrap();
    }
}
