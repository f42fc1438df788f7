//! The delivery service as a witness: whether this client's state is its newest one.
//!
//! A database that is put back as a whole agrees with itself. Only somebody who has seen a newer state can
//! tell, and the delivery service has: of each group, what this client uploaded last. So every upload to a
//! group carries the next link of a hash chain,
//!
//! ```text
//! link = SHA-256(label ‖ previous ‖ SHA-256(entry id) ‖ SHA-256(message) ‖ SHA-256(Welcome))
//! ```
//!
//! and the service, which keeps the link of the upload that it accepted last from this client in this
//! group, refuses one whose `previous` is another. The epoch plays no part in it: two states of the same
//! epoch have other links.
//!
//! - **The chain moves on when an upload is accepted**, on both sides, and only then. A commit that lost its
//!   epoch, or anything else that was refused, leaves no link behind. So uploads to one group are made one
//!   after the other, in whatever order; those to several groups have nothing to do with each other.
//! - **A link is not stored before it is needed.** It follows from what is stored: the last link that was
//!   accepted, and the entry in the outbox with its id and its bytes. The same entry has the same link after a
//!   crash, and the service, which knows an upload by its id and bytes, answers it as it did before. Of a
//!   message that was encrypted anew the hashes of the former encryptions are kept, because one of those may
//!   be the one that was accepted.
//! - **At sign-in the service says which link it has** ([`check_witness`](MlsClient::check_witness)). It is the
//!   last one accepted, or that of an entry in the outbox of which the answer was lost. Any other is that of
//!   a newer state than this one: then everything that encrypts, proposes or commits is refused with
//!   `rolled-back-state`, also after a restart, until an external commit (RFC 9420 §12.4.3.2) has given this
//!   client keys that no other state of it ever had. With that a new chain begins.
//!
//! A group is watched from the first time that the service was asked, and not without it: without a service
//! that keeps links nobody can tell. That a service withholds a newer link, or has an older one because its
//! own database was put back, is not told either; it cannot make one up that fits.

use openmls_traits::OpenMlsProvider;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    outbox::{self, OutboxEntry, OutboxKind},
    pending_join, ClientError, MlsClient, Result,
};
use crate::storage::{key, Category, GranularStorage};

/// The length of a link, in bytes.
pub const LINK_LENGTH: usize = 32;

/// What an upload says about the state that it was made in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadLink {
    /// The link of the upload that was accepted before; `None` for the first.
    pub previous: Option<Vec<u8>>,
    /// The link of this upload.
    pub link: Vec<u8>,
}

/// What is known of a group that is watched.
#[derive(Default, Serialize, Deserialize)]
struct Chain {
    /// The link of the upload that was accepted last.
    accepted: Option<Vec<u8>>,
    rolled_back: bool,
}

impl Chain {
    fn of(storage: &GranularStorage, group_id: &[u8]) -> Result<Option<Self>> {
        Ok(storage.get(Category::UploadChain, &key::bytes_key(group_id))?)
    }

    fn put(&self, storage: &GranularStorage, group_id: &[u8]) -> Result<()> {
        Ok(storage.put(Category::UploadChain, &key::bytes_key(group_id), self)?)
    }
}

/// What is the same for all uploads of the same bytes.
pub(super) fn hash_of(bytes: Option<&[u8]>) -> Vec<u8> {
    Sha256::digest(bytes.unwrap_or_default()).to_vec()
}

fn next_link(previous: Option<&[u8]>, entry: &OutboxEntry, message: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"openmls-wasm upload");
    hash.update(previous.unwrap_or(&[0; LINK_LENGTH]));
    hash.update(hash_of(Some(entry.id.as_bytes())));
    hash.update(message);
    hash.update(hash_of(entry.welcome.as_deref()));
    hash.finalize().to_vec()
}

/// The links that the service may have, if it accepted this entry after `previous`.
fn links_of(previous: Option<&[u8]>, entry: &OutboxEntry) -> Vec<Vec<u8>> {
    let present = entry.bytes.as_deref().map(|bytes| hash_of(Some(bytes)));
    let messages = entry.former.iter().cloned().chain(present);
    messages
        .map(|message| next_link(previous, entry, &message))
        .collect()
}

fn link_of(previous: Option<&[u8]>, entry: &OutboxEntry) -> Vec<u8> {
    next_link(previous, entry, &hash_of(entry.bytes.as_deref()))
}

/// Refuses what would send by a state that is not the newest one.
pub(super) fn check(storage: &GranularStorage, group_id: &[u8]) -> Result<()> {
    match Chain::of(storage, group_id)? {
        Some(chain) if chain.rolled_back => Err(ClientError::RolledBackState),
        _ => Ok(()),
    }
}

/// The delivery service has accepted an entry; to be called inside a savepoint.
pub(super) fn accepted(storage: &GranularStorage, entry: &OutboxEntry) -> Result<()> {
    let Some(mut chain) = Chain::of(storage, &entry.group_id)? else {
        return Ok(());
    };
    chain.accepted = Some(link_of(chain.accepted.as_deref(), entry));
    chain.put(storage, &entry.group_id)
}

