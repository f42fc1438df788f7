//! OpenMLS's `StorageProvider<1>` over [`GranularStorage`].
//!
//! Every method is a line: which category, which key. Lists are one record per element, keyed by
//! position, so that appending writes the element and not the list.

use openmls_traits::storage::{traits, StorageProvider, CURRENT_VERSION};
use serde::de::IgnoredAny;

use super::{key::KeyPart, msgpack::Encode, Category, GranularStorage, StorageError};

type Result<T> = std::result::Result<T, StorageError>;

/// `write_…(key, value)`: one record.
macro_rules! write_one {
    ($method:ident, $category:ident, $key:ident, $value:ident) => {
        fn $method<$key: traits::$key<CURRENT_VERSION>, $value: traits::$value<CURRENT_VERSION>>(
            &self,
            id: &$key,
            value: &$value,
        ) -> Result<()> {
            self.write_record(Category::$category, &[id], value)
        }
    };
}

/// The reader of one record; the trait orders the type parameters either way.
macro_rules! read_one {
    ($method:ident, $category:ident, <$first:ident: $first_trait:ident, $second:ident: $second_trait:ident>, $key:ident => $value:ident) => {
        fn $method<
            $first: traits::$first_trait<CURRENT_VERSION>,
            $second: traits::$second_trait<CURRENT_VERSION>,
        >(
            &self,
            id: &$key,
        ) -> Result<Option<$value>> {
            self.read_record(Category::$category, &[id])
        }
    };
    ($method:ident, $category:ident, $key:ident => $value:ident) => {
        read_one!($method, $category, <$key: $key, $value: $value>, $key => $value);
    };
}

macro_rules! delete_one {
    ($method:ident, $category:ident, $key:ident) => {
        fn $method<$key: traits::$key<CURRENT_VERSION>>(&self, id: &$key) -> Result<()> {
            self.delete_record(Category::$category, &[id])
        }
    };
}

impl GranularStorage {
    fn write_record(
        &self,
        category: Category,
        id: &[&dyn KeyPart],
        value: &dyn Encode,
    ) -> Result<()> {
        self.put(category, &Self::key(category, id)?, value)
    }

    fn read_record<T: serde::de::DeserializeOwned>(
        &self,
        category: Category,
        id: &[&dyn KeyPart],
    ) -> Result<Option<T>> {
        self.get(category, &Self::key(category, id)?)
    }

    fn delete_record(&self, category: Category, id: &[&dyn KeyPart]) -> Result<()> {
        self.delete(category, &Self::key(category, id)?)
    }

    /// The key under which a queued proposal stands, if it does.
    fn queued_proposal_key(
        &self,
        group_id: &dyn KeyPart,
        reference: &dyn KeyPart,
    ) -> Result<Option<String>> {
        let category = Category::QueuedProposal;
        let group = Self::key(category, &[group_id])?;
        let reference = Self::key(category, &[reference])?;
        let keys = self.keys_in_range(category, &group)?;
        Ok(keys
            .into_iter()
            .find(|key| key.rsplit('/').next() == Some(reference.as_str())))
    }
}

impl StorageProvider<CURRENT_VERSION> for GranularStorage {
    type Error = StorageError;

    write_one!(
        write_mls_join_config,
        JoinConfig,
        GroupId,
        MlsGroupJoinConfig
    );
    read_one!(mls_group_join_config, JoinConfig, GroupId => MlsGroupJoinConfig);
    delete_one!(delete_group_config, JoinConfig, GroupId);

    write_one!(write_tree, Tree, GroupId, TreeSync);
    read_one!(tree, Tree, GroupId => TreeSync);
    delete_one!(delete_tree, Tree, GroupId);

    write_one!(
        write_interim_transcript_hash,
        InterimTranscriptHash,
        GroupId,
        InterimTranscriptHash
    );
    read_one!(interim_transcript_hash, InterimTranscriptHash, GroupId => InterimTranscriptHash);
    delete_one!(
        delete_interim_transcript_hash,
        InterimTranscriptHash,
        GroupId
    );

