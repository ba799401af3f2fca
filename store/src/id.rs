//! One id type per entity, all `UUIDv7` (RFC 9562, section 5.7), so that the id of one table cannot be used for another.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Random bytes of a `UUIDv7`, beside its time.
pub type IdRandom = [u8; 10];

/// What all id types have in common: a caller writes `cx.id()`, and the type is inferred.
pub trait Id: Copy {
    /// A new id, ordered by `now` and made unique by `random`.
    fn new(now: Timestamp, random: IdRandom) -> Self;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by `now` and made unique by `random`.
            #[must_use]
            pub fn new(now: Timestamp, random: IdRandom) -> Self {
                <Self as Id>::new(now, random)
            }

            /// The UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Id for $name {
            fn new(now: Timestamp, random: IdRandom) -> Self {
                let millis = u64::try_from(now.millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A row of `users`: a person. Never leaves the provider; clients see a subject.
    UserId;
    /// A row of `attempts`: one authorization request in one browser.
    AttemptId;
    /// A row of `email_challenges`: one mailed code of one person in one browser.
    ChallengeId;
    /// A row of `sign_ins`: the fact of completed steps.
    SignInId;
    /// A row of `sessions`: a browser that is signed in.
    SessionId;
    /// A row of `grants`: one issue to one client.
    GrantId;
    /// A row of `jobs`: a side effect that is still to happen.
    JobId;
    /// A row of `audit`.
    AuditId;
    /// A row of `totp_apps`: an authenticator app of a person.
    TotpAppId;
    /// A row of `passkeys`: a passkey of a person.
    PasskeyId;
    /// A row of `recovery_codes`: one code of a person's sheet.
    RecoveryCodeId;
    /// An access token: its `jti` (RFC 9068, section 2.2.4). It is not stored.
    TokenId;
}
