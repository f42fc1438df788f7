//! Group infos: published by members, read by a member that joins anew.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use serde::{Deserialize, Serialize};

use super::extract::{Body, Caller, GroupId};
use crate::app::App;
use crate::bytes::Base64;
use crate::error::Result;
use crate::mls;
use crate::store::group_infos;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    epoch: u64,
    group_info: Base64,
}

/// `PUT /v1/groups/{groupId}/info`
pub async fn publish(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    GroupId(group_id): GroupId,
    Body(Published { epoch, group_info }): Body<Published>,
) -> Result<StatusCode> {
    mls::check_group_info(&group_info.0)?;
    app.write(move |db| group_infos::put(db, &caller, &group_id, epoch, &group_info.0))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    group_info: Base64,
}

/// `GET /v1/groups/{groupId}/info`
pub async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    GroupId(group_id): GroupId,
) -> Result<Json<Read>> {
    let group_info = app
        .read(move |db| group_infos::get(db, &caller, &group_id))
        .await?;
    Ok(Json(Read {
        group_info: Base64(group_info),
    }))
}
