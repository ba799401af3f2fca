//! THE list of mails. `docs/jobs.md` has it, and a test compares them.

use super::{
    category::Category,
    code::Code,
    kind::{Mail, Opened},
    letter::Wording,
    password_changed::PasswordChanged,
    reset_forced::ResetForced,
    wrong_guesses::WrongGuesses,
};
use crate::{
    Cx, Result,
    jobs::{Boxed, Claimed, End, Kind},
};

/// Every mail.
pub const CATALOGUE: [Entry; 4] = [
    Entry::of::<Code>(),
    Entry::of::<PasswordChanged>(),
    Entry::of::<ResetForced>(),
    Entry::of::<WrongGuesses>(),
];

type OpenFn = for<'a> fn(&'a Cx, &'a Claimed) -> Boxed<'a, Opened>;

/// A mail of the list.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its kind of job.
    pub kind: Kind,
    /// What it is for.
    pub category: Category,
    /// The texts that it may have.
    pub wordings: &'static [Wording],
    open: OpenFn,
}

impl Entry {
    const fn of<M: Mail>() -> Self {
        Self {
            kind: Kind::of::<M>(),
            category: M::CATEGORY,
            wordings: M::WORDINGS,
            open: |cx, claimed| Box::pin(open_as::<M>(cx, claimed)),
        }
    }
}

/// Reads what a claimed mail says, from the rows of this moment.
pub async fn open(cx: &Cx, claimed: &Claimed) -> Result<Opened> {
    match CATALOGUE.iter().find(|entry| entry.kind.name == claimed.kind().name) {
        Some(entry) => (entry.open)(cx, claimed).await,
        None => Ok(Opened::Ended(End::Unreadable)),
    }
}

async fn open_as<M: Mail>(cx: &Cx, claimed: &Claimed) -> Result<Opened> {
    match claimed.read::<M>() {
        Some(mail) => mail.open(cx, claimed.asked_at()).await,
        None => Ok(Opened::Ended(End::Unreadable)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{super::wrong_guesses::Tried, *};

    const ID: &str = "0193a5b0-0000-7000-8000-000000000001";

    #[test]
    fn mail_kind_names_are_unique() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|mail| mail.kind.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
        assert!(names.iter().all(|name| name.starts_with("mail.") && !name.contains(',')));
    }

    /// The trail has them, under these names.
    #[test]
    fn mail_payload_format_is_stable() {
        let (user, challenge) = (ID.parse().unwrap(), ID.parse().unwrap());
        let written = |mail: serde_json::Result<serde_json::Value>| mail.unwrap();
        assert_eq!(
            written(serde_json::to_value(Code { challenge })),
            json!({ "mail": "code", "challenge": ID })
        );
        assert_eq!(
            written(serde_json::to_value(PasswordChanged { user })),
            json!({ "mail": "password_changed", "user": ID })
        );
        assert_eq!(
            written(serde_json::to_value(ResetForced { user })),
            json!({ "mail": "reset_forced", "user": ID })
        );
        for (tried, text) in [(Tried::Password, "password"), (Tried::Code, "code")] {
            assert_eq!(
                written(serde_json::to_value(WrongGuesses { user: Some(user), tried })),
                json!({ "mail": "somebody_tried", "user": ID, "tried": text })
            );
        }
    }
}
