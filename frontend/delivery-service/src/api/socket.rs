//! `GET /v1/live`: a WebSocket that tells a client at once what the log and its Welcomes gained.
//!
//! The token comes in the first frame, not in the address, which ends up in logs. After `ready`, the
//! client reads its logs from its cursors: what is stored later arrives here.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{close_code, CloseFrame, Message, WebSocket};
use axum::extract::{State, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{interval_at, sleep, timeout, Instant};

use super::extract::authenticate;
use crate::app::App;
use crate::auth;
use crate::error::Refusal;
use crate::limits;
use crate::live::Event;
use crate::store::clients::Client;

/// Close code for a wrong token: from the range that RFC 6455 §7.4.2 leaves to applications.
const UNAUTHENTICATED: u16 = 4401;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum First {
    Authenticate { token: String },
}

/// `GET /v1/live`
pub async fn live(
    State(app): State<Arc<App>>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => upgrade
            .max_message_size(limits::LIVE_FRAME)
            .max_frame_size(limits::LIVE_FRAME)
            .on_upgrade(move |socket| serve(app, socket)),
        Err(_) => Refusal::bad_request(
            "not-a-websocket",
            "this address takes WebSocket connections only",
        )
        .into_response(),
    }
}

async fn serve(app: Arc<App>, mut socket: WebSocket) {
    let mut stopping = app.stop.subscribe();
    let signed_in = tokio::select! {
        signed_in = timeout(limits::LIVE_AUTHENTICATE, sign_in(&app, &mut socket)) => signed_in,
        () = stopped(&mut stopping) => return close(socket, close_code::AWAY, "stopping").await,
    };
    let Ok(Some(client)) = signed_in else {
        return close(socket, UNAUTHENTICATED, "unknown-token").await;
    };
    // First listen, then say so: between the two nothing can be missed.
    let (id, events) = app.hub.subscribe(client.id);
    let (code, reason) = deliver(&mut stopping, &client, &mut socket, events).await;
    app.hub.unsubscribe(client.id, id);
    close(socket, code, reason).await;
}

async fn sign_in(app: &Arc<App>, socket: &mut WebSocket) -> Option<Client> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) => {
                let First::Authenticate { token } = serde_json::from_str(&text).ok()?;
                return authenticate(app, &token).await.ok();
            }
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) => return None,
        }
    }
}

/// Sends events until one side ends it. Returns what to close with.
async fn deliver(
    stopping: &mut watch::Receiver<bool>,
    client: &Client,
    socket: &mut WebSocket,
    mut events: mpsc::Receiver<Event>,
) -> (u16, &'static str) {
    const GONE: (u16, &str) = (close_code::NORMAL, "");
    if send(socket, Message::text(r#"{"type":"ready"}"#))
        .await
        .is_none()
    {
        return GONE;
    }
    let session = client.session_expires.saturating_sub(auth::now());
    let session_end = sleep(Duration::from_secs(u64::try_from(session).unwrap_or(0)));
    tokio::pin!(session_end);
    let mut ping = interval_at(Instant::now() + limits::LIVE_PING, limits::LIVE_PING);
    let mut silent_pings = 0;
    loop {
        let message = tokio::select! {
            event = events.recv() => match event {
                Some(Event::Entry(text)) => Message::Text(text),
                Some(Event::Welcome(position)) => {
                    Message::text(json!({ "type": "welcome", "position": position }).to_string())
                }
                None => return (close_code::AGAIN, "too-slow-or-too-many"),
            },
            received = socket.recv() => match received {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return GONE,
                Some(Ok(_)) => {
                    silent_pings = 0;
                    continue;
                }
            },
            _ = ping.tick() => {
                if silent_pings == 2 {
                    return (close_code::AWAY, "silent");
                }
                silent_pings += 1;
                Message::Ping(Default::default())
            },
            () = &mut session_end => return (UNAUTHENTICATED, "unknown-token"),
            () = stopped(stopping) => return (close_code::AWAY, "stopping"),
        };
        if send(socket, message).await.is_none() {
            return GONE;
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the service is gone, which is the same. What is returned holds a lock.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Sends one frame; `None` if the connection is gone or does not take it.
async fn send(socket: &mut WebSocket, message: Message) -> Option<()> {
    timeout(limits::LIVE_PING, socket.send(message))
        .await
        .ok()?
        .ok()
}

async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    // The peer may be gone already: then there is nobody to tell.
    let _ = timeout(
        Duration::from_secs(2),
        socket.send(Message::Close(Some(frame))),
    )
    .await;
}
