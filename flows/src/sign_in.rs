//! [`SignIn`]: the value without which nothing is issued.
//!
//! It comes from the machine's [`Complete`](crate::login::machine::Complete), or from a live session or grant that was
//! made from one, and from nowhere else: the fields are private to this file.

use store::{
    SessionId, SignInId, Timestamp, Tx, UserId, auth_code::AuthCode, session::LiveSession,
    sign_in::SignInRow,
};

use crate::{Cx, Result, login::machine::Complete};

/// A completed sign-in of a person in a session.
#[derive(Clone, Debug)]
pub struct SignIn {
    id: SignInId,
    user: UserId,
    epoch: i64,
    session: SessionId,
    assurance: Assurance,
    auth_time: Timestamp,
}

/// What a sign-in proves, truthfully (decision 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assurance {
    /// Password and mailed code: two steps, not two factors in the sense of NIST SP 800-63B.
    TwoStep,
    /// A mailbox that counted twice.
    Restricted,
}

impl Assurance {
    /// Every value of `acr_values_supported`.
    pub(crate) const SUPPORTED: [&'static str; 1] = ["urn:vestibule:two-step"];

    /// `acr` (OpenID Connect Core 1.0, section 2).
    #[must_use]
    pub(crate) const fn acr(self) -> &'static str {
        match self {
            Self::TwoStep => "urn:vestibule:two-step",
            Self::Restricted => "urn:vestibule:restricted",
        }
    }

    /// `amr` (RFC 8176).
    #[must_use]
    pub(crate) const fn amr(self) -> &'static [&'static str] {
        match self {
            Self::TwoStep => &["pwd", "mca"],
            Self::Restricted => &["pwd"],
        }
    }

    /// What a row proves. A mailed code is the only second step of this build; whatever else a row of a later build may
    /// say, less is claimed, never more.
    fn of(second: Option<&str>, mailbox_only: bool) -> Self {
        match second {
            Some("email_code") if !mailbox_only => Self::TwoStep,
            _ => Self::Restricted,
        }
    }
}

impl SignIn {
    /// Records the completed steps. `complete` is proof: only the machine makes one.
    pub async fn record(cx: &Cx, tx: &mut Tx, complete: &Complete) -> Result<Self> {
        let first = complete.first();
        let row = SignInRow {
            id: cx.id(),
            user_id: first.user,
            epoch: first.epoch,
            first: "password".to_owned(),
            // Both are the moment at which the attempt that proved them was completed (decision 1).
            first_at: cx.now,
            second: Some(complete.second().as_str().to_owned()),
            second_at: Some(cx.now),
            mailbox_only: false,
        };
        store::sign_in::insert(tx, &row).await?;
        Ok(Self {
            id: row.id,
            user: row.user_id,
            epoch: row.epoch,
            session: complete.session(),
            assurance: Assurance::of(row.second.as_deref(), row.mailbox_only),
            auth_time: cx.now,
        })
    }

    /// The sign-in that a live session rests on.
    #[must_use]
    pub fn load(session: &LiveSession) -> Self {
        Self {
            id: session.sign_in_id,
            user: session.user_id,
            epoch: session.epoch,
            session: session.id,
            assurance: Assurance::of(session.second.as_deref(), session.mailbox_only),
            auth_time: older(session.first_at, session.second_at),
        }
    }

    /// The sign-in that a grant rests on.
    #[must_use]
    pub(crate) fn of_grant(code: &AuthCode) -> Self {
        Self {
            id: code.sign_in_id,
            user: code.user_id,
            epoch: code.epoch,
            session: code.session_id,
            assurance: Assurance::of(code.second.as_deref(), code.mailbox_only),
            auth_time: older(code.first_at, code.second_at),
        }
    }

    /// Its row.
    #[must_use]
    pub const fn id(&self) -> SignInId {
        self.id
    }

    /// Who.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The person's epoch.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// What it proves.
    #[must_use]
    pub(crate) const fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// `auth_time`: when the attempt that proved the older step was completed.
    #[must_use]
    pub(crate) const fn auth_time(&self) -> Timestamp {
        self.auth_time
    }
}

fn older(first: Timestamp, second: Option<Timestamp>) -> Timestamp {
    second.map_or(first, |second| first.min(second))
}
