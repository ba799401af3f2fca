//! Work that was decided in a transaction and happens after it: one worker per lane, so that no lane waits for another.

mod key_care;
mod leased;
mod mail;
mod seal;
mod sweep;
mod worker;

use store::job::Lane;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::app::App;

/// How requests tell the workers of their own replica that there may be something to do.
///
/// A call is never lost: a worker that is busy finds it when it looks for more, and every worker hears it.
#[derive(Debug, Default)]
pub struct Wake {
    code: Notify,
    notice: Notify,
}

impl Wake {
    /// Wakes the worker of a lane. For whoever has just committed a transaction that may have written a job for which
    /// somebody waits; any other is found within a second.
    pub fn wake(&self, lane: Lane) {
        // Kept for the one worker of the lane when it is not waiting, unlike `notify_waiters`.
        self.of(lane).notify_one();
    }

    const fn of(&self, lane: Lane) -> &Notify {
        match lane {
            Lane::Code => &self.code,
            Lane::Notice => &self.notice,
        }
    }
}

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
