//! The bugs that the suite must find, one at a time.

use std::fmt;

/// The table of all records of the kind "one value per key":
/// family, key => value: writer, reader, deleter, each with its type parameters in order.
macro_rules! records {
    ($callback:ident) => {
        $callback! {
            JoinConfig, GroupId => MlsGroupJoinConfig: write_mls_join_config<GroupId, MlsGroupJoinConfig>, mls_group_join_config<GroupId, MlsGroupJoinConfig>, delete_group_config<GroupId>;
            Tree, GroupId => TreeSync: write_tree<GroupId, TreeSync>, tree<GroupId, TreeSync>, delete_tree<GroupId>;
            TranscriptHash, GroupId => InterimTranscriptHash: write_interim_transcript_hash<GroupId, InterimTranscriptHash>, interim_transcript_hash<GroupId, InterimTranscriptHash>, delete_interim_transcript_hash<GroupId>;
            Context, GroupId => GroupContext: write_context<GroupId, GroupContext>, group_context<GroupId, GroupContext>, delete_context<GroupId>;
            Confirmation, GroupId => ConfirmationTag: write_confirmation_tag<GroupId, ConfirmationTag>, confirmation_tag<GroupId, ConfirmationTag>, delete_confirmation_tag<GroupId>;
            State, GroupId => GroupState: write_group_state<GroupState, GroupId>, group_state<GroupState, GroupId>, delete_group_state<GroupId>;
            Secrets, GroupId => MessageSecrets: write_message_secrets<GroupId, MessageSecrets>, message_secrets<GroupId, MessageSecrets>, delete_message_secrets<GroupId>;
            Resumption, GroupId => ResumptionPskStore: write_resumption_psk_store<GroupId, ResumptionPskStore>, resumption_psk_store<GroupId, ResumptionPskStore>, delete_all_resumption_psk_secrets<GroupId>;
            LeafIndex, GroupId => LeafNodeIndex: write_own_leaf_index<GroupId, LeafNodeIndex>, own_leaf_index<GroupId, LeafNodeIndex>, delete_own_leaf_index<GroupId>;
            EpochSecrets, GroupId => GroupEpochSecrets: write_group_epoch_secrets<GroupId, GroupEpochSecrets>, group_epoch_secrets<GroupId, GroupEpochSecrets>, delete_group_epoch_secrets<GroupId>;
            ExportTree, GroupId => ApplicationExportTree: write_application_export_tree<GroupId, ApplicationExportTree>, application_export_tree<GroupId, ApplicationExportTree>, delete_application_export_tree<GroupId, ApplicationExportTree>;
            SignatureKeys, SignaturePublicKey => SignatureKeyPair: write_signature_key_pair<SignaturePublicKey, SignatureKeyPair>, signature_key_pair<SignaturePublicKey, SignatureKeyPair>, delete_signature_key_pair<SignaturePublicKey>;
            EncryptionKeys, EncryptionKey => HpkeKeyPair: write_encryption_key_pair<EncryptionKey, HpkeKeyPair>, encryption_key_pair<HpkeKeyPair, EncryptionKey>, delete_encryption_key_pair<EncryptionKey>;
            KeyPackages, HashReference => KeyPackage: write_key_package<HashReference, KeyPackage>, key_package<HashReference, KeyPackage>, delete_key_package<HashReference>;
            Psks, PskId => PskBundle: write_psk<PskId, PskBundle>, psk<PskBundle, PskId>, delete_psk<PskId>;
        }
    };
}
pub(super) use records;

macro_rules! define_families {
    ($($family:ident, $key:ident => $value:ident: $write:ident<$($wg:ident),*>, $read:ident<$($rg:ident),*>, $delete:ident<$($dg:ident),*>;)*) => {
        /// Methods that belong together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family { $($family,)* LeafNodes, EpochKeys, Proposals }

        /// Those with one value per key.
        pub const RECORDS: &[Family] = &[$(Family::$family),*];

        impl Family {
            /// The names of the writer, the reader and the deleter.
            pub fn methods(self) -> [&'static str; 3] {
                match self {
                    $(Family::$family => [stringify!($write), stringify!($read), stringify!($delete)],)*
                    Family::LeafNodes => ["append_own_leaf_node", "own_leaf_nodes", "delete_own_leaf_nodes"],
                    Family::EpochKeys => ["write_encryption_epoch_key_pairs", "encryption_epoch_key_pairs", "delete_encryption_epoch_key_pairs"],
                    Family::Proposals => ["queue_proposal", "queued_proposals", "clear_proposal_queue"],
                }
            }
        }
    };
}
records!(define_families);

use Family::{EpochKeys, KeyPackages, LeafNodes, Proposals, Psks, SignatureKeys};

impl Family {
    /// The family whose records would be hit if the two shared a category.
    pub fn next(self) -> Family {
        match self {
            Family::ExportTree => Family::JoinConfig,
            Psks => SignatureKeys,
            other => RECORDS[RECORDS.iter().position(|f| *f == other).unwrap_or(0) + 1],
        }
    }
}

macro_rules! bugs {
    (
        of a family { $($family_bug:ident($part:expr, $text:literal),)* }
        alone { $($bug:ident($alone:literal),)* }
    ) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { None, $($family_bug(Family),)* $($bug,)* }

        impl fmt::Display for Bug {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Bug::None => write!(formatter, "no bug"),
                    $(Bug::$family_bug(family) => write!(formatter, concat!("{}: ", $text), family.methods()[$part]),)*
                    $(Bug::$bug => formatter.write_str($alone),)*
                }
            }
        }

        const ALONE: &[Bug] = &[$(Bug::$bug),*];
    };
}

