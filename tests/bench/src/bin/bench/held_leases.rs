//! Leases that the benchmark holds, so that work which comes round does not come in between what it measures.

use std::time::Duration;

use idp::clock::Clock;
use store::{Db, Sql};
use tokio::task::JoinHandle;

/// How long a lease is taken for: a program leaves one alone that ends a minute after its own would, and no later.
const FOR: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_secs(5);
const HOLDER: &str = "bench";

/// Holds leases until it is dropped, and half a minute more.
pub(crate) struct Hold {
    db: Db,
    again: JoinHandle<()>,
}

impl Hold {
    /// Takes leases from whoever has them. Nothing runs any more in a server that starts after this.
    pub(crate) async fn of(db: Db, names: &'static [&'static str]) -> Self {
        take(&db, names).await;
        let renewed = db.clone();
        let again = tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                take(&renewed, names).await;
            }
        });
        Self { db, again }
    }

    /// Gives them back at once.
    pub(crate) async fn end(mut self) {
        self.again.abort();
        // Either way it takes none again.
        let _ = (&mut self.again).await;
        let given = self.db.write(async |tx| store::lease::release_all(tx, HOLDER).await).await;
        given.expect("the leases are given back");
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.again.abort();
    }
}

async fn take(db: &Db, names: &[&str]) {
    let until = Clock::system().now().plus(FOR);
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
