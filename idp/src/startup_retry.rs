//! Retries at startup while the database is busy. On SQLite a backup or a long command holds the one writer; on PostgreSQL
//! another transaction holds a row. Both are over in a moment, and no reason for a failed start.

use std::time::Duration;

use tokio::time::timeout;

use crate::clock::{Clock, Stopwatch};

/// How long one part of a start is retried. More than the ten seconds after which the store gives up a statement, so that
/// there is at least a second try. A try that has begun by then may finish.
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);
/// The pause between two tries.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The retries of one part of a start.
#[derive(Debug)]
pub(crate) struct StartupRetry(Stopwatch);

impl StartupRetry {
    /// Starts the time limit.
    pub(crate) fn new(clock: &Clock) -> Self {
        Self(clock.stopwatch())
    }

    /// Runs `work`, which must be repeatable, until it ends with something else than a transient error.
    ///
    /// # Errors
    /// Those of `work`: permanent errors at once, transient ones after the time limit.
    pub(crate) async fn run<T>(
        &self,
        work: impl AsyncFn() -> flows::Result<T>,
    ) -> flows::Result<T> {
        loop {
            match work().await {
                Err(flows::Error::Store(error))
                    if error.is_transient() && self.0.elapsed() < RETRY_TIMEOUT =>
                {
                    tracing::warn!(%error, "the start waits for the database");
                    let _ = timeout(RETRY_INTERVAL, std::future::pending::<()>()).await;
                }
                ended => return ended,
            }
        }
    }
}
