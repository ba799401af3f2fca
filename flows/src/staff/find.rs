//! Finding a person and the latest events about them.

use store::{audit::AuditRow, user::User};

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
}

/// Finds a person by address.
pub async fn find_user(cx: &Cx, email: &EmailAddress) -> Result<Option<UserWithEvents>> {
    let mut conn = cx.db.read().await?;
    let Some(user) = store::user::by_email(&mut conn, email.canonical()).await? else {
        return Ok(None);
    };
    let events = store::audit::newest_of_user(&mut conn, user.id, EVENTS).await?;
    Ok(Some(UserWithEvents { user, events }))
}
