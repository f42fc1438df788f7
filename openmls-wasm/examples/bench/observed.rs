//! A `GranularStorage` that is watched: the time spent in it, and what OpenMLS hands to it.

use std::cell::Cell;

use openmls_rust_crypto::RustCrypto;
use openmls_traits::{
    storage::{traits, StorageProvider, CURRENT_VERSION},
    OpenMlsProvider,
};
use openmls_wasm::{GranularStorage, StorageError};

use crate::clock::now;

/// Is shown the values that are worth looking at, as OpenMLS has them in memory.
pub trait Observer {
    /// `write_tree`
    fn tree<T: traits::TreeSync<CURRENT_VERSION>>(&self, _: &T) {}
    /// `write_message_secrets`
    fn message_secrets<T: traits::MessageSecrets<CURRENT_VERSION>>(&self, _: &T) {}
    /// `write_mls_join_config`
    fn join_config<T: traits::MlsGroupJoinConfig<CURRENT_VERSION>>(&self, _: &T) {}
}

/// Looks at nothing.
impl Observer for () {}

/// OpenMLS's provider, with a store that is watched.
#[derive(Default)]
pub struct Observed<O> {
    crypto: RustCrypto,
    pub storage: Watched<O>,
}

/// The store.
#[derive(Default)]
pub struct Watched<O> {
    pub inner: GranularStorage,
    pub observer: O,
    /// Milliseconds spent in the store.
    spent: Cell<f64>,
}

impl<O> Watched<O> {
    /// Milliseconds spent in the store since this was last called.
    pub fn take_spent(&self) -> f64 {
        self.spent.replace(0.0)
    }

    fn timed<T>(&self, work: impl FnOnce(&GranularStorage) -> T) -> T {
        let start = now();
        let value = work(&self.inner);
        self.spent.set(self.spent.get() + now() - start);
        value
    }
}

