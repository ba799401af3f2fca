//! Removing a second step of a person, on request of staff. Staff never add one: that would be a way into the account.

use store::TotpAppId;

use crate::{
    Cx, Result,
    account::authenticator_apps::{self, RemovedApp, Remover},
    change_authority::ChangeAuthority,
    email::EmailAddress,
};

/// The result of removing a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodRemoval {
    /// It was removed: its name.
    Removed(RemovedApp),
    /// The person has no method of this id.
    UnknownMethod,
    /// There is no such person.
    UnknownUser,
}

/// Removes an authenticator app of a person, who is told by mail. With the last one the recovery codes are void.
pub async fn remove(
    cx: &Cx,
    authority: &ChangeAuthority,
    email: &EmailAddress,
    id: TotpAppId,
) -> Result<MethodRemoval> {
    cx.db
        .write(async |tx| {
            let Some(user) = store::user::by_email(tx, email.canonical()).await? else {
                return Ok(MethodRemoval::UnknownUser);
            };
            let removed =
                authenticator_apps::remove_row(cx, tx, (user.id, id), Remover::Staff(authority))
                    .await?;
            Ok(removed.map_or(MethodRemoval::UnknownMethod, MethodRemoval::Removed))
        })
        .await
}
