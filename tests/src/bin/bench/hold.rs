//! Leases that the benchmark holds, so that work which comes round does not come in between what it measures.

use std::time::Duration;

use idp::clock::Clock;
use store::{Db, Sql};
use tokio::task::JoinHandle;

/// How long a lease is taken for: a program leaves one alone that ends a minute after its own would, and no later.
const FOR: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_secs(5);

/// Holds leases until it is dropped, and half a minute more.
pub(crate) struct Hold(JoinHandle<()>);

impl Hold {
    /// Takes leases from whoever has them. Nothing runs any more in a server that starts after this.
    pub(crate) async fn of(db: Db, names: &'static [&'static str]) -> Self {
        take(&db, names).await;
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                take(&db, names).await;
            }
        }))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn take(db: &Db, names: &[&str]) {
    let until = Clock::system().now().plus(FOR);
    let taken = db.write(async |tx| {
        for name in names {
            tx.q("INSERT INTO leases (name, holder, until) VALUES ($1, 'bench', $2)
                  ON CONFLICT (name) DO UPDATE SET holder = 'bench', until = $2")
                .bind(*name)
                .bind(until)
                .exec()
                .await?;
        }
        Ok::<_, store::Error>(())
    });
    taken.await.expect("the leases are taken");
}
