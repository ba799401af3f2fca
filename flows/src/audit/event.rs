//! The vocabulary of the trail: each event with its outcomes and the keys of its detail. Nothing else can be recorded: an
//! outcome is a value of its event's type, and a detail is a struct with a field for each key.

use keys::Algorithm;
use serde_json::{Map, Value, json};
use store::{
    ChallengeId, GrantId, JobId, PasskeyId, RecoveryCodeId, SignInId, Timestamp, TotpAppId,
};

use super::outcome::{
    CodeOutcome, CodeRequest, Done, Exceeded, Found, HeldOutcome, JobOutcome, KeyOutcome, Outcome,
    PasskeyOutcome, PasswordOutcome, RecoveryCodeOutcome, Refused, Revoked,
};
use crate::oauth_error::TokenErrorCode;

/// The detail of an event.
pub trait Detail {
    /// The event.
    const EVENT: Event;
    /// The outcomes that it may have.
    type Outcome: Outcome;

    /// The fields as a map, without those that are unknown.
    fn into_map(self) -> Map<String, Value>;
}

/// The key of a field in the row: `try` is a keyword of Rust, so its field is a raw identifier.
const fn key(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $outcome:ident { $($field:ident: $type:ty),* $(,)? })*) => {
        /// Everything that is recorded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event { $($(#[$doc])* $name,)* }

        impl Event {
            /// Every event, for the documentation and its test.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Name in the trail.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its possible outcomes, as text of the trail.
            #[must_use]
            pub const fn outcomes(self) -> &'static [&'static str] {
                match self { $(Self::$name => <$outcome as Outcome>::WORDS,)* }
            }

            /// The keys that its detail may have, beside those of [`COMMON`].
            #[must_use]
            pub const fn keys(self) -> &'static [&'static str] {
                match self { $(Self::$name => const { &[$(key(stringify!($field)),)*] },)* }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name { $(
                #[doc = concat!("`", stringify!($field), "` of its detail; `docs/audit.md` says what it is.")]
                pub $field: $type,
            )* }

            impl Detail for $name {
                const EVENT: Event = Event::$name;
                type Outcome = $outcome;

                fn into_map(self) -> Map<String, Value> {
                    let Self { $($field,)* } = self;
                    let fields: &[(&str, Value)] = &[$((key(stringify!($field)), json!($field)),)*];
                    let known = fields.iter().filter(|(_, value)| !value.is_null());
                    known.map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
                }
            }
        )*
    };
}

/// The keys that the detail of any event may have: why staff, an operator or the program changed something, who by their own
/// claim is the user behind `root`, and whether that user is known only by an id of a user namespace.
pub const COMMON: [&str; 3] = ["reason", "sudo_user", "user_namespace"];

