//! The content of a mail, as values: which texts, and the facts in them.

use std::time::Duration;

use keys::EmailCode;
use store::{Timestamp, UserId, user::User};

use super::category::Category;

/// The texts of a mail, by their keys in the locale files. They may use the facts and the details of their letter, and the
/// brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The subject. It must not contain the code.
    pub subject: &'static str,
    /// The first sentence, and the preview in a list of mails.
    pub title: &'static str,
    /// The further sentences.
    pub lines: &'static [&'static str],
}

/// The recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The person.
    pub user: UserId,
    /// The address, as its owner writes it.
    pub address: String,
    /// The person's name.
    pub name: String,
    /// The language of the mail (BCP 47): for a code that of the page that requested it, so that the person can compare mail
    /// and page; for a notice that of the person's last sign-in.
    pub language: Option<String>,
}

/// A value in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name in the texts.
    pub name: &'static str,
    /// The value.
    pub value: FactValue,
}

/// The value, by the way it is formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactValue {
    /// Verbatim.
    Text(String),
    /// A clock time in the brand's zone, which is named beside it.
    Clock(Timestamp),
    /// A day in the brand's zone.
    Day(Timestamp),
    /// A length, in whole minutes.
    Length(Duration),
}

/// The content of one mail.
#[derive(Debug)]
pub struct Letter {
    /// The recipient.
    pub recipient: Recipient,
    /// Its category.
    pub category: Category,
    /// Its texts.
    pub wording: Wording,
    /// The code in it: the fact `code`.
    pub code: Option<EmailCode>,
    /// Facts that both parts of the mail must contain, whatever the sentences around them.
    pub facts: Vec<Fact>,
    /// Further values for the texts.
    pub details: Vec<Fact>,
}

impl Letter {
    /// A notice of an event at a time.
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
    /// A person, with the language of the last sign-in; `None` without a known address.
    pub(super) fn of(user: User) -> Option<Self> {
        let User { id, name, language, .. } = user;
        Some(Self { user: id, address: user.email?, name, language })
    }
}
