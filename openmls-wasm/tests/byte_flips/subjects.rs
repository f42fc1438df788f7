//! What is damaged: bytes of every kind, each with the client that must withstand them and the way
//! they come in.

use std::ops::Range;

use openmls_wasm::{
    client::{
        CommitRequest, Delivered, DeliveredWelcome, ExternalJoin, GroupSettings, InboxContent,
        InboxItem, OutboxEntry, ProposalRequest, WireFormatPolicy,
    },
    storage::Record,
    ClientError, MlsClient,
};

/// How the bytes come in.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    Process,
    /// From the log, at the next position.
    ReceiveAt(u64),
    /// Without a position.
    ReceiveAside,
    Join,
    ReceiveWelcome,
    /// As the ratchet tree beside this Welcome.
    TreeOf(Vec<u8>),
    AddMember,
    ProposeToAdd,
    InspectKeyPackage,
    JoinExternally,
    InspectExternalJoin,
    InspectGroupInfo,
}

pub struct Subject {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub way: Way,
    /// The receiver's database and its group.
    pub records: Vec<Record>,
    pub group: Vec<u8>,
    /// The error codes that damage may lead to.
    pub codes: &'static [&'static str],
    /// Which of the bytes are for somebody else.
    pub for_others: Range<usize>,
    /// The epoch authenticator of the group that is joined, where that can happen.
    pub authenticator: Option<Vec<u8>>,
}

/// What an attempt came to, if it was no error.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, in a test
pub enum Done {
    /// A message became this item, or none.
    Item(Option<InboxItem>),
    /// Something else, told for people.
    Other(#[allow(dead_code)] String),
    /// A group was joined; its epoch authenticator.
    Joined(Vec<u8>),
    /// Nothing was verified: the bytes say what they say.
    Unverified,
}

impl Subject {
    pub fn receiver(&self) -> MlsClient {
        opened(&self.records)
    }

    pub fn attempt(&self, client: &mut MlsClient, bytes: &[u8]) -> Result<Done, ClientError> {
        self.attempt_at(client, bytes, self.position())
    }

    /// The position in the log, or among the Welcomes.
    pub fn position(&self) -> Option<u64> {
        match self.way {
            Way::ReceiveAt(position) => Some(position),
            Way::ReceiveWelcome => Some(1),
            _ => None,
        }
    }

