//! The HTTP interface: routes, and the layers around them.

mod drain;
mod extract;
mod group_infos;
mod groups;
mod identity;
mod key_packages;
mod socket;
mod static_files;
mod welcomes;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{header, Method, StatusCode};
use axum::middleware;
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use serde_json::{json, Value};
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;

use crate::app::App;
use crate::config::Config;
use crate::error::Refusal;
use crate::limits::{self, body};
use crate::log;

/// All routes of the service.
pub fn router(app: Arc<App>, config: &Config) -> Router {
    let v1 = Router::new()
        .route("/health", get(health))
        .route("/challenges", post(identity::challenge))
        .route("/clients", post(identity::register))
        .route("/sessions", post(identity::sign_in))
        .route("/links", post(identity::link))
        .route("/users/{user}", get(identity::user))
        .route("/users/{user}/key-packages", post(key_packages::claim))
        .route(
            "/key-packages",
            put(key_packages::upload)
                .layer(DefaultBodyLimit::max(body::KEY_PACKAGES))
                .get(key_packages::count),
        )
        .route("/groups", post(groups::create).get(groups::list))
        .route(
            "/groups/{group_id}/messages",
            post(groups::send).layer(DefaultBodyLimit::max(body::MESSAGE)),
        )
        .route(
            "/groups/{group_id}/commits",
            post(groups::commit).layer(DefaultBodyLimit::max(body::COMMIT)),
        )
        .route("/groups/{group_id}/log", get(groups::log))
        .route(
            "/groups/{group_id}/info",
            put(group_infos::publish)
                .layer(DefaultBodyLimit::max(body::GROUP_INFO))
                .get(group_infos::read),
        )
        .route("/welcomes", get(welcomes::page).delete(welcomes::delete))
        .route("/live", any(socket::live))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(body::SMALL))
        .layer(middleware::from_fn(drain::rest_of_body))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            limits::REQUEST,
        ))
        .with_state(app);

    let mut router = Router::new().nest("/v1", v1);
    router = match &config.static_dir {
        Some(folder) => router.fallback_service(static_files::routes(folder)),
        None => router.fallback(no_route),
    };
    let verbose = config.verbose;
    router = router.layer(middleware::from_fn(move |request, next| {
        log::requests(verbose, request, next)
    }));
    if config.allow_origins.is_empty() {
        return router;
    }
    router.layer(
        CorsLayer::new()
            .allow_origin(config.allow_origins.clone())
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
            .max_age(std::time::Duration::from_secs(3600)),
    )
}

async fn health() -> Json<Value> {
    Json(json!({ "ok": true }))
}

async fn no_route() -> Refusal {
    Refusal::not_found("unknown-route", "there is nothing at this address")
}

async fn no_method() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this address does not take this method",
    )
}
