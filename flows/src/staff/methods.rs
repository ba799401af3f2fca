//! Removing a second step of a person, on request of staff. Staff never add one: that would be a way into the account.

use uuid::Uuid;

use crate::{
    Cx, Result,
    account::{authenticator_apps, methods::RemovedMethod, passkeys},
    change_authority::ChangeAuthority,
    email::EmailAddress,
};

/// The result of removing a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodRemoval {
    /// It was removed: its name.
    Removed(RemovedMethod),
    /// The person has no method of this id.
    UnknownMethod,
    /// There is no such person.
    UnknownUser,
}

/// Removes an authenticator app or a passkey of a person, who is told by mail. With the last one the recovery codes are void.
pub async fn remove(
    cx: &Cx,
    authority: &ChangeAuthority,
    email: &EmailAddress,
    id: Uuid,
) -> Result<MethodRemoval> {
    cx.db
        .write(async |tx| {
            let Some(user) = store::user::by_email(tx, email.canonical()).await? else {
                return Ok(MethodRemoval::UnknownUser);
            };
            let (app, passkey) = ((user.id, id.into()), (user.id, id.into()));
            let found = match authenticator_apps::remove_by_staff(cx, tx, app, authority).await? {
                Some(app) => Some(app),
                None => passkeys::remove_by_staff(cx, tx, passkey, authority).await?,
            };
            Ok(found.map_or(MethodRemoval::UnknownMethod, MethodRemoval::Removed))
        })
        .await
}
