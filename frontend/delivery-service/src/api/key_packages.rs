//! Uploading key packages and taking those of a user.

use std::sync::Arc;

use axum::extract::State;
use axum::Json;
use serde::{Deserialize, Serialize};

use super::extract::{unknown_user, Body, Caller, UserName};
use crate::app::App;
use crate::bytes::Base64;
use crate::error::{Refusal, Result};
use crate::limits;
use crate::mls;
use crate::store::{clients, key_packages};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    #[serde(default)]
    key_packages: Vec<Base64>,
    last_resort: Option<Base64>,
    #[serde(default)]
    replace: bool,
}

#[derive(Serialize)]
pub struct Available {
    available: u64,
}

/// `PUT /v1/key-packages`
pub async fn upload(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Body(upload): Body<Upload>,
) -> Result<Json<Available>> {
    if upload.key_packages.len() > limits::KEY_PACKAGES_PER_UPLOAD {
        return Err(Refusal::too_large(
            "too-many-in-upload",
            format!(
                "an upload has at most {} key packages",
                limits::KEY_PACKAGES_PER_UPLOAD
            ),
        ));
    }
    let available = app
        .blocking(move |app| {
            // Checked before the writer is taken: signatures take time.
            let check = |message: Base64, last_resort| {
                mls::check_key_package(message.0, last_resort, &caller.identity, &caller.public_key)
            };
            let replace = upload.replace;
            let one_time = upload
                .key_packages
                .into_iter()
                .map(|message| check(message, false))
                .collect::<Result<Vec<_>>>()?;
            let last_resort = upload
                .last_resort
                .map(|message| check(message, true))
                .transpose()?;
            app.store.write(|db| {
                if replace {
                    key_packages::withdraw(db, &caller)?;
                }
                key_packages::add(db, &caller, &one_time, last_resort.as_ref())
            })
        })
        .await?;
    Ok(Json(Available { available }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    available: u64,
    last_resort: bool,
}

/// `GET /v1/key-packages`
pub async fn count(State(app): State<Arc<App>>, Caller(caller): Caller) -> Result<Json<Count>> {
    let (available, last_resort) = app
        .read(move |db| key_packages::count(db, caller.id))
        .await?;
    Ok(Json(Count {
        available,
        last_resort,
    }))
}

#[derive(Default, Deserialize)]
pub struct Claim {
    clients: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    key_packages: Vec<ClaimedKeyPackage>,
    without: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedKeyPackage {
    client: String,
    key_package: Base64,
}

/// `POST /v1/users/{user}/key-packages`
pub async fn claim(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    UserName(user): UserName,
    request: Option<Body<Claim>>,
) -> Result<Json<Claimed>> {
    let wanted = request.and_then(|Body(claim)| claim.clients);
    let claimed = app
        .blocking(move |app| {
            let user = app
                .store
                .read(|db| clients::find_user(db, &user))?
                .ok_or_else(unknown_user)?;
            app.claims.count(caller.id, user, app.quotas.claims)?;
            app.store
                .write(|db| key_packages::claim(db, &caller, user, wanted.as_deref()))
        })
        .await?;
    let key_packages = claimed
        .key_packages
        .into_iter()
        .map(|(client, message)| ClaimedKeyPackage {
            client,
            key_package: Base64(message),
        })
        .collect();
    Ok(Json(Claimed {
        key_packages,
        without: claimed.without,
    }))
}
