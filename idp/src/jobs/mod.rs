//! Work that was decided in a transaction and happens after it: one worker for each lane, so that no lane waits for
//! another.

mod attempt;
mod key_maintenance;
mod lane_notifier;
mod lanes;
mod mail;
mod periodic;
mod retry;
mod seal;
mod sweep;
mod worker;

use tokio::{sync::watch, task::JoinSet};

pub use lane_notifier::LaneNotifier;
pub use lanes::{AttemptFuture, LANES, Lane, kinds};

use crate::app::App;

/// Runs the jobs of these lanes until `stop`, then returns when the attempts in flight have ended. That takes no longer
/// than one attempt and recording its result.
pub async fn run(app: App, lanes: Vec<Lane>, stop: watch::Receiver<bool>) {
    let mut workers = JoinSet::new();
    for lane in lanes {
        workers.spawn(worker::run(app.clone(), lane, stop.clone()));
    }
    workers.spawn(periodic::run(app, stop));
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "alarm: a worker ended");
        }
    }
}

#[cfg(test)]
mod tests;
