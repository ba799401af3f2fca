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
    shutdown::Stage,
    tls::Tls,
};
use crate::config::{LimitsConfig, ProxiesConfig};

/// How long the loop rests when this process has no more file descriptors or memory: a connection may end meanwhile.
const REST: Duration = Duration::from_millis(200);

/// What a listener does with connections.
#[derive(Debug)]
pub(super) struct Door {
    /// What answers.
    pub(super) router: Router,
    /// The certificate, unless it is plain HTTP.
    pub(super) tls: Option<Tls>,
    /// What one client may take.
    pub(super) limits: LimitsConfig,
    permits: Arc<ConnectionLimits>,
}

impl Door {
    pub(super) fn new(
        router: Router,
        tls: Option<Tls>,
        limits: LimitsConfig,
        proxies: ProxiesConfig,
    ) -> Arc<Self> {
        let permits = ConnectionLimits::new(&limits, proxies);
        Arc::new(Self { router, tls, limits, permits })
    }
}

/// Takes connections in until the stage is `Closing` or later, then ends with the last of them.
pub(super) async fn listen(
    listener: TcpListener,
    door: Arc<Door>,
    stage: watch::Receiver<Stage>,
) -> io::Result<()> {
    let mut hall = Hall::new(door, stage.clone());
    let mut closing = std::pin::pin!(closing(stage));
    loop {
        tokio::select! {
            biased;
            () = &mut closing => break,
            Some(ended) = hall.inside.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => hall.admit(stream, peer),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    hall.hindered_by(&error);
                    if timeout(REST, &mut closing).await.is_ok() {
                        break;
                    }
                }
            },
        }
    }
    hall.admit_waiting(listener)?;
    while let Some(ended) = hall.inside.join_next().await {
        report(ended);
    }
    Ok(())
}

async fn closing(mut stage: watch::Receiver<Stage>) {
    let _ = stage.wait_for(|stage| *stage >= Stage::Closing).await;
}

/// Whether it is about a connection that is gone, and the next may be well.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// A connection that panicked takes nobody with it.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "alarm: the task of a connection died");
    }
}

/// Connections that are inside, and how one gets there.
struct Hall {
    door: Arc<Door>,
    stage: watch::Receiver<Stage>,
    inside: JoinSet<()>,
    refusals: Refusals,
    hindered: bool,
}

impl Hall {
    fn new(door: Arc<Door>, stage: watch::Receiver<Stage>) -> Self {
        let (inside, refusals) = (JoinSet::new(), Refusals::default());
        Self { door, stage, inside, refusals, hindered: false }
    }

    /// Tells once that nobody can come in.
    fn hindered_by(&mut self, error: &io::Error) {
        if !self.hindered {
            self.hindered = true;
            tracing::error!(
                %error,
                "alarm: no connection can be accepted; is limits.connections above the limit of open files?"
            );
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.hindered = false;
        match self.door.permits.acquire(peer.ip()) {
            Ok(permit) => {
                self.refusals.none(permit.networks());
                self.inside.spawn(held(
                    permit,
                    stream,
                    peer,
                    Arc::clone(&self.door),
                    self.stage.clone(),
                ));
            }
            Err(full) => self.refuse(stream, full),
        }
    }

    fn refuse(&mut self, stream: TcpStream, full: Full) {
        self.refusals.tell(full);
        // A refusal in the clear would be noise to a client that speaks TLS, and a handshake costs what we are saving.
        if self.door.tls.is_none()
            && let Some(polite) = self.refusals.answer(stream)
        {
            self.inside.spawn(polite);
        }
    }

    /// The kernel has connected some clients whom nobody has greeted yet; they would be cut when the listener closes.
    fn admit_waiting(&mut self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Ok((stream, peer)) = listener.accept() {
            stream.set_nonblocking(true)?;
            self.admit(TcpStream::from_std(stream)?, peer);
        }
        Ok(())
    }
}

async fn held(
    permit: Permit,
    stream: TcpStream,
    peer: SocketAddr,
    door: Arc<Door>,
    stage: watch::Receiver<Stage>,
) {
    connection::serve(stream, peer, door, stage).await;
    drop(permit);
}
