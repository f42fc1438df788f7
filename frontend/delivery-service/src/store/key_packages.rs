//! Key packages: a one-time one is given out once, the last-resort one when none is left.

use rusqlite::{params, OptionalExtension, Transaction};

use super::clients::Client;
use crate::auth;
use crate::error::{Refusal, Result};
use crate::limits;
use crate::mls::CheckedKeyPackage;

/// Adds one-time key packages and replaces the last-resort one. One that was uploaded before, given
/// out or not, is passed over.
pub fn add(
    db: &Transaction<'_>,
    client: &Client,
    one_time: &[CheckedKeyPackage],
    last_resort: Option<&CheckedKeyPackage>,
) -> Result<u64> {
    db.execute(
        "DELETE FROM key_packages WHERE not_after < ?1",
        [auth::now()],
    )?;
    for key_package in one_time {
        insert(db, client, key_package, false)?;
    }
    let (available, _) = count(db, client.id)?;
    if available > limits::KEY_PACKAGES_PER_CLIENT {
        return Err(Refusal::conflict(
            "too-many-key-packages",
            format!(
                "a client keeps at most {} key packages here",
                limits::KEY_PACKAGES_PER_CLIENT
            ),
        ));
    }
    if let Some(last_resort) = last_resort {
        db.execute(
            "DELETE FROM key_packages WHERE client = ?1 AND last_resort = 1",
            [client.id],
        )?;
        insert(db, client, last_resort, true)?;
    }
    Ok(available)
}

/// Gives out none of a client's one-time key packages any more: it has lost their private keys.
pub fn withdraw(db: &Transaction<'_>, client: &Client) -> Result<()> {
    // Kept without its content, as one that was given out: it is passed over if it is uploaded once more.
    db.execute(
        "UPDATE key_packages SET message = NULL WHERE client = ?1 AND last_resort = 0",
        [client.id],
    )?;
    Ok(())
}

fn insert(
    db: &Transaction<'_>,
    client: &Client,
    key_package: &CheckedKeyPackage,
    last_resort: bool,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO key_packages (reference, client, message, last_resort, not_after)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (reference) DO NOTHING",
    )?
    .execute(params![
        key_package.reference,
        client.id,
        key_package.message,
        last_resort,
        // A life beyond what SQLite can count is for ever.
        i64::try_from(key_package.not_after).unwrap_or(i64::MAX),
    ])?;
    Ok(())
}

/// How many one-time key packages a client has left, and whether it has a last-resort one.
pub fn count(db: &Transaction<'_>, client: i64) -> Result<(u64, bool)> {
    Ok(db.query_row(
        "SELECT count(*) FILTER (WHERE last_resort = 0), count(*) FILTER (WHERE last_resort = 1) > 0
         FROM key_packages WHERE client = ?1 AND message IS NOT NULL AND not_after >= ?2",
        params![client, auth::now()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?)
}

/// What was taken, and who had nothing to take.
#[derive(Debug)]
pub struct Claimed {
    /// Client name and key package.
    pub key_packages: Vec<(String, Vec<u8>)>,
    /// Names of clients that have no key package left, or that the user does not have.
    pub without: Vec<String>,
}

/// Takes one key package for each client of a user, or for those of `wanted` only, except the asking
/// one (a client does not add itself). A client without any does not keep the others from being taken;
/// if none has any, nothing has changed and that is an error.
pub fn claim(
    db: &Transaction<'_>,
    by: &Client,
    user: i64,
    wanted: Option<&[String]>,
) -> Result<Claimed> {
    let clients = db
        .prepare_cached("SELECT id, name FROM clients WHERE user = ?1 ORDER BY id")?
        .query_map([user], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
    let mut without: Vec<String> = wanted
        .unwrap_or_default()
        .iter()
        .filter(|wanted| !clients.iter().any(|(_, name)| name == *wanted))
        .cloned()
        .collect();
    let mut key_packages = Vec::new();
    for (client, name) in clients {
        if client == by.id || wanted.is_some_and(|wanted| !wanted.contains(&name)) {
            continue;
        }
        match claim_one(db, client)? {
            Some(message) => key_packages.push((name, message)),
            None => without.push(name),
        }
    }
    if key_packages.is_empty() && !without.is_empty() {
        return Err(Refusal::conflict(
            "no-key-package",
            "none of the clients has a key package left",
        )
        .with("clients", without));
    }
    Ok(Claimed {
        key_packages,
        without,
    })
}

fn claim_one(db: &Transaction<'_>, client: i64) -> Result<Option<Vec<u8>>> {
    let next: Option<(i64, bool, Vec<u8>)> = db
        .prepare_cached(
            "SELECT id, last_resort, message FROM key_packages
             WHERE client = ?1 AND message IS NOT NULL AND not_after >= ?2
             ORDER BY last_resort, id LIMIT 1",
        )?
        .query_row(params![client, auth::now()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((id, last_resort, message)) = next else {
        return Ok(None);
    };
    if !last_resort {
        db.execute("UPDATE key_packages SET message = NULL WHERE id = ?1", [id])?;
    }
    Ok(Some(message))
}
