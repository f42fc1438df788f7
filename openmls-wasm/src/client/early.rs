//! Messages that came before their epoch: kept until it is reached (RFC 9420 §15.2).
//!
//! Where a delivery service gives positions, a message cannot overtake the commit before it. Without
//! positions it can; then it is kept, in the batch of the call that brought it, and processed in the
//! call that reaches its epoch: by a commit received, by an own one merged, by an external join. Of
//! one epoch, everything else is processed before the commits, which end it; apart from that in the
//! order in which it came.
//!
//! Nobody can tell whether such a message is genuine before its epoch is there. So how many are kept
//! per group is limited, and what does not decrypt then becomes an item `Failed`. Where the limit is
//! reached, the epoch that comes first is the more probable one: a message of it takes the place of
//! one that is kept for the latest epoch.

use openmls::prelude::{ContentType, ProtocolMessage};
use openmls_traits::{crypto::OpenMlsCrypto, types::HashType, OpenMlsProvider};
use serde::{Deserialize, Serialize};

use super::{
    delivery::Delivered, inbox::InboxItem, incoming, outbox, provider::Provider, ClientError,
    MlsClient, Result,
};
use crate::{
    sorted::sorted_by_key,
    storage::{key, Category, GranularStorage},
};

/// How messages of epochs that were not reached yet are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyMessageSettings {
    /// How many are kept per group.
    pub max_per_group: usize,
    /// How many bytes their records may take per group.
    pub max_bytes_per_group: usize,
    /// Whether proposals and commits among them are left for
    /// [`early_messages`](MlsClient::early_messages), so that the app can inspect them before.
    pub hold_handshakes: bool,
}

impl Default for EarlyMessageSettings {
    fn default() -> Self {
        Self {
            max_per_group: 1000,
            max_bytes_per_group: 16 << 20,
            hold_handshakes: false,
        }
    }
}

/// A message that waits for its epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyMessage {
    /// The order in which they came.
    pub sequence: u64,
    /// The epoch it belongs to.
    pub epoch: u64,
    /// The id it was delivered under.
    pub id: Option<String>,
    /// The MLSMessage.
    pub bytes: Vec<u8>,
    kind: Kind,
}

/// What the header says that a message is. In the order in which those of one epoch are processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Application,
    Proposal,
    Commit,
}

/// What can be said of a message that cannot be opened yet.
pub(super) struct Header {
    pub(super) group_id: Vec<u8>,
    epoch: u64,
    kind: Kind,
}

impl Header {
    pub(super) fn of(message: &ProtocolMessage) -> Self {
        Self {
            group_id: message.group_id().to_vec(),
            epoch: message.epoch().as_u64(),
            kind: match message.content_type() {
                ContentType::Application => Kind::Application,
                ContentType::Proposal => Kind::Proposal,
                ContentType::Commit => Kind::Commit,
            },
        }
    }

    /// The same bytes have the same key: a message is kept once, however often it comes.
    fn key(&self, provider: &Provider, bytes: &[u8]) -> Result<String> {
        let (group, epoch) = (key::bytes_key(&self.group_id), key::integer_key(self.epoch));
        Ok(format!("{group}/{epoch}/{}", digest(provider, bytes)?))
    }
}

/// SHA-256, as part of a key.
pub(super) fn digest(provider: &Provider, bytes: &[u8]) -> Result<String> {
    let hash = provider.crypto().hash(HashType::Sha2_256, bytes);
    Ok(key::bytes_key(&hash.map_err(ClientError::internal)?))
}

/// The message is not early any more; to be called inside a savepoint.
pub(super) fn forget(provider: &Provider, header: &Header, bytes: &[u8]) -> Result<()> {
    let key = header.key(provider, bytes)?;
    let storage = provider.storage();
    if !storage.contains(Category::EarlyMessage, &key)? {
        return Ok(());
    }
    storage.delete(Category::EarlyMessage, &key)?;
    note_if_none(storage, &key::bytes_key(&header.group_id))
}

/// Whether there are messages of a group is known without the group being in memory.
fn note_if_none(storage: &GranularStorage, group: &str) -> Result<()> {
    if storage
        .keys_in_range(Category::EarlyMessage, group)?
        .is_empty()
    {
        storage.delete(Category::EarlyMessageGroup, group)?;
    }
    Ok(())
}

/// What was kept for an epoch before `epoch` will not be read any more; to be called inside a
/// savepoint.
pub(super) fn forget_before(provider: &Provider, group_id: &[u8], epoch: u64) -> Result<()> {
    let group = key::bytes_key(group_id);
    let end = format!("{group}/{}", key::integer_key(epoch));
    let storage = provider.storage();
    for key in storage.keys_in_range(Category::EarlyMessage, &group)? {
        if key < end {
            storage.delete(Category::EarlyMessage, &key)?;
        }
    }
    note_if_none(storage, &group)
}

/// No epoch of the group will be reached any more; to be called inside a savepoint.
pub(super) fn forget_all(provider: &Provider, group_id: &[u8]) -> Result<()> {
    let group = key::bytes_key(group_id);
    let storage = provider.storage();
    storage.delete_range(Category::EarlyMessage, &group)?;
    note_if_none(storage, &group)
}

impl MlsClient {
    /// How messages are treated from now on whose epoch was not reached yet.
    pub fn set_early_message_settings(&mut self, settings: EarlyMessageSettings) {
        self.early_settings = settings;
    }

    /// The groups of which messages are kept.
    pub fn groups_with_early_messages(&self) -> Result<Vec<Vec<u8>>> {
        let keys = self.storage().keys(Category::EarlyMessageGroup)?;
        Ok(keys
            .iter()
            .filter_map(|group| key::parse_bytes_key(group))
            .collect())
    }

