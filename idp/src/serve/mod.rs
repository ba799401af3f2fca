//! Two listeners, the jobs beside them, and a shutdown that answers every request in flight.
//!
//! ```text
//! signal ─▶ unready: `/readyz` answers 503; requests are still served, over HTTP/1.1 with `connection: close`
//!              └─ after `shutdown.delay` ─▶ draining: no connection is accepted; open requests and jobs are finished
//!                    └─ after `shutdown.grace`, or at a second signal ─▶ hard stop: requests are cancelled and answered
//! ```

mod certificate_pair;
mod connection;
mod connection_limits;
mod connection_timeouts;
mod listener;
mod network_counts;
mod oversize_head;
mod refusals;
mod request_body;
mod request_limits;
mod shutdown;
mod single_instance_lease;
mod tls;
mod write_backpressure;

use std::{future::pending, io, time::Duration};

use axum::{Router, http::request::Parts};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

pub(crate) use certificate_pair::CertificatePair;
pub(crate) use request_body::{BodyFailure, MAX_BODY};
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

/// Bound listeners, and what runs on and beside them.
#[derive(Debug)]
pub struct ServerSetup {
    /// The listener for browsers and clients.
    pub public: TcpListener,
    /// The certificate of the public listener; `None` when a proxy in front terminates TLS.
    pub tls: Option<Tls>,
    /// The listener for health, readiness and metrics.
    pub ops: TcpListener,
    /// The routes of the public listener.
    pub router: Router,
    /// Whether a handler of the public listener reads the body of a request with this head.
    pub reads_body: fn(&Parts) -> bool,
    /// How much of either listener one client may use.
    pub limits: LimitsConfig,
    /// The lanes of jobs that run beside the listeners.
    pub lanes: Vec<Lane>,
    /// The lease of counters in memory, with which no other process may serve.
    pub lease: Option<SingleInstanceLease>,
}

/// The longest hard stop: enough to write answers to clients that read them.
const HARD_STOP_TIMEOUT: Duration = Duration::from_millis(1500);

type Tasks = JoinSet<io::Result<()>>;

/// Serves until a stop signal, then finishes requests and jobs in flight.
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
    // Probes are answered until the process ends, and the shutdown does not wait for them.
    let mut ops_tasks = JoinSet::new();
    let ops_listener = Listener::new(
        (ops::router(app.clone()), |_| false),
        None,
        setup.limits.clone(),
        app.proxies.clone(),
    );
    let (_open, always_serving) = watch::channel(ShutdownStage::Serving);
    ops_tasks.spawn(accept_connections(setup.ops, ops_listener, always_serving));
    let mut tasks = spawn_background(&app, setup.lanes, setup.tls.as_ref(), &stop_receiver);
    if let Some(lease) = setup.lease {
        tasks.spawn(lease.hold(app.clone(), stop_receiver));
    }
    let public_listener = Listener::new(
        (setup.router, setup.reads_body),
        setup.tls,
        setup.limits,
        app.proxies.clone(),
    );
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

/// Starts the background tasks.
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

/// Waits for all tasks. `None` when the grace ends first, or at a second signal.
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

/// The hard stop: requests in flight are cancelled and answered. Tasks that do not end in time are dropped.
async fn hard_stop(app: &App, stage: &watch::Sender<ShutdownStage>, tasks: &mut Tasks) {
    tracing::warn!("hard stop: requests in flight are cancelled");
    app.begin_hard_stop();
    stage.send_replace(ShutdownStage::HardStop);
    let all = timeout(HARD_STOP_TIMEOUT, async { while tasks.join_next().await.is_some() {} });
    if all.await.is_err() {
        tracing::warn!("not every task has ended in time; the rest are dropped");
    }
}

fn flatten_join(ended: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}
