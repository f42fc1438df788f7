//! The delivery service: one log per group, the first commit of an epoch wins. Beside it the truth
//! about every epoch, which follows from the log alone and knows nothing of MLS.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openmls_wasm::client::{Member, OutboxEntry, OutboxKind};

/// A client, by its place in the world.
pub type ClientIndex = usize;
/// A group, by its place in the world.
pub type GroupIndex = usize;
/// Who sits at which leaf.
pub type Members = BTreeMap<u32, ClientIndex>;

/// Whether handshake messages of a group are encrypted: members must accept what others send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire {
    Ciphertext,
    Plaintext,
    Mixed,
}

/// What a proposal asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposed {
    /// Whom, and with which key package (its reference).
    Add(ClientIndex, Vec<u8>),
    Remove(u32),
    /// The sender's own removal, by a Remove or a SelfRemove proposal.
    Leave,
    /// The sender's leaf; with a new signature key or not.
    Update {
        new_key: bool,
    },
    ExternalPsk(Vec<u8>),
    Extensions(bool),
    AppDefined(Vec<u8>),
}

/// What a commit does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// Who, and with which key package (its reference).
    pub added: Vec<(ClientIndex, Vec<u8>)>,
    /// The leaves that become blank.
    pub removed: BTreeSet<u32>,
    /// The leaves that are replaced by a proposal of their owners; with a new signature key or not.
    pub updated: BTreeMap<u32, bool>,
    /// Whether the committer's leaf gets a new signature key.
    pub new_key: bool,
    /// The external pre-shared keys that every member needs.
    pub psks: BTreeSet<Vec<u8>>,
}

impl Effect {
    /// What a commit of the member at `own` does that asks for `asked` and may contain what
    /// `waiting` members have proposed: all of it if that is valid, or else (RFC 9420 §12.4 leaves
    /// the choice) one after the other. An error if it cannot do what is asked for.
    pub fn of(
        members: &Members,
        own: u32,
        asked: &[Proposed],
        waiting: &[(u32, Proposed)],
        new_key: bool,
        psks: &BTreeSet<Vec<u8>>,
    ) -> Result<Self, &'static str> {
        let is_known = |(_, one): &(u32, Proposed)| match one {
            Proposed::ExternalPsk(psk) => psks.contains(psk),
            _ => true,
        };
        let is_valid =
            |all: &[(u32, Proposed)]| all.iter().all(is_known) && is_valid(members, own, all);
        // What is asked for twice is the same proposal, but for pre-shared keys: each has its nonce.
        let mut once: Vec<(u32, Proposed)> = vec![];
        for one in asked.iter().map(|one| (own, one.clone())) {
            if !once.contains(&one) {
                once.push(one);
            }
        }
        let asked = once;
        let mut all = [waiting, &asked].concat();
        if !is_valid(&all) {
            all = asked;
            if !is_valid(&all) {
                let known = all.iter().all(is_known);
                return Err(if known {
                    "commit-rejected"
                } else {
                    "unknown-psk"
                });
            }
            for one in waiting {
                all.push(one.clone());
                if !is_valid(&all) {
                    all.pop();
                }
            }
        }
        let mut effect = Self {
            new_key,
            ..Self::default()
        };
        for (sender, proposed) in all {
            match proposed {
                Proposed::Add(client, reference) => effect.added.push((client, reference)),
                Proposed::Remove(leaf) => drop(effect.removed.insert(leaf)),
                Proposed::Leave => drop(effect.removed.insert(sender)),
                // A committer's own update gives way to the path of its commit.
                Proposed::Update { new_key } if sender != own => {
                    effect.updated.insert(sender, new_key);
                }
                Proposed::ExternalPsk(psk) => drop(effect.psks.insert(psk)),
                _ => {}
            }
        }
        let Self {
            updated, removed, ..
        } = &mut effect;
        updated.retain(|leaf, _| !removed.contains(leaf));
        Ok(effect)
    }
}

