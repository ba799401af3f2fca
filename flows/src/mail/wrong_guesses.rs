//! The notice of sign-in attempts: so many passwords or codes were wrong, or so many codes were not used, that new
//! browsers now wait.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{
    Timestamp, Tx, UserId,
    throttle::{self, Quota, ThrottleKind},
};

use super::{
    category::Category,
    letter::{Letter, Recipient, Wording},
    mail_job::{Mail, PreparedMail},
};
use crate::{
    Cx, Result,
    jobs::{self, JobResult},
};

/// The notice that there were too many wrong guesses at a person's password or code. Inserted also for an address without an
/// account, so that both cost the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename = "somebody_tried")]
pub(crate) struct WrongGuessesMail {
    /// The person; none if no account has the address.
    pub(crate) user: Option<UserId>,
    /// What was guessed.
    pub(crate) tried: GuessKind,
}

/// What was guessed, or asked for, so often that new browsers now wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GuessKind {
    /// Passwords.
    Password,
    /// Codes, after the right password.
    Code,
    /// Nothing: codes were asked for with the right password, and not used.
    UnusedCodes,
}

const PASSWORDS: Wording = Wording {
    subject: "mail-tried-password-subject",
    title: "mail-tried-password-title",
    lines: &["mail-tried-you", "mail-tried-password-when", "mail-tried-own", "mail-secret"],
};

const CODES: Wording = Wording {
    subject: "mail-tried-code-subject",
    title: "mail-tried-code-title",
    lines: &[
        "mail-tried-you",
        "mail-tried-code-when",
        "mail-tried-code-change",
        "mail-tried-own",
        "mail-secret",
    ],
};

const UNUSED_CODES: Wording = Wording {
    subject: "mail-unused-codes-subject",
    title: "mail-unused-codes-title",
    lines: &[
        "mail-tried-you",
        "mail-unused-codes-when",
        "mail-tried-code-change",
        "mail-unused-codes-own",
        "mail-secret",
    ],
};

impl Mail for WrongGuessesMail {
    const KIND: &'static str = "mail.wrong_guesses";
    const CATEGORY: Category = Category::Notice;
    const WORDINGS: &'static [Wording] = &[PASSWORDS, CODES, UNUSED_CODES];

    async fn prepare(&self, cx: &Cx, asked_at: Timestamp) -> Result<PreparedMail> {
        let Some(id) = self.user else { return Ok(PreparedMail::Ended(JobResult::NotNeeded)) };
        let user = store::user::by_id(&mut cx.db.read().await?, id).await?;
        let wording = match self.tried {
            GuessKind::Password => PASSWORDS,
            GuessKind::Code => CODES,
            GuessKind::UnusedCodes => UNUSED_CODES,
        };
        Ok(user.and_then(Recipient::of).map(|to| Letter::notice(to, wording, asked_at)).into())
    }

    async fn user(&self, _tx: &mut Tx) -> Result<Option<UserId>> {
        Ok(self.user)
    }
}

/// Requests the notice, unless the address had one of this kind in the last 24 hours. Those about passwords, and those
/// that an attacker has the right one, are counted separately: wrong passwords, which any attacker can send, must not
/// suppress the others.
pub(crate) async fn warn_once_a_day(
    cx: &Cx,
    tx: &mut Tx,
    notice: WrongGuessesMail,
    canonical: &str,
    client: Option<&str>,
) -> Result<()> {
    let kind = match notice.tried {
        GuessKind::Password => ThrottleKind::PasswordNotice,
        GuessKind::Code | GuessKind::UnusedCodes => ThrottleKind::CodeNotice,
    };
    let once = Quota { kind, limit: 1, window: Duration::from_hours(24) };
    if throttle::charge_quota(tx, &cx.root.counter_key(canonical), once, cx.now).await? {
        jobs::insert(cx, tx, notice, client).await?;
    }
    Ok(())
}
