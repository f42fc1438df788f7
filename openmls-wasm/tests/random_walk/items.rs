//! What a client holds, told without any type of it where that says enough.

use std::{collections::BTreeSet, rc::Rc};

use openmls_wasm::client::{GroupSettings, OutboxEntry};

use super::{
    effect::{Proposed, Sender},
    service::{ClientIndex, GroupIndex, Sent, What},
};

/// What a message says, told without any type of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Message {
        from: ClientIndex,
        leaf: u32,
        epoch: u64,
        plaintext: Vec<u8>,
        data: Vec<u8>,
    },
    Sent {
        epoch: u64,
        plaintext: Vec<u8>,
    },
    Proposal {
        by: Sender,
        /// Unknown of a listed sender: only its place is told.
        from: Option<ClientIndex>,
        epoch: u64,
    },
    Commit {
        own: bool,
        from: ClientIndex,
        epoch: u64,
        added: BTreeSet<ClientIndex>,
        removed: BTreeSet<ClientIndex>,
        self_removed: bool,
        superseded: Option<String>,
        /// What it consists of, but for external commits.
        listed: Option<Vec<String>>,
    },
    Joined {
        epoch: u64,
    },
    Failed {
        code: String,
    },
    OwnMessage,
}

/// An item of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: String,
    pub group: Option<GroupIndex>,
    pub position: Option<u64>,
    pub said: Said,
}

/// An entry of the outbox; `sent` is missing while it waits without bytes.
#[derive(Clone)]
pub struct Held {
    pub entry: OutboxEntry,
    pub group: GroupIndex,
    pub sent: Option<Rc<Sent>>,
    pub joins: Option<Joining>,
}

impl Held {
    /// Whether it is a commit with a new signature key.
    pub fn has_new_key(&self) -> bool {
        let sent = self.sent.as_ref();
        sent.is_some_and(|sent| matches!(&sent.what, What::Commit(effect) if effect.new_key))
    }
}

/// An external commit makes a group with these settings. Its leaf has the own signature key of the
/// old leaf, if that had one.
#[derive(Clone)]
pub struct Joining {
    pub settings: GroupSettings,
    pub key: Option<u64>,
}

/// An own key package.
#[derive(Clone, Debug)]
pub struct Package {
    pub reference: Vec<u8>,
    pub bytes: Vec<u8>,
    pub last_resort: bool,
    /// Whether its lifetime was over so long ago that no Welcome for it can come any more.
    pub expired: Option<bool>,
}

/// What became of a key package. The later ones say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    GivenOut,
    OfOtherClient,
    Purged,
    Used,
}

/// A proposal that waits for a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    pub id: String,
    pub by: Sender,
    pub what: Proposed,
    pub data: Vec<u8>,
    /// Not one that was dropped with its keys and came back.
    pub has_keys: bool,
}

/// A message that came before its epoch.
#[derive(Clone)]
pub struct Early {
    pub order: u64,
    pub id: Option<String>,
    pub sent: Rc<Sent>,
}
