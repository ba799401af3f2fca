//! The audit trail. Rows are written in the transaction that causes them, and sealed later.

use std::ops::RangeInclusive;

use sqlx::FromRow;

use crate::{AuditId, Result, Sql, Statement, Timestamp, Tx, UserId};

/// One event.
#[derive(Clone, Debug, FromRow)]
pub struct AuditRow {
    /// Id; orders the trail.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Its name, from the vocabulary of `flows::audit`.
    pub event: String,
    /// Its outcome.
    pub outcome: String,
    /// The actor.
    pub actor: String,
    /// The person that it is about.
    pub user_id: Option<UserId>,
    /// The client that the request was for.
    pub client_id: Option<String>,
    /// The network that the request came from.
    pub network: Option<String>,
    /// The reference: six characters, which an error page shows.
    pub reference: String,
    /// JSON object with further details; never a secret.
    pub detail: String,
    /// HMAC of the columns above, by the program that wrote the row; none in rows of older versions.
    pub tag: Option<Vec<u8>>,
    /// Id of the root key of the tag.
    pub tag_key: Option<String>,
    /// Sequence of the seal that covers this row.
    pub sealed_by: Option<i64>,
}

/// Adds an event to the transaction that causes it. The rows of a transaction are written together, just before the commit.
pub fn insert(tx: &mut Tx, row: AuditRow) {
    tx.push_audit_row(row);
}

/// The values of one row, and of a second, third and fourth: most transactions have no more.
macro_rules! one_row {
    () => {
        "(id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    };
}
macro_rules! second_row {
    () => {
        ", ($13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"
    };
}
macro_rules! third_row {
    () => {
        ", ($25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36)"
    };
}
macro_rules! fourth_row {
    () => {
        ", ($37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48)"
    };
}

/// Writes the rows of a transaction, in their order.
pub(crate) async fn write(sql: &mut impl Sql, rows: &[AuditRow]) -> Result<()> {
    for rows in rows.chunks(4) {
        let statement = match rows.len() {
            1 => sql.q(concat!("INSERT INTO audit ", one_row!())),
            2 => sql.q(concat!("INSERT INTO audit ", one_row!(), second_row!())),
            3 => sql.q(concat!("INSERT INTO audit ", one_row!(), second_row!(), third_row!())),
            _ => sql.q(concat!(
                "INSERT INTO audit ",
                one_row!(),
                second_row!(),
                third_row!(),
                fourth_row!()
            )),
        };
        rows.iter().fold(statement, bind_row).execute().await?;
    }
    Ok(())
}

fn bind_row<'c>(statement: Statement<'c>, row: &AuditRow) -> Statement<'c> {
    statement
        .bind(row.id)
        .bind(row.at)
        .bind(&row.event)
        .bind(&row.outcome)
        .bind(&row.actor)
        .bind(row.user_id)
        .bind(&row.client_id)
        .bind(&row.network)
        .bind(&row.reference)
        .bind(&row.detail)
        .bind(&row.tag)
        .bind(&row.tag_key)
}

/// The newest events of a person, newest first.
pub async fn newest_of_user(sql: &mut impl Sql, user: UserId, limit: i64) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by
           FROM audit WHERE user_id = $1 ORDER BY id DESC LIMIT $2")
        .bind(user)
        .bind(limit)
        .fetch_all()
        .await
}

/// A range of the trail. Ids begin with the time, so that a range of ids is a range of times.
#[derive(Clone, Copy, Debug)]
pub struct AuditRange {
    /// Only rows after this id.
    pub after: AuditId,
    /// Only rows before this id.
    pub before: AuditId,
    /// The most rows to return.
    pub limit: i64,
}

