//! The forms of user names, client names and ids of uploads.

use unicode_normalization::is_nfc;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::error::{Refusal, Result};
use crate::limits;

/// A user name: 1 to 64 characters as people write them, no `/`, no white space at the ends. Refused
/// rather than trimmed or normalized: the name is part of the MLS identity, which the service cannot
/// change.
///
/// Two names that look the same would let one user pass for another. So there is one form of each
/// accented letter (NFC), and nothing that is not seen: controls, zero-width and bidirectional marks.
/// Letters of different scripts that look alike remain; members compare keys to detect those.
pub fn check_user(name: &str) -> Result<()> {
    let characters = name.chars().count();
    let well_formed =
        (1..=limits::USER_NAME).contains(&characters) && name.trim() == name && !name.contains('/');
    if !well_formed {
        return Err(Refusal::bad_request(
            "malformed-user",
            "a user name has 1 to 64 characters, no '/', and no white space at its ends",
        ));
    }
    if !is_nfc(name) || name.chars().any(is_unseen) {
        return Err(Refusal::bad_request(
            "invalid-name",
            "a user name is in Unicode normalization form C and has no control or format characters",
        ));
    }
    Ok(())
}

fn is_unseen(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
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
    fn no_name_can_look_like_another_by_what_is_not_seen() {
        for good in ["M\u{fc}ller", "\u{e9}\u{301}", "علي", "👍🏽", "ｱﾝ"] {
            assert!(check_user(good).is_ok(), "{good:?}");
        }
        for bad in [
            "Mu\u{308}ller",   // NFD
            "\u{212b}ngstrom", // ANGSTROM SIGN, in NFC U+00C5
            "a\nb",            // control
            "ann\u{85}x",      // a control of Latin-1
            "a\u{200b}nn",     // zero width space
            "a\u{200d}nn",     // zero width joiner
            "a\u{2060}nn",     // word joiner
            "\u{feff}ann",     // byte order mark
            "a\u{ad}nn",       // soft hyphen
            "\u{202e}nna",     // right-to-left override
            "ann\u{2066}",     // left-to-right isolate
            "ann\u{200e}",     // left-to-right mark
            "ann\u{e0041}",    // tag letter
            "a\u{2028}b",      // line separator
        ] {
            assert!(check_user(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_have_their_form() {
        for good in ["a", "Ann Müller", "名前", &"x".repeat(64), &"é".repeat(64)] {
            assert!(check_user(good).is_ok(), "{good:?}");
        }
        for bad in ["", " a", "a ", "a/b", "\u{a0}a", &"x".repeat(65)] {
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
