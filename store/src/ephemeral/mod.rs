//! What may vanish: rate counters of networks. Redis in production, process memory in the embedded default.

mod breaker;
mod memory;
mod redis;

use std::{sync::Arc, time::Duration};

use crate::{Result, Timestamp};

/// Counters that may vanish.
#[derive(Clone, Debug)]
pub struct EphemeralCounters {
    local: Arc<memory::MemoryCounters>,
    shared: Option<redis::RedisCounters>,
    breaker: Arc<breaker::CircuitBreaker>,
}

/// What became of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitResult {
    /// Within the limit.
    Within,
    /// Over the limit.
    Over {
        /// The window ends after this time.
        retry_after: Duration,
        /// Whether nobody was over it before in this window: what is recorded once is recorded now.
        is_first: bool,
    },
}

impl EphemeralCounters {
    /// Counters of this process alone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { local: Arc::default(), shared: None, breaker: Arc::default() }
    }

    /// Counters shared by all replicas.
    ///
    /// # Errors
    /// The address cannot be read. A server that is away is no error: counting falls back to this process.
    pub fn redis(url: &str) -> Result<Self> {
        let shared = Some(redis::RedisCounters::connect(url)?);
        Ok(Self { local: Arc::default(), shared, breaker: Arc::default() })
    }

    /// Counts one hit of `key` in the window that `now` lies in. When Redis is away this process counts alone, and
    /// [`EphemeralCounters::is_degraded`] says so.
    pub async fn hit(&self, key: &str, limit: u64, window: Duration, now: Timestamp) -> HitResult {
        let (count, end) = self.add(key, 1, window, now).await;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if count <= limit {
            return HitResult::Within;
        }
        HitResult::Over { retry_after: end.since(now), is_first: count == limit.saturating_add(1) }
    }

    /// Gives hits of `key` back to the window that `now` lies in. What cannot be given back is lost: the limit is then
    /// stricter than it had to be, until its window ends. A count never falls below zero.
    pub async fn refund(&self, key: &str, hits: i64, window: Duration, now: Timestamp) {
        self.add(key, -hits, window, now).await;
    }

    /// Adds hits, or takes them back when negative; returns the count, and when its window ends.
    async fn add(
        &self,
        key: &str,
        hits: i64,
        window: Duration,
        now: Timestamp,
    ) -> (i64, Timestamp) {
        let current = window_of(window, now);
        let count = match self.add_shared(key, current.slot, hits, window).await {
            Some(count) => count,
            None => self.local.add(key, current, hits, now),
        };
        (count, current.end)
    }

    /// The count of all replicas; none without Redis, or while it is away.
    async fn add_shared(&self, key: &str, slot: i64, hits: i64, window: Duration) -> Option<i64> {
        let shared = self.shared.as_ref()?;
        if !self.breaker.allows_request() {
            return None;
        }
        match shared.add(key, slot, hits, window).await {
            Ok(count) => {
                if self.breaker.record_success() {
                    tracing::info!("Redis is back, limits are counted for all replicas");
                }
                Some(count)
            }
            Err(error) => {
                if self.breaker.record_failure() {
                    tracing::error!(%error, "alarm: Redis is away, limits are counted per process");
                }
                None
            }
        }
    }

    /// Whether Redis is configured and was away at the last hit or probe.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether the counters are shared through Redis.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Asks Redis whether it is there, and lets us count.
    pub async fn probe(&self) -> Result<()> {
        match &self.shared {
            Some(shared) => shared.ping().await,
            None => Ok(()),
        }
    }
}

/// The window that a moment lies in.
fn window_of(length: Duration, now: Timestamp) -> memory::Window {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
    let slot = now.millis().div_euclid(millis);
    let end = Timestamp::from_millis(slot.saturating_add(1).saturating_mul(millis));
    memory::Window { slot, end }
}
