//! What was received, in JavaScript: told apart by `kind`.

use serde::Serialize;
use serde_bytes::Bytes;

use super::{
    proposal_view::{CommittedProposalView, ProposalSenderView, ProposalView},
    view::{number, optional_number, views, MemberView, PartyView},
};
use crate::client::{
    CredentialReason, CredentialToValidate, InboxContent, InboxItem, Processed, UpdatedMember,
    WelcomeInfo,
};

#[derive(Serialize)]
struct UpdatedMemberView<'a> {
    before: MemberView<'a>,
    after: MemberView<'a>,
}

impl<'a> From<&'a UpdatedMember> for UpdatedMemberView<'a> {
    fn from(updated: &'a UpdatedMember) -> Self {
        Self {
            before: (&updated.before).into(),
            after: (&updated.after).into(),
        }
    }
}

#[derive(Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
enum ContentView<'a> {
    Message {
        sender: MemberView<'a>,
        epoch: u64,
        plaintext: &'a Bytes,
        authenticated_data: &'a Bytes,
    },
    Sent {
        epoch: u64,
        plaintext: &'a Bytes,
    },
    Proposal {
        sender: ProposalSenderView<'a>,
        epoch: u64,
        reference: &'a Bytes,
        proposal: ProposalView<'a>,
    },
    Commit {
        own: bool,
        external: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<MemberView<'a>>,
        epoch: u64,
        added: Vec<PartyView<'a>>,
        removed: Vec<MemberView<'a>>,
        updated: Vec<UpdatedMemberView<'a>>,
        self_removed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        superseded: Option<&'a str>,
        proposals: Vec<CommittedProposalView<'a>>,
    },
    Joined {
        epoch: u64,
    },
    Failed {
        code: &'a str,
    },
    OwnMessage,
}

impl<'a> From<&'a InboxContent> for ContentView<'a> {
    fn from(content: &'a InboxContent) -> Self {
        match content {
            InboxContent::Message {
                sender,
                epoch,
                plaintext,
                authenticated_data,
            } => Self::Message {
                sender: sender.into(),
                epoch: *epoch,
                plaintext: Bytes::new(plaintext),
                authenticated_data: Bytes::new(authenticated_data),
            },
            InboxContent::Sent { epoch, plaintext } => Self::Sent {
                epoch: *epoch,
                plaintext: Bytes::new(plaintext),
            },
            InboxContent::Proposal {
                sender,
                epoch,
                reference,
                proposal,
            } => Self::Proposal {
                sender: sender.into(),
                epoch: *epoch,
                reference: Bytes::new(reference),
                proposal: proposal.into(),
            },
            InboxContent::Commit {
                own,
                external,
                sender,
                epoch,
                added,
                removed,
                updated,
                self_removed,
                superseded,
                proposals,
            } => Self::Commit {
                own: *own,
                external: *external,
                sender: sender.as_ref().map(Into::into),
                epoch: *epoch,
                added: views(added),
                removed: views(removed),
                updated: views(updated),
                self_removed: *self_removed,
                superseded: superseded.as_deref(),
                proposals: views(proposals),
            },
            InboxContent::Joined { epoch } => Self::Joined { epoch: *epoch },
            InboxContent::Failed { code } => Self::Failed { code },
            InboxContent::OwnMessage => Self::OwnMessage,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InboxView<'a> {
    id: &'a str,
    #[serde(serialize_with = "number")]
    sequence: u64,
    group_id: &'a Bytes,
    #[serde(
        serialize_with = "optional_number",
        skip_serializing_if = "Option::is_none"
    )]
    position: Option<u64>,
    #[serde(flatten)]
    content: ContentView<'a>,
}

impl<'a> From<&'a InboxItem> for InboxView<'a> {
    fn from(item: &'a InboxItem) -> Self {
        Self {
            id: &item.id,
            sequence: item.sequence,
            group_id: Bytes::new(&item.group_id),
            position: item.position,
            content: (&item.content).into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessedView<'a> {
    group_id: &'a Bytes,
    group_epoch: u64,
    credentials: Vec<CredentialView<'a>>,
    #[serde(flatten)]
    content: ContentView<'a>,
}

impl<'a> From<&'a Processed> for ProcessedView<'a> {
    fn from(processed: &'a Processed) -> Self {
        Self {
            group_id: Bytes::new(&processed.group_id),
            group_epoch: processed.group_epoch,
            credentials: views(&processed.credentials),
            content: (&processed.content).into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CredentialView<'a> {
    reason: &'static str,
    #[serde(flatten)]
    party: PartyView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<MemberView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_index: Option<u32>,
}

impl<'a> From<&'a CredentialToValidate> for CredentialView<'a> {
    fn from(credential: &'a CredentialToValidate) -> Self {
        let (reason, before, leaf_index) = match &credential.reason {
            CredentialReason::Added => ("added", None, None),
            CredentialReason::ExternalJoin => ("external-join", None, None),
            CredentialReason::Updated { before } => ("updated", Some(before.into()), None),
            CredentialReason::Member { leaf_index } => ("member", None, Some(*leaf_index)),
            CredentialReason::ExternalSender => ("external-sender", None, None),
        };
        Self {
            reason,
            party: (&credential.party).into(),
            before,
            leaf_index,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WelcomeInfoView<'a> {
    group_id: &'a Bytes,
    epoch: u64,
    ciphersuite: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<MemberView<'a>>,
    members: Vec<MemberView<'a>>,
    psks: Vec<ProposalView<'a>>,
    credentials: Vec<CredentialView<'a>>,
}

impl<'a> From<&'a WelcomeInfo> for WelcomeInfoView<'a> {
    fn from(info: &'a WelcomeInfo) -> Self {
        Self {
            group_id: Bytes::new(&info.group_id),
            epoch: info.epoch,
            ciphersuite: info.ciphersuite,
            sender: info.sender.as_ref().map(Into::into),
            members: views(&info.members),
            psks: views(&info.psks),
            credentials: views(&info.credentials),
        }
    }
}
