//! Reads what a handler left of a request's body.
//!
//! A request is often refused before its body is read: a token expired, a body too large. An answer
//! that is followed by a closed connection, while the client still sends, is lost on its way: the
//! client would see a broken connection and try again, for ever. So the rest is read and dropped first.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use crate::limits;

/// Middleware: the answer goes out once the body has arrived, up to [`limits::DRAIN`] bytes of it.
pub async fn rest_of_body(request: Request, next: Next) -> Response {
    let (back, returned) = oneshot::channel();
    let request = request.map(|body| {
        Body::new(Lent {
            body: Some(body),
            back: Some(back),
        })
    });
    let response = next.run(request).await;
    if let Ok(mut rest) = returned.await {
        let mut dropped = 0;
        while let Some(Ok(frame)) = rest.frame().await {
            dropped += frame.data_ref().map_or(0, Bytes::len);
            if dropped > limits::DRAIN {
                break;
            }
        }
    }
    response
}

/// A body that goes back to the middleware when the handler is done with it.
struct Lent {
    body: Option<Body>,
    back: Option<oneshot::Sender<Body>>,
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // If the middleware is gone, so is the connection.
            let _ = back.send(body);
        }
    }
}
