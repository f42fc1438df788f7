//! Proposals: what members, external senders and new members ask a group to change (RFC 9420 §12.1).

use openmls::prelude::{
    hash_ref::ProposalRef, Extensions, GroupContext, MlsGroup, Proposal, QueuedProposal,
    ReInitProposal, Sender,
};
use openmls::schedule::{psk::ResumptionPskUsage, PreSharedKeyId, Psk};
use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};
use tls_codec::{DeserializeBytes, TlsDeserializeBytes, TlsSerialize, TlsSize, VLBytes};

use super::{
    extensions::Extension, groups, outbox, own_leaf, ClientError, LeafUpdate, Member, MlsClient,
    Party, Result,
};

/// What a client proposes, by itself or inside a commit.
///
/// There is no ReInit: OpenMLS 0.9.2 leaves one out of every commit (`proposal_store.rs`,
/// `filter_proposals`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposalRequest {
    /// Add a client (RFC 9420 §12.1.1).
    Add {
        /// Its key package, an MLSMessage.
        key_package: Vec<u8>,
    },
    /// Remove a member (RFC 9420 §12.1.3).
    Remove {
        /// Its leaf index. The own one is leaving: not inside an own commit.
        leaf_index: u32,
    },
    /// Replace the own leaf (RFC 9420 §12.1.2). Not inside an own commit, which replaces the leaf by
    /// [`CommitRequest::leaf`](super::CommitRequest::leaf).
    Update(LeafUpdate),
    /// Leave by a proposal that an external commit may contain too (MLS extensions draft). Not
    /// inside an own commit. Needs a [`WireFormatPolicy`](super::WireFormatPolicy) that sends
    /// PublicMessages.
    SelfRemove,
    /// Mix an external pre-shared key into the next epoch (RFC 9420 §12.1.4). Who has it not cannot
    /// follow.
    ExternalPsk {
        /// The id it was stored under.
        psk_id: Vec<u8>,
    },
    /// Mix the resumption PSK of a past epoch of this group into the next one (RFC 9420 §12.1.4).
    /// Who was no member then cannot follow.
    ResumptionPsk {
        /// The epoch.
        epoch: u64,
    },
    /// Replace the extensions of the group context (RFC 9420 §12.1.7). One of the app's own must be
    /// among the required capabilities of the same list.
    GroupContextExtensions {
        /// The new ones, all of them.
        extensions: Vec<Extension>,
    },
    /// Something of a component of the app that is gone with the epoch (MLS extensions draft). Only
    /// inside a commit: OpenMLS 0.9.2 has no other way to send it.
    #[cfg(feature = "extensions-draft")]
    AppEphemeral {
        /// The component.
        component_id: u16,
        /// The content.
        data: Vec<u8>,
    },
    /// A proposal of a type that the app has defined. Every member must list the type in its
    /// capabilities.
    AppDefined {
        /// The proposal type (RFC 9420 §17.4), none of MLS's own.
        proposal_type: u16,
        /// The content.
        payload: Vec<u8>,
    },
}

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
            Proposal::PreSharedKey(psk) => Self::of_psk(&reencoded(psk)?),
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

    /// The proposal to use a pre-shared key.
    pub(super) fn of_psk(id: &PreSharedKeyId) -> Self {
        match id.psk() {
            Psk::External(external) => Self::ExternalPsk {
                psk_id: external.psk_id().to_vec(),
            },
            Psk::Resumption(resumption) => Self::ResumptionPsk {
                usage: match resumption.usage() {
                    ResumptionPskUsage::Application => PskUsage::Application,
                    ResumptionPskUsage::Reinit => PskUsage::ReInit,
                    ResumptionPskUsage::Branch => PskUsage::Branch,
                },
                group_id: resumption.psk_group_id().to_vec(),
                epoch: resumption.psk_epoch().as_u64(),
            },
            #[cfg(feature = "extensions-draft")]
            Psk::Application(application) => Self::ApplicationPsk {
                component_id: application.component_id(),
                psk_id: application.psk_id().to_vec(),
            },
        }
    }
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
pub(super) fn reencoded<T: DeserializeBytes>(value: &impl tls_codec::Serialize) -> Result<T> {
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

    /// Drops every proposal that waits, with the key pairs of own updates, and takes own ones that
    /// were not uploaded yet out of the outbox.
    ///
    /// A commit of another member that contains one of them cannot be processed any more. So this
    /// is for a group in which every member drops them: to commit without them, a
    /// [`CommitRequest`](super::CommitRequest) that leaves them out will do.
    ///
    /// # Errors
    /// `pending-commit`, `group-inactive`, `group-not-found`.
    pub fn clear_pending_proposals(&mut self, group_id: &[u8]) -> Result<()> {
        self.drop_proposals(group_id, |_| true)
    }

    /// Drops one proposal that waits, as [`clear_pending_proposals`](Self::clear_pending_proposals)
    /// drops all.
    ///
    /// # Errors
    /// `unknown-proposal`, and those of [`clear_pending_proposals`](Self::clear_pending_proposals).
    pub fn remove_pending_proposal(&mut self, group_id: &[u8], reference: &[u8]) -> Result<()> {
        self.with_group(group_id, |_, _, group| {
            let is_known = queued_references(group).any(|known| known.as_slice() == reference);
            is_known.then_some(()).ok_or(ClientError::UnknownProposal)
        })?;
        self.drop_proposals(group_id, |known| known == reference)
    }

    fn drop_proposals(
        &mut self,
        group_id: &[u8],
        is_dropped: impl Fn(&[u8]) -> bool,
    ) -> Result<()> {
        let outbox = self.outbox()?;
        self.with_group(group_id, |provider, _, group| {
            if !group.is_active() {
                return Err(ClientError::GroupInactive);
            }
            if group.pending_commit().is_some() {
                return Err(ClientError::PendingCommit);
            }
            let dropped: Vec<ProposalRef> = queued_references(group)
                .filter(|reference| is_dropped(reference.as_slice()))
                .cloned()
                .collect();
            for reference in &dropped {
                group
                    .remove_pending_proposal(provider.storage(), reference)
                    .map_err(ClientError::internal)?;
                let entry = outbox.iter().find(|entry| {
                    entry.group_id == group_id
                        && entry.proposal_reference.as_deref() == Some(reference.as_slice())
                });
                if let Some(entry) = entry {
                    outbox::remove(provider.storage(), &entry.id)?;
                }
            }
            own_leaf::collect_proposed(provider, group)
        })
    }
}

fn queued_references(group: &MlsGroup) -> impl Iterator<Item = &ProposalRef> {
    group
        .pending_proposals()
        .map(QueuedProposal::proposal_reference_ref)
}
