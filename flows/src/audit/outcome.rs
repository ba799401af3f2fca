//! How events end, in the words of the trail. An outcome, once used, keeps its meaning: it is counted.

/// How an event may end.
pub trait Outcome: Copy {
    /// Every word that it may be.
    const WORDS: &'static [&'static str];

    /// Its word.
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
                /// Its word.
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
    /// There is nothing to tell apart.
    Done { Ok = "ok" }
    /// It was refused.
    Refused { Refused = "refused" }
    /// What hung on it was revoked.
    Revoked { Revoked = "revoked" }
    /// A number is beyond its limit.
    Exceeded { Exceeded = "exceeded" }
    /// Something was found that must not be.
    Found { Found = "found" }
    /// Of a password.
    PasswordOutcome { Right = "right", Wrong = "wrong", Paused = "paused" }
    /// Of a code.
    CodeOutcome {
        Right = "right", Late = "late", Expired = "expired", Wrong = "wrong", Superseded = "superseded",
        OtherBrowser = "other_browser", Used = "used", Repeated = "repeated", Exhausted = "exhausted",
        Malformed = "malformed", Paused = "paused",
    }
    /// Of asking for a code.
    CodeRequest {
        Queued = "queued", QueuedAgain = "queued_again", OnItsWay = "on_its_way", TooMany = "too_many",
    }
    /// Of a job that was not done.
    JobOutcome { Superseded = "superseded", Refused = "refused", GivenUp = "given_up", Malformed = "malformed" }
    /// Of a signing key.
    KeyOutcome { Ok = "ok", Compromised = "compromised" }
}
