//! [`MlsClient`]: the operations of MLS over one store, each of them all or nothing.
//!
//! | file | RFC 9420 | what it offers |
//! |---|---|---|
//! | `capabilities` | §7.2 | what a leaf says that its client supports |
//! | `credential` | §5.3 | what a leaf says about its owner |
//! | [`identity`] | §5 | who this client is, and proof of possession of its signature key |
//! | `signature_key` | – | a key for which a certificate is made first; export of the private key |
//! | `key_packages` | §10 | generate, list, replenish, purge and delete key packages |
//! | `key_package_options` | §10 | what they are made with |
//! | `key_package_inspection` | §10.1 | what the key package of another says, verified |
//! | `key_package_state` | – | what became of a key package whose keys are gone |
//! | `create` | §11 | create a group with everything that can be chosen |
//! | `groups` | §11 | create, load, list and delete groups |
//! | [`proposals`], `propose` | §12.1 | what members propose: propose, describe, list, drop |
//! | [`extensions`] | §13 | extensions of the group context and of leaf nodes |
//! | `own_leaf` | §7.2 | the own leaf of a group: a new credential or signature key, and its key pairs |
//! | `requirements` | §12.1.7 | what new extensions require of the members |
//! | `commits`, `staging` | §12.4 | add, remove, update, leave, commit proposals; merge or clear |
//! | `summaries` | – | what lists show of groups that are not in memory |
//! | `messages` | §6, §15 | encrypt |
//! | `incoming` | §6, §12, §15 | process whatever comes in |
//! | `changes` | §5.3.1, §12.4 | what a commit changes, and which credentials enter by it |
//! | `inspection` | – | look at a message or Welcome before accepting or refusing it |
//! | [`early`] | §15.2 | keep messages that came before their epoch |
//! | `welcome` | §12.4.3.1 | join by Welcome |
//! | `fingerprint` | §5.3 | what two people compare to know whose keys these are |
//! | `group_info` | §12.4.3 | export and read group infos and ratchet trees |
//! | `external_join`, `external_commit`, `pending_join` | §12.4.3.2 | join by external commit |
//! | `external_proposals` | §12.1.8 | propose from outside |
//! | `exporter` | §8.5 | secrets for the app |
//! | `safe_exporter` | draft | secrets for components of the app, each once |
//! | `psk` | §8.4 | external pre-shared keys |
//! | `retained_epochs` | §15.2 | read messages of epochs that are over |
//! | `recovery` | – | after a fork: add the others again, or go on in a new group |
//! | `snapshot`, `inert` | – | what leaves for a snapshot, and what comes back of it; moving to another database |
//! | `settings` | – | how a group treats its messages |
//! | [`witness`] | – | whether this state is the newest that the delivery service knows |
//! | [`outbox`], [`inbox`] | – | what was produced and not handed over yet (G10) |
//! | `delivery`, `welcome_delivery` | – | receive from a delivery service: position, item and keys in one batch |
//!
//! Every operation runs inside a savepoint of the store. If it fails, records and dirty events are
//! what they were before, and the live `MlsGroup` (which cannot be copied or compared) is dropped
//! and loaded from the records when it is needed next (G2).

mod capabilities;
mod changes;
mod commits;
mod create;
mod credential;
mod crypto;
mod delivery;
pub mod early;
pub mod error;
mod exporter;
pub mod extensions;
mod external_commit;
mod external_join;
mod external_proposals;
mod fingerprint;
mod group_info;
mod groups;
pub mod identity;
pub mod inbox;
mod incoming;
mod inert;
mod inspection;
mod key_package_inspection;
mod key_package_options;
mod key_package_state;
mod key_packages;
mod messages;
pub mod outbox;
mod own_leaf;
mod pending_join;
pub mod proposals;
mod propose;
mod provider;
mod psk;
mod recovery;
mod requirements;
mod retained_epochs;
#[cfg(feature = "extensions-draft")]
mod safe_exporter;
mod settings;
mod signature_key;
mod snapshot;
mod staging;
mod summaries;
mod welcome;
mod welcome_delivery;
pub mod witness;

use std::collections::HashMap;

use openmls::group::MlsGroup;
use openmls_traits::OpenMlsProvider;

pub use capabilities::{AppCapabilities, Capabilities};
pub use changes::{CommittedProposal, CredentialReason, CredentialToValidate, UpdatedMember};
pub use commits::CommitRequest;
pub use create::GroupOptions;
pub use credential::Credential;
pub use delivery::Delivered;
pub use early::{EarlyMessage, EarlyMessageSettings};
pub use error::ClientError;
pub use extensions::Extension;
pub use external_commit::{ExternalJoin, ExternalJoinInfo};
pub use external_proposals::ProposalTarget;
pub use group_info::GroupInfoDetails;
pub use groups::{GroupInfo, Member};
pub use identity::Identity;
pub use inbox::{InboxContent, InboxItem};
pub use incoming::{Processed, ProcessedContent};
pub use inspection::WelcomeInfo;
pub use key_package_inspection::{KeyPackageDetails, LifetimeStatus};
pub use key_package_options::KeyPackageOptions;
pub use key_packages::{KeyPackageInfo, KeyPackageState};
pub use outbox::{OutboxEntry, OutboxKind, Party};
pub use own_leaf::LeafUpdate;
pub use proposals::{PendingProposal, ProposalInfo, ProposalRequest, ProposalSender, PskUsage};
pub use recovery::Reboot;
pub use settings::{GroupSettings, WireFormatPolicy};
pub use snapshot::{is_read_for_snapshots, Imported};
pub use summaries::{GroupSummary, Role};
pub use welcome::JoinOptions;
pub use welcome_delivery::DeliveredWelcome;
pub use witness::UploadLink;

