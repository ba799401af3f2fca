//! Two listeners, the jobs beside them, and how all of it stops: no request in flight is without an answer.
//!
//! ```text
//! signal ─▶ leaving: `/readyz` says 503, whoever comes is served and asked to come elsewhere next time
//!              └─ after `shutdown.delay` ─▶ closing: nobody is taken in, what is inside is finished, jobs end their piece
//!                    └─ after `shutdown.grace`, or at a second signal ─▶ hard stop: what is inside is answered as it is
//! ```

mod body;
mod certificate_pair;
mod connection;
mod connection_limits;
mod connection_timeouts;
mod listener;
mod refusals;
mod shutdown;
mod single_instance_lease;
mod tls;
mod write_backpressure;

use std::{future::pending, io, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

pub(crate) use body::BodyTimeout;
pub(crate) use certificate_pair::CertificatePair;
pub use shutdown::StopSignal;
pub use single_instance_lease::{LeaseError, SingleInstanceLease};
pub use tls::Tls;

use crate::{
    app::App,
    config::{LimitsConfig, ShutdownConfig},
    http::ops,
    jobs::{self, Lane},
    snapshot::SnapshotSource,
};
use listener::{Listener, accept_connections};
use shutdown::ShutdownStage;

/// Bound listeners and what the public one serves.
#[derive(Debug)]
pub struct ServerSetup {
    /// Where people and clients arrive.
    pub public: TcpListener,
    /// The certificate of the public listener; none when a proxy in front ends TLS.
    pub tls: Option<Tls>,
    /// Health and readiness.
    pub ops: TcpListener,
    /// What the public listener serves.
    pub router: Router,
    /// What one client may take of either listener.
    pub limits: LimitsConfig,
    /// What is worked on beside the listeners.
    pub lanes: Vec<Lane>,
    /// The lease of counters in memory, where nobody may serve beside us.
    pub lease: Option<SingleInstanceLease>,
}

/// How long a hard stop takes at most: enough to write an answer to whoever reads it.
const HARD_STOP_TIMEOUT: Duration = Duration::from_millis(1500);

type Tasks = JoinSet<io::Result<()>>;

/// Serves until it is asked to stop, then finishes what is in flight.
///
/// # Errors
/// A listener failed, or another process took over the counters in memory.
pub async fn run(
    app: App,
    setup: ServerSetup,
    shutdown: ShutdownConfig,
    mut stop: StopSignal,
) -> io::Result<()> {
    let (stage, stage_receiver) = watch::channel(ShutdownStage::Serving);
    let (stopping, stop_receiver) = watch::channel(false);
    // Probes are answered to the end, and nothing waits for them.
    let mut ops_tasks = JoinSet::new();
    let ops_listener =
        Listener::new(ops::router(app.clone()), None, setup.limits.clone(), app.proxies.clone());
    let (_open, always_serving) = watch::channel(ShutdownStage::Serving);
    ops_tasks.spawn(accept_connections(setup.ops, ops_listener, always_serving));
    let mut tasks = spawn_background(&app, setup.lanes, setup.tls.as_ref(), &stop_receiver);
    if let Some(lease) = setup.lease {
        tasks.spawn(lease.hold(app.clone(), stop_receiver));
    }
    let public_listener = Listener::new(setup.router, setup.tls, setup.limits, app.proxies.clone());
    tasks.spawn(accept_connections(setup.public, public_listener, stage_receiver));
    let failed = tokio::select! {
        () = stop.wait() => Ok(()),
        ended = tasks.join_next() => ended.map_or(Ok(()), flatten_join),
    };
    tracing::info!(delay = ?shutdown.delay, grace = ?shutdown.grace, "stopping");
    app.mark_stopping();
    stage.send_replace(ShutdownStage::Unready);
    let waited = tokio::select! {
        () = stop.wait() => false,
        _ = timeout(shutdown.delay, pending::<()>()) => true,
    };
    stage.send_replace(ShutdownStage::Draining);
    stopping.send_replace(true);
    let ended = if waited { drain(&mut tasks, shutdown.grace, &mut stop).await } else { None };
    let Some(ended) = ended else {
        hard_stop(&app, &stage, &mut tasks).await;
        return failed;
    };
    app.db.close().await;
    failed.and(ended)
}

/// What runs beside the listeners.
fn spawn_background(
    app: &App,
    lanes: Vec<Lane>,
    tls: Option<&Tls>,
    stop_receiver: &watch::Receiver<bool>,
) -> Tasks {
    let mut tasks = JoinSet::new();
    let source =
        SnapshotSource { db: app.db.clone(), root: app.root.clone(), metrics: app.metrics.clone() };
    tasks.spawn(infallible(app.live.clone().run(source, stop_receiver.clone())));
    tasks.spawn(infallible(jobs::run(app.clone(), lanes, stop_receiver.clone())));
    if let Some(tls) = tls {
        tasks.spawn(infallible(tls.clone().watch_files(app.clone(), stop_receiver.clone())));
    }
    tasks
}

async fn infallible(part: impl Future<Output = ()>) -> io::Result<()> {
    part.await;
    Ok(())
}

/// Waits for every part; nothing when the grace ends first, or when it is asked to stop a second time.
async fn drain(
    tasks: &mut Tasks,
    grace: Duration,
    stop: &mut StopSignal,
) -> Option<io::Result<()>> {
    let all = timeout(grace, async {
        while let Some(ended) = tasks.join_next().await {
            flatten_join(ended)?;
        }
        Ok(())
    });
    tokio::select! {
        ended = all => ended.ok(),
        () = stop.wait() => None,
    }
}

/// The hard stop: requests in flight are given up and answered, and what is not done then is cut.
async fn hard_stop(app: &App, stage: &watch::Sender<ShutdownStage>, tasks: &mut Tasks) {
    tracing::warn!("hard stop: what is in flight is given up");
    app.begin_hard_stop();
    stage.send_replace(ShutdownStage::HardStop);
    let all = timeout(HARD_STOP_TIMEOUT, async { while tasks.join_next().await.is_some() {} });
    if all.await.is_err() {
        tracing::warn!("not everything has ended; the rest is cut");
    }
}

fn flatten_join(ended: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}