/// Reads a range of the trail, oldest first; only rows of `event`, if it is given.
pub async fn in_range(
    sql: &mut impl Sql,
    range: AuditRange,
    event: Option<&str>,
) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by
           FROM audit
           WHERE id > $1 AND id < $2 AND (CAST($3 AS TEXT) IS NULL OR event = $3)
           ORDER BY id LIMIT $4")
        .bind(range.after)
        .bind(range.before)
        .bind(event)
        .bind(range.limit)
        .fetch_all()
        .await
}

/// As [`in_range`], for one person.
pub async fn of_user_in_range(
    sql: &mut impl Sql,
    user: UserId,
    range: AuditRange,
    event: Option<&str>,
) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by
           FROM audit
           WHERE user_id = $5 AND id > $1 AND id < $2 AND (CAST($3 AS TEXT) IS NULL OR event = $3)
           ORDER BY id LIMIT $4")
        .bind(range.after)
        .bind(range.before)
        .bind(event)
        .bind(range.limit)
        .bind(user)
        .fetch_all()
        .await
}

/// Whether a row is unsealed: a read, so that an idle sealer takes no write lock.
pub async fn has_unsealed(sql: &mut impl Sql) -> Result<bool> {
    let row: Option<(i64,)> = sql
        .q("SELECT CAST(1 AS BIGINT) FROM audit WHERE sealed_by IS NULL LIMIT 1")
        .fetch_optional()
        .await?;
    Ok(row.is_some())
}

/// Unsealed rows after an id.
pub async fn unsealed(sql: &mut impl Sql, after: AuditId, limit: i64) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by
           FROM audit WHERE sealed_by IS NULL AND id > $1 ORDER BY id LIMIT $2")
        .bind(after)
        .bind(limit)
        .fetch_all()
        .await
}

/// Assigns up to `limit` of the oldest unsealed rows to a seal, and returns them in no order. A row is assigned once.
pub async fn claim_for_seal(
    sql: &mut impl Sql,
    sequence: i64,
    limit: i64,
) -> Result<Vec<AuditRow>> {
    sql.q("UPDATE audit SET sealed_by = $1
           WHERE sealed_by IS NULL
             AND id IN (SELECT id FROM audit WHERE sealed_by IS NULL ORDER BY id LIMIT $2)
           RETURNING id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by")
        .bind(sequence)
        .bind(limit)
        .fetch_all()
        .await
}

/// The rows of a range of seals, in their order.
pub async fn of_seals(
    sql: &mut impl Sql,
    seals: &RangeInclusive<i64>,
    limit: i64,
) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by
           FROM audit WHERE sealed_by >= $1 AND sealed_by <= $2 ORDER BY sealed_by, id LIMIT $3")
        .bind(*seals.start())
        .bind(*seals.end())
        .bind(limit)
        .fetch_all()
        .await
}

/// Rows that name a seal of a range that does not exist.
pub async fn of_missing_seals(
    sql: &mut impl Sql,
    seals: &RangeInclusive<i64>,
    limit: i64,
) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail, tag, tag_key, sealed_by
           FROM audit
           WHERE sealed_by >= $1 AND sealed_by <= $2
             AND NOT EXISTS (SELECT 1 FROM audit_seals WHERE audit_seals.sequence = audit.sealed_by)
           ORDER BY sealed_by, id LIMIT $3")
        .bind(*seals.start())
        .bind(*seals.end())
        .bind(limit)
        .fetch_all()
        .await
}

/// When the first row with a tag was written.
pub async fn first_tagged_at(sql: &mut impl Sql) -> Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> = sql
        .q("SELECT at FROM audit WHERE tag IS NOT NULL ORDER BY id LIMIT 1")
        .fetch_optional()
        .await?;
    Ok(row.map(|(at,)| at))
}

/// Deletes the rows of a range of seals; returns how many.
pub async fn sweep(sql: &mut impl Sql, seals: &RangeInclusive<i64>) -> Result<u64> {
    sql.q("DELETE FROM audit WHERE sealed_by >= $1 AND sealed_by <= $2")
        .bind(*seals.start())
        .bind(*seals.end())
        .execute()
        .await
}
