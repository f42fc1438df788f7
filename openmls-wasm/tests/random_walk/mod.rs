//! Random walks over the public methods of `MlsClient`, held against a model.
//!
//! | file | what it holds |
//! |---|---|
//! | `service` | the delivery service, and what follows from its logs: members by epoch |
//! | `effect` | what proposals ask for, and what a commit of them does |
//! | `view`, `group_view`, `items` | the model of one client: what it must know, hand over, hold back and refuse |
//! | `device` | a client with its database: batches that are written, lost, put back, rolled back |
//! | `world`, `operations` | one step of a walk; the list of all operations with their weights |
//! | `groups`, `welcomes`, `external` | groups come and go: created, joined by Welcome or by external commit |
//! | `packages`, `expiry` | key packages |
//! | `proposals`, `outside`, `leaves` | proposals of members and of others; what becomes of the own leaf |
//! | `commits`, `committed`, `recovery` | commits; forks and new beginnings |
//! | `messages`, `inbound`, `aside`, `early` | what goes out, and comes in by the log, beside it, before its time |
//! | `refusals`, `lookups`, `misuse` | what the app refuses, asks for, and gets wrong |
//! | `checks`, `told`, `records` | the invariants, what clients tell, and which records there must be |

pub mod aside;
pub mod checks;
pub mod commits;
pub mod committed;
pub mod device;
pub mod early;
pub mod effect;
pub mod expiry;
pub mod external;
pub mod group_view;
pub mod groups;
pub mod inbound;
pub mod items;
pub mod leaves;
pub mod lookups;
pub mod messages;
pub mod misuse;
pub mod operations;
pub mod outside;
pub mod packages;
pub mod paging;
pub mod proposals;
pub mod records;
pub mod recovery;
pub mod refusals;
pub mod rng;
pub mod service;
pub mod told;
pub mod view;
pub mod welcomes;
pub mod world;

/// The invariants of the client that acted are checked after every step; those of all clients, and all
/// histories, every so many, at every orderly restart and at the end.
pub const DEEP_CHECK_EVERY: usize = 40;
