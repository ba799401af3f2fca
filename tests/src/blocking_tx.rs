//! An open transaction whose locks others wait for, as long as a test wants.

use std::{sync::Arc, time::Duration};

use store::{Db, Error, Sql};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};

/// Most of the time for which the database waits for a lock (5 s): a scenario in which others wait for this transaction has
/// to be over by then.
pub const MOST_OF_LOCK_WAIT: Duration = Duration::from_secs(4);

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// An open transaction. Dropped, it rolls back.
#[derive(Debug)]
pub struct BlockingTx {
    gate: Arc<Notify>,
    task: JoinHandle<Result<(), Error>>,
}

impl BlockingTx {
    /// One that has run a statement and holds the locks of it.
    pub async fn open(db: Db, sql: &'static str) -> Self {
        let (gate, holds) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let task = tokio::spawn({
            let (gate, holds) = (gate.clone(), holds.clone());
            async move {
                db.write(async |tx| {
                    tx.q(sql).execute().await?;
                    holds.notify_one();
                    // The server ends a transaction that is silent for long.
                    while timeout(KEEPALIVE_INTERVAL, gate.notified()).await.is_err() {
                        tx.q("SELECT 1 FROM leases WHERE name = ''").execute().await?;
                    }
                    Ok(())
                })
                .await
            }
        });
        holds.notified().await;
        Self { gate, task }
    }

    /// Commits it, and thereby frees its locks.
    pub async fn commit(mut self) {
        self.gate.notify_one();
        (&mut self.task).await.expect("no panic").expect("it commits");
    }
}

impl Drop for BlockingTx {
    fn drop(&mut self) {
        self.task.abort();
    }
}
