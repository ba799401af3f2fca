//! Counters that may be lost: rate limits of networks. In Redis in production, in process memory by default.

mod breaker;
mod memory;
mod redis;

use std::{sync::Arc, time::Duration};

use crate::{Result, Timestamp};

/// Counters that may be lost. Clones share them.
#[derive(Clone, Debug)]
pub struct EphemeralCounters {
    local: Arc<memory::MemoryCounters>,
    shared: Option<redis::RedisCounters>,
    breaker: Arc<breaker::CircuitBreaker>,
}

/// The result of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitResult {
    /// Within the limit.
    Within,
    /// Over the limit.
    Over {
        /// The time until the window ends.
        retry_after: Duration,
        /// Whether this hit is the first over the limit in its window, so that it is recorded once.
        is_first: bool,
    },
}

impl EphemeralCounters {
    /// Counters of this process only.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { local: Arc::default(), shared: None, breaker: Arc::default() }
    }

    /// Counters shared by all replicas.
    ///
    /// # Errors
    /// The URL cannot be parsed. A server that is unavailable is no error: this process then counts alone.
    pub fn redis(url: &str) -> Result<Self> {
        let shared = Some(redis::RedisCounters::connect(url)?);
        Ok(Self { local: Arc::default(), shared, breaker: Arc::default() })
    }

    /// Counts one hit of `key` in the window of `now`. While Redis is unavailable this process counts alone, and
    /// [`EphemeralCounters::is_degraded`] is true.
    pub async fn hit(&self, key: &str, limit: u64, window: Duration, now: Timestamp) -> HitResult {
        let (count, end) = self.add(key, 1, window, now).await;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if count <= limit {
            return HitResult::Within;
        }
        HitResult::Over { retry_after: end.since(now), is_first: count == limit.saturating_add(1) }
    }

    /// Refunds hits of `key` in the window of `now`. A refund that fails is lost: the limit is then too strict until its
    /// window ends. A count never falls below zero.
    pub async fn refund(&self, key: &str, hits: i64, window: Duration, now: Timestamp) {
        self.add(key, -hits, window, now).await;
    }

    /// Adds hits, or refunds them when negative; returns the count, and when its window ends.
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

    /// The count of all replicas; none without Redis, or while it is unavailable.
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
                    tracing::error!(%error, "alarm: Redis is unavailable, limits are counted per process");
                }
                None
            }
        }
    }

    /// Whether Redis is configured and was unavailable when it was last tried.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether the counters are shared through Redis.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Checks that Redis is reachable and allows counting.
    pub async fn probe(&self) -> Result<()> {
        match &self.shared {
            Some(shared) => shared.ping().await,
            None => Ok(()),
        }
    }
}

/// The window of a moment.
fn window_of(length: Duration, now: Timestamp) -> memory::Window {
    let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1);
    let slot = now.millis().div_euclid(millis);
    let end = Timestamp::from_millis(slot.saturating_add(1).saturating_mul(millis));
    memory::Window { slot, end }
}
