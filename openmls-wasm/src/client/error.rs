//! What can go wrong in an operation. Whatever it is, nothing has changed.

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::group::{CommitBuilderStageError, CreateCommitError};
use openmls::prelude::{
    CreateMessageError, MergeCommitError, MergePendingCommitError, MlsGroupStateError,
    NewGroupError, ProcessMessageError, StageCommitError, ValidationError, WelcomeError,
};
use openmls::schedule::errors::PskError;

use crate::storage::{key, StorageError};

/// An error of [`MlsClient`](super::MlsClient). [`code`](ClientError::code) is stable; the text is
/// for people and carries no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The client has an identity already.
    #[error("this client has an identity already")]
    IdentityExists,
    /// The client has no identity yet.
    #[error("this client has no identity yet: create one first")]
    NoIdentity,
    /// The identity is stored without its private key.
    #[error("the signature key of the stored identity is missing")]
    SignatureKeyMissing,
    /// The crypto provider does not implement the ciphersuite.
    #[error("ciphersuite {0} is not supported")]
    UnsupportedCiphersuite(u16),
    /// MLS itself signs under that label.
    #[error("MLS itself signs under that label")]
    ReservedLabel,
    /// An argument is out of its range.
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    /// A key package does not parse, verify, or has expired.
    #[error("a key package is malformed, wrongly signed or expired")]
    InvalidKeyPackage,
    /// No member has that leaf index.
    #[error("no member at leaf index {0}")]
    UnknownMember(u32),
    /// A member cannot commit its own removal (RFC 9420 §12.2).
    #[error("a member cannot remove itself: it leaves, and another member commits that")]
    CannotRemoveSelf,
    /// No group of that id is stored.
    #[error("group {} is not stored here", key::bytes_key(.0))]
    GroupNotFound(Vec<u8>),
    /// A group is known from a snapshot, without its keys.
    #[error("group {} is known from a snapshot only: join it anew by an external commit", key::bytes_key(.0))]
    GroupInert(Vec<u8>),
    /// The snapshot is of another identity.
    #[error("the snapshot is of another identity than this client has")]
    IdentityConflict,
    /// A group of that id is stored already.
    #[error("a group of that id is stored here already")]
    GroupExists,
    /// This client was removed from the group.
    #[error("this client is not a member of the group any more")]
    GroupInactive,
    /// An own leave proposal waits to be committed by another member.
    #[error("this client is leaving the group")]
    LeavePending,
    /// An own commit waits to be merged or cleared.
    #[error("a commit of this client is pending: merge or clear it first")]
    PendingCommit,
    /// There is no own commit to merge or clear.
    #[error("no commit of this client is pending")]
    NoPendingCommit,
    /// Proposals wait: they must be committed before a message can be sent (RFC 9420 §12.4).
    #[error("proposals are pending: commit them first")]
    PendingProposals,
    /// There are no proposals to commit.
    #[error("there are no pending proposals to commit")]
    NothingToCommit,
    /// A commit that was asked for would not be valid (RFC 9420 §12.2).
    #[error("the commit would not be valid: {0}")]
    CommitRejected(String),
    /// The bytes are not an MLSMessage.
    #[error("the bytes are not an MLSMessage")]
    MalformedMessage,
    /// The MLSMessage is of a kind that does not belong here.
    #[error("wrong kind of message: {0}")]
    WrongKind(&'static str),
    /// The delivery service has seen a newer state of this client in the group: the database was put back.
    #[error("this is an older state of the group than the delivery service has seen of this client: join it anew by external commit")]
    RolledBackState,
    /// The message belongs to an epoch that is over.
    #[error("the message is of epoch {message}, the group is in epoch {group}")]
    PastEpoch {
        /// The epoch of the message.
        message: u64,
        /// The epoch of the group.
        group: u64,
    },
    /// The message belongs to an epoch that has not been reached.
    #[error("the message is of epoch {message}, the group is only in epoch {group}: fetch what lies between")]
    FutureEpoch {
        /// The epoch of the message.
        message: u64,
        /// The epoch of the group.
        group: u64,
    },
    /// Messages that come before this one have not been received yet.
    #[error("position {position} does not follow position {cursor}: fetch what lies between")]
    PositionGap {
        /// The position of the message.
        position: u64,
        /// The position up to which everything has been processed.
        cursor: u64,
    },
    /// The keys of this message were used already: it was processed before, or is forged.
    #[error("a message of that sender and generation was processed before")]
    DuplicateMessage,
    /// The message is too far out of order for the ratchet settings.
    #[error("the message is too far out of order")]
    TooFarOutOfOrder,
    /// The message does not decrypt.
    #[error("the message cannot be decrypted")]
    Undecryptable,
    /// The message is not valid (RFC 9420 §6, §12).
    #[error("the message is not valid: {0}")]
    InvalidMessage(String),
    /// The Welcome is for a key package that is not stored here.
    #[error("the Welcome is for a key package that is not stored here")]
    NoMatchingKeyPackage,
    /// The Welcome leads to an epoch of the group that this client has been in: its keys were used.
    #[error("the Welcome leads to epoch {welcome}, this client has been in epoch {known}")]
    StaleWelcome {
        /// The epoch of the Welcome.
        welcome: u64,
        /// The last epoch this client knows of.
        known: u64,
    },
    /// No key package of that reference is stored.
    #[error("no key package of that reference is stored here")]
    UnknownKeyPackage,
    /// The Welcome is not valid (RFC 9420 §12.4.3.1).
    #[error("the Welcome is not valid: {0}")]
    InvalidWelcome(String),
    /// A credential is not one that the client can use (RFC 9420 §5.3).
    #[error("the credential cannot be used: {0}")]
    InvalidCredential(&'static str),
    /// The app rejected a credential.
    #[error("the app rejected a credential")]
    CredentialRejected,
    /// The Welcome is for a key package of this client that had expired and was purged.
    #[error("the Welcome is for a key package of this client that has expired")]
    KeyPackageExpired,
    /// The Welcome is for a key package of this client that another Welcome has used up.
    #[error("the Welcome is for a key package of this client that was used already")]
    KeyPackageUsed,
    /// The Welcome is for a key package of another client of this user.
    #[error("the Welcome is for a key package of another client of this user")]
    KeyPackageOfOtherClient,
    /// No pending proposal has that reference.
    #[error("no pending proposal has that reference")]
    UnknownProposal,
    /// A proposal that was asked for would not be valid (RFC 9420 §12.1).
    #[error("the proposal would not be valid: {0}")]
    ProposalRejected(String),
    /// A pre-shared key that is asked for is not stored here.
    #[error("a pre-shared key that is asked for is not stored here")]
    UnknownPsk,
    /// The group has moved on since the message was inspected.
    #[error("the message was inspected in epoch {inspected}, the group is in epoch {group}: inspect it again")]
    EpochChanged {
        /// The epoch it was inspected in.
        inspected: u64,
        /// The epoch of the group.
        group: u64,
    },
    /// A group info is not valid (RFC 9420 §12.4.3).
    #[error("the group info is not valid: {0}")]
    InvalidGroupInfo(String),
    /// Neither the message nor the caller brings the ratchet tree (RFC 9420 §12.4.3.3).
    #[error("the ratchet tree is missing: hand it in")]
    RatchetTreeMissing,
    /// The secret of that component was derived in this epoch already, and deleted from it.
    #[error("the secret of that component was derived in this epoch already")]
    SecretConsumed,
    /// More messages of epochs that were not reached yet are kept than the settings allow.
    #[error(
        "too many messages of epochs that were not reached yet are kept: fetch what lies between"
    )]
    TooManyEarlyMessages,
    /// No outbox entry has that id.
    #[error("no outbox entry {0:?}")]
    UnknownOutboxEntry(String),
    /// An outbox entry or inbox item has that id already.
    #[error("the id {0:?} is in use")]
    DuplicateId(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A bug in this library or in OpenMLS.
    #[error("internal error: {0}")]
    Internal(String),
}