bugs! {
    of a family {
    WriteIgnored(0, "ignored"),
    DeleteIgnored(2, "ignored"),
    KeepsFirst(0, "ignored when the key exists"),
    ServesFirst(1, "stale, the first value ever written is served"),
    IdIgnored(1, "the id is ignored"),
    IdTruncated(1, "only the first 4 bytes of the id count"),
    DeletesByPrefix(2, "deletes ids that begin with this one too"),
    ReadsByPrefix(1, "reads ids that begin with this one too"),
    CutAt255(0, "sequences are cut at 255 elements"),
    CutAt64k(0, "sequences are cut at 65535 elements"),
    SharesCategory(0, "shares a category with the next kind of record"),
    MissingIsError(1, "an error where nothing is stored"),
    DeleteMissingIsError(2, "an error where nothing is stored"),
    }
    alone {
    PskKindIgnored("psk: the kind of the id is ignored"),
    AppendOverwrites("append_own_leaf_node: overwrites"),
    AppendInFront("append_own_leaf_node: appends in front"),
    AppendDropsEqual("append_own_leaf_node: drops what is there already"),
    LeafNodesInTextOrder("own_leaf_nodes: ordered by position as text (1, 10, 2)"),
    EpochIgnored("epoch key pairs: not separated by epoch"),
    EpochLow8("epoch key pairs: epoch in 8 bits"),
    EpochLow32("epoch key pairs: epoch in 32 bits"),
    EpochAsFloat("epoch key pairs: epoch as a float (2^53)"),
    LeafIgnored("epoch key pairs: not separated by leaf"),
    LeafLow8("epoch key pairs: leaf index in 8 bits"),
    LeafLow16("epoch key pairs: leaf index in 16 bits"),
    EpochAndLeafJoined("epoch key pairs: epoch and leaf index joined without a separator"),
    EpochKeysAppended("write_encryption_epoch_key_pairs: appends"),
    EmptyWriteIgnored("write_encryption_epoch_key_pairs: an empty list is not written"),
    EpochDeletesAllLeaves("delete_encryption_epoch_key_pairs: of all leaves"),
    EpochDeletesAllEpochs("delete_encryption_epoch_key_pairs: of all epochs"),
    QueueOverwrites("queue_proposal: overwrites the queue"),
    RequeueIgnored("queue_proposal: same ref again is ignored"),
    RequeueMovesToEnd("queue_proposal: same ref again moves to the end"),
    ContentByRefOnly("queue_proposal: overwrites the same ref in another group"),
    PositionReused("queue_proposal: takes a position that is in use"),
    GroupAndRefJoined("queue_proposal: group and ref joined without a separator"),
    RefsSorted("queued_proposal_refs: sorted by ref"),
    ProposalsSorted("queued_proposals: sorted by ref"),
    BothSorted("proposal queue: sorted by ref"),
    BothReversed("proposal queue: reversed"),
    QueueInTextOrder("proposal queue: ordered by position as text (1, 10, 2)"),
    RemoveIgnored("remove_proposal: ignored"),
    RemovesFirst("remove_proposal: removes the first"),
    RemovesLast("remove_proposal: removes the last"),
    RemovesNext("remove_proposal: removes the one after it"),
    RemovesOnlyRef("remove_proposal: only the ref"),
    RemovesOnlyProposal("remove_proposal: only the proposal"),
    RemovesByPrefix("remove_proposal: refs that begin with this one too"),
    RemovesInAllGroups("remove_proposal: in every group"),
    ClearLeavesProposals("clear_proposal_queue: only the refs"),
    ClearLeavesRefs("clear_proposal_queue: only the proposals"),
    ClearLeavesFirst("clear_proposal_queue: leaves the first"),
    ClearLeavesLast("clear_proposal_queue: leaves the last"),
    ClearLeavesHidden("clear_proposal_queue: leaves a record that no reader shows"),
    }
}

/// Every bug, each to be switched on by itself.
pub fn all() -> Vec<Bug> {
    let lists = [LeafNodes, EpochKeys, Proposals];
    let everywhere = RECORDS.iter().copied().chain(lists);
    let mut bugs = vec![];
    for family in everywhere {
        let record = RECORDS.contains(&family);
        bugs.extend([
            Bug::DeleteIgnored(family),
            Bug::WriteIgnored(family),
            Bug::ServesFirst(family),
            Bug::IdIgnored(family),
            Bug::IdTruncated(family),
            Bug::DeletesByPrefix(family),
            Bug::CutAt255(family),
            Bug::MissingIsError(family),
            Bug::DeleteMissingIsError(family),
        ]);
        if record || family == EpochKeys {
            bugs.push(Bug::KeepsFirst(family));
        } else {
            bugs.push(Bug::ReadsByPrefix(family));
        }
        if record {
            bugs.extend([Bug::CutAt64k(family), Bug::SharesCategory(family)]);
        }
    }
    bugs.extend_from_slice(ALONE);
    // In the order in which the variants stand above: all deletes first, and so on.
    bugs.sort_by_key(|bug| (*bug != Bug::DeleteIgnored(KeyPackages), kind(bug)));
    bugs
}

impl Bug {
    /// Whether to ask the flows too. Small groups do not notice the others.
    pub fn may_show_in_flows(&self) -> bool {
        !matches!(
            self,
            Bug::CutAt255(_)
                | Bug::CutAt64k(_)
                | Bug::MissingIsError(_)
                | Bug::DeleteMissingIsError(_)
                | Bug::SharesCategory(_)
        )
    }
}

fn kind(bug: &Bug) -> (bool, String) {
    let name = format!("{bug:?}");
    let alone = ALONE.contains(bug);
    let kind = if alone {
        ""
    } else {
        name.split('(').next().unwrap_or("")
    };
    (alone, kind.into())
}