/// The entry of which a former encryption comes back in the log: it was accepted, whatever came of the
/// upload, and the present one must not go up.
pub(super) fn former_entry(
    storage: &GranularStorage,
    bytes: &[u8],
    id: Option<&str>,
) -> Result<Option<OutboxEntry>> {
    let Some(id) = id else {
        return Ok(None);
    };
    let hash = hash_of(Some(bytes));
    let entry = outbox::get(storage, id)?;
    Ok(entry.filter(|entry| entry.former.contains(&hash)))
}

/// A former encryption of an entry was accepted: its link is the last, and the entry goes. To be called
/// inside a savepoint.
pub(super) fn accepted_formerly(
    storage: &GranularStorage,
    entry: &OutboxEntry,
    bytes: &[u8],
) -> Result<()> {
    if let Some(mut chain) = Chain::of(storage, &entry.group_id)? {
        let previous = chain.accepted.as_deref();
        chain.accepted = Some(next_link(previous, entry, &hash_of(Some(bytes))));
        chain.put(storage, &entry.group_id)?;
    }
    outbox::remove(storage, &entry.id)
}

/// Whether a group is watched.
pub(super) fn is_watched(storage: &GranularStorage, group_id: &[u8]) -> Result<bool> {
    Ok(Chain::of(storage, group_id)?.is_some())
}

/// An external commit was accepted: its link is the first of a new chain. To be called inside a savepoint,
/// for a group that was watched.
pub(super) fn begin(storage: &GranularStorage, entry: &OutboxEntry) -> Result<()> {
    let chain = Chain {
        accepted: Some(link_of(None, entry)),
        rolled_back: false,
    };
    chain.put(storage, &entry.group_id)
}

impl MlsClient {
    /// What an entry of the outbox is uploaded with. `None` for a group that is not watched
    /// ([`check_witness`](Self::check_witness)), but for the external commit that joins it; and for an
    /// entry without bytes.
    ///
    /// # Errors
    /// `unknown-outbox-entry`; `rolled-back-state`.
    pub fn upload_link(&self, id: &str) -> Result<Option<UploadLink>> {
        let entry = self.outbox_entry(id)?;
        let storage = self.storage();
        let previous = match pending_join::of_entry(storage, &entry)? {
            // It begins a new chain, whatever was before, and whether or not that is known here.
            Some(_) => None,
            None => match Chain::of(storage, &entry.group_id)? {
                None => return Ok(None),
                Some(chain) if chain.rolled_back => return Err(ClientError::RolledBackState),
                Some(chain) => chain.accepted,
            },
        };
        Ok(entry.bytes.is_some().then(|| UploadLink {
            link: link_of(previous.as_deref(), &entry),
            previous,
        }))
    }

    /// The delivery service says what the link of the upload is that it accepted last from this client in
    /// this group; `None` if there was none. To be asked at every sign-in, before anything is uploaded:
    /// from the first time on the group is watched. Returns whether this state is the newest one that the
    /// service knows. If it is not, everything that encrypts, proposes or commits is refused with
    /// `rolled-back-state` until the group has been joined anew by
    /// [external commit](Self::join_by_external_commit).
    ///
    /// # Errors
    /// `group-not-found`; `invalid-argument` for a link that is none.
    pub fn check_witness(&mut self, group_id: &[u8], link: Option<&[u8]>) -> Result<bool> {
        if link.is_some_and(|link| link.len() != LINK_LENGTH) {
            return Err(ClientError::InvalidArgument("a link has 32 bytes"));
        }
        let outbox = self.outbox()?;
        self.with_group(group_id, |provider, _, _| {
            let storage = provider.storage();
            let known = Chain::of(storage, group_id)?;
            let is_new = known.is_none();
            let mut chain = known.unwrap_or_default();
            let previous = chain.accepted.as_deref();
            let of_group = outbox.iter().filter(|entry| entry.group_id == group_id);
            let is_current = match link {
                // It has never known one, or does not any more.
                None => true,
                Some(link) if previous == Some(link) => true,
                Some(link) => of_group
                    .flat_map(|entry| links_of(previous, entry))
                    .any(|possible| possible == link),
            };
            if is_new || (!is_current && !chain.rolled_back) {
                chain.rolled_back = !is_current;
                chain.put(storage, group_id)?;
            }
            Ok(!chain.rolled_back)
        })
    }

    /// The delivery service refused a message or a proposal for good: its entry goes, and leaves no link
    /// behind.
    ///
    /// # Errors
    /// `unknown-outbox-entry`; `wrong-kind` for a commit, which is rejected by
    /// [`reject_commit`](Self::reject_commit).
    pub fn reject_outbox(&mut self, id: &str) -> Result<()> {
        let entry = self.outbox_entry(id)?;
        if entry.kind == OutboxKind::Commit {
            return Err(ClientError::WrongKind("a commit is rejected as one"));
        }
        self.atomically(|provider| outbox::remove(provider.storage(), id))
    }
}
