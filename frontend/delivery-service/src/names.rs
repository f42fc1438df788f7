//! The forms of user names, client names and ids of uploads.

use crate::error::{Refusal, Result};
use crate::limits;

/// A user name: 1 to 64 characters as people write them, no `/`, no control characters, no white
/// space at the ends. Refused rather than trimmed: the name is part of the MLS identity, which the
/// service cannot change.
pub fn check_user(name: &str) -> Result<()> {
    let characters = name.chars().count();
    let well_formed = (1..=limits::USER_NAME).contains(&characters)
        && name.trim() == name
        && !name.chars().any(|c| c == '/' || c.is_control());
    well_formed.then_some(()).ok_or_else(|| {
        Refusal::bad_request(
            "malformed-user",
            "a user name has 1 to 64 characters, no '/', no control characters, and no white space \
             at its ends",
        )
    })
}

/// A client name: 1 to 64 of `A-Z a-z 0-9 _ -`.
pub fn check_client(name: &str) -> Result<()> {
    let well_formed = (1..=limits::CLIENT_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    well_formed.then_some(()).ok_or_else(|| {
        Refusal::bad_request(
            "malformed-client",
            "a client name has 1 to 64 of A-Z a-z 0-9 _ -",
        )
    })
}

/// An upload's id: 1 to 128 printable ASCII characters.
pub fn check_entry_id(id: &str) -> Result<()> {
    let well_formed =
        (1..=limits::ENTRY_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    well_formed.then_some(()).ok_or_else(|| {
        Refusal::bad_request(
            "malformed-id",
            "an id has 1 to 128 printable ASCII characters",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_form() {
        for good in ["a", "Ann Müller", "名前", &"x".repeat(64), &"é".repeat(64)] {
            assert!(check_user(good).is_ok(), "{good:?}");
        }
        for bad in ["", " a", "a ", "a/b", "a\nb", "\u{a0}a", &"x".repeat(65)] {
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
        assert!(check_client("Phone_1-b").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(65)] {
            assert!(check_client(bad).is_err(), "{bad:?}");
        }
        assert!(check_entry_id("0f-:.").is_ok());
        for bad in ["", "a b", "é", &"x".repeat(129)] {
            assert!(check_entry_id(bad).is_err(), "{bad:?}");
        }
    }
}
