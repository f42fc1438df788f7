//! The delivery service: one log per group, the first commit of an epoch wins. Beside it the truth
//! about every epoch, which follows from the log alone and knows nothing of MLS.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use openmls_wasm::client::{Member, OutboxEntry, OutboxKind};

use super::effect::{Context, Effect, Proposed, Psk, Sender};

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
    /// As what: a member, or from outside.
    pub by: Sender,
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
    pub context: Context,
    /// What the first client said that got there; all others must say the same.
    pub said: Option<EpochSaid>,
    /// The ratchet tree that goes with it, for those whose Welcome does not bring it.
    pub tree: Option<Vec<u8>>,
    /// What members have derived for components.
    pub secrets: BTreeMap<u16, Vec<u8>>,
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
    /// What committers derived of an epoch before it was there, by commit and component.
    pub pending_secrets: BTreeMap<(String, u16), Vec<u8>>,
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
    /// The pre-shared keys it rests on.
    pub psks: BTreeSet<Psk>,
    /// It does not carry the ratchet tree.
    pub is_bare: bool,
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
            let before = &self.epochs[entry.epoch as usize];
            let context = effect.context.clone();
            self.epochs.push(Epoch {
                members: after(&before.members, effect),
                context: context.unwrap_or_else(|| before.context.clone()),
                said: None,
                tree: None,
                secrets: BTreeMap::new(),
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
