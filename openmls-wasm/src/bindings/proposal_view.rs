//! Proposals, their senders and extensions in JavaScript: told apart by `kind`.

use serde::Serialize;
use serde_bytes::Bytes;

use super::view::{views, MemberView, PartyView};
use crate::client::{CommittedProposal, Extension, ProposalInfo, ProposalSender, PskUsage};

#[derive(Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(super) enum ExtensionView<'a> {
    RequiredCapabilities {
        extension_types: &'a [u16],
        proposal_types: &'a [u16],
        credential_types: &'a [u16],
    },
    ExternalSenders {
        senders: Vec<PartyView<'a>>,
    },
    Other {
        extension_type: u16,
        data: &'a Bytes,
    },
}

impl<'a> From<&'a Extension> for ExtensionView<'a> {
    fn from(extension: &'a Extension) -> Self {
        match extension {
            Extension::RequiredCapabilities {
                extension_types,
                proposal_types,
                credential_types,
            } => Self::RequiredCapabilities {
                extension_types,
                proposal_types,
                credential_types,
            },
            Extension::ExternalSenders { senders } => Self::ExternalSenders {
                senders: views(senders),
            },
            Extension::Other {
                extension_type,
                data,
            } => Self::Other {
                extension_type: *extension_type,
                data: Bytes::new(data),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(super) enum ProposalView<'a> {
    Add {
        added: PartyView<'a>,
    },
    Update {
        updated: PartyView<'a>,
    },
    Remove {
        leaf_index: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        removed: Option<MemberView<'a>>,
    },
    SelfRemove,
    ExternalPsk {
        psk_id: &'a Bytes,
    },
    ResumptionPsk {
        usage: &'static str,
        group_id: &'a Bytes,
        epoch: u64,
    },
    ApplicationPsk {
        component_id: u16,
        psk_id: &'a Bytes,
    },
    ReInit {
        group_id: &'a Bytes,
        version: u16,
        ciphersuite: u16,
        extensions: Vec<ExtensionView<'a>>,
    },
    ExternalInit,
    GroupContextExtensions {
        extensions: Vec<ExtensionView<'a>>,
    },
    AppDataUpdate {
        component_id: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        update: Option<&'a Bytes>,
    },
    AppEphemeral {
        component_id: u16,
        data: &'a Bytes,
    },
    AppDefined {
        proposal_type: u16,
        payload: &'a Bytes,
    },
}

impl<'a> From<&'a ProposalInfo> for ProposalView<'a> {
    fn from(proposal: &'a ProposalInfo) -> Self {
        match proposal {
            ProposalInfo::Add { added } => Self::Add {
                added: added.into(),
            },
            ProposalInfo::Update { updated } => Self::Update {
                updated: updated.into(),
            },
            ProposalInfo::Remove {
                leaf_index,
                removed,
            } => Self::Remove {
                leaf_index: *leaf_index,
                removed: removed.as_ref().map(Into::into),
            },
            ProposalInfo::SelfRemove => Self::SelfRemove,
            ProposalInfo::ExternalPsk { psk_id } => Self::ExternalPsk {
                psk_id: Bytes::new(psk_id),
            },
            ProposalInfo::ResumptionPsk {
                usage,
                group_id,
                epoch,
            } => Self::ResumptionPsk {
                usage: match usage {
                    PskUsage::Application => "application",
                    PskUsage::ReInit => "re-init",
                    PskUsage::Branch => "branch",
                },
                group_id: Bytes::new(group_id),
                epoch: *epoch,
            },
            ProposalInfo::ApplicationPsk {
                component_id,
                psk_id,
            } => Self::ApplicationPsk {
                component_id: *component_id,
                psk_id: Bytes::new(psk_id),
            },
            ProposalInfo::ReInit {
                group_id,
                version,
                ciphersuite,
                extensions,
            } => Self::ReInit {
                group_id: Bytes::new(group_id),
                version: *version,
                ciphersuite: *ciphersuite,
                extensions: views(extensions),
            },
            ProposalInfo::ExternalInit => Self::ExternalInit,
            ProposalInfo::GroupContextExtensions { extensions } => Self::GroupContextExtensions {
                extensions: views(extensions),
            },
            ProposalInfo::AppDataUpdate {
                component_id,
                update,
            } => Self::AppDataUpdate {
                component_id: *component_id,
                update: update.as_deref().map(Bytes::new),
            },
            ProposalInfo::AppEphemeral { component_id, data } => Self::AppEphemeral {
                component_id: *component_id,
                data: Bytes::new(data),
            },
            ProposalInfo::AppDefined {
                proposal_type,
                payload,
            } => Self::AppDefined {
                proposal_type: *proposal_type,
                payload: Bytes::new(payload),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum ProposalSenderView<'a> {
    Member(MemberView<'a>),
    External { index: u32 },
    NewMemberProposal,
    NewMemberCommit,
}

impl<'a> From<&'a ProposalSender> for ProposalSenderView<'a> {
    fn from(sender: &'a ProposalSender) -> Self {
        match sender {
            ProposalSender::Member(member) => Self::Member(member.into()),
            ProposalSender::External { index } => Self::External { index: *index },
            ProposalSender::NewMemberProposal => Self::NewMemberProposal,
            ProposalSender::NewMemberCommit => Self::NewMemberCommit,
        }
    }
}

/// A proposal that a commit carried out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommittedProposalView<'a> {
    sender: ProposalSenderView<'a>,
    by_reference: bool,
    proposal: ProposalView<'a>,
}

impl<'a> From<&'a CommittedProposal> for CommittedProposalView<'a> {
    fn from(committed: &'a CommittedProposal) -> Self {
        Self {
            sender: (&committed.sender).into(),
            by_reference: committed.by_reference,
            proposal: (&committed.proposal).into(),
        }
    }
}
