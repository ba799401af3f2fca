//! The loop that accepts connections, each with a permit of the listener's limits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, http::request::Parts};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::{
    connection,
    connection_limits::{ConnectionLimits, Permit},
    network_counts::Full,
    refusals::Refusals,
    request_limits::RequestLimits,
    shutdown::ShutdownStage,
    tls::Tls,
};
use crate::config::{LimitsConfig, ProxiesConfig};

/// The pause after a failed accept, when file descriptors or memory are used up: a connection may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The configuration that all connections of a listener share.
#[derive(Debug)]
pub(super) struct Listener {
    /// The routes.
    pub(super) router: Router,
    /// Whether a handler of these reads the body of a request with this head.
    pub(super) reads_body: fn(&Parts) -> bool,
    /// The certificate; `None` for plain HTTP.
    pub(super) tls: Option<Tls>,
    /// How much one client may use.
    pub(super) limits: LimitsConfig,
    /// The proxies whose `X-Forwarded-For` is read.
    pub(super) proxies: ProxiesConfig,
    /// The requests in flight.
    pub(super) request_limits: Arc<RequestLimits>,
    connection_limits: Arc<ConnectionLimits>,
}

impl Listener {
    pub(super) fn new(
        (router, reads_body): (Router, fn(&Parts) -> bool),
        tls: Option<Tls>,
        limits: LimitsConfig,
        proxies: ProxiesConfig,
    ) -> Arc<Self> {
        let connection_limits = ConnectionLimits::new(&limits, proxies.clone());
        let request_limits = RequestLimits::new(&limits, proxies.clone());
        Arc::new(Self {
            router,
            reads_body,
            tls,
            limits,
            proxies,
            request_limits,
            connection_limits,
        })
    }
}

/// Accepts connections until the stage is `Draining` or later, then waits for the last of them.
pub(super) async fn accept_connections(
    socket: TcpListener,
    listener: Arc<Listener>,
    stage: watch::Receiver<ShutdownStage>,
) -> io::Result<()> {
    let mut acceptor = Acceptor::new(listener, stage.clone());
    let mut draining = std::pin::pin!(until_draining(stage));
    loop {
        tokio::select! {
            biased;
            () = &mut draining => break,
            Some(ended) = acceptor.connections.join_next() => log_panic(ended),
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => acceptor.admit(stream, peer),
                Err(error) if is_connection_error(&error) => {}
                Err(error) => {
                    acceptor.log_accept_failure(&error);
                    if timeout(ACCEPT_PAUSE, &mut draining).await.is_ok() {
                        break;
                    }
                }
            },
        }
    }
    acceptor.admit_backlog(socket)?;
    while let Some(ended) = acceptor.connections.join_next().await {
        log_panic(ended);
    }
    Ok(())
}

async fn until_draining(mut stage: watch::Receiver<ShutdownStage>) {
    let _ = stage.wait_for(|stage| *stage >= ShutdownStage::Draining).await;
}

/// Whether the error is of one connection only, so that the next accept may succeed.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Logs the panic of a connection's task. Other connections are not affected.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "alarm: the task of a connection panicked");
    }
}

/// Admits connections, and tracks open ones.
struct Acceptor {
    listener: Arc<Listener>,
    stage: watch::Receiver<ShutdownStage>,
    connections: JoinSet<()>,
    refusals: Refusals,
    is_failing: bool,
}

impl Acceptor {
    fn new(listener: Arc<Listener>, stage: watch::Receiver<ShutdownStage>) -> Self {
        let (connections, refusals) = (JoinSet::new(), Refusals::default());
        Self { listener, stage, connections, refusals, is_failing: false }
    }

    /// Logs once that no connection can be accepted.
    fn log_accept_failure(&mut self, error: &io::Error) {
        if !self.is_failing {
            self.is_failing = true;
            tracing::error!(
                %error,
                "alarm: no connection can be accepted; is limits.connections above the limit of open files?"
            );
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.is_failing = false;
        match self.listener.connection_limits.acquire(peer.ip()) {
            Ok(permit) => {
                self.refusals.reset(permit.networks());
                self.connections.spawn(serve_with_permit(
                    permit,
                    stream,
                    peer,
                    Arc::clone(&self.listener),
                    self.stage.clone(),
                ));
            }
            Err(full) => self.refuse(stream, full),
        }
    }

    fn refuse(&mut self, stream: TcpStream, full: Full) {
        self.refusals.log_once(full);
        // A TLS client cannot read a plaintext answer, and a handshake would cost more than the limit saves.
        if self.listener.tls.is_none()
            && let Some(reply) = self.refusals.reply(stream)
        {
            self.connections.spawn(reply);
        }
    }

    /// Accepts the connections in the kernel's backlog. They would be reset when the listener closes.
    fn admit_backlog(&mut self, socket: TcpListener) -> io::Result<()> {
        let socket = socket.into_std()?;
        while let Ok((stream, peer)) = socket.accept() {
            stream.set_nonblocking(true)?;
            self.admit(TcpStream::from_std(stream)?, peer);
        }
        Ok(())
    }
}

async fn serve_with_permit(
    permit: Permit,
    stream: TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    stage: watch::Receiver<ShutdownStage>,
) {
    connection::serve(stream, peer, listener, stage).await;
    drop(permit);
}
