//! A client with a real MLS state, that talks to the service as the chat does.

use openmls::prelude::tls_codec::{Deserialize, Serialize};
use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::Signer;
use serde_json::{json, Value};

use super::{decode, encode, Answer, Service};

const CIPHERSUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

pub struct Client {
    pub user: String,
    pub client: String,
    pub token: String,
    pub provider: OpenMlsRustCrypto,
    pub keys: SignatureKeyPair,
    /// How handshake messages of groups made by this client go out.
    pub wire_format_policy: WireFormatPolicy,
}

/// What a commit uploads beside its bytes.
#[derive(Clone, Debug, Default)]
pub struct CommitUpload {
    pub id: String,
    pub commit: Vec<u8>,
    pub welcome: Option<Vec<u8>>,
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

impl Client {
    /// Keys and nothing else.
    pub fn unregistered(user: &str, client: &str) -> Self {
        Self::with_scheme(user, client, CIPHERSUITE.signature_algorithm())
    }

    pub fn with_scheme(user: &str, client: &str, scheme: SignatureScheme) -> Self {
        Self {
            user: user.into(),
            client: client.into(),
            token: String::new(),
            provider: OpenMlsRustCrypto::default(),
            keys: SignatureKeyPair::new(scheme).unwrap(),
            wire_format_policy: PURE_CIPHERTEXT_WIRE_FORMAT_POLICY,
        }
    }

    /// The same client with nothing in its store.
    pub fn with_nothing_of(other: &Client) -> Self {
        let mut same = Self::unregistered(&other.user, &other.client);
        same.token.clone_from(&other.token);
        same
    }

    /// Registered, signed in, with some key packages uploaded.
    pub fn start(service: &Service, user: &str, client: &str) -> Self {
        let mut new = Self::unregistered(user, client);
        let answer = new.register(service);
        assert_eq!(answer.status, 201, "{answer:?}");
        new.token = answer.body["token"].as_str().unwrap().to_owned();
        let key_packages: Vec<_> = (0..5).map(|_| encode(&new.key_package(false))).collect();
        new.put(
            service,
            "/v1/key-packages",
            json!({ "keyPackages": key_packages }),
        )
        .ok();
        new
    }

    pub fn identity(&self) -> String {
        format!("{}/{}", self.user, self.client)
    }

    /// `SignWithLabel` of RFC 9420 §5.1.2, written down independently of the service.
    pub fn sign_challenge(&self, label: &str, challenge: &[u8]) -> Vec<u8> {
        let label = VLBytes::new(format!("MLS 1.0 {label}").into_bytes());
        let content = VLBytes::new(challenge.to_vec());
        let signed = (label, content).tls_serialize_detached().unwrap();
        self.keys.sign(&signed).unwrap()
    }

    pub fn challenge(service: &Service) -> Vec<u8> {
        decode(
            &service
                .request("POST", "/v1/challenges", None, Some(&json!({})))
                .ok()["challenge"],
        )
    }

    pub fn registration(&self, challenge: &[u8]) -> Value {
        json!({
            "user": self.user,
            "client": self.client,
            "publicKey": encode(self.keys.public()),
            "challenge": encode(challenge),
            "signature": encode(&self.sign_challenge("openmls-wasm sign-in", challenge)),
        })
    }

    pub fn register(&self, service: &Service) -> Answer {
        let registration = self.registration(&Self::challenge(service));
        service.request("POST", "/v1/clients", None, Some(&registration))
    }

    pub fn sign_in(&self, service: &Service) -> Answer {
        let challenge = Self::challenge(service);
        // The public key that a registration has on top is not looked at here.
        service.request(
            "POST",
            "/v1/sessions",
            None,
            Some(&self.registration(&challenge)),
        )
    }

    pub fn get(&self, service: &Service, path: &str) -> Answer {
        service.request("GET", path, Some(&self.token), None)
    }

    pub fn post(&self, service: &Service, path: &str, body: Value) -> Answer {
        service.request("POST", path, Some(&self.token), Some(&body))
    }

