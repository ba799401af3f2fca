//! Forcing a reset (decision 6): everything older is invalid from the next request on, and the next sign-in requires a
//! change of password.

use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
    email::EmailAddress,
    jobs,
    mail::ResetForcedMail,
    session::{self, EndReason, SessionSelector},
};

/// Forces a reset, which voids the person's recovery codes unless they are kept; returns the new epoch, or `None` when there
/// is no such person.
pub async fn force(
    cx: &Cx,
    authority: &ChangeAuthority,
    email: &EmailAddress,
    keeps_recovery_codes: bool,
) -> Result<Option<i64>> {
    cx.db
        .write(async |tx| {
            let Some(user) = store::user::by_email(tx, email.canonical()).await? else {
                return Ok(None);
            };
            let epoch = store::user::force_reset(tx, user.id, cx.now).await?;
            // All of it is already invalid because of its epoch. What follows from the end of a session, and the time from
            // which an invalid grant is swept, need the end itself.
            session::end(cx, tx, SessionSelector::AllOfUser(user.id), EndReason::Reset).await?;
            store::grant::end_offline(tx, user.id, cx.now).await?;
            if !keeps_recovery_codes {
                store::recovery_code::delete_all_of_user(tx, user.id).await?;
            }
            let entry =
                audit::AuditEntry::done(event::ResetForced { epoch }).user(user.id).by(authority);
            audit::record(cx, tx, entry).await?;
            jobs::insert(cx, tx, ResetForcedMail { user: user.id }, None).await?;
            Ok(epoch)
        })
        .await
}