use crate::storage::{Batch, GranularStorage, Page, Record, Savepoint};
use identity::LoadedIdentity;
use provider::Provider;

/// The result of an operation of the client.
pub type Result<T> = std::result::Result<T, ClientError>;

/// One MLS client (RFC 9420 §2): one identity, one store, any number of groups.
///
/// It works in memory. What changed is fetched with [`drain_storage_events`](Self::drain_storage_events)
/// and must be stored before the result of an operation leaves the device (G1).
#[derive(Debug, Default)]
pub struct MlsClient {
    provider: Provider,
    /// Groups in use. One that is missing here is loaded from the records.
    groups: HashMap<Vec<u8>, MlsGroup>,
    identity: Option<LoadedIdentity>,
    /// What groups are created and joined with.
    settings: GroupSettings,
    /// What the app supports beside what this library does.
    capabilities: AppCapabilities,
    /// The next sequence of an inbox item or outbox entry; `None` until the records were looked at.
    next_sequence: Option<u64>,
    early_settings: EarlyMessageSettings,
    /// What the last operation produced out of messages that had been kept.
    early_items: Vec<InboxItem>,
    /// The full export that is under way.
    moving: Option<u32>,
}

impl MlsClient {
    /// A client with an empty store: hydrate it, or create an identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// The settings that groups are created and joined with from now on. Those of groups that exist
    /// stay.
    pub fn set_group_settings(&mut self, settings: GroupSettings) {
        self.settings = settings;
    }

    /// What the app supports beside what this library does: its own types of proposals and extensions.
    /// Key packages that are generated and groups that are created from now on say so; the leaf of a
    /// group that exists gets it by [`LeafUpdate::capabilities`].
    pub fn set_app_capabilities(&mut self, capabilities: AppCapabilities) {
        self.capabilities = capabilities;
    }

    /// The store, for inspection and tests.
    pub fn storage(&self) -> &GranularStorage {
        self.provider.storage()
    }

    /// Everything that changed since the last batch, or `None` if nothing did.
    ///
    /// # Errors
    /// `batch-unconfirmed` while the last batch is neither confirmed nor put back.
    pub fn drain_storage_events(&self) -> Result<Option<Batch>> {
        Ok(self.storage().drain()?)
    }

    /// The batch is stored for good: what it deleted leaves memory.
    ///
    /// # Errors
    /// `unknown-batch` if that batch is not waiting for an answer.
    pub fn confirm_batch(&self, sequence: u64) -> Result<()> {
        Ok(self.storage().confirm(sequence)?)
    }

    /// The batch was not stored: the next one holds its changes too (G3).
    ///
    /// # Errors
    /// `unknown-batch` if that batch is not waiting for an answer.
    pub fn put_back_batch(&self, sequence: u64) -> Result<()> {
        Ok(self.storage().put_back(sequence)?)
    }

    /// Undoes everything that no confirmed batch holds (G3). To be called only when it is certain
    /// that the batch on its way was not stored.
    pub fn roll_back_unconfirmed(&mut self) -> Result<()> {
        self.storage().roll_back_unconfirmed()?;
        self.forget_live_state();
        Ok(())
    }

    /// Takes in stored records: all or nothing, nothing becomes dirty (G5).
    ///
    /// # Errors
    /// A record that cannot be read (`malformed-key`, `unsupported-format`, `damaged-record`) or
    /// that memory has something newer for (`hydrate-conflict`); then nothing was taken in.
    pub fn hydrate(&mut self, records: Vec<Record>) -> Result<()> {
        self.storage().hydrate(records)?;
        self.forget_live_state();
        self.refuse_changes_if_moved()?;
        // A database without the identity's private key would fail at the first operation, with
        // an error that does not say why (G6).
        self.load_identity()
    }

    /// Takes in the stored records of the client itself. What else an operation needs it then asks for
    /// with [`NotLoaded`](crate::StorageError::NotLoaded), and has changed nothing: bring the page
    /// by [`hydrate_page`](Self::hydrate_page), and do the operation again. So opening costs the same
    /// however many groups there are (G9).
    ///
    /// # Errors
    /// Those of [`hydrate`](Self::hydrate); `malformed-key` for a record of another scope.
    pub fn hydrate_client(&mut self, records: Vec<Record>) -> Result<()> {
        self.storage().hydrate_client(records)?;
        self.forget_live_state();
        self.refuse_changes_if_moved()?;
        self.load_identity()
    }

