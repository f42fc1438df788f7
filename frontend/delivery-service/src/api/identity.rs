//! Registering, signing in, linking a further client, and looking up a user.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::Json;
use serde::{Deserialize, Serialize};

use super::extract::{unknown_user, Body, Caller, UserName};
use crate::app::App;
use crate::auth::{self, Token};
use crate::bytes::Base64;
use crate::error::Result;
use crate::names;
use crate::store::clients;

#[derive(Serialize)]
pub struct Challenge {
    challenge: Base64,
}

/// `POST /v1/challenges`
pub async fn challenge(State(app): State<Arc<App>>) -> Result<Json<Challenge>> {
    let challenge = Base64(app.challenges.issue()?);
    Ok(Json(Challenge { challenge }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    user: String,
    client: String,
    public_key: Base64,
    challenge: Base64,
    signature: Base64,
}

#[derive(Serialize)]
pub struct SignedIn {
    token: String,
}

/// `POST /v1/clients`
pub async fn register(
    State(app): State<Arc<App>>,
    Body(request): Body<Registration>,
) -> Result<(StatusCode, Json<SignedIn>)> {
    names::check_user(&request.user)?;
    names::check_client(&request.client)?;
    auth::check_public_key(&request.public_key.0)?;
    let (new, token) = app
        .blocking(move |app| {
            // All that takes time comes before the writer is taken: there is one for everybody.
            let challenge = app.challenges.check(&request.challenge.0)?;
            auth::verify_sign_in(
                &request.public_key.0,
                &request.challenge.0,
                &request.signature.0,
            )?;
            app.challenges.redeem(challenge)?;
            let token = Token::new()?;
            let new = app.store.write(|db| {
                let (client, new) =
                    clients::register(db, &request.user, &request.client, &request.public_key.0)?;
                clients::start_session(db, client, &token.hash)?;
                Ok(new)
            })?;
            Ok((new, token))
        })
        .await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(SignedIn { token: token.text })))
}

#[derive(Deserialize)]
pub struct SignIn {
    user: String,
    client: String,
    challenge: Base64,
    signature: Base64,
}

/// `POST /v1/sessions`
pub async fn sign_in(
    State(app): State<Arc<App>>,
    Body(request): Body<SignIn>,
) -> Result<Json<SignedIn>> {
    let token = app
        .blocking(move |app| {
            let challenge = app.challenges.check(&request.challenge.0)?;
            // Neither the row nor the key of a client ever changes: a reader will do, and the writer is
            // taken when the signature has been verified.
            let (client, public_key) = app
                .store
                .read(|db| clients::find(db, &request.user, &request.client))?
                .ok_or_else(auth::wrong_signature)?;
            auth::verify_sign_in(&public_key, &request.challenge.0, &request.signature.0)?;
            app.challenges.redeem(challenge)?;
            let token = Token::new()?;
            app.store
                .write(|db| clients::start_session(db, client, &token.hash))?;
            Ok(token)
        })
        .await?;
    Ok(Json(SignedIn { token: token.text }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    public_key: Base64,
}

/// `POST /v1/links`
pub async fn link(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Body(request): Body<Link>,
) -> Result<StatusCode> {
    auth::check_public_key(&request.public_key.0)?;
    app.write(move |db| clients::link(db, &caller, &request.public_key.0))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
pub struct User {
    user: String,
    clients: Vec<UserClient>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserClient {
    client: String,
    public_key: Base64,
}

/// `GET /v1/users/{user}`
pub async fn user(
    State(app): State<Arc<App>>,
    _: Caller,
    UserName(user): UserName,
) -> Result<Json<User>> {
    let name = user.clone();
    let clients = app
        .read(move |db| clients::of_user(db, &name))
        .await?
        .ok_or_else(unknown_user)?
        .into_iter()
        .map(|client| UserClient {
            client: client.name,
            public_key: Base64(client.public_key),
        })
        .collect();
    Ok(Json(User { user, clients }))
}
