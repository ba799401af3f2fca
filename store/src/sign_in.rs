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
    /// The network that it was completed from, as the audit trail has it.
    pub network: Option<String>,
    /// The browser and system that it was completed with, `Firefox/Windows`, if they are known ones.
    pub browser_and_system: Option<String>,
}

/// Records a completed sign-in. Its one caller is `flows::sign_in`; `architecture.rs` holds that.
pub async fn insert(sql: &mut impl Sql, row: &SignInRow) -> Result<()> {
    sql.q("INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, mailbox_only, network,
                                 browser_and_system)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(row.id)
        .bind(row.user_id)
        .bind(row.epoch)
        .bind(&row.first)
        .bind(row.first_at)
        .bind(&row.second)
        .bind(row.second_at)
        .bind(row.mailbox_only)
        .bind(&row.network)
        .bind(&row.browser_and_system)
        .exec()
        .await?;
    Ok(())
}

/// Deletes up to `most` sign-ins of before `before` that no session, grant or later sign-in refers to; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, most: i64) -> Result<u64> {
    sql.q("DELETE FROM sign_ins WHERE id IN
           (SELECT id FROM sign_ins
            WHERE id < $1 AND first_at < $2
              AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.sign_in_id = sign_ins.id)
              AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.sign_in_id = sign_ins.id)
              AND NOT EXISTS (SELECT 1 FROM sign_ins AS later WHERE later.remembered_from = sign_ins.id)
            ORDER BY id LIMIT $3)")
        .bind(SignInId::new(before, [0; 10]))
        .bind(before)
        .bind(most)
        .exec()
        .await
}
