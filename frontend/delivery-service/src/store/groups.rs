//! Groups and who is in them.

use rusqlite::{params, OptionalExtension, Transaction};

use super::clients::{self, Client};
use crate::error::{Refusal, Result};

/// A group as the log needs it.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its row.
    pub id: i64,
    /// The epoch that messages must be of.
    pub epoch: u64,
    /// Position of the last entry of its log; 0 if there is none.
    pub position: u64,
    /// The epoch that the published group info is of.
    pub info_epoch: Option<u64>,
}

/// A group as a member sees it.
#[derive(Debug)]
pub struct Listed {
    /// The MLS group id.
    pub group_id: Vec<u8>,
    /// Its epoch and position.
    pub group: Group,
    /// `user/client` of every member, in the order they joined.
    pub members: Vec<String>,
    /// The link of the upload that was accepted last from the client that asks; see `witness`.
    pub link: Option<Vec<u8>>,
}

/// Makes a group with its creator as the only member. Returns whether it is new: the creator's
/// repetition, before anything was sent, is the repetition of a request whose answer was lost.
pub fn create(db: &Transaction<'_>, by: &Client, group_id: &[u8], limit: u64) -> Result<bool> {
    let known: Option<(i64, u64)> = db
        .query_row(
            "SELECT creator, position FROM groups WHERE group_id = ?1",
            [group_id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match known {
        Some((creator, 0)) if creator == by.id => return Ok(false),
        Some(_) => {
            return Err(Refusal::conflict(
                "group-exists",
                "there is a group of that id",
            ))
        }
        None => {}
    }
    let made: u64 = db.query_row(
        "SELECT count(*) FROM groups WHERE creator = ?1",
        [by.id],
        |row| row.get(0),
    )?;
    if made >= limit {
        return Err(Refusal::conflict(
            "too-many-groups",
            format!("a client makes at most {limit} groups"),
        ));
    }
    db.execute(
        "INSERT INTO groups (group_id, creator) VALUES (?1, ?2)",
        params![group_id, by.id],
    )?;
    add_member(db, db.last_insert_rowid(), by.id, 0)?;
    Ok(true)
}

/// The group of that id, if the client is or was in it. To anyone else there is no such group.
pub fn find(db: &Transaction<'_>, by: &Client, group_id: &[u8]) -> Result<Group> {
    db.prepare_cached(
        "SELECT id, epoch, position, info_epoch FROM groups WHERE group_id = ?1 AND EXISTS
         (SELECT 1 FROM members WHERE group_ = groups.id AND client = ?2)",
    )?
    .query_row(params![group_id, by.id], |row| {
        Ok(Group {
            id: row.get(0)?,
            epoch: row.get(1)?,
            position: row.get(2)?,
            info_epoch: row.get(3)?,
        })
    })
    .optional()?
    .ok_or_else(|| {
        Refusal::not_found(
            "unknown-group",
            "there is no group of that id that you are or were in",
        )
    })
}

/// Whether the client is in the group now.
pub fn is_member(db: &Transaction<'_>, group: i64, client: i64) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT EXISTS
             (SELECT 1 FROM members WHERE group_ = ?1 AND client = ?2 AND removed IS NULL)",
        )?
        .query_row([group, client], |row| row.get(0))?)
}

/// For who was in the group and is not any more.
pub fn not_a_member() -> Refusal {
    Refusal::forbidden("not-a-member", "you are no longer in this group")
}

/// The clients that are in the group now.
pub fn current_members(db: &Transaction<'_>, group: i64) -> Result<Vec<i64>> {
    Ok(db
        .prepare_cached("SELECT client FROM members WHERE group_ = ?1 AND removed IS NULL")?
        .query_map([group], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// The groups that the client is in now.
pub fn list(db: &Transaction<'_>, by: &Client) -> Result<Vec<Listed>> {
    let groups = db
        .prepare_cached(
            "SELECT group_id, groups.id, epoch, position, link, info_epoch FROM groups
             JOIN members ON members.group_ = groups.id
             WHERE client = ?1 AND removed IS NULL ORDER BY groups.id",
        )?
        .query_map([by.id], |row| {
            Ok(Listed {
                group_id: row.get(0)?,
                group: Group {
                    id: row.get(1)?,
                    epoch: row.get(2)?,
                    position: row.get(3)?,
                    info_epoch: row.get(5)?,
                },
                members: Vec::new(),
                link: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut names = db.prepare_cached(
        "SELECT users.name || '/' || clients.name FROM members
         JOIN clients ON clients.id = members.client JOIN users ON users.id = clients.user
         WHERE group_ = ?1 AND removed IS NULL ORDER BY members.id",
    )?;
    groups
        .into_iter()
        .map(|mut listed| {
            listed.members = names
                .query_map([listed.group.id], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(listed)
        })
        .collect()
}

/// Applies the change of members that a commit at `position` declares. Returns the added clients.
///
/// Removals go first: a commit may remove a client and add it again. The committer stays (RFC 9420
/// §12.2: a member cannot commit its own removal).
pub fn change_members(
    db: &Transaction<'_>,
    group: i64,
    committer: &Client,
    position: u64,
    added: &[String],
    removed: &[String],
) -> Result<Vec<i64>> {
    for identity in removed {
        let client = registered(db, identity)?;
        if client == committer.id {
            return Err(Refusal::bad_request(
                "removes-itself",
                "a member cannot commit its own removal; another member must",
            ));
        }
        let changed = db.execute(
            "UPDATE members SET removed = ?3 WHERE group_ = ?1 AND client = ?2 AND removed IS NULL",
            params![group, client, position],
        )?;
        if changed == 0 {
            return Err(Refusal::conflict(
                "removed-not-member",
                format!("{identity} is removed and is not in the group"),
            ));
        }
    }
    added
        .iter()
        .map(|identity| {
            let client = registered(db, identity)?;
            if is_member(db, group, client)? {
                return Err(Refusal::conflict(
                    "already-member",
                    format!("{identity} is added and is in the group already"),
                ));
            }
            add_member(db, group, client, position)?;
            Ok(client)
        })
        .collect()
}

fn add_member(db: &Transaction<'_>, group: i64, client: i64, position: u64) -> Result<()> {
    db.prepare_cached("INSERT INTO members (group_, client, joined) VALUES (?1, ?2, ?3)")?
        .execute(params![group, client, position])?;
    Ok(())
}

fn registered(db: &Transaction<'_>, identity: &str) -> Result<i64> {
    clients::find_identity(db, identity)?.ok_or_else(|| {
        Refusal::bad_request(
            "unknown-client",
            format!("no client {identity} is registered"),
        )
    })
}
