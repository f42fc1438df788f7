//! What a commit's new group context extensions require, held against everyone who is in the group
//! then (RFC 9420 §12.1.7). OpenMLS 0.9.2 looks at the extension types only, and only at those who
//! are in the group already (`validation.rs`, `validate_group_context_extensions_proposal`).

use openmls::prelude::{
    ExtensionType, LeafNode, LeafNodeIndex, MlsGroup, Proposal, ProposalType, QueuedProposal,
    RequiredCapabilitiesExtension, Sender,
};

use super::{staging::Plan, ClientError, Result};

/// # Errors
/// `commit-rejected` if the commit of `plan` and of the proposals `waiting` requires what one of the
/// members does not support.
pub(super) fn check(group: &MlsGroup, plan: &Plan, waiting: &[&QueuedProposal]) -> Result<()> {
    let proposed = waiting.iter().filter_map(|queued| match queued.proposal() {
        Proposal::GroupContextExtensions(proposed) => Some(proposed.extensions()),
        _ => None,
    });
    let mut required = plan
        .extensions
        .iter()
        .chain(proposed)
        .filter_map(|extensions| extensions.required_capabilities())
        .peekable();
    if required.peek().is_none() {
        return Ok(());
    }
    let removed: Vec<LeafNodeIndex> = waiting
        .iter()
        .filter_map(|queued| removed_by(queued))
        .chain(plan.removals.iter().copied())
        .collect();
    let members = group
        .treesync()
        .full_leaves()
        .filter(|(index, _)| !removed.contains(index))
        .map(|(_, leaf)| leaf);
    let added = waiting.iter().filter_map(|queued| match queued.proposal() {
        Proposal::Add(add) => Some(add.key_package().leaf_node()),
        _ => None,
    });
    let adds = plan.adds.iter().map(|key_package| key_package.leaf_node());
    let leaves: Vec<&LeafNode> = members.chain(added).chain(adds).collect();
    match required.all(|required| leaves.iter().all(|leaf| supports(leaf, required))) {
        true => Ok(()),
        false => Err(ClientError::CommitRejected(
            "a member does not support what the new extensions require".into(),
        )),
    }
}

fn removed_by(queued: &QueuedProposal) -> Option<LeafNodeIndex> {
    match (queued.proposal(), queued.sender()) {
        (Proposal::Remove(remove), _) => Some(remove.removed()),
        (Proposal::SelfRemove, Sender::Member(index)) => Some(*index),
        _ => None,
    }
}

fn supports(leaf: &LeafNode, required: &RequiredCapabilitiesExtension) -> bool {
    let listed = leaf.capabilities();
    // The types of RFC 9420 itself (§17.3, §17.4): every client supports them, and lists none.
    let extension =
        |it: &ExtensionType| (1..=5).contains(&u16::from(*it)) || listed.extensions().contains(it);
    let proposal =
        |it: &ProposalType| (1..=7).contains(&u16::from(*it)) || listed.proposals().contains(it);
    required.extension_types().iter().all(extension)
        && required.proposal_types().iter().all(proposal)
        && required
            .credential_types()
            .iter()
            .all(|it| listed.credentials().contains(it))
}
