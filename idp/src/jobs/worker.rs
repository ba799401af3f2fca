//! One lane's worker: claims no more than it can begin at once, and never waits for what it began.

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

/// How often a worker looks without being called: other replicas write jobs too, and waits end.
const POLL: Duration = Duration::from_secs(1);
/// What an attempt may take besides its outward part: reading, and writing down how it ended.
const ATTEMPT_OVERHEAD: Duration = Duration::from_secs(10);

/// Works on a lane until `stop`, then finishes what it began.
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
            // Whatever was written since the look above has left a call, so nothing is missed between the two.
            called = timeout(POLL, app.lane_notifier.notified(lane.name)), if !full => is_woken = called.is_ok(),
        }
    }
    while let Some(finished) = in_flight.join_next().await {
        log_panic(finished);
    }
}

/// What is due and has room. A database that is away is asked again at the next look.
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

/// A job whose task died is tried again when its lease ends.
fn log_panic(finished: Result<(), JoinError>) {
    if let Err(error) = finished {
        tracing::error!(%error, "alarm: a job's task died");
    }
}
