//! Groups, what is sent to them, and their logs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use serde::{Deserialize, Serialize};

use super::extract::{self, Body, Caller, GroupId, Parameters};
use crate::app::App;
use crate::bytes::Base64;
use crate::error::{Refusal, Result};
use crate::limits;
use crate::live::{EntryFrame, Event};
use crate::mls::{self, Header};
use crate::names;
use crate::store::clients::Client;
use crate::store::groups;
use crate::store::log::{self, Appended, Commit, Upload};
use crate::store::witness::Link;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewGroup {
    group_id: Base64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    group_id: Base64,
    epoch: u64,
    position: u64,
}

/// `POST /v1/groups`
pub async fn create(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Body(NewGroup { group_id }): Body<NewGroup>,
) -> Result<(StatusCode, Json<Created>)> {
    extract::check_group_id(&group_id.0)?;
    let id = group_id.0.clone();
    let limit = app.quotas.groups;
    let new = app
        .write(move |db| groups::create(db, &caller, &id, limit))
        .await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let created = Created {
        group_id,
        epoch: 0,
        position: 0,
    };
    Ok((status, Json(created)))
}

#[derive(Serialize)]
pub struct Groups {
    groups: Vec<ListedGroup>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedGroup {
    group_id: Base64,
    epoch: u64,
    position: u64,
    members: Vec<String>,
    link: Option<Base64>,
    info_epoch: Option<u64>,
}

/// `GET /v1/groups`
pub async fn list(State(app): State<Arc<App>>, Caller(caller): Caller) -> Result<Json<Groups>> {
    let groups = app
        .read(move |db| groups::list(db, &caller))
        .await?
        .into_iter()
        .map(|listed| ListedGroup {
            group_id: Base64(listed.group_id),
            epoch: listed.group.epoch,
            position: listed.group.position,
            members: listed.members,
            link: listed.link.map(Base64),
            info_epoch: listed.group.info_epoch,
        })
        .collect();
    Ok(Json(Groups { groups }))
}

#[derive(Deserialize)]
pub struct MessageUpload {
    id: String,
    message: Base64,
    previous: Option<Base64>,
    link: Option<Base64>,
}

#[derive(Serialize)]
pub struct Sent {
    position: u64,
}

/// `POST /v1/groups/{groupId}/messages`
pub async fn send(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    GroupId(group_id): GroupId,
    Body(request): Body<MessageUpload>,
) -> Result<Json<Sent>> {
    names::check_entry_id(&request.id)?;
    let header = read_header(&request.message.0, &group_id)?;
    if header.is_commit {
        return Err(Refusal::bad_request(
            "wrong-content-type",
            "this is a commit; send it to the group's commits",
        ));
    }
    let upload = Upload {
        link: read_link(request.previous, request.link)?,
        id: request.id,
        message: request.message.0,
        header,
        commit: None,
    };
    let appended = append(&app, caller, upload).await?;
    Ok(Json(Sent {
        position: appended.position,
    }))
}

#[derive(Deserialize)]
pub struct CommitUpload {
    id: String,
    commit: Base64,
    welcome: Option<Base64>,
    #[serde(default)]
    added: Vec<String>,
    #[serde(default)]
    removed: Vec<String>,
    previous: Option<Base64>,
    link: Option<Base64>,
}

#[derive(Serialize)]
pub struct Committed {
    position: u64,
    epoch: u64,
}

/// `POST /v1/groups/{groupId}/commits`
pub async fn commit(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    GroupId(group_id): GroupId,
    Body(request): Body<CommitUpload>,
) -> Result<Json<Committed>> {
    names::check_entry_id(&request.id)?;
    let header = read_header(&request.commit.0, &group_id)?;
    if !header.is_commit {
        return Err(Refusal::bad_request(
            "wrong-content-type",
            "this is not a commit; send it to the group's messages",
        ));
    }
    check_changes(&request)?;
    let link = read_link(request.previous, request.link)?;
    let adds_others = !request.added.is_empty() || !request.removed.is_empty();
    if header.is_external_commit && (link.is_none() || adds_others) {
        return Err(Refusal::bad_request(
            "external-sender",
            "a commit from outside is accepted of a member only that joins anew, with the first link of \
             a new chain",
        ));
    }
    let upload = Upload {
        link,
        id: request.id,
        message: request.commit.0,
        header,
        commit: Some(Commit {
            welcome: request.welcome.map(|welcome| welcome.0),
            added: request.added,
            removed: request.removed,
        }),
    };
    let appended = append(&app, caller, upload).await?;
    Ok(Json(Committed {
        position: appended.position,
        epoch: appended.epoch,
    }))
}

fn check_changes(request: &CommitUpload) -> Result<()> {
    if request.added.len() + request.removed.len() > limits::CHANGES_PER_COMMIT {
        return Err(Refusal::too_large(
            "too-many-changes",
            format!(
                "a commit adds and removes at most {} clients",
                limits::CHANGES_PER_COMMIT
            ),
        ));
    }
    match (&request.welcome, request.added.is_empty()) {
        (Some(welcome), false) => mls::check_welcome(&welcome.0, request.added.len()),
        (None, true) => Ok(()),
        (None, false) => Err(Refusal::bad_request(
            "missing-welcome",
            "the commit adds clients and brings no Welcome for them",
        )),
        (Some(_), true) => Err(Refusal::bad_request(
            "unexpected-welcome",
            "the commit brings a Welcome and adds nobody",
        )),
    }
}

/// What an upload says about the state that it was made in: a link has 32 bytes.
fn read_link(previous: Option<Base64>, link: Option<Base64>) -> Result<Option<Link>> {
    let is_link = |bytes: &Base64| bytes.0.len() == limits::LINK;
    let fits = match &link {
        Some(link) => is_link(link) && previous.as_ref().is_none_or(is_link),
        None => previous.is_none(),
    };
    if !fits {
        return Err(Refusal::bad_request(
            "malformed-link",
            "a link has 32 bytes, and comes with the one before it",
        ));
    }
    let previous = previous.map(|previous| previous.0);
    Ok(link.map(|Base64(link)| Link { previous, link }))
}

/// Reads the header and holds it against the path: a message goes where it says it goes.
fn read_header(message: &[u8], group_id: &[u8]) -> Result<Header> {
    let header = mls::read_header(message)?;
    if header.group_id != group_id {
        return Err(Refusal::bad_request(
            "wrong-group",
            "the message's header names another group than the address",
        ));
    }
    Ok(header)
}

async fn append(app: &Arc<App>, caller: Client, upload: Upload) -> Result<Appended> {
    app.blocking(move |app| {
        app.store.write_then(
            |db| log::append(db, &caller, &upload, &app.quotas),
            |appended| publish(app, &caller, &upload, appended),
        )
    })
    .await
}

fn publish(app: &App, sender: &Client, upload: &Upload, appended: &Appended) {
    if appended.readers.is_empty() {
        return;
    }
    let frame = EntryFrame {
        group_id: &Base64(upload.header.group_id.clone()),
        position: appended.position,
        id: &upload.id,
        sender: &sender.identity,
        message: &Base64(upload.message.clone()),
    };
    // Serializing strings and numbers into memory does not fail; were it to, the log has the entry.
    let Ok(frame) = serde_json::to_string(&frame) else {
        return;
    };
    let event = Event::Entry(frame.into());
    for client in &appended.readers {
        app.hub.publish(*client, &event);
    }
    for (client, position) in &appended.welcomes {
        app.hub.publish(*client, &Event::Welcome(*position));
    }
}

#[derive(Deserialize)]
pub struct Page {
    #[serde(default)]
    after: i64,
    limit: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    entries: Vec<LogEntry>,
    more: bool,
    link: Option<Base64>,
    info_epoch: Option<u64>,
}

#[derive(Serialize)]
pub struct LogEntry {
    position: u64,
    id: String,
    sender: String,
    message: Base64,
}

/// `GET /v1/groups/{groupId}/log`
pub async fn log(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    GroupId(group_id): GroupId,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Log>> {
    let limit = page.limit.unwrap_or(limits::LOG_PAGE_DEFAULT);
    if !(1..=limits::LOG_PAGE).contains(&limit) {
        return Err(Refusal::bad_request(
            "malformed-limit",
            format!("a page has 1 to {} entries", limits::LOG_PAGE),
        ));
    }
    let page = app
        .read(move |db| log::page(db, &caller, &group_id, page.after, limit))
        .await?;
    let entries = page
        .entries
        .into_iter()
        .map(|entry| LogEntry {
            position: entry.position,
            id: entry.id,
            sender: entry.sender,
            message: Base64(entry.message),
        })
        .collect();
    Ok(Json(Log {
        entries,
        more: page.more,
        link: page.link.map(Base64),
        info_epoch: page.info_epoch,
    }))
}