impl<O: Observer> OpenMlsProvider for Observed<O> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Watched<O>;

    fn storage(&self) -> &Watched<O> {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

type Result<T> = std::result::Result<T, StorageError>;

macro_rules! delegate {
    ($($(#[$attribute:meta])* $name:ident<$($type:ident: $bound:ident),*>($($argument:ident: $of:ty),*) -> $result:ty;)*) => {
        $(
            $(#[$attribute])*
            fn $name<$($type: traits::$bound<CURRENT_VERSION>),*>(&self, $($argument: $of),*) -> Result<$result> {
                self.timed(|inner| inner.$name::<$($type),*>($($argument),*))
            }
        )*
    };
}

impl<O: Observer> StorageProvider<CURRENT_VERSION> for Watched<O> {
    type Error = StorageError;

    fn write_tree<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        TreeSync: traits::TreeSync<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        tree: &TreeSync,
    ) -> Result<()> {
        self.observer.tree(tree);
        self.timed(|inner| inner.write_tree(group_id, tree))
    }

    fn write_message_secrets<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        MessageSecrets: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        message_secrets: &MessageSecrets,
    ) -> Result<()> {
        self.observer.message_secrets(message_secrets);
        self.timed(|inner| inner.write_message_secrets(group_id, message_secrets))
    }

    fn write_mls_join_config<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        MlsGroupJoinConfig: traits::MlsGroupJoinConfig<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        config: &MlsGroupJoinConfig,
    ) -> Result<()> {
        self.observer.join_config(config);
        self.timed(|inner| inner.write_mls_join_config(group_id, config))
    }

    delegate! {
        append_own_leaf_node<GroupId: GroupId, LeafNode: LeafNode>(group_id: &GroupId, leaf_node: &LeafNode) -> ();
        queue_proposal<GroupId: GroupId, ProposalRef: ProposalRef, QueuedProposal: QueuedProposal>(group_id: &GroupId, proposal_ref: &ProposalRef, proposal: &QueuedProposal) -> ();
        write_interim_transcript_hash<GroupId: GroupId, InterimTranscriptHash: InterimTranscriptHash>(group_id: &GroupId, interim_transcript_hash: &InterimTranscriptHash) -> ();
        write_context<GroupId: GroupId, GroupContext: GroupContext>(group_id: &GroupId, group_context: &GroupContext) -> ();
        write_confirmation_tag<GroupId: GroupId, ConfirmationTag: ConfirmationTag>(group_id: &GroupId, confirmation_tag: &ConfirmationTag) -> ();
        write_group_state<GroupState: GroupState, GroupId: GroupId>(group_id: &GroupId, group_state: &GroupState) -> ();
        write_resumption_psk_store<GroupId: GroupId, ResumptionPskStore: ResumptionPskStore>(group_id: &GroupId, resumption_psk_store: &ResumptionPskStore) -> ();
        write_own_leaf_index<GroupId: GroupId, LeafNodeIndex: LeafNodeIndex>(group_id: &GroupId, own_leaf_index: &LeafNodeIndex) -> ();
        write_group_epoch_secrets<GroupId: GroupId, GroupEpochSecrets: GroupEpochSecrets>(group_id: &GroupId, group_epoch_secrets: &GroupEpochSecrets) -> ();
        #[cfg(feature = "extensions-draft")]
        write_application_export_tree<GroupId: GroupId, ApplicationExportTree: ApplicationExportTree>(group_id: &GroupId, application_export_tree: &ApplicationExportTree) -> ();
        write_signature_key_pair<SignaturePublicKey: SignaturePublicKey, SignatureKeyPair: SignatureKeyPair>(public_key: &SignaturePublicKey, signature_key_pair: &SignatureKeyPair) -> ();
        write_encryption_key_pair<EncryptionKey: EncryptionKey, HpkeKeyPair: HpkeKeyPair>(public_key: &EncryptionKey, key_pair: &HpkeKeyPair) -> ();
        write_encryption_epoch_key_pairs<GroupId: GroupId, EpochKey: EpochKey, HpkeKeyPair: HpkeKeyPair>(group_id: &GroupId, epoch: &EpochKey, leaf_index: u32, key_pairs: &[HpkeKeyPair]) -> ();
        write_key_package<HashReference: HashReference, KeyPackage: KeyPackage>(hash_ref: &HashReference, key_package: &KeyPackage) -> ();
        write_psk<PskId: PskId, PskBundle: PskBundle>(psk_id: &PskId, psk: &PskBundle) -> ();
        mls_group_join_config<GroupId: GroupId, MlsGroupJoinConfig: MlsGroupJoinConfig>(group_id: &GroupId) -> Option<MlsGroupJoinConfig>;
        own_leaf_nodes<GroupId: GroupId, LeafNode: LeafNode>(group_id: &GroupId) -> Vec<LeafNode>;
        queued_proposal_refs<GroupId: GroupId, ProposalRef: ProposalRef>(group_id: &GroupId) -> Vec<ProposalRef>;
        queued_proposals<GroupId: GroupId, ProposalRef: ProposalRef, QueuedProposal: QueuedProposal>(group_id: &GroupId) -> Vec<(ProposalRef, QueuedProposal)>;
        tree<GroupId: GroupId, TreeSync: TreeSync>(group_id: &GroupId) -> Option<TreeSync>;
        group_context<GroupId: GroupId, GroupContext: GroupContext>(group_id: &GroupId) -> Option<GroupContext>;
        interim_transcript_hash<GroupId: GroupId, InterimTranscriptHash: InterimTranscriptHash>(group_id: &GroupId) -> Option<InterimTranscriptHash>;
        confirmation_tag<GroupId: GroupId, ConfirmationTag: ConfirmationTag>(group_id: &GroupId) -> Option<ConfirmationTag>;
        group_state<GroupState: GroupState, GroupId: GroupId>(group_id: &GroupId) -> Option<GroupState>;
        message_secrets<GroupId: GroupId, MessageSecrets: MessageSecrets>(group_id: &GroupId) -> Option<MessageSecrets>;
        resumption_psk_store<GroupId: GroupId, ResumptionPskStore: ResumptionPskStore>(group_id: &GroupId) -> Option<ResumptionPskStore>;
        own_leaf_index<GroupId: GroupId, LeafNodeIndex: LeafNodeIndex>(group_id: &GroupId) -> Option<LeafNodeIndex>;
        group_epoch_secrets<GroupId: GroupId, GroupEpochSecrets: GroupEpochSecrets>(group_id: &GroupId) -> Option<GroupEpochSecrets>;
        signature_key_pair<SignaturePublicKey: SignaturePublicKey, SignatureKeyPair: SignatureKeyPair>(public_key: &SignaturePublicKey) -> Option<SignatureKeyPair>;
        encryption_key_pair<HpkeKeyPair: HpkeKeyPair, EncryptionKey: EncryptionKey>(public_key: &EncryptionKey) -> Option<HpkeKeyPair>;
        encryption_epoch_key_pairs<GroupId: GroupId, EpochKey: EpochKey, HpkeKeyPair: HpkeKeyPair>(group_id: &GroupId, epoch: &EpochKey, leaf_index: u32) -> Vec<HpkeKeyPair>;
        key_package<KeyPackageRef: HashReference, KeyPackage: KeyPackage>(hash_ref: &KeyPackageRef) -> Option<KeyPackage>;
        psk<PskBundle: PskBundle, PskId: PskId>(psk_id: &PskId) -> Option<PskBundle>;
        #[cfg(feature = "extensions-draft")]
        application_export_tree<GroupId: GroupId, ApplicationExportTree: ApplicationExportTree>(group_id: &GroupId) -> Option<ApplicationExportTree>;
        remove_proposal<GroupId: GroupId, ProposalRef: ProposalRef>(group_id: &GroupId, proposal_ref: &ProposalRef) -> ();
        delete_own_leaf_nodes<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_group_config<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_tree<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_confirmation_tag<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_group_state<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_context<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_interim_transcript_hash<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_message_secrets<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_all_resumption_psk_secrets<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_own_leaf_index<GroupId: GroupId>(group_id: &GroupId) -> ();
        delete_group_epoch_secrets<GroupId: GroupId>(group_id: &GroupId) -> ();
        clear_proposal_queue<GroupId: GroupId, ProposalRef: ProposalRef>(group_id: &GroupId) -> ();
        delete_signature_key_pair<SignaturePublicKey: SignaturePublicKey>(public_key: &SignaturePublicKey) -> ();
        delete_encryption_key_pair<EncryptionKey: EncryptionKey>(public_key: &EncryptionKey) -> ();
        delete_encryption_epoch_key_pairs<GroupId: GroupId, EpochKey: EpochKey>(group_id: &GroupId, epoch: &EpochKey, leaf_index: u32) -> ();
        delete_key_package<KeyPackageRef: HashReference>(hash_ref: &KeyPackageRef) -> ();
        delete_psk<PskKey: PskId>(psk_id: &PskKey) -> ();
        #[cfg(feature = "extensions-draft")]
        delete_application_export_tree<GroupId: GroupId, ApplicationExportTree: ApplicationExportTree>(group_id: &GroupId) -> ();
    }
}
