//! Why an input did not lead further, by what was posted. A page says what is its own in its own words; what belongs to
//! another step it says in one common way ([`Said`]).

use store::Timestamp;

use crate::{account::password::BadPassword, network::RateLimited};

/// Why an input did not lead further, told apart for the person and for the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Of an address and a password.
    Password(PasswordRefusal),
    /// Of a code that was typed, by whatever method it came.
    Code(CodeRefusal),
    /// Of a code that is mailed, or of its mail.
    Mail(MailRefusal),
    /// The new password is not acceptable.
    NewPassword(BadPassword),
    /// Too many posts or failures from this network; again when its window ends.
    NetworkPaused(RateLimited),
    /// What was proven no longer counts.
    StartAgain,
    /// The step posted is not the step that is due.
    OutOfTurn,
}

/// What is wrong with an address and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordRefusal {
    /// Unknown address or wrong password: the same words for both.
    Wrong,
    /// Too many wrong passwords; again at this time.
    Paused(Timestamp),
}

/// What is wrong with a typed code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    /// It is not the code; so many tries are left.
    Wrong(i64),
    /// Not six digits; so many were there.
    NotSixDigits(usize),
    /// Something other than digits.
    NotDigits,
    /// A code that was used before.
    Used,
    /// Too many wrong codes; again at this time.
    Paused(Timestamp),
}

/// What is wrong with a mailed code, or with asking for its mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailRefusal {
    /// Right but late: the same code was sent again.
    Late,
    /// Past the cap: a new code was sent.
    Expired,
    /// The code of an older mail.
    Superseded,
    /// A code that was asked for in another browser.
    OtherBrowser,
    /// All tries at this code are spent: a new one must be asked for.
    Exhausted,
    /// Sent too often; again at this time.
    SendLater(Timestamp),
}

/// What the page of a step says about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageMessage<R> {
    /// What is wrong with the post of this step.
    ThisStep(R),
    /// Posts of this network wait.
    NetworkPaused(RateLimited),
    /// Something was posted to another step than the one that is due now: in an older tab, or while another tab went on.
    OtherStep,
}

/// What the page of the mailed code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailedCodeRefusal {
    /// About the code that was typed.
    Typed(CodeRefusal),
    /// About the mail.
    Mail(MailRefusal),
}

impl Refusal {
    /// What the password page says.
    #[must_use]
    pub const fn for_password_page(self) -> PageMessage<PasswordRefusal> {
        match self {
            Self::Password(own) => PageMessage::ThisStep(own),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Code(_)
            | Self::Mail(_)
            | Self::NewPassword(_)
            | Self::StartAgain
            | Self::OutOfTurn => PageMessage::OtherStep,
        }
    }

    /// What the page of the mailed code says.
    #[must_use]
    pub const fn for_code_page(self) -> PageMessage<MailedCodeRefusal> {
        match self {
            Self::Code(own) => PageMessage::ThisStep(MailedCodeRefusal::Typed(own)),
            Self::Mail(own) => PageMessage::ThisStep(MailedCodeRefusal::Mail(own)),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Password(_) | Self::NewPassword(_) | Self::StartAgain | Self::OutOfTurn => {
                PageMessage::OtherStep
            }
        }
    }

    /// What the page of the new password says.
    #[must_use]
    pub const fn for_new_password_page(self) -> PageMessage<BadPassword> {
        match self {
            Self::NewPassword(own) => PageMessage::ThisStep(own),
            Self::NetworkPaused(rate_limited) => PageMessage::NetworkPaused(rate_limited),
            Self::Password(_)
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
