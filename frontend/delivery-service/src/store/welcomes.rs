//! Welcomes: each client has a numbered list of its own, and keeps it until it says it has them.

use rusqlite::{params, Transaction};

use super::clients::Client;
use crate::error::Result;
use crate::limits;

/// A Welcome as its client reads it.
#[derive(Debug)]
pub struct Welcome {
    /// Its place in the client's list; the first is 1, none is used twice.
    pub position: u64,
    /// The id of the commit that it came with.
    pub id: String,
    /// The group it leads into.
    pub group_id: Vec<u8>,
    /// Position of that commit: the client's log begins after it.
    pub group_position: u64,
    /// The MLSMessage.
    pub message: Vec<u8>,
}

/// Puts the Welcome that came with a log entry on the list of each added client. Returns client and
/// position for each.
pub fn add(
    db: &Transaction<'_>,
    entry: i64,
    message: &[u8],
    clients: &[i64],
) -> Result<Vec<(i64, u64)>> {
    db.execute(
        "INSERT INTO welcome_messages (log, message) VALUES (?1, ?2)",
        params![entry, message],
    )?;
    let stored = db.last_insert_rowid();
    let mut next = db.prepare_cached(
        "UPDATE clients SET welcome_position = welcome_position + 1 WHERE id = ?1
         RETURNING welcome_position",
    )?;
    let mut insert =
        db.prepare_cached("INSERT INTO welcomes (client, position, message) VALUES (?1, ?2, ?3)")?;
    clients
        .iter()
        .map(|client| {
            let position: u64 = next.query_row([client], |row| row.get(0))?;
            insert.execute(params![client, position, stored])?;
            Ok((*client, position))
        })
        .collect()
}

/// How many Welcomes wait for a client, and how many of these `sender` sent.
pub fn waiting(db: &Transaction<'_>, client: i64, sender: &Client) -> Result<(u64, u64)> {
    Ok(db
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE log.sender = ?2)
             FROM welcomes JOIN welcome_messages ON welcome_messages.id = welcomes.message
             JOIN log ON log.rowid = welcome_messages.log WHERE welcomes.client = ?1",
        )?
        .query_row([client, sender.id], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// A page of the client's own Welcomes after `after`. The flag says whether there is more.
pub fn page(db: &Transaction<'_>, by: &Client, after: i64) -> Result<(Vec<Welcome>, bool)> {
    let mut statement = db.prepare_cached(
        "SELECT welcomes.position, log.id, group_id, log.position, welcome_messages.message
         FROM welcomes JOIN welcome_messages ON welcome_messages.id = welcomes.message
         JOIN log ON log.rowid = welcome_messages.log JOIN groups ON groups.id = log.group_
         WHERE welcomes.client = ?1 AND welcomes.position > ?2
         ORDER BY welcomes.position LIMIT ?3",
    )?;
    let mut rows = statement.query(params![by.id, after, limits::WELCOME_PAGE + 1])?;
    let (mut welcomes, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if welcomes.len() as u64 == limits::WELCOME_PAGE || bytes >= limits::PAGE_BYTES {
            return Ok((welcomes, true));
        }
        let message: Vec<u8> = row.get(4)?;
        bytes += message.len();
        welcomes.push(Welcome {
            position: row.get(0)?,
            id: row.get(1)?,
            group_id: row.get(2)?,
            group_position: row.get(3)?,
            message,
        });
    }
    Ok((welcomes, false))
}

/// Takes the client's Welcomes up to and including `up_to` off its list, and drops those that nobody
/// else waits for.
pub fn delete(db: &Transaction<'_>, by: &Client, up_to: i64) -> Result<()> {
    let taken = db
        .prepare_cached(
            "DELETE FROM welcomes WHERE client = ?1 AND position <= ?2 RETURNING message",
        )?
        .query_map(params![by.id, up_to], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut drop_unused = db.prepare_cached(
        "DELETE FROM welcome_messages WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM welcomes WHERE message = ?1)",
    )?;
    for message in taken {
        drop_unused.execute([message])?;
    }
    Ok(())
}
