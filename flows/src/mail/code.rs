//! The mail with the code of a challenge. The code is derived when the mail is sent.

use keys::EmailCode;
use serde::{Deserialize, Serialize};
use store::{
    ChallengeId, Timestamp, Tx, UserId,
    email_challenge::{ChallengeWithUser, EmailChallenge},
};

use super::{
    category::Category,
    letter::{Fact, FactValue, Letter, Recipient, Wording},
    mail_job::{Mail, PreparedMail},
};
use crate::{
    Cx, Result,
    audit::{self, event},
    jobs::CompletedJob,
    login::code_window::{self, CodeValidity},
};

/// The mail with the code of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename = "code")]
pub struct CodeMail {
    /// The challenge.
    pub challenge: ChallengeId,
}

/// For a request from a known browser and system.
const WITH_BROWSER: Wording = Wording {
    subject: "mail-code-subject",
    title: "mail-code-title",
    lines: &[
        "mail-code-reference",
        "mail-code-until",
        "mail-code-asked",
        "mail-code-secret",
        "mail-code-not-you",
    ],
};

/// For a request without a known browser and system.
const WITHOUT_BROWSER: Wording = Wording {
    lines: &[
        "mail-code-reference",
        "mail-code-until",
        "mail-code-asked-somewhere",
        "mail-code-secret",
        "mail-code-not-you",
    ],
    ..WITH_BROWSER
};

impl Mail for CodeMail {
    const KIND: &'static str = "mail.code";
    const CATEGORY: Category = Category::Code;
    const WORDINGS: &'static [Wording] = &[WITH_BROWSER, WITHOUT_BROWSER];

    /// It is no longer worth sending when its challenge was used, was superseded, had too many wrong guesses or is past its
    /// cap, or when its person was reset since, is not active or no longer has an address.
    async fn prepare(&self, cx: &Cx, _asked_at: Timestamp) -> Result<PreparedMail> {
        let mut conn = cx.db.read().await?;
        let found = store::email_challenge::by_id_with_user(&mut conn, self.challenge).await?;
        drop(conn);
        let Some(ChallengeWithUser { challenge, person }) = found else { return Ok(None.into()) };
        let user = person.user;
        let dead = !challenge.is_open()
            || challenge.epoch != user.epoch
            || !user.is_active()
            || user.email.is_none()
            || challenge.tries >= cx.settings.code_tries
            || code_window::validity(cx, &challenge) == CodeValidity::Expired;
        if dead {
            return Ok(None.into());
        }
        let code = code_window::derive_code(cx, &challenge)?;
        let until = cx.now.plus(cx.settings.code_window).min(code_window::cap(cx, &challenge));
        let letter = CodeToSend { challenge, code, until, name: user.name, now: cx.now };
        Ok(Some(letter.into()).into())
    }

    async fn user(&self, tx: &mut Tx) -> Result<Option<UserId>> {
        let challenge = store::email_challenge::by_id(tx, self.challenge).await?;
        Ok(challenge.map(|challenge| challenge.user_id))
    }

    /// The window of the code starts now.
    async fn on_sent(&self, cx: &Cx, tx: &mut Tx, done: &CompletedJob<'_>) -> Result<()> {
        let accepted = store::email_challenge::record_accepted(tx, self.challenge, cx.now).await?;
        let Some(accepted) = accepted.filter(|_| done.is_first) else { return Ok(()) };
        let taken = event::CodeAccepted {
            challenge: self.challenge,
            reference: accepted.reference,
            r#try: done.tries,
            message_id: done.receipt["message_id"].clone(),
            reply: done.receipt["reply"].clone(),
        };
        let entry = audit::AuditEntry::done(taken)
            .elapsed(cx.now.since(done.requested_at))
            .user(accepted.user_id)
            .origin(done.origin.cloned());
        audit::record(cx, tx, entry).await
    }

    async fn on_failed(&self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        Ok(store::email_challenge::record_refused(tx, self.challenge, cx.now).await?)
    }
}

/// The content of a mail with a code.
#[derive(Debug)]
pub struct CodeToSend {
    /// The challenge.
    pub challenge: EmailChallenge,
    /// Its code.
    pub code: EmailCode,
    /// When the code expires if the mail server accepts the mail now.
    pub until: Timestamp,
    /// The person's name.
    pub name: String,
    /// The time of this try.
    pub now: Timestamp,
}

impl From<CodeToSend> for Letter {
    fn from(CodeToSend { challenge, code, until, name, now }: CodeToSend) -> Self {
        let text = |name, text: &str| Fact { name, value: FactValue::Text(text.to_owned()) };
        let clock = |name, at| Fact { name, value: FactValue::Clock(at) };
        let with = challenge.asked_with.as_deref().and_then(|with| with.split_once('/'));
        let length = Fact { name: "length", value: FactValue::Length(until.since(now)) };
        let mut details = vec![clock("time", now), clock("asked", challenge.last_requested_at)];
        if let Some((browser, system)) = with {
            details.extend([text("browser", browser), text("system", system)]);
        }
        Self {
            category: Category::Code,
            wording: if with.is_some() { WITH_BROWSER } else { WITHOUT_BROWSER },
            code: Some(code),
            facts: vec![text("reference", &challenge.reference), clock("until", until), length],
            details,
            recipient: Recipient {
                user: challenge.user_id,
                address: challenge.address,
                name,
                language: challenge.language,
            },
        }
    }
}
