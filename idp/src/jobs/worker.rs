//! One lane's worker: claims no more than it can begin at once, and never waits for what it began.

use std::time::Duration;

use flows::notify::{self, Claimed};
use store::job::Lane;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::timeout,
};

use tracing::Instrument;

use super::mail;
use crate::app::App;

/// How often a worker looks without being called: other replicas write jobs too, and waits end.
const POLL: Duration = Duration::from_secs(1);
/// What an attempt may take besides sending: reading, composing and writing down how it ended.
const AROUND_SENDING: Duration = Duration::from_secs(10);

/// Notices are few, and nobody waits for one in front of a page.
const NOTICES: usize = 2;

/// Mails of a lane that are on their way at once.
fn places(app: &App, lane: Lane) -> usize {
    match lane {
        Lane::Code => app.mailer.places(),
        Lane::Notice => NOTICES,
    }
}

/// Works on a lane until `stop`, then finishes what it began.
pub(super) async fn run(app: App, lane: Lane, mut stop: watch::Receiver<bool>) {
    let mut flying = JoinSet::new();
    let places = places(&app, lane);
    while !*stop.borrow() {
        let room = places.saturating_sub(flying.len());
        for claimed in claim(&app, lane, room).await {
            let lane = lane.as_str();
            let span = tracing::info_span!(target: "spans", "mail", otel.kind = "consumer", vestibule.lane = lane);
            flying.spawn(mail::attempt(app.clone(), claimed).instrument(span));
        }
        let full = flying.len() >= places;
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(landed) = flying.join_next() => {
                report(landed);
                while let Some(landed) = flying.try_join_next() {
                    report(landed);
                }
            }
            // Whatever was written since the look above has left a call, so nothing is missed between the two.
            _ = timeout(POLL, app.jobs.of(lane).notified()), if !full => {}
        }
    }
    while let Some(landed) = flying.join_next().await {
        report(landed);
    }
}

/// What is due and has room. A database that is away is asked again at the next look.
async fn claim(app: &App, lane: Lane, room: usize) -> Vec<Claimed> {
    // With a wrong clock the time of sending would be wrong, and the end of the code with it.
    if room == 0 || app.live.clock_is_off() {
        return Vec::new();
    }
    let lease = app.mailer.limit() + AROUND_SENDING;
    match notify::claim(&app.system_cx("mail"), lane, room, lease).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::error!(%error, lane = lane.as_str(), "jobs could not be claimed");
            Vec::new()
        }
    }
}

/// A mail whose task died is tried again when its lease ends.
fn report(landed: Result<(), JoinError>) {
    if let Err(error) = landed {
        tracing::error!(%error, "alarm: a mail's task died");
    }
}
