//! Inspecting before accepting: what a message or Welcome would do, with nothing done.
//!
//! Opening a commit or a Welcome uses up keys, so it is opened on a scratch copy of the records it
//! needs, which is then dropped and wiped. The client itself has changed nothing, has nothing to
//! store, and goes on with other messages meanwhile. Whoever accepts hands in the same bytes again,
//! with the epoch of the inspection: [`process_message_in_epoch`](MlsClient::process_message_in_epoch),
//! [`receive_message`](MlsClient::receive_message), [`receive_welcome`](MlsClient::receive_welcome).
//! Whoever refuses lets it be or, with a delivery service, calls
//! [`reject_message`](MlsClient::reject_message) or [`reject_welcome`](MlsClient::reject_welcome).

use openmls::prelude::StagedWelcome;
use openmls::schedule::PreSharedKeyId;
use openmls_traits::OpenMlsProvider;

use super::{
    changes::{self, CredentialReason, CredentialToValidate},
    extensions::Extension,
    groups, incoming,
    incoming::Processed,
    provider::Provider,
    settled, welcome, Member, MlsClient, ProposalInfo, Result,
};
use crate::storage::{key, Category, GranularStorage, Scope};

/// What a Welcome leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WelcomeInfo {
    /// The group.
    pub group_id: Vec<u8>,
    /// The epoch that is joined.
    pub epoch: u64,
    /// The ciphersuite's number (RFC 9420 §17.1).
    pub ciphersuite: u16,
    /// Who added this client.
    pub sender: Option<Member>,
    /// The members, this client included, by leaf index.
    pub members: Vec<Member>,
    /// The pre-shared keys that the epoch rests on (RFC 9420 §8.4), as proposals name them.
    pub psks: Vec<ProposalInfo>,
    /// Every credential that is in the group (RFC 9420 §5.3.1): those of the members and of the
    /// external senders.
    pub credentials: Vec<CredentialToValidate>,
}

impl MlsClient {
    /// What [`process_message`](Self::process_message) would return for a message. Nothing changes,
    /// and no key is used up.
    ///
    /// # Errors
    /// Those of [`process_message`](Self::process_message).
    pub fn inspect_message(&self, bytes: &[u8]) -> Result<Processed> {
        let message = incoming::parse(bytes)?;
        let group_id = message.group_id().to_vec();
        let own = self.own_entry(bytes, None)?;
        if let Some(joined) = self.own_join(own.as_ref())? {
            return Ok(joined);
        }
        let provider = scratch(self.storage())?;
        copy_group(self.storage(), &provider, &group_id)?;
        let mut group = groups::load(&provider, &group_id)?;
        let savepoint = provider.storage().savepoint()?;
        let handled = incoming::handle(&provider, &mut group, message, own.as_ref());
        settled(savepoint, handled)
    }

    /// What a Welcome (an MLSMessage) leads to. Nothing changes: its key package stays.
    ///
    /// # Errors
    /// Those of [`join_group_with_tree`](Self::join_group_with_tree).
    pub fn inspect_welcome(
        &self,
        welcome: &[u8],
        ratchet_tree: Option<&[u8]>,
    ) -> Result<WelcomeInfo> {
        let provider = scratch(self.storage())?;
        let copy = |group_id: &[u8]| copy_group(self.storage(), &provider, group_id);
        let settings = &self.settings;
        let savepoint = provider.storage().savepoint()?;
        let staged = welcome::stage(&provider, settings, welcome, ratchet_tree, copy);
        let (staged, psks) = settled(savepoint, staged)?;
        WelcomeInfo::of(&staged, &psks)
    }
}

/// Every credential in a group that is joined.
pub(super) fn credentials(
    members: &[Member],
    extensions: &[Extension],
) -> Vec<CredentialToValidate> {
    members
        .iter()
        .map(|member| CredentialToValidate {
            party: member.into(),
            reason: CredentialReason::Member {
                leaf_index: member.leaf_index,
            },
        })
        .chain(changes::senders_in(extensions).map(CredentialToValidate::external_sender))
        .collect()
}

impl WelcomeInfo {
    fn of(staged: &StagedWelcome, psks: &[PreSharedKeyId]) -> Result<Self> {
        let context = staged.group_context();
        let members: Vec<Member> = staged.members().map(Member::from).collect();
        let sender = staged.welcome_sender_index().u32();
        let extensions = Extension::list_from_mls(context.extensions())?;
        let credentials = credentials(&members, &extensions);
        Ok(Self {
            group_id: context.group_id().to_vec(),
            epoch: context.epoch().as_u64(),
            ciphersuite: context.ciphersuite().into(),
            sender: members
                .iter()
                .find(|member| member.leaf_index == sender)
                .cloned(),
            members,
            psks: psks.iter().map(ProposalInfo::of_psk).collect(),
            credentials,
        })
    }
}

/// A store of its own with what belongs to the client, but for what no message is processed with.
/// Values are shared, not copied, until the scratch store writes them. What is not in memory is not
/// known there either.
fn scratch(live: &GranularStorage) -> Result<Provider> {
    let provider = Provider::default();
    for category in Category::ALL {
        if category.scope() != Scope::Group && *category != Category::Inbox {
            let records = live.loaded(*category)?;
            provider.storage().adopt(records)?;
        }
    }
    provider.storage().page_like(live)?;
    Ok(provider)
}

/// Adds the records of a group to a scratch store.
fn copy_group(live: &GranularStorage, scratch: &Provider, group_id: &[u8]) -> Result<()> {
    let group = key::bytes_key(group_id);
    live.note_use(group_id)?;
    scratch.storage().note_new(group_id)?;
    Category::ALL
        .iter()
        .filter(|category| category.scope() == Scope::Group)
        .try_for_each(|category| copy(live, scratch, &group, *category))
}

/// Adds the records of a group that it is loaded from to a scratch store, but for those of a category.
pub(super) fn copy_group_but(
    live: &GranularStorage,
    scratch: &Provider,
    group: &str,
    left_out: Category,
) -> Result<()> {
    Category::ALL
        .iter()
        .filter(|category| category.scope() == Scope::Group && **category != left_out)
        .try_for_each(|category| copy(live, scratch, group, *category))
}

fn copy(live: &GranularStorage, scratch: &Provider, group: &str, category: Category) -> Result<()> {
    let records = live.records_of(category, Some(group))?;
    Ok(scratch.storage().adopt(records)?)
}
