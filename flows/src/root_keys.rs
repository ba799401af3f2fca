//! Root keys are replaced without interruption.
//!
//! ```text
//! [old] ─▶ [old, new] ─▶ [new, old] ─────────────────────────────▶ [new]
//!          opens both    makes under new, opens both; seals again
//!                        what is sealed with old, a batch at a time
//! ```
//!
//! Sealed values are sealed again. What cannot be made again is carried over: sealed in the database, it outlives the file
//! of its root key. Codes and pages name their key and expire within a day.

use std::time::Duration;

use keys::{KeyError, RootKeys};
use store::{Sql, Timestamp, root_key::RootKeyRow, sealed::SealedRow};

use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
};

/// Values of one batch, which is one short transaction.
pub const BATCH: i64 = 100;
/// How long a page can be posted.
const PAGE_LIFETIME: Duration = Duration::from_hours(24);
/// How long a code is compared with what is typed: twice the longest window, and two hours in which its failure is
/// explained.
const CODE_LIFETIME: Duration = Duration::from_hours(4);

/// Loads the carried secrets. A root key that something needs and that is missing or differs is an error: the start fails,
/// before any request is refused.
pub async fn load_carried(root: &mut RootKeys, sql: &mut impl Sql) -> Result<()> {
    for row in store::root_key::all(sql).await? {
        let opened =
            root.open(&aad("root_keys", &row.id), &row.sealed).map_err(|error| {
                match (error, RootKeys::sealing_key_id(&row.sealed)) {
                    (KeyError::InvalidSealedValue, Some(id)) => {
                        KeyError::RootKeyMismatch(id.to_owned())
                    }
                    (error, _) => error,
                }
            })?;
        root.import_carried(&row.id, &zeroize::Zeroizing::new(opened))?;
    }
    Ok(())
}

/// Records that the first key of the list is current, and carries over what must outlive its file.
pub async fn ensure(cx: &Cx) -> Result<()> {
    let id = cx.root.current_id();
    let mut conn = cx.db.read().await?;
    let known = store::root_key::all(&mut conn).await?;
    drop(conn);
    if known.iter().any(|row| row.id == id) {
        return Ok(());
    }
    let sealed = cx.root.seal(&cx.rng, &aad("root_keys", id), &cx.root.export_carried())?;
    let row = RootKeyRow { id: id.to_owned(), since: cx.now, sealed };
    cx.db
        .write(async |tx| {
            if store::root_key::insert(tx, &row).await? {
                let current = event::RootKeyCurrent { root_key: row.id.clone() };
                audit::record(cx, tx, audit::AuditEntry::done(current)).await?;
            }
            Ok(())
        })
        .await
}

/// The associated data of a sealed value: its own row.
fn aad(table: &str, id: &str) -> Vec<u8> {
    format!("{table}/{id}").into_bytes()
}

/// Why nothing is sealed again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the root key {current} was replaced by {newest}: put {newest} first in keys.root_file on every replica (to go back for \
     good, make a third key)"
)]
pub struct RootKeySuperseded {
    /// The first key of this configuration.
    pub current: String,
    /// The key that became current last.
    pub newest: String,
}

/// Seals again what is sealed with an older root key, and reports after each batch how many values are done. It may be
/// stopped at any moment and continues there: a value that is done names the current key.
pub async fn reseal(
    cx: &Cx,
    authority: &ChangeAuthority,
    batch: i64,
    mut on_batch: impl FnMut(u64),
) -> Result<Result<u64, RootKeySuperseded>> {
    if let Some(superseded) = superseded(cx).await? {
        return Ok(Err(superseded));
    }
    let mark = RootKeys::seal_prefix(cx.root.current_id());
    let mut all = 0;
    loop {
        let mut conn = cx.db.read().await?;
        let rows = store::sealed::outdated(&mut conn, &mark, batch).await?;
        drop(conn);
        if rows.is_empty() {
            break;
        }
        all += reseal_batch(cx, authority, &rows).await?;
        on_batch(all);
    }
    Ok(Ok(all))
}

