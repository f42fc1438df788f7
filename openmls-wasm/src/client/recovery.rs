//! Recovery from a fork: members that merged different commits are in different epochs of one number
//! and cannot read each other any more. A delivery service that orders commits prevents it; without
//! one it happens.
//!
//! That there is a fork, who is on which side and which side is to go on, only the app can know. Then
//! there are three ways:
//!
//! - a member of the side that goes on removes all others and adds them again by new key packages
//!   ([`recover_fork_by_readding`](MlsClient::recover_fork_by_readding)), after they have given up
//!   theirs ([`abandon_fork`](MlsClient::abandon_fork));
//! - those on the other side join by themselves
//!   ([`join_by_external_commit`](MlsClient::join_by_external_commit));
//! - everyone goes on in a new group ([`reboot_group`](MlsClient::reboot_group)).
//!
//! A new group is also the nearest there is to re-initialization and branching (RFC 9420 §11.2,
//! §11.3). OpenMLS 0.9.2 leaves a ReInit proposal out of every commit (`proposal_store.rs:608`),
//! refuses a resumption PSK of the usages reinit and branch in one (`psk.rs:383`), and opens no
//! Welcome that has one, because it looks for the key in the store of the new group, which is empty
//! (`creation.rs:695`). The two groups can be bound to each other by an external pre-shared key
//! instead: every member exports the same secret from the old one.

use openmls::prelude::{
    Ciphersuite, Extensions, GroupContext, LeafNodeIndex, MlsGroup, PreSharedKeyProposal, Proposal,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_traits::OpenMlsProvider;

use super::{
    capabilities, commits, delivery, extensions, groups,
    identity::{self, LoadedIdentity},
    inert, key_package_inspection,
    outbox::{self, OutboxEntry},
    own_leaf,
    provider::Provider,
    settled,
    staging::{self, Plan},
    summaries, AppCapabilities, ClientError, Extension, GroupSettings, MlsClient, Result,
};
use crate::storage::{Category, GranularStorage};

/// The group that takes the place of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reboot {
    /// Its id; a random one by default.
    pub group_id: Option<Vec<u8>>,
    /// Whom it has besides this client: key packages, MLSMessages.
    pub key_packages: Vec<Vec<u8>>,
    /// Its group context extensions; those of the old group by default.
    pub extensions: Option<Vec<Extension>>,
    /// Its ciphersuite (RFC 9420 §17.1), of this client's signature scheme; that of the old group by
    /// default.
    pub ciphersuite: Option<u16>,
    /// The ids of external pre-shared keys that its members must have.
    pub external_psks: Vec<Vec<u8>>,
}

impl MlsClient {
    /// Commits the removal of all members but those at `own_partition` (this client is one of them)
    /// and the addition of the owners of `key_packages`: those of the removed that are to come back.
    /// Proposals that wait are not committed with it.
    ///
    /// # Errors
    /// `unknown-member` for an index in `own_partition`; `cannot-remove-self` if this client is not
    /// in it; `nothing-to-commit` if nobody is removed or added; and those of
    /// [`add_members`](Self::add_members).
    pub fn recover_fork_by_readding(
        &mut self,
        group_id: &[u8],
        own_partition: &[u32],
        key_packages: &[Vec<u8>],
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let adds = verified(&self.provider, key_packages)?;
        let id = self.new_entry_id(id)?;
        let sequence = self.next_sequence()?;
        self.with_group(group_id, |provider, identity, group| {
            commits::check_can_commit(provider, group)?;
            let plan = Plan {
                adds,
                removals: complement(group, own_partition)?,
                ..Default::default()
            };
            if plan.is_empty() {
                return Err(ClientError::NothingToCommit);
            }
            let bundle = staging::stage(provider, identity, group, plan, false)?;
            let entry = commits::entry_of(group, bundle, id, sequence)?;
            outbox::add(provider.storage(), &entry)?;
            Ok(entry)
        })
    }

    /// Deletes a group whose fork is not the one that goes on, as
    /// [`delete_group`](Self::delete_group) does, so that a Welcome can lead back into it. Of its
    /// epochs, those after `last_common_epoch` are forgotten: the others have epochs of the same
    /// numbers.
    ///
    /// # Errors
    /// `invalid-argument` for an epoch that the group has not reached; `group-not-found`.
    pub fn abandon_fork(&mut self, group_id: &[u8], last_common_epoch: u64) -> Result<()> {
        let group = groups::load(&self.provider, group_id)?;
        if last_common_epoch > group.epoch().as_u64() {
            return Err(ClientError::InvalidArgument(
                "the fork begins after the present epoch",
            ));
        }
        self.delete_group_of(&group, last_common_epoch)
    }

