//! Joining by external commit (RFC 9420 §12.4.3.2): nobody has to be online to let this client in.
//! A client that is in the group already, but out of step with it, comes back the same way: its old
//! leaf is removed by the same commit.
//!
//! OpenMLS writes the group as if its commit had been accepted. But the delivery service may refuse
//! it, because another commit was first, and then the state before must be there. So the commit is
//! made beside the store, and all that comes of it is kept in one record until the answer is known:
//!
//! - it comes back in the log ([`receive_message`](MlsClient::receive_message)), or the app says so
//!   ([`accept_external_join`](MlsClient::accept_external_join)): the record becomes the group, in
//!   the place of what there was of it;
//! - it is refused ([`reject_commit`](MlsClient::reject_commit)): the record is deleted.
//!
//! Either is one batch (G2), and neither leaves anything behind (G7).
//!
//! What the log holds before the commit was written for those who were in the group. A group that is
//! stored reads of it what it can, as always; all else is passed over and leaves no trace, so that
//! after a refusal everything is as it was. What belongs to a later epoch than the one that the commit
//! ends is refused with `future-epoch`: in the order of the log, this commit or another comes first.
//! Without positions there is no order: what the stored group has not reached is kept as early.
//!
//! A stored group that has reached the epoch of the commit must have read everything before it; one
//! that is behind is given up, and a gap in what it has read does not matter any more.

use std::ops::ControlFlow;

use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::{MlsGroup, ProtocolMessage};
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    capabilities,
    delivery::{self, Delivered},
    external_commit::{ExternalCommit, ExternalJoin, ExternalJoinInfo},
    group_info,
    inbox::{InboxContent, InboxItem},
    incoming::Processed,
    inert,
    outbox::{self, OutboxEntry, OutboxKind},
    own_leaf,
    pending_join::{self, PendingJoin},
    provider::Provider,
    ClientError, GroupSettings, MlsClient, Result,
};

impl MlsClient {
    /// Makes the commit by which this client joins the group of `group_info` (an MLSMessage), or
    /// joins it anew. The client is a member when the delivery service has accepted it; until then
    /// the outbox entry is all that there is of it, and a group of that id stays as it is.
    ///
    /// The entry names nobody as added or removed: it adds its sender, and removes at most its
    /// sender's old leaf and those who asked for it. (The old leaf is known by its signature key. One
    /// with a key that is not here any more stays: remove it afterwards.)
    ///
    /// # Errors
    /// `no-identity`, `malformed-message`, `wrong-kind`; `ratchet-tree-missing` if nobody brings the
    /// tree; `invalid-group-info` (signature, tree, no external public key, …);
    /// `invalid-message` for a SelfRemove proposal that is not valid there;
    /// `unsupported-ciphersuite` for one that this client's signature key does not fit;
    /// `unknown-psk`, `duplicate-id`; `invalid-argument` for settings that cannot be; `pending-commit` while another commit of this client to that
    /// group waits; `commit-rejected` if the group does not admit this client.
    pub fn join_by_external_commit(
        &mut self,
        group_info: &[u8],
        join: &ExternalJoin,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let id = self.new_entry_id(id)?;
        let info = group_info::parse(group_info)?;
        let group_id = info.group_id().to_vec();
        let epoch = info.epoch().as_u64();
        if outbox::pending_commit(self.storage(), &group_id)?.is_some() {
            return Err(ClientError::PendingCommit);
        }
        let made = self.make_external_commit(info, join)?;
        let sequence = self.next_sequence()?;
        let entry = OutboxEntry {
            id: id.clone(),
            sequence,
            kind: OutboxKind::Commit,
            group_id: group_id.clone(),
            epoch,
            bytes: Some(
                made.message
                    .tls_serialize_detached()
                    .map_err(ClientError::internal)?,
            ),
            plaintext: None,
            welcome: None,
            added: vec![],
            removed: vec![],
            former: vec![],
            authenticated_data: join.authenticated_data.clone(),
            proposal_reference: None,
        };
        let pending = PendingJoin::new(&entry, &made)?;
        self.atomically(|provider| {
            outbox::add(provider.storage(), &entry)?;
            pending.put(provider.storage(), &group_id)
        })?;
        Ok(entry)
    }

    /// What the group of `group_info` would be if this client joined it now: everything is verified as
    /// for joining, and nothing changes.
    ///
    /// # Errors
    /// Those of [`join_by_external_commit`](Self::join_by_external_commit).
    pub fn inspect_external_join(
        &mut self,
        group_info: &[u8],
        join: &ExternalJoin,
    ) -> Result<ExternalJoinInfo> {
        self.make_external_commit(group_info::parse(group_info)?, join)?
            .info()
    }

    /// The delivery service accepted the external commit with this id: for an app whose delivery
    /// service does not give it back. Where it does, [`receive_message`](Self::receive_message) and
    /// [`process_message`](Self::process_message) do this.
    /// Returns the group id.
    ///
    /// # Errors
    /// `unknown-outbox-entry`; `wrong-kind` for an entry that is no external commit.
    pub fn accept_external_join(&mut self, id: &str) -> Result<Vec<u8>> {
        let entry = self.outbox_entry(id)?;
        let join = pending_join::of_entry(self.storage(), &entry)?.ok_or(
            ClientError::WrongKind("the outbox entry is no external commit"),
        )?;
        self.atomically(|provider| pending_join::accept(provider, &entry.group_id, &join))?;
        self.groups.remove(&entry.group_id);
        self.process_early(&entry.group_id);
        Ok(entry.group_id)
    }

