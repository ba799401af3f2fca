//! [`SignIn`]: the value that every issue of a token requires.
//!
//! It is constructed from a row that was recorded with the proof of the machine (`login/record.rs`), or from a live session
//! or grant that refers to such a row, and nowhere else: the fields are private to this file.

use store::{
    SignInId, Timestamp, UserId, grant,
    session::LiveSession,
    sign_in::{FirstMethod, SecondMethod, SignInRow, SignInSteps},
};

/// A completed sign-in of a person.
#[derive(Clone, Debug)]
pub struct SignIn {
    id: SignInId,
    user: UserId,
    epoch: i64,
    steps: SignInSteps,
}

/// What a sign-in proves, truthfully (decision 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assurance {
    /// Password and mailed code: two steps, not two factors in the sense of NIST SP 800-63B.
    TwoStep,
    /// Password and a code of an authenticator app, or a recovery code.
    Mfa,
    /// A passkey whose authenticator verified the person, alone or after a password: it cannot be phished.
    Phr {
        /// Whether a password was proven, too.
        with_password: bool,
    },
    /// A mailbox that counted twice.
    Restricted,
}

impl Assurance {
    /// Every value of `acr_values_supported`.
    pub(crate) const SUPPORTED: [&'static str; 3] =
        ["urn:vestibule:two-step", "urn:vestibule:mfa", "phr"];

    /// Its place in the order of levels: one with a higher number is worth at least as much (decision 1).
    #[must_use]
    pub(crate) const fn level(self) -> u8 {
        match self {
            Self::Restricted => 0,
            Self::TwoStep => 1,
            Self::Mfa => 2,
            Self::Phr { .. } => 3,
        }
    }

    /// `acr` (OpenID Connect Core 1.0, section 2).
    #[must_use]
    pub(crate) const fn acr(self) -> &'static str {
        match self {
            Self::TwoStep => "urn:vestibule:two-step",
            Self::Mfa => "urn:vestibule:mfa",
            Self::Phr { .. } => "phr",
            Self::Restricted => "urn:vestibule:restricted",
        }
    }

    /// `amr` (RFC 8176).
    #[must_use]
    pub(crate) const fn amr(self) -> &'static [&'static str] {
        match self {
            Self::TwoStep => &["pwd", "mca"],
            Self::Mfa => &["pwd", "otp", "mfa"],
            Self::Phr { with_password: false } => &["swk", "user", "mfa"],
            Self::Phr { with_password: true } => &["pwd", "swk", "user", "mfa"],
            Self::Restricted => &["pwd"],
        }
    }

    /// What the two steps prove. For a row of a later build less may be claimed, never more.
    const fn of(steps: &SignInSteps) -> Self {
        match (steps.first, steps.second) {
            (FirstMethod::Password, Some(SecondMethod::EmailCode)) if !steps.mailbox_only => {
                Self::TwoStep
            }
            (FirstMethod::Password, Some(SecondMethod::Totp | SecondMethod::RecoveryCode))
                if !steps.mailbox_only =>
            {
                Self::Mfa
            }
            (FirstMethod::PasskeyUv, None) if !steps.mailbox_only => {
                Self::Phr { with_password: false }
            }
            (FirstMethod::Password, Some(SecondMethod::Passkey)) if !steps.mailbox_only => {
                Self::Phr { with_password: true }
            }
            (
                FirstMethod::Password | FirstMethod::PasskeyUv,
                None
                | Some(
                    SecondMethod::EmailCode
                    | SecondMethod::Totp
                    | SecondMethod::RecoveryCode
                    | SecondMethod::Passkey
                    | SecondMethod::Remembered,
                ),
            ) => Self::Restricted,
        }
    }
}

impl SignIn {
    /// The sign-in that was recorded in a row.
    #[must_use]
    pub(crate) fn of_row(row: &SignInRow) -> Self {
        Self { id: row.id, user: row.user_id, epoch: row.epoch, steps: row.steps }
    }

    /// The sign-in that a live session rests on.
    #[must_use]
    pub(crate) fn of_session(session: &LiveSession) -> Self {
        Self {
            id: session.sign_in_id,
            user: session.user_id,
            epoch: session.epoch,
            steps: session.steps,
        }
    }

    /// The sign-in that a live grant rests on.
    #[must_use]
    pub(crate) fn of_grant(grant: &grant::LiveGrant) -> Self {
        Self { id: grant.sign_in_id, user: grant.user_id, epoch: grant.epoch, steps: grant.steps }
    }

    /// Its row.
    #[must_use]
    pub const fn id(&self) -> SignInId {
        self.id
    }

    /// The person.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The person's epoch.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The steps that were proven.
    #[must_use]
    pub(crate) const fn steps(&self) -> SignInSteps {
        self.steps
    }

    /// What it proves.
    #[must_use]
    pub(crate) const fn assurance(&self) -> Assurance {
        Assurance::of(&self.steps)
    }

    /// `auth_time`: when the attempt that proved the older step was completed.
    #[must_use]
    pub(crate) fn auth_time(&self) -> Timestamp {
        older(&self.steps)
    }
}

fn older(steps: &SignInSteps) -> Timestamp {
    steps.second_at.map_or(steps.first_at, |second| steps.first_at.min(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn steps(first: FirstMethod, second: Option<SecondMethod>, mailbox_only: bool) -> SignInSteps {
        SignInSteps {
            first,
            first_at: at(2),
            second,
            second_at: second.map(|_| at(3)),
            mailbox_only,
        }
    }

    #[test]
    fn assurance_depends_on_both_steps() {
        let (mut two_step, mut mfa, mut phr) = (Vec::new(), Vec::new(), Vec::new());
        for &first in FirstMethod::ALL {
            for second in SecondMethod::ALL.iter().copied().map(Some).chain([None]) {
                for mailbox_only in [false, true] {
                    let steps = steps(first, second, mailbox_only);
                    match Assurance::of(&steps) {
                        Assurance::TwoStep => two_step.push(steps),
                        Assurance::Mfa => mfa.push(steps),
                        Assurance::Phr { .. } => phr.push(steps),
                        Assurance::Restricted => {}
                    }
                }
            }
        }
        assert_eq!(
            two_step,
            [steps(FirstMethod::Password, Some(SecondMethod::EmailCode), false)],
            "what this build does not offer claims least"
        );
        let password = |second| steps(FirstMethod::Password, Some(second), false);
        assert_eq!(mfa, [password(SecondMethod::Totp), password(SecondMethod::RecoveryCode)]);
        let alone = self::steps(FirstMethod::PasskeyUv, None, false);
        assert_eq!(phr, [password(SecondMethod::Passkey), alone]);
    }

    #[test]
    fn auth_time_is_older_step() {
        let both = steps(FirstMethod::Password, Some(SecondMethod::EmailCode), false);
        assert_eq!(older(&both), at(2));
        assert_eq!(older(&SignInSteps { first_at: at(9), ..both }), at(3));
        assert_eq!(older(&steps(FirstMethod::PasskeyUv, None, false)), at(2));
    }
}
