//! The ordered log of a group. The service decides which commit an epoch ends with: the first.

use rusqlite::{params, OptionalExtension, Transaction};

use super::clients::{self, Client};
use super::groups::{self, Group};
use super::welcomes;
use super::witness::{self, Link};
use crate::bytes;
use crate::error::{Refusal, Result};
use crate::limits::{self, Quotas};
use crate::mls::Header;

/// A message to append.
#[derive(Debug)]
pub struct Upload {
    /// The uploader's name for it; unique in the group's log.
    pub id: String,
    /// The MLSMessage.
    pub message: Vec<u8>,
    /// What its header says.
    pub header: Header,
    /// What a commit brings with it; `None` for application messages and proposals.
    pub commit: Option<Commit>,
    /// What the uploader's state is; `None` if it does not say.
    pub link: Option<Link>,
}

/// What is stored together with a commit.
#[derive(Debug)]
pub struct Commit {
    /// The Welcome for the added clients.
    pub welcome: Option<Vec<u8>>,
    /// Identities added.
    pub added: Vec<String>,
    /// Identities removed.
    pub removed: Vec<String>,
}

/// How an upload ended.
#[derive(Debug)]
pub struct Appended {
    /// Where the entry is in the log.
    pub position: u64,
    /// The group's epoch after it: one more than the message's if it is a commit.
    pub epoch: u64,
    /// Clients that are to hear of it: the members when it was sent. Empty for a repeated upload.
    pub readers: Vec<i64>,
    /// Welcomes to announce: client and position in its list.
    pub welcomes: Vec<(i64, u64)>,
}

/// An entry as a member reads it.
#[derive(Debug)]
pub struct Entry {
    /// Where it is in the log; the first is 1.
    pub position: u64,
    /// The uploader's name for it.
    pub id: String,
    /// `user/client` of the uploader.
    pub sender: String,
    /// The MLSMessage.
    pub message: Vec<u8>,
}

/// Appends a message, or refuses it. A repeated upload is answered as the first time, also when its
/// epoch is past by now or its sender has left.
pub fn append(
    db: &Transaction<'_>,
    by: &Client,
    upload: &Upload,
    quotas: &Quotas,
) -> Result<Appended> {
    let group = groups::find(db, by, &upload.header.group_id)?;
    let digest = digest(upload);
    if let Some(appended) = find_repeated(db, by, &group, upload, &digest)? {
        return Ok(appended);
    }
    if !groups::is_member(db, group.id, by.id)? {
        return Err(groups::not_a_member());
    }
    // Before the epoch: an older state is told that it is one, also where it is behind besides.
    let anew = upload.header.is_external_commit;
    witness::advance(db, by, &group, upload.link.as_ref(), anew)?;
    check_epoch(upload.header.epoch, group.epoch)?;
    let welcome = upload
        .commit
        .as_ref()
        .and_then(|commit| commit.welcome.as_ref());
    let bytes = upload.message.len() + welcome.map_or(0, Vec::len);
    clients::charge(db, by.id, bytes, quotas.daily_bytes)?;

    let position = group.position + 1;
    let epoch = group.epoch + u64::from(upload.commit.is_some());
    db.prepare_cached(
        "INSERT INTO log (group_, position, id, sender, upload, epoch, message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        group.id,
        position,
        upload.id,
        by.id,
        digest,
        upload.header.epoch,
        upload.message
    ])?;
    let entry = db.last_insert_rowid();
    let readers = groups::current_members(db, group.id)?;
    let mut announced = Vec::new();
    if let Some(commit) = &upload.commit {
        let added =
            groups::change_members(db, group.id, by, position, &commit.added, &commit.removed)?;
        if let Some(welcome) = &commit.welcome {
            check_room_for_welcomes(db, by, &commit.added, &added, quotas)?;
            announced = welcomes::add(db, entry, welcome, &added)?;
        }
    }
    db.prepare_cached("UPDATE groups SET epoch = ?2, position = ?3 WHERE id = ?1")?
        .execute(params![group.id, epoch, position])?;
    Ok(Appended {
        position,
        epoch,
        readers,
        welcomes: announced,
    })
}

