//! A member for the flows: a store, a signature key, and OpenMLS on top.
//!
//! No `MlsGroup` is kept: every step loads the group from the store, works on it and drops it, so
//! that what the store does not hold is lost at once.

use openmls::prelude::{tls_codec::Deserialize as _, *};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider as Provider;

use super::{New, Subject};

pub const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// The store under test with the usual cryptography.
pub struct TestProvider<S> {
    crypto: RustCrypto,
    /// `None` only while [`Party::reopen`] closes and opens it.
    storage: Option<S>,
}

impl<S: Subject> Provider for TestProvider<S> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = S;

    fn storage(&self) -> &S {
        self.storage.as_ref().expect("the store is open")
    }
    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }
    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

pub struct Party<S> {
    pub name: String,
    pub provider: TestProvider<S>,
    pub signer: SignatureKeyPair,
}

impl<S: Subject> Party<S> {
    /// A member-to-be whose signature key is in its store.
    pub fn new(new: New<S>, name: &str) -> Self {
        let party = Self {
            name: name.into(),
            provider: TestProvider {
                crypto: RustCrypto::default(),
                storage: Some(new()),
            },
            signer: SignatureKeyPair::new(CIPHERSUITE.signature_algorithm()).expect("keys"),
        };
        party.signer.store(party.storage()).expect("store the key");
        party
    }

    pub fn storage(&self) -> &S {
        self.provider.storage()
    }

    /// Closes the store and opens it again.
    pub fn reopen(&mut self) {
        self.provider.storage = self.provider.storage.take().map(S::reopened);
    }

