//! Sealing: all visible rows get the next seal.

use keys::AuditMacKind;
use store::{audit::AuditRow, audit_seal::Seal};

use super::{ChainHead, ManifestLine, TagStatus, is_authentic, seal_digest};
use crate::{Cx, Error, Result};

/// Rows of one seal: as many as fit into one short transaction.
const ROWS: i64 = 500;

/// The result of one seal.
#[derive(Clone, Debug)]
pub struct SealReport {
    /// The new head of the chain.
    pub head: ChainHead,
    /// Whether this is the first seal of its hour: then the head is logged, so that it is stored elsewhere.
    pub first_of_hour: bool,
    /// Whether there may be more to seal.
    pub is_full: bool,
    /// Rows with an invalid tag: they were changed, or not written by this program.
    pub forged: usize,
}

/// Whether there is anything to seal.
pub async fn is_due(cx: &Cx) -> Result<bool> {
    let mut conn = cx.db.read().await?;
    Ok(store::audit::has_unsealed(&mut conn).await?)
}

/// The number of the newest seal; 0 when there is none.
pub async fn newest(cx: &Cx) -> Result<i64> {
    let mut conn = cx.db.read().await?;
    Ok(store::audit_seal::newest(&mut conn).await?.map_or(0, |seal| seal.sequence))
}

/// Makes the next seal, of the oldest unsealed rows; `None` when there are none.
///
/// # Errors
/// [`Error::Conflict`] when another replica made this seal first; its rows are in the next one. [`newest`] is then higher:
/// if it is not, something prevents inserts into the table.
pub async fn seal_next(cx: &Cx) -> Result<Option<SealReport>> {
    cx.db
        .write(async |tx| {
            if !store::audit::has_unsealed(tx).await? {
                return Ok(None);
            }
            let previous = store::audit_seal::newest(tx).await?;
            let sequence = previous.as_ref().map_or(1, |seal| seal.sequence.saturating_add(1));
            if !store::audit_seal::reserve(tx, sequence, cx.now).await? {
                return Err(Error::Conflict);
            }
            // Claimed in one statement, not read and then marked: no row is in two seals, and none that commits meanwhile is
            // missed.
            let mut rows = store::audit::claim_for_seal(tx, sequence, ROWS).await?;
            // Another seal claimed them between the first two of these statements.
            if rows.is_empty() {
                return Err(Error::Conflict);
            }
            rows.sort_unstable_by_key(|row| row.id);
            let seal = make(cx, sequence, previous.as_ref(), &rows)?;
            store::audit_seal::complete(tx, &seal).await?;
            let hour = |seal: &Seal| seal.sealed_at.seconds().div_euclid(3600);
            Ok(Some(SealReport {
                head: ChainHead::of(&seal),
                first_of_hour: previous.as_ref().is_none_or(|old| hour(old) != hour(&seal)),
                is_full: is_full(&rows),
                forged: rows
                    .iter()
                    .filter(|row| TagStatus::of(&cx.root, row) == TagStatus::Invalid)
                    .count(),
            }))
        })
        .await
}

fn is_full(rows: &[AuditRow]) -> bool {
    i64::try_from(rows.len()).unwrap_or(i64::MAX) >= ROWS
}

fn make(cx: &Cx, sequence: i64, previous: Option<&Seal>, rows: &[AuditRow]) -> Result<Seal> {
    let key_id = cx.root.current_id();
    let mut manifest = Vec::with_capacity(rows.len() * ManifestLine::LENGTH);
    for row in rows {
        ManifestLine::of(&cx.root, key_id, row)?.write(&mut manifest);
    }
    let hash = cx.root.audit_mac(key_id, AuditMacKind::Manifest, &[Some(&manifest)])?;
    // A full seal may have left newer rows for the next one. The time up to which the trail is complete never decreases,
    // however late a row appears, as far as the previous seal is authentic.
    let newest = rows.last().filter(|_| is_full(rows)).map_or(cx.now, |row| row.at);
    let before = previous.filter(|seal| is_authentic(&cx.root, seal));
    let newest = before.map_or(newest, |before| newest.max(before.complete_to));
    let mut seal = Seal {
        sequence,
        sealed_at: cx.now,
        complete_to: newest,
        row_count: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        manifest: Some(manifest),
        manifest_hash: hash.to_vec(),
        previous: previous.map(|seal| seal.digest.clone()).unwrap_or_default(),
        digest: Vec::new(),
        key_id: key_id.to_owned(),
        swept_at: None,
        swept_key: None,
        swept_mark: None,
    };
    seal.digest = seal_digest(&cx.root, &seal)?.to_vec();
    Ok(seal)
}
