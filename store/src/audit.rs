//! The audit trail. Rows are written in the transaction that causes them.

use sqlx::FromRow;

use crate::{AuditId, Result, Sql, Timestamp, UserId};

/// One event.
#[derive(Clone, Debug, FromRow)]
pub struct AuditRow {
    /// Id; orders the trail.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// What, from the vocabulary of `flows::audit`.
    pub event: String,
    /// How it ended.
    pub outcome: String,
    /// Who did it.
    pub actor: String,
    /// Whom it is about.
    pub user_id: Option<UserId>,
    /// Through which client.
    pub client_id: Option<String>,
    /// From which network.
    pub network: Option<String>,
    /// The six characters that the person sees on an error page.
    pub reference: String,
    /// JSON object with what else is known; never a secret.
    pub detail: String,
}

/// Writes an event.
pub async fn insert(sql: &mut impl Sql, row: &AuditRow) -> Result<()> {
    sql.q("INSERT INTO audit (id, at, event, outcome, actor, user_id, client_id, network, reference, detail)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
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
        .exec()
        .await?;
    Ok(())
}

/// The newest events of a person.
pub async fn of_user(sql: &mut impl Sql, user: UserId, limit: i64) -> Result<Vec<AuditRow>> {
    sql.q("SELECT id, at, event, outcome, actor, user_id, client_id, network, reference, detail
           FROM audit WHERE user_id = $1 ORDER BY id DESC LIMIT $2")
        .bind(user)
        .bind(limit)
        .all()
        .await
}
