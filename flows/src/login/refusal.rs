//! Why an input was refused, by what was posted. A page has texts for its own refusals; those of another step have one
//! common text ([`PageMessage`]).

use serde::{Deserialize, Serialize};
use store::Timestamp;

use crate::{
    account::password::BadPassword, attempt::StaleReason, email::BadEmail, network::RateLimited,
};

/// Why an input was refused, in as many variants as the person and the trail need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Of an address and a password.
    Password(PasswordRefusal),
    /// Of a code that was typed, by any method.
    Code(CodeRefusal),
    /// Of a code that is mailed, or of its mail.
    Mail(MailRefusal),
    /// Of a passkey.
    Passkey(PasskeyRefusal),
    /// The new password is not acceptable.
    NewPassword(BadPassword),
    /// Too many posts or failures from this network; try again when its window ends.
    NetworkPaused(RateLimited),
    /// What was proven no longer counts.
    StartAgain,
    /// The step posted is not the step that is due.
    OutOfTurn,
}

/// What is wrong with an address and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasswordRefusal {
    /// Unknown address or wrong password: the same text for both.
    Wrong,
    /// Too many wrong passwords; try again at this time.
    Paused(Timestamp),
    /// Fields that cannot be judged as they were filled in.
    Fields {
        /// What is wrong with the address.
        email: Option<BadEmail>,
        /// Whether the password was left empty.
        no_password: bool,
    },
    /// The page that was posted had become unusable, and this is a new one.
    Stale(StaleReason),
}

/// What is wrong with a typed code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeRefusal {
    /// It is not the code; the number of tries left.
    Wrong(i64),
    /// Not six digits; the number of digits typed.
    NotSixDigits(usize),
    /// Something other than digits.
    NotDigits,
    /// A code that was used before.
    Used,
    /// Right, but of an app whose clock is off: by so many seconds ahead, or behind if negative.
    ClockOff(i64),
    /// Not as many letters and digits as a recovery code has, or one that no recovery code has; how many were typed.
    NotRecoveryCode(usize),
    /// Too many wrong codes; try again at this time.
    Paused(Timestamp),
}

/// What is wrong with a mailed code, or with requesting its mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailRefusal {
    /// Right but late: the same code was sent again.
    Late,
    /// Past the cap: a new code was sent.
    Expired,
    /// The code of an older mail.
    Superseded,
    /// A code that was requested in another browser.
    OtherBrowser,
    /// All tries at this code are spent: a new one must be requested.
    Exhausted,
    /// Sent too often; try again at this time.
    SendLater(Timestamp),
}

/// Why a passkey is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasskeyRefusal {
    /// Its ceremony is over, or was answered before.
    Over,
    /// No account has it.
    Unknown,
    /// It is of another account than the password.
    OtherAccount,
    /// Its authenticator did not verify the person.
    NotVerified,
    /// There may be a copy of it.
    Suspicious,
    /// It could not be verified.
    Invalid,
}

/// What the page of a step shows about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageMessage<R> {
    /// What is wrong with the post of this step.
    ThisStep(R),
    /// Posts from this network must wait.
    NetworkPaused(RateLimited),
    /// Something was posted to another step than the one that is due now: in an older tab, or while another tab continued.
    OtherStep,
}

/// A refusal on the page of the mailed code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailedCodeRefusal {
    /// About the code that was typed.
    Typed(CodeRefusal),
    /// About the mail.
    Mail(MailRefusal),
}

impl Refusal {
    /// The message on the password page.
    #[must_use]
    pub const fn for_password_page(self) -> PageMessage<PasswordRefusal> {
        match self {
            Self::Password(own) => PageMessage::ThisStep(own),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Passkey(_)
            | Self::Code(_)
            | Self::Mail(_)
            | Self::NewPassword(_)
            | Self::StartAgain
            | Self::OutOfTurn => PageMessage::OtherStep,
        }
    }

    /// The message on the page of the mailed code.
    #[must_use]
    pub const fn for_code_page(self) -> PageMessage<MailedCodeRefusal> {
        match self {
            Self::Code(own) => PageMessage::ThisStep(MailedCodeRefusal::Typed(own)),
            Self::Mail(own) => PageMessage::ThisStep(MailedCodeRefusal::Mail(own)),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Password(_)
            | Self::Passkey(_)
            | Self::NewPassword(_)
            | Self::StartAgain
            | Self::OutOfTurn => PageMessage::OtherStep,
        }
    }

    /// The message on the page of a code that the person holds.
    #[must_use]
    pub const fn for_held_code_page(self) -> PageMessage<CodeRefusal> {
        match self {
            Self::Code(own) => PageMessage::ThisStep(own),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Password(_)
            | Self::Passkey(_)
            | Self::Mail(_)
            | Self::NewPassword(_)
            | Self::StartAgain
            | Self::OutOfTurn => PageMessage::OtherStep,
        }
    }

    /// The message on the page of the second step by a passkey.
    #[must_use]
    pub const fn for_passkey_page(self) -> PageMessage<PasskeyRefusal> {
        match self {
            Self::Passkey(own) => PageMessage::ThisStep(own),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Password(_)
            | Self::Code(_)
            | Self::Mail(_)
            | Self::NewPassword(_)
            | Self::StartAgain
            | Self::OutOfTurn => PageMessage::OtherStep,
        }
    }

    /// The message on the page of the new password.
    #[must_use]
    pub const fn for_new_password_page(self) -> PageMessage<BadPassword> {
        match self {
            Self::NewPassword(own) => PageMessage::ThisStep(own),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Password(_)
            | Self::Passkey(_)
            | Self::Code(_)
            | Self::Mail(_)
            | Self::StartAgain
            | Self::OutOfTurn => PageMessage::OtherStep,
        }
    }
}

impl From<PasswordRefusal> for Refusal {
    fn from(refusal: PasswordRefusal) -> Self {
        Self::Password(refusal)
    }
}

impl From<CodeRefusal> for Refusal {
    fn from(refusal: CodeRefusal) -> Self {
        Self::Code(refusal)
    }
}

impl From<PasskeyRefusal> for Refusal {
    fn from(refusal: PasskeyRefusal) -> Self {
        Self::Passkey(refusal)
    }
}

impl From<MailRefusal> for Refusal {
    fn from(refusal: MailRefusal) -> Self {
        Self::Mail(refusal)
    }
}

impl From<BadPassword> for Refusal {
    fn from(refusal: BadPassword) -> Self {
        Self::NewPassword(refusal)
    }
}
