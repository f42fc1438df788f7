//! Commits: add, remove, update, leave, commit what others proposed (RFC 9420 §12).
//!
//! A commit is pending until the delivery service has ordered it: its keys and its outbox entry are
//! one batch. It is merged when it comes back in the group's log, cleared when the delivery service
//! rejected it explicitly, and neither on a time-out.

use openmls::group::{CommitBuilder, CommitMessageBundle, Complete};
use openmls::messages::proposals::ProposalOrRefType;
use openmls::prelude::{
    hash_ref::ProposalRef, KeyPackage, LeafNode, LeafNodeIndex, LeafNodeParameters, MlsGroup,
    Proposal, Sender, StagedCommit,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    groups,
    identity::LoadedIdentity,
    key_packages,
    outbox::{self, OutboxEntry, OutboxKind, Party},
    provider::Provider,
    ClientError, Member, MlsClient, Result,
};

/// What a commit asks for.
#[derive(Default, Clone)]
struct CommitRequest {
    add: Vec<KeyPackage>,
    remove: Vec<LeafNodeIndex>,
    update: bool,
}

impl MlsClient {
    /// Commits the addition of the owners of `key_packages` (MLSMessages). Pending proposals are
    /// committed with it.
    ///
    /// # Errors
    /// `invalid-argument` for no key package, `invalid-key-package`, `pending-commit`,
    /// `group-inactive`, `group-not-found`, `duplicate-id`, `commit-rejected` (for instance for a
    /// signature key that is a member's already).
    pub fn add_members(
        &mut self,
        group_id: &[u8],
        key_packages: &[Vec<u8>],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        if key_packages.is_empty() {
            return Err(ClientError::InvalidArgument("no key package"));
        }
        let add = key_packages
            .iter()
            .map(|bytes| key_packages::verified(&self.provider, bytes))
            .collect::<Result<_>>()?;
        let request = CommitRequest {
            add,
            ..Default::default()
        };
        self.commit(group_id, request, id)
    }

    /// Commits the removal of the members at `leaf_indexes`.
    ///
    /// # Errors
    /// `invalid-argument` for no index, `unknown-member`, `cannot-remove-self`, and those of
    /// [`add_members`](Self::add_members).
    pub fn remove_members(
        &mut self,
        group_id: &[u8],
        leaf_indexes: &[u32],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        if leaf_indexes.is_empty() {
            return Err(ClientError::InvalidArgument("no leaf index"));
        }
        let remove = leaf_indexes
            .iter()
            .copied()
            .map(LeafNodeIndex::new)
            .collect();
        let request = CommitRequest {
            remove,
            ..Default::default()
        };
        self.commit(group_id, request, id)
    }

    /// Commits new keys of this client: it heals after a compromise (RFC 9420 §12.4.1).
    ///
    /// # Errors
    /// Those of [`add_members`](Self::add_members).
    pub fn self_update(&mut self, group_id: &[u8], id: Option<&str>) -> Result<OutboxEntry> {
        let request = CommitRequest {
            update: true,
            ..Default::default()
        };
        self.commit(group_id, request, id)
    }

    /// Commits the proposals that wait.
    ///
    /// # Errors
    /// `nothing-to-commit`, and those of [`add_members`](Self::add_members).
    pub fn commit_pending_proposals(
        &mut self,
        group_id: &[u8],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        self.commit(group_id, CommitRequest::default(), id)
    }

