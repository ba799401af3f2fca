//! The worker of a lane. It claims no more jobs than it can begin at once, and does not wait for the attempts in flight.

use std::time::Duration;

use flows::jobs::{self, ClaimRequest, ClaimedJob};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};

use tracing::Instrument;

use super::{attempt, lanes::Lane};
use crate::app::App;

/// How often a worker claims jobs without a notification: other replicas write jobs too, and retries become due.
const POLL: Duration = Duration::from_secs(1);
/// The time of an attempt besides its outward part: for reading, and for recording the result.
const ATTEMPT_OVERHEAD: Duration = Duration::from_secs(10);

/// Runs the jobs of a lane until `stop`, then waits for the attempts in flight.
pub(super) async fn run(app: App, lane: Lane, mut stop: watch::Receiver<bool>) {
    let mut in_flight = JoinSet::new();
    let workers = (lane.workers)(&app);
    let mut is_woken = false;
    while !*stop.borrow() {
        let free_slots = workers.saturating_sub(in_flight.len());
        for claimed in claim(&app, &lane, free_slots, is_woken).await {
            let span = tracing::info_span!(
                target: "spans", "job", otel.name = lane.job_name, otel.kind = "consumer", vestibule.lane = lane.name
            );
            in_flight.spawn(attempt::run(app.clone(), lane, claimed).instrument(span));
        }
        let full = in_flight.len() >= workers;
        is_woken = false;
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(finished) = in_flight.join_next() => {
                log_panic(finished);
                while let Some(finished) = in_flight.try_join_next() {
                    log_panic(finished);
                }
            }
            // A job that was written since the claim above has left a notification, so none is missed.
            called = timeout(POLL, app.lane_notifier.notified(lane.name)), if !full => is_woken = called.is_ok(),
        }
    }
    while let Some(finished) = in_flight.join_next().await {
        log_panic(finished);
    }
}

/// Claims due jobs, at most `free_slots`. After a database error the worker tries again in its next round.
async fn claim(app: &App, lane: &Lane, free_slots: usize, is_woken: bool) -> Vec<ClaimedJob> {
    // With a wrong clock the time of an attempt would be wrong, and the end of a code with it.
    if free_slots == 0 || app.live.clock_is_off() {
        return Vec::new();
    }
    let (cx, lease) = (app.system_cx(lane.job_name), (lane.limit)(app) + ATTEMPT_OVERHEAD);
    let wanted = ClaimRequest { lane: lane.name, limit: free_slots, lease, is_notified: is_woken };
    match jobs::claim(&cx, &app.job_kinds, wanted).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::error!(%error, lane = lane.name, "jobs could not be claimed");
            Vec::new()
        }
    }
}

/// A job whose task panicked is tried again when its lease ends.
fn log_panic(finished: Result<(), JoinError>) {
    if let Err(error) = finished {
        tracing::error!(%error, "alarm: a job's task panicked");
    }
}
