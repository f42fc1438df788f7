//! What handlers take from a request, with refusals in the service's own form.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{header, StatusCode};
use axum::Json;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::{self, Token};
use crate::bytes;
use crate::error::{Refusal, Result};
use crate::limits;
use crate::store::clients::{self, Client};

/// The signed-in client that makes the request. Comes before the body: strangers' bodies are not read.
pub struct Caller(pub Client);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, token)| token)
            .ok_or_else(auth::unknown_token)?;
        authenticate(app, token).await.map(Self)
    }
}

/// The client that a token belongs to.
pub async fn authenticate(app: &Arc<App>, token: &str) -> Result<Client> {
    let hash = Token::hash_of(token)?;
    app.read(move |db| clients::by_token(db, &hash)).await
}

/// The JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        match <Json<T> as FromRequest<_>>::from_request(request, app).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(body_refusal(&rejection)),
        }
    }
}

/// No body, told by the absence of a content type, is `None`.
impl<T: DeserializeOwned> OptionalFromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Option<Self>> {
        match <Json<T> as OptionalFromRequest<_>>::from_request(request, app).await {
            Ok(json) => Ok(json.map(|Json(body)| Self(body))),
            Err(rejection) => Err(body_refusal(&rejection)),
        }
    }
}

fn body_refusal(rejection: &JsonRejection) -> Refusal {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_large(
            "body-too-large",
            "the request's body is larger than it may be",
        ),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "the body's content type must be application/json",
        ),
        _ => malformed(rejection.body_text()),
    }
}

/// The group id in the path.
pub struct GroupId(pub Vec<u8>);

impl FromRequestParts<Arc<App>> for GroupId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let Path(text) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| malformed(rejection.body_text()))?;
        let group_id = bytes::decode(&text).ok_or_else(|| {
            Refusal::bad_request(
                "malformed-group-id",
                "the group id is not base64url without padding",
            )
        })?;
        check_group_id(&group_id)?;
        Ok(Self(group_id))
    }
}

/// Refuses a group id that is empty or too long.
pub fn check_group_id(group_id: &[u8]) -> Result<()> {
    if (1..=limits::GROUP_ID).contains(&group_id.len()) {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "malformed-group-id",
        format!("a group id has 1 to {} bytes", limits::GROUP_ID),
    ))
}

/// The user name in the path.
pub struct UserName(pub String);

impl FromRequestParts<Arc<App>> for UserName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        Path::<String>::from_request_parts(parts, app)
            .await
            .map(|Path(user)| Self(user))
            .map_err(|rejection| malformed(rejection.body_text()))
    }
}

/// The answer to a name that nobody has.
pub fn unknown_user() -> Refusal {
    Refusal::not_found("unknown-user", "there is no user of that name")
}

/// The query.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        Query::from_request_parts(parts, app)
            .await
            .map(|Query(query)| Self(query))
            .map_err(|rejection: QueryRejection| malformed(rejection.body_text()))
    }
}

fn malformed(reason: String) -> Refusal {
    Refusal::bad_request("malformed-request", reason)
}
