//! Proposing: a proposal by itself, for another member to commit or refuse (RFC 9420 §12.1).

use openmls::prelude::{MlsGroup, MlsMessageOut, ProposalType};
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    commits,
    identity::LoadedIdentity,
    outbox::{self, OutboxEntry, OutboxKind},
    own_leaf,
    provider::Provider,
    staging::{self, Plan},
    ClientError, LeafUpdate, MlsClient, ProposalRequest, Result,
};

impl MlsClient {
    /// Proposes a change of the group. The proposal waits in the group, here as with everyone who
    /// receives it, until a member commits it or the epoch is over.
    ///
    /// A proposal that no commit could contain as the group is now is refused. Its content travels
    /// as the [`WireFormatPolicy`](super::WireFormatPolicy) says; `authenticated_data` travels in
    /// the clear.
    ///
    /// # Errors
    /// `proposal-rejected`, `invalid-key-package`, `unknown-member`, `unknown-psk`,
    /// `invalid-argument`, `invalid-credential`, `pending-commit`, `leave-pending`,
    /// `group-inactive`, `group-not-found`, `duplicate-id`.
    pub fn propose(
        &mut self,
        group_id: &[u8],
        request: &ProposalRequest,
        authenticated_data: &[u8],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let id = self.new_entry_id(id)?;
        let sequence = self.next_sequence()?;
        self.with_group(group_id, |provider, identity, group| {
            commits::check_can_commit(provider, group)?;
            let epoch = group.epoch().as_u64();
            group.set_aad(authenticated_data.to_vec());
            let known: Vec<_> = group
                .pending_proposals()
                .map(|queued| queued.proposal_reference_ref().clone())
                .collect();
            let proposal = queue(provider, identity, group, request)?;
            let queued = group.pending_proposals().last();
            if queued.is_some_and(|queued| known.contains(queued.proposal_reference_ref())) {
                return Err(rejected("the same proposal waits already"));
            }
            let entry = OutboxEntry {
                id,
                sequence,
                kind: OutboxKind::Proposal,
                group_id: group_id.to_vec(),
                epoch,
                bytes: Some(
                    proposal
                        .tls_serialize_detached()
                        .map_err(ClientError::internal)?,
                ),
                plaintext: None,
                authenticated_data: authenticated_data.to_vec(),
                proposal_reference: queued
                    .map(|queued| queued.proposal_reference_ref().as_slice().to_vec()),
                welcome: None,
                added: vec![],
                removed: vec![],
                former: vec![],
            };
            outbox::add(provider.storage(), &entry)?;
            Ok(entry)
        })
    }

    /// Proposes the own removal; another member commits it (RFC 9420 §12.1.3).
    ///
    /// # Errors
    /// `leave-pending` if that was proposed in this epoch already, `pending-commit`,
    /// `group-inactive`, `group-not-found`, `duplicate-id`.
    pub fn leave_group(&mut self, group_id: &[u8], id: Option<&str>) -> Result<OutboxEntry> {
        let own = self.with_group(group_id, |_, _, group| Ok(group.own_leaf_index().u32()))?;
        self.propose(
            group_id,
            &ProposalRequest::Remove { leaf_index: own },
            &[],
            id,
        )
    }
}

/// Puts the proposal into the queue of the group and returns the message for the others.
fn queue(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    request: &ProposalRequest,
) -> Result<MlsMessageOut> {
    let signer = &identity.signer;
    match request {
        ProposalRequest::Update(update) => queue_update(provider, identity, group, update),
        ProposalRequest::SelfRemove => {
            check_supported(group, ProposalType::SelfRemove)?;
            let message = group.leave_group_via_self_remove(provider, signer);
            message.map_err(rejected)
        }
        ProposalRequest::Remove { leaf_index } if *leaf_index == group.own_leaf_index().u32() => {
            let message = group.leave_group(provider, signer);
            message.map_err(rejected)
        }
        _ => queue_committable(provider, identity, group, request),
    }
}

/// Queues a proposal that this client could commit itself: so it can be tried.
fn queue_committable(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    request: &ProposalRequest,
) -> Result<MlsMessageOut> {
    let signer = &identity.signer;
    let mut plan = Plan::of(provider, group, std::slice::from_ref(request)).map_err(as_proposal)?;
    try_to_commit(provider, identity, group, &plan)?;
    let queued = if let Some(key_package) = plan.adds.pop() {
        group
            .propose_add_member(provider, signer, &key_package)
            .map_err(rejected)
    } else if let Some(index) = plan.removals.pop() {
        group
            .propose_remove_member(provider, signer, index)
            .map_err(rejected)
    } else if let Some(extensions) = plan.extensions.pop() {
        group
            .propose_group_context_extensions(provider, extensions, signer)
            .map_err(rejected)
    } else if let Some(psk) = plan.psks.pop() {
        group
            .propose_pre_shared_key(provider, signer, psk)
            .map_err(rejected)
    } else if let Some(custom) = plan.custom.pop() {
        group
            .propose_custom_proposal_by_reference(provider, signer, custom)
            .map_err(rejected)
    } else {
        Err(ClientError::ProposalRejected(
            "OpenMLS sends this proposal only inside a commit".into(),
        ))
    };
    queued.map(|(message, _)| message)
}

fn queue_update(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    update: &LeafUpdate,
) -> Result<MlsMessageOut> {
    let plan = Plan {
        force_self_update: true,
        leaf: own_leaf::prepare(provider, identity, group, update)?,
        ..Plan::default()
    };
    try_to_commit(provider, identity, group, &plan)?;
    let parameters = plan.leaf.parameters.clone();
    let queued = match plan.leaf.signer() {
        Some(new_signer) => group.propose_self_update_with_new_signer(
            provider,
            &identity.signer,
            new_signer,
            parameters,
        ),
        None => group.propose_self_update(provider, &identity.signer, parameters),
    };
    queued.map(|(message, _)| message).map_err(rejected)
}

/// # Errors
/// `proposal-rejected` if no commit can contain what is planned.
fn try_to_commit(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    plan: &Plan,
) -> Result<()> {
    staging::attempt(provider, identity, group, plan, &[], |_| Ok(())).map_err(as_proposal)
}

fn as_proposal(error: ClientError) -> ClientError {
    match error {
        ClientError::CommitRejected(why) => ClientError::ProposalRejected(why),
        other => other,
    }
}

/// # Errors
/// `proposal-rejected` if a member's leaf does not list the proposal type (RFC 9420 §7.2).
fn check_supported(group: &MlsGroup, proposal_type: ProposalType) -> Result<()> {
    let unsupporting = group
        .treesync()
        .full_leaves()
        .find(|(_, leaf)| !leaf.capabilities().proposals().contains(&proposal_type));
    match unsupporting {
        Some((index, _)) => Err(rejected(format!(
            "the member at leaf index {} does not support its type",
            index.u32()
        ))),
        None => Ok(()),
    }
}

/// Errors of the group's state and of the store are seen before, or reported as what they are.
fn rejected(error: impl std::fmt::Display) -> ClientError {
    ClientError::ProposalRejected(error.to_string())
}
