//! Staging a commit: which of the proposals that wait go into it, and with which pre-shared keys
//! (RFC 9420 §12.4).

use openmls::group::{CommitBuilder, CommitMessageBundle, Complete};
use openmls::messages::proposals::ProposalOrRefType;
use openmls::prelude::{
    hash_ref::ProposalRef, CustomProposal, Extensions, GroupContext, KeyPackage, LeafNodeIndex,
    MlsGroup, PreSharedKeyProposal, Proposal, ProposalType, QueuedProposal, Sender,
};
use openmls::schedule::{
    psk::{ResumptionPsk, ResumptionPskUsage},
    ExternalPsk, PreSharedKeyId, Psk,
};
use openmls_traits::OpenMlsProvider;

use super::{
    extensions, identity::LoadedIdentity, key_package_inspection, own_leaf::NewLeaf,
    provider::Provider, requirements, ClientError, ProposalRequest, Result,
};

/// What a commit is to do beside what waits in the group.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) adds: Vec<KeyPackage>,
    pub(super) removals: Vec<LeafNodeIndex>,
    pub(super) extensions: Vec<Extensions<GroupContext>>,
    pub(super) psks: Vec<PreSharedKeyId>,
    pub(super) custom: Vec<CustomProposal>,
    pub(super) others: Vec<Proposal>,
    pub(super) force_self_update: bool,
    pub(super) leaf: NewLeaf,
}

impl Plan {
    /// Checks what is asked for by itself.
    ///
    /// # Errors
    /// `invalid-key-package`, `unknown-member`, `cannot-remove-self`, `invalid-argument`,
    /// `invalid-credential`.
    pub(super) fn of(
        provider: &Provider,
        group: &MlsGroup,
        requests: &[ProposalRequest],
    ) -> Result<Self> {
        let mut plan = Self::default();
        requests
            .iter()
            .try_for_each(|request| plan.add(provider, group, request))?;
        Ok(plan)
    }

    fn add(
        &mut self,
        provider: &Provider,
        group: &MlsGroup,
        request: &ProposalRequest,
    ) -> Result<()> {
        match request {
            ProposalRequest::Add { key_package } => {
                self.adds
                    .push(key_package_inspection::verified(provider, key_package)?);
            }
            ProposalRequest::Remove { leaf_index } => {
                self.removals.push(other_member(group, *leaf_index)?);
            }
            ProposalRequest::SelfRemove => return Err(ClientError::CannotRemoveSelf),
            ProposalRequest::Update(_) => {
                return Err(ClientError::InvalidArgument(
                    "a commit updates the own leaf by itself, not by a proposal",
                ))
            }
            ProposalRequest::ExternalPsk { psk_id } => {
                let psk = Psk::External(ExternalPsk::new(psk_id.clone()));
                self.psks.push(psk_id_of(provider, group, psk)?);
            }
            ProposalRequest::ResumptionPsk { epoch } => {
                let psk = Psk::Resumption(ResumptionPsk::new(
                    ResumptionPskUsage::Application,
                    group.group_id().clone(),
                    (*epoch).into(),
                ));
                self.psks.push(psk_id_of(provider, group, psk)?);
            }
            ProposalRequest::GroupContextExtensions { extensions } => {
                self.extensions.push(extensions::list_to_mls(extensions)?);
            }
            #[cfg(feature = "extensions-draft")]
            ProposalRequest::AppEphemeral { component_id, data } => {
                let proposal =
                    openmls::prelude::AppEphemeralProposal::new(*component_id, data.clone());
                self.others.push(Proposal::AppEphemeral(Box::new(proposal)));
            }
            ProposalRequest::AppDefined {
                proposal_type,
                payload,
            } => {
                if !matches!(ProposalType::from(*proposal_type), ProposalType::Custom(_)) {
                    return Err(ClientError::InvalidArgument(
                        "a proposal type that MLS defines itself",
                    ));
                }
                self.custom
                    .push(CustomProposal::new(*proposal_type, payload.clone()));
            }
        }
        Ok(())
    }

