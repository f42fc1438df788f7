//! What all requests share, and the way from async handlers to the blocking store.

use std::sync::Arc;

use rusqlite::Transaction;
use tokio::sync::watch;

use crate::auth::Challenges;
use crate::claims::Claims;
use crate::error::{Refusal, Result};
use crate::limits::Quotas;
use crate::live::Hub;
use crate::store::Store;

/// The running service.
pub struct App {
    /// The database.
    pub store: Store,
    /// Makes and recognizes challenges.
    pub challenges: Challenges,
    /// Who took whose key packages lately.
    pub claims: Claims,
    /// What one client may use up.
    pub quotas: Quotas,
    /// The clients that listen.
    pub hub: Hub,
    /// Turns true when the service stops. A task that must end first holds a receiver until it has.
    pub stop: watch::Sender<bool>,
}

impl App {
    /// Looks at the database, off the async threads.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |app| app.store.read(look)).await
    }

    /// Changes the database, off the async threads. Goes on if the caller hangs up.
    pub async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.blocking(move |app| app.store.write(change)).await
    }

    /// Runs blocking work on a thread that may block.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&app))
            .await
            .map_err(Refusal::internal)?
    }
}
