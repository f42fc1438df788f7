//! The delivery service: one log per group, the first commit of an epoch wins. Beside it the truth
//! about every epoch, which follows from the log alone and knows nothing of MLS.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openmls_wasm::client::{OutboxEntry, OutboxKind};

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

/// What a commit does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// Who, and with which key package (its reference).
    pub added: Vec<(ClientIndex, Vec<u8>)>,
    /// The leaves that become blank.
    pub removed: BTreeSet<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Proposed {
    /// The sender's own removal.
    Leave,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Message { plaintext: Vec<u8> },
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
    /// Of the first client that got there; all others must have the same.
    pub authenticator: Option<Vec<u8>>,
}

pub struct Group {
    pub id: Vec<u8>,
    pub wire: Wire,
    /// Of how many past epochs the delivery service still accepts application messages.
    pub past: u64,
    /// Everything goes through the log, in order: then nobody may miss a message.
    pub strict: bool,
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
                authenticator: None,
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
