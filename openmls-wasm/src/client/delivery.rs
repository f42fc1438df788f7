//! Receiving from a delivery service: what a message produced, the position up to which the log has
//! been processed, and the keys the message used up are one batch (G2, G10).
//!
//! A message is identified by its position in the group's log: one that was processed before is a
//! duplicate, whatever its bytes, and one that leaves a gap is refused. So a crash between the batch
//! and the delivery service's hearing of it cannot make a message appear twice, and a message that
//! overtakes another cannot make that one disappear.

use std::ops::ControlFlow;

use openmls_traits::OpenMlsProvider;

use super::{
    commits,
    error::ClientError,
    groups,
    inbox::{self, InboxContent, InboxItem},
    messages::{self, ProcessedContent},
    outbox::{self, OutboxEntry, OutboxKind},
    provider::Provider,
    settled, welcome, MlsClient, Result,
};
use crate::storage::{key, key::SINGLETON, Category, GranularStorage};

/// A message as a delivery service hands it out.
#[derive(Clone, Copy, Debug)]
pub struct Delivered<'a> {
    /// The MLSMessage.
    pub bytes: &'a [u8],
    /// The id it was uploaded under; without one, the position or the content names it.
    pub id: Option<&'a str>,
    /// Its position in the log of its group: that of the message before it plus one.
    pub position: Option<u64>,
}

/// A Welcome as a delivery service hands it out.
#[derive(Clone, Copy, Debug)]
pub struct DeliveredWelcome<'a> {
    /// The MLSMessage.
    pub bytes: &'a [u8],
    /// The id it was uploaded under.
    pub id: Option<&'a str>,
    /// Its position among the Welcomes of this client: that of the one before it plus one.
    pub position: Option<u64>,
    /// The position of its commit in the log of the group: what comes after is for this client.
    pub group_position: Option<u64>,
}

impl MlsClient {
    /// Receives a message: processes it and writes what it produced into the inbox. Returns that
    /// item, or `None` for a duplicate and for an own message that came back.
    ///
    /// An own commit that comes back is merged: now the group has accepted it, and everything
    /// ordered before it has been processed. A message that will never be processed (it does not
    /// decrypt, its epoch is over, …) becomes an item `Failed`, so that one bad message does not
    /// hold up those behind it.
    ///
    /// # Errors
    /// `group-not-found`, `malformed-message`, `position-gap` and `future-epoch` (fetch what lies
    /// between and try again), storage errors.
    pub fn receive_message(&mut self, delivered: Delivered<'_>) -> Result<Option<InboxItem>> {
        // Without a header there is no group whose cursor could move on: that is an error.
        let message = messages::parse(delivered.bytes)?;
        let group_id = message.group_id().to_vec();
        if let ControlFlow::Break(item) = self.receive_while_joining(&delivered, &message)? {
            return Ok(item);
        }
        if is_duplicate(self.delivery_cursor(&group_id)?, delivered.position)? {
            return Ok(None);
        }
        let own = self.own_entry(&delivered)?;
        let sequence = self.next_sequence()?;
        let id = self.item_id(&delivered, sequence)?;
        let item = |content| InboxItem {
            id: id.clone(),
            sequence,
            group_id: group_id.clone(),
            position: delivered.position,
            content,
        };
        let attempt = self.with_group(&group_id, |provider, _, group| {
            let content = match own {
                Some(entry) => accept_own(provider, group, &entry)?,
                None => handed_over(messages::process(provider, group, message)?),
            };
            finish(provider, &group_id, &delivered, content.map(item))
        });
        match attempt {
            Err(error) if error.is_permanent_for_message() => {
                let content = InboxContent::Failed {
                    code: error.code().into(),
                };
                self.atomically(|provider| {
                    finish(provider, &group_id, &delivered, Some(item(content)))
                })
            }
            other => other,
        }
    }

