//! What a person can prove the second step with, and changes of it.

use sqlx::FromRow;

use crate::{Result, SessionId, Sql, Timestamp, UserId};

/// What a person can prove the second step with, beside a code by e-mail, and what they prefer.
#[derive(Clone, Debug, Default, FromRow)]
pub struct SecondSteps {
    /// How many authenticator apps are enrolled.
    pub totp_apps: i64,
    /// When the oldest of them was.
    pub first_app_at: Option<Timestamp>,
    /// How many passkeys are registered.
    pub passkeys: i64,
    /// When the oldest of them was.
    pub first_passkey_at: Option<Timestamp>,
    /// How many recovery codes are not used.
    pub recovery_codes: i64,
    /// The method that was used last, by its name in `sign_ins.second`.
    pub last_second: Option<String>,
    /// Since when the person wants no codes by e-mail.
    pub email_codes_off_since: Option<Timestamp>,
    /// When methods were last added, removed or chosen.
    pub methods_changed_at: Option<Timestamp>,
    /// The session that did it; none if it was done on request of staff.
    pub methods_changed_by: Option<SessionId>,
    /// When one was last removed.
    pub method_removed_at: Option<Timestamp>,
}

impl SecondSteps {
    /// Whether the person has a method that recovery codes stand in for.
    #[must_use]
    pub const fn has_method(&self) -> bool {
        self.totp_apps > 0 || self.passkeys > 0
    }
}

/// Columns of [`SecondSteps`], from `users`.
macro_rules! second_steps_columns {
    () => {
        "users.last_second, users.email_codes_off_since, users.methods_changed_at, users.methods_changed_by, \
         users.method_removed_at, \
         (SELECT COUNT(*) FROM totp_apps WHERE totp_apps.user_id = users.id) AS totp_apps, \
         (SELECT MIN(totp_apps.created_at) FROM totp_apps WHERE totp_apps.user_id = users.id) AS first_app_at, \
         (SELECT COUNT(*) FROM passkeys WHERE passkeys.user_id = users.id) AS passkeys, \
         (SELECT MIN(passkeys.created_at) FROM passkeys WHERE passkeys.user_id = users.id) AS first_passkey_at, \
         (SELECT COUNT(*) FROM recovery_codes WHERE recovery_codes.user_id = users.id \
          AND recovery_codes.used_at IS NULL) AS recovery_codes"
    };
}
pub(crate) use second_steps_columns;

/// A change of a person's methods.
#[derive(Clone, Copy, Debug)]
pub struct MethodsChange {
    /// The session that makes it; none on request of staff.
    pub by: Option<SessionId>,
    /// When.
    pub at: Timestamp,
    /// Whether a method is removed.
    pub is_removal: bool,
}

/// Records a change of a person's methods. Locks the person's row until the transaction ends.
pub async fn record_change(sql: &mut impl Sql, user: UserId, change: MethodsChange) -> Result<()> {
    sql.q("UPDATE users SET methods_changed_at = $2, methods_changed_by = $3,
                            method_removed_at = COALESCE($4, method_removed_at)
           WHERE id = $1")
        .bind(user)
        .bind(change.at)
        .bind(change.by)
        .bind(change.is_removal.then_some(change.at))
        .execute()
        .await?;
    Ok(())
}

/// Records since when a person wants no codes by e-mail; none if they want them.
pub async fn set_email_codes(
    sql: &mut impl Sql,
    user: UserId,
    off_since: Option<Timestamp>,
) -> Result<()> {
    sql.q("UPDATE users SET email_codes_off_since = $2 WHERE id = $1")
        .bind(user)
        .bind(off_since)
        .execute()
        .await?;
    Ok(())
}
