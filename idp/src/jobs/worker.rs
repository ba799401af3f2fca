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
const AROUND_ATTEMPT: Duration = Duration::from_secs(10);

/// Works on a lane until `stop`, then finishes what it began.
pub(super) async fn run(app: App, lane: Lane, mut stop: watch::Receiver<bool>) {
    let mut flying = JoinSet::new();
    let workers = (lane.workers)(&app);
    let mut is_called = false;
    while !*stop.borrow() {
        let room = workers.saturating_sub(flying.len());
        for claimed in claim(&app, &lane, room, is_called).await {
            let span = tracing::info_span!(
                target: "spans", "job", otel.name = lane.what, otel.kind = "consumer", vestibule.lane = lane.name
            );
            flying.spawn(attempt::run(app.clone(), lane, claimed).instrument(span));
        }
        let full = flying.len() >= workers;
        is_called = false;
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(landed) = flying.join_next() => {
                report(landed);
                while let Some(landed) = flying.try_join_next() {
                    report(landed);
                }
            }
            // Whatever was written since the look above has left a call, so nothing is missed between the two.
            called = timeout(POLL, app.wake.called(lane.name)), if !full => is_called = called.is_ok(),
        }
    }
    while let Some(landed) = flying.join_next().await {
        report(landed);
    }
}

/// What is due and has room. A database that is away is asked again at the next look.
async fn claim(app: &App, lane: &Lane, room: usize, is_called: bool) -> Vec<ClaimedJob> {
    // With a wrong clock the time of an attempt would be wrong, and the end of a code with it.
    if room == 0 || app.live.clock_is_off() {
        return Vec::new();
    }
    let (cx, lease) = (app.system_cx(lane.what), (lane.limit)(app) + AROUND_ATTEMPT);
    let wanted = ClaimRequest { lane: lane.name, limit: room, lease, is_notified: is_called };
    match jobs::claim(&cx, &app.kinds, wanted).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::error!(%error, lane = lane.name, "jobs could not be claimed");
            Vec::new()
        }
    }
}

/// A job whose task died is tried again when its lease ends.
fn report(landed: Result<(), JoinError>) {
    if let Err(error) = landed {
        tracing::error!(%error, "alarm: a job's task died");
    }
}
