//! The real binary on a free port, over real HTTP and WebSockets, with messages made by OpenMLS.

mod authentication;
mod bad_input;
mod commits;
mod key_packages;
mod live;
mod log;
mod operation;
mod quotas;
mod support;
mod welcomes;
mod witness;
