//! Users, their clients, and the sessions of these.

use axum::http::StatusCode;
use rusqlite::{params, OptionalExtension, Transaction};

use crate::auth;
use crate::error::{Refusal, Result};
use crate::limits;

/// A signed-in client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its row.
    pub id: i64,
    /// The row of its user.
    pub user: i64,
    /// `user/client`, the identity in its MLS credential.
    pub identity: String,
    /// Its signature key.
    pub public_key: Vec<u8>,
    /// When its session ends, in seconds since 1970.
    pub session_expires: i64,
}

/// A client as others see it.
#[derive(Debug)]
pub struct PublicClient {
    /// Its name, unique within its user.
    pub name: String,
    /// Its signature key.
    pub public_key: Vec<u8>,
}

/// Registers a client whose possession of the key was proven. Returns its row and whether it is new:
/// the same client with the same key again is the repetition of an upload whose answer was lost.
pub fn register(
    db: &Transaction<'_>,
    user: &str,
    client: &str,
    public_key: &[u8],
) -> Result<(i64, bool)> {
    if let Some((id, known_key)) = find(db, user, client)? {
        if known_key == public_key {
            return Ok((id, false));
        }
        return Err(Refusal::conflict(
            "client-exists",
            "this user has a client of that name with another key",
        ));
    }
    let user_id = match find_user(db, user)? {
        Some(user_id) => {
            redeem_link(db, user_id, public_key)?;
            user_id
        }
        None => {
            db.execute("INSERT INTO users (name) VALUES (?1)", [user])?;
            db.last_insert_rowid()
        }
    };
    let in_use: bool = db.query_row(
        "SELECT EXISTS (SELECT 1 FROM clients WHERE public_key = ?1)",
        [public_key],
        |row| row.get(0),
    )?;
    if in_use {
        return Err(Refusal::conflict(
            "key-in-use",
            "another client is registered with this key; each client needs its own",
        ));
    }
    db.execute(
        "INSERT INTO clients (user, name, public_key) VALUES (?1, ?2, ?3)",
        params![user_id, client, public_key],
    )?;
    Ok((db.last_insert_rowid(), true))
}

fn redeem_link(db: &Transaction<'_>, user: i64, public_key: &[u8]) -> Result<()> {
    let linked = db.execute(
        "DELETE FROM links WHERE user = ?1 AND public_key = ?2 AND expires > ?3",
        params![user, public_key, auth::now()],
    )?;
    if linked == 0 {
        return Err(Refusal::forbidden(
            "not-linked",
            "this user exists: one of its clients must link the new client's key first",
        ));
    }
    let clients: u64 = db.query_row(
        "SELECT count(*) FROM clients WHERE user = ?1",
        [user],
        |row| row.get(0),
    )?;
    if clients >= limits::CLIENTS_PER_USER {
        return Err(Refusal::conflict(
            "too-many-clients",
            "this user has no room for another client",
        ));
    }
    Ok(())
}

/// A client of this user vouches for the key of a client to come. Vouching again renews the term.
pub fn link(db: &Transaction<'_>, by: &Client, public_key: &[u8]) -> Result<()> {
    db.execute("DELETE FROM links WHERE expires <= ?1", [auth::now()])?;
    let others: u64 = db.query_row(
        "SELECT count(*) FROM links WHERE user = ?1 AND public_key <> ?2",
        params![by.user, public_key],
        |row| row.get(0),
    )?;
    if others >= limits::LINKS_PER_USER {
        return Err(Refusal::conflict(
            "too-many-links",
            "too many linked keys wait for their clients to register",
        ));
    }
    db.execute(
        "INSERT INTO links (user, public_key, expires) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET expires = excluded.expires",
        params![by.user, public_key, expiry(limits::LINK_LIFE)],
    )?;
    Ok(())
}

