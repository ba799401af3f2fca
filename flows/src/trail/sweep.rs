//! Sweeping the trail: whole seals, oldest first, and only those that are as they were made. What somebody has changed
//! stays, so that time does not wash it away.

use store::audit_seal::Seal;

use super::{
    check::{self, Known, What},
    swept_mark,
};
use crate::{Cx, Error, Result};

/// Seals that are swept at once, and rows.
const SEALS: i64 = 200;
const ROWS: i64 = 1_000;

/// What a batch has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Swept {
    /// Rows that went, seals of long ago among them.
    pub rows: u64,
    /// Up to which seal it looked; nothing when there is no more to look at.
    pub up_to: Option<i64>,
    /// Seals that are not as they were made. They stay, with their rows.
    pub unsound: u64,
}

/// Sweeps one batch of seals after `after` that are older than the setting says.
pub async fn batch(cx: &Cx, after: i64) -> Result<Swept> {
    let old = cx.now.minus(cx.settings.audit_retention);
    let mut conn = cx.db.read().await?;
    let mut seals = store::audit_seal::whole_after(&mut conn, after, SEALS).await?;
    drop(conn);
    seals.truncate(seals.iter().take_while(|seal| seal.complete_to < old).count());
    cut(&mut seals);
    let (Some(first), Some(last)) = (seals.first(), seals.last()) else {
        return Ok(Swept { rows: trim(cx).await?, ..Swept::default() });
    };
    let up_to = Some(last.sequence);
    let sound = sound(cx, &seals).await?;
    let unsound = u64::try_from(seals.len() - sound).unwrap_or(u64::MAX);
    if sound == 0 {
        return Ok(Swept { rows: 0, up_to: Some(first.sequence), unsound: 1 });
    }
    let Some(end) = seals.get(sound - 1) else { return Ok(Swept::default()) };
    let rows = delete(cx, (first.sequence, end)).await?;
    // The first that is not sound is looked at by the next batch, and left where it is.
    let up_to = if unsound > 0 { Some(end.sequence) } else { up_to };
    Ok(Swept { rows, up_to, unsound: 0 })
}

/// As many seals as have a batch of rows together; at least one.
fn cut(seals: &mut Vec<Seal>) {
    let (mut rows, mut kept) = (0, 0);
    for (nth, seal) in seals.iter().enumerate() {
        // One after another without a gap: a range is deleted.
        let follows =
            nth == 0 || seals.get(nth - 1).is_some_and(|s| s.sequence + 1 == seal.sequence);
        rows += seal.row_count;
        if !follows || (nth > 0 && rows > ROWS) {
            break;
        }
        kept = nth + 1;
    }
    seals.truncate(kept);
}

/// How many of them, from the first, are as they were made.
async fn sound(cx: &Cx, seals: &[Seal]) -> Result<usize> {
    let mut sound = 0;
    for seal in seals {
        let mut conn = cx.db.read().await?;
        let range = (seal.sequence, seal.sequence);
        let rows =
            store::audit::of_seals(&mut conn, range, seal.row_count.saturating_add(1)).await?;
        drop(conn);
        let known = Known { swept_to: 0, tagged_since: None, complete_to: None };
        // A seal whose key is gone can be neither proven nor disproven, and must not stay for ever.
        let found = check::seal(&cx.root, seal, &rows, known)?;
        if !found.iter().all(|finding| finding.what == What::UnknownKey) {
            break;
        }
        sound += 1;
    }
    Ok(sound)
}

async fn delete(cx: &Cx, (first, end): (i64, &Seal)) -> Result<u64> {
    let range = (first, end.sequence);
    let key = cx.root.current_id();
    let mark = swept_mark(&cx.root, key, end, cx.now)?;
    cx.db
        .write(async |tx| {
            let rows = store::audit::sweep(tx, range).await?;
            // Another replica was faster, if there is nothing to mark.
            if store::audit_seal::mark_swept(tx, range, cx.now).await? > 0 {
                store::audit_seal::put_mark(tx, end.sequence, (key, &mark)).await?;
            }
            Ok::<_, Error>(rows)
        })
        .await
}

/// Deletes seals whose rows were swept as long ago as rows are kept; the marked one, which the rest hangs on, stays.
async fn trim(cx: &Cx) -> Result<u64> {
    let mut conn = cx.db.read().await?;
    let Some(marked) = store::audit_seal::newest_marked(&mut conn).await? else { return Ok(0) };
    drop(conn);
    if !check::is_marked(&cx.root, &marked) {
        return Ok(0);
    }
    let old = cx.now.minus(cx.settings.audit_retention);
    cx.db
        .write(async |tx| Ok(store::audit_seal::sweep(tx, marked.sequence, old, ROWS).await?))
        .await
}
