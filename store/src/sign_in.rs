//! Sign-ins: the fact of completed steps. Inserted, never updated; the schema refuses a row without both steps.

use sqlx::FromRow;

use crate::{Result, SignInId, Sql, Timestamp, UserId};

/// A completed sign-in.
#[derive(Clone, Debug, FromRow)]
pub struct SignInRow {
    /// Id.
    pub id: SignInId,
    /// Who.
    pub user_id: UserId,
    /// The person's epoch at the time.
    pub epoch: i64,
    /// Method of the first step.
    pub first: String,
    /// When the first step was proven.
    pub first_at: Timestamp,
    /// Method of the second step.
    pub second: Option<String>,
    /// When the second step was proven.
    pub second_at: Option<Timestamp>,
    /// Whether one mailbox stood for both steps (decision 5).
    pub mailbox_only: bool,
}

/// Records a completed sign-in. Its one caller is `flows::sign_in`; `architecture.rs` holds that.
pub async fn insert(sql: &mut impl Sql, row: &SignInRow) -> Result<()> {
    sql.q("INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, mailbox_only)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(row.id)
        .bind(row.user_id)
        .bind(row.epoch)
        .bind(&row.first)
        .bind(row.first_at)
        .bind(&row.second)
        .bind(row.second_at)
        .bind(row.mailbox_only)
        .exec()
        .await?;
    Ok(())
}