    /// Takes in all stored records of a page: a group, or a category that is loaded when it is asked for.
    ///
    /// # Errors
    /// Those of [`hydrate`](Self::hydrate), with `damaged-group` for records of a group that do not
    /// belong together. That group cannot be used then; all others can.
    pub fn hydrate_page(&mut self, page: Page, records: Vec<Record>) -> Result<()> {
        Ok(self.storage().hydrate_page(page, records)?)
    }

    /// The keys of records of [`DigestNode`](crate::storage::Category::DigestNode) that are worth loading
    /// together with a group (its id in hex) that is not in memory: otherwise
    /// [`hydrate_page`](Self::hydrate_page), and the next operation in the group, ask for them one by one.
    /// A record of that key may not exist.
    pub fn nodes_to_load(&self, group: &str) -> Result<Vec<String>> {
        Ok(self.storage().nodes_to_load(group)?)
    }

    /// Lets go of the groups that were not used for longest, until the records of the others take no
    /// more than `limit` bytes; what they are in use takes about as much again. They are loaded again
    /// when they are asked for. A group with changes that are not confirmed stays, and the one that was
    /// used last.
    ///
    /// Only after [`hydrate_client`](Self::hydrate_client); otherwise nothing happens.
    pub fn release_groups(&mut self, limit: usize) -> Result<()> {
        for group_id in self.storage().release_groups(limit)? {
            self.groups.remove(&group_id);
        }
        Ok(())
    }

    fn forget_live_state(&mut self) {
        self.groups.clear();
        self.identity = None;
        self.next_sequence = None;
        self.early_items.clear();
    }

    /// Runs an operation that belongs to no loaded group.
    fn atomically<T>(&mut self, operation: impl FnOnce(&Provider) -> Result<T>) -> Result<T> {
        let savepoint = self.provider.storage().savepoint()?;
        settled(savepoint, operation(&self.provider))
    }

    /// Runs an operation on a group, with the identity that the own leaf has there. The group is out
    /// of the map meanwhile: if the operation fails, it is dropped with whatever the failure left
    /// in it.
    fn with_group<T>(
        &mut self,
        group_id: &[u8],
        operation: impl FnOnce(&Provider, &LoadedIdentity, &mut MlsGroup) -> Result<T>,
    ) -> Result<T> {
        let (mut group, in_group) = self.take_group(group_id)?;
        let identity = in_group.as_ref().or(self.identity.as_ref());
        let identity = identity.ok_or(ClientError::NoIdentity)?;
        let savepoint = self.provider.storage().savepoint()?;
        let result = operation(&self.provider, identity, &mut group);
        let value = settled(savepoint, noted(&self.provider, &group, result))?;
        self.keep_group(group);
        Ok(value)
    }

    /// A group, out of the map, and the identity there if it is not the client's. Like
    /// [`keep_group`](Self::keep_group), [`released`] and [`undone`] a function of its own: one copy of
    /// it serves every operation, and the wasm is smaller for it.
    #[inline(never)]
    fn take_group(&mut self, group_id: &[u8]) -> Result<(MlsGroup, Option<LoadedIdentity>)> {
        self.load_identity()?;
        let identity = self.identity.as_ref().ok_or(ClientError::NoIdentity)?;
        self.provider.storage().note_use(group_id)?;
        let group = match self.groups.remove(group_id) {
            Some(group) => group,
            None => groups::load(&self.provider, group_id)?,
        };
        let in_group = own_leaf::identity_in(&self.provider, identity, &group)?;
        Ok((group, in_group))
    }

    #[inline(never)]
    fn keep_group(&mut self, group: MlsGroup) {
        self.groups.insert(group.group_id().to_vec(), group);
    }

    /// The next sequence of an inbox item or outbox entry: larger than any that was ever stored.
    fn next_sequence(&mut self) -> Result<u64> {
        let next = match self.next_sequence {
            Some(next) => next,
            None => outbox::last_sequence(self.storage())?.map_or(0, |last| last + 1),
        };
        self.next_sequence = Some(next + 1);
        Ok(next)
    }
}

/// Ends an operation: its changes stay if it succeeded, and only then. A failure of the store is
/// reported as that, even where OpenMLS made something else of it.
fn settled<T>(savepoint: Savepoint<'_>, result: Result<T>) -> Result<T> {
    match result {
        Ok(value) => released(savepoint).map(|()| value),
        Err(error) => Err(undone(savepoint, error)),
    }
}

/// What an operation on a group came to, its summary brought up to date.
fn noted<T>(provider: &Provider, group: &MlsGroup, result: Result<T>) -> Result<T> {
    let value = result?;
    summaries::note(provider, group)?;
    Ok(value)
}

#[inline(never)]
fn released(savepoint: Savepoint<'_>) -> Result<()> {
    Ok(savepoint.release()?)
}

#[inline(never)]
fn undone(savepoint: Savepoint<'_>, error: ClientError) -> ClientError {
    savepoint.failure().map_or(error, ClientError::from)
}

/// Fault injection for tests.
#[cfg(feature = "test-hooks")]
impl MlsClient {
    /// Panics: how a test brings about what must never happen otherwise.
    pub fn panic_for_test(&self) {
        panic!("a panic provoked by a test");
    }
}
