//! Letters to compose in tests: one person, one reference, 9:41 in the morning of 24 November 2026 in Auckland.

use std::time::Duration;

use flows::mail::{CATALOGUE, Category, CodeToSend, Fact, FactValue, Letter, Recipient, Wording};
use keys::{RootKey, RootKeys};
use store::email_challenge::{ChallengePurpose, EmailChallenge};
use store::{ChallengeId, Timestamp, TokenHash, UserId};

use super::ComposedMail;
use super::compose::{ComposeError, SendAttempt};
use super::context::MailContext;
use super::smtp::Sender;
use crate::brand::{Brand, brand_config};
use crate::config::Issuer;

pub(crate) const NAME: &str = "Te Kāhui O'Neill-Ngāta";
pub(crate) const ADDRESS: &str = "Kahui@patient.example";

/// What a [`MailContext`] borrows.
pub(crate) struct MailFixture {
    pub(crate) brand: Brand,
    pub(crate) issuer: Issuer,
    pub(crate) sender: Sender,
}

impl MailFixture {
    pub(crate) fn new() -> Self {
        Self {
            brand: Brand::load(brand_config()),
            issuer: Issuer::parse("https://login.example.org").unwrap(),
            sender: Sender { address: "codes@login.example.org".parse().unwrap(), name: None },
        }
    }

    pub(crate) fn context(&self) -> MailContext<'_> {
        MailContext { brand: &self.brand, issuer: &self.issuer, sender: &self.sender }
    }

    pub(crate) fn compose(&self, letter: &Letter) -> Result<ComposedMail, ComposeError> {
        self.context().compose(letter, attempt())
    }
}

pub(crate) fn now() -> Timestamp {
    let now: jiff::Timestamp = "2026-11-23T20:41:07.250Z".parse().unwrap();
    Timestamp::from_millis(now.as_millisecond())
}

pub(crate) fn attempt() -> SendAttempt {
    let job = "0193a5b0-1111-7000-8000-000000000001".parse().unwrap();
    SendAttempt { job, tries: 2, now: now() }
}

pub(crate) fn root() -> RootKeys {
    RootKeys::new(&[RootKey::parse("test", &[7; 32]).unwrap()]).unwrap()
}

/// An open challenge that was requested now.
pub(crate) fn challenge(user_id: UserId, address: &str, now: Timestamp) -> EmailChallenge {
    EmailChallenge {
        id: ChallengeId::new(now, [3; 10]),
        user_id,
        browser: TokenHash::from_bytes([4; 32]),
        purpose: ChallengePurpose::SignIn.as_str().to_owned(),
        epoch: 0,
        address: address.to_owned(),
        key_id: "test".to_owned(),
        nonce: vec![5; 16],
        reference: "KOWHAI-27".to_owned(),
        first_issued_at: now,
        last_requested_at: now,
        last_accepted_at: None,
        sends: 1,
        tries: 0,
        tried: String::new(),
        completed_at: None,
        superseded_at: None,
        refused_at: None,
        language: None,
        asked_with: None,
    }
}

/// The letter with a code, and its digits.
pub(crate) fn code(name: &str, address: &str) -> (Letter, String) {
    code_of(challenge(UserId::new(now(), [2; 10]), address, now()), name)
}

fn code_of(challenge: EmailChallenge, name: &str) -> (Letter, String) {
    let code = root()
        .email_code(&challenge.key_id, challenge.id, &challenge.nonce, &challenge.address)
        .unwrap();
    let (digits, now) = (code.reveal().to_owned(), now());
    let until = now.plus(Duration::from_mins(15));
    (CodeToSend { challenge, code, until, name: name.to_owned(), now }.into(), digits)
}

fn recipient() -> Recipient {
    Recipient {
        user: UserId::new(now(), [2; 10]),
        address: ADDRESS.to_owned(),
        name: NAME.to_owned(),
        language: None,
    }
}

/// A letter for each wording of each mail of the catalogue, with a name.
pub(crate) fn mail_contents() -> Vec<(String, Letter)> {
    let wordings = CATALOGUE.iter().flat_map(|mail| {
        mail.wordings.iter().zip(1..).map(move |(wording, nth)| (mail, wording, nth))
    });
    wordings
        .map(|(mail, wording, nth)| {
            let letter = match mail.category {
                Category::Code => code_with(wording),
                Category::Notice => {
                    let notice = Letter::notice(recipient(), *wording, now());
                    Letter { details: details(), ..notice }
                }
            };
            (format!("{}-{nth}", mail.kind.name), letter)
        })
        .collect()
}

/// The details that a notice may have.
fn details() -> Vec<Fact> {
    let text = |name, value: &str| Fact { name, value: FactValue::Text(value.to_owned()) };
    vec![text("browser", "Firefox"), text("system", "Windows"), text("left", "8")]
}

/// The letter with a code that has this wording.
fn code_with(wording: &Wording) -> Letter {
    let asked_with = [None, Some("Firefox/Windows".to_owned())];
    let letter = |asked_with| {
        let plain = challenge(UserId::new(now(), [2; 10]), ADDRESS, now());
        code_of(EmailChallenge { asked_with, ..plain }, NAME).0
    };
    asked_with.map(letter).into_iter().find(|letter| letter.wording == *wording).unwrap()
}
