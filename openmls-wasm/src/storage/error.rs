//! What can go wrong in the store.

use super::{Category, Page};

/// An error of the store. None of them carries a value of a record; keys are ids or public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// OpenMLS handed over a value that the codec cannot write.
    #[error("a value of {} could not be encoded", .0.name())]
    Encode(Category),
    /// A record passed its checksum but does not decode as what the category holds.
    #[error("the record {key} of {} could not be decoded", category.name())]
    Decode {
        /// The object store.
        category: Category,
        /// The key in it.
        key: String,
    },
    /// An id has a shape that cannot be a key.
    #[error("an id of {} cannot be written as a key", .0.name())]
    UnsupportedKey(Category),
    /// A record names an object store that this version does not know.
    #[error("unknown category {0:?}: the database may have been written by a newer version")]
    UnknownCategory(String),
    /// A key is not lower-case hex parts joined by `/`, or has the wrong number of them.
    #[error("malformed key {key:?} in {}", category.name())]
    MalformedKey {
        /// The object store.
        category: Category,
        /// The key in it.
        key: String,
    },
    /// A record's first byte is a format this version does not know.
    #[error("the record {key} of {} has format {format}, which this version cannot read", category.name())]
    UnsupportedFormat {
        /// The object store.
        category: Category,
        /// The key in it.
        key: String,
        /// The format tag found.
        format: u8,
    },
    /// A record is cut short, altered, or stands under a key it was not written for.
    #[error("the record {key} of {} is damaged", category.name())]
    DamagedRecord {
        /// The object store.
        category: Category,
        /// The key in it.
        key: String,
    },
    /// The records of a group (its id in hex) are not as this client left them: one is missing, or is of
    /// another time than the others, or all of them are.
    #[error("the records of group {0} are not as this client left them: missing, or out of date")]
    DamagedGroup(String),
    /// That page is not in memory: load it, and do the operation again.
    #[error("what is asked for is not in memory: load it and ask again")]
    NotLoaded(Page),
    /// Not all groups are in memory, and all were asked for.
    #[error("not all groups are in memory: list their summaries")]
    GroupsNotLoaded,
    /// A record to hydrate differs from what memory holds or has changed since: memory is newer.
    #[error("the record {key} of {} is already in memory and newer; nothing was hydrated", category.name())]
    HydrateConflict {
        /// The object store.
        category: Category,
        /// The key in it.
        key: String,
    },
    /// Nothing is changed any more: the records were moved to another database, or are about to be.
    #[error(
        "this database was moved: another one has its keys; it can be read, and changes no more"
    )]
    ReadOnly,
    /// A batch was drained and has been neither confirmed nor put back.
    #[error("batch {0} is neither confirmed nor put back")]
    BatchUnconfirmed(u64),
    /// No batch with that sequence is waiting for an answer.
    #[error("batch {0} is not waiting to be confirmed or put back")]
    UnknownBatch(u64),
    /// The store was asked to drain, hydrate or roll back while an operation is under way.
    #[error("an operation is under way")]
    SavepointActive,
    /// A thread panicked while it changed the store.
    #[error("the store was left half-changed by a panic")]
    Poisoned,
    /// A fault injected by a test.
    #[cfg(feature = "test-hooks")]
    #[error("injected storage error")]
    Injected,
}

impl StorageError {
    /// The record that it is about.
    pub fn record(&self) -> Option<(Category, &str)> {
        match self {
            Self::Decode { category, key }
            | Self::MalformedKey { category, key }
            | Self::UnsupportedFormat { category, key, .. }
            | Self::DamagedRecord { category, key }
            | Self::HydrateConflict { category, key } => Some((*category, key)),
            _ => None,
        }
    }
}
