//! The one list of mails. `docs/jobs.md` has it, and a test compares them.

use super::{
    category::Category,
    code::CodeMail,
    letter::Wording,
    mail_job::{Mail, PreparedMail},
    method_changed::MethodChangedMail,
    password_changed::PasswordChangedMail,
    reset_forced::ResetForcedMail,
    wrong_guesses::WrongGuessesMail,
};
use crate::{
    Cx, Result,
    jobs::{BoxFuture, ClaimedJob, JobKind, JobResult},
};

/// Every mail.
pub const CATALOGUE: [CatalogueEntry; 5] = [
    CatalogueEntry::of::<CodeMail>(),
    CatalogueEntry::of::<MethodChangedMail>(),
    CatalogueEntry::of::<PasswordChangedMail>(),
    CatalogueEntry::of::<ResetForcedMail>(),
    CatalogueEntry::of::<WrongGuessesMail>(),
];

type PrepareFn = for<'a> fn(&'a Cx, &'a ClaimedJob) -> BoxFuture<'a, PreparedMail>;

/// A mail of the list.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// Its kind of job.
    pub kind: JobKind,
    /// Its category.
    pub category: Category,
    /// The texts that it may have.
    pub wordings: &'static [Wording],
    prepare: PrepareFn,
}

impl CatalogueEntry {
    const fn of<M: Mail>() -> Self {
        Self {
            kind: JobKind::of::<M>(),
            category: M::CATEGORY,
            wordings: M::WORDINGS,
            prepare: |cx, claimed| Box::pin(prepare_as::<M>(cx, claimed)),
        }
    }
}

/// Prepares the content of a claimed mail from the current rows.
pub async fn prepare(cx: &Cx, claimed: &ClaimedJob) -> Result<PreparedMail> {
    match CATALOGUE.iter().find(|entry| entry.kind.name == claimed.kind().name) {
        Some(entry) => (entry.prepare)(cx, claimed).await,
        None => Ok(PreparedMail::Ended(JobResult::Unreadable)),
    }
}

async fn prepare_as<M: Mail>(cx: &Cx, claimed: &ClaimedJob) -> Result<PreparedMail> {
    match claimed.read::<M>() {
        Some(mail) => mail.prepare(cx, claimed.requested_at()).await,
        None => Ok(PreparedMail::Ended(JobResult::Unreadable)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{super::wrong_guesses::GuessKind, *};

    const ID: &str = "0193a5b0-0000-7000-8000-000000000001";

    #[test]
    fn mail_kind_names_are_unique() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|mail| mail.kind.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        assert!(names.iter().all(|name| name.starts_with("mail.") && !name.contains(',')));
    }

    /// The trail has these names.
    #[test]
    fn mail_payload_format_is_stable() {
        let (user, challenge) = (ID.parse().unwrap(), ID.parse().unwrap());
        let written = |mail: serde_json::Result<serde_json::Value>| mail.unwrap();
        assert_eq!(
            written(serde_json::to_value(CodeMail { challenge })),
            json!({ "mail": "code", "challenge": ID })
        );
        assert_eq!(
            written(serde_json::to_value(PasswordChangedMail { user })),
            json!({ "mail": "password_changed", "user": ID })
        );
        assert_eq!(
            written(serde_json::to_value(ResetForcedMail { user })),
            json!({ "mail": "reset_forced", "user": ID })
        );
        for (tried, text) in [(GuessKind::Password, "password"), (GuessKind::Code, "code")] {
            assert_eq!(
                written(serde_json::to_value(WrongGuessesMail { user: Some(user), tried })),
                json!({ "mail": "somebody_tried", "user": ID, "tried": text })
            );
        }
    }
}