    /// What an own external commit that came back does, if `own` is one.
    pub(super) fn own_join(&self, own: Option<&OutboxEntry>) -> Result<Option<Processed>> {
        let Some(entry) = own else {
            return Ok(None);
        };
        Ok(
            pending_join::of_entry(self.storage(), entry)?.map(|join| Processed {
                group_id: entry.group_id.clone(),
                group_epoch: join.epoch,
                content: InboxContent::Joined {
                    epoch: join.epoch.saturating_add(1),
                },
                credentials: vec![],
            }),
        )
    }

    fn make_external_commit(
        &mut self,
        info: VerifiableGroupInfo,
        join: &ExternalJoin,
    ) -> Result<ExternalCommit> {
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let group_id = info.group_id().as_slice();
        let old = pending_join::stored(&self.provider, group_id)?;
        let inert = inert::get(self.storage(), group_id)?;
        // Whoever is in the group joins it anew as what its leaf says: by the signature key of the
        // leaf it is known which one the commit removes.
        let in_group = match (&old, &inert) {
            (Some(group), _) => own_leaf::identity_in(&self.provider, identity, group)?,
            (None, Some(inert)) => inert.identity(&self.provider, identity)?,
            (None, None) => None,
        };
        let identity = in_group.as_ref().unwrap_or(identity);
        let leaf = match (&old, &inert) {
            (Some(group), _) => group.own_leaf_node(),
            (None, Some(inert)) => inert.leaf.as_ref(),
            (None, None) => None,
        };
        let app = match &join.capabilities {
            Some(app) => app.clone(),
            None => own_leaf::app_capabilities(leaf, &self.capabilities),
        };
        let capabilities = capabilities::own(&self.provider, &app);
        let settings = match &join.settings {
            Some(settings) => settings.clone(),
            None if old.is_some() || inert.is_some() => {
                GroupSettings::of(self.storage(), group_id)?
            }
            None => self.settings.clone(),
        };
        ExternalCommit::new(
            self.storage(),
            identity,
            capabilities,
            &settings,
            info,
            join,
        )
    }

    /// Receives an entry of the log of a group that this client is about to join. `Continue` if the
    /// group that is stored is to receive it as it does any other.
    pub(super) fn receive_while_joining(
        &mut self,
        delivered: &Delivered<'_>,
        message: &ProtocolMessage,
    ) -> Result<ControlFlow<Option<InboxItem>>> {
        let group_id = message.group_id().as_slice();
        let Some(join) = pending_join::get(self.storage(), group_id)? else {
            return Ok(ControlFlow::Continue(()));
        };
        let own = self.own_entry(delivered.bytes, delivered.id)?;
        let is_own = own.is_some_and(|entry| entry.id == join.entry_id);
        let epoch = message.epoch().as_u64();
        let cursor = self.delivery_cursor(group_id)?;
        let active = active_epoch(&self.provider, group_id)?;
        match active {
            Some(group) if group >= join.epoch && !is_own => {
                return Ok(ControlFlow::Continue(()));
            }
            // What lies between would be lost with the keys for it.
            Some(group)
                if group >= join.epoch && delivery::is_duplicate(cursor, delivered.position)? =>
            {
                return Ok(ControlFlow::Break(None));
            }
            Some(group) if !is_own && epoch <= group && follows(cursor, delivered.position) => {
                return Ok(ControlFlow::Continue(()));
            }
            _ => {}
        }
        if is_own {
            let item = self.receive_own_join(delivered, group_id, &join)?;
            return Ok(ControlFlow::Break(item));
        }
        // Without positions, what the stored group has not reached may have overtaken what it has
        // not read, and it is to be read if the join is refused.
        let reached = match active {
            Some(group) if delivered.position.is_none() => group,
            _ => join.epoch,
        };
        if epoch > reached {
            return Err(ClientError::FutureEpoch {
                message: epoch,
                group: reached,
            });
        }
        Ok(ControlFlow::Break(None))
    }

    fn receive_own_join(
        &mut self,
        delivered: &Delivered<'_>,
        group_id: &[u8],
        join: &PendingJoin,
    ) -> Result<Option<InboxItem>> {
        let arrival = self.arrival_at(group_id.to_vec(), delivered)?;
        let content = InboxContent::Joined {
            epoch: join.epoch.saturating_add(1),
        };
        let received = self.atomically(|provider| {
            pending_join::accept(provider, group_id, join)?;
            arrival.hand_over(provider, content)
        })?;
        self.groups.remove(group_id);
        Ok(received)
    }
}

/// The epoch of a group that is stored and that this client is in, as far as it knows.
fn active_epoch(provider: &Provider, group_id: &[u8]) -> Result<Option<u64>> {
    let group = pending_join::stored(provider, group_id)?.filter(MlsGroup::is_active);
    Ok(group.map(|group| group.epoch().as_u64()))
}

/// Whether the group is to look at the entry at `position`: not before, and nothing left out.
fn follows(cursor: Option<u64>, position: Option<u64>) -> bool {
    match (cursor, position) {
        (Some(cursor), Some(position)) => position == cursor.saturating_add(1),
        _ => true,
    }
}
