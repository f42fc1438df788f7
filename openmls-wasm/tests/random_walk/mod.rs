//! Random walks over the public methods of `MlsClient`, held against a model.
//!
//! | file | what it holds |
//! |---|---|
//! | `service` | the delivery service, and what follows from its logs: members by epoch |
//! | `effect` | what proposals ask for, and what a commit of them does |
//! | `view` | the model of one client: what it must know, hand over, hold back and refuse |
//! | `device` | a client with its database: batches that are written, lost, put back, rolled back |
//! | `world`, `operations` | one step of a walk; the list of all operations with their weights |
//! | `groups`, `welcomes`, `external`, `packages`, `expiry`, `proposals`, `outside`, `leaves`, `commits`, `messages`, `inbound`, `refusals`, `recovery`, `lookups`, `misuse` | the operations |
//! | `checks`, `records` | the invariants, and which records there must be |

pub mod checks;
pub mod commits;
pub mod device;
pub mod effect;
pub mod expiry;
pub mod external;
pub mod groups;
pub mod inbound;
pub mod leaves;
pub mod lookups;
pub mod messages;
pub mod misuse;
pub mod operations;
pub mod outside;
pub mod packages;
pub mod proposals;
pub mod records;
pub mod recovery;
pub mod refusals;
pub mod rng;
pub mod service;
pub mod view;
pub mod welcomes;
pub mod world;

/// The invariants of the client that acted are checked after every step; those of all clients, and all
/// histories, every so many, at every orderly restart and at the end.
pub const DEEP_CHECK_EVERY: usize = 40;
