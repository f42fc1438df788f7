//! Proposals from outside a group (RFC 9420 §12.1.8): of a sender that the group lists, and of a
//! client that asks to be added. A member commits them, or not.
//!
//! Whoever is outside has no state of the group: its id and epoch come from a group info or from the
//! delivery service. A proposal for an epoch that is over is refused there.

use openmls::prelude::{
    ExternalProposal, GroupId, JoinProposal, LeafNodeIndex, MlsMessageOut, SenderExtensionIndex,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    extensions,
    identity::LoadedIdentity,
    key_package_inspection,
    outbox::{self, OutboxEntry, OutboxKind},
    provider::Provider,
    ClientError, MlsClient, ProposalRequest, Result,
};
use crate::storage::{key, Category, GranularStorage};

/// Where a proposal from outside goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalTarget {
    /// The group.
    pub group_id: Vec<u8>,
    /// The epoch that it is in.
    pub epoch: u64,
}

impl MlsClient {
    /// Proposes something to a group as the external sender at `sender_index` of its list (RFC 9420
    /// §12.1.8.1): an addition, a removal or other group context extensions. Members take it only if
    /// the list has this client's signature key at that place.
    ///
    /// # Errors
    /// `no-identity`, `duplicate-id`; `proposal-rejected` for what no external sender may propose or
    /// OpenMLS does not accept from one; `invalid-key-package`; `invalid-argument` for extensions
    /// that do not belong into a group context.
    pub fn propose_external(
        &mut self,
        target: &ProposalTarget,
        sender_index: u32,
        request: &ProposalRequest,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let message = of_sender(&self.provider, identity, target, sender_index, request)?;
        self.queue_external(target, &message, id)
    }

    /// Asks to be added to a group, by a key package (an MLSMessage) that this client has generated
    /// (RFC 9420 §12.1.8). The Welcome comes from the member that commits it.
    ///
    /// # Errors
    /// `no-identity`, `invalid-key-package`, `duplicate-id`; `unknown-key-package` for one whose
    /// private keys are not stored here.
    pub fn propose_join(
        &mut self,
        target: &ProposalTarget,
        key_package: &[u8],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let key_package = key_package_inspection::verified(&self.provider, key_package)?;
        let reference = key_package
            .hash_ref(self.provider.crypto())
            .map_err(ClientError::internal)?;
        let record = key::bytes_key(reference.as_slice());
        if !self.storage().contains(Category::KeyPackage, &record)? {
            return Err(ClientError::UnknownKeyPackage);
        }
        let message = JoinProposal::new::<GranularStorage>(
            key_package,
            GroupId::from_slice(&target.group_id),
            target.epoch.into(),
            &identity.signer,
        )
        .map_err(ClientError::internal)?;
        self.queue_external(target, &message, id)
    }

    fn queue_external(
        &mut self,
        target: &ProposalTarget,
        message: &MlsMessageOut,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let entry = OutboxEntry {
            id: self.new_entry_id(id)?,
            sequence: self.next_sequence()?,
            kind: OutboxKind::Proposal,
            group_id: target.group_id.clone(),
            epoch: target.epoch,
            bytes: Some(
                message
                    .tls_serialize_detached()
                    .map_err(ClientError::internal)?,
            ),
            plaintext: None,
            authenticated_data: vec![],
            proposal_reference: None,
            welcome: None,
            added: vec![],
            removed: vec![],
        };
        self.atomically(|provider| outbox::add(provider.storage(), &entry))?;
        Ok(entry)
    }
}

fn of_sender(
    provider: &Provider,
    identity: &LoadedIdentity,
    target: &ProposalTarget,
    sender_index: u32,
    request: &ProposalRequest,
) -> Result<MlsMessageOut> {
    let group_id = GroupId::from_slice(&target.group_id);
    let epoch = target.epoch.into();
    let signer = &identity.signer;
    let sender = SenderExtensionIndex::new(sender_index);
    match request {
        ProposalRequest::Add { key_package } => {
            let key_package = key_package_inspection::verified(provider, key_package)?;
            ExternalProposal::new_add::<Provider>(key_package, group_id, epoch, signer, sender)
                .map_err(ClientError::internal)
        }
        ProposalRequest::Remove { leaf_index } => {
            let removed = LeafNodeIndex::new(*leaf_index);
            ExternalProposal::new_remove::<Provider>(removed, group_id, epoch, signer, sender)
                .map_err(ClientError::internal)
        }
        ProposalRequest::GroupContextExtensions { extensions } => {
            let extensions = extensions::list_to_mls(extensions)?;
            ExternalProposal::new_group_context_extensions::<Provider>(
                extensions, group_id, epoch, signer, sender,
            )
            .map_err(ClientError::internal)
        }
        _ => Err(ClientError::ProposalRejected(
            "from outside come additions, removals and group context extensions".into(),
        )),
    }
}
