//! Sweeping what has served its time, at a pace that leaves room for people.

use std::time::Duration;

use flows::retention::SweepPass;

use crate::app::App;

/// A batch is followed by a rest of this many times what it took, within the bounds below: seven eighths of the time are
/// for others, while a batch takes less than 0.7 s.
const PAUSE_FACTOR: u32 = 7;
/// The shortest rest and the longest.
const PAUSE_RANGE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// A turn ends after this long; the next one goes on where it stopped.
const MAX_PASS_TIME: Duration = Duration::from_mins(5);

/// Sweeps until nothing is left or the turn is over.
pub(super) async fn run_pass(app: App) -> Result<(), flows::Error> {
    let cx = app.system_cx("retention");
    let mut pass = SweepPass::default();
    let (mut batches, mut longest) = (0_u32, Duration::ZERO);
    let mut failed = None;
    loop {
        let started = app.clock.now();
        // What fails is left to the next turn, and holds nothing else up.
        let more = pass.next(&cx).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a part of what has served its time could not be swept");
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
    failed.map_or(Ok(()), Err)
}

fn report(pass: &SweepPass, batches: u32, longest: Duration) {
    if pass.deleted > 0 {
        let longest_millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let rows = pass.deleted;
        tracing::info!(rows, batches, longest_millis, "swept what has served its time");
    }
    if pass.unsound_seals > 0 {
        tracing::error!(
            seals = pass.unsound_seals,
            "alarm: old rows of the audit trail were changed and are kept; run `idp audit verify`"
        );
    }
}
