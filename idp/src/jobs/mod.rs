//! Work that was decided in a transaction and happens after it: one worker per lane, so that no lane waits for another.

mod key_care;
mod leased;
mod mail;
mod seal;
mod sweep;
mod wake;
mod worker;

use store::job::Lane;
use tokio::{sync::watch, task::JoinSet};

pub use wake::Wake;

use crate::app::App;

/// Works until `stop`; returns when what was being sent is finished. That takes no longer than one attempt to send and
/// one to write down how it ended.
pub async fn run(app: App, stop: watch::Receiver<bool>) {
    let mut lanes = JoinSet::new();
    for lane in Lane::ALL {
        lanes.spawn(worker::run(app.clone(), lane, stop.clone()));
    }
    lanes.spawn(leased::run(app, stop));
    while let Some(ended) = lanes.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "alarm: a worker ended");
        }
    }
}

#[cfg(test)]
mod tests;