    pub fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.name.clone().into()).into(),
            signature_key: self.signer.public().into(),
        }
    }

    pub fn key_package(&self) -> KeyPackage {
        self.build_key_package(KeyPackage::builder())
    }

    pub fn build_key_package(&self, builder: KeyPackageBuilder) -> KeyPackage {
        builder
            .build(CIPHERSUITE, &self.provider, &self.signer, self.credential())
            .expect("key package")
            .into_key_package()
    }

    /// Whether the private part of `key_package` is in the store.
    pub fn holds(&self, key_package: &KeyPackage) -> bool {
        let reference = key_package.hash_ref(self.provider.crypto()).expect("hash");
        let found: Option<super::types::Opaque> =
            self.storage().key_package(&reference).expect("read");
        found.is_some()
    }

    pub fn create(&self, id: &[u8]) -> GroupId {
        let id = GroupId::from_slice(id);
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(CIPHERSUITE)
            .use_ratchet_tree_extension(true)
            .build();
        let (provider, signer) = (&self.provider, &self.signer);
        MlsGroup::new_with_group_id(provider, signer, &config, id.clone(), self.credential())
            .expect("create");
        id
    }

    pub fn find(&self, id: &GroupId) -> Option<MlsGroup> {
        MlsGroup::load(self.storage(), id).expect("load")
    }

    #[track_caller]
    pub fn group(&self, id: &GroupId) -> MlsGroup {
        self.find(id).expect("the group is stored")
    }

    /// What two members share only if they are in the same state.
    pub fn authenticator(&self, id: &GroupId) -> Vec<u8> {
        self.group(id).epoch_authenticator().as_slice().to_vec()
    }

    /// Adds the owners of `key_packages`; the commit is merged at once.
    pub fn add(&self, id: &GroupId, key_packages: &[KeyPackage]) -> (Vec<u8>, Vec<u8>) {
        let (commit, welcome, _) = self
            .group(id)
            .add_members(&self.provider, &self.signer, key_packages)
            .expect("add");
        self.merge(id);
        (bytes(&commit), bytes(&welcome))
    }

    /// A commit that replaces the own leaf; it stays pending.
    pub fn self_update(&self, id: &GroupId) -> Vec<u8> {
        let parameters = LeafNodeParameters::default();
        let bundle = self
            .group(id)
            .self_update(&self.provider, &self.signer, parameters)
            .expect("update");
        bytes(bundle.commit())
    }

    /// Commits the queued proposals; the commit stays pending.
    pub fn commit(&self, id: &GroupId) -> Vec<u8> {
        let (commit, _, _) = self
            .group(id)
            .commit_to_pending_proposals(&self.provider, &self.signer)
            .expect("commit");
        bytes(&commit)
    }

    pub fn merge(&self, id: &GroupId) {
        self.group(id)
            .merge_pending_commit(&self.provider)
            .expect("merge");
    }

    pub fn try_join(&self, welcome: &[u8]) -> Option<GroupId> {
        let MlsMessageBodyIn::Welcome(welcome) = message(welcome).extract() else {
            panic!("not a Welcome");
        };
        let config = MlsGroupJoinConfig::builder()
            .use_ratchet_tree_extension(true)
            .build();
        let staged =
            StagedWelcome::new_from_welcome(&self.provider, &config, welcome, None).ok()?;
        let group = staged.into_group(&self.provider).expect("join");
        Some(group.group_id().clone())
    }

    pub fn encrypt(&self, id: &GroupId, plaintext: &[u8]) -> Vec<u8> {
        let message = self
            .group(id)
            .create_message(&self.provider, &self.signer, plaintext)
            .expect("encrypt");
        bytes(&message)
    }

    /// Processes a message: a proposal is queued, a commit merged, a plaintext returned.
    pub fn try_process(&self, id: &GroupId, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut group = self.group(id);
        let message = message(bytes)
            .try_into_protocol_message()
            .expect("protocol");
        let processed = group.process_message(&self.provider, message).ok()?;
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(plaintext) => {
                return Some(plaintext.into_bytes());
            }
            ProcessedMessageContent::ProposalMessage(proposal) => group
                .store_pending_proposal(self.storage(), *proposal)
                .expect("store proposal"),
            ProcessedMessageContent::StagedCommitMessage(commit) => group
                .merge_staged_commit(&self.provider, *commit)
                .expect("merge"),
            _ => panic!("unexpected content"),
        }
        Some(vec![])
    }

    #[track_caller]
    pub fn process(&self, id: &GroupId, bytes: &[u8]) -> Vec<u8> {
        self.try_process(id, bytes).expect("process")
    }

    /// The names of the members, by leaf.
    pub fn members(&self, id: &GroupId) -> Vec<String> {
        let name = |member: Member| {
            String::from_utf8_lossy(member.credential.serialized_content()).into_owned()
        };
        self.group(id).members().map(name).collect()
    }

    /// The names of those whom queued Add proposals would add, in order.
    pub fn proposed(&self, id: &GroupId) -> Vec<String> {
        let name = |queued: &QueuedProposal| match queued.proposal() {
            Proposal::Add(add) => {
                let credential = add.key_package().leaf_node().credential();
                String::from_utf8_lossy(credential.serialized_content()).into_owned()
            }
            other => format!("{:?}", other.proposal_type()),
        };
        self.group(id).pending_proposals().map(name).collect()
    }
}

/// A group of two, of whom the second joined by Welcome.
pub fn two_members<S: Subject>(new: New<S>, id: &[u8]) -> (Party<S>, Party<S>, GroupId) {
    let (mut alice, mut bob) = (Party::new(new, "alice"), Party::new(new, "bob"));
    let id = alice.create(id);
    let (_, welcome) = alice.add(&id, &[bob.key_package()]);
    assert_eq!(bob.try_join(&welcome), Some(id.clone()));
    alice.reopen();
    bob.reopen();
    (alice, bob, id)
}

/// Both are in the same state and can talk to each other.
#[track_caller]
pub fn assert_in_touch<S: Subject>(one: &mut Party<S>, other: &mut Party<S>, id: &GroupId) {
    assert_eq!(one.authenticator(id), other.authenticator(id));
    for text in [&b"first"[..], b"second"] {
        let message = one.encrypt(id, text);
        assert_eq!(other.process(id, &message), text);
        one.reopen();
        other.reopen();
        let message = other.encrypt(id, text);
        assert_eq!(one.process(id, &message), text);
    }
}

pub fn bytes(message: &MlsMessageOut) -> Vec<u8> {
    message.to_bytes().expect("serialize")
}

fn message(bytes: &[u8]) -> MlsMessageIn {
    MlsMessageIn::tls_deserialize_exact(bytes).expect("deserialize")
}
