//! Deletes expired rows, at a pace that does not delay sign-ins.

use std::time::Duration;

use flows::retention::SweepPass;

use crate::app::App;

/// A batch is followed by a pause of this many times its duration, within the bounds below. So seven eighths of the time
/// are left for other work, while a batch takes less than 0.7 s.
const PAUSE_FACTOR: u32 = 7;
/// The shortest pause and the longest.
const PAUSE_RANGE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// The time limit of a pass; the next pass continues where it stopped.
const MAX_PASS_TIME: Duration = Duration::from_mins(5);

/// A pass that deletes so many rows makes the statistics of the database wrong.
const MANY_ROWS: u64 = 50_000;

/// Sweeps until nothing is left or the time limit is reached.
pub(super) async fn run_pass(app: App) -> Result<(), flows::Error> {
    let cx = app.system_cx("retention");
    let mut pass = SweepPass::default();
    let (mut batches, mut longest) = (0_u32, Duration::ZERO);
    let mut failed = None;
    loop {
        let started = app.clock.now();
        // A part that fails is left to the next pass and does not delay the others.
        let more = pass.next(&cx).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "some expired rows could not be deleted");
            failed = Some(error);
            pass.has_remaining()
        });
        let now = app.clock.now();
        batches = batches.saturating_add(1);
        longest = longest.max(now.since(started));
        if !more || now.since(cx.now) > MAX_PASS_TIME || app.live.clock_is_off() {
            break;
        }
        #[expect(clippy::disallowed_methods, reason = "a rest, so that people come first")]
        tokio::time::sleep((now.since(started) * PAUSE_FACTOR).clamp(PAUSE_RANGE.0, PAUSE_RANGE.1))
            .await;
    }
    report(&pass, batches, longest);
    if pass.deleted >= MANY_ROWS
        && let Err(error) = app.db.refresh_statistics().await
    {
        // Statements are slower without, and nothing else: the pass has done its work.
        tracing::warn!(%error, "the statistics of the database could not be refreshed");
    }
    failed.map_or(Ok(()), Err)
}

fn report(pass: &SweepPass, batches: u32, longest: Duration) {
    if pass.deleted > 0 {
        let longest_millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let rows = pass.deleted;
        tracing::info!(rows, batches, longest_millis, "expired rows were deleted");
    }
    if pass.unsound_seals > 0 {
        tracing::error!(
            seals = pass.unsound_seals,
            "alarm: old rows of the audit trail were changed and are kept; run `idp audit verify`"
        );
    }
}
