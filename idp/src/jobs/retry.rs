//! Retries of a worker while the database is briefly unavailable.

use std::{pin::Pin, time::Duration};

/// The pauses between tries. Their sum is far below the lease of a job.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// One try of a flow.
pub(super) type DatabaseWork<'w, T> =
    Pin<Box<dyn Future<Output = Result<T, flows::Error>> + Send + 'w>>;

/// Repeats `work` after a database error. `work` must be idempotent.
pub(super) async fn retry_database<'w, T>(
    work: impl Fn() -> DatabaseWork<'w, T>,
) -> Result<T, flows::Error> {
    for pause in PAUSES {
        match work().await {
            Err(flows::Error::Store(error)) => {
                tracing::warn!(%error, "the database failed while a job worker used it; the step is tried again");
            }
            ended => return ended,
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a job rests between tries; no request waits"
        )]
        tokio::time::sleep(pause).await;
    }
    work().await
}
