//! What comes in: parse, decrypt, store a proposal, merge a commit (RFC 9420 §6, §12, §15).

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::prelude::{
    ContentType, MlsGroup, MlsMessageIn, ProcessMessageError, ProcessedMessageContent,
    ProtocolMessage, QueuedProposal, Sender, StagedCommit, ValidationError,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::DeserializeBytes as _;

use super::{
    changes::{self, CommitChanges},
    commits, early,
    inbox::InboxContent,
    outbox::{self, OutboxEntry, OutboxKind},
    own_leaf,
    provider::Provider,
    retained_epochs, witness, ClientError, CredentialToValidate, Member, MlsClient,
    PendingProposal, Result,
};
use crate::storage::{key, Category};

/// What a message turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    /// The group it belongs to.
    pub group_id: Vec<u8>,
    /// The epoch the group was in when the message came: the one in which an inspected message can
    /// be accepted.
    pub group_epoch: u64,
    /// What it is: never `Sent`, `Joined` or `Failed`.
    pub content: ProcessedContent,
    /// Every credential that enters the group by it (RFC 9420 §5.3.1).
    pub credentials: Vec<CredentialToValidate>,
}

/// What has been opened, before it is said to which group and epoch it belongs.
pub(super) type Opened = (InboxContent, Vec<CredentialToValidate>);

/// The content of a message, as it is put into the inbox.
pub type ProcessedContent = InboxContent;

impl MlsClient {
    /// Processes a message that came in (an MLSMessage): decrypts, stores a proposal, merges a
    /// commit, as one operation. If it fails, no key is used up. Whatever of this client's own comes
    /// back was accepted: a commit is merged, the outbox entry goes.
    ///
    /// # Errors
    /// `malformed-message`, `wrong-kind`, `group-not-found`, `group-inactive`, `past-epoch`,
    /// `future-epoch`, `duplicate-message`, `too-far-out-of-order`, `undecryptable`,
    /// `invalid-message`.
    pub fn process_message(&mut self, bytes: &[u8]) -> Result<Processed> {
        self.process_if_in(bytes, None)
    }

    /// Accepts a message that was inspected in `inspected_epoch`
    /// ([`Processed::group_epoch`]): processes its bytes, unless the group has moved on since.
    ///
    /// # Errors
    /// `epoch-changed` (inspect it again), and those of
    /// [`process_message`](Self::process_message).
    pub fn process_message_in_epoch(
        &mut self,
        bytes: &[u8],
        inspected_epoch: u64,
    ) -> Result<Processed> {
        self.process_if_in(bytes, Some(inspected_epoch))
    }

    fn process_if_in(&mut self, bytes: &[u8], inspected_epoch: Option<u64>) -> Result<Processed> {
        let message = parse(bytes)?;
        let header = early::Header::of(&message);
        let group_id = message.group_id().to_vec();
        let own = self.own_entry(bytes, None)?;
        if let (Some(entry), Some(joined)) = (&own, self.own_join(own.as_ref())?) {
            self.accept_external_join(&entry.id)?;
            return Ok(joined);
        }
        let processed = self.with_group(&group_id, |provider, _, group| {
            check_epoch(group, inspected_epoch)?;
            let processed = handle(provider, group, message, own.as_ref())?;
            early::forget(provider, &header, bytes)?;
            Ok(processed)
        })?;
        self.process_early(&group_id);
        Ok(processed)
    }

    /// The outbox entry that came back, if it is one: same id (where there is one) and same bytes.
    pub(super) fn own_entry(&self, bytes: &[u8], id: Option<&str>) -> Result<Option<OutboxEntry>> {
        let same = |entry: &OutboxEntry| entry.bytes.as_deref() == Some(bytes);
        match id {
            Some(id) => Ok(outbox::get(self.storage(), id)?.filter(same)),
            None => Ok(self.outbox()?.into_iter().find(same)),
        }
    }
}

/// Parses a message of a group: its header is all that is looked at.
pub(super) fn parse(bytes: &[u8]) -> Result<ProtocolMessage> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .map_err(|_| ClientError::MalformedMessage)?
        .try_into_protocol_message()
        .map_err(|_| ClientError::WrongKind("not a message of a group"))
}

