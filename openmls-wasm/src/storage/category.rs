//! The one place that names every kind of record, where it belongs and how its key is built.

/// When the records of a category are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Belongs to the client itself: loaded when the database is opened.
    Client,
    /// Belongs to the client, and is loaded, all of the category, when something asks for it.
    OnDemand,
    /// Belongs to the client, and is loaded, each record by itself, when something asks for it.
    Single,
    /// Belongs to one group: the first part of the key is the group id.
    Group,
}

macro_rules! categories {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $scope:ident, $parts:expr;)*) => {
        /// A kind of record: one object store in IndexedDB, named as [`Category::name`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Category { $($(#[$doc])* $variant),* }

        impl Category {
            /// Every category, in the order in which the events of a batch are sorted.
            pub const ALL: &'static [Category] = &[$(Category::$variant),*];

            /// The name of the object store.
            pub const fn name(self) -> &'static str {
                match self { $(Category::$variant => $name),* }
            }

            /// Whether the records belong to the client or to a group.
            pub const fn scope(self) -> Scope {
                match self { $(Category::$variant => Scope::$scope),* }
            }

            /// The number of parts a key has, or `None` where it varies (PSK ids).
            pub const fn key_parts(self) -> Option<usize> {
                match self { $(Category::$variant => $parts),* }
            }

            /// The category of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Category> {
                match name { $($name => Some(Category::$variant),)* _ => None }
            }
        }
    };
}

categories! {
    /// Who this client is. Key: 0.
    Identity, "identity", Client, Some(1);
    /// Signature key pairs. Key: public key (as OpenMLS's credential builds it).
    SignatureKeyPair, "signature_key_pair", Client, Some(1);
    /// The signature key that was generated before its credential. Key: 0.
    GeneratedSignatureKey, "generated_signature_key", Client, Some(1);
    /// Key packages with their private keys. Key: key package reference.
    KeyPackage, "key_package", OnDemand, Some(1);
    /// What became of key packages, of other clients of the user too. Key: key package reference.
    KeyPackageState, "key_package_state", OnDemand, Some(1);
    /// HPKE key pairs of own update proposals. Key: public key.
    EncryptionKeyPair, "encryption_key_pair", Client, Some(1);
    /// Pre-shared keys. Key: PSK type / its id.
    Psk, "psk", Client, None;
    /// What was handed over to the app and not acknowledged yet (G10). Key: its id.
    Inbox, "inbox", Client, Some(1);
    /// What the delivery service has not accepted yet (G10). Key: its id.
    Outbox, "outbox", Client, Some(1);
    /// The sequence last given to an inbox item or outbox entry. Key: 0.
    LastSequence, "last_sequence", Client, Some(1);
    /// The last epoch of a group that was left or deleted: older Welcomes to it are refused. Key: group.
    FormerGroup, "former_group", Group, Some(1);
    /// A group that an external commit makes, until the delivery service has answered. Key: group.
    PendingExternalJoin, "pending_external_join", Group, Some(1);
    /// A group of which messages are kept that came before their epoch. Key: group.
    EarlyMessageGroup, "early_message_group", Client, Some(1);
    /// The position up to which Welcomes have been processed. Key: 0.
    WelcomeCursor, "welcome_cursor", Client, Some(1);
    /// That this database was moved: another has its keys now. Key: 0.
    MovedAway, "moved_away", Client, Some(1);
    /// The digests of the groups that changed last, and the root over those of all. Key: 0.
    DigestRoot, "digest_root", Client, Some(1);
    /// The tree below that root, with the other digests. Key: number of the branch, or of the leaf.
    DigestNode, "digest_node", Single, Some(1);

    /// What the delivery service has accepted last in a group, for a database that is put back. Key: group.
    UploadChain, "upload_chain", Group, Some(1);
    /// The position up to which a group's messages have been processed. Key: group.
    DeliveryCursor, "delivery_cursor", Group, Some(1);
    /// Messages that came before their epoch. Key: group / epoch / SHA-256 of the message.
    EarlyMessage, "early_message", Group, Some(3);
    /// `MlsGroupJoinConfig`. Key: group.
    JoinConfig, "mls_group_join_config", Group, Some(1);
    /// Own leaf nodes of update proposals, in order. Key: group / position.
    OwnLeafNode, "own_leaf_node", Group, Some(2);
    /// Queued proposals with their references, in order. Key: group / position / reference.
    QueuedProposal, "queued_proposal", Group, Some(3);
    /// What a list of groups shows of a group. Key: group.
    GroupSummary, "group_summary", Group, Some(1);
    /// The digest of a group that has not changed since digests are in `digest_root`. Key: group.
    GroupDigest, "group_digest", Group, Some(1);
    /// The public ratchet tree (`TreeSync`), in parts. Key: group.
    Tree, "tree", Group, Some(1);
    /// `InterimTranscriptHash`. Key: group.
    InterimTranscriptHash, "interim_transcript_hash", Group, Some(1);
    /// `GroupContext`. Key: group.
    GroupContext, "group_context", Group, Some(1);
    /// `ConfirmationTag`. Key: group.
    ConfirmationTag, "confirmation_tag", Group, Some(1);
    /// `MlsGroupState`, with the pending commit if there is one. Key: group.
    GroupState, "group_state", Group, Some(1);
    /// `MessageSecretsStore`: the secret tree of an epoch, in parts. Key: group / epoch.
    MessageSecrets, "message_secrets", Group, Some(2);
    /// Which epochs of a group are kept when they are over. Key: group.
    PastEpochPolicy, "past_epoch_policy", Group, Some(1);
    /// An epoch that is over and of which late messages can be read. Key: group / epoch.
    RetainedEpoch, "retained_epoch", Group, Some(2);
    /// `ResumptionPskStore`. Key: group.
    ResumptionPskStore, "resumption_psk_store", Group, Some(1);
    /// The own leaf index. Key: group.
    OwnLeafIndex, "own_leaf_index", Group, Some(1);
    /// `GroupEpochSecrets`. Key: group.
    GroupEpochSecrets, "group_epoch_secrets", Group, Some(1);
    /// `ApplicationExportTree` of the extensions draft. Key: group.
    ApplicationExportTree, "application_export_tree", Group, Some(1);
    /// Which signature key pairs were made for the own leaf. Key: group / public key.
    OwnSignatureKey, "own_signature_key", Group, Some(2);
    /// HPKE key pairs of an epoch. Key: group / epoch / leaf index.
    EpochKeyPairs, "epoch_key_pairs", Group, Some(3);
    /// What changes with each epoch of a group, stored as one: a dozen of the records above, whose own object
    /// stores only have something in a database of layout 4. In memory this is no record, and they are. Key: group.
    EpochRecords, "epoch_records", Group, Some(1);
    /// A group that is known from a snapshot, without its keys. Key: group.
    InertGroup, "inert_group", Group, Some(1);
}

impl Category {
    pub(crate) const COUNT: usize = Category::ALL.len();

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Whether long lists in its values are records of their own, with the part's number behind the
    /// key: those values that grow with the number of members, and are written for each message or
    /// commit.
    pub const fn has_parts(self) -> bool {
        matches!(self, Category::Tree | Category::MessageSecrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_has_a_name_of_its_own() {
        for (index, category) in Category::ALL.iter().enumerate() {
            assert_eq!(category.index(), index);
            assert_eq!(Category::from_name(category.name()), Some(*category));
        }
        assert_eq!(Category::from_name("no_such_store"), None);
    }
}
