//! The caller's own Welcomes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use serde::{Deserialize, Serialize};

use super::extract::{Caller, Parameters};
use crate::app::App;
use crate::bytes::Base64;
use crate::error::Result;
use crate::store::welcomes;

#[derive(Deserialize)]
pub struct After {
    #[serde(default)]
    after: i64,
}

#[derive(Serialize)]
pub struct Page {
    welcomes: Vec<Welcome>,
    more: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    position: u64,
    id: String,
    group_id: Base64,
    group_position: u64,
    welcome: Base64,
}

/// `GET /v1/welcomes`
pub async fn page(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Parameters(After { after }): Parameters<After>,
) -> Result<Json<Page>> {
    let (welcomes, more) = app
        .read(move |db| welcomes::page(db, &caller, after))
        .await?;
    let welcomes = welcomes
        .into_iter()
        .map(|welcome| Welcome {
            position: welcome.position,
            id: welcome.id,
            group_id: Base64(welcome.group_id),
            group_position: welcome.group_position,
            welcome: Base64(welcome.message),
        })
        .collect();
    Ok(Json(Page { welcomes, more }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpTo {
    up_to: i64,
}

/// `DELETE /v1/welcomes`
pub async fn delete(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Parameters(UpTo { up_to }): Parameters<UpTo>,
) -> Result<StatusCode> {
    app.write(move |db| welcomes::delete(db, &caller, up_to))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