impl ClientError {
    /// The stable code, in kebab-case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IdentityExists => "identity-exists",
            Self::NoIdentity => "no-identity",
            Self::SignatureKeyMissing => "signature-key-missing",
            Self::UnsupportedCiphersuite(_) => "unsupported-ciphersuite",
            Self::ReservedLabel => "reserved-label",
            Self::InvalidArgument(_) => "invalid-argument",
            Self::InvalidKeyPackage => "invalid-key-package",
            Self::UnknownMember(_) => "unknown-member",
            Self::CannotRemoveSelf => "cannot-remove-self",
            Self::GroupNotFound(_) => "group-not-found",
            Self::GroupInert(_) => "group-inert",
            Self::IdentityConflict => "identity-conflict",
            Self::GroupExists => "group-exists",
            Self::GroupInactive => "group-inactive",
            Self::LeavePending => "leave-pending",
            Self::PendingCommit => "pending-commit",
            Self::NoPendingCommit => "no-pending-commit",
            Self::PendingProposals => "pending-proposals",
            Self::NothingToCommit => "nothing-to-commit",
            Self::CommitRejected(_) => "commit-rejected",
            Self::MalformedMessage => "malformed-message",
            Self::WrongKind(_) => "wrong-kind",
            Self::PastEpoch { .. } => "past-epoch",
            Self::FutureEpoch { .. } => "future-epoch",
            Self::PositionGap { .. } => "position-gap",
            Self::DuplicateMessage => "duplicate-message",
            Self::TooFarOutOfOrder => "too-far-out-of-order",
            Self::Undecryptable => "undecryptable",
            Self::InvalidMessage(_) => "invalid-message",
            Self::NoMatchingKeyPackage => "no-matching-key-package",
            Self::StaleWelcome { .. } => "stale-welcome",
            Self::UnknownKeyPackage => "unknown-key-package",
            Self::InvalidWelcome(_) => "invalid-welcome",
            Self::InvalidCredential(_) => "invalid-credential",
            Self::CredentialRejected => "credential-rejected",
            Self::KeyPackageExpired => "key-package-expired",
            Self::KeyPackageUsed => "key-package-used",
            Self::KeyPackageOfOtherClient => "key-package-of-other-client",
            Self::UnknownProposal => "unknown-proposal",
            Self::ProposalRejected(_) => "proposal-rejected",
            Self::UnknownPsk => "unknown-psk",
            Self::EpochChanged { .. } => "epoch-changed",
            Self::RolledBackState => "rolled-back-state",
            Self::InvalidGroupInfo(_) => "invalid-group-info",
            Self::RatchetTreeMissing => "ratchet-tree-missing",
            Self::SecretConsumed => "secret-consumed",
            Self::TooManyEarlyMessages => "too-many-early-messages",
            Self::UnknownOutboxEntry(_) => "unknown-outbox-entry",
            Self::DuplicateId(_) => "duplicate-id",
            Self::Storage(error) => storage_code(error),
            Self::Internal(_) => "internal",
        }
    }

    /// Whether a message or Welcome that fails like this will fail whenever it is processed again.
    /// `group-exists` is not among them: the removal that comes before the Welcome may still be on
    /// its way in the group's log.
    pub fn is_permanent_for_message(&self) -> bool {
        matches!(
            self,
            Self::MalformedMessage
                | Self::WrongKind(_)
                | Self::PastEpoch { .. }
                | Self::DuplicateMessage
                | Self::TooFarOutOfOrder
                | Self::Undecryptable
                | Self::InvalidMessage(_)
                | Self::GroupInactive
                | Self::NoMatchingKeyPackage
                | Self::InvalidWelcome(_)
                | Self::StaleWelcome { .. }
                | Self::CredentialRejected
                | Self::KeyPackageExpired
                | Self::KeyPackageUsed
                | Self::KeyPackageOfOtherClient
        )
    }

    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

