//! A value that is computed once per period for all callers: probes and scrapes must not load the database.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::clock::{Clock, Stopwatch};

/// A value that is kept for a period. Concurrent callers wait for one computation.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    ttl: Duration,
    value: Mutex<Option<(Stopwatch, T)>>,
}

impl<T: Clone> Cached<T> {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, value: Mutex::new(None) }
    }

    /// The kept value while it is fresh, else the result of `find`.
    pub(crate) async fn get(&self, clock: &Clock, find: impl Future<Output = T>) -> T {
        let mut kept = self.value.lock().await;
        if let Some((since, value)) = kept.as_ref()
            && since.elapsed() < self.ttl
        {
            return value.clone();
        }
        let value = find.await;
        *kept = Some((clock.stopwatch(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn concurrent_reads_share_one_computation() {
        let (cached, asked) = (Cached::new(Duration::from_mins(1)), AtomicU32::new(0));
        let clock = Clock::system();
        let ask = || {
            cached.get(&clock, async {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed)
            })
        };
        assert_eq!(join_all((0..50).map(|_| ask())).await, vec![0; 50]);
        assert_eq!((ask().await, asked.load(Ordering::Relaxed)), (0, 1));
    }

    #[tokio::test]
    async fn zero_lifetime_disables_caching() {
        let (cached, clock) = (Cached::new(Duration::ZERO), Clock::system());
        assert_eq!(
            (cached.get(&clock, async { 1 }).await, cached.get(&clock, async { 2 }).await),
            (1, 2)
        );
    }
}
