//! Receiving from a delivery service: what a message produced, the position up to which the log has
//! been processed, and the keys the message used up are one batch (G2, G10).
//!
//! A message is identified by its position in the group's log: one that was processed before is a
//! duplicate, whatever its bytes, and one that leaves a gap is refused. So a crash between the batch
//! and the delivery service's hearing of it cannot make a message appear twice, and a message that
//! overtakes another cannot make that one disappear.

use std::ops::ControlFlow;

use openmls::prelude::ProtocolMessage;
use openmls_traits::OpenMlsProvider;

use super::{
    early::{self, Header},
    error::ClientError,
    inbox::{self, InboxContent, InboxItem},
    incoming, outbox,
    provider::Provider,
    witness, MlsClient, Result,
};
use crate::storage::{key, Category, GranularStorage};

/// A message as a delivery service hands it out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered<'a> {
    /// The MLSMessage.
    pub bytes: &'a [u8],
    /// The id it was uploaded under; without one, the position or the content names it.
    pub id: Option<&'a str>,
    /// Its position in the log of its group: that of the message before it plus one.
    pub position: Option<u64>,
    /// The epoch in which it was inspected ([`Processed::group_epoch`](super::Processed)): it is
    /// refused with `epoch-changed` in any other.
    pub inspected_epoch: Option<u64>,
}

/// Something delivered that was not received before, and what its item will be called.
pub(super) struct Arrival {
    id: String,
    sequence: u64,
    pub(super) group_id: Vec<u8>,
    position: Option<u64>,
}

impl Arrival {
    pub(super) fn item(&self, content: InboxContent) -> InboxItem {
        InboxItem {
            id: self.id.clone(),
            sequence: self.sequence,
            group_id: self.group_id.clone(),
            position: self.position,
            content,
        }
    }

    /// Moves the cursor and writes the item, unless it is an own message that came back; to be called
    /// inside a savepoint.
    pub(super) fn hand_over(
        &self,
        provider: &Provider,
        content: InboxContent,
    ) -> Result<Option<InboxItem>> {
        let storage = provider.storage();
        if let Some(position) = self.position {
            put_cursor(storage, &self.group_id, position)?;
        }
        if content == InboxContent::OwnMessage {
            return Ok(None);
        }
        let item = self.item(content);
        inbox::put(storage, &item)?;
        Ok(Some(item))
    }
}

impl MlsClient {
    /// Receives a message: processes it and writes what it produced into the inbox. Returns that
    /// item, or `None` for a duplicate, for an own message that came back, and for a message of an
    /// epoch that was not reached yet: without a position it is kept, and processed in that epoch
    /// (see [`take_early_items`](Self::take_early_items)).
    ///
    /// An own commit that comes back is merged: now the group has accepted it, and everything
    /// ordered before it has been processed. A message that will never be processed (it does not
    /// decrypt, its epoch is over, …) becomes an item `Failed`, so that one bad message does not
    /// hold up those behind it.
    ///
    /// # Errors
    /// `group-not-found`, `malformed-message`, `position-gap`; `future-epoch` with a position (fetch
    /// what lies between and try again) and `too-many-early-messages` without one; `epoch-changed`
    /// (inspect it again); storage errors.
    pub fn receive_message(&mut self, delivered: Delivered<'_>) -> Result<Option<InboxItem>> {
        // Without a header there is no group whose cursor could move on: that is an error.
        let message = incoming::parse(delivered.bytes)?;
        let header = Header::of(&message);
        let received = match self.receive_one(&delivered, message, &header) {
            Err(ClientError::FutureEpoch { .. }) if delivered.position.is_none() => {
                self.keep_early(&header, &delivered)?;
                None
            }
            received => received?,
        };
        self.process_early(&header.group_id);
        Ok(received)
    }

