//! Log lines on standard error: what was asked and how it ended. No tokens, names, ids or bytes.

use std::fmt::Arguments;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

/// Writes one line.
pub fn line(text: Arguments<'_>) {
    eprintln!("delivery-service: {text}");
}

/// Middleware: one line per request with the route's pattern (never the path, which holds user names
/// and group ids), the status and the time taken. Refusals only, unless `verbose`.
pub async fn requests(verbose: bool, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(no route)".to_owned(), |path| path.as_str().to_owned());
    let start = Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    if verbose || status.is_server_error() {
        let time = start.elapsed().as_millis();
        line(format_args!(
            "{method} {route} {} {time} ms",
            status.as_u16()
        ));
    }
    response
}
