//! The built frontend, from the same origin as the service.

use std::path::{Path, PathBuf};

use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::Router;
use tower_http::services::{ServeDir, ServeFile};

use crate::error::Refusal;

/// Scripts from here only, WebAssembly allowed, and no strings made into code (Trusted Types).
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    // Cross-origin isolation: fine clocks and shared memory in the page.
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Serves `folder`. An address without a file, and without a dot in its last part, is a view of the
/// app: it gets `index.html`.
pub fn routes(folder: &Path) -> Router {
    let folder = folder.to_owned();
    Router::new().fallback_service(any(move |request| serve(folder.clone(), request)))
}

async fn serve(folder: PathBuf, request: Request) -> Response {
    let path = request.uri().path();
    let is_view = !path.rsplit('/').next().unwrap_or_default().contains('.');
    // Vite puts a digest in the names of what it builds into assets/.
    let is_hashed = path.starts_with("/assets/");
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return super::no_method().await.into_response();
    }
    let page = is_view.then(|| copy_head(&request));
    let mut response = match ServeDir::new(&folder).try_call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => return Refusal::internal(error).into_response(),
    };
    if let Some(page) = page.filter(|_| response.status() == StatusCode::NOT_FOUND) {
        response = match ServeFile::new(folder.join("index.html"))
            .try_call(page)
            .await
        {
            Ok(response) => response.into_response(),
            Err(error) => return Refusal::internal(error).into_response(),
        };
    }
    if response.status() == StatusCode::NOT_FOUND {
        response = super::no_route().await.into_response();
    }
    let caching = if is_hashed && response.status().is_success() {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn copy_head(request: &Request) -> Request {
    let mut copy = Request::new(axum::body::Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