    pub fn attempt_at(
        &self,
        client: &mut MlsClient,
        bytes: &[u8],
        position: Option<u64>,
    ) -> Result<Done, ClientError> {
        let group = &self.group;
        let other = |value: &dyn std::fmt::Debug| Done::Other(format!("{value:?}"));
        Ok(match &self.way {
            Way::Process => other(&client.process_message(bytes)?),
            Way::ReceiveAt(_) | Way::ReceiveAside => {
                let id = None;
                Done::Item(client.receive_message(Delivered {
                    bytes,
                    id,
                    position,
                    ..Default::default()
                })?)
            }
            Way::Join => {
                let group = client.join_group(bytes)?;
                Done::Joined(client.group_info(&group)?.epoch_authenticator)
            }
            Way::ReceiveWelcome => Done::Item(client.receive_welcome(DeliveredWelcome {
                bytes,
                id: None,
                position,
                group_position: Some(7),
                ..Default::default()
            })?),
            Way::TreeOf(welcome) => other(&client.join_group_with_tree(welcome, Some(bytes))?),
            Way::AddMember => {
                let entry = client.add_members(group, &[bytes.to_vec()], None)?;
                other(&(entry.added, entry.removed))
            }
            Way::ProposeToAdd => {
                let key_package = bytes.to_vec();
                let add = ProposalRequest::Add { key_package };
                other(&client.propose(group, &add, &[], None)?.kind)
            }
            Way::InspectKeyPackage => other(&client.inspect_key_package(bytes)?),
            Way::JoinExternally => {
                let join = ExternalJoin::default();
                other(&client.join_by_external_commit(bytes, &join, None)?.epoch)
            }
            Way::InspectExternalJoin => {
                other(&client.inspect_external_join(bytes, &ExternalJoin::default())?)
            }
            Way::InspectGroupInfo => {
                client.inspect_group_info(bytes)?;
                Done::Unverified
            }
        })
    }
}

pub fn opened(records: &[Record]) -> MlsClient {
    let mut client = MlsClient::new();
    client.hydrate(records.to_vec()).unwrap();
    client
}

fn saved(client: &MlsClient) -> Vec<Record> {
    if let Some(batch) = client.drain_storage_events().unwrap() {
        client.confirm_batch(batch.sequence).unwrap();
    }
    client.storage().records().unwrap()
}

fn named(name: &str) -> MlsClient {
    let mut client = MlsClient::new();
    client.create_identity(name.as_bytes(), 1).unwrap();
    client
}

/// What damage to a message of a group may lead to, by what is damaged: the frame, the group id, the
/// epoch, what it says.
const MESSAGE: &[&str] = &[
    "malformed-message",
    "wrong-kind",
    "group-not-found",
    "future-epoch",
    "past-epoch",
    "duplicate-message",
    "too-far-out-of-order",
    "undecryptable",
    "invalid-message",
];
const WELCOME: &[&str] = &[
    "malformed-message",
    "wrong-kind",
    "no-matching-key-package",
    "invalid-welcome",
];
const KEY_PACKAGE: &[&str] = &["invalid-key-package"];
const GROUP_INFO: &[&str] = &[
    "malformed-message",
    "wrong-kind",
    "unsupported-ciphersuite",
    "invalid-group-info",
    "ratchet-tree-missing",
];

/// Alice, Bob and Carol in a group, in the fifth epoch; Dora has a key package.
struct Scene {
    group: Vec<u8>,
    alice: Vec<Record>,
    bob: Vec<Record>,
    dora: MlsClient,
    package: Vec<u8>,
    position: u64,
}

impl Scene {
    fn new(policy: WireFormatPolicy) -> Self {
        let (mut alice, mut bob, mut carol) = (named("alice"), named("bob"), named("carol"));
        for client in [&mut alice, &mut bob, &mut carol] {
            client.set_group_settings(GroupSettings {
                wire_format_policy: policy,
                ..GroupSettings::default()
            });
        }
        let group = alice.create_group(Some(b"a group")).unwrap();
        let packages = [&mut bob, &mut carol].map(|client| {
            let mut packages = client.generate_key_packages(1).unwrap();
            packages.pop().unwrap()
        });
        let entry = alice.add_members(&group, &packages, None).unwrap();
        alice.merge_pending_commit(&group).unwrap();
        let welcome = entry.welcome.unwrap();
        bob.join_group(&welcome).unwrap();
        carol.join_group(&welcome).unwrap();
        // Everybody commits, so that the tree is full; the log is read to its end.
        let mut all = [alice, bob, carol];
        let mut position = 1;
        for committer in 0..all.len() {
            let entry = all[committer].self_update(&group, None).unwrap();
            position += 1;
            for client in &mut all {
                client
                    .receive_message(Delivered {
                        bytes: entry.bytes.as_ref().unwrap(),
                        id: Some(&entry.id),
                        position: None,
                        ..Default::default()
                    })
                    .unwrap();
            }
        }
        // One message, so that there is a ratchet to upset and a cursor to move.
        let bytes = all[0].encrypt_message(&group, b"the first").unwrap();
        position += 1;
        for client in &mut all[1..] {
            client
                .receive_message(Delivered {
                    bytes: &bytes,
                    id: None,
                    position: Some(position),
                    ..Default::default()
                })
                .unwrap();
            let ids: Vec<String> = client
                .inbox()
                .unwrap()
                .into_iter()
                .map(|item| item.id)
                .collect();
            client.acknowledge_inbox(&ids).unwrap();
        }
        let mut dora = named("dora");
        let package = dora.generate_key_packages(1).unwrap().pop().unwrap();
        saved(&dora);
        Self {
            group,
            alice: saved(&all[0]),
            bob: saved(&all[1]),
            dora,
            package,
            position,
        }
    }

    /// What Alice sends, from the state she is in.
    fn alice<T>(&self, send: impl FnOnce(&mut MlsClient, &[u8]) -> T) -> T {
        send(&mut opened(&self.alice), &self.group)
    }

    fn to_bob(&self, name: &'static str, bytes: Vec<u8>, way: Way) -> Subject {
        Subject {
            name,
            bytes,
            way,
            records: self.bob.clone(),
            group: self.group.clone(),
            codes: MESSAGE,
            for_others: 0..0,
            authenticator: None,
        }
    }

