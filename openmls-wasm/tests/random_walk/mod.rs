//! Random walks over the public methods of `MlsClient`, held against a model.
//!
//! | file | what it holds |
//! |---|---|
//! | `service` | the delivery service, and what follows from its logs: members by epoch |
//! | `view` | the model of one client: what it must know, hand over, hold back and refuse |
//! | `device` | a client with its database: batches that are written, lost, put back, rolled back |
//! | `world`, `operations` | one step of a walk; the list of all operations with their weights |
//! | `groups`, `packages`, `commits`, `messages`, `inbound`, `misuse` | the operations |
//! | `checks`, `records` | the invariants, and which records there must be |

pub mod checks;
pub mod commits;
pub mod device;
pub mod groups;
pub mod inbound;
pub mod messages;
pub mod misuse;
pub mod operations;
pub mod packages;
pub mod records;
pub mod rng;
pub mod service;
pub mod view;
pub mod world;

/// The cheap invariants (of the client that acted) are checked after every step; all clients, all
/// records and all histories every so many, at every orderly restart and at the end.
pub const DEEP_CHECK_EVERY: usize = 40;

/// Not yet: the sender of a message of a past epoch is looked up in the present one.
pub const KEEPS_PAST_EPOCHS: u64 = 0;
/// Not yet: a public proposal that is known already is stored again.
pub const TELLS_KNOWN_PROPOSALS: bool = false;
