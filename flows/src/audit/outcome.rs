//! Outcomes of events, as text of the trail. An outcome, once used, keeps its meaning, because it is counted.

/// An outcome of an event.
pub trait Outcome: Copy {
    /// Every text that it may have.
    const WORDS: &'static [&'static str];

    /// Its text.
    fn word(self) -> &'static str;
}

macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $name { $(
                #[doc = concat!("`", $word, "`; `docs/audit.md` says when.")]
                $variant,
            )* }

            impl $name {
                /// Its text.
                #[must_use]
                pub const fn as_str(self) -> &'static str {
                    match self { $(Self::$variant => $word,)* }
                }
            }

            impl $crate::audit::Outcome for $name {
                const WORDS: &'static [&'static str] = &[$($word),*];

                fn word(self) -> &'static str {
                    self.as_str()
                }
            }
        )*
    };
}

pub(crate) use outcomes;

outcomes! {
    /// The only outcome.
    Done { Ok = "ok" }
    /// It was refused.
    Refused { Refused = "refused" }
    /// What depended on it was revoked.
    Revoked { Revoked = "revoked" }
    /// A number exceeds its limit.
    Exceeded { Exceeded = "exceeded" }
    /// Something was found that must not exist.
    Found { Found = "found" }
    /// The result of checking a password.
    PasswordOutcome { Right = "right", Wrong = "wrong", Paused = "paused" }
    /// The result of checking a code.
    CodeOutcome {
        Right = "right", Late = "late", Expired = "expired", Wrong = "wrong", Superseded = "superseded",
        OtherBrowser = "other_browser", Used = "used", Repeated = "repeated", Exhausted = "exhausted",
        Malformed = "malformed", Paused = "paused",
    }
    /// The result of checking a code that its person holds.
    HeldOutcome {
        Right = "right", Wrong = "wrong", Used = "used", Repeated = "repeated", ClockOff = "clock_off",
        Paused = "paused",
    }
    /// The result of checking a recovery code.
    RecoveryCodeOutcome {
        Right = "right", Wrong = "wrong", Used = "used", Repeated = "repeated", Paused = "paused",
    }
    /// The result of checking a passkey.
    PasskeyOutcome {
        Right = "right", Invalid = "invalid", Unknown = "unknown", OtherAccount = "other_account",
        NotVerified = "not_verified", Repeated = "repeated",
        OutOfTurn = "out_of_turn", Counter = "counter", Eligibility = "eligibility",
    }
    /// The result of requesting a code.
    CodeRequest {
        Queued = "queued", QueuedAgain = "queued_again", OnItsWay = "on_its_way", TooMany = "too_many",
        Paused = "paused",
    }
    /// How a job failed.
    JobOutcome { Superseded = "superseded", Refused = "refused", GivenUp = "given_up", Malformed = "malformed" }
    /// How a signing key changed.
    KeyOutcome { Ok = "ok", Compromised = "compromised" }
}
