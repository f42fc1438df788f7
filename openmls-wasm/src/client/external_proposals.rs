//! Proposals from outside a group (RFC 9420 §12.1.8): of a sender that the group lists, and of a
//! client that asks to be added. A member commits them, or not.
//!
//! Whoever is outside has no state of the group: its id and epoch come from a group info or from the
//! delivery service. A proposal for an epoch that is over is refused there.

use openmls::prelude::{
    Extensions, ExternalProposal, GroupContext, GroupEpoch, GroupId, JoinProposal, LeafNodeIndex,
    MlsMessageOut, SenderExtensionIndex,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    extensions::{self, Extension},
    key_package_inspection,
    outbox::{self, OutboxEntry, OutboxKind},
    provider::Provider,
    ClientError, MlsClient, Result,
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
    /// Proposes an addition as the external sender at `sender_index` of the group's list (RFC 9420
    /// §12.1.8.1). Members take it only if the list has this client's signature key at that place.
    ///
    /// # Errors
    /// `no-identity`, `invalid-key-package`, `duplicate-id`.
    pub fn propose_external_add(
        &mut self,
        target: &ProposalTarget,
        sender_index: u32,
        key_package: &[u8],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let key_package = key_package_inspection::verified(&self.provider, key_package)?;
        self.queue_external(target, id, |group_id, epoch, signer| {
            let sender = SenderExtensionIndex::new(sender_index);
            ExternalProposal::new_add::<Provider>(key_package, group_id, epoch, signer, sender)
                .map_err(ClientError::internal)
        })
    }

    /// Proposes a removal as the external sender at `sender_index` of the group's list; see
    /// [`propose_external_add`](Self::propose_external_add).
    ///
    /// # Errors
    /// `no-identity`, `duplicate-id`.
    pub fn propose_external_remove(
        &mut self,
        target: &ProposalTarget,
        sender_index: u32,
        leaf_index: u32,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        self.queue_external(target, id, |group_id, epoch, signer| {
            let sender = SenderExtensionIndex::new(sender_index);
            let removed = LeafNodeIndex::new(leaf_index);
            ExternalProposal::new_remove::<Provider>(removed, group_id, epoch, signer, sender)
                .map_err(ClientError::internal)
        })
    }

    /// Proposes other group context extensions, all of them, as the external sender at `sender_index`
    /// of the group's list; see [`propose_external_add`](Self::propose_external_add).
    ///
    /// # Errors
    /// `no-identity`, `duplicate-id`; `invalid-argument` for extensions that do not belong into a
    /// group context; `invalid-credential` for that of an external sender.
    pub fn propose_external_group_context_extensions(
        &mut self,
        target: &ProposalTarget,
        sender_index: u32,
        extensions: &[Extension],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let extensions: Extensions<GroupContext> = extensions::list_to_mls(extensions)?;
        self.queue_external(target, id, |group_id, epoch, signer| {
            let sender = SenderExtensionIndex::new(sender_index);
            ExternalProposal::new_group_context_extensions::<Provider>(
                extensions, group_id, epoch, signer, sender,
            )
            .map_err(ClientError::internal)
        })
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
        let key_package = key_package_inspection::verified(&self.provider, key_package)?;
        let reference = key_package
            .hash_ref(self.provider.crypto())
            .map_err(ClientError::internal)?;
        let record = key::bytes_key(reference.as_slice());
        if !self.storage().contains(Category::KeyPackage, &record)? {
            return Err(ClientError::UnknownKeyPackage);
        }
        self.queue_external(target, id, |group_id, epoch, signer| {
            JoinProposal::new::<GranularStorage>(key_package, group_id, epoch, signer)
                .map_err(ClientError::internal)
        })
    }

    fn queue_external(
        &mut self,
        target: &ProposalTarget,
        id: Option<&str>,
        make: impl FnOnce(GroupId, GroupEpoch, &SignatureKeyPair) -> Result<MlsMessageOut>,
    ) -> Result<OutboxEntry> {
        let signer = &self.loaded_identity()?.signer;
        let group_id = GroupId::from_slice(&target.group_id);
        let message = make(group_id, target.epoch.into(), signer)?;
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
            former: vec![],
        };
        self.atomically(|provider| outbox::add(provider.storage(), &entry))?;
        Ok(entry)
    }
}
