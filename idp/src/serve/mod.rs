//! Two listeners, the jobs beside them, and how all of it stops: no request in flight is without an answer.
//!
//! ```text
//! signal ─▶ leaving: `/readyz` says 503, whoever comes is served and asked to come elsewhere next time
//!              └─ after `shutdown.delay` ─▶ closing: nobody is taken in, what is inside is finished, jobs end their piece
//!                    └─ after `shutdown.grace`, or at a second signal ─▶ hard stop: what is inside is answered as it is
//! ```

mod accept;
mod alone;
mod body;
mod connection;
mod connection_limits;
mod pair;
mod patience;
mod refuse;
mod stop;
mod tls;
mod unread;

use std::{future::pending, io, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

pub use alone::{Alone, NotAlone};
pub(crate) use body::TooSlow;
pub(crate) use pair::Pair;
pub use stop::Stop;
pub use tls::Tls;

use crate::{
    app::App,
    config::{LimitsConfig, ShutdownConfig},
    http::ops,
    jobs,
    live::Source,
};
use accept::{Door, listen};
use stop::Stage;

/// Bound listeners and what the public one serves.
#[derive(Debug)]
pub struct Site {
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
    /// The lease of counters in memory, where nobody may serve beside us.
    pub alone: Option<Alone>,
}

/// How long a hard stop takes at most: enough to write an answer to whoever reads it.
const HALT_WITHIN: Duration = Duration::from_millis(1500);

type Parts = JoinSet<io::Result<()>>;

/// Serves until it is asked to stop, then finishes what is in flight.
///
/// # Errors
/// A listener failed, or another process took over the counters in memory.
pub async fn run(app: App, site: Site, shutdown: ShutdownConfig, mut stop: Stop) -> io::Result<()> {
    let (stage, staged) = watch::channel(Stage::Open);
    let (stopping, stopped) = watch::channel(false);
    // Probes are answered to the end, and nothing waits for them.
    let mut probed = JoinSet::new();
    let door = Door::new(ops::router(app.clone()), None, site.limits.clone(), app.proxies.clone());
    let (_open, always) = watch::channel(Stage::Open);
    probed.spawn(listen(site.ops, door, always));
    let mut parts = beside(&app, site.tls.as_ref(), &stopped);
    if let Some(alone) = site.alone {
        parts.spawn(alone.hold(app.clone(), stopped));
    }
    let door = Door::new(site.router, site.tls, site.limits, app.proxies.clone());
    parts.spawn(listen(site.public, door, staged));
    let failed = tokio::select! {
        () = stop.asked() => Ok(()),
        ended = parts.join_next() => ended.map_or(Ok(()), flatten),
    };
    tracing::info!(delay = ?shutdown.delay, grace = ?shutdown.grace, "stopping");
    app.leave();
    stage.send_replace(Stage::Leaving);
    let waited = tokio::select! {
        () = stop.asked() => false,
        _ = timeout(shutdown.delay, pending::<()>()) => true,
    };
    stage.send_replace(Stage::Closing);
    stopping.send_replace(true);
    let ended = if waited { finish(&mut parts, shutdown.grace, &mut stop).await } else { None };
    let Some(ended) = ended else {
        halt(&app, &stage, &mut parts).await;
        return failed;
    };
    app.db.close().await;
    failed.and(ended)
}

/// What runs beside the listeners.
fn beside(app: &App, tls: Option<&Tls>, stopped: &watch::Receiver<bool>) -> Parts {
    let mut parts = JoinSet::new();
    let source =
        Source { db: app.db.clone(), root: app.root.clone(), metrics: app.metrics.clone() };
    parts.spawn(well(app.live.clone().follow(source, stopped.clone())));
    parts.spawn(well(jobs::run(app.clone(), stopped.clone())));
    if let Some(tls) = tls {
        parts.spawn(well(tls.clone().follow(app.clone(), stopped.clone())));
    }
    parts
}

async fn well(part: impl Future<Output = ()>) -> io::Result<()> {
    part.await;
    Ok(())
}

/// Waits for every part; nothing when the grace ends first, or when it is asked to stop a second time.
async fn finish(parts: &mut Parts, grace: Duration, stop: &mut Stop) -> Option<io::Result<()>> {
    let all = timeout(grace, async {
        while let Some(ended) = parts.join_next().await {
            flatten(ended)?;
        }
        Ok(())
    });
    tokio::select! {
        ended = all => ended.ok(),
        () = stop.asked() => None,
    }
}

/// The hard stop: requests in flight are given up and answered, and what is not done then is cut.
async fn halt(app: &App, stage: &watch::Sender<Stage>, parts: &mut Parts) {
    tracing::warn!("hard stop: what is in flight is given up");
    app.halt();
    stage.send_replace(Stage::Halting);
    let all = timeout(HALT_WITHIN, async { while parts.join_next().await.is_some() {} });
    if all.await.is_err() {
        tracing::warn!("not everything has ended; the rest is cut");
    }
}

fn flatten(ended: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}
