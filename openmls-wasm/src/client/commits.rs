//! Commits: add, remove, update, leave, commit what others proposed (RFC 9420 §12).
//!
//! A commit is pending until the delivery service has ordered it: its keys and its outbox entry are
//! one batch. It is merged when it comes back in the group's log, cleared when the delivery service
//! rejected it explicitly, and neither on a time-out.

use openmls::group::CommitMessageBundle;
use openmls::prelude::{
    LeafNode, MlsGroup, MlsMessageOut, Proposal, QueuedProposal, Sender, StagedCommit,
};
use openmls_traits::OpenMlsProvider;
use tls_codec::Serialize as _;

use super::{
    groups,
    outbox::{self, OutboxEntry, OutboxKind, Party},
    own_leaf, pending_join,
    provider::Provider,
    staging::{self, Plan},
    witness, ClientError, LeafUpdate, Member, MlsClient, ProposalRequest, Result,
};

/// What a commit is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// What it proposes itself. (By reference are those that wait in the group.)
    pub proposals: Vec<ProposalRequest>,
    /// Whether it contains the proposals that wait in the group; those that no commit may contain
    /// are left out. Whatever is left out is gone with the epoch.
    pub include_pending: bool,
    /// Whether the own leaf gets a new HPKE key even if nothing asks for that: it heals after a
    /// compromise (RFC 9420 §12.4.1).
    pub force_self_update: bool,
    /// What else of the own leaf changes; implies new keys.
    pub leaf: LeafUpdate,
    /// Travels in the clear with the commit (RFC 9420 §6.1).
    pub authenticated_data: Vec<u8>,
}

impl Default for CommitRequest {
    /// Commits what waits, and nothing else.
    fn default() -> Self {
        Self {
            proposals: vec![],
            include_pending: true,
            force_self_update: false,
            leaf: LeafUpdate::default(),
            authenticated_data: vec![],
        }
    }
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
        let add = |key_package: &Vec<u8>| ProposalRequest::Add {
            key_package: key_package.clone(),
        };
        let request = CommitRequest {
            proposals: key_packages.iter().map(add).collect(),
            ..Default::default()
        };
        self.commit(group_id, &request, id)
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
        let remove = |leaf_index: &u32| ProposalRequest::Remove {
            leaf_index: *leaf_index,
        };
        let request = CommitRequest {
            proposals: leaf_indexes.iter().map(remove).collect(),
            ..Default::default()
        };
        self.commit(group_id, &request, id)
    }

    /// Commits new keys of this client: it heals after a compromise (RFC 9420 §12.4.1).
    ///
    /// # Errors
    /// Those of [`add_members`](Self::add_members).
    pub fn self_update(&mut self, group_id: &[u8], id: Option<&str>) -> Result<OutboxEntry> {
        let request = CommitRequest {
            force_self_update: true,
            ..Default::default()
        };
        self.commit(group_id, &request, id)
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
        self.commit(group_id, &CommitRequest::default(), id)
    }

    /// Commits: inline proposals, what waits in the group, new keys and contents of the own leaf. The
    /// commit is pending until it comes back in the group's log.
    ///
    /// # Errors
    /// `nothing-to-commit`, `invalid-key-package`, `unknown-member`, `cannot-remove-self`,
    /// `unknown-psk`, `invalid-argument`, `invalid-credential`, `pending-commit`, `leave-pending`,
    /// `group-inactive`, `group-not-found`, `duplicate-id`, `commit-rejected` (for instance for a
    /// signature key that is a member's already).
    pub fn commit(
        &mut self,
        group_id: &[u8],
        request: &CommitRequest,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let id = self.new_entry_id(id)?;
        let sequence = self.next_sequence()?;
        self.with_group(group_id, |provider, identity, group| {
            check_can_commit(provider, group)?;
            let mut plan = Plan::of(provider, group, &request.proposals)?;
            plan.force_self_update |= request.force_self_update;
            let commits_pending = request.include_pending && group.has_pending_proposals();
            if plan.is_empty() && request.leaf.is_empty() && !commits_pending {
                return Err(ClientError::NothingToCommit);
            }
            plan.leaf = own_leaf::prepare(provider, identity, group, &request.leaf)?;
            group.set_aad(request.authenticated_data.clone());
            let bundle = staging::stage(provider, identity, group, plan, request.include_pending)?;
            let mut entry = entry_of(group, bundle, id, sequence)?;
            entry.authenticated_data = request.authenticated_data.clone();
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
        })?;
        self.process_early(group_id);
        Ok(())
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
            own_leaf::collect_signature_keys(provider.storage(), group)?;
            remove_commit_entry(provider, group_id, group.epoch().as_u64()).map(drop)
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
        if self.atomically(|provider| pending_join::discard(provider, &entry))? {
            return Ok(());
        }
        self.clear_pending_commit(&entry.group_id)
    }
}