    fn to_dora(&self, name: &'static str, bytes: Vec<u8>, way: Way, welcome: bool) -> Subject {
        Subject {
            name,
            bytes,
            way,
            records: self.dora.storage().records().unwrap(),
            group: self.group.clone(),
            codes: if welcome { WELCOME } else { GROUP_INFO },
            for_others: 0..0,
            authenticator: None,
        }
    }
}

fn bytes(entry: OutboxEntry) -> Vec<u8> {
    entry.bytes.unwrap()
}

fn messages(scene: &Scene, public: bool) -> Vec<Subject> {
    let message = scene.alice(|alice, group| alice.encrypt_message(group, b"the next").unwrap());
    let leave = scene.alice(|alice, group| bytes(alice.leave_group(group, None).unwrap()));
    let add = ProposalRequest::Add {
        key_package: scene.package.clone(),
    };
    let data = b"in the clear";
    let add = scene.alice(|alice, group| bytes(alice.propose(group, &add, data, None).unwrap()));
    let update = scene.alice(|alice, group| bytes(alice.self_update(group, None).unwrap()));
    let request = CommitRequest {
        proposals: vec![ProposalRequest::Remove { leaf_index: 2 }],
        authenticated_data: data.to_vec(),
        ..CommitRequest::default()
    };
    let remove = scene.alice(|alice, group| bytes(alice.commit(group, &request, None).unwrap()));
    let at = Way::ReceiveAt(scene.position + 1);
    if public {
        // Dora comes in by herself.
        let info = scene.alice(|alice, group| alice.export_group_info(group, true).unwrap());
        let mut dora = opened(&scene.dora.storage().records().unwrap());
        let join = ExternalJoin::default();
        let joins = bytes(dora.join_by_external_commit(&info, &join, None).unwrap());
        return vec![
            scene.to_bob("an external commit, processed", joins.clone(), Way::Process),
            scene.to_bob("an external commit, from the log", joins, at.clone()),
            scene.to_bob("a public proposal, processed", leave, Way::Process),
            scene.to_bob("a public proposal, from the log", add, at.clone()),
            scene.to_bob("a public commit, processed", update, Way::Process),
            scene.to_bob("a public commit, from the log", remove, at),
        ];
    }
    vec![
        scene.to_bob("a message, processed", message.clone(), Way::Process),
        scene.to_bob("a message, from the log", message.clone(), at.clone()),
        scene.to_bob("a message, beside the log", message, Way::ReceiveAside),
        scene.to_bob("a private proposal, processed", add, Way::Process),
        scene.to_bob("a private proposal, from the log", leave, at.clone()),
        scene.to_bob("a private commit, processed", remove, Way::Process),
        scene.to_bob("a private commit, from the log", update, at),
    ]
}

fn joining(scene: &Scene) -> Vec<Subject> {
    let packages = [scene.package.clone()];
    let add = |alice: &mut MlsClient, group: &[u8]| {
        let entry = alice.add_members(group, &packages, None).unwrap();
        alice.merge_pending_commit(group).unwrap();
        (
            entry.welcome.unwrap(),
            alice.export_ratchet_tree(group).unwrap(),
        )
    };
    let (welcome, _) = scene.alice(add);
    // The settings of the group say whether its Welcomes bring the tree.
    let settings = GroupSettings {
        use_ratchet_tree_extension: false,
        ..GroupSettings::default()
    };
    let mut alice = named("alice");
    alice.set_group_settings(settings);
    let group = alice.create_group(None).unwrap();
    let (without_tree, tree) = add(&mut alice, &group);
    let info = scene.alice(|alice, group| alice.export_group_info(group, true).unwrap());
    let package = |name, way| Subject {
        codes: KEY_PACKAGE,
        ..scene.to_bob(name, scene.package.clone(), way)
    };
    vec![
        welcome_for_two(scene),
        scene.to_dora("a Welcome, joined by", welcome.clone(), Way::Join, true),
        scene.to_dora("a Welcome, received", welcome, Way::ReceiveWelcome, true),
        scene.to_dora("a ratchet tree", tree, Way::TreeOf(without_tree), true),
        package("a key package, added", Way::AddMember),
        package("a key package, proposed", Way::ProposeToAdd),
        package("a key package, inspected", Way::InspectKeyPackage),
        scene.to_dora(
            "a group info, joined by",
            info.clone(),
            Way::JoinExternally,
            false,
        ),
        scene.to_dora(
            "a group info, joined by on trial",
            info.clone(),
            Way::InspectExternalJoin,
            false,
        ),
        scene.to_dora(
            "a group info, inspected",
            info,
            Way::InspectGroupInfo,
            false,
        ),
    ]
}

/// A Welcome for Dora and Eve, which Dora gets.
fn welcome_for_two(scene: &Scene) -> Subject {
    let mut eve = named("eve");
    let package = eve.generate_key_packages(1).unwrap().pop().unwrap();
    let packages = [scene.package.clone(), package];
    let (bytes, authenticator) = scene.alice(|alice, group| {
        let entry = alice.add_members(group, &packages, None).unwrap();
        alice.merge_pending_commit(group).unwrap();
        let info = alice.group_info(group).unwrap();
        (entry.welcome.unwrap(), info.epoch_authenticator)
    });
    // Each part begins with the length and the reference of the key package that it is for.
    let part_of = |client: &MlsClient| {
        let reference = &client.key_packages().unwrap()[0].reference;
        let mut windows = bytes.windows(reference.len());
        windows.position(|window| window == reference).unwrap() - 1
    };
    let (dora, eve) = (part_of(&scene.dora), part_of(&eve));
    let for_others = eve..eve + dora.abs_diff(eve);
    Subject {
        for_others,
        authenticator: Some(authenticator),
        ..scene.to_dora("a Welcome for two, joined by", bytes, Way::Join, true)
    }
}

pub fn subjects() -> Vec<Subject> {
    let private = Scene::new(WireFormatPolicy::PureCiphertext);
    let public = Scene::new(WireFormatPolicy::PurePlaintext);
    let mut subjects = messages(&private, false);
    subjects.extend(messages(&public, true));
    subjects.extend(joining(&private));
    subjects
}

/// Whether an item says that the message could not be processed, and by which code.
pub fn failure(item: &InboxItem) -> Option<&str> {
    match &item.content {
        InboxContent::Failed { code, .. } => Some(code),
        _ => None,
    }
}
