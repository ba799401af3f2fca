//! Whether the database and Redis answer. They are probed once a second at most, however many probes and scrapes arrive.

use std::time::Duration;

use store::{Db, EphemeralCounters};
use tokio::time::timeout;

use crate::{
    cached::Cached,
    clock::Clock,
    clock_skew::{self, MAX_CLOCK_SKEW},
};

/// How long a report is kept.
const REPORT_TTL: Duration = Duration::from_secs(1);
/// How long a probe may take. A frozen server never answers, and a probe must not wait for it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The results of the probes.
#[derive(Clone, Debug)]
pub(crate) struct HealthReport {
    /// The database, or why it did not answer.
    pub(crate) database: Result<DatabaseHealth, String>,
    /// How long Redis took, or why it did not answer; `None` when counters are kept in memory.
    pub(crate) redis: Option<Result<Duration, String>>,
}

/// A database that answers.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseHealth {
    /// How long its answer took.
    pub(crate) took: Duration,
    /// By how many milliseconds its clock is ahead of ours.
    pub(crate) clock_ahead_millis: i64,
    /// Whether its schema is that of this build.
    pub(crate) migrated: bool,
}

impl HealthReport {
    /// Whether this replica wants requests: no problem of schema or clock is known. An unavailable database does not count.
    /// All replicas share it, so a load balancer would remove all of them together, and browsers would get the error of the
    /// proxy instead of our sign-in page, which needs no database. Without Redis the limits of each process apply.
    pub(crate) fn is_ready(&self) -> bool {
        self.database.is_err() || self.check_database().is_ok()
    }

    /// Returns why the database cannot be used.
    pub(crate) fn check_database(&self) -> Result<(), String> {
        let database = self.database.as_ref().map_err(Clone::clone)?;
        if !database.migrated {
            return Err("the schema is older than this build: run `idp migrate`".to_owned());
        }
        let skew = Duration::from_millis(database.clock_ahead_millis.unsigned_abs());
        if skew > MAX_CLOCK_SKEW {
            return Err(format!("the clock of the database differs by {} ms", skew.as_millis()));
        }
        Ok(())
    }
}

/// Probes database and Redis, and keeps the report for a second.
#[derive(Debug)]
pub struct Health {
    db: Db,
    ephemeral: EphemeralCounters,
    clock: Clock,
    report_cache: Cached<HealthReport>,
}

impl Health {
    pub(crate) fn new(db: Db, ephemeral: EphemeralCounters, clock: Clock) -> Self {
        Self { db, ephemeral, clock, report_cache: Cached::new(REPORT_TTL) }
    }

    /// A report of the last second.
    pub(crate) async fn report(&self) -> HealthReport {
        let find = async {
            let (database, redis) = tokio::join!(self.probe_database(), self.probe_redis());
            HealthReport { database, redis }
        };
        self.report_cache.get(&self.clock, find).await
    }

    async fn probe_database(&self) -> Result<DatabaseHealth, String> {
        let ask = async {
            let migrated = self.db.is_migrated().await?;
            let watch = self.clock.stopwatch();
            let ahead_millis =
                clock_skew::database_clock_ahead(&self.db, || self.clock.now()).await?;
            let took = watch.elapsed();
            Ok(DatabaseHealth { took, clock_ahead_millis: ahead_millis, migrated })
        };
        match timeout(PROBE_TIMEOUT, ask).await {
            Ok(answer) => answer.map_err(|error: store::Error| error.to_string()),
            Err(_) => Err(format!("no answer within {PROBE_TIMEOUT:?}")),
        }
    }

    async fn probe_redis(&self) -> Option<Result<Duration, String>> {
        if !self.ephemeral.is_shared() {
            return None;
        }
        let watch = self.clock.stopwatch();
        Some(match timeout(PROBE_TIMEOUT, self.ephemeral.probe()).await {
            Ok(Ok(())) => Ok(watch.elapsed()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {PROBE_TIMEOUT:?}")),
        })
    }
}
