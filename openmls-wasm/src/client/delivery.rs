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
    settled, welcome, MlsClient, Result,
};
use crate::storage::{key, key::SINGLETON, Category, GranularStorage};

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

/// A Welcome as a delivery service hands it out.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveredWelcome<'a> {
    /// The MLSMessage.
    pub bytes: &'a [u8],
    /// The id it was uploaded under.
    pub id: Option<&'a str>,
    /// Its position among the Welcomes of this client: that of the one before it plus one.
    pub position: Option<u64>,
    /// The position of its commit in the log of the group: what comes after is for this client.
    pub group_position: Option<u64>,
    /// The ratchet tree (RFC 9420 §12.4.3.3, TLS encoded), if the Welcome does not carry it.
    pub ratchet_tree: Option<&'a [u8]>,
    /// The epoch that inspecting it told ([`WelcomeInfo::epoch`](super::WelcomeInfo)): one that
    /// leads to another is refused with `epoch-changed`.
    pub inspected_epoch: Option<u64>,
}

/// Something delivered that was not received before, and what its item will be called.
pub(super) struct Arrival {
    id: String,
    sequence: u64,
    group_id: Vec<u8>,
    position: Option<u64>,
}

impl Arrival {
    fn item(&self, content: InboxContent) -> InboxItem {
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

    /// Receives a Welcome: joins its group. Returns the item `Joined` (or `Failed`, for a Welcome
    /// that can never be joined), or `None` for a duplicate.
    ///
    /// # Errors
    /// `position-gap` (fetch the Welcomes before it first); `group-exists` while this client is still
    /// in the group (read its log up to the removal first, then try again); `ratchet-tree-missing`
    /// (try again with the tree); `epoch-changed` (inspect it again); storage errors.
    pub fn receive_welcome(
        &mut self,
        delivered: DeliveredWelcome<'_>,
    ) -> Result<Option<InboxItem>> {
        let Some(mut arrival) = self.welcome_arrival(&delivered)? else {
            return Ok(None);
        };
        let config = self.settings.join_config()?;
        let savepoint = self.provider.storage().savepoint()?;
        let joined = welcome::join(
            &self.provider,
            &config,
            delivered.bytes,
            delivered.ratchet_tree,
        )
        .and_then(|group| {
            incoming::check_epoch(&group, delivered.inspected_epoch)?;
            arrival.group_id = group.group_id().to_vec();
            let item = arrival.item(InboxContent::Joined {
                epoch: group.epoch().as_u64(),
            });
            if let Some(position) = delivered.group_position {
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
                arrival.group_id = vec![];
                self.give_up_welcome(&delivered, &arrival, error.code())
            }
            Err(error) => Err(error),
        }
    }

    /// The app refuses a Welcome that it has inspected: the cursor moves past it and an item `Failed`
    /// with the code `credential-rejected` is written; nothing else changes. Returns that item, or
    /// `None` for a duplicate.
    ///
    /// The key package stays: a Welcome that was refused has used up no key. Whoever sent it may send
    /// another for it; delete it ([`delete_key_packages`](Self::delete_key_packages)) to prevent that.
    ///
    /// # Errors
    /// `position-gap`, storage errors.
    pub fn reject_welcome(&mut self, delivered: DeliveredWelcome<'_>) -> Result<Option<InboxItem>> {
        let Some(mut arrival) = self.welcome_arrival(&delivered)? else {
            return Ok(None);
        };
        if let Ok(info) = self.inspect_welcome(delivered.bytes, delivered.ratchet_tree) {
            arrival.group_id = info.group_id;
        }
        let code = ClientError::CredentialRejected.code();
        self.give_up_welcome(&delivered, &arrival, code)
    }

    fn give_up_welcome(
        &mut self,
        delivered: &DeliveredWelcome<'_>,
        arrival: &Arrival,
        code: &str,
    ) -> Result<Option<InboxItem>> {
        let item = arrival.item(failed(code));
        self.atomically(|provider| finish_welcome(provider, delivered.position, &item))?;
        Ok(Some(item))
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

    /// `None` for a Welcome of a position that has been processed. The group is not known yet.
    fn welcome_arrival(&mut self, delivered: &DeliveredWelcome<'_>) -> Result<Option<Arrival>> {
        // A client's Welcomes begin at position 1.
        let cursor = self.welcome_cursor()?.unwrap_or(0);
        if is_duplicate(Some(cursor), delivered.position)? {
            return Ok(None);
        }
        let position = delivered.group_position;
        self.new_arrival(delivered.bytes, delivered.id, vec![], position)
            .map(Some)
    }

    fn new_arrival(
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

fn failed(code: &str) -> InboxContent {
    InboxContent::Failed { code: code.into() }
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