async fn reseal_batch(cx: &Cx, authority: &ChangeAuthority, rows: &[SealedRow]) -> Result<u64> {
    let mut again = Vec::with_capacity(rows.len());
    for row in rows {
        let aad = aad(&row.home, &row.id());
        let opened = zeroize::Zeroizing::new(cx.root.open(&aad, &row.sealed)?);
        again.push((row, cx.root.seal(&cx.rng, &aad, &opened)?));
    }
    cx.db
        .write(async |tx| {
            let mut done = 0;
            for (row, sealed) in &again {
                done += u64::from(store::sealed::replace(tx, row, sealed).await?);
            }
            let root_key = cx.root.current_id().to_owned();
            let resealed = event::RootKeyResealed { root_key, values: done };
            audit::record(cx, tx, audit::AuditEntry::done(resealed).by(authority)).await?;
            Ok(done)
        })
        .await
}

/// A replica that does not yet have the new key as its first one must not seal with the old one again.
async fn superseded(cx: &Cx) -> Result<Option<RootKeySuperseded>> {
    let mut conn = cx.db.read().await?;
    let newest = store::root_key::all(&mut conn).await?.pop();
    let current = cx.root.current_id();
    Ok(newest
        .filter(|newest| newest.id != current)
        .map(|newest| RootKeySuperseded { current: current.to_owned(), newest: newest.id }))
}

/// A root key and what depends on it.
#[derive(Clone, Debug)]
pub struct RootKeyStatus {
    /// Its id.
    pub id: String,
    /// Whether it is the first of this configuration.
    pub current: bool,
    /// Whether it is configured at all.
    pub configured: bool,
    /// When it became current, if it ever did.
    pub since: Option<Timestamp>,
    /// Values that are sealed with it.
    pub sealed: i64,
    /// Mailed codes of the last hours that are made with it.
    pub codes: i64,
    /// Password hashes that are made with it. Each is replaced when its owner signs in.
    pub passwords: i64,
    /// Whether those hashes need its file: no longer, once its pepper is carried over.
    pub passwords_need_it: bool,
    /// From when its file may be deleted; none while it is current, yet to become so, or needed.
    pub removable_from: Option<Timestamp>,
}

/// Every root key that is configured or has been current. It scans whole tables, so only commands call it.
pub async fn report(cx: &Cx) -> Result<Vec<RootKeyStatus>> {
    let mut conn = cx.db.read().await?;
    let rows = store::root_key::all(&mut conn).await?;
    let mut ids: Vec<&str> = cx.root.ids().collect();
    ids.extend(
        rows.iter().map(|row| row.id.as_str()).filter(|id| !cx.root.ids().any(|c| c == *id)),
    );
    let mut report = Vec::with_capacity(ids.len());
    for id in ids {
        report.push(status(cx, &mut conn, &rows, id).await?);
    }
    Ok(report)
}

async fn status(
    cx: &Cx,
    sql: &mut impl Sql,
    rows: &[RootKeyRow],
    id: &str,
) -> Result<RootKeyStatus> {
    let since = |id: &str| rows.iter().find(|row| row.id == id).map(|row| row.since);
    let passwords = match cx.root.phc_keyid(id) {
        Some(mark) => store::password::count_with_keyid(sql, &mark).await?,
        None => 0,
    };
    let mut status = RootKeyStatus {
        id: id.to_owned(),
        current: id == cx.root.current_id(),
        configured: cx.root.ids().any(|configured| configured == id),
        since: since(id),
        sealed: store::sealed::count_with_prefix(sql, &RootKeys::seal_prefix(id)).await?,
        codes: store::email_challenge::count_with_root_key(sql, id, cx.now.minus(CODE_LIFETIME))
            .await?,
        passwords,
        passwords_need_it: passwords > 0 && since(id).is_none(),
        removable_from: None,
    };
    let used = status.since.is_some() || status.sealed + status.codes + passwords > 0;
    let needed = status.sealed + status.codes > 0 || status.passwords_need_it;
    if status.configured && !status.current && used && !needed {
        status.removable_from = since(cx.root.current_id()).map(|since| since.plus(PAGE_LIFETIME));
    }
    Ok(status)
}
