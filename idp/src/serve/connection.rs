//! One connection: handshake, requests and close.
//!
//! Over HTTP/2 a head may come in several frames, HEADERS and CONTINUATION (RFC 9113, section 6.10), with no other frame of
//! the connection between them.
//!
//! * **Size.** `limits.header_size` is for all frames of a head together, decompressed. A larger head is answered by 431,
//!   with a text up to twice that size (`oversize_head`); beyond it the head is read to its end without being kept. A head of
//!   eight times that size, or of more frames than its size can need (5 without `END_HEADERS`; 40 at the largest
//!   `limits.header_size`), ends the connection with `ENHANCE_YOUR_CALM`.
//! * **Time of the first head.** `limits.header_time` from the start of the connection, for any number of frames.
//! * **Time of a further head.** No limit of its own: until it ends there is no request, so the connection counts as idle.
//!   It gets GOAWAY `limits.idle_time` after its last request was answered, and is closed `PONG_TIMEOUT` later. Earlier
//!   requests are answered meanwhile; a body among them cannot continue and ends after `limits.body_time`. Such a connection
//!   uses its permit and twice `limits.header_size` of memory.
//! * **Resets.** If a client opens and resets streams faster than they are accepted, its connection is closed
//!   (`MAX_RESET_STREAMS`).

use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{
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
    connection_timeouts::{ConnectionState, ConnectionTracker, RequestGuard, TrackedStream},
    listener::Listener,
    oversize_head::{self, TextAdder},
    request_body::{BodyReader, MAX_BODY},
    request_limits::{self, ConnectionId},
    shutdown::{ShutdownStage, until_hard_stop},
    write_backpressure::UnreadResponses,
};
use crate::{config::LimitsConfig, http::client_address};

/// How often an HTTP/2 peer gets a PING.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long the peer may take to answer a PING, and to close a connection after GOAWAY.
const PONG_TIMEOUT: Duration = Duration::from_secs(10);
/// The most streams that a client has opened and reset before they were accepted (CVE-2023-44487). Beyond it the
/// connection ends.
const MAX_RESET_STREAMS: usize = 16;
/// How many bytes of a body may arrive before they are read: the largest body.
const WINDOW: u32 = 16 * 1024;
const _: () = assert!(WINDOW as usize >= MAX_BODY);
/// How many bytes of an answer the HTTP/2 library keeps. The others are counted as unread (`write_backpressure`).
const SEND_BUFFER: usize = 4 * 1024;
/// How long a new connection may take for its first request while the process drains, so that it does not delay the stop.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// At the hard stop, requests that the client has already sent are read for this long and answered.
const HARD_STOP_READ_TIMEOUT: Duration = Duration::from_millis(200);

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    stage: watch::Receiver<ShutdownStage>,
) {
    // Answers are small and written at once, so Nagle's algorithm would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(tls) = &listener.tls else {
        return serve_requests(stream, peer, listener, stage).await;
    };
    let handshake = tokio::select! {
        handshake = timeout(listener.limits.handshake_time, tls.acceptor().accept(stream)) => handshake,
        () = until_hard_stop(stage.clone()) => return,
    };
    match handshake {
        Ok(Ok(stream)) => serve_requests(stream, peer, listener, stage).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "the TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
    }
}

async fn serve_requests<S>(
    stream: S,
    peer: SocketAddr,
    listener: Arc<Listener>,
    mut stage: watch::Receiver<ShutdownStage>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tracker = ConnectionTracker::new();
    let stream = TrackedStream::new(TextAdder::new(stream), Arc::clone(&tracker));
    let io = TokioIo::new(stream);
    let requests = RequestService {
        id: listener.request_limits.next_connection(),
        listener: Arc::clone(&listener),
        peer,
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
        // Requests in flight are answered first. HTTP/2 sends GOAWAY, HTTP/1.1 `connection: close` with its next answer.
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
                    tracing::debug!(%error, %peer, "a connection failed");
                }
                return;
            }
            () = &mut unread => {
                tracing::debug!(%peer, "the client did not read its answers");
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
    // `connection_timeouts` limits the time of a head: hyper's own timer would also run while a connection is idle.
    builder.http1().header_read_timeout(None).max_buf_size(size).half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_TIMEOUT)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_size.saturating_mul(oversize_head::HTTP2_FACTOR))
        .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
        .max_local_error_reset_streams(MAX_RESET_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
struct RequestService {
    id: ConnectionId,
    listener: Arc<Listener>,
    peer: SocketAddr,
    tracker: Arc<ConnectionTracker>,
    unread: UnreadResponses,
    stage: watch::Receiver<ShutdownStage>,
}

impl Service<Request<Incoming>> for RequestService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let guard = self.tracker.begin_request(request.version() >= Version::HTTP_2);
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request, guard).await) })
    }
}

impl RequestService {
    async fn answer(self, request: Request<Incoming>, guard: RequestGuard) -> Response<Body> {
        let http2 = request.version() >= Version::HTTP_2;
        let Listener { limits, proxies, request_limits, router, .. } = &*self.listener;
        if http2 && oversize_head::is_oversize(request.uri(), request.headers(), limits.header_size)
        {
            return oversize_head::answer();
        }
        let client = client_address(self.peer.ip(), request.headers(), proxies);
        let networks = request_limits.networks(client);
        let reader = BodyReader {
            limits: request_limits,
            networks: &networks,
            connection: self.id,
            reads_body: self.listener.reads_body,
            time: limits.body_time,
            stage: self.stage.clone(),
        };
        let mut request = reader.receive(request).await;
        let (mut response, unread) = match request_limits.acquire(&networks) {
            Err(_) => (request_limits::answer(), None),
            Ok(permit) => {
                request.extensions_mut().insert(ConnectInfo(self.peer));
                let Ok(response) = router.clone().oneshot(request).await;
                drop(permit);
                // A proxy's connection carries the answers of many clients: none of them may end it.
                let is_proxy = proxies.trusts(self.peer.ip().to_canonical());
                let wait = || request_limits.wait(&networks, self.id, self.unread.give_way());
                (response, (http2 && !is_proxy).then(wait))
            }
        };
        drop(guard);
        if http2 {
            return response.map(|body| self.unread.track(body, unread));
        }
        // A client that kept the connection would send its next request to a closed listener (RFC 9112, section 9.6).
        if *self.stage.borrow() != ShutdownStage::Serving {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
