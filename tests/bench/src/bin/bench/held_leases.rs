//! Leases that the benchmark holds, so that periodic tasks do not disturb what it measures.

use std::time::Duration;

use idp::clock::Clock;
use store::{Db, Sql};
use tokio::task::JoinHandle;

/// The term of a held lease. A program leaves a lease alone if it ends up to a minute after its own would.
const LEASE_TERM: Duration = Duration::from_secs(30);
const RENEW_INTERVAL: Duration = Duration::from_secs(5);
const HOLDER: &str = "bench";

/// Holds leases until it is dropped, and half a minute longer.
pub(crate) struct HeldLeases {
    db: Db,
    renewal: JoinHandle<()>,
}

impl HeldLeases {
    /// Takes leases from their holders. In a server that starts after this, these tasks do not run.
    pub(crate) async fn acquire(db: Db, names: &'static [&'static str]) -> Self {
        take_leases(&db, names).await;
        let renewed = db.clone();
        let again = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_INTERVAL).await;
                take_leases(&renewed, names).await;
            }
        });
        Self { db, renewal: again }
    }

    /// Releases the leases at once.
    pub(crate) async fn release(mut self) {
        self.renewal.abort();
        // Whatever the result, the task takes no lease again.
        let _ = (&mut self.renewal).await;
        let given = self.db.write(async |tx| store::lease::release_all(tx, HOLDER).await).await;
        given.expect("the leases are given back");
    }
}

impl Drop for HeldLeases {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn take_leases(db: &Db, names: &[&str]) {
    let until = Clock::system().now().plus(LEASE_TERM);
    let taken = db.write(async |tx| {
        for name in names {
            tx.q("INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
                  ON CONFLICT (name) DO UPDATE SET holder = $2, until = $3")
                .bind(*name)
                .bind(HOLDER)
                .bind(until)
                .execute()
                .await?;
        }
        Ok::<_, store::Error>(())
    });
    taken.await.expect("the leases are taken");
}
