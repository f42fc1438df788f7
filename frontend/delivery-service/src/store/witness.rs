//! The service as a witness: which upload of a client was accepted last in a group.
//!
//! A client whose database was put back to an older state would use keys again that are used up. It
//! cannot tell, for an older state agrees with itself. So each upload names the one before it, as the link
//! of a hash chain that the client computes; the service keeps the last link, for each membership, and
//! accepts an upload only behind that. It keeps no other state of the chain, and cannot make a link up.
//!
//! The link moves on with an upload that is stored and with no other: one that was refused, for its epoch
//! or for anything else, leaves it where it was. A repeated upload is answered before it comes to that.

use rusqlite::{params, OptionalExtension, Transaction};

use super::clients::Client;
use super::groups::Group;
use crate::bytes;
use crate::error::{Refusal, Result};

/// What an upload says about the state that it was made in.
#[derive(Debug)]
pub struct Link {
    /// The link of the upload before it; `None`: it is the first.
    pub previous: Option<Vec<u8>>,
    /// Its own.
    pub link: Vec<u8>,
}

/// The link of the upload that was accepted last, in the client's present membership.
pub fn current(db: &Transaction<'_>, group: i64, client: i64) -> Result<Option<Vec<u8>>> {
    Ok(db
        .prepare_cached(
            "SELECT link FROM members WHERE group_ = ?1 AND client = ?2 AND removed IS NULL",
        )?
        .query_row([group, client], |row| row.get(0))
        .optional()?
        .flatten())
}

/// Moves the link on, if the upload comes behind the present one. `anew`: the client has joined anew by an
/// external commit, and begins a new chain whatever was before.
pub fn advance(
    db: &Transaction<'_>,
    by: &Client,
    group: &Group,
    link: Option<&Link>,
    anew: bool,
) -> Result<()> {
    let current = current(db, group.id, by.id)?;
    let previous = link.and_then(|link| link.previous.as_ref());
    // Who has none yet begins with any: it may have begun at a service that has lost it.
    if current.is_some() && current.as_ref() != previous && !anew {
        return Err(Refusal::conflict(
            "state-rolled-back",
            "you have uploaded something to this group that your state does not know of: \
             join the group anew by external commit",
        )
        .with("link", current.as_deref().map(bytes::encode)));
    }
    db.prepare_cached(
        "UPDATE members SET link = ?3 WHERE group_ = ?1 AND client = ?2 AND removed IS NULL",
    )?
    .execute(params![group.id, by.id, link.map(|link| &link.link)])?;
    Ok(())
}
