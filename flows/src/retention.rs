//! Nothing grows for ever: what has served its time is deleted, in batches that no sign-in feels.

use std::time::Duration;

use crate::{Cx, Result};

/// Rows of one batch, which is one short transaction.
const BATCH: i64 = 1_000;
/// An attempt lives for an hour; a day leaves time to ask what became of it.
const ATTEMPTS: Duration = Duration::from_hours(24);

/// Deletes what is over; returns how many rows went.
pub async fn sweep(cx: &Cx) -> Result<u64> {
    let mut gone = 0;
    loop {
        let batch = cx
            .db
            .write(async |tx| store::attempt::sweep(tx, cx.now.minus(ATTEMPTS), BATCH).await)
            .await?;
        gone += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(gone);
        }
    }
}