/// The outbox entry of the commit that was staged in `group`.
pub(super) fn entry_of(
    group: &MlsGroup,
    bundle: CommitMessageBundle,
    id: String,
    sequence: u64,
) -> Result<OutboxEntry> {
    let (commit, welcome, _) = bundle.into_messages();
    let encoded = |message: MlsMessageOut| {
        let encoded = message.tls_serialize_detached();
        encoded.map_err(ClientError::internal)
    };
    let staged = group
        .pending_commit()
        .ok_or_else(|| ClientError::internal("the commit was not staged"))?;
    let changes = Changes::of(staged, &groups::members(group));
    Ok(OutboxEntry {
        id,
        sequence,
        kind: OutboxKind::Commit,
        group_id: group.group_id().to_vec(),
        epoch: group.epoch().as_u64(),
        bytes: Some(encoded(commit)?),
        plaintext: None,
        authenticated_data: vec![],
        proposal_reference: None,
        welcome: welcome.map(encoded).transpose()?,
        added: changes.added,
        removed: changes.removed.iter().map(Party::from).collect(),
        former: vec![],
    })
}

/// Merges the pending commit and removes its outbox entry. Returns what it changed.
pub(super) fn merge_pending(provider: &Provider, group: &mut MlsGroup) -> Result<Changes> {
    let before = groups::members(group);
    let staged = group.pending_commit().ok_or(ClientError::NoPendingCommit)?;
    let changes = Changes::of(staged, &before);
    let epoch = group.epoch().as_u64();
    own_leaf::ending_epoch(provider, group, |group| {
        Ok(group.merge_pending_commit(provider)?)
    })?;
    let group_id = group.group_id().as_slice();
    if let Some(entry) = outbox::pending_commit(provider.storage(), group_id)? {
        if entry.epoch == epoch && pending_join::of_entry(provider.storage(), &entry)?.is_none() {
            witness::accepted(provider.storage(), &entry)?;
        }
    }
    remove_commit_entry(provider, group_id, epoch)?;
    Ok(changes)
}

/// Removes the outbox entry of a commit that can end `epoch` no more, if there is one, and returns its
/// id. An external commit from a later epoch stays: the group is still on its way there.
pub(super) fn remove_commit_entry(
    provider: &Provider,
    group_id: &[u8],
    epoch: u64,
) -> Result<Option<String>> {
    let entry = outbox::pending_commit(provider.storage(), group_id)?;
    let Some(entry) = entry.filter(|entry| entry.epoch <= epoch) else {
        return Ok(None);
    };
    if !pending_join::discard(provider, &entry)? {
        outbox::remove(provider.storage(), &entry.id)?;
    }
    Ok(Some(entry.id))
}

/// Whether this client proposed its own removal in the present epoch.
pub(super) fn is_leaving(group: &MlsGroup) -> bool {
    let own = group.own_leaf_index();
    group.pending_proposals().any(|queued| {
        matches!(queued.sender(), Sender::Member(sender) if *sender == own)
            && match queued.proposal() {
                Proposal::Remove(remove) => remove.removed() == own,
                Proposal::SelfRemove => true,
                _ => false,
            }
    })
}

pub(super) fn check_can_commit(provider: &Provider, group: &MlsGroup) -> Result<()> {
    if !group.is_active() {
        return Err(ClientError::GroupInactive);
    }
    let group_id = group.group_id().as_slice();
    witness::check(provider.storage(), group_id)?;
    if group.pending_commit().is_some() || pending_join::is_pending(provider.storage(), group_id)? {
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
        let leaving = |queued: &QueuedProposal| match (queued.proposal(), queued.sender()) {
            (Proposal::Remove(remove), _) => Some(remove.removed()),
            (Proposal::SelfRemove, Sender::Member(sender)) => Some(*sender),
            _ => None,
        };
        let removed = staged
            .queued_proposals()
            .filter_map(leaving)
            .filter_map(|index| {
                let index = index.u32();
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