/// Refuses what was inspected in an epoch that is over.
pub(super) fn check_epoch(group: &MlsGroup, inspected: Option<u64>) -> Result<()> {
    let epoch = group.epoch().as_u64();
    match inspected {
        Some(inspected) if inspected != epoch => Err(ClientError::EpochChanged {
            inspected,
            group: epoch,
        }),
        _ => Ok(()),
    }
}

/// Processes a message, or accepts the own entry that it brings back; to be called inside a
/// savepoint, or on a scratch copy.
pub(super) fn handle(
    provider: &Provider,
    group: &mut MlsGroup,
    message: ProtocolMessage,
    own: Option<&OutboxEntry>,
) -> Result<Processed> {
    let group_epoch = group.epoch().as_u64();
    let (content, credentials) = match own {
        // It waits in no queue yet: the commit that refers to it could not be processed.
        Some(entry) if is_from_outside(entry) && group.is_active() => {
            witness::accepted(provider.storage(), entry)?;
            outbox::remove(provider.storage(), &entry.id)?;
            process(provider, group, message)?
        }
        Some(entry) => (accept_own(provider, group, entry)?, vec![]),
        None => process(provider, group, message)?,
    };
    retained_epochs::delete_expired(provider.storage(), group)?;
    Ok(Processed {
        group_id: group.group_id().to_vec(),
        group_epoch,
        content,
        credentials,
    })
}

/// Whether an own entry is a proposal from outside (RFC 9420 §12.1.8). Its sender may well be a member,
/// whom the group lists as an external sender too; then it is to them what it is to the others.
fn is_from_outside(entry: &OutboxEntry) -> bool {
    entry.kind == OutboxKind::Proposal && entry.proposal_reference.is_none()
}

/// What an own entry that came back means: the delivery service has accepted it.
fn accept_own(
    provider: &Provider,
    group: &mut MlsGroup,
    entry: &OutboxEntry,
) -> Result<InboxContent> {
    if entry.kind == OutboxKind::Commit {
        return merge_own(provider, group);
    }
    witness::accepted(provider.storage(), entry)?;
    outbox::remove(provider.storage(), &entry.id)?;
    Ok(InboxContent::OwnMessage)
}

fn process(provider: &Provider, group: &mut MlsGroup, message: ProtocolMessage) -> Result<Opened> {
    if !group.is_active() {
        return Err(ClientError::GroupInactive);
    }
    let (epoch, group_epoch) = (message.epoch().as_u64(), group.epoch().as_u64());
    if epoch > group_epoch {
        return Err(ClientError::FutureEpoch {
            message: epoch,
            group: group_epoch,
        });
    }
    // Of a past epoch, only application messages can be read, and only while its secrets are kept.
    let past_epoch = ClientError::PastEpoch {
        message: epoch,
        group: group_epoch,
    };
    let is_past = epoch < group_epoch;
    let content_type = message.content_type();
    if is_past && content_type != ContentType::Application {
        return Err(past_epoch);
    }
    let late = match is_past {
        true => retained_epochs::read(provider, group, message.clone())?,
        false => None,
    };
    let processed = match late.unwrap_or_else(|| group.process_message(provider, message)) {
        Err(ProcessMessageError::ValidationError(
            ValidationError::NoPastEpochData
            | ValidationError::UnableToDecrypt(MessageDecryptionError::SecretTreeError(
                SecretTreeError::TooDistantInThePast,
            )),
        )) if is_past => return Err(past_epoch),
        processed => processed?,
    };
    let sender = processed.sender().clone();
    let authenticated_data = processed.aad().to_vec();
    match processed.into_content() {
        ProcessedMessageContent::ApplicationMessage(message) => {
            let content = InboxContent::Message {
                sender: author(provider, group, &sender, epoch)?,
                epoch,
                plaintext: message.into_bytes(),
                authenticated_data,
            };
            Ok((content, vec![]))
        }
        ProcessedMessageContent::ProposalMessage(proposal)
        | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
            store(provider, group, *proposal)
        }
        ProcessedMessageContent::StagedCommitMessage(staged) => {
            merge(provider, group, *staged, &sender)
        }
        // An own commit that was sent as a PublicMessage: it is recognized by what it says.
        ProcessedMessageContent::OwnPendingCommit => Ok((merge_own(provider, group)?, vec![])),
        ProcessedMessageContent::OwnPrivateMessage if content_type == ContentType::Commit => {
            // Whoever merged it first is in the next epoch and was caught above.
            Err(ClientError::InvalidMessage(
                "a commit of this client that is not pending".into(),
            ))
        }
        ProcessedMessageContent::OwnPrivateMessage => Ok((InboxContent::OwnMessage, vec![])),
        #[allow(unreachable_patterns)]
        _ => Err(ClientError::InvalidMessage("unsupported content".into())),
    }
}

