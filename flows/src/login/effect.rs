//! What the machine asks for, to happen in the transaction that stores the next state. `plan` says what each effect does
//! to which row.

use store::SessionId;

use super::{
    goal::Goal,
    machine::SignInProof,
    method::{Challenge, Proof},
    state::ProvenFirstStep,
};

/// What must happen.
#[derive(Debug)]
pub enum Effect {
    /// Bring a code to the person. Mailed methods alone ask for it: what is held needs none.
    Deliver(Delivery),
    /// Use a proof up, or lose.
    Consume(ProvenFirstStep, Proof),
    /// Give the browser that proved the second step a new value, which alone owns the attempt from here on: a browser that
    /// shares the old one, because an attacker planted it, is left behind.
    ChangeBrowser,
    /// Store the new password.
    ChangePassword(ProvenFirstStep),
    /// Sign in.
    SignIn(SignInProof),
    /// Go on by a session that this browser already has.
    FollowSession(SessionId),
    /// Give the browser that completed it new values once more.
    Reissue(SessionId),
    /// Go to the attempt's end by the session that one of the three before has given.
    End(Goal),
}

/// What can be done to bring a code to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Join or open this challenge and mail its code.
    Open(ProvenFirstStep, Challenge),
    /// Mail the same code again.
    SendAgain(Challenge),
    /// Put the old challenge aside and open a new one with a new code.
    Replace {
        /// The first step.
        first: ProvenFirstStep,
        /// The one that can no longer be answered.
        old: Challenge,
        /// Its successor.
        new: Challenge,
    },
}

impl Effect {
    /// The first step that it rests on: it happens only while that still counts, with the person's row locked.
    pub(super) const fn rests_on(&self) -> Option<ProvenFirstStep> {
        match self {
            Self::Consume(first, _) | Self::ChangePassword(first) => Some(*first),
            Self::SignIn(complete) => Some(complete.first()),
            Self::Deliver(_)
            | Self::ChangeBrowser
            | Self::FollowSession(_)
            | Self::Reissue(_)
            | Self::End(_) => None,
        }
    }
}
