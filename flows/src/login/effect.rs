//! Effects: what the machine orders, to happen in the transaction that stores the next state. `plan` maps each effect to
//! writes.

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
    /// Deliver a code to the person. Only mailed methods need it.
    Deliver(Delivery),
    /// Use a proof up, or fail with a conflict.
    Consume(ProvenFirstStep, Proof),
    /// Give the browser that proved the second step a new cookie value, which alone owns the attempt from here on: a browser
    /// that shares the old one, because an attacker planted it, loses the attempt.
    ChangeBrowser,
    /// Store the new password.
    ChangePassword(ProvenFirstStep),
    /// Sign in.
    SignIn(SignInProof),
    /// Continue with a session that this browser already has.
    FollowSession(SessionId),
    /// Give the browser that completed the attempt new cookie values once more.
    Reissue(SessionId),
    /// Go to the goal of the attempt with the session of one of the three effects before.
    End(Goal),
}

/// How a code can be delivered to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Join or open this challenge and mail its code.
    Open(ProvenFirstStep, Challenge),
    /// Mail the same code again.
    SendAgain(Challenge),
    /// Supersede the old challenge and open a new one with a new code.
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
    /// The first step that it depends on: it happens only while that still counts, with the person's row locked.
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
