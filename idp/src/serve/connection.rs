//! One connection: handshake, requests, and the end of it.
//!
//! Over HTTP/2 a head may come in several frames, HEADERS and CONTINUATION (RFC 9113, section 6.10), with no other frame of
//! the connection between them.
//!
//! * **Size.** `limits.header_size` is for all frames of a head together, decompressed. A larger head is read to its end
//!   without being kept, and answered by 431. A head of four times that size, or of more frames than its size can need (5
//!   without `END_HEADERS`; 20 at the largest `limits.header_size`), ends the connection with `ENHANCE_YOUR_CALM`.
//! * **Time of the first head.** `limits.header_time` from the start of the connection, for any number of frames.
//! * **Time of a further head.** None of its own: until it ends there is no request, so the connection counts as idle. It
//!   gets GOAWAY `limits.idle_time` after its last request was answered, and is cut `PONG_WITHIN` later. Earlier requests
//!   are answered meanwhile; a body among them cannot continue and ends after `limits.body_time`. Such a connection costs
//!   its permit and `limits.header_size` of memory.
//! * **Resets.** A client that opens and resets streams faster than they are accepted is cut (`RESETS`).

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Version, header},
};
use hyper::{Request, Response, body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tower::ServiceExt;

use super::{
    body::TimedBody,
    connection_timeouts::{ConnectionState, ConnectionTracker, TrackedStream},
    listener::Listener,
    shutdown::ShutdownStage,
    write_backpressure::UnreadResponses,
};
use crate::config::LimitsConfig;

/// How often a peer of HTTP/2 is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long it may take to say so, and to let go of a connection that ends.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that a client has opened and reset before we looked at them (CVE-2023-44487); beyond it the connection ends.
const MAX_RESET_STREAMS: usize = 16;
/// What is kept of a body before somebody reads it: the largest form.
const WINDOW: u32 = 64 * 1024;
/// While we stop, a new connection must ask at once: it was made before the listener closed, and nothing else comes.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// At the hard stop, what has already been sent to us is read and answered, and nothing else is waited for.
const HARD_STOP_READ_TIMEOUT: Duration = Duration::from_millis(200);

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    stage: watch::Receiver<ShutdownStage>,
) {
    // Answers are small and complete: nothing is gained by waiting for more to send.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(tls) = &listener.tls else {
        return serve_requests(stream, peer, &listener, stage).await;
    };
    let handshake = tokio::select! {
        handshake = timeout(listener.limits.handshake_time, tls.acceptor().accept(stream)) => handshake,
        () = until_hard_stop(stage.clone()) => return,
    };
    match handshake {
        Ok(Ok(stream)) => serve_requests(stream, peer, &listener, stage).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "no TLS"),
        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
    }
}

async fn serve_requests<S>(
    stream: S,
    peer: SocketAddr,
    listener: &Listener,
    mut stage: watch::Receiver<ShutdownStage>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tracker = ConnectionTracker::new();
    let io = TokioIo::new(TrackedStream::new(stream, Arc::clone(&tracker)));
    let requests = RequestService {
        router: listener.router.clone(),
        peer,
        body_time: listener.limits.body_time,
        tracker: Arc::clone(&tracker),
        unread: UnreadResponses::default(),
        stage: stage.clone(),
    };
    let unread = requests.unread.clone();
    let mut unread = std::pin::pin!(unread.until_overdue(listener.limits.idle_time));
    let builder = server_builder(&listener.limits);
    let mut connection = std::pin::pin!(builder.serve_connection(io, requests));
    let mut ending = false;
    loop {
        let now = *stage.borrow_and_update();
        // What was begun is answered first; HTTP/2 is told to go, HTTP/1 is told with its next answer.
        if now >= ShutdownStage::Draining
            && !ending
            && matches!(tracker.state(), ConnectionState::Idle | ConnectionState::Working(_))
        {
            connection.as_mut().graceful_shutdown();
            ending = true;
        }
        let time_limit = time_limit(&tracker, &listener.limits, now, ending);
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection broke");
                }
                return;
            }
            () = &mut unread => {
                tracing::debug!(%peer, "answers were not read");
                return;
            }
            () = tracker.changed() => {}
            Ok(()) = stage.changed() => {}
            () = wait_for(time_limit) => {
                if ending || tracker.state() != ConnectionState::Idle {
                    tracing::debug!(%peer, doing = ?tracker.state(), "a connection took too long");
                    return;
                }
                connection.as_mut().graceful_shutdown();
                ending = true;
            }
        }
    }
}

async fn until_hard_stop(mut stage: watch::Receiver<ShutdownStage>) {
    let _ = stage.wait_for(|stage| *stage == ShutdownStage::HardStop).await;
}

fn time_limit(
    tracker: &ConnectionTracker,
    limits: &LimitsConfig,
    stage: ShutdownStage,
    ending: bool,
) -> Option<Duration> {
    let time_limit = tracker.time_limit(limits)?;
    Some(match tracker.state() {
        ConnectionState::Fresh | ConnectionState::ReadingHead
            if stage == ShutdownStage::HardStop =>
        {
            time_limit.min(HARD_STOP_READ_TIMEOUT)
        }
        ConnectionState::Fresh if stage == ShutdownStage::Draining => {
            time_limit.min(FIRST_REQUEST_TIMEOUT)
        }
        ConnectionState::Idle if ending => time_limit.min(PONG_TIMEOUT),
        _ => time_limit,
    })
}

async fn wait_for(time: Option<Duration>) {
    let for_ever = std::future::pending::<()>();
    match time {
        Some(time) => drop(timeout(time, for_ever).await),
        None => for_ever.await,
    }
}

fn server_builder(limits: &LimitsConfig) -> Builder<TokioExecutor> {
    let size = usize::try_from(limits.header_size).unwrap_or(usize::MAX);
    let mut builder = Builder::new(TokioExecutor::new());
    // The time of a head is `patience`'s: hyper's own runs while a connection rests, too.
    builder.http1().header_read_timeout(None).max_buf_size(size).half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_TIMEOUT)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_size)
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_RESET_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .max_send_buf_size(256 * 1024);
    builder
}

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
struct RequestService {
    router: Router,
    peer: SocketAddr,
    body_time: Duration,
    tracker: Arc<ConnectionTracker>,
    unread: UnreadResponses,
    stage: watch::Receiver<ShutdownStage>,
}

impl Service<Request<Incoming>> for RequestService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let http2 = request.version() >= Version::HTTP_2;
        let guard = self.tracker.begin_request(http2);
        let mut request = request.map(|body| TimedBody::new(body, self.body_time));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let (router, stage) = (self.router.clone(), self.stage.clone());
        let unread = self.unread.clone();
        Box::pin(async move {
            let mut response = router.oneshot(request).await?;
            drop(guard);
            // Whoever keeps the connection would send its next request to a listener that is gone (RFC 9112, section 9.6).
            if !http2 && *stage.borrow() != ShutdownStage::Serving {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(if http2 { response.map(|body| unread.track(body)) } else { response })
        })
    }
}
