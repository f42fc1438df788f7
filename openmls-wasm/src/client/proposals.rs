//! Proposals: what members, external senders and new members ask a group to change (RFC 9420 §12.1).

use openmls::prelude::{
    Extensions, GroupContext, MlsGroup, PreSharedKeyProposal, Proposal, QueuedProposal,
    ReInitProposal, Sender,
};
use openmls::schedule::{psk::ResumptionPskUsage, PreSharedKeyId, Psk};
use serde::{Deserialize, Serialize};
use tls_codec::{DeserializeBytes, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use super::{extensions::Extension, groups, ClientError, Member, MlsClient, Party, Result};

/// What a proposal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProposalInfo {
    /// Add a client (RFC 9420 §12.1.1).
    Add {
        /// The owner of the key package.
        added: Party,
    },
    /// Replace the proposer's leaf (RFC 9420 §12.1.2).
    Update {
        /// What the new leaf says of its owner.
        updated: Party,
    },
    /// Remove a member (RFC 9420 §12.1.3).
    Remove {
        /// Its leaf index.
        leaf_index: u32,
        /// The member, unless the group has none at that leaf.
        removed: Option<Member>,
    },
    /// The proposer leaves (MLS extensions draft).
    SelfRemove,
    /// Mix an external pre-shared key into the next epoch (RFC 9420 §12.1.4).
    ExternalPsk {
        /// The id of the key.
        psk_id: Vec<u8>,
    },
    /// Mix the resumption PSK of an epoch into the next epoch (RFC 9420 §12.1.4).
    ResumptionPsk {
        /// What for.
        usage: PskUsage,
        /// The group whose epoch it is.
        group_id: Vec<u8>,
        /// The epoch.
        epoch: u64,
    },
    /// Mix a pre-shared key of a component of the app into the next epoch (MLS extensions draft).
    ApplicationPsk {
        /// The component.
        component_id: u16,
        /// The id of the key.
        psk_id: Vec<u8>,
    },
    /// Close the group and go on in another (RFC 9420 §12.1.5).
    ReInit {
        /// The id of the other group.
        group_id: Vec<u8>,
        /// Its protocol version.
        version: u16,
        /// Its ciphersuite.
        ciphersuite: u16,
        /// Its group context extensions.
        extensions: Vec<Extension>,
    },
    /// Part of every external commit (RFC 9420 §12.1.6).
    ExternalInit,
    /// Replace the extensions of the group context (RFC 9420 §12.1.7).
    GroupContextExtensions {
        /// The new ones, all of them.
        extensions: Vec<Extension>,
    },
    /// Change the state of a component of the app (MLS extensions draft).
    AppDataUpdate {
        /// The component.
        component_id: u16,
        /// The change; `None` removes the state.
        update: Option<Vec<u8>>,
    },
    /// Something of a component of the app that is gone with the epoch (MLS extensions draft).
    AppEphemeral {
        /// The component.
        component_id: u16,
        /// The content.
        data: Vec<u8>,
    },
    /// A proposal of a type that the app has defined.
    AppDefined {
        /// The proposal type (RFC 9420 §17.4).
        proposal_type: u16,
        /// The content.
        payload: Vec<u8>,
    },
}

/// What a resumption PSK is used for (RFC 9420 §8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PskUsage {
    /// In an epoch of the same group, or as the app likes.
    Application,
    /// To go on in another group (RFC 9420 §11.2).
    ReInit,
    /// To begin a subgroup (RFC 9420 §11.3).
    Branch,
}

/// Who made a proposal (RFC 9420 §6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProposalSender {
    /// A member.
    Member(Member),
    /// A sender outside, at this place in the group's list of external senders.
    External {
        /// The place.
        index: u32,
    },
    /// A client that asks to be added.
    NewMemberProposal,
    /// A client that joins by external commit.
    NewMemberCommit,
}

/// A proposal that waits for a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingProposal {
    /// The proposal reference (RFC 9420 §5.2), by which a commit names it.
    pub reference: Vec<u8>,
    /// Who made it.
    pub sender: ProposalSender,
    /// What it says.
    pub proposal: ProposalInfo,
}

/// `ReInit` of RFC 9420 §12.1.5: OpenMLS keeps its fields to itself.
#[derive(TlsSerialize, TlsSize, TlsDeserializeBytes)]
struct ReInit {
    group_id: VLBytes,
    version: u16,
    ciphersuite: u16,
    extensions: Extensions<GroupContext>,
}

