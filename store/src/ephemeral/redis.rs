//! Counters shared through Redis.

use std::{fmt, time::Duration};

use redis::{
    IntoConnectionInfo,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::time::timeout;

use crate::{Error, Result};

/// How long a request waits for a counter.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(300);

/// Subtracts hits from a counter, as many as it has. A script is atomic, so that two refunds do not subtract the same hits.
const REFUND_SCRIPT: &str = "
    local count = tonumber(redis.call('GET', KEYS[1]) or '0')
    local hits = math.min(count, tonumber(ARGV[1]))
    if hits > 0 then return redis.call('DECRBY', KEYS[1], hits) end
    return count";

/// A connection that is restored by itself.
#[derive(Clone)]
pub(super) struct RedisCounters(ConnectionManager);

impl fmt::Debug for RedisCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisCounters(..)")
    }
}

impl RedisCounters {
    pub(super) fn connect(url: &str) -> Result<Self> {
        // Requests share the connection: without TCP_NODELAY the command of one waits for the answer to another's.
        let tcp = TcpSettings::default().set_nodelay(true);
        let client = redis::Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_connection_timeout(Some(RESPONSE_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        Ok(Self(ConnectionManager::new_lazy_with_config(client, config)?))
    }

    /// Adds hits, or refunds them when negative, never below zero; returns the count.
    pub(super) async fn add(
        &self,
        key: &str,
        slot: i64,
        hits: i64,
        window: Duration,
    ) -> Result<i64> {
        let key = format!("vestibule:hit:{key}:{slot}");
        let mut connection = self.0.clone();
        if hits < 0 {
            let mut script = redis::cmd("EVAL");
            script.arg(REFUND_SCRIPT).arg(1).arg(&key).arg(hits.saturating_neg());
            return with_timeout(script.query_async(&mut connection)).await;
        }
        let mut pipe = redis::pipe();
        let millis = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        pipe.atomic().incr(&key, hits).pexpire(&key, millis).ignore();
        let (count,): (i64,) = with_timeout(pipe.query_async(&mut connection)).await?;
        Ok(count)
    }

    /// Checks that Redis is reachable and allows what a counter needs: a hit, and its refund.
    pub(super) async fn ping(&self) -> Result<()> {
        for hits in [1, -1] {
            self.add("probe", 0, hits, Duration::from_secs(1)).await?;
        }
        Ok(())
    }
}

/// Limits reconnecting and command together; the driver limits each of them alone.
async fn with_timeout<T>(command: impl Future<Output = redis::RedisResult<T>>) -> Result<T> {
    match timeout(RESPONSE_TIMEOUT, command).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::RedisTimeout),
    }
}
