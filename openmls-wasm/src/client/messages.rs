//! Messages: encrypt, and process whatever comes in (RFC 9420 §6 and §15).

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::prelude::{
    ContentType, MlsGroup, MlsMessageIn, ProcessMessageError, ProcessedMessageContent,
    ProtocolMessage, Sender, StagedCommit, ValidationError,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::{DeserializeBytes as _, Serialize as _};

use super::{
    commits::{self, Changes},
    groups,
    identity::LoadedIdentity,
    inbox::{self, InboxContent, InboxItem},
    outbox::{self, OutboxEntry, OutboxKind, Party},
    own_leaf,
    provider::Provider,
    ClientError, Member, MlsClient, Result,
};

/// What a message turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// The group it belongs to.
    pub group_id: Vec<u8>,
    /// What it is.
    pub content: ProcessedContent,
}

/// The kinds of messages that can be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessedContent {
    /// An application message.
    Message {
        /// Who sent it.
        sender: Member,
        /// The epoch it was sent in.
        epoch: u64,
        /// The decrypted content.
        plaintext: Vec<u8>,
        /// The authenticated data that travelled in the clear.
        authenticated_data: Vec<u8>,
    },
    /// A proposal: it is stored and waits for a commit.
    Proposal {
        /// Who proposed.
        sender: Member,
        /// The epoch.
        epoch: u64,
    },
    /// A commit: it is merged.
    Commit {
        /// Who committed.
        sender: Option<Member>,
        /// The epoch it leads to.
        epoch: u64,
        /// Whom it added.
        added: Vec<Party>,
        /// Whom it removed.
        removed: Vec<Member>,
        /// Whether it removed this client.
        self_removed: bool,
        /// The own commit that lost against it, if there was one.
        superseded: Option<String>,
    },
    /// An own message that came back: nobody can decrypt its own messages.
    OwnMessage,
}

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
            entry.bytes =
                encrypt_if_possible(provider, identity, group, &plaintext, authenticated_data)?;
            entry.epoch = group.epoch().as_u64();
            outbox::put(provider.storage(), &entry)?;
            Ok(entry)
        })
    }

    /// Processes a message that came in (an MLSMessage): decrypts, stores a proposal, merges a
    /// commit, as one operation. If it fails, no key is used up.
    ///
    /// # Errors
    /// `malformed-message`, `wrong-kind`, `group-not-found`, `group-inactive`, `past-epoch`,
    /// `future-epoch`, `duplicate-message`, `too-far-out-of-order`, `undecryptable`,
    /// `invalid-message`.
    pub fn process_message(&mut self, bytes: &[u8]) -> Result<Processed> {
        let message = parse(bytes)?;
        let group_id = message.group_id().to_vec();
        let content = self.with_group(&group_id, |provider, _, group| {
            process(provider, group, message)
        })?;
        Ok(Processed { group_id, content })
    }
}

fn encrypt(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    plaintext: &[u8],
    authenticated_data: &[u8],
) -> Result<Vec<u8>> {
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
    if group.has_pending_proposals() {
        return Ok(None);
    }
    encrypt(provider, identity, group, plaintext, authenticated_data).map(Some)
}

/// Parses a message of a group: its header is all that is looked at.
pub(super) fn parse(bytes: &[u8]) -> Result<ProtocolMessage> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .map_err(|_| ClientError::MalformedMessage)?
        .try_into_protocol_message()
        .map_err(|_| ClientError::WrongKind("not a message of a group"))
}

/// Processes a message; to be called inside a savepoint.
pub(super) fn process(
    provider: &Provider,
    group: &mut MlsGroup,
    message: ProtocolMessage,
) -> Result<ProcessedContent> {
    if !group.is_active() {
        return Err(ClientError::GroupInactive);
    }
    let epochs = (message.epoch().as_u64(), group.epoch().as_u64());
    let (message_epoch, group_epoch) = epochs;
    if message_epoch > group_epoch {
        return Err(ClientError::FutureEpoch {
            message: message_epoch,
            group: group_epoch,
        });
    }
    // Of a past epoch, only application messages can be read, and only while its secrets are kept.
    let past_epoch = ClientError::PastEpoch {
        message: message_epoch,
        group: group_epoch,
    };
    let is_past = message_epoch < group_epoch;
    if is_past && message.content_type() != ContentType::Application {
        return Err(past_epoch);
    }
    let content_type = message.content_type();
    let processed = match group.process_message(provider, message) {
        Err(ProcessMessageError::ValidationError(
            ValidationError::NoPastEpochData
            | ValidationError::UnableToDecrypt(MessageDecryptionError::SecretTreeError(
                SecretTreeError::TooDistantInThePast,
            )),
        )) if is_past => return Err(past_epoch),
        processed => processed?,
    };
    let sender = match processed.sender() {
        Sender::Member(index) => groups::member_at(group, *index),
        _ => None,
    };
    let authenticated_data = processed.aad().to_vec();
    let epoch = epochs.0;
    match processed.into_content() {
        ProcessedMessageContent::ApplicationMessage(message) => Ok(ProcessedContent::Message {
            sender: known(sender)?,
            epoch,
            plaintext: message.into_bytes(),
            authenticated_data,
        }),
        ProcessedMessageContent::ProposalMessage(proposal)
        | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
            group.store_pending_proposal(provider.storage(), *proposal)?;
            // While a proposal asks for a key that is not here, no commit can be made.
            if group
                .commit_builder()
                .load_psks(provider.storage())
                .is_err()
            {
                return Err(ClientError::InvalidMessage(
                    "a proposal asks for a pre-shared key that is not stored here".into(),
                ));
            }
            Ok(ProcessedContent::Proposal {
                sender: known(sender)?,
                epoch,
            })
        }
        ProcessedMessageContent::StagedCommitMessage(staged) => {
            merge(provider, group, *staged, sender)
        }
        ProcessedMessageContent::OwnPrivateMessage if content_type == ContentType::Commit => {
            // Whoever merged it first is in the next epoch and was caught above.
            Err(ClientError::InvalidMessage(
                "a commit of this client that is not pending".into(),
            ))
        }
        ProcessedMessageContent::OwnPrivateMessage => Ok(ProcessedContent::OwnMessage),
        #[allow(unreachable_patterns)]
        _ => Err(ClientError::InvalidMessage("unsupported content".into())),
    }
}

fn known(sender: Option<Member>) -> Result<Member> {
    sender.ok_or_else(|| ClientError::InvalidMessage("the sender is no member".into()))
}

fn merge(
    provider: &Provider,
    group: &mut MlsGroup,
    staged: StagedCommit,
    sender: Option<Member>,
) -> Result<ProcessedContent> {
    let Changes { added, removed } = Changes::of(&staged, &groups::members(group));
    let self_removed = staged.self_removed();
    let group_id = group.group_id().as_slice();
    let superseded = commits::remove_commit_entry(provider, group_id, group.epoch().as_u64())?;
    own_leaf::ending_epoch(provider, group, |group| {
        Ok(group.merge_staged_commit(provider, staged)?)
    })?;
    Ok(ProcessedContent::Commit {
        sender,
        epoch: group.epoch().as_u64(),
        added,
        removed,
        self_removed,
        superseded,
    })
}
