//! The loop that accepts connections, each with a permit of the listener's limits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use super::{
    connection,
    connection_limits::{ConnectionLimits, Full, Permit},
    refusals::Refusals,
    shutdown::ShutdownStage,
    tls::Tls,
};
use crate::config::{LimitsConfig, ProxiesConfig};

/// How long the loop rests when this process has no more file descriptors or memory: a connection may end meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What a listener does with connections.
#[derive(Debug)]
pub(super) struct Listener {
    /// What answers.
    pub(super) router: Router,
    /// The certificate, unless it is plain HTTP.
    pub(super) tls: Option<Tls>,
    /// What one client may take.
    pub(super) limits: LimitsConfig,
    connection_limits: Arc<ConnectionLimits>,
}

impl Listener {
    pub(super) fn new(
        router: Router,
        tls: Option<Tls>,
        limits: LimitsConfig,
        proxies: ProxiesConfig,
    ) -> Arc<Self> {
        let connection_limits = ConnectionLimits::new(&limits, proxies);
        Arc::new(Self { router, tls, limits, connection_limits })
    }
}

/// Takes connections in until the stage is `Closing` or later, then ends with the last of them.
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

/// Whether it is about a connection that is gone, and the next may be well.
fn is_connection_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// A connection that panicked takes nobody with it.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "alarm: the task of a connection died");
    }
}

/// Connections that are inside, and how one gets there.
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

    /// Tells once that nobody can come in.
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
        // A refusal in the clear would be noise to a client that speaks TLS, and a handshake costs what we are saving.
        if self.listener.tls.is_none()
            && let Some(reply) = self.refusals.reply(stream)
        {
            self.connections.spawn(reply);
        }
    }

    /// The kernel has connected some clients whom nobody has greeted yet; they would be cut when the listener closes.
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
