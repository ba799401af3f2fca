//! "You will be asked for a new password".

use serde::{Deserialize, Serialize};
use store::{Timestamp, Tx, UserId};

use super::{
    category::Category,
    letter::{Letter, Recipient, Wording},
    mail_job::{Mail, PreparedMail},
};
use crate::{Cx, Result};

/// The notice of a forced reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename = "reset_forced")]
pub struct ResetForcedMail {
    /// The person who was reset.
    pub user: UserId,
}

const WORDING: Wording = Wording {
    subject: "mail-reset-forced-subject",
    title: "mail-reset-forced-title",
    lines: &[
        "mail-reset-forced-when",
        "mail-reset-forced-ended",
        "mail-reset-forced-next",
        "mail-secret",
    ],
};

impl Mail for ResetForcedMail {
    const KIND: &'static str = "mail.reset_forced";
    const CATEGORY: Category = Category::Notice;
    const WORDINGS: &'static [Wording] = &[WORDING];

    /// It is no longer true once the person has chosen the new password.
    async fn prepare(&self, cx: &Cx, asked_at: Timestamp) -> Result<PreparedMail> {
        let user = store::user::by_id(&mut cx.db.read().await?, self.user).await?;
        let still_asked = user.filter(|user| user.password_change_required_since.is_some());
        Ok(still_asked
            .and_then(Recipient::of)
            .map(|to| Letter::notice(to, WORDING, asked_at))
            .into())
    }

    async fn user(&self, _tx: &mut Tx) -> Result<Option<UserId>> {
        Ok(Some(self.user))
    }
}
