//! A request's body as it comes, with patience that ends.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt as _;
use http::StatusCode;

use crate::web::Problem;

/// The bytes of a request.
pub struct Inflow {
    stream: BodyDataStream,
    idle: Duration,
}

impl Inflow {
    /// A body whose next bytes are waited for so long.
    pub fn new(body: Body, idle: Duration) -> Inflow {
        Inflow { stream: body.into_data_stream(), idle }
    }

    /// The next bytes, `None` at the end. 408 when they do not come, 400 when the body ends
    /// other than it said it would.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        match tokio::time::timeout(self.idle, self.stream.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(_))) => Err(Problem::bad_request("the body ended before it was complete")),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body stopped coming")),
        }
    }
}