    /// Receives a message, and not yet those that waited for its effect.
    pub(super) fn receive_one(
        &mut self,
        delivered: &Delivered<'_>,
        message: ProtocolMessage,
        header: &Header,
    ) -> Result<Option<InboxItem>> {
        if let ControlFlow::Break(item) = self.receive_while_joining(delivered, &message)? {
            return Ok(item);
        }
        let Some(arrival) = self.arrival(header.group_id.clone(), delivered)? else {
            return Ok(None);
        };
        let own = self.own_entry(delivered.bytes, delivered.id)?;
        let former = witness::former_entry(self.storage(), delivered.bytes, delivered.id)?;
        if let Some(entry) = former.filter(|entry| entry.group_id == arrival.group_id) {
            return self.atomically(|provider| {
                witness::accepted_formerly(provider.storage(), &entry, delivered.bytes)?;
                arrival.hand_over(provider, InboxContent::OwnMessage)
            });
        }
        let attempt = self.with_group(&arrival.group_id, |provider, _, group| {
            incoming::check_epoch(group, delivered.inspected_epoch)?;
            let processed = incoming::handle(provider, group, message, own.as_ref())?;
            early::forget(provider, header, delivered.bytes)?;
            arrival.hand_over(provider, processed.content)
        });
        match attempt {
            Err(error) if error.is_permanent_for_message() => self.atomically(|provider| {
                early::forget(provider, header, delivered.bytes)?;
                arrival.hand_over(provider, failed(error.code()))
            }),
            other => other,
        }
    }

    /// The app refuses a message that it has inspected: the cursor moves past it and an item
    /// `Failed` with the code `credential-rejected` is written; nothing else changes. Returns that
    /// item, or `None` for a duplicate.
    ///
    /// A member that refuses a commit which the others accept does not follow them into the next
    /// epoch: what comes behind it in the log ends in `future-epoch`. It can only leave the group to
    /// them ([`delete_group`](Self::delete_group)), or join it again by a Welcome or an external commit.
    ///
    /// # Errors
    /// `wrong-kind` for an own message; `malformed-message`, `group-not-found`, `position-gap`,
    /// `epoch-changed`, storage errors.
    pub fn reject_message(&mut self, delivered: Delivered<'_>) -> Result<Option<InboxItem>> {
        let header = Header::of(&incoming::parse(delivered.bytes)?);
        let Some(arrival) = self.arrival(header.group_id.clone(), &delivered)? else {
            return Ok(None);
        };
        if self.own_entry(delivered.bytes, delivered.id)?.is_some() {
            return Err(ClientError::WrongKind("an own message cannot be refused"));
        }
        self.with_group(&arrival.group_id, |provider, _, group| {
            incoming::check_epoch(group, delivered.inspected_epoch)?;
            early::forget(provider, &header, delivered.bytes)?;
            arrival.hand_over(provider, failed(ClientError::CredentialRejected.code()))
        })
    }

    /// `None` for a message of a position that has been processed.
    fn arrival(&mut self, group_id: Vec<u8>, delivered: &Delivered<'_>) -> Result<Option<Arrival>> {
        if is_duplicate(self.delivery_cursor(&group_id)?, delivered.position)? {
            return Ok(None);
        }
        self.arrival_at(group_id, delivered).map(Some)
    }

    /// Takes a message as not received before.
    pub(super) fn arrival_at(
        &mut self,
        group_id: Vec<u8>,
        delivered: &Delivered<'_>,
    ) -> Result<Arrival> {
        self.new_arrival(delivered.bytes, delivered.id, group_id, delivered.position)
    }

    pub(super) fn new_arrival(
        &mut self,
        bytes: &[u8],
        id: Option<&str>,
        group_id: Vec<u8>,
        position: Option<u64>,
    ) -> Result<Arrival> {
        let sequence = self.next_sequence()?;
        Ok(Arrival {
            id: self.item_id(bytes, id, sequence)?,
            sequence,
            group_id,
            position,
        })
    }

    /// The position up to which the group's log has been processed.
    pub fn delivery_cursor(&self, group_id: &[u8]) -> Result<Option<u64>> {
        Ok(self
            .storage()
            .get(Category::DeliveryCursor, &key::bytes_key(group_id))?)
    }

    /// The id of the item: that of the delivery service, unless another item has it, which the app
    /// has not saved yet and must not lose.
    fn item_id(&self, bytes: &[u8], id: Option<&str>, sequence: u64) -> Result<String> {
        let is_free = |id: &str| {
            let taken = self
                .storage()
                .contains(Category::Inbox, &outbox::record_key(id));
            taken.map(|taken| !taken)
        };
        if let Some(id) = id {
            if is_free(id)? {
                return Ok(id.into());
            }
        }
        let id = early::digest(&self.provider, bytes)?;
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

pub(super) fn failed(code: &str) -> InboxContent {
    InboxContent::Failed { code: code.into() }
}

pub(super) fn put_cursor(storage: &GranularStorage, group_id: &[u8], position: u64) -> Result<()> {
    Ok(storage.put(
        Category::DeliveryCursor,
        &key::bytes_key(group_id),
        &position,
    )?)
}
