//! An open transaction that blocks others with its locks, for as long as a test wants.

use std::{sync::Arc, time::Duration};

use store::{Db, Error, Sql};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};

/// Most of the time for which the database waits for a lock (5 s): a scenario in which other transactions wait for this one
/// must end within it.
pub const MOST_OF_LOCK_WAIT: Duration = Duration::from_secs(4);

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// An open transaction. Dropping it rolls back.
#[derive(Debug)]
pub struct BlockingTx {
    gate: Arc<Notify>,
    task: JoinHandle<Result<(), Error>>,
}

impl BlockingTx {
    /// Opens a transaction that has run a statement and holds its locks.
    pub async fn open(db: Db, sql: &'static str) -> Self {
        let (gate, holds) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let task = tokio::spawn({
            let (gate, holds) = (gate.clone(), holds.clone());
            async move {
                db.write(async |tx| {
                    tx.q(sql).execute().await?;
                    holds.notify_one();
                    // The server ends a transaction that is idle for long.
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

    /// Commits, and thereby releases the locks.
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
