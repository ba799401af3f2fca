//! Scheduled maintenance of signing keys: an old one is replaced, a replaced one ends, an ended one is deleted. Every part
//! is guarded by its own statement, so that two replicas at once do it only once.

use keys::Algorithm;
use store::signing_key::{EndedKeyRow, SigningKeyRow};

use super::{
    LONGEST_SESSION, Rotation, RotationOutcome, load_rows, open_key, published_until, rotate,
    successor,
};
use crate::{
    Cx, Result,
    audit::{self, event, outcome::KeyOutcome},
    change_authority::ChangeAuthority,
};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Keys that were published to replace an old one.
    pub published: Vec<String>,
    /// Keys that are no longer published.
    pub ended: Vec<String>,
    /// Ended keys that no hint can name any more, deleted.
    pub forgotten: u64,
}

/// Does what is due.
pub async fn maintain(cx: &Cx) -> Result<MaintenanceReport> {
    let authority = &ChangeAuthority::from_program("signing_keys", "age");
    let mut tended = MaintenanceReport::default();
    let present = load_rows(cx).await?;
    for algorithm in Algorithm::ALL {
        if is_old(cx, algorithm, &present) {
            let rotation = Rotation { algorithm, compromised: false };
            if let RotationOutcome::Rotated { kid, .. } = rotate(cx, authority, rotation).await? {
                tended.published.push(kid);
            }
        }
    }
    // Only a build that knows the algorithm of a key ends it.
    let known = |row: &&SigningKeyRow| row.algorithm.parse::<Algorithm>().is_ok();
    for row in present.iter().filter(known) {
        let over =
            successor(row, &present).is_some_and(|next| published_until(next.signs_from) <= cx.now);
        if over && end_key(cx, row).await? {
            tended.ended.push(row.id.clone());
        }
    }
    tended.forgotten = sweep_ended(cx).await?;
    Ok(tended)
}

/// Deletes keys that no hint can name any more. When there are none it costs a read and no write.
async fn sweep_ended(cx: &Cx) -> Result<u64> {
    let before = cx.now.minus(LONGEST_SESSION);
    let mut conn = cx.db.read().await?;
    let kept = store::signing_key::all_ended(&mut conn).await?;
    drop(conn);
    if kept.iter().all(|row| row.ended_at > before) {
        return Ok(0);
    }
    Ok(cx.db.write(async |tx| store::signing_key::sweep_ended(tx, before).await).await?)
}

/// Whether the newest key of an algorithm is older than the setting allows.
fn is_old(cx: &Cx, algorithm: Algorithm, present: &[SigningKeyRow]) -> bool {
    let newest = present.iter().rfind(|row| row.algorithm == algorithm.as_str());
    match (cx.settings.rotate_keys_after, newest) {
        (Some(after), Some(newest)) => cx.now.since(newest.created_at) >= after,
        _ => false,
    }
}

/// Stops publishing a key: its public half is kept for hints, its private half is deleted.
async fn end_key(cx: &Cx, row: &SigningKeyRow) -> Result<bool> {
    let ended = EndedKeyRow {
        public: open_key(&cx.root, row)?.public_key_bytes(),
        id: row.id.clone(),
        algorithm: row.algorithm.clone(),
        ended_at: cx.now,
    };
    cx.db
        .write(async |tx| {
            if !store::signing_key::remove(tx, &row.id).await? {
                return Ok(false);
            }
            store::signing_key::insert_ended(tx, &ended).await?;
            let gone =
                event::SigningKeyEnded { kid: row.id.clone(), algorithm: row.algorithm.clone() };
            audit::record(cx, tx, audit::AuditEntry::new(gone, KeyOutcome::Ok)).await?;
            Ok(true)
        })
        .await
}
