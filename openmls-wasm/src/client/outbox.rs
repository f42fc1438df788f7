//! The outbox: what the delivery service has not accepted yet (G10).
//!
//! An entry is written in the batch of the operation that produced it, so that a crash after that
//! batch uploads the same bytes under the same id, and a crash before it leaves nothing.

use openmls_traits::{random::OpenMlsRand, OpenMlsProvider};
use serde::{Deserialize, Serialize};

use super::{credential, witness, ClientError, MlsClient, Result};
use crate::{
    sorted::sorted_by_key,
    storage::{key, Category, GranularStorage},
};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutboxKind {
    /// An application message.
    Message,
    /// A proposal.
    Proposal,
    /// A commit: pending until it comes back in the group's log.
    Commit,
}

/// Someone whom a commit adds or removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The identity of the basic credential. Empty for an X.509 credential.
    pub identity: Vec<u8>,
    /// The chain of the X.509 credential, as in [`Member`](super::Member).
    #[serde(default)]
    pub certificates: Vec<Vec<u8>>,
    /// The public signature key.
    pub signature_key: Vec<u8>,
}

/// Something to be uploaded to the delivery service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// The id it is uploaded under, however often.
    pub id: String,
    /// Entries are uploaded in this order.
    pub sequence: u64,
    /// What it is.
    pub kind: OutboxKind,
    /// The group.
    pub group_id: Vec<u8>,
    /// The epoch it was made in.
    pub epoch: u64,
    /// The MLSMessage; `None` for a message that waits for pending proposals to be committed.
    pub bytes: Option<Vec<u8>>,
    /// The plaintext of a message: it can be encrypted anew in a later epoch.
    pub plaintext: Option<Vec<u8>>,
    /// The authenticated data, which travels in the clear (RFC 9420 §6.1).
    #[serde(default)]
    pub authenticated_data: Vec<u8>,
    /// The reference of a proposal (RFC 9420 §5.2).
    #[serde(default)]
    pub proposal_reference: Option<Vec<u8>>,
    /// The Welcome for those whom a commit adds.
    pub welcome: Option<Vec<u8>>,
    /// Whom a commit adds.
    pub added: Vec<Party>,
    /// Whom a commit removes.
    pub removed: Vec<Party>,
    /// SHA-256 of what a message was encrypted to before it was encrypted anew.
    #[serde(default)]
    pub former: Vec<Vec<u8>>,
}

impl Party {
    pub(super) fn new(credential: &openmls::prelude::Credential, signature_key: &[u8]) -> Self {
        let (identity, certificates) = credential::parts(credential, signature_key);
        Self {
            identity,
            certificates,
            signature_key: signature_key.to_vec(),
        }
    }
}

pub(super) fn record_key(id: &str) -> String {
    key::bytes_key(id.as_bytes())
}

pub(super) fn put(storage: &GranularStorage, entry: &OutboxEntry) -> Result<()> {
    Ok(storage.put(Category::Outbox, &record_key(&entry.id), entry)?)
}

/// Puts a new entry in. Its sequence stays taken when the entry is gone: order outlives a restart.
pub(super) fn add(storage: &GranularStorage, entry: &OutboxEntry) -> Result<()> {
    note_sequence(storage, entry.sequence)?;
    put(storage, entry)
}

pub(super) fn note_sequence(storage: &GranularStorage, sequence: u64) -> Result<()> {
    Ok(storage.put(Category::LastSequence, key::SINGLETON, &sequence)?)
}

pub(super) fn last_sequence(storage: &GranularStorage) -> Result<Option<u64>> {
    Ok(storage.get(Category::LastSequence, key::SINGLETON)?)
}

pub(super) fn get(storage: &GranularStorage, id: &str) -> Result<Option<OutboxEntry>> {
    Ok(storage.get(Category::Outbox, &record_key(id))?)
}

pub(super) fn remove(storage: &GranularStorage, id: &str) -> Result<()> {
    Ok(storage.delete(Category::Outbox, &record_key(id))?)
}

/// The commit of `group_id` that waits in the outbox.
pub(super) fn pending_commit(
    storage: &GranularStorage,
    group_id: &[u8],
) -> Result<Option<OutboxEntry>> {
    let entries: Vec<OutboxEntry> = storage.get_all(Category::Outbox)?;
    Ok(entries
        .into_iter()
        .find(|entry| entry.kind == OutboxKind::Commit && entry.group_id == group_id))
}

impl MlsClient {
    /// What the delivery service has not accepted yet, in order.
    pub fn outbox(&self) -> Result<Vec<OutboxEntry>> {
        let entries: Vec<OutboxEntry> = self.storage().get_all(Category::Outbox)?;
        Ok(sorted_by_key(entries, |entry| [entry.sequence, 0, 0]))
    }

    /// The delivery service accepted a message or a proposal: its entry goes.
    ///
    /// # Errors
    /// `unknown-outbox-entry`; `wrong-kind` for a commit, which is accepted by coming back in the
    /// group's log ([`receive_message`](Self::receive_message)) and not before: merging it earlier
    /// would make messages ordered before it unreadable.
    pub fn acknowledge_outbox(&mut self, id: &str) -> Result<()> {
        let entry = self.outbox_entry(id)?;
        if entry.kind == OutboxKind::Commit {
            return Err(ClientError::WrongKind(
                "a commit is accepted by receiving it",
            ));
        }
        self.atomically(|provider| {
            witness::accepted(provider.storage(), &entry)?;
            remove(provider.storage(), id)
        })
    }

    pub(super) fn outbox_entry(&self, id: &str) -> Result<OutboxEntry> {
        get(self.storage(), id)?.ok_or_else(|| ClientError::UnknownOutboxEntry(id.into()))
    }

    /// The id of a new entry: the app's own, which must be free, or a random one.
    pub(super) fn new_entry_id(&self, id: Option<&str>) -> Result<String> {
        let Some(id) = id else {
            let random: [u8; 16] = self
                .provider
                .rand()
                .random_array()
                .map_err(ClientError::internal)?;
            return Ok(key::bytes_key(&random));
        };
        if id.is_empty() || id.len() > 256 {
            return Err(ClientError::InvalidArgument("an id has 1 to 256 bytes"));
        }
        let key = record_key(id);
        if self.storage().contains(Category::Outbox, &key)?
            || self.storage().contains(Category::Inbox, &key)?
        {
            return Err(ClientError::DuplicateId(id.into()));
        }
        Ok(id.into())
    }
}
