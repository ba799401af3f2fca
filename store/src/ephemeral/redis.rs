//! Counters shared through Redis.

use std::{fmt, time::Duration};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::Result;

/// A connection that repairs itself.
#[derive(Clone)]
pub(super) struct Redis(ConnectionManager);

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redis(..)")
    }
}

impl Redis {
    pub(super) fn connect(url: &str) -> Result<Self> {
        let client = redis::Client::open(url)?;
        let config = ConnectionManagerConfig::new().set_number_of_retries(1);
        Ok(Self(ConnectionManager::new_lazy_with_config(client, config)?))
    }

    pub(super) async fn count(&self, key: &str, slot: i64, window: Duration) -> Result<u64> {
        let key = format!("vestibule:hit:{key}:{slot}");
        let (count,): (u64,) = redis::pipe()
            .atomic()
            .incr(&key, 1)
            .pexpire(&key, i64::try_from(window.as_millis()).unwrap_or(i64::MAX))
            .ignore()
            .query_async(&mut self.0.clone())
            .await?;
        Ok(count)
    }

    pub(super) async fn ping(&self) -> Result<()> {
        redis::cmd("PING").query_async::<()>(&mut self.0.clone()).await?;
        Ok(())
    }
}
