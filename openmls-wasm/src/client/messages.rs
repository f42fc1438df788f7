//! Messages that go out: encrypt (RFC 9420 §6, §15).

use openmls::prelude::MlsGroup;
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    commits,
    identity::LoadedIdentity,
    inbox::{self, InboxContent, InboxItem},
    outbox::{self, OutboxEntry, OutboxKind},
    provider::Provider,
    witness, ClientError, MlsClient, Result,
};

impl MlsClient {
    /// Encrypts an application message; nothing but the ratchet is stored. An app that wants the
    /// message to survive a crash before it is uploaded uses [`send_message`](Self::send_message).
    ///
    /// # Errors
    /// `pending-proposals`, `group-inactive`, `group-not-found`.
    pub fn encrypt_message(&mut self, group_id: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        self.encrypt_message_with(group_id, plaintext, &[])
    }

    /// Encrypts like [`encrypt_message`](Self::encrypt_message). `authenticated_data` travels with
    /// the message in the clear, and whoever reads the message knows that it is the sender's
    /// (RFC 9420 §6.3).
    ///
    /// # Errors
    /// Those of [`encrypt_message`](Self::encrypt_message).
    pub fn encrypt_message_with(
        &mut self,
        group_id: &[u8],
        plaintext: &[u8],
        authenticated_data: &[u8],
    ) -> Result<Vec<u8>> {
        self.with_group(group_id, |provider, identity, group| {
            encrypt(provider, identity, group, plaintext, authenticated_data)
        })
    }

    /// Encrypts an application message and puts it into the outbox; its plaintext goes to the inbox
    /// as `Sent`, because it cannot be decrypted again. While proposals are pending, the entry
    /// waits without bytes: commit them, then [`renew_outbox`](Self::renew_outbox).
    ///
    /// # Errors
    /// `group-inactive`, `leave-pending`, `group-not-found`, `duplicate-id`.
    pub fn send_message(
        &mut self,
        group_id: &[u8],
        plaintext: &[u8],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        self.send_message_with(group_id, plaintext, &[], id)
    }

    /// Sends like [`send_message`](Self::send_message), with `authenticated_data` in the clear as in
    /// [`encrypt_message_with`](Self::encrypt_message_with).
    ///
    /// # Errors
    /// Those of [`send_message`](Self::send_message).
    pub fn send_message_with(
        &mut self,
        group_id: &[u8],
        plaintext: &[u8],
        authenticated_data: &[u8],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let id = self.new_entry_id(id)?;
        let sequence = self.next_sequence()?;
        let item_sequence = self.next_sequence()?;
        self.with_group(group_id, |provider, identity, group| {
            let bytes =
                encrypt_if_possible(provider, identity, group, plaintext, authenticated_data)?;
            let epoch = group.epoch().as_u64();
            let entry = OutboxEntry {
                id: id.clone(),
                sequence,
                kind: OutboxKind::Message,
                group_id: group_id.to_vec(),
                epoch,
                bytes,
                plaintext: Some(plaintext.to_vec()),
                authenticated_data: authenticated_data.to_vec(),
                proposal_reference: None,
                welcome: None,
                added: vec![],
                removed: vec![],
                former: vec![],
            };
            outbox::add(provider.storage(), &entry)?;
            inbox::put(
                provider.storage(),
                &InboxItem {
                    id,
                    sequence: item_sequence,
                    group_id: group_id.to_vec(),
                    position: None,
                    content: InboxContent::Sent {
                        epoch,
                        plaintext: plaintext.to_vec(),
                    },
                },
            )?;
            Ok(entry)
        })
    }

    /// Encrypts a message of the outbox anew, in the present epoch and under the same id. Only for
    /// one that the delivery service refused because its epoch was over, or that waited for
    /// pending proposals: one that was accepted would be received twice.
    ///
    /// # Errors
    /// `unknown-outbox-entry`, `wrong-kind` for an entry that is no message, `group-inactive`,
    /// `leave-pending`.
    pub fn renew_outbox(&mut self, id: &str) -> Result<OutboxEntry> {
        let mut entry = self.outbox_entry(id)?;
        let (OutboxKind::Message, Some(plaintext)) = (entry.kind, entry.plaintext.clone()) else {
            return Err(ClientError::WrongKind("the outbox entry is no message"));
        };
        let group_id = entry.group_id.clone();
        self.with_group(&group_id, |provider, identity, group| {
            let authenticated_data = &entry.authenticated_data;
            if witness::is_watched(provider.storage(), &entry.group_id)? {
                let former = entry.bytes.iter();
                let former = former.map(|bytes| witness::hash_of(Some(bytes)));
                entry.former.extend(former);
            }
            entry.bytes =
                encrypt_if_possible(provider, identity, group, &plaintext, authenticated_data)?;
            entry.epoch = group.epoch().as_u64();
            outbox::put(provider.storage(), &entry)?;
            Ok(entry)
        })
    }
}

fn encrypt(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    plaintext: &[u8],
    authenticated_data: &[u8],
) -> Result<Vec<u8>> {
    witness::check(provider.storage(), group.group_id().as_slice())?;
    group.set_aad(authenticated_data.to_vec());
    group
        .create_message(provider, &identity.signer, plaintext)?
        .tls_serialize_detached()
        .map_err(ClientError::internal)
}

fn encrypt_if_possible(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    plaintext: &[u8],
    authenticated_data: &[u8],
) -> Result<Option<Vec<u8>>> {
    if !group.is_active() {
        return Err(ClientError::GroupInactive);
    }
    if commits::is_leaving(group) {
        return Err(ClientError::LeavePending);
    }
    witness::check(provider.storage(), group.group_id().as_slice())?;
    if group.has_pending_proposals() {
        return Ok(None);
    }
    encrypt(provider, identity, group, plaintext, authenticated_data).map(Some)
}
