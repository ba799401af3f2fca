//! The state of an attempt, and what is proven in it. Stored as JSON: a value that a build cannot read means "start again".

use serde::{Deserialize, Serialize};
use store::{SessionId, UserId, sign_in::FirstMethod};
use uuid::Uuid;

use super::method::{Challenge, HeldMethod, Proof};

/// The state of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Nothing is proven, and no person is identified.
    Password,
    /// The first step is proven; the second is awaited.
    Second(PendingSecondStep),
    /// Both steps are proven, and a forced reset requires a new password first.
    NewPassword(PendingNewPassword),
    /// Both steps are proven, and the attempt has ended. Kept so that a repeated post leads to the same goal.
    Complete(CompletedAttempt),
    /// The person cancelled.
    Cancelled,
}

/// The first step, proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProvenFirstStep {
    /// The person: fixed from here on.
    pub user: UserId,
    /// The person's epoch when it was proven.
    pub epoch: i64,
    /// The proof.
    pub step: FirstStep,
}

/// What proved the first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FirstStep {
    /// A password.
    Password {
        /// The version of the password that was proven.
        version: i64,
    },
    /// A passkey that verified the person, and so proved the second step as well.
    PasskeyUv {
        /// Its row.
        credential: Uuid,
    },
}

impl FirstStep {
    /// Its name in `sign_ins.first`.
    pub(crate) const fn first_method(self) -> FirstMethod {
        match self {
            Self::Password { .. } => FirstMethod::Password,
            Self::PasskeyUv { .. } => FirstMethod::PasskeyUv,
        }
    }
}

/// Waiting for the second step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PendingSecondStep {
    /// The first step.
    pub first: ProvenFirstStep,
    /// What is awaited.
    pub waiting: AwaitedProof,
}

/// What is awaited for the second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AwaitedProof {
    /// The code of this challenge.
    Mailed(Challenge),
    /// Any proof of this method.
    Held(HeldMethod),
}

/// Both steps proven, a new password awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PendingNewPassword {
    /// The first step.
    pub first: ProvenFirstStep,
    /// What proved the second step and led here: the same proof again leads here again.
    pub proof: Proof,
}

/// An attempt at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CompletedAttempt {
    /// The person.
    pub user: UserId,
    /// The session that the browser got or had.
    pub session: SessionId,
    /// What proved the second step and completed it, if the last post was that proof.
    pub proof: Option<Proof>,
}

impl State {
    /// The person that it is about.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Second(second) => Some(second.first.user),
            Self::NewPassword(pending) => Some(pending.first.user),
            Self::Complete(completed) => Some(completed.user),
            Self::Password | Self::Cancelled => None,
        }
    }

    /// The challenge that it waits for, or whose code led to it. `None` if nothing mailed is awaited or was used.
    #[must_use]
    pub const fn challenge(&self) -> Option<Challenge> {
        match self {
            Self::Second(PendingSecondStep {
                waiting: AwaitedProof::Mailed(challenge), ..
            })
            | Self::NewPassword(PendingNewPassword { proof: Proof::Mailed(challenge), .. })
            | Self::Complete(CompletedAttempt { proof: Some(Proof::Mailed(challenge)), .. }) => {
                Some(*challenge)
            }
            Self::Second(_)
            | Self::NewPassword(_)
            | Self::Complete(_)
            | Self::Password
            | Self::Cancelled => None,
        }
    }

    /// Whether a proof of the second step led to this state.
    #[must_use]
    pub(crate) const fn is_second_step_proven(&self) -> bool {
        matches!(self, Self::NewPassword(_) | Self::Complete(_))
    }
}
