//! Finding a person and the latest events about them.

use store::{
    audit::AuditRow, passkey::PasskeyRow, second_steps::SecondSteps, totp_app::TotpApp, user::User,
};

use crate::{Cx, Result, email::EmailAddress};

/// How many events are shown.
const EVENTS: i64 = 20;

/// A person and the newest events about them.
#[derive(Debug)]
pub struct UserWithEvents {
    /// The person.
    pub user: User,
    /// Newest first.
    pub events: Vec<AuditRow>,
    /// The authenticator apps, the oldest first.
    pub apps: Vec<TotpApp>,
    /// The passkeys, the oldest first.
    pub passkeys: Vec<PasskeyRow>,
    /// What else there is for the second step.
    pub second_steps: SecondSteps,
}

/// Finds a person by address.
pub async fn find_user(cx: &Cx, email: &EmailAddress) -> Result<Option<UserWithEvents>> {
    let mut conn = cx.db.read().await?;
    let Some(user) = store::user::by_email(&mut conn, email.canonical()).await? else {
        return Ok(None);
    };
    let events = store::audit::newest_of_user(&mut conn, user.id, EVENTS).await?;
    let apps = store::totp_app::of_user(&mut conn, user.id).await?;
    let passkeys = store::passkey::of_user(&mut conn, user.id).await?;
    let found = store::user::by_id_with_password(&mut conn, user.id).await?;
    let second_steps = found.map(|found| found.second_steps).unwrap_or_default();
    Ok(Some(UserWithEvents { user, events, apps, passkeys, second_steps }))
}