    /// Receives a Welcome: joins its group. Returns the item `Joined` (or `Failed`, for a Welcome
    /// that can never be joined), or `None` for a duplicate.
    ///
    /// # Errors
    /// `position-gap` (fetch the Welcomes before it first); `group-exists` while this client is still
    /// in the group (read its log up to the removal first, then try again); storage errors.
    pub fn receive_welcome(
        &mut self,
        delivered: DeliveredWelcome<'_>,
    ) -> Result<Option<InboxItem>> {
        // A client's Welcomes begin at position 1.
        let cursor = self.welcome_cursor()?.unwrap_or(0);
        if is_duplicate(Some(cursor), delivered.position)? {
            return Ok(None);
        }
        let sequence = self.next_sequence()?;
        let as_message = Delivered {
            bytes: delivered.bytes,
            id: delivered.id,
            position: delivered.position,
        };
        let id = self.item_id(&as_message, sequence)?;
        let group_position = delivered.group_position;
        let config = self.settings.join_config()?;
        let savepoint = self.provider.storage().savepoint()?;
        let joined =
            welcome::join(&self.provider, &config, delivered.bytes, None).and_then(|group| {
                let item = InboxItem {
                    id: id.clone(),
                    sequence,
                    group_id: group.group_id().to_vec(),
                    position: group_position,
                    content: InboxContent::Joined {
                        epoch: group.epoch().as_u64(),
                    },
                };
                if let Some(position) = group_position {
                    put_cursor(self.provider.storage(), &item.group_id, position)?;
                }
                finish_welcome(&self.provider, delivered.position, &item)?;
                Ok((item, group))
            });
        match settled(savepoint, joined) {
            Ok((item, group)) => {
                self.groups.insert(item.group_id.clone(), group);
                Ok(Some(item))
            }
            // A join that failed may have deleted its key package on the way: that is undone by
            // now. Only the failure itself is noted.
            Err(error) if error.is_permanent_for_message() => {
                let item = InboxItem {
                    id,
                    sequence,
                    group_id: vec![],
                    position: group_position,
                    content: InboxContent::Failed {
                        code: error.code().into(),
                    },
                };
                self.atomically(|provider| finish_welcome(provider, delivered.position, &item))?;
                Ok(Some(item))
            }
            Err(error) => Err(error),
        }
    }

    /// Passes over a Welcome that [`receive_welcome`](Self::receive_welcome) keeps refusing with
    /// `group-exists` although the group's log has been read to its end: nobody removed this client,
    /// so the Welcome is not for the group it names.
    ///
    /// # Errors
    /// `position-gap`. A position that was processed already is no error.
    pub fn skip_welcome(&mut self, position: u64) -> Result<()> {
        let cursor = self.welcome_cursor()?.unwrap_or(0);
        if is_duplicate(Some(cursor), Some(position))? {
            return Ok(());
        }
        self.atomically(|provider| {
            let storage = provider.storage();
            Ok(storage.put(Category::WelcomeCursor, SINGLETON, &position)?)
        })
    }

    /// The position up to which the group's log has been processed.
    pub fn delivery_cursor(&self, group_id: &[u8]) -> Result<Option<u64>> {
        Ok(self
            .storage()
            .get(Category::DeliveryCursor, &key::bytes_key(group_id))?)
    }

    /// The position up to which this client's Welcomes have been processed.
    pub fn welcome_cursor(&self) -> Result<Option<u64>> {
        Ok(self.storage().get(Category::WelcomeCursor, SINGLETON)?)
    }

    /// The outbox entry that came back, if it is one: same id (where there is one) and same bytes.
    pub(super) fn own_entry(&self, delivered: &Delivered<'_>) -> Result<Option<OutboxEntry>> {
        let same = |entry: &OutboxEntry| entry.bytes.as_deref() == Some(delivered.bytes);
        match delivered.id {
            Some(id) => Ok(outbox::get(self.storage(), id)?.filter(same)),
            None => Ok(self.outbox()?.into_iter().find(same)),
        }
    }

