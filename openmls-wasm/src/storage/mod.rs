//! The store of an MLS client: every record in memory, every change as an event.
//!
//! OpenMLS reads and writes its state synchronously; the storage of a browser is asynchronous.
//! [`GranularStorage`] stands between the two: it answers OpenMLS from memory at once and keeps a
//! queue of dirty events, from which the caller drains one [`Batch`] at a time and writes it in
//! one transaction wherever it likes.
//!
//! | file | what it holds |
//! |---|---|
//! | [`category`] | the one list of object stores: name, scope, shape of the key |
//! | [`key`] | keys: lower-case hex parts joined by `/` |
//! | [`codec`] | values: format tag, checksum, MessagePack |
//! | `msgpack` | MessagePack for serde, thin |
//! | `state` | records, dirty events, batches, savepoints: no MLS in it |
//! | `parted` | values that are stored in parts |
//! | `packed` | records that are stored together, as one |
//! | [`Page`] | what of the database is in memory, and what leaves it |
//! | `message_secrets` | the secrets of each epoch |
//! | `digest` | whether the records of a group belong together |
//! | `root` | whether a group is as this client left it |
//! | [`granular`] | `GranularStorage`, the thread-safe face of `state` |
//! | `provider` | OpenMLS's `StorageProvider<1>` on top of it |
//! | [`error`] | `StorageError` |
//!
//! How often a byte is copied on its way from OpenMLS to the disk: once when it is encoded, into a
//! buffer that never moves without wiping what it leaves; a value in parts once more, into the record of
//! its part, and only if that part has changed; what is stored together with others once more, into the
//! record of all of them. Memory, the savepoint, the batch and a scratch copy share that record. The
//! bindings copy it out of wasm's memory, because a `Uint8Array` over that memory would change under
//! IndexedDB's hands; IndexedDB clones it, as it does every value. Back it is copied into wasm's memory,
//! and decoded from there; a value in parts is put together first.
//!
//! Nothing here knows of groups, chats, JavaScript or IndexedDB: it builds and tests natively.

pub mod category;
pub mod codec;
mod digest;
pub mod error;
pub mod granular;
pub mod key;
mod message_secrets;
mod msgpack;
mod packed;
mod pages;
mod parted;
mod provider;
mod root;
mod state;

pub use category::{Category, Scope};
pub use error::StorageError;
pub use granular::{GranularStorage, Savepoint};
pub use packed::unpack_all;
pub use pages::Page;
pub use state::{Batch, Record, StorageEvent, Value};