impl ProposalInfo {
    /// Describes `proposal`, made in the present epoch of `group`.
    pub(super) fn of(proposal: &Proposal, group: &MlsGroup) -> Result<Self> {
        Ok(match proposal {
            Proposal::Add(add) => Self::Add {
                added: Party::from(add.key_package().leaf_node()),
            },
            Proposal::Update(update) => Self::Update {
                updated: Party::from(update.leaf_node()),
            },
            Proposal::Remove(remove) => Self::Remove {
                leaf_index: remove.removed().u32(),
                removed: groups::member_at(group, remove.removed()),
            },
            Proposal::SelfRemove => Self::SelfRemove,
            Proposal::PreSharedKey(psk) => of_psk(psk)?,
            Proposal::ReInit(reinit) => of_reinit(reinit)?,
            Proposal::ExternalInit(_) => Self::ExternalInit,
            Proposal::GroupContextExtensions(proposed) => Self::GroupContextExtensions {
                extensions: Extension::list_from_mls(proposed.extensions())?,
            },
            #[cfg(feature = "extensions-draft")]
            Proposal::AppDataUpdate(update) => Self::AppDataUpdate {
                component_id: update.component_id(),
                update: app_data(update.operation()),
            },
            #[cfg(feature = "extensions-draft")]
            Proposal::AppEphemeral(ephemeral) => Self::AppEphemeral {
                component_id: ephemeral.component_id(),
                data: ephemeral.data().to_vec(),
            },
            Proposal::Custom(custom) => Self::AppDefined {
                proposal_type: custom.proposal_type(),
                payload: custom.payload().to_vec(),
            },
        })
    }
}

fn of_psk(proposal: &PreSharedKeyProposal) -> Result<ProposalInfo> {
    Ok(match reencoded::<PreSharedKeyId>(proposal)?.psk() {
        Psk::External(external) => ProposalInfo::ExternalPsk {
            psk_id: external.psk_id().to_vec(),
        },
        Psk::Resumption(resumption) => ProposalInfo::ResumptionPsk {
            usage: match resumption.usage() {
                ResumptionPskUsage::Application => PskUsage::Application,
                ResumptionPskUsage::Reinit => PskUsage::ReInit,
                ResumptionPskUsage::Branch => PskUsage::Branch,
            },
            group_id: resumption.psk_group_id().to_vec(),
            epoch: resumption.psk_epoch().as_u64(),
        },
        #[cfg(feature = "extensions-draft")]
        Psk::Application(application) => ProposalInfo::ApplicationPsk {
            component_id: application.component_id(),
            psk_id: application.psk_id().to_vec(),
        },
    })
}

fn of_reinit(proposal: &ReInitProposal) -> Result<ProposalInfo> {
    let reinit = reencoded::<ReInit>(proposal)?;
    Ok(ProposalInfo::ReInit {
        group_id: reinit.group_id.into(),
        version: reinit.version,
        ciphersuite: reinit.ciphersuite,
        extensions: Extension::list_from_mls(&reinit.extensions)?,
    })
}

#[cfg(feature = "extensions-draft")]
fn app_data(operation: &openmls::prelude::AppDataUpdateOperation) -> Option<Vec<u8>> {
    use openmls::prelude::AppDataUpdateOperation;
    match operation {
        AppDataUpdateOperation::Update(update) => Some(update.as_slice().to_vec()),
        AppDataUpdateOperation::Remove => None,
    }
}

/// The same encoding, read as a type that shows its fields.
fn reencoded<T: DeserializeBytes>(value: &impl tls_codec::Serialize) -> Result<T> {
    let encoded = value
        .tls_serialize_detached()
        .map_err(ClientError::internal)?;
    T::tls_deserialize_exact_bytes(&encoded).map_err(ClientError::internal)
}

impl ProposalSender {
    /// Who sent a message of the present epoch of `group`.
    ///
    /// # Errors
    /// `invalid-message` for a leaf index without a member.
    pub(super) fn of(sender: &Sender, group: &MlsGroup) -> Result<Self> {
        Ok(match sender {
            Sender::Member(index) => Self::Member(
                groups::member_at(group, *index)
                    .ok_or_else(|| ClientError::InvalidMessage("the sender is no member".into()))?,
            ),
            Sender::External(index) => Self::External {
                index: reencoded(index)?,
            },
            Sender::NewMemberProposal => Self::NewMemberProposal,
            Sender::NewMemberCommit => Self::NewMemberCommit,
        })
    }
}

impl PendingProposal {
    pub(super) fn of(queued: &QueuedProposal, group: &MlsGroup) -> Result<Self> {
        Ok(Self {
            reference: queued.proposal_reference_ref().as_slice().to_vec(),
            sender: ProposalSender::of(queued.sender(), group)?,
            proposal: ProposalInfo::of(queued.proposal(), group)?,
        })
    }
}

impl MlsClient {
    /// The proposals that wait for a commit, the own ones too, in the order they came in.
    ///
    /// # Errors
    /// `group-not-found`.
    pub fn pending_proposals(&mut self, group_id: &[u8]) -> Result<Vec<PendingProposal>> {
        self.with_group(group_id, |_, _, group| {
            group
                .pending_proposals()
                .map(|queued| PendingProposal::of(queued, group))
                .collect()
        })
    }
}
