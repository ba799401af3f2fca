//! Whether a code by e-mail is one of the second steps of an account.

use store::second_steps::{self, SecondSteps};

use super::{access::AccountAccess, methods::tell};
use crate::{
    Cx, Result,
    attempt::BrowserContext,
    audit::{self, AuditEntry, event},
    mail::MethodChange,
};

/// The result of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailCodesChange {
    /// It is as the person wants it.
    Done,
    /// Both steps must be proven again first.
    SignInFirst,
    /// Without codes by e-mail, a lost phone would lock the person out: recovery codes or a second method are needed first.
    NeedsAnotherWay,
}

/// Whether the person may do without codes by e-mail.
#[must_use]
pub fn can_be_left_out(steps: &SecondSteps) -> bool {
    let methods = steps.totp_apps.saturating_add(steps.passkeys);
    methods >= 2 || methods == 1 && steps.recovery_codes > 0
}

/// Asks for codes by e-mail, or no longer.
pub async fn set(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    wanted: bool,
) -> Result<EmailCodesChange> {
    cx.db
        .write(async |tx| {
            let Some(steps) = access.lock_if_fresh(cx, tx, browser_context).await? else {
                return Ok(EmailCodesChange::SignInFirst);
            };
            if !wanted && !can_be_left_out(&steps) {
                return Ok(EmailCodesChange::NeedsAnotherWay);
            }
            let is_wanted = steps.email_codes_off_since.is_none();
            if is_wanted == wanted {
                return Ok(EmailCodesChange::Done);
            }
            access.record_change(cx, tx).await?;
            let user = access.person.user.id;
            second_steps::set_email_codes(tx, user, (!wanted).then_some(cx.now)).await?;
            let changed = event::UserChanged { changed: vec!["email_codes".to_owned()] };
            audit::record(cx, tx, AuditEntry::done(changed).user(user)).await?;
            let change =
                if wanted { MethodChange::EmailCodesOn } else { MethodChange::EmailCodesOff };
            let made_with = browser_context.requester.user_agent.as_deref();
            tell(cx, tx, user, (change, made_with)).await?;
            Ok(EmailCodesChange::Done)
        })
        .await
}