fn storage_code(error: &StorageError) -> &'static str {
    match error {
        StorageError::UnknownCategory(_) => "unknown-category",
        StorageError::MalformedKey { .. } => "malformed-key",
        StorageError::UnsupportedFormat { .. } => "unsupported-format",
        StorageError::DamagedRecord { .. } | StorageError::Decode { .. } => "damaged-record",
        StorageError::DamagedGroup(_) => "damaged-group",
        StorageError::NotLoaded(_) => "not-loaded",
        StorageError::ReadOnly => "moved-away",
        StorageError::HydrateConflict { .. } => "hydrate-conflict",
        StorageError::BatchUnconfirmed(_) => "batch-unconfirmed",
        StorageError::UnknownBatch(_) => "unknown-batch",
        _ => "storage",
    }
}

impl From<MlsGroupStateError> for ClientError {
    fn from(error: MlsGroupStateError) -> Self {
        match error {
            MlsGroupStateError::UseAfterEviction => Self::GroupInactive,
            MlsGroupStateError::PendingProposal => Self::PendingProposals,
            MlsGroupStateError::PendingCommit => Self::PendingCommit,
            MlsGroupStateError::NoPendingCommit => Self::NoPendingCommit,
            other => Self::internal(other),
        }
    }
}

impl From<NewGroupError<StorageError>> for ClientError {
    fn from(error: NewGroupError<StorageError>) -> Self {
        match error {
            NewGroupError::GroupAlreadyExists => Self::GroupExists,
            NewGroupError::StorageError(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<CreateMessageError> for ClientError {
    fn from(error: CreateMessageError) -> Self {
        match error {
            CreateMessageError::GroupStateError(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<CreateCommitError> for ClientError {
    fn from(error: CreateCommitError) -> Self {
        match error {
            CreateCommitError::CannotRemoveSelf => Self::CannotRemoveSelf,
            CreateCommitError::PskError(PskError::KeyNotFound) => Self::UnknownPsk,
            CreateCommitError::LibraryError(error) => Self::internal(error),
            other => Self::CommitRejected(other.to_string()),
        }
    }
}

impl From<CommitBuilderStageError<StorageError>> for ClientError {
    fn from(error: CommitBuilderStageError<StorageError>) -> Self {
        match error {
            CommitBuilderStageError::KeyStoreError(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<MergePendingCommitError<StorageError>> for ClientError {
    fn from(error: MergePendingCommitError<StorageError>) -> Self {
        match error {
            MergePendingCommitError::MlsGroupStateError(error) => error.into(),
            MergePendingCommitError::MergeCommitError(error) => error.into(),
        }
    }
}

impl From<MergeCommitError<StorageError>> for ClientError {
    fn from(error: MergeCommitError<StorageError>) -> Self {
        match error {
            MergeCommitError::StorageError(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<ProcessMessageError<StorageError>> for ClientError {
    fn from(error: ProcessMessageError<StorageError>) -> Self {
        match error {
            ProcessMessageError::StorageError(error) => error.into(),
            ProcessMessageError::GroupStateError(error) => error.into(),
            ProcessMessageError::LibraryError(error) => Self::internal(error),
            ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(error)) => {
                error.into()
            }
            // It can be stored, and the commit handed in again.
            ProcessMessageError::InvalidCommit(StageCommitError::PskError(
                PskError::KeyNotFound,
            )) => Self::UnknownPsk,
            other => Self::InvalidMessage(other.to_string()),
        }
    }
}

impl From<MessageDecryptionError> for ClientError {
    fn from(error: MessageDecryptionError) -> Self {
        match error {
            MessageDecryptionError::SecretTreeError(SecretTreeError::SecretReuseError) => {
                Self::DuplicateMessage
            }
            MessageDecryptionError::GenerationOutOfBound
            | MessageDecryptionError::SecretTreeError(
                SecretTreeError::TooDistantInThePast | SecretTreeError::TooDistantInTheFuture,
            ) => Self::TooFarOutOfOrder,
            MessageDecryptionError::LibraryError(error) => Self::internal(error),
            _ => Self::Undecryptable,
        }
    }
}

impl From<WelcomeError<StorageError>> for ClientError {
    fn from(error: WelcomeError<StorageError>) -> Self {
        match error {
            WelcomeError::StorageError(error) => error.into(),
            WelcomeError::NoMatchingKeyPackage => Self::NoMatchingKeyPackage,
            WelcomeError::GroupAlreadyExists => Self::GroupExists,
            WelcomeError::MissingRatchetTree => Self::RatchetTreeMissing,
            WelcomeError::Psk(PskError::KeyNotFound) => Self::UnknownPsk,
            WelcomeError::LibraryError(error) => Self::internal(error),
            other => Self::InvalidWelcome(other.to_string()),
        }
    }
}
