//! The group info of a group's present epoch: what a member joins anew by (RFC 9420 §12.4.3).

use rusqlite::{params, OptionalExtension, Transaction};

use super::clients::Client;
use super::groups;
use crate::error::{Refusal, Result};

/// Keeps the group info that a member has published for the present epoch, in the place of an earlier one.
pub fn put(
    db: &Transaction<'_>,
    by: &Client,
    group_id: &[u8],
    epoch: u64,
    info: &[u8],
) -> Result<()> {
    let group = groups::find(db, by, group_id)?;
    check_member(db, by, group.id)?;
    if epoch != group.epoch {
        return Err(Refusal::conflict(
            "past-epoch",
            format!(
                "the group info is of epoch {epoch}, the group is in epoch {}",
                group.epoch
            ),
        )
        .with("epoch", group.epoch));
    }
    db.prepare_cached("UPDATE groups SET info = ?2, info_epoch = ?3 WHERE id = ?1")?
        .execute(params![group.id, info, epoch])?;
    Ok(())
}

/// The group info of the present epoch.
pub fn get(db: &Transaction<'_>, by: &Client, group_id: &[u8]) -> Result<Vec<u8>> {
    let group = groups::find(db, by, group_id)?;
    check_member(db, by, group.id)?;
    db.prepare_cached("SELECT info FROM groups WHERE id = ?1 AND info_epoch = epoch")?
        .query_row([group.id], |row| row.get(0))
        .optional()?
        .ok_or_else(|| {
            Refusal::not_found(
                "no-group-info",
                "no member has published the group info of the present epoch yet",
            )
        })
}

fn check_member(db: &Transaction<'_>, by: &Client, group: i64) -> Result<()> {
    match groups::is_member(db, group, by.id)? {
        true => Ok(()),
        false => Err(groups::not_a_member()),
    }
}
