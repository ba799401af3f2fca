//! A transaction that holds others up for as long as a test wants.

use std::sync::Arc;

use store::{Db, Error, Sql};
use tokio::{sync::Notify, task::JoinHandle};

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
