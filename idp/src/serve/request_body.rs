//! The body of a request, read before the request is handled: a request that waits for its body costs its head and what has
//! arrived, and no handler.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::http::request::Parts;
use hyper::{
    Request,
    body::{Body, Incoming},
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{
    request_limits::{ConnectionId, Networks, RequestLimits},
    shutdown::{ShutdownStage, until_hard_stop},
};

/// The limit of a body in bytes. Bodies are forms with a few fields.
pub(crate) const MAX_BODY: usize = 16 * 1024;
/// How long a body that no handler reads may take. It is read all the same: many browsers show no answer when the connection
/// is closed before they have sent everything.
const UNUSED_BODY_TIME: Duration = Duration::from_secs(1);

/// Why a request has no body. It is handled all the same, so that its failure is answered as others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFailure {
    /// It did not arrive in time, or others of its network had waited for less long.
    TooSlow,
    /// It is larger than [`MAX_BODY`].
    TooLarge,
    /// The client ended it.
    Broken,
    /// The process stops at once.
    Stopped,
}

/// Reads bodies of one listener.
pub(super) struct BodyReader<'a> {
    pub(super) limits: &'a Arc<RequestLimits>,
    pub(super) networks: &'a Networks,
    pub(super) connection: ConnectionId,
    /// Whether a handler reads the body of a request with this head.
    pub(super) reads_body: fn(&Parts) -> bool,
    /// How long a body may take.
    pub(super) time: Duration,
    pub(super) stage: watch::Receiver<ShutdownStage>,
}

impl BodyReader<'_> {
    /// The request with its whole body; without it, if none of our handlers reads it.
    pub(super) async fn receive(self, request: Request<Incoming>) -> Request<axum::body::Body> {
        let (parts, body) = request.into_parts();
        let is_used = (self.reads_body)(&parts);
        let time = if is_used { self.time } else { UNUSED_BODY_TIME.min(self.time) };
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let read = if is_used && announced > MAX_BODY {
            Err(BodyFailure::TooLarge)
        } else {
            self.read(body, time).await
        };
        let mut request = Request::from_parts(parts, axum::body::Body::empty());
        match read {
            Ok(bytes) if is_used => *request.body_mut() = bytes.into(),
            Err(failure) if is_used || failure == BodyFailure::Stopped => {
                request.extensions_mut().insert(failure);
            }
            _ => {}
        }
        request
    }

    async fn read(self, body: Incoming, time: Duration) -> Result<Vec<u8>, BodyFailure> {
        let mut reading = Box::pin(collect(body));
        tokio::select! {
            biased;
            read = &mut reading => return read,
            // What has arrived already is read without a share of those that wait.
            () = std::future::ready(()) => {}
        }
        let give_way = Arc::new(Notify::new());
        let _waiting = self.limits.wait(self.networks, self.connection, &give_way);
        tokio::select! {
            biased;
            read = timeout(time, reading) => read.unwrap_or(Err(BodyFailure::TooSlow)),
            () = give_way.notified() => Err(BodyFailure::TooSlow),
            () = until_hard_stop(self.stage) => Err(BodyFailure::Stopped),
        }
    }
}

/// Copies a body into one buffer. Its parts would keep the buffers of the connection, which are larger.
async fn collect(mut body: Incoming) -> Result<Vec<u8>, BodyFailure> {
    let mut bytes = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| BodyFailure::Broken)?.into_data() else { continue };
        if bytes.len() + data.len() > MAX_BODY {
            return Err(BodyFailure::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
