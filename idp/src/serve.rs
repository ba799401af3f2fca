//! Two listeners, the jobs beside them, and how all of it stops: no request in flight is dropped.
//!
//! ```text
//! signal ─▶ soft stop: nothing new is accepted, what is in flight is finished, jobs finish their piece
//!              └─ after `shutdown.grace` ─▶ hard stop
//! ```

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, serve::ListenerExt};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use crate::{app::App, http::ops, jobs};

/// Bound listeners and what the public one serves.
#[derive(Debug)]
pub struct Site {
    /// Where people and clients arrive.
    pub public: TcpListener,
    /// Health and readiness.
    pub ops: TcpListener,
    /// What the public listener serves.
    pub router: Router,
}

/// Serves until `stop`, then finishes what is in flight, for at most `grace`.
///
/// # Errors
/// A listener failed.
pub async fn run(
    app: App,
    site: Site,
    grace: Duration,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let mut parts = JoinSet::new();
    let Site { public, ops: ops_listener, router } = site;
    parts.spawn(listen(public, router, stopped.clone()));
    parts.spawn(listen(ops_listener, ops::router(app.clone()), stopped.clone()));
    let follow = app.live.clone().follow(app.db.clone(), app.root.clone(), stopped.clone());
    parts.spawn(async {
        follow.await;
        Ok(())
    });
    let work = jobs::run(app.clone(), stopped);
    parts.spawn(async {
        work.await;
        Ok(())
    });
    let failed = tokio::select! {
        () = stop => Ok(()),
        ended = parts.join_next() => ended.map_or(Ok(()), flatten),
    };
    let _ = stopping.send(true);
    let drained = timeout(grace, async {
        while let Some(ended) = parts.join_next().await {
            flatten(ended)?;
        }
        Ok(())
    })
    .await;
    if let Ok(ended) = drained {
        app.db.close().await;
        failed.and(ended)
    } else {
        tracing::warn!(?grace, "requests were still in flight after the grace; they are cut");
        failed
    }
}

async fn listen(
    listener: TcpListener,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    // Answers are small and complete: nothing is gained by waiting for more to send.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        })
        .await
}

fn flatten(ended: Result<io::Result<()>, tokio::task::JoinError>) -> io::Result<()> {
    ended.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Ends when this process is asked to: SIGTERM, or SIGINT from a terminal.
pub async fn signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "SIGINT cannot be heard");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
