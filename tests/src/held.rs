//! A transaction that holds others up for as long as a test wants.

use std::{sync::Arc, time::Duration};

use store::{Db, Error, Sql};
use tokio::{sync::Notify, task::JoinHandle};

/// Most of the time for which the database waits for a lock (5 s): a scenario in which others wait for this transaction has
/// to be over by then.
pub const MOST_OF_LOCK_WAIT: Duration = Duration::from_secs(4);

/// An open transaction. Dropped, it lets go as well.
#[derive(Debug)]
pub struct Held {
    gate: Arc<Notify>,
    task: JoinHandle<Result<(), Error>>,
}

impl Held {
    /// One that has run a statement and holds the locks of it.
    pub async fn by(db: Db, sql: &'static str) -> Self {
        let (gate, holds) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let task = tokio::spawn({
            let (gate, holds) = (gate.clone(), holds.clone());
            async move {
                db.write(async |tx| {
                    tx.q(sql).exec().await?;
                    holds.notify_one();
                    gate.notified().await;
                    Ok(())
                })
                .await
            }
        });
        holds.notified().await;
        Self { gate, task }
    }

    /// Ends it.
    pub async fn let_go(mut self) {
        self.gate.notify_one();
        (&mut self.task).await.expect("no panic").expect("it commits");
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.task.abort();
    }
}
