//! Every limit of the service in one place. The README's table repeats them.

use std::time::Duration;

/// What one client may use up of what all share. A run can have others: the tests do.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Groups made by one client.
    pub groups: u64,
    /// Bytes that one client adds to logs and lists of Welcomes in one day (UTC).
    pub daily_bytes: u64,
    /// Times in a minute that one client takes key packages of the same user.
    pub claims: u64,
    /// Welcomes that wait for one client.
    pub welcomes: u64,
    /// Those of them that one client sent: nobody fills another's list alone.
    pub welcomes_from_one: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            groups: 1000,
            daily_bytes: 256 * 1024 * 1024,
            claims: 30,
            welcomes: 1000,
            welcomes_from_one: 100,
        }
    }
}

/// Bytes of one MLS message in a log.
pub const MESSAGE: usize = 1024 * 1024;
/// Bytes of one Welcome.
pub const WELCOME: usize = 8 * 1024 * 1024;
/// Bytes of one group info, with the ratchet tree in it.
pub const GROUP_INFO: usize = 8 * 1024 * 1024;
/// Bytes of one key package.
pub const KEY_PACKAGE: usize = 16 * 1024;
/// Key packages in one upload, the last-resort one not counted.
pub const KEY_PACKAGES_PER_UPLOAD: usize = 100;
/// One-time key packages kept for one client.
pub const KEY_PACKAGES_PER_CLIENT: u64 = 500;
/// Clients added or removed by one commit.
pub const CHANGES_PER_COMMIT: usize = 1000;
/// Clients of one user.
pub const CLIENTS_PER_USER: u64 = 32;
/// Vouched keys of one user that no client has registered yet.
pub const LINKS_PER_USER: u64 = 16;
/// Sessions of one client; the oldest go first.
pub const SESSIONS_PER_CLIENT: u64 = 16;
/// Live connections of one client; the oldest is closed first.
pub const LIVE_PER_CLIENT: usize = 16;
/// Events that may wait for one live connection before it is closed as too slow.
pub const LIVE_QUEUE: usize = 256;
/// Bytes of one frame from a live client.
pub const LIVE_FRAME: usize = 4096;
/// Entries on a page of a log.
pub const LOG_PAGE: u64 = 500;
/// Entries on a page of a log when the caller does not say.
pub const LOG_PAGE_DEFAULT: u64 = 100;
/// Welcomes on a page.
pub const WELCOME_PAGE: u64 = 100;
/// Message bytes after which a page ends, after at least one entry.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// Characters of a user name.
pub const USER_NAME: usize = 64;
/// Characters of a client name.
pub const CLIENT_NAME: usize = 64;
/// Characters of an upload's id.
pub const ENTRY_ID: usize = 128;
/// Bytes of the link of an upload.
pub const LINK: usize = 32;
/// Bytes of a group id.
pub const GROUP_ID: usize = 255;
/// Challenges that were redeemed within [`CHALLENGE_LIFE`]. More than the one writer can store sign-ins
/// in that time: a bound on memory that is not reached first.
pub const REDEEMED_CHALLENGES: usize = 500_000;

/// Bytes of a refused request's body that are read and dropped before the answer.
pub const DRAIN: usize = 2 * body::COMMIT;

/// How long a challenge can be signed.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(60);
/// How long a token is good for.
pub const SESSION_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a vouched key can be registered.
pub const LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a live connection may take to authenticate.
pub const LIVE_AUTHENTICATE: Duration = Duration::from_secs(10);
/// How often a live connection is pinged; one that is silent for two of these is closed.
pub const LIVE_PING: Duration = Duration::from_secs(30);
/// How long a request may take, its body included.
pub const REQUEST: Duration = Duration::from_secs(60);
/// How long a stop waits for requests and live connections to finish.
pub const STOP: Duration = Duration::from_secs(10);

/// Body limits: what the JSON of the largest permitted request takes, base64url included.
pub mod body {
    /// Requests that carry no MLS message.
    pub const SMALL: usize = 16 * 1024;
    /// A message.
    pub const MESSAGE: usize = base64(super::MESSAGE) + SMALL;
    /// A commit with its Welcome and its lists of clients.
    pub const COMMIT: usize =
        base64(super::MESSAGE) + base64(super::WELCOME) + super::CHANGES_PER_COMMIT * 800 + SMALL;
    /// A group info.
    pub const GROUP_INFO: usize = base64(super::GROUP_INFO) + SMALL;
    /// An upload of key packages.
    pub const KEY_PACKAGES: usize =
        (super::KEY_PACKAGES_PER_UPLOAD + 1) * (base64(super::KEY_PACKAGE) + 4) + SMALL;

    const fn base64(bytes: usize) -> usize {
        bytes.div_ceil(3) * 4
    }
}
