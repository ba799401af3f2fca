//! Counters in memory are correct in one process only. A lease row keeps a second process from serving: each would count
//! separately, and every limit would be doubled.

use std::{io, time::Duration};

use store::Timestamp;
use tokio::{sync::watch, time::timeout};

use crate::{app::App, startup_retry::StartupRetry};

const LEASE_NAME: &str = "memory-counters";
/// How often the lease is renewed.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// The term of the lease, for which a start after a crash has to wait.
const LEASE_TERM: Duration = Duration::from_secs(3);
/// How long a start waits for a lease that is not renewed: its term, and the permitted clock skew.
const MAX_WAIT: Duration = Duration::from_secs(6);
/// How often a start tries to acquire the lease.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The acquired lease.
#[derive(Debug)]
pub struct SingleInstanceLease(());

/// The error of a process that has lost the lease.
const LOST_MESSAGE: &str = "ephemeral.url: another `idp serve` has taken over this database and counts in its memory, because this one did not renew \
     its lease in time: it was frozen, or could not reach the database. This one stops, so that no limit is doubled. Run one \
     of them, or give both the same Redis (`ephemeral.url = \"redis://..\"`)";

/// Why the lease was not acquired.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another process holds it and renews it.
    #[error(
        "ephemeral.url: another `idp serve` runs on this database and counts in its memory, and this one would count \
         separately; stop that one, or give both the same Redis (`ephemeral.url = \"redis://..\"`)"
    )]
    HeldByOther,
    /// This machine's clock is wrong, so a lease could be taken from a live holder.
    #[error(
        "clock: this machine's clock differs from the database's by more than two seconds; set it, and start again"
    )]
    ClockOff,
    /// The database failed.
    #[error("database.url: {0}")]
    Database(#[from] flows::Error),
}

impl SingleInstanceLease {
    /// Acquires the lease. Waits for the end of one whose holder has crashed, and gives up as soon as a live holder renews
    /// it. Retries while the database is busy.
    ///
    /// # Errors
    /// Another process serves, this machine's clock is wrong, or the database failed.
    pub async fn acquire(app: &App) -> Result<Self, LeaseError> {
        let mut last_end = None;
        let mut waited = Duration::ZERO;
        let retry = StartupRetry::new(&app.clock);
        loop {
            if app.live.clock_is_off() {
                return Err(LeaseError::ClockOff);
            }
            if retry.run(async || Ok(acquire_lease(app).await?)).await? {
                return Ok(Self(()));
            }
            let until = retry.run(async || Ok(lease_end(app).await?)).await?;
            let renewed = until.is_some() && last_end.is_some() && until != last_end;
            if renewed || waited > MAX_WAIT {
                return Err(LeaseError::HeldByOther);
            }
            last_end = until.or(last_end);
            let _ = timeout(POLL_INTERVAL, std::future::pending::<()>()).await;
            waited += POLL_INTERVAL;
        }
    }

    /// Renews the lease until `stop`, then releases it.
    ///
    /// # Errors
    /// Another process has taken it over, so this one must stop.
    pub(super) async fn hold(self, app: App, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        while timeout(RENEW_INTERVAL, stop.wait_for(|stopped| *stopped)).await.is_err() {
            // Requests get 503 meanwhile, and another process may take the lease.
            if app.live.clock_is_off() {
                continue;
            }
            match acquire_lease(&app).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::error!(
                        "alarm: another process serves this database with counters in memory; this process stops"
                    );
                    return Err(io::Error::other(LOST_MESSAGE));
                }
                Err(error) => {
                    tracing::warn!(%error, "the lease of the counters in memory could not be renewed");
                }
            }
        }
        let released = app
            .db
            .write(async |tx| store::lease::release(tx, LEASE_NAME, &app.instance_id).await)
            .await;
        if let Err(error) = released {
            tracing::warn!(%error, "the lease of the counters in memory could not be released; it expires by itself");
        }
        Ok(())
    }
}

async fn acquire_lease(app: &App) -> Result<bool, store::Error> {
    let now = app.clock.now();
    let term = store::lease::LeaseTerm { now, until: now.plus(LEASE_TERM) };
    app.db
        .write(async |tx| store::lease::acquire(tx, LEASE_NAME, &app.instance_id, term).await)
        .await
}

/// When the current lease ends, if there is one.
async fn lease_end(app: &App) -> Result<Option<Timestamp>, store::Error> {
    let held = store::lease::holder(&mut app.db.read().await?, LEASE_NAME).await?;
    Ok(held.map(|(_, until)| until))
}