    /// Whether the commit would do nothing but commit what waits.
    pub(super) fn is_empty(&self) -> bool {
        self.adds.is_empty()
            && self.removals.is_empty()
            && self.extensions.is_empty()
            && self.psks.is_empty()
            && self.custom.is_empty()
            && self.others.is_empty()
            && !self.force_self_update
    }
}

fn other_member(group: &MlsGroup, leaf_index: u32) -> Result<LeafNodeIndex> {
    let index = LeafNodeIndex::new(leaf_index);
    if index == group.own_leaf_index() {
        return Err(ClientError::CannotRemoveSelf);
    }
    match group.member_at(index) {
        Some(_) => Ok(index),
        None => Err(ClientError::UnknownMember(leaf_index)),
    }
}

fn psk_id_of(provider: &Provider, group: &MlsGroup, psk: Psk) -> Result<PreSharedKeyId> {
    PreSharedKeyId::new(group.ciphersuite(), provider.rand(), psk).map_err(ClientError::internal)
}

/// Stages the commit, with every proposal that waits and can be committed if `include_pending`.
///
/// Anyone in the group can propose what no commit may contain (RFC 9420 §12.2). Such a proposal is
/// left out, as §12.4 asks for, or nobody could commit and so nobody could send any more.
pub(super) fn stage(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    mut plan: Plan,
    include_pending: bool,
) -> Result<CommitMessageBundle> {
    let stage = |builder: CommitBuilder<'_, Complete>| Ok(builder.stage_commit(provider)?);
    let waiting = group.pending_proposals().filter(|_| include_pending);
    let (usable, unusable): (Vec<_>, Vec<_>) =
        waiting.partition(|queued| has_usable_keys(provider, group, queued));
    let everything: Vec<ProposalRef> = usable
        .into_iter()
        .map(|queued| queued.proposal_reference_ref().clone())
        .collect();
    plan.force_self_update |= everything.is_empty() && !unusable.is_empty();
    let refused = match attempt(provider, identity, group, &plan, &everything, stage) {
        Ok(bundle) => return Ok(bundle),
        Err(error) => error,
    };
    let may_lie_in_a_proposal = matches!(
        refused,
        ClientError::CommitRejected(_) | ClientError::UnknownPsk | ClientError::CannotRemoveSelf
    );
    if everything.is_empty() || !may_lie_in_a_proposal {
        return Err(refused);
    }
    let mut valid = vec![];
    for reference in everything {
        valid.push(reference);
        if attempt(provider, identity, group, &plan, &valid, |_| Ok(())).is_err() {
            valid.pop();
        }
    }
    // With nothing left to commit, a commit without proposals still ends the epoch, and with it the
    // proposals that cannot be committed.
    plan.force_self_update |= valid.is_empty();
    attempt(provider, identity, group, &plan, &valid, stage)
}

/// Whether something can be encrypted to whom the proposal brings in. If not, this commit fails or
/// every one after it, with an error of OpenMLS's that blames nobody.
fn has_usable_keys(provider: &Provider, group: &MlsGroup, queued: &QueuedProposal) -> bool {
    match queued.proposal() {
        Proposal::Add(add) => {
            key_package_inspection::can_be_encrypted_to(provider, add.key_package())
        }
        Proposal::Update(update) => {
            let (suite, leaf) = (group.ciphersuite(), update.leaf_node());
            key_package_inspection::has_usable_key(provider, suite, leaf)
        }
        _ => true,
    }
}

