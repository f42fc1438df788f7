//! What a commit changes, and which credentials enter a group (RFC 9420 §5.3.1, §12.4).

use openmls::messages::proposals::ProposalOrRefType;
use openmls::prelude::{MlsGroup, Proposal, QueuedProposal, Sender, StagedCommit};
use serde::{Deserialize, Serialize};

use super::{
    extensions::Extension, groups, inbox::InboxContent, Member, Party, ProposalInfo,
    ProposalSender, Result,
};

/// A member whose credential or signature key a commit replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatedMember {
    /// The member in the epoch that the commit ended.
    pub before: Member,
    /// The member now.
    pub after: Member,
}

/// A proposal that a commit carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedProposal {
    /// Who made it; of one that is part of the commit, the committer.
    pub sender: ProposalSender,
    /// Whether it had been sent before, by itself.
    pub by_reference: bool,
    /// What it says.
    pub proposal: ProposalInfo,
}

/// A credential that enters a group, with its signature key: for the app to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialToValidate {
    /// The credential and the key it is bound to.
    pub party: Party,
    /// How it enters.
    pub reason: CredentialReason,
}

/// How a credential enters a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialReason {
    /// Its owner is added.
    Added,
    /// Its owner joins by external commit (RFC 9420 §12.4.3.2).
    ExternalJoin,
    /// It replaces that of a member; whether it may succeed that one is to be decided too.
    Updated {
        /// The member as it was.
        before: Member,
    },
    /// Its owner is a member of the group that is joined.
    Member {
        /// The leaf index.
        leaf_index: u32,
    },
    /// Its owner may from now on propose from outside (RFC 9420 §12.1.8.1).
    ExternalSender,
}

/// A commit, before it is merged.
pub(super) struct CommitChanges {
    members: Vec<Member>,
    external_senders: Vec<Party>,
    external: bool,
    sender: Option<Member>,
    /// The signature key of a client that joins by this commit.
    joiner: Option<Vec<u8>>,
    self_removed: bool,
    proposals: Vec<CommittedProposal>,
}

impl CommitChanges {
    /// `group`: in the epoch that the commit ends.
    pub(super) fn of(staged: &StagedCommit, group: &MlsGroup, sender: &Sender) -> Result<Self> {
        let proposals = staged
            .queued_proposals()
            .map(|queued| {
                Ok(CommittedProposal {
                    sender: ProposalSender::of(queued.sender(), group)?,
                    by_reference: queued.proposal_or_ref_type() == ProposalOrRefType::Reference,
                    proposal: ProposalInfo::of(queued.proposal(), group)?,
                })
            })
            .collect::<Result<_>>()?;
        let external = matches!(sender, Sender::NewMemberCommit);
        let joiner = staged.update_path_leaf_node().filter(|_| external);
        Ok(Self {
            members: groups::members(group),
            external_senders: external_senders(group)?,
            external,
            sender: match sender {
                Sender::Member(index) => groups::member_at(group, *index),
                _ => None,
            },
            joiner: joiner.map(|leaf| leaf.signature_key().as_slice().to_vec()),
            self_removed: staged.self_removed(),
            proposals,
        })
    }

    /// `group`: after the merge.
    pub(super) fn merged(
        self,
        group: &MlsGroup,
        own: bool,
        superseded: Option<String>,
    ) -> Result<(InboxContent, Vec<CredentialToValidate>)> {
        let after = groups::members(group);
        let removed = self.removed();
        let updated = self.updated(&after, &removed);
        let joined = after
            .iter()
            .find(|member| Some(&member.signature_key) == self.joiner.as_ref());
        let added: Vec<Party> = self.added().chain(joined.map(Party::from)).collect();
        let credentials = self.credentials(joined, &updated, group)?;
        let content = InboxContent::Commit {
            own,
            external: self.external,
            sender: self.sender.clone().or(joined.cloned()),
            epoch: group.epoch().as_u64(),
            added,
            removed,
            updated,
            self_removed: self.self_removed,
            superseded,
            proposals: self.proposals,
        };
        Ok((content, credentials))
    }

