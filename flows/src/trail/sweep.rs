//! Sweeping the trail: whole seals, oldest first, and only unchanged ones. Changed seals are kept, so that evidence of
//! tampering does not expire.

use store::{Timestamp, audit_seal::Seal};

use super::{
    MIN_RETENTION,
    check::{self, CheckContext, SweptMark},
    is_authentic,
    key_rotation::KeyRotation,
    swept_mark,
};
use crate::{Cx, Error, Result};

/// Seals that are swept at once.
const SEALS: i64 = 200;
const ROWS: i64 = 1_000;

/// The result of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct SweepReport {
    /// Rows that were deleted, and seals that were deleted with them.
    pub rows: u64,
    /// The last seal that was checked; none at the end.
    pub up_to: Option<i64>,
    /// Seals that were changed. They are kept, with their rows.
    pub unsound: u64,
}

/// Seals whose rows existed when they were read. Another replica may sweep them meanwhile.
#[derive(Debug)]
pub struct SealBatch(Vec<Seal>);

impl SealBatch {
    /// Reads the next ones after a number.
    pub async fn after(cx: &Cx, sequence: i64) -> Result<Self> {
        let mut conn = cx.db.read().await?;
        Ok(Self(store::audit_seal::unswept_after(&mut conn, sequence, SEALS).await?))
    }

    /// Sweeps those that are older than the setting. The contents of a seal count only once its digest is verified:
    /// otherwise an attacker with the database could make the program sweep anything.
    pub async fn sweep(self, cx: &Cx) -> Result<SweepReport> {
        sweep(cx, self.0).await
    }
}

async fn sweep(cx: &Cx, mut seals: Vec<Seal>) -> Result<SweepReport> {
    if let Some(swept) = skip_altered(cx, &seals) {
        return Ok(swept);
    }
    let old = cutoff(cx);
    let is_due = |seal: &&Seal| is_authentic(&cx.root, seal) && seal.complete_to < old;
    seals.truncate(seals.iter().take_while(is_due).count());
    truncate_to_batch(&mut seals);
    let Some(first) = seals.first() else {
        return Ok(SweepReport { rows: delete_swept_seals(cx).await?, ..SweepReport::default() });
    };
    let sound = count_sound(cx, &seals).await?;
    let Some(end) = sound.checked_sub(1).and_then(|last| seals.get(last)) else {
        let unsound = u64::from(is_unswept(cx, first).await?);
        return Ok(SweepReport { rows: 0, up_to: Some(first.sequence), unsound });
    };
    // The next batch checks the first altered seal, and keeps it.
    Ok(SweepReport {
        rows: delete(cx, first.sequence, end).await?,
        up_to: Some(end.sequence),
        unsound: 0,
    })
}

/// Rows before this time may be deleted.
fn cutoff(cx: &Cx) -> Timestamp {
    cx.now.minus(cx.settings.audit_retention.max(MIN_RETENTION))
}

/// Skips altered seals, if the first is one: they are kept, and their contents are ignored.
fn skip_altered(cx: &Cx, seals: &[Seal]) -> Option<SweepReport> {
    let changed = seals.iter().take_while(|seal| !is_authentic(&cx.root, seal));
    let (unsound, last) = changed.fold((0, None), |(count, _), seal| (count + 1, Some(seal)));
    last.map(|seal| SweepReport { rows: 0, up_to: Some(seal.sequence), unsound })
}

/// Truncates to the seals that have a batch of rows together; at least one.
fn truncate_to_batch(seals: &mut Vec<Seal>) {
    let (mut rows, mut kept) = (0_i64, 0);
    for (nth, seal) in seals.iter().enumerate() {
        // Consecutive, because a range is deleted.
        let follows =
            nth == 0 || seals.get(nth - 1).is_some_and(|s| s.sequence + 1 == seal.sequence);
        rows = rows.saturating_add(seal.row_count);
        if !follows || (nth > 0 && rows > ROWS) {
            break;
        }
        kept = nth + 1;
    }
    seals.truncate(kept);
}

/// How many of them, from the first, are unchanged. A seal whose key is unknown can be neither proven nor disproven: it is
/// kept.
async fn count_sound(cx: &Cx, seals: &[Seal]) -> Result<usize> {
    let mut conn = cx.db.read().await?;
    let known = CheckContext::new(KeyRotation::read(&cx.root, &mut conn).await?);
    drop(conn);
    let mut sound = 0;
    for seal in seals {
        let mut conn = cx.db.read().await?;
        let only = seal.sequence..=seal.sequence;
        let most = seal.row_count.saturating_add(1);
        let rows = store::audit::of_seals(&mut conn, &only, most).await?;
        let next = store::audit_seal::by_sequence(&mut conn, seal.sequence + 1).await?;
        drop(conn);
        // The next seal would not link to a replaced one.
        let linked = next.is_none_or(|next| next.previous == seal.digest);
        if !linked || !check::seal(&cx.root, seal, &rows, &known)?.is_empty() {
            break;
        }
        sound += 1;
    }
    Ok(sound)
}

/// Whether no other replica has swept a seal since it was read: without its rows it would only seem altered.
async fn is_unswept(cx: &Cx, seal: &Seal) -> Result<bool> {
    let now = store::audit_seal::by_sequence(&mut cx.db.read().await?, seal.sequence).await?;
    Ok(now.is_some_and(|now| now.swept_at.is_none()))
}

/// Deletes the rows of the seals from `first` to `end`; returns how many.
async fn delete(cx: &Cx, first: i64, end: &Seal) -> Result<u64> {
    let seals = first..=end.sequence;
    let key = cx.root.current_id();
    let mark = swept_mark(&cx.root, key, end, cx.now)?;
    cx.db
        .write(async |tx| {
            let rows = store::audit::sweep(tx, &seals).await?;
            // If there is nothing to mark, another replica was first.
            if store::audit_seal::mark_swept(tx, &seals, cx.now).await? > 0 {
                store::audit_seal::set_swept_mark(tx, end.sequence, key, &mark).await?;
            }
            Ok::<_, Error>(rows)
        })
        .await
}

/// Deletes seals whose rows were swept longer ago than the retention; the marked one, to which the rest links, is kept.
async fn delete_swept_seals(cx: &Cx) -> Result<u64> {
    let mut conn = cx.db.read().await?;
    let Some(marked) = store::audit_seal::newest_with_swept_mark(&mut conn).await? else {
        return Ok(0);
    };
    let keys = KeyRotation::read(&cx.root, &mut conn).await?;
    drop(conn);
    if SweptMark::of(&cx.root, &keys, &marked).is_none() {
        return Ok(0);
    }
    let old = cutoff(cx);
    cx.db
        .write(async |tx| Ok(store::audit_seal::sweep(tx, marked.sequence, old, ROWS).await?))
        .await
}
