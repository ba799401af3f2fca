//! Leases that the benchmark holds, so that work which comes round does not come in between what it measures.

use std::time::Duration;

use idp::clock::Clock;
use store::{Db, Sql};
use tokio::task::JoinHandle;

/// How long a lease is taken for: a program leaves one alone that ends a minute after its own would, and no later.
const LEASE_TERM: Duration = Duration::from_secs(30);
const RENEW_INTERVAL: Duration = Duration::from_secs(5);
const HOLDER: &str = "bench";

/// Holds leases until it is dropped, and half a minute more.
pub(crate) struct HeldLeases {
    db: Db,
    renewal: JoinHandle<()>,
}

impl HeldLeases {
    /// Takes leases from whoever has them. Nothing runs any more in a server that starts after this.
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

    /// Gives them back at once.
    pub(crate) async fn release(mut self) {
        self.renewal.abort();
        // Either way it takes none again.
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