    fn added(&self) -> impl Iterator<Item = Party> + '_ {
        self.proposals
            .iter()
            .filter_map(|committed| match &committed.proposal {
                ProposalInfo::Add { added } => Some(added.clone()),
                _ => None,
            })
    }

    fn removed(&self) -> Vec<Member> {
        self.proposals
            .iter()
            .filter_map(|committed| match (&committed.proposal, &committed.sender) {
                (ProposalInfo::Remove { removed, .. }, _) => removed.clone(),
                (ProposalInfo::SelfRemove, ProposalSender::Member(leaving)) => {
                    Some(leaving.clone())
                }
                _ => None,
            })
            .collect()
    }

    fn updated(&self, after: &[Member], removed: &[Member]) -> Vec<UpdatedMember> {
        let stayed = |before: &&Member| !removed.contains(before);
        let update = |before: &Member| {
            let at_leaf = after.binary_search_by_key(&before.leaf_index, |now| now.leaf_index);
            let after = after.get(at_leaf.ok()?)?;
            (after != before).then(|| UpdatedMember {
                before: before.clone(),
                after: after.clone(),
            })
        };
        self.members
            .iter()
            .filter(stayed)
            .filter_map(update)
            .collect()
    }

    fn credentials(
        &self,
        joined: Option<&Member>,
        updated: &[UpdatedMember],
        group: &MlsGroup,
    ) -> Result<Vec<CredentialToValidate>> {
        let added = self.added().map(|party| CredentialToValidate {
            party,
            reason: CredentialReason::Added,
        });
        let joined = joined.map(|member| CredentialToValidate {
            party: member.into(),
            reason: CredentialReason::ExternalJoin,
        });
        let updated = updated.iter().map(|update| CredentialToValidate {
            party: (&update.after).into(),
            reason: CredentialReason::Updated {
                before: update.before.clone(),
            },
        });
        let senders = external_senders(group)?
            .into_iter()
            .filter(|sender| !self.external_senders.contains(sender))
            .map(CredentialToValidate::external_sender);
        Ok(added.chain(joined).chain(updated).chain(senders).collect())
    }
}

impl CredentialToValidate {
    pub(super) fn external_sender(party: Party) -> Self {
        Self {
            party,
            reason: CredentialReason::ExternalSender,
        }
    }
}

/// The credentials that would enter if a proposal was committed.
pub(super) fn of_proposal(
    proposal: &QueuedProposal,
    group: &MlsGroup,
) -> Result<Vec<CredentialToValidate>> {
    Ok(match (proposal.proposal(), proposal.sender()) {
        (Proposal::Add(add), _) => vec![CredentialToValidate {
            party: add.key_package().leaf_node().into(),
            reason: CredentialReason::Added,
        }],
        (Proposal::Update(update), Sender::Member(index)) => {
            let party = Party::from(update.leaf_node());
            let before = groups::member_at(group, *index);
            before
                .filter(|before| Party::from(before) != party)
                .map(|before| CredentialToValidate {
                    party,
                    reason: CredentialReason::Updated { before },
                })
                .into_iter()
                .collect()
        }
        (Proposal::GroupContextExtensions(proposed), _) => {
            let present = external_senders(group)?;
            senders_in(&Extension::list_from_mls(proposed.extensions())?)
                .filter(|sender| !present.contains(sender))
                .map(CredentialToValidate::external_sender)
                .collect()
        }
        _ => vec![],
    })
}

/// The external senders of a group, in order.
fn external_senders(group: &MlsGroup) -> Result<Vec<Party>> {
    Ok(senders_in(&Extension::list_from_mls(group.extensions())?).collect())
}

/// The external senders among group context extensions.
pub(super) fn senders_in(extensions: &[Extension]) -> impl Iterator<Item = Party> + '_ {
    extensions
        .iter()
        .filter_map(|extension| match extension {
            Extension::ExternalSenders { senders } => Some(senders),
            _ => None,
        })
        .flatten()
        .cloned()
}