events! {
    /// A password was checked.
    PasswordChecked = "password.checked": PasswordOutcome {}
    /// A mailed code was checked.
    CodeChecked = "code.checked": CodeOutcome { challenge: ChallengeId, reference: String }
    /// A code of an authenticator app was checked.
    TotpChecked = "totp.checked": HeldOutcome { app: Option<TotpAppId>, seconds_ahead: Option<i64> }
    /// A recovery code was checked.
    RecoveryCodeChecked = "recovery_code.checked": RecoveryCodeOutcome { code: Option<RecoveryCodeId> }
    /// A passkey was checked.
    PasskeyChecked = "passkey.checked": PasskeyOutcome { passkey: Option<PasskeyId>, synced: Option<bool> }
    /// A code was requested, for the first time or again.
    CodeRequested = "code.requested": CodeRequest { challenge: ChallengeId, reference: String }
    /// The mail server accepted a mail with a code.
    CodeAccepted = "code.accepted": Done {
        challenge: ChallengeId, reference: String, r#try: i64, message_id: Value, reply: Value,
    }
    /// A mail could not be sent.
    MailFailed = "mail.failed": JobOutcome { job: JobId, mail: Value, r#try: Option<i64>, why: Option<String> }
    /// Both steps were completed.
    SignedIn = "sign_in.completed": Done { sign_in: SignInId, acr: &'static str }
    /// A person cancelled an attempt.
    AttemptCancelled = "attempt.cancelled": Done {}
    /// A step was requested out of order.
    SequenceFailed = "attempt.sequence_fail": Refused {}
    /// A person allowed a client some scopes.
    ConsentGiven = "consent.given": Done { scopes: String }
    /// A person refused a client.
    ConsentRefused = "consent.refused": Refused {}
    /// A client got an authorization code.
    CodeIssued = "grant.created": Done { grant: GrantId, sign_in: SignInId, scopes: String, acr: &'static str }
    /// A client redeemed an authorization code.
    TokensIssued = "token.issued": Done { grant: GrantId }
    /// A client was refused at the token endpoint.
    TokenRefused = "token.refused": TokenErrorCode { why: String }
    /// A used authorization code was presented again; what it issued was revoked.
    CodeReused = "grant.code_reused": Revoked { grant: GrantId }
    /// A session ended because its owner signed out.
    SignedOut = "session.signed_out": Done {}
    /// A person added a method of the second step.
    MethodAdded = "method.added": Done { method: &'static str, id: String }
    /// A person gave a method another name.
    MethodRenamed = "method.renamed": Done { method: &'static str, id: String }
    /// A method was removed.
    MethodRemoved = "method.removed": Done { method: &'static str, id: String }
    /// A person got a new list of recovery codes; what was left of the old one is void.
    RecoveryCodesMade = "recovery_codes.made": Done { codes: usize, void: usize }
    /// A person was added.
    UserAdded = "user.added": Done {}
    /// What is stored of a person was changed.
    UserChanged = "user.changed": Done { changed: Vec<String> }
    /// A person must choose a new password; everything older is invalid.
    ResetForced = "user.reset_forced": Done { epoch: Option<i64> }
    /// A password was set or changed.
    PasswordChanged = "user.password_changed": Done { version: i64 }
    /// A client was added.
    ClientAdded = "client.added": Done {}
    /// A client got other values of its members, or another secret.
    ClientChanged = "client.changed": Done {
        id_token_signed_response_alg: Option<Algorithm>, before: Option<Algorithm>, client_secret: Option<&'static str>,
        changes: Option<Map<String, Value>>,
    }
    /// A client was removed, and what it had been given ended.
    ClientRemoved = "client.removed": Done { grants: u64, consents: u64 }
    /// A setting was changed or a change undone.
    SettingChanged = "setting.changed": Done { name: String, version: i64, before: String, after: String }
    /// A signing key was made.
    SigningKeyAdded = "key.added": Done { kid: String, algorithm: String }
    /// A signing key was replaced by another.
    SigningKeyRotated = "key.rotated": KeyOutcome {
        algorithm: String, kid: String, follows: String, signs_from: Timestamp, removed: Vec<String>,
    }
    /// A signing key is no longer published.
    SigningKeyEnded = "key.ended": KeyOutcome { kid: String, algorithm: String }
    /// A root key became the current one.
    RootKeyCurrent = "root_key.current": Done { root_key: String }
    /// What was sealed with an older root key was sealed with the current one.
    RootKeyResealed = "root_key.resealed": Done { root_key: String, values: u64 }
    /// Staff removed every known device of a person.
    DevicesForgotten = "user.devices_forgotten": Done { devices: u64 }
    /// More codes were wrong on the whole site than its budget allows; one row an hour.
    GuessBudgetExceeded = "guess_budget.exceeded": Exceeded { wrong_codes: i64, budget: i64 }
    /// Too many posts or failures came from one network; one row for each window.
    NetworkLimited = "network.limited": Refused { limit: &'static str, size: Option<String>, network: String }
    /// Grants were found without a completed second step behind them.
    UnprovenGrants = "grant.unproven": Found { count: i64, grants: Vec<GrantId> }
}
