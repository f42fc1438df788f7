//! How often a client takes key packages of a user: each time uses up some of the user's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::http::StatusCode;

use crate::error::{Refusal, Result};

/// Counts of the current minute, by asking client and asked user. In memory only: a restart forgives.
pub struct Claims {
    start: Instant,
    minute: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    number: u64,
    counts: HashMap<(i64, i64), u64>,
}

impl Claims {
    /// Nothing has been claimed yet.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            minute: Mutex::default(),
        }
    }

    /// Counts one more by `client` of `user`, or refuses it if that makes more than `limit` this minute.
    pub fn count(&self, client: i64, user: i64, limit: u64) -> Result<()> {
        self.count_in(self.start.elapsed().as_secs() / 60, client, user, limit)
    }

    fn count_in(&self, number: u64, client: i64, user: i64, limit: u64) -> Result<()> {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two requests around the change of the minute, the earlier may come here later.
        if number > minute.number {
            *minute = Minute {
                number,
                counts: HashMap::new(),
            };
        }
        let count = minute.counts.entry((client, user)).or_default();
        if *count >= limit {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-claims",
                "you have taken many key packages of this user; try again in a minute",
            ));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_so_many_for_each_user_and_minute() {
        let claims = Claims::new();
        let count = |minute, client, user| claims.count_in(minute, client, user, 2).is_ok();
        assert!(count(0, 1, 1) && count(0, 1, 1));
        assert!(!count(0, 1, 1));
        assert!(count(0, 1, 2), "another user");
        assert!(count(0, 2, 1), "another caller");
        assert!(count(1, 1, 1), "the next minute");
        assert_eq!(claims.minute.lock().unwrap().counts.len(), 1);
    }
}