/// The row and the key of a client, by names.
pub fn find(db: &Transaction<'_>, user: &str, client: &str) -> Result<Option<(i64, Vec<u8>)>> {
    Ok(db
        .query_row(
            "SELECT clients.id, public_key FROM clients JOIN users ON users.id = clients.user
             WHERE users.name = ?1 AND clients.name = ?2",
            [user, client],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?)
}

/// The row of a user, by name.
pub fn find_user(db: &Transaction<'_>, user: &str) -> Result<Option<i64>> {
    Ok(db
        .query_row("SELECT id FROM users WHERE name = ?1", [user], |row| {
            row.get(0)
        })
        .optional()?)
}

/// The row of the client with this `user/client` identity, if it is registered.
pub fn find_identity(db: &Transaction<'_>, identity: &str) -> Result<Option<i64>> {
    let Some((user, client)) = identity.split_once('/') else {
        return Ok(None);
    };
    Ok(find(db, user, client)?.map(|(id, _)| id))
}

/// The clients of a user, or `None` if there is no such user.
pub fn of_user(db: &Transaction<'_>, user: &str) -> Result<Option<Vec<PublicClient>>> {
    let clients = db
        .prepare_cached(
            "SELECT clients.name, public_key FROM clients JOIN users ON users.id = clients.user
             WHERE users.name = ?1 ORDER BY clients.id",
        )?
        .query_map([user], |row| {
            Ok(PublicClient {
                name: row.get(0)?,
                public_key: row.get(1)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    // A user is made together with its first client, so there is none without clients.
    Ok((!clients.is_empty()).then_some(clients))
}

/// Stores a new session, and drops expired ones and the oldest of a client that has too many.
pub fn start_session(db: &Transaction<'_>, client: i64, token_hash: &[u8; 32]) -> Result<()> {
    db.execute("DELETE FROM sessions WHERE expires <= ?1", [auth::now()])?;
    db.execute(
        "INSERT INTO sessions (token_hash, client, expires) VALUES (?1, ?2, ?3)",
        params![token_hash, client, expiry(limits::SESSION_LIFE)],
    )?;
    db.execute(
        "DELETE FROM sessions WHERE client = ?1 AND id NOT IN
         (SELECT id FROM sessions WHERE client = ?1 ORDER BY id DESC LIMIT ?2)",
        params![client, limits::SESSIONS_PER_CLIENT],
    )?;
    Ok(())
}

/// The client whose session has this token.
pub fn by_token(db: &Transaction<'_>, token_hash: &[u8; 32]) -> Result<Client> {
    db.prepare_cached(
        "SELECT clients.id, clients.user, users.name || '/' || clients.name, public_key, expires
         FROM sessions JOIN clients ON clients.id = sessions.client JOIN users ON users.id = clients.user
         WHERE token_hash = ?1 AND expires > ?2",
    )?
    .query_row(params![token_hash, auth::now()], |row| {
        Ok(Client {
            id: row.get(0)?,
            user: row.get(1)?,
            identity: row.get(2)?,
            public_key: row.get(3)?,
            session_expires: row.get(4)?,
        })
    })
    .optional()?
    .ok_or_else(auth::unknown_token)
}

/// Adds to what a client has stored today, or refuses it if that makes more than `limit`.
pub fn charge(db: &Transaction<'_>, client: i64, bytes: usize, limit: u64) -> Result<()> {
    let today = auth::now() / (24 * 60 * 60);
    let used: u64 = db
        .prepare_cached(
            "UPDATE clients SET upload_day = ?2, upload_bytes = ?3 +
               CASE upload_day WHEN ?2 THEN upload_bytes ELSE 0 END
             WHERE id = ?1 RETURNING upload_bytes",
        )?
        .query_row(params![client, today, bytes], |row| row.get(0))?;
    if used > limit {
        // Told as something that passes: a client keeps what it could not send.
        return Err(Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "daily-limit",
            format!("a client stores at most {limit} bytes in a day; try again tomorrow (UTC)"),
        ));
    }
    Ok(())
}

fn expiry(life: std::time::Duration) -> i64 {
    auth::now().saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX))
}
