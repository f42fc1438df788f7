//! Receiving Welcomes from a delivery service: as for messages (see `delivery`), in a log of their own.

use openmls_traits::OpenMlsProvider;

use super::{
    delivery::{self, Arrival},
    inbox::{self, InboxContent, InboxItem},
    incoming,
    provider::Provider,
    settled, welcome, ClientError, MlsClient, Result,
};
use crate::storage::{key::SINGLETON, Category};

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

impl MlsClient {
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
        let savepoint = self.provider.storage().savepoint()?;
        let joined = welcome::join(
            &self.provider,
            &self.settings,
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
                delivery::put_cursor(self.provider.storage(), &item.group_id, position)?;
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
        match self.inspect_welcome(delivered.bytes, delivered.ratchet_tree) {
            Ok(info) => arrival.group_id = info.group_id,
            Err(error @ ClientError::Storage(_)) => return Err(error),
            Err(_) => {}
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
        let item = arrival.item(delivery::failed(code));
        self.atomically(|provider| finish_welcome(provider, delivered.position, &item))?;
        Ok(Some(item))
    }

    /// Passes over a Welcome that [`receive_welcome`](Self::receive_welcome) keeps refusing with
    /// `group-exists` although the group's log has been read to its end: nobody removed this client,
    /// so the Welcome is not for the group it names.
    ///
    /// # Errors
    /// `position-gap`. A position that was processed already is no error.
    pub fn skip_welcome(&mut self, position: u64) -> Result<()> {
        let cursor = self.welcome_cursor()?.unwrap_or(0);
        if delivery::is_duplicate(Some(cursor), Some(position))? {
            return Ok(());
        }
        self.atomically(|provider| {
            let storage = provider.storage();
            Ok(storage.put(Category::WelcomeCursor, SINGLETON, &position)?)
        })
    }

    /// The position up to which this client's Welcomes have been processed.
    pub fn welcome_cursor(&self) -> Result<Option<u64>> {
        Ok(self.storage().get(Category::WelcomeCursor, SINGLETON)?)
    }

    /// `None` for a Welcome of a position that has been processed. The group is not known yet.
    fn welcome_arrival(&mut self, delivered: &DeliveredWelcome<'_>) -> Result<Option<Arrival>> {
        // A client's Welcomes begin at position 1.
        let cursor = self.welcome_cursor()?.unwrap_or(0);
        if delivery::is_duplicate(Some(cursor), delivered.position)? {
            return Ok(None);
        }
        let position = delivered.group_position;
        self.new_arrival(delivered.bytes, delivered.id, vec![], position)
            .map(Some)
    }
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