    write_one!(write_context, GroupContext, GroupId, GroupContext);
    read_one!(group_context, GroupContext, GroupId => GroupContext);
    delete_one!(delete_context, GroupContext, GroupId);

    write_one!(
        write_confirmation_tag,
        ConfirmationTag,
        GroupId,
        ConfirmationTag
    );
    read_one!(confirmation_tag, ConfirmationTag, GroupId => ConfirmationTag);
    delete_one!(delete_confirmation_tag, ConfirmationTag, GroupId);

    read_one!(group_state, GroupState, <GroupState: GroupState, GroupId: GroupId>, GroupId => GroupState);
    delete_one!(delete_group_state, GroupState, GroupId);
    fn write_group_state<
        GroupState: traits::GroupState<CURRENT_VERSION>,
        GroupId: traits::GroupId<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        group_state: &GroupState,
    ) -> Result<()> {
        self.write_record(Category::GroupState, &[group_id], group_state)
    }

    fn write_message_secrets<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        MessageSecrets: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        message_secrets: &MessageSecrets,
    ) -> Result<()> {
        let group = Self::key(Category::MessageSecrets, &[group_id])?;
        self.put_message_secrets(&group, message_secrets)
    }

    fn message_secrets<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        MessageSecrets: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Option<MessageSecrets>> {
        self.message_secrets_of(&Self::key(Category::MessageSecrets, &[group_id])?)
    }

    fn delete_message_secrets<GroupId: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group_id: &GroupId,
    ) -> Result<()> {
        let category = Category::MessageSecrets;
        self.delete_range(category, &Self::key(category, &[group_id])?)
    }

    write_one!(
        write_resumption_psk_store,
        ResumptionPskStore,
        GroupId,
        ResumptionPskStore
    );
    read_one!(resumption_psk_store, ResumptionPskStore, GroupId => ResumptionPskStore);
    delete_one!(
        delete_all_resumption_psk_secrets,
        ResumptionPskStore,
        GroupId
    );

    write_one!(write_own_leaf_index, OwnLeafIndex, GroupId, LeafNodeIndex);
    read_one!(own_leaf_index, OwnLeafIndex, GroupId => LeafNodeIndex);
    delete_one!(delete_own_leaf_index, OwnLeafIndex, GroupId);

    write_one!(
        write_group_epoch_secrets,
        GroupEpochSecrets,
        GroupId,
        GroupEpochSecrets
    );
    read_one!(group_epoch_secrets, GroupEpochSecrets, GroupId => GroupEpochSecrets);
    delete_one!(delete_group_epoch_secrets, GroupEpochSecrets, GroupId);

    #[cfg(feature = "extensions-draft")]
    write_one!(
        write_application_export_tree,
        ApplicationExportTree,
        GroupId,
        ApplicationExportTree
    );
    #[cfg(feature = "extensions-draft")]
    read_one!(application_export_tree, ApplicationExportTree, GroupId => ApplicationExportTree);
    #[cfg(feature = "extensions-draft")]
    fn delete_application_export_tree<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ApplicationExportTree: traits::ApplicationExportTree<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<()> {
        self.delete_record(Category::ApplicationExportTree, &[group_id])
    }

    write_one!(
        write_signature_key_pair,
        SignatureKeyPair,
        SignaturePublicKey,
        SignatureKeyPair
    );
    read_one!(signature_key_pair, SignatureKeyPair, SignaturePublicKey => SignatureKeyPair);
    delete_one!(
        delete_signature_key_pair,
        SignatureKeyPair,
        SignaturePublicKey
    );

    write_one!(
        write_encryption_key_pair,
        EncryptionKeyPair,
        EncryptionKey,
        HpkeKeyPair
    );
    read_one!(encryption_key_pair, EncryptionKeyPair, <HpkeKeyPair: HpkeKeyPair, EncryptionKey: EncryptionKey>, EncryptionKey => HpkeKeyPair);
    delete_one!(delete_encryption_key_pair, EncryptionKeyPair, EncryptionKey);

    write_one!(write_key_package, KeyPackage, HashReference, KeyPackage);
    read_one!(key_package, KeyPackage, <KeyPackageRef: HashReference, KeyPackage: KeyPackage>, KeyPackageRef => KeyPackage);
    delete_one!(delete_key_package, KeyPackage, HashReference);

    write_one!(write_psk, Psk, PskId, PskBundle);
    read_one!(psk, Psk, <PskBundle: PskBundle, PskId: PskId>, PskId => PskBundle);
    delete_one!(delete_psk, Psk, PskId);

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
        key_pairs: &[HpkeKeyPair],
    ) -> Result<()> {
        let id: [&dyn KeyPart; 3] = [group_id, epoch, &leaf_index];
        self.write_record(Category::EpochKeyPairs, &id, &key_pairs)
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<Vec<HpkeKeyPair>> {
        let id: [&dyn KeyPart; 3] = [group_id, epoch, &leaf_index];
        Ok(self
            .read_record(Category::EpochKeyPairs, &id)?
            .unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<()> {
        self.delete_record(Category::EpochKeyPairs, &[group_id, epoch, &leaf_index])
    }

    fn append_own_leaf_node<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        LeafNode: traits::LeafNode<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        leaf_node: &LeafNode,
    ) -> Result<()> {
        let category = Category::OwnLeafNode;
        let group = Self::key(category, &[group_id])?;
        let position = self.next_position(category, &group)?;
        self.write_record(category, &[group_id, &position], leaf_node)
    }

    fn own_leaf_nodes<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        LeafNode: traits::LeafNode<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Vec<LeafNode>> {
        let category = Category::OwnLeafNode;
        self.get_range(category, &Self::key(category, &[group_id])?)
    }

    fn delete_own_leaf_nodes<GroupId: traits::GroupId<CURRENT_VERSION>>(
        &self,
        group_id: &GroupId,
    ) -> Result<()> {
        let category = Category::OwnLeafNode;
        self.delete_range(category, &Self::key(category, &[group_id])?)
    }

    fn queue_proposal<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
        QueuedProposal: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        proposal_ref: &ProposalRef,
        proposal: &QueuedProposal,
    ) -> Result<()> {
        let category = Category::QueuedProposal;
        let key = match self.queued_proposal_key(group_id, proposal_ref)? {
            Some(key) => key,
            None => {
                let group = Self::key(category, &[group_id])?;
                let position = self.next_position(category, &group)?;
                Self::key(category, &[group_id, &position, proposal_ref])?
            }
        };
        self.put(category, &key, &(proposal_ref, proposal))
    }

    fn queued_proposal_refs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Vec<ProposalRef>> {
        let category = Category::QueuedProposal;
        let queued: Vec<(ProposalRef, IgnoredAny)> =
            self.get_range(category, &Self::key(category, &[group_id])?)?;
        Ok(queued.into_iter().map(|(reference, _)| reference).collect())
    }

    fn queued_proposals<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
        QueuedProposal: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<Vec<(ProposalRef, QueuedProposal)>> {
        let category = Category::QueuedProposal;
        self.get_range(category, &Self::key(category, &[group_id])?)
    }

    fn remove_proposal<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
        proposal_ref: &ProposalRef,
    ) -> Result<()> {
        match self.queued_proposal_key(group_id, proposal_ref)? {
            Some(key) => self.delete(Category::QueuedProposal, &key),
            None => Ok(()),
        }
    }

    fn clear_proposal_queue<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group_id: &GroupId,
    ) -> Result<()> {
        let category = Category::QueuedProposal;
        self.delete_range(category, &Self::key(category, &[group_id])?)
    }
}
