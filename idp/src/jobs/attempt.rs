//! One attempt at a job of any kind: made, recorded, counted and logged.

use flows::jobs::{self, ClaimedJob, JobResult, Settlement};
use store::Timestamp;

use super::{lanes::Lane, retry::retry_database};
use crate::app::App;

/// Attempts a job. Every result is recorded, also when the program is stopping.
pub(super) async fn run(app: App, lane: Lane, claimed: ClaimedJob) {
    let (job, what) = (claimed.id(), lane.job_name);
    let end = match (lane.attempt)(&app, &claimed).await {
        Ok(end) => end,
        Err(error) => {
            app.metrics.record_attempt(lane.name, None);
            tracing::error!(%error, %job, "a {what} could not be read; it is tried again when its lease ends");
            return;
        }
    };
    // Created after the attempt: times that count from its end, as the window of a code does, use this `now`.
    let cx = app.system_cx(what);
    match retry_database(|| Box::pin(jobs::settle(&cx, &claimed, &end))).await {
        Ok(settled) => {
            app.metrics.record_attempt(lane.name, Some(settled));
            log(what, &claimed, &end, settled, cx.now);
        }
        Err(error) => {
            app.metrics.record_attempt(lane.name, None);
            tracing::error!(%error, %job, "the result of a {what} could not be stored; it may be sent again");
        }
    }
}

/// Logs one line for each result. Success is logged by the attempt itself, which has more details.
fn log(what: &str, claimed: &ClaimedJob, end: &JobResult, settled: Settlement, now: Timestamp) {
    let (job, tries) = (claimed.id(), claimed.tries());
    match settled {
        Settlement::Done => {}
        Settlement::NotNeeded => tracing::info!(%job, "a {what} was no longer needed"),
        Settlement::TryAgain(at) => {
            let wait = at.since(now);
            tracing::warn!(%job, tries, failure = ?end, ?wait, "a {what} was not accepted and is tried again");
        }
        Settlement::GivenUp => tracing::warn!(%job, tries, failure = ?end, "a {what} was given up"),
    }
}