    pub fn put(&self, service: &Service, path: &str, body: Value) -> Answer {
        service.request("PUT", path, Some(&self.token), Some(&body))
    }

    pub fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.identity().into_bytes()).into(),
            signature_key: self.keys.public().into(),
        }
    }

    pub fn key_package(&self, last_resort: bool) -> Vec<u8> {
        let mut builder = KeyPackage::builder();
        if last_resort {
            let capabilities = Capabilities::builder()
                .extensions(vec![ExtensionType::LastResort])
                .build();
            builder = builder
                .mark_as_last_resort()
                .leaf_node_capabilities(capabilities);
        }
        let bundle = builder
            .build(CIPHERSUITE, &self.provider, &self.keys, self.credential())
            .unwrap();
        MlsMessageOut::from(bundle.key_package().clone())
            .to_bytes()
            .unwrap()
    }

    /// Makes a group here and at the service.
    pub fn create_group(&self, service: &Service) -> MlsGroup {
        let group = MlsGroup::builder()
            .ciphersuite(CIPHERSUITE)
            .with_wire_format_policy(self.wire_format_policy)
            .use_ratchet_tree_extension(true)
            .build(&self.provider, &self.keys, self.credential())
            .unwrap();
        let group_id = encode(group.group_id().as_slice());
        let answer = self.post(service, "/v1/groups", json!({ "groupId": group_id }));
        assert_eq!(
            answer,
            Answer {
                status: 201,
                body: json!({ "groupId": group_id, "epoch": 0, "position": 0 })
            }
        );
        group
    }

    /// Claims key packages of a user and makes the commit that adds its clients.
    pub fn add_user(
        &self,
        service: &Service,
        group: &mut MlsGroup,
        user: &str,
        id: &str,
    ) -> CommitUpload {
        let claimed = self
            .post(
                service,
                &format!("/v1/users/{user}/key-packages"),
                json!({}),
            )
            .ok();
        let claimed = claimed["keyPackages"].as_array().unwrap().clone();
        let key_packages: Vec<_> = claimed
            .iter()
            .map(|c| parse_key_package(&decode(&c["keyPackage"])))
            .collect();
        let (commit, welcome, _) = group
            .add_members(&self.provider, &self.keys, &key_packages)
            .unwrap();
        CommitUpload {
            id: id.into(),
            commit: commit.to_bytes().unwrap(),
            welcome: Some(welcome.to_bytes().unwrap()),
            added: claimed
                .iter()
                .map(|c| format!("{user}/{}", c["client"].as_str().unwrap()))
                .collect(),
            removed: Vec::new(),
        }
    }

    pub fn remove(&self, group: &mut MlsGroup, identity: &str, id: &str) -> CommitUpload {
        let leaf = group
            .members()
            .find(|member| member.credential.serialized_content() == identity.as_bytes())
            .unwrap()
            .index;
        let (commit, _, _) = group
            .remove_members(&self.provider, &self.keys, &[leaf])
            .unwrap();
        CommitUpload {
            id: id.into(),
            commit: commit.to_bytes().unwrap(),
            removed: vec![identity.into()],
            ..Default::default()
        }
    }

    pub fn self_update(&self, group: &mut MlsGroup, id: &str) -> CommitUpload {
        let bundle = group
            .self_update(&self.provider, &self.keys, LeafNodeParameters::default())
            .unwrap();
        CommitUpload {
            id: id.into(),
            commit: bundle.commit().to_bytes().unwrap(),
            ..Default::default()
        }
    }

    pub fn upload_commit(
        &self,
        service: &Service,
        group: &MlsGroup,
        upload: &CommitUpload,
    ) -> Answer {
        let body = json!({
            "id": upload.id,
            "commit": encode(&upload.commit),
            "welcome": upload.welcome.as_deref().map(encode),
            "added": upload.added,
            "removed": upload.removed,
        });
        self.post(service, &group_path(group, "commits"), body)
    }

    /// Makes, uploads and merges the commit that adds a user.
    pub fn invite(&self, service: &Service, group: &mut MlsGroup, user: &str, id: &str) -> Value {
        let upload = self.add_user(service, group, user, id);
        let answer = self.upload_commit(service, group, &upload).ok();
        group.merge_pending_commit(&self.provider).unwrap();
        answer
    }

    pub fn encrypt(&self, group: &mut MlsGroup, plaintext: &str) -> Vec<u8> {
        let message = group.create_message(&self.provider, &self.keys, plaintext.as_bytes());
        message.unwrap().to_bytes().unwrap()
    }

    pub fn send(
        &self,
        service: &Service,
        group: &mut MlsGroup,
        plaintext: &str,
        id: &str,
    ) -> Answer {
        let message = self.encrypt(group, plaintext);
        self.upload_message(service, group, &message, id)
    }

    pub fn upload_message(
        &self,
        service: &Service,
        group: &MlsGroup,
        message: &[u8],
        id: &str,
    ) -> Answer {
        let body = json!({ "id": id, "message": encode(message) });
        self.post(service, &group_path(group, "messages"), body)
    }

    /// The log after a position, all pages of it.
    pub fn log(&self, service: &Service, group: &MlsGroup, mut after: u64) -> Vec<Value> {
        let mut entries = Vec::new();
        loop {
            let path = format!("{}?after={after}", group_path(group, "log"));
            let mut page = self.get(service, &path).ok();
            entries.append(page["entries"].as_array_mut().unwrap());
            if page["more"] == false {
                return entries;
            }
            after = entries.last().unwrap()["position"].as_u64().unwrap();
        }
    }

    /// Joins by the first Welcome on the list. Returns the group and where its log begins.
    pub fn join(&self, service: &Service) -> (MlsGroup, u64) {
        let page = self.get(service, "/v1/welcomes").ok();
        let welcome = &page["welcomes"][0];
        let MlsMessageBodyIn::Welcome(message) = parse(&decode(&welcome["welcome"])) else {
            panic!("not a Welcome")
        };
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(self.wire_format_policy)
            .use_ratchet_tree_extension(true)
            .build();
        let group = StagedWelcome::new_from_welcome(&self.provider, &config, message, None)
            .unwrap()
            .into_group(&self.provider)
            .unwrap();
        assert_eq!(group.group_id().as_slice(), decode(&welcome["groupId"]));
        (group, welcome["groupPosition"].as_u64().unwrap())
    }

    /// Processes a message of another; a commit is merged. Returns the plaintext, if it has one.
    pub fn process(&self, group: &mut MlsGroup, message: &[u8]) -> Option<String> {
        let message: ProtocolMessage = match parse(message) {
            MlsMessageBodyIn::PrivateMessage(message) => message.into(),
            MlsMessageBodyIn::PublicMessage(message) => message.into(),
            _ => panic!("not a group message"),
        };
        match group
            .process_message(&self.provider, message)
            .unwrap()
            .into_content()
        {
            ProcessedMessageContent::ApplicationMessage(message) => {
                Some(String::from_utf8(message.into_bytes()).unwrap())
            }
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                group.merge_staged_commit(&self.provider, *commit).unwrap();
                None
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                group
                    .store_pending_proposal(self.provider.storage(), *proposal)
                    .unwrap();
                None
            }
            _ => panic!("unexpected content"),
        }
    }
}

pub fn group_path(group: &MlsGroup, end: &str) -> String {
    format!("/v1/groups/{}/{end}", encode(group.group_id().as_slice()))
}

pub fn parse(bytes: &[u8]) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact(bytes)
        .unwrap()
        .extract()
}

pub fn parse_key_package(bytes: &[u8]) -> KeyPackage {
    let MlsMessageBodyIn::KeyPackage(key_package) = parse(bytes) else {
        panic!("not a key package")
    };
    key_package
        .validate(
            OpenMlsRustCrypto::default().crypto(),
            ProtocolVersion::Mls10,
        )
        .unwrap()
}
