//! The tables, and the steps from one format to the next.

use rusqlite::{Connection, TransactionBehavior};

use super::OpenError;

/// The format that this version writes, kept in SQLite's `user_version`.
pub const FORMAT: i64 = MIGRATIONS.len() as i64;

/// `MIGRATIONS[n]` leads from format n to n + 1. Never change one that was released: add the next.
const MIGRATIONS: &[&str] = &[FIRST, QUOTAS, WITNESS];

const FIRST: &str = "
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE clients (
    id INTEGER PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users,
    name TEXT NOT NULL,
    public_key BLOB NOT NULL UNIQUE,
    -- Position of the last Welcome: never given out twice, also when the Welcomes are gone.
    welcome_position INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user, name)
) STRICT;

-- Keys that a client of the user vouched for, until a new client registers with one.
CREATE TABLE links (
    user INTEGER NOT NULL REFERENCES users,
    public_key BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (user, public_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    client INTEGER NOT NULL REFERENCES clients,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_client ON sessions (client);

-- A one-time key package that was given out keeps its row, without its message, until it expires:
-- a repeated upload must not make it available again.
CREATE TABLE key_packages (
    id INTEGER PRIMARY KEY,
    reference BLOB NOT NULL UNIQUE,
    client INTEGER NOT NULL REFERENCES clients,
    message BLOB,
    last_resort INTEGER NOT NULL,
    not_after INTEGER NOT NULL
) STRICT;
CREATE INDEX key_packages_available ON key_packages (client, last_resort) WHERE message IS NOT NULL;
CREATE INDEX key_packages_by_expiry ON key_packages (not_after);

CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    group_id BLOB NOT NULL UNIQUE,
    creator INTEGER NOT NULL REFERENCES clients,
    epoch INTEGER NOT NULL DEFAULT 0,
    -- Position of the last entry of the log.
    position INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A client reads the entries after `joined`, up to and including `removed`.
CREATE TABLE members (
    id INTEGER PRIMARY KEY,
    group_ INTEGER NOT NULL REFERENCES groups,
    client INTEGER NOT NULL REFERENCES clients,
    joined INTEGER NOT NULL,
    removed INTEGER
) STRICT;
CREATE UNIQUE INDEX current_members ON members (group_, client) WHERE removed IS NULL;
CREATE INDEX members_by_client ON members (client, group_);

CREATE TABLE log (
    rowid INTEGER PRIMARY KEY,
    group_ INTEGER NOT NULL REFERENCES groups,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    sender INTEGER NOT NULL REFERENCES clients,
    -- Digest of the whole upload: tells its repetition from another upload under the same id.
    upload BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    message BLOB NOT NULL,
    UNIQUE (group_, position),
    UNIQUE (group_, id)
) STRICT;

-- One copy of a Welcome however many clients it is for, gone with the last of them.
CREATE TABLE welcome_messages (
    id INTEGER PRIMARY KEY,
    log INTEGER NOT NULL UNIQUE REFERENCES log,
    message BLOB NOT NULL
) STRICT;

CREATE TABLE welcomes (
    client INTEGER NOT NULL REFERENCES clients,
    position INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES welcome_messages,
    PRIMARY KEY (client, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX welcomes_by_message ON welcomes (message);
";

const QUOTAS: &str = "
CREATE INDEX groups_by_creator ON groups (creator);
-- The last day (since 1970) on which the client added to a log, and how many bytes it added then.
ALTER TABLE clients ADD COLUMN upload_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clients ADD COLUMN upload_bytes INTEGER NOT NULL DEFAULT 0;
";

const WITNESS: &str = "
-- The link of the upload that was accepted last from the client, as a member; see `witness`.
ALTER TABLE members ADD COLUMN link BLOB;
-- What a member has published to join anew by, and of which epoch it is.
ALTER TABLE groups ADD COLUMN info BLOB;
ALTER TABLE groups ADD COLUMN info_epoch INTEGER;
";

/// Makes the tables of a new database; takes an older one to this format; refuses a newer one.
pub fn bring_up_to_date(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format > FORMAT {
        return Err(OpenError::NewerFormat(format));
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(format).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_an_older_format_keeps_what_it_has() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(FIRST).unwrap();
        let fill = "
            INSERT INTO users (id, name) VALUES (1, 'ann');
            INSERT INTO clients (user, name, public_key) VALUES (1, 'phone', x'01');
            PRAGMA user_version = 1;";
        connection.execute_batch(fill).unwrap();
        for _ in 0..2 {
            bring_up_to_date(&mut connection).unwrap();
            let row: (String, i64) = connection
                .query_row("SELECT name, upload_bytes FROM clients", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .unwrap();
            assert_eq!(row, ("phone".into(), 0));
        }
    }
}