    fn commit(
        &mut self,
        group_id: &[u8],
        request: CommitRequest,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let id = self.new_entry_id(id)?;
        let sequence = self.next_sequence()?;
        self.with_group(group_id, |provider, identity, group| {
            check_can_commit(group)?;
            let asks_for_nothing =
                request.add.is_empty() && request.remove.is_empty() && !request.update;
            if asks_for_nothing && !group.has_pending_proposals() {
                return Err(ClientError::NothingToCommit);
            }
            for index in &request.remove {
                if *index == group.own_leaf_index() {
                    return Err(ClientError::CannotRemoveSelf);
                }
                if group.member_at(*index).is_none() {
                    return Err(ClientError::UnknownMember(index.u32()));
                }
            }
            let before = groups::members(group);
            let epoch = group.epoch().as_u64();
            let bundle = stage(provider, identity, group, &request)?;
            let (commit, welcome, _) = bundle.into_messages();
            let staged = group
                .pending_commit()
                .ok_or_else(|| ClientError::internal("the commit was not staged"))?;
            let changes = Changes::of(staged, &before);
            let entry = OutboxEntry {
                id,
                sequence,
                kind: OutboxKind::Commit,
                group_id: group_id.to_vec(),
                epoch,
                bytes: Some(
                    commit
                        .tls_serialize_detached()
                        .map_err(ClientError::internal)?,
                ),
                plaintext: None,
                authenticated_data: vec![],
                proposal_reference: None,
                welcome: welcome
                    .map(|welcome| welcome.tls_serialize_detached())
                    .transpose()
                    .map_err(ClientError::internal)?,
                added: changes.added,
                removed: changes.removed.iter().map(Party::from).collect(),
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
        let id = self.new_entry_id(id)?;
        let sequence = self.next_sequence()?;
        self.with_group(group_id, |provider, identity, group| {
            check_can_commit(group)?;
            let epoch = group.epoch().as_u64();
            let proposal = group.leave_group(provider, &identity.signer)?;
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
                authenticated_data: vec![],
                proposal_reference: None,
                welcome: None,
                added: vec![],
                removed: vec![],
            };
            outbox::add(provider.storage(), &entry)?;
            Ok(entry)
        })
    }

    /// Merges the pending commit: for an app that orders commits in its own way. With a delivery
    /// service that has a log, [`receive_message`](Self::receive_message) does it.
    ///
    /// # Errors
    /// `no-pending-commit`, `group-not-found`.
    pub fn merge_pending_commit(&mut self, group_id: &[u8]) -> Result<()> {
        self.with_group(group_id, |provider, _, group| {
            merge_pending(provider, group).map(drop)
        })
    }

    /// Drops the pending commit. Only to be called when it is certain that no other member has
    /// accepted it: a client that clears a commit which the group accepted is out of the group.
    ///
    /// # Errors
    /// `no-pending-commit`, `group-not-found`.
    pub fn clear_pending_commit(&mut self, group_id: &[u8]) -> Result<()> {
        self.with_group(group_id, |provider, _, group| {
            if group.pending_commit().is_none() {
                return Err(ClientError::NoPendingCommit);
            }
            group.clear_pending_commit(provider.storage())?;
            remove_commit_entry(provider, group_id).map(drop)
        })
    }

    /// The delivery service rejected the commit with this id, explicitly.
    ///
    /// # Errors
    /// `unknown-outbox-entry`, `wrong-kind` for an entry that is no commit.
    pub fn reject_commit(&mut self, id: &str) -> Result<()> {
        let entry = self.outbox_entry(id)?;
        if entry.kind != OutboxKind::Commit {
            return Err(ClientError::WrongKind("the outbox entry is no commit"));
        }
        self.clear_pending_commit(&entry.group_id)
    }
}

/// Stages the commit with every pending proposal that can be committed.
///
/// Anyone in the group can propose what no commit may contain (RFC 9420 §12.2). Such a proposal is
/// left out, as §12.4 asks for, or nobody could commit and so nobody could send any more.
fn stage(
    provider: &Provider,
    identity: &LoadedIdentity,
    group: &mut MlsGroup,
    request: &CommitRequest,
) -> Result<CommitMessageBundle> {
    let everything: Vec<ProposalRef> = group
        .pending_proposals()
        .map(|queued| queued.proposal_reference_ref().clone())
        .collect();
    let rejected = match build(provider, identity, group, request, &everything) {
        Ok(builder) => return Ok(builder.stage_commit(provider)?),
        Err(error) => error,
    };
    if everything.is_empty() || !matches!(rejected, ClientError::CommitRejected(_)) {
        return Err(rejected);
    }
    let mut valid = vec![];
    for reference in everything {
        valid.push(reference);
        if build(provider, identity, group, request, &valid).is_err() {
            valid.pop();
        }
    }
    // With nothing left to commit, a commit without proposals still ends the epoch, and with it the
    // proposals that cannot be committed.
    let ends_epoch = CommitRequest {
        update: true,
        ..request.clone()
    };
    let request = if valid.is_empty() {
        &ends_epoch
    } else {
        request
    };
    Ok(build(provider, identity, group, request, &valid)?.stage_commit(provider)?)
}

fn build<'a>(
    provider: &'a Provider,
    identity: &LoadedIdentity,
    group: &'a mut MlsGroup,
    request: &CommitRequest,
    proposals: &[ProposalRef],
) -> Result<CommitBuilder<'a, Complete>> {
    Ok(group
        .commit_builder()
        .consume_proposal_store(true)
        .force_self_update(request.update)
        .leaf_node_parameters(LeafNodeParameters::default())
        .propose_adds(request.add.iter().cloned())
        .propose_removals(request.remove.iter().copied())
        .load_psks(provider.storage())?
        .build(
            provider.rand(),
            provider.crypto(),
            &identity.signer,
            // What this commit proposes itself is asked about too.
            |queued| {
                queued.proposal_or_ref_type() == ProposalOrRefType::Proposal
                    || proposals.contains(queued.proposal_reference_ref())
            },
        )?)
}

