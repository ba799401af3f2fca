//! What a mail says, as values: which texts, and the facts that they name.

use keys::EmailCode;
use store::{Timestamp, UserId, user::User};

use super::category::Category;

/// The texts of a mail, by their keys in the locale files. They may name the facts and the details of their letter, and the
/// brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The subject. It must not have the code.
    pub subject: &'static str,
    /// The first sentence, and what lists of mails show beside the subject.
    pub title: &'static str,
    /// The further sentences.
    pub lines: &'static [&'static str],
}

/// The recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The person.
    pub user: UserId,
    /// Where it is mailed to, as its owner writes it.
    pub address: String,
    /// The person's name.
    pub name: String,
    /// The language that it is written in (BCP 47): a code's is that of the page that asked for it, so that mail and page
    /// can be held against each other; a notice's is the one in which the person last signed in.
    pub language: Option<String>,
}

/// A value that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name in the texts.
    pub name: &'static str,
    /// The value.
    pub value: FactValue,
}

/// What kind of value it is, and so how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactValue {
    /// As it is.
    Text(String),
    /// A clock time in the brand's zone.
    Clock(Timestamp),
    /// A day in the brand's zone.
    Day(Timestamp),
}

/// What one mail says.
#[derive(Debug)]
pub struct Letter {
    /// Where it goes.
    pub recipient: Recipient,
    /// What it is for.
    pub category: Category,
    /// Its texts.
    pub wording: Wording,
    /// The code that it brings: the fact `code`.
    pub code: Option<EmailCode>,
    /// What both parts of the mail must say, whatever the sentences around it are.
    pub facts: Vec<Fact>,
    /// What the texts may name besides.
    pub details: Vec<Fact>,
}

impl Letter {
    /// A notice of what happened at a time.
    #[must_use]
    pub fn notice(recipient: Recipient, wording: Wording, happened_at: Timestamp) -> Self {
        let day = Fact { name: "day", value: FactValue::Day(happened_at) };
        let time = Fact { name: "time", value: FactValue::Clock(happened_at) };
        Self {
            recipient,
            category: Category::Notice,
            wording,
            code: None,
            facts: vec![day, time],
            details: Vec::new(),
        }
    }
}

impl Recipient {
    /// A person, in the language of the last sign-in; nothing when no address is known.
    pub(super) fn of(user: User) -> Option<Self> {
        let User { id, name, language, .. } = user;
        Some(Self { user: id, address: user.email?, name, language })
    }
}