    /// The messages that are kept for a group, in the order in which they will be processed.
    pub fn early_messages(&self, group_id: &[u8]) -> Result<Vec<EarlyMessage>> {
        let group = key::bytes_key(group_id);
        let kept: Vec<EarlyMessage> = self.storage().get_range(Category::EarlyMessage, &group)?;
        Ok(sorted_by_key(kept, |message| {
            [message.epoch, message.kind as u64, message.sequence]
        }))
    }

    /// The inbox items that the last call produced out of messages which had been kept: they are in
    /// the inbox too. Whoever looks there after each call does not need this.
    pub fn take_early_items(&mut self) -> Vec<InboxItem> {
        std::mem::take(&mut self.early_items)
    }

    /// Keeps a message until its epoch is reached, if need be in the place of messages of later
    /// epochs.
    ///
    /// # Errors
    /// `too-many-early-messages`.
    pub(super) fn keep_early(&mut self, header: &Header, delivered: &Delivered<'_>) -> Result<()> {
        let key = header.key(&self.provider, delivered.bytes)?;
        let storage = self.provider.storage();
        if storage.contains(Category::EarlyMessage, &key)? {
            return Ok(());
        }
        let replaced = self.replaced_by(header, delivered.bytes.len())?;
        let message = EarlyMessage {
            sequence: self.next_sequence()?,
            epoch: header.epoch,
            id: delivered.id.map(Into::into),
            bytes: delivered.bytes.to_vec(),
            kind: header.kind,
        };
        self.atomically(|provider| {
            let storage = provider.storage();
            outbox::note_sequence(storage, message.sequence)?;
            for key in &replaced {
                storage.delete(Category::EarlyMessage, key)?;
            }
            let group = key::bytes_key(&header.group_id);
            storage.put(Category::EarlyMessageGroup, &group, &())?;
            Ok(storage.put(Category::EarlyMessage, &key, &message)?)
        })
    }

    /// The keys of those that make room for a message of `size` bytes.
    fn replaced_by(&self, header: &Header, size: usize) -> Result<Vec<String>> {
        let group = key::bytes_key(&header.group_id);
        let settings = &self.early_settings;
        // In the order of their epochs.
        let mut kept = self
            .storage()
            .sizes_in_range(Category::EarlyMessage, &group)?;
        let mut bytes = kept.iter().map(|(_, size)| size).sum::<usize>();
        let mut replaced = vec![];
        let epoch = key::integer_key(header.epoch);
        while kept.len() >= settings.max_per_group
            || bytes.saturating_add(size) > settings.max_bytes_per_group
        {
            match kept.pop() {
                Some((key, size)) if key.split('/').nth(1) > Some(&*epoch) => {
                    bytes -= size;
                    replaced.push(key);
                }
                _ => return Err(ClientError::TooManyEarlyMessages),
            }
        }
        Ok(replaced)
    }

    /// Processes what was kept and whose epoch is there now. To be called at the end of every
    /// operation that may reach an epoch: then its changes are in the same batch. What fails for
    /// a reason that may go away stays, and is tried again at the next call for that group.
    pub(super) fn process_early(&mut self, group_id: &[u8]) {
        self.early_items.clear();
        let mut tried = vec![];
        loop {
            let mut ready = self.ready_early(group_id).unwrap_or_default();
            ready.retain(|message| !tried.contains(&message.sequence));
            if ready.is_empty() {
                return;
            }
            for message in ready {
                tried.push(message.sequence);
                self.receive_early(&message);
                if message.kind == Kind::Commit {
                    // Another epoch may have been reached.
                    break;
                }
            }
        }
    }

    fn receive_early(&mut self, message: &EarlyMessage) {
        let delivered = Delivered {
            bytes: &message.bytes,
            id: message.id.as_deref(),
            ..Delivered::default()
        };
        let received = incoming::parse(&message.bytes).and_then(|parsed| {
            let header = Header::of(&parsed);
            self.receive_one(&delivered, parsed, &header)
        });
        if let Ok(Some(item)) = received {
            self.early_items.push(item);
        }
    }

    /// What is kept although its epoch has been reached, and not held.
    fn ready_early(&mut self, group_id: &[u8]) -> Result<Vec<EarlyMessage>> {
        let hold = self.early_settings.hold_handshakes;
        let mut ready = self.due_early(group_id)?;
        ready.retain(|message| !hold || message.kind == Kind::Application);
        Ok(ready)
    }

    /// What is kept although its epoch has been reached.
    fn due_early(&mut self, group_id: &[u8]) -> Result<Vec<EarlyMessage>> {
        let mut kept = self.early_messages(group_id)?;
        if kept.is_empty() {
            return Ok(kept);
        }
        let epoch = match self.with_group(group_id, |_, _, group| Ok(group.epoch().as_u64())) {
            // It is about to be joined.
            Err(ClientError::GroupNotFound(_) | ClientError::GroupInert(_)) => return Ok(vec![]),
            epoch => epoch?,
        };
        kept.retain(|message| message.epoch <= epoch);
        Ok(kept)
    }

    /// The first message that is kept although its epoch has been reached: a proposal or commit
    /// that is held, or one that failed for a reason that may go away. Hand it in again.
    ///
    /// `after`, the bytes of one that failed again, asks for the next one behind it. If that is not
    /// kept any more, the first one is next.
    pub fn next_early_message(
        &mut self,
        group_id: &[u8],
        after: Option<&[u8]>,
    ) -> Result<Option<EarlyMessage>> {
        let due = self.due_early(group_id)?;
        let behind = due
            .iter()
            .position(|message| Some(&*message.bytes) == after)
            .map_or(0, |index| index + 1);
        Ok(due.into_iter().nth(behind))
    }
}