    /// The id of the item: that of the delivery service, unless another item has it, which the app
    /// has not saved yet and must not lose.
    pub(super) fn item_id(&self, delivered: &Delivered<'_>, sequence: u64) -> Result<String> {
        use openmls_traits::{crypto::OpenMlsCrypto, types::HashType};
        let is_free = |id: &str| {
            let taken = self
                .storage()
                .contains(Category::Inbox, &outbox::record_key(id));
            taken.map(|taken| !taken)
        };
        if let Some(id) = delivered.id {
            if is_free(id)? {
                return Ok(id.into());
            }
        }
        let hash = self
            .provider
            .crypto()
            .hash(HashType::Sha2_256, delivered.bytes)
            .map_err(ClientError::internal)?;
        let id = key::bytes_key(&hash);
        Ok(if is_free(&id)? {
            id
        } else {
            format!("{id}-{sequence}")
        })
    }
}

/// Whether the position has been processed already. One that leaves a gap is refused: moving the
/// cursor over messages that were never seen would lose them silently.
pub(super) fn is_duplicate(cursor: Option<u64>, position: Option<u64>) -> Result<bool> {
    match (cursor, position) {
        (Some(cursor), Some(position)) if position > cursor.saturating_add(1) => {
            Err(ClientError::PositionGap { position, cursor })
        }
        (Some(cursor), Some(position)) => Ok(position <= cursor),
        _ => Ok(false),
    }
}

/// What an own entry that came back means.
fn accept_own(
    provider: &Provider,
    group: &mut openmls::group::MlsGroup,
    entry: &OutboxEntry,
) -> Result<Option<InboxContent>> {
    if entry.kind != OutboxKind::Commit {
        outbox::remove(provider.storage(), &entry.id)?;
        return Ok(None);
    }
    let changes = commits::merge_pending(provider, group)?;
    Ok(Some(InboxContent::Commit {
        own: true,
        sender: groups::member_at(group, group.own_leaf_index()),
        epoch: group.epoch().as_u64(),
        added: changes.added,
        removed: changes.removed,
        self_removed: false,
        superseded: None,
    }))
}

fn handed_over(processed: ProcessedContent) -> Option<InboxContent> {
    Some(match processed {
        ProcessedContent::Message {
            sender,
            epoch,
            plaintext,
            authenticated_data,
        } => InboxContent::Message {
            sender,
            epoch,
            plaintext,
            authenticated_data,
        },
        ProcessedContent::Proposal { sender, epoch } => InboxContent::Proposal { sender, epoch },
        ProcessedContent::Commit {
            sender,
            epoch,
            added,
            removed,
            self_removed,
            superseded,
        } => InboxContent::Commit {
            own: false,
            sender,
            epoch,
            added,
            removed,
            self_removed,
            superseded,
        },
        ProcessedContent::OwnMessage => return None,
    })
}

/// Writes the item and moves the cursor; to be called inside a savepoint.
pub(super) fn finish(
    provider: &Provider,
    group_id: &[u8],
    delivered: &Delivered<'_>,
    item: Option<InboxItem>,
) -> Result<Option<InboxItem>> {
    let storage = provider.storage();
    if let Some(position) = delivered.position {
        put_cursor(storage, group_id, position)?;
    }
    if let Some(item) = &item {
        inbox::put(storage, item)?;
    }
    Ok(item)
}

/// Writes the item of a Welcome and moves the cursor; to be called inside a savepoint.
fn finish_welcome(provider: &Provider, position: Option<u64>, item: &InboxItem) -> Result<()> {
    if let Some(position) = position {
        provider
            .storage()
            .put(Category::WelcomeCursor, SINGLETON, &position)?;
    }
    inbox::put(provider.storage(), item)
}

pub(super) fn put_cursor(storage: &GranularStorage, group_id: &[u8], position: u64) -> Result<()> {
    Ok(storage.put(
        Category::DeliveryCursor,
        &key::bytes_key(group_id),
        &position,
    )?)
}
