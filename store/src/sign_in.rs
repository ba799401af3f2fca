//! Sign-ins: the fact of completed steps. Inserted, never updated; the schema refuses a row without both steps.

use sqlx::{Database, Decode, FromRow, Type, error::BoxDynError};

use crate::{Result, SignInId, Sql, Timestamp, UserId};

/// Declares an enum for a column with one text of a list. A text that is not on the list is an error of its row: it is never
/// read as another value.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$of])* $word,)* }

        impl $name {
            /// Every value, for tests.
            pub const ALL: &[Self] = &[$(Self::$word,)*];

            /// The text in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }

        impl<DB: Database> Type<DB> for $name
        where
            str: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                str::type_info()
            }

            fn compatible(info: &DB::TypeInfo) -> bool {
                str::compatible(info)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $name
        where
            &'r str: Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                match <&str as Decode<DB>>::decode(value)? {
                    $($text => Ok(Self::$word),)*
                    _ => Err(concat!("not a value of ", stringify!($name)).into()),
                }
            }
        }
    };
}

text_enum! {
    /// Methods of the first step: the values of `two_steps`, the CHECK on `sign_ins`.
    FirstMethod {
        /// A password.
        Password = "password",
        /// A passkey that verified the person (WebAuthn Level 3, section 6.1, flag UV): it counts as both steps.
        PasskeyUv = "passkey_uv",
    }
}

text_enum! {
    /// Methods of the second step: the values of the same CHECK.
    SecondMethod {
        /// A code by e-mail.
        EmailCode = "email_code",
        /// A code of an authenticator app (RFC 6238).
        Totp = "totp",
        /// A recovery code.
        RecoveryCode = "recovery_code",
        /// A passkey after a password.
        Passkey = "passkey",
        /// None: an earlier sign-in of the same browser is remembered.
        Remembered = "remembered",
    }
}

/// What was proven, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct SignInSteps {
    /// Method of the first step.
    pub first: FirstMethod,
    /// When the first step was proven.
    pub first_at: Timestamp,
    /// Method of the second step.
    pub second: Option<SecondMethod>,
    /// When the second step was proven.
    pub second_at: Option<Timestamp>,
    /// Whether one mailbox was proven for both steps (decision 5).
    pub mailbox_only: bool,
}

/// Columns of [`SignInSteps`], for statements that join a sign-in.
macro_rules! steps_columns {
    () => {
        "sign_ins.first, sign_ins.first_at, sign_ins.second, sign_ins.second_at, sign_ins.mailbox_only"
    };
}
pub(crate) use steps_columns;

/// A completed sign-in.
#[derive(Clone, Debug)]
pub struct SignInRow {
    /// Id.
    pub id: SignInId,
    /// The person.
    pub user_id: UserId,
    /// The person's epoch at the time.
    pub epoch: i64,
    /// What was proven.
    pub steps: SignInSteps,
    /// The network that it was completed from, in the form of the audit trail.
    pub network: Option<String>,
    /// The browser and system that it was completed with, such as `Firefox/Windows`, if both are recognised.
    pub browser_and_system: Option<String>,
}

/// Records a completed sign-in. The only caller is `flows::login::record`; `tests/it/architecture/` checks that.
pub async fn insert(sql: &mut impl Sql, row: &SignInRow) -> Result<()> {
    sql.q("INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, mailbox_only, network,
                                 browser_and_system)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(row.id)
        .bind(row.user_id)
        .bind(row.epoch)
        .bind(row.steps.first.as_str())
        .bind(row.steps.first_at)
        .bind(row.steps.second.map(SecondMethod::as_str))
        .bind(row.steps.second_at)
        .bind(row.steps.mailbox_only)
        .bind(&row.network)
        .bind(&row.browser_and_system)
        .execute()
        .await?;
    Ok(())
}

/// How often a person has signed in since then. Ids begin with the time.
pub async fn count_since(sql: &mut impl Sql, user: UserId, since: Timestamp) -> Result<i64> {
    let (count,): (i64,) = sql
        .q("SELECT COUNT(*) FROM sign_ins WHERE user_id = $1 AND id >= $2")
        .bind(user)
        .bind(SignInId::new(since, [0; 10]))
        .fetch_one()
        .await?;
    Ok(count)
}

/// Deletes up to `limit` sign-ins from before `before` that no session, grant or later sign-in refers to; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM sign_ins WHERE id IN
           (SELECT id FROM sign_ins
            WHERE id < $1 AND first_at < $2
              AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.sign_in_id = sign_ins.id)
              AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.sign_in_id = sign_ins.id)
              AND NOT EXISTS (SELECT 1 FROM sign_ins AS later WHERE later.remembered_from = sign_ins.id)
            ORDER BY id LIMIT $3)")
        .bind(SignInId::new(before, [0; 10]))
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
