//! "How you sign in was changed": the notice of every change of the methods of the second step.

use serde::{Deserialize, Serialize};
use store::{Timestamp, Tx, UserId};

use super::{
    category::Category,
    letter::{Fact, FactValue, Letter, Recipient, Wording},
    mail_job::{Mail, PreparedMail},
};
use crate::{Cx, Result};

/// The notice of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename = "method_changed")]
pub(crate) struct MethodChangedMail {
    /// The person.
    pub(crate) user: UserId,
    /// What was changed.
    pub(crate) change: MethodChange,
    /// Browser and system, `Firefox/Windows`, if they are known ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_with: Option<String>,
    /// Whether staff did it, on request.
    #[serde(default)]
    pub(crate) by_staff: bool,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MethodChange {
    /// An authenticator app was added.
    AppAdded,
    /// An authenticator app was removed, and the person has another one.
    AppRemoved,
    /// The last authenticator app was removed: recovery codes are void, and codes by e-mail are asked for again.
    LastAppRemoved,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed, and the person has another method.
    PasskeyRemoved,
    /// The last method was removed, a passkey: recovery codes are void, and codes by e-mail are asked for again.
    LastPasskeyRemoved,
    /// A new list of recovery codes was made.
    RecoveryCodesMade,
    /// A recovery code was used; so many are left.
    RecoveryCodeUsed(i64),
    /// The person wants no codes by e-mail.
    EmailCodesOff,
    /// The person wants codes by e-mail again.
    EmailCodesOn,
}

/// The texts of a change, between those that all of them have.
macro_rules! wording {
    ($title:literal, $line:literal) => {
        Wording {
            subject: "mail-method-subject",
            title: $title,
            lines: &[
                "mail-method-when",
                $line,
                "mail-method-you",
                "mail-method-not-you",
                "mail-secret",
            ],
        }
    };
}

impl MethodChange {
    const fn wording(self) -> Wording {
        match self {
            Self::AppAdded => wording!("mail-method-app-added-title", "mail-method-app-added"),
            Self::AppRemoved => {
                wording!("mail-method-app-removed-title", "mail-method-app-removed")
            }
            Self::LastAppRemoved => {
                wording!("mail-method-last-app-removed-title", "mail-method-last-app-removed")
            }
            Self::PasskeyAdded => {
                wording!("mail-method-passkey-added-title", "mail-method-passkey-added")
            }
            Self::PasskeyRemoved => {
                wording!("mail-method-passkey-removed-title", "mail-method-passkey-removed")
            }
            Self::LastPasskeyRemoved => {
                wording!(
                    "mail-method-last-passkey-removed-title",
                    "mail-method-last-passkey-removed"
                )
            }
            Self::RecoveryCodesMade => {
                wording!("mail-method-codes-made-title", "mail-method-codes-made")
            }
            Self::RecoveryCodeUsed(_) => {
                wording!("mail-method-code-used-title", "mail-method-code-used")
            }
            Self::EmailCodesOff => wording!("mail-method-email-off-title", "mail-method-email-off"),
            Self::EmailCodesOn => wording!("mail-method-email-on-title", "mail-method-email-on"),
        }
    }
}

impl Mail for MethodChangedMail {
    const KIND: &'static str = "mail.method_changed";
    const CATEGORY: Category = Category::Notice;
    const WORDINGS: &'static [Wording] = &[
        MethodChange::AppAdded.wording(),
        MethodChange::AppRemoved.wording(),
        MethodChange::LastAppRemoved.wording(),
        MethodChange::RecoveryCodesMade.wording(),
        MethodChange::RecoveryCodeUsed(0).wording(),
        MethodChange::EmailCodesOff.wording(),
        MethodChange::EmailCodesOn.wording(),
        MethodChange::PasskeyAdded.wording(),
        MethodChange::PasskeyRemoved.wording(),
        MethodChange::LastPasskeyRemoved.wording(),
    ];

    async fn prepare(&self, cx: &Cx, asked_at: Timestamp) -> Result<PreparedMail> {
        let user = store::user::by_id(&mut cx.db.read().await?, self.user).await?;
        let letter = user.and_then(Recipient::of).map(|to| {
            let notice = Letter::notice(to, self.change.wording(), asked_at);
            Letter { details: self.details(), ..notice }
        });
        Ok(letter.into())
    }

    async fn user(&self, _tx: &mut Tx) -> Result<Option<UserId>> {
        Ok(Some(self.user))
    }
}

impl MethodChangedMail {
    /// The details of its texts. In the place of the browser: `staff`, or `none` for an unknown one.
    fn details(&self) -> Vec<Fact> {
        let text = |name, value: &str| Fact { name, value: FactValue::Text(value.to_owned()) };
        let made_with = self.made_with.as_deref().and_then(|with| with.split_once('/'));
        let unknown = if self.by_staff { ("staff", "none") } else { ("none", "none") };
        let (browser, system) = made_with.unwrap_or(unknown);
        let left = match self.change {
            MethodChange::RecoveryCodeUsed(left) => left,
            _ => 0,
        };
        vec![text("browser", browser), text("system", system), text("left", &left.to_string())]
    }
}