    /// Creates a new group in the place of `group_id`, with its settings, and commits the addition
    /// of its members. The entry is the first of the log of the new group. The old one stays as it
    /// is: leave or delete it.
    ///
    /// # Errors
    /// `invalid-argument` for no key package, and for extensions that do not belong into a group
    /// context; `invalid-key-package`, `unsupported-ciphersuite`, `unknown-psk`, `group-exists`,
    /// `group-not-found`, `duplicate-id`, `commit-rejected`.
    pub fn reboot_group(
        &mut self,
        group_id: &[u8],
        reboot: &Reboot,
        id: Option<&str>,
    ) -> Result<OutboxEntry> {
        let id = self.new_entry_id(id)?;
        let old = groups::load(&self.provider, group_id)?;
        self.load_identity()?;
        let sequence = self.next_sequence()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        let savepoint = self.provider.storage().savepoint()?;
        let provider = &self.provider;
        let created = create(provider, identity, &self.capabilities, &old, reboot).and_then(
            |(group, bundle)| {
                let entry = commits::entry_of(&group, bundle, id, sequence)?;
                // This client is there from the start: the first message of the log is at position 1.
                delivery::put_cursor(provider.storage(), &entry.group_id, 0)?;
                outbox::add(provider.storage(), &entry)?;
                Ok((group, entry))
            },
        );
        let (group, entry) = settled(savepoint, created)?;
        self.groups.insert(entry.group_id.clone(), group);
        Ok(entry)
    }
}

/// The members that are not in this client's part of the group.
fn complement(group: &mut MlsGroup, own_partition: &[u32]) -> Result<Vec<LeafNodeIndex>> {
    for leaf_index in own_partition {
        if group.member_at(LeafNodeIndex::new(*leaf_index)).is_none() {
            return Err(ClientError::UnknownMember(*leaf_index));
        }
    }
    if !own_partition.contains(&group.own_leaf_index().u32()) {
        return Err(ClientError::CannotRemoveSelf);
    }
    let own_partition: Vec<_> = own_partition
        .iter()
        .copied()
        .map(LeafNodeIndex::new)
        .collect();
    let builder = group
        .recover_fork_by_readding(&own_partition)
        .map_err(ClientError::internal)?;
    let complement = builder.complement_partition().iter();
    Ok(complement.map(|member| member.index).collect())
}

fn create(
    provider: &Provider,
    identity: &LoadedIdentity,
    app: &AppCapabilities,
    old: &MlsGroup,
    reboot: &Reboot,
) -> Result<(MlsGroup, openmls::group::CommitMessageBundle)> {
    let key_packages = verified(provider, &reboot.key_packages)?;
    if key_packages.is_empty() {
        return Err(ClientError::InvalidArgument("no key package"));
    }
    let group_id = match &reboot.group_id {
        Some(group_id) => inert::unless_inert(provider.storage(), group_id)?,
        None => groups::new_id(provider)?,
    };
    let suite = ciphersuite(provider, identity, old, reboot.ciphersuite)?;
    let psks = proposals(provider, suite, &reboot.external_psks)?;
    let extensions: Extensions<GroupContext> = match &reboot.extensions {
        Some(list) => extensions::list_to_mls(list)?,
        None => old.extensions().clone(),
    };
    let capabilities = capabilities::own(
        provider,
        &own_leaf::app_capabilities(old.own_leaf_node(), app),
    );
    // What `MlsGroup::reboot` does, by the same two steps that other groups and commits are made
    // with: a second copy of all that would be 5 kB of wasm.
    let settings = GroupSettings::of(provider.storage(), old.group_id().as_slice())?;
    let config = settings
        .create_config()?
        .ciphersuite(suite)
        .capabilities(capabilities)
        .with_group_context_extensions(extensions)
        .build();
    let mut group = MlsGroup::new_with_group_id(
        provider,
        &identity.signer,
        &config,
        group_id,
        identity.credential_with_key(),
    )?;
    let policy = settings.past_epoch_policy();
    policy.put(provider.storage(), group.group_id().as_slice())?;
    summaries::note(provider, &group)?;
    let plan = Plan {
        adds: key_packages,
        others: psks,
        ..Default::default()
    };
    let bundle = staging::stage(provider, identity, &mut group, plan, false)?;
    Ok((group, bundle))
}

fn ciphersuite(
    provider: &Provider,
    identity: &LoadedIdentity,
    old: &MlsGroup,
    number: Option<u16>,
) -> Result<Ciphersuite> {
    let Some(number) = number else {
        return Ok(old.ciphersuite());
    };
    let scheme = identity.ciphersuite.signature_algorithm();
    identity::supported(provider, number)
        .ok()
        .filter(|suite| suite.signature_algorithm() == scheme)
        .ok_or(ClientError::UnsupportedCiphersuite(number))
}

fn proposals(provider: &Provider, suite: Ciphersuite, ids: &[Vec<u8>]) -> Result<Vec<Proposal>> {
    ids.iter()
        .map(|id| {
            let psk = Psk::External(ExternalPsk::new(id.clone()));
            let key = GranularStorage::key(Category::Psk, &[&psk])?;
            if !provider.storage().contains(Category::Psk, &key)? {
                return Err(ClientError::UnknownPsk);
            }
            let id = PreSharedKeyId::new(suite, provider.rand(), psk);
            let proposal = PreSharedKeyProposal::new(id.map_err(ClientError::internal)?);
            Ok(Proposal::PreSharedKey(Box::new(proposal)))
        })
        .collect()
}

fn verified(
    provider: &Provider,
    key_packages: &[Vec<u8>],
) -> Result<Vec<openmls::prelude::KeyPackage>> {
    key_packages
        .iter()
        .map(|bytes| key_package_inspection::verified(provider, bytes))
        .collect()
}
