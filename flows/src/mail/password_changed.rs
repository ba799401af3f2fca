//! "Your password was changed".

use serde::{Deserialize, Serialize};
use store::{Timestamp, Tx, UserId};

use super::{
    category::Category,
    letter::{Letter, Recipient, Wording},
    mail_job::{Mail, PreparedMail},
};
use crate::{Cx, Result};

/// The notice that a password was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename = "password_changed")]
pub struct PasswordChangedMail {
    /// The person.
    pub user: UserId,
}

const WORDING: Wording = Wording {
    subject: "mail-password-changed-subject",
    title: "mail-password-changed-title",
    lines: &[
        "mail-password-changed-you",
        "mail-password-changed-when",
        "mail-password-changed-not-you",
        "mail-secret",
    ],
};

impl Mail for PasswordChangedMail {
    const KIND: &'static str = "mail.password_changed";
    const CATEGORY: Category = Category::Notice;
    const WORDINGS: &'static [Wording] = &[WORDING];

    async fn prepare(&self, cx: &Cx, asked_at: Timestamp) -> Result<PreparedMail> {
        let user = store::user::by_id(&mut cx.db.read().await?, self.user).await?;
        Ok(user.and_then(Recipient::of).map(|to| Letter::notice(to, WORDING, asked_at)).into())
    }

    async fn user(&self, _tx: &mut Tx) -> Result<Option<UserId>> {
        Ok(Some(self.user))
    }
}
