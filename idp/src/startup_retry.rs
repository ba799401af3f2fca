//! A start that meets a busy database. On SQLite a backup or a long command holds the one writer; on PostgreSQL another
//! transaction holds a row. It is over in a moment, and a start that gave up at the first try would be one that failed.

use std::time::Duration;

use tokio::time::timeout;

use crate::clock::{Clock, Stopwatch};

/// How long a part of a start asks again. More than the ten seconds after which the store gives up a statement, so that
/// there is a second try at least; one that has begun by then still has its time.
const RETRY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it rests between two tries.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The time that one part of a start has.
#[derive(Debug)]
pub(crate) struct StartupRetry(Stopwatch);

impl StartupRetry {
    /// It begins now.
    pub(crate) fn new(clock: &Clock) -> Self {
        Self(clock.stopwatch())
    }

    /// Runs `work`, which must be fit to be done twice, and again while the database only asks for patience.
    ///
    /// # Errors
    /// Those of `work`: at once what does not pass by itself, and at the end of the time whatever it is.
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