/// Merges the pending commit and removes its outbox entry. Returns what it changed.
pub(super) fn merge_pending(provider: &Provider, group: &mut MlsGroup) -> Result<Changes> {
    let before = groups::members(group);
    let staged = group.pending_commit().ok_or(ClientError::NoPendingCommit)?;
    let changes = Changes::of(staged, &before);
    group.merge_pending_commit(provider)?;
    remove_commit_entry(provider, group.group_id().as_slice())?;
    Ok(changes)
}

/// Removes the outbox entry of the group's commit, if there is one, and returns its id.
pub(super) fn remove_commit_entry(provider: &Provider, group_id: &[u8]) -> Result<Option<String>> {
    let Some(entry) = outbox::pending_commit(provider.storage(), group_id)? else {
        return Ok(None);
    };
    outbox::remove(provider.storage(), &entry.id)?;
    Ok(Some(entry.id))
}

/// Whether this client proposed its own removal in the present epoch.
pub(super) fn is_leaving(group: &MlsGroup) -> bool {
    let own = group.own_leaf_index();
    group.pending_proposals().any(|queued| {
        matches!(queued.sender(), Sender::Member(sender) if *sender == own)
            && matches!(queued.proposal(), Proposal::Remove(remove) if remove.removed() == own)
    })
}

fn check_can_commit(group: &MlsGroup) -> Result<()> {
    if !group.is_active() {
        return Err(ClientError::GroupInactive);
    }
    if group.pending_commit().is_some() {
        return Err(ClientError::PendingCommit);
    }
    if is_leaving(group) {
        return Err(ClientError::LeavePending);
    }
    Ok(())
}

/// Whom a commit adds and removes.
pub(super) struct Changes {
    pub(super) added: Vec<Party>,
    pub(super) removed: Vec<Member>,
}

impl Changes {
    /// `before`: the members of the epoch that the commit ends.
    pub(super) fn of(staged: &StagedCommit, before: &[Member]) -> Self {
        let added = staged
            .add_proposals()
            .map(|queued| Party::from(queued.add_proposal().key_package().leaf_node()))
            .collect();
        let removed = staged
            .remove_proposals()
            .filter_map(|queued| {
                let index = queued.remove_proposal().removed().u32();
                before.iter().find(|member| member.leaf_index == index)
            })
            .cloned()
            .collect();
        Self { added, removed }
    }
}

impl From<&LeafNode> for Party {
    fn from(leaf: &LeafNode) -> Self {
        Self::new(leaf.credential(), leaf.signature_key().as_slice())
    }
}

impl From<&Member> for Party {
    fn from(member: &Member) -> Self {
        Self {
            identity: member.identity.clone(),
            certificates: member.certificates.clone(),
            signature_key: member.signature_key.clone(),
        }
    }
}