/// RFC 9420 §12.2, as far as the walk goes.
fn is_valid(members: &Members, own: u32, proposals: &[(u32, Proposed)]) -> bool {
    let mut added = BTreeSet::new();
    let mut extensions = 0;
    // Whoever is removed can be added by the same commit.
    let stays = |leaf: &u32| {
        let mut all = proposals.iter();
        all.all(|(sender, one)| match one {
            Proposed::Remove(removed) => removed != leaf,
            Proposed::Leave => sender != leaf,
            _ => true,
        })
    };
    proposals.iter().all(|(sender, proposed)| match proposed {
        Proposed::Add(client, _) => {
            let mut present = members.iter().filter(|(leaf, _)| stays(leaf));
            added.insert(*client) && present.all(|(_, member)| member != client)
        }
        Proposed::Remove(leaf) => *leaf != own,
        Proposed::Leave => *sender != own,
        Proposed::Extensions(_) => {
            extensions += 1;
            extensions == 1
        }
        _ => true,
    })
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Message { plaintext: Vec<u8>, data: Vec<u8> },
    Proposal(Proposed),
    Commit(Effect),
}

/// A message of a group, and all that is known about it without opening it.
#[derive(Debug)]
pub struct Sent {
    pub id: String,
    pub group: GroupIndex,
    pub sender: ClientIndex,
    pub leaf: u32,
    pub epoch: u64,
    /// A PrivateMessage: it uses up the next generation of a ratchet of its sender.
    pub private: bool,
    pub generation: u32,
    pub bytes: Vec<u8>,
    pub what: What,
}

impl Sent {
    pub fn kind(&self) -> OutboxKind {
        match self.what {
            What::Message { .. } => OutboxKind::Message,
            What::Proposal(_) => OutboxKind::Proposal,
            What::Commit(_) => OutboxKind::Commit,
        }
    }
}

/// One epoch of a group.
pub struct Epoch {
    pub members: Members,
    /// What the first client said that got there; all others must say the same.
    pub said: Option<EpochSaid>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EpochSaid {
    pub authenticator: Vec<u8>,
    pub members: Vec<Member>,
    pub exported: Vec<u8>,
}

pub struct Group {
    pub id: Vec<u8>,
    pub wire: Wire,
    /// Of how many past epochs the delivery service still accepts application messages.
    pub past: u64,
    /// Everything goes through the log, in order: then nobody may miss a message.
    pub strict: bool,
    /// Some member's leaf has another signature key than its key packages.
    pub rotated: bool,
    pub log: Vec<Rc<Sent>>,
    pub epochs: Vec<Epoch>,
}

/// A Welcome, addressed to one client.
pub struct Welcome {
    pub bytes: Vec<u8>,
    pub group: GroupIndex,
    pub epoch: u64,
    /// The position of its commit in the group's log.
    pub position: u64,
    /// The key packages it was made for, of which one is this client's.
    pub references: Vec<Vec<u8>>,
    /// The external pre-shared keys it rests on.
    pub psks: BTreeSet<Vec<u8>>,
}

impl Group {
    pub fn epoch(&self) -> u64 {
        self.epochs.len() as u64 - 1
    }

    /// Takes an upload. Returns false if its epoch is over.
    pub fn upload(&mut self, entry: &OutboxEntry, sent: &Rc<Sent>) -> bool {
        if let Some(known) = self.log.iter().find(|known| known.id == entry.id) {
            assert_eq!(
                known.bytes, sent.bytes,
                "an id stands for the same bytes for ever"
            );
            return true;
        }
        let behind = self.epoch() - entry.epoch;
        let tolerated = match entry.kind {
            OutboxKind::Message => self.past,
            _ => 0,
        };
        if behind > tolerated {
            return false;
        }
        self.log.push(sent.clone());
        if let What::Commit(effect) = &sent.what {
            let members = after(&self.epochs[entry.epoch as usize].members, effect);
            self.epochs.push(Epoch {
                members,
                said: None,
            });
        }
        true
    }
}

/// RFC 9420 §12.4.2: removals first, then each new member at the leftmost free leaf.
pub fn after(members: &Members, effect: &Effect) -> Members {
    let mut members = members.clone();
    members.retain(|leaf, _| !effect.removed.contains(leaf));
    for (client, _) in &effect.added {
        let free = (0..).find(|leaf| !members.contains_key(leaf)).unwrap();
        members.insert(free, *client);
    }
    members
}