/// Who sent an application message of `epoch`: whoever was at the leaf then.
fn author(provider: &Provider, group: &MlsGroup, sender: &Sender, epoch: u64) -> Result<Member> {
    let unknown = || ClientError::InvalidMessage("the sender is no member".into());
    let Sender::Member(index) = sender else {
        return Err(unknown());
    };
    let member = if epoch == group.epoch().as_u64() {
        group.member_at(*index)
    } else {
        let members = retained_epochs::members_at(provider, group, epoch)?;
        let mut members = members.into_iter().flatten();
        members.find(|member| member.index == *index)
    };
    member.map(Member::from).ok_or_else(unknown)
}

/// Stores a proposal, which then waits for a commit.
fn store(provider: &Provider, group: &mut MlsGroup, proposal: QueuedProposal) -> Result<Opened> {
    let info = PendingProposal::of(&proposal, group)?;
    let known = |queued: &QueuedProposal| {
        queued.proposal_reference_ref() == proposal.proposal_reference_ref()
    };
    if group.pending_proposals().any(known) {
        let own = group.own_leaf_index();
        return match proposal.sender() {
            Sender::Member(index) if *index == own => Ok((InboxContent::OwnMessage, vec![])),
            _ => Err(ClientError::DuplicateMessage),
        };
    }
    let credentials = changes::of_proposal(&proposal, group)?;
    group.store_pending_proposal(provider.storage(), proposal)?;
    let content = InboxContent::Proposal {
        sender: info.sender,
        epoch: group.epoch().as_u64(),
        reference: info.reference,
        proposal: info.proposal,
    };
    Ok((content, credentials))
}

fn merge(
    provider: &Provider,
    group: &mut MlsGroup,
    staged: StagedCommit,
    sender: &Sender,
) -> Result<Opened> {
    let changes = CommitChanges::of(&staged, group, sender)?;
    let group_id = group.group_id().as_slice();
    let self_removed = staged.self_removed();
    if self_removed {
        early::forget_all(provider, group_id)?;
        // OpenMLS keeps them, although no commit will be opened with them any more (G7).
        let group_id = key::bytes_key(group_id);
        provider
            .storage()
            .delete_range(Category::EpochKeyPairs, &group_id)?;
    }
    let superseded = commits::remove_commit_entry(provider, group_id, group.epoch().as_u64())?;
    own_leaf::ending_epoch(provider, group, |group| {
        group.merge_staged_commit(provider, staged)?;
        if self_removed {
            group.clear_pending_proposals(provider.storage())?;
        }
        Ok(())
    })?;
    changes.merged(group, false, superseded)
}

/// Merges the pending commit, which the delivery service has accepted.
fn merge_own(provider: &Provider, group: &mut MlsGroup) -> Result<InboxContent> {
    let staged = group.pending_commit().ok_or(ClientError::NoPendingCommit)?;
    let sender = Sender::Member(group.own_leaf_index());
    let changes = CommitChanges::of(staged, group, &sender)?;
    commits::merge_pending(provider, group)?;
    // The app knows what it has added itself.
    let (content, _) = changes.merged(group, true, None)?;
    Ok(content)
}