fn find_repeated(
    db: &Transaction<'_>,
    by: &Client,
    group: &Group,
    upload: &Upload,
    digest: &[u8; 32],
) -> Result<Option<Appended>> {
    let known: Option<(u64, u64, i64, Vec<u8>)> = db
        .prepare_cached(
            "SELECT position, epoch, sender, upload FROM log WHERE group_ = ?1 AND id = ?2",
        )?
        .query_row(params![group.id, upload.id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    match known {
        None => Ok(None),
        Some((position, epoch, sender, known)) if sender == by.id && known == digest => {
            Ok(Some(Appended {
                position,
                epoch: epoch + u64::from(upload.commit.is_some()),
                readers: Vec::new(),
                welcomes: Vec::new(),
            }))
        }
        Some(_) => Err(Refusal::conflict(
            "id-conflict",
            "another upload has this id in this group's log",
        )),
    }
}

fn check_room_for_welcomes(
    db: &Transaction<'_>,
    by: &Client,
    identities: &[String],
    added: &[i64],
    quotas: &Quotas,
) -> Result<()> {
    let mut full = Vec::new();
    for (identity, client) in identities.iter().zip(added) {
        let (all, from_one) = welcomes::waiting(db, *client, by)?;
        if all >= quotas.welcomes || from_one >= quotas.welcomes_from_one {
            full.push(identity.as_str());
        }
    }
    if full.is_empty() {
        return Ok(());
    }
    Err(Refusal::conflict(
        "too-many-welcomes",
        "clients that are added must first take the Welcomes that wait for them",
    )
    .with("clients", full))
}

fn check_epoch(message: u64, group: u64) -> Result<()> {
    let (code, advice) = match message.cmp(&group) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => ("past-epoch", "catch up with the log and send it anew"),
        std::cmp::Ordering::Greater => (
            "future-epoch",
            "the commits that lead there were not stored here",
        ),
    };
    Err(Refusal::conflict(
        code,
        format!("the message is of epoch {message}, the group is in epoch {group}: {advice}"),
    )
    .with("epoch", group))
}

/// What makes an upload the same upload: everything in it.
fn digest(upload: &Upload) -> [u8; 32] {
    let mut parts: Vec<&[u8]> = vec![upload.id.as_bytes(), &upload.message];
    if let Some(commit) = &upload.commit {
        parts.push(commit.welcome.as_deref().unwrap_or_default());
        parts.push(b"added");
        parts.extend(commit.added.iter().map(String::as_bytes));
        parts.push(b"removed");
        parts.extend(commit.removed.iter().map(String::as_bytes));
    }
    bytes::digest(parts)
}

/// A page of a log.
#[derive(Debug)]
pub struct Page {
    /// What the reader may read.
    pub entries: Vec<Entry>,
    /// Whether there is more.
    pub more: bool,
    /// The link of the upload that was accepted last from the reader; see `witness`.
    pub link: Option<Vec<u8>>,
    /// The epoch that the published group info is of.
    pub info_epoch: Option<u64>,
}

/// A page of the log after `after`: only what was sent while the client was in the group.
pub fn page(
    db: &Transaction<'_>,
    by: &Client,
    group_id: &[u8],
    after: i64,
    limit: u64,
) -> Result<Page> {
    let group = groups::find(db, by, group_id)?;
    let mut page = Page {
        entries: Vec::new(),
        more: false,
        link: witness::current(db, group.id, by.id)?,
        info_epoch: group.info_epoch,
    };
    let mut statement = db.prepare_cached(
        "SELECT position, log.id, users.name || '/' || clients.name, message FROM log
         JOIN clients ON clients.id = log.sender JOIN users ON users.id = clients.user
         WHERE group_ = ?1 AND position > ?3 AND EXISTS
           (SELECT 1 FROM members WHERE members.group_ = ?1 AND client = ?2
            AND log.position > joined AND (removed IS NULL OR log.position <= removed))
         ORDER BY position LIMIT ?4",
    )?;
    let mut rows = statement.query(params![group.id, by.id, after, limit.saturating_add(1)])?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if page.entries.len() as u64 == limit || bytes >= limits::PAGE_BYTES {
            page.more = true;
            return Ok(page);
        }
        let message: Vec<u8> = row.get(3)?;
        bytes += message.len();
        page.entries.push(Entry {
            position: row.get(0)?,
            id: row.get(1)?,
            sender: row.get(2)?,
            message,
        });
    }
    Ok(page)
}