/// Builds the commit with exactly these proposals of the queue, and hands it to `finish`.
///
/// OpenMLS 0.9.2 mixes in the keys of every pre-shared key proposal in the queue, whether the commit
/// contains it or not, and those of the committer's own first, where the receivers go by the order
/// in the commit (`commit_builder.rs`, `load_psks`): nobody could follow. So proposals in the queue
/// are taken out of it meanwhile where that would matter, and those that are to be committed go in
/// by value.
pub(super) fn attempt<T>(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    plan: &Plan,
    references: &[ProposalRef],
    finish: impl FnOnce(CommitBuilder<'_, Complete>) -> Result<T>,
) -> Result<T> {
    let is_wanted = |queued: &QueuedProposal| references.contains(queued.proposal_reference_ref());
    let wanted: Vec<&QueuedProposal> = group
        .pending_proposals()
        .filter(|queued| is_wanted(queued))
        .collect();
    requirements::check(group, plan, &wanted)?;
    let queued_psks: Vec<QueuedProposal> = group
        .pending_proposals()
        .filter(|queued| matches!(queued.proposal(), Proposal::PreSharedKey(_)))
        .cloned()
        .collect();
    if plan.psks.is_empty() && queued_psks.iter().all(is_wanted) {
        return build(provider, identity, group, plan, references, vec![]).and_then(finish);
    }
    for queued in &queued_psks {
        group
            .remove_pending_proposal(provider.storage(), queued.proposal_reference_ref())
            .map_err(ClientError::internal)?;
    }
    let by_value = queued_psks
        .iter()
        .filter(|queued| is_wanted(queued))
        .map(|queued| queued.proposal().clone())
        .collect();
    let result = build(provider, identity, group, plan, references, by_value).and_then(finish);
    for queued in queued_psks {
        group.store_pending_proposal(provider.storage(), queued)?;
    }
    result
}

fn build<'a>(
    provider: &'a Provider,
    identity: &LoadedIdentity,
    group: &'a mut MlsGroup,
    plan: &Plan,
    references: &[ProposalRef],
    by_value: Vec<Proposal>,
) -> Result<CommitBuilder<'a, Complete>> {
    let psks = plan.psks.iter().cloned();
    let custom = plan.custom.iter().cloned();
    // OpenMLS 0.9.2 asserts in debug builds that nobody removes or updates a member whose SelfRemove
    // proposal the commit contains (`messages/proposals.rs`, `has_lower_priority_than`).
    let leaving: Vec<LeafNodeIndex> = group
        .pending_proposals()
        .filter(|queued| references.contains(queued.proposal_reference_ref()))
        .filter_map(|queued| match (queued.proposal(), queued.sender()) {
            (Proposal::SelfRemove, Sender::Member(index)) => Some(*index),
            _ => None,
        })
        .collect();
    let removals = plan.removals.iter().copied();
    let mut builder = group
        .commit_builder()
        .consume_proposal_store(true)
        .force_self_update(plan.force_self_update)
        .leaf_node_parameters(plan.leaf.parameters.clone())
        .propose_adds(plan.adds.iter().cloned())
        .propose_removals(removals.filter(|index| !leaving.contains(index)))
        .add_proposals(by_value)
        .add_proposals(
            psks.map(|psk| Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(psk)))),
        )
        .add_proposals(custom.map(|custom| Proposal::Custom(Box::new(custom))))
        .add_proposals(plan.others.iter().cloned());
    for extensions in &plan.extensions {
        builder = builder.propose_group_context_extensions(extensions.clone())?;
    }
    let builder = builder.load_psks(provider.storage())?;
    // What this commit proposes itself is asked about too.
    let is_of_leaving = |queued: &QueuedProposal| match (queued.proposal(), queued.sender()) {
        (Proposal::Remove(it), _) => leaving.contains(&it.removed()),
        (Proposal::Update(_), Sender::Member(index)) => leaving.contains(index),
        _ => false,
    };
    let is_committed = |queued: &QueuedProposal| {
        let is_wanted =
            references.contains(queued.proposal_reference_ref()) && !is_of_leaving(queued);
        queued.proposal_or_ref_type() == ProposalOrRefType::Proposal || is_wanted
    };
    let (rand, crypto) = (provider.rand(), provider.crypto());
    Ok(match plan.leaf.signer() {
        Some(new) => {
            builder.build_with_new_signer(rand, crypto, &identity.signer, new, is_committed)?
        }
        None => builder.build(rand, crypto, &identity.signer, is_committed)?,
    })
}
