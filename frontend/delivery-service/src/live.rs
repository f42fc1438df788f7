//! Who listens, and what waits to be sent to them.
//!
//! The log is the truth and the live connection a hint of what was added to it: a connection that is
//! too slow is closed, its client connects again and reads on from its cursor.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::bytes::Base64;
use crate::limits;

/// Something a live client hears of.
#[derive(Clone, Debug)]
pub enum Event {
    /// A log entry, as the frame that all its readers get.
    Entry(Utf8Bytes),
    /// A Welcome at this position of the client's list. A signal only: the list has the Welcome, which
    /// may be large, once, however many hear of it.
    Welcome(u64),
}

/// A log entry as a frame.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "type", rename = "entry")]
pub struct EntryFrame<'a> {
    /// The group.
    pub group_id: &'a Base64,
    /// Position in its log.
    pub position: u64,
    /// The upload's id.
    pub id: &'a str,
    /// `user/client`.
    pub sender: &'a str,
    /// The MLSMessage.
    pub message: &'a Base64,
}

/// All live connections.
#[derive(Default)]
pub struct Hub {
    listeners: Mutex<HashMap<i64, VecDeque<Listener>>>,
    next: AtomicU64,
}

struct Listener {
    id: u64,
    queue: mpsc::Sender<Event>,
}

impl Hub {
    /// Lets a connection of `client` hear what happens from now on. When it has too many, its oldest
    /// is closed.
    pub fn subscribe(self: &Hub, client: i64) -> (u64, mpsc::Receiver<Event>) {
        let (queue, events) = mpsc::channel(limits::LIVE_QUEUE);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut listeners = self.lock();
        let own = listeners.entry(client).or_default();
        own.push_back(Listener { id, queue });
        if own.len() > limits::LIVE_PER_CLIENT {
            own.pop_front();
        }
        (id, events)
    }

    /// Forgets a connection.
    pub fn unsubscribe(&self, client: i64, id: u64) {
        self.keep(client, |listener| listener.id != id);
    }

    /// Hands an event to every connection of a client, without waiting: one whose queue is full is
    /// dropped, which closes it.
    pub fn publish(&self, client: i64, event: &Event) {
        self.keep(client, |listener| {
            listener.queue.try_send(event.clone()).is_ok()
        });
    }

    fn keep(&self, client: i64, condition: impl FnMut(&Listener) -> bool) {
        let mut listeners = self.lock();
        let Some(own) = listeners.get_mut(&client) else {
            return;
        };
        let mut condition = condition;
        own.retain(&mut condition);
        if own.is_empty() {
            listeners.remove(&client);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, VecDeque<Listener>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::Entry(Utf8Bytes::from_static("{}"))
    }

    #[test]
    fn a_connection_that_does_not_keep_up_is_closed() {
        let hub = Hub::default();
        let (_, mut events) = hub.subscribe(1);
        for _ in 0..=limits::LIVE_QUEUE {
            hub.publish(1, &event());
        }
        for _ in 0..limits::LIVE_QUEUE {
            assert!(events.try_recv().is_ok());
        }
        assert_eq!(
            events.try_recv().unwrap_err(),
            mpsc::error::TryRecvError::Disconnected
        );
        assert!(hub.lock().is_empty());
    }

    #[test]
    fn events_reach_their_client_only_and_the_oldest_connection_makes_room() {
        let hub = Hub::default();
        let mut own: Vec<_> = (0..=limits::LIVE_PER_CLIENT)
            .map(|_| hub.subscribe(1))
            .collect();
        let (other, mut others) = hub.subscribe(2);
        hub.publish(1, &event());
        let (_, mut oldest) = own.remove(0);
        assert_eq!(
            oldest.try_recv().unwrap_err(),
            mpsc::error::TryRecvError::Disconnected
        );
        assert!(own.iter_mut().all(|(_, events)| events.try_recv().is_ok()));
        assert_eq!(
            others.try_recv().unwrap_err(),
            mpsc::error::TryRecvError::Empty
        );
        hub.unsubscribe(2, other);
        assert_eq!(
            others.try_recv().unwrap_err(),
            mpsc::error::TryRecvError::Disconnected
        );
    }
}
