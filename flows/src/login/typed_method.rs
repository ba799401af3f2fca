//! What a method of the second step says whose code the person holds and types: the rest is the same for all of them.

use std::time::Duration;

use store::{Timestamp, Tx};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{held_post::HeldPost, refusal::CodeRefusal, second_step::HeldVerifier};
use crate::{
    Cx, Result,
    audit::{AuditEntry, outcome::HeldOutcome},
    guess_budget::GuessGroup,
};

/// How long the proof that was accepted leads to the same goal, from the browser that posted it.
pub(super) const REPEAT_WINDOW: Duration = Duration::from_mins(1);

/// A method whose code is typed.
pub(super) trait TypedMethod: HeldVerifier + Send + Sync {
    /// A code that can be compared.
    type Code: Send + Sync;

    /// The seal.
    fn seal() -> Self;

    /// Reads what was typed.
    fn parse(typed: &str) -> Result<Self::Code, CodeRefusal>;

    /// A code as text.
    fn text(code: &Self::Code) -> Zeroizing<String>;

    /// Compares a code that is being charged with everything of this method that the person has.
    fn compare(
        cx: &Cx,
        tx: &mut Tx,
        post: &HeldPost,
        code: &Self::Code,
    ) -> impl Future<Output = Result<FoundProof>> + Send;

    /// What is counted of a wrong code in the site's guess budget; `None` where no code can be guessed.
    fn group(post: &HeldPost) -> Option<GuessGroup>;

    /// What else happens with the verdict, in its transaction.
    fn conclude(
        cx: &Cx,
        tx: &mut Tx,
        post: &HeldPost,
        found: &FoundProof,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The entry of the trail.
    fn entry(found: &FoundProof, outcome: HeldOutcome) -> AuditEntry<'static>;
}

/// What a code turned out to be.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundProof {
    /// The row that it belongs to, and its mark there.
    pub(super) matched: Option<(Uuid, i64)>,
    /// Whether it was used before: when.
    pub(super) used_at: Option<Timestamp>,
    /// By how many seconds the clock that made it is ahead, if by too much; negative if it is behind.
    pub(super) seconds_ahead: Option<i64>,
}

impl FoundProof {
    /// Whether it is right now.
    pub(super) fn is_right(&self) -> bool {
        self.matched.is_some() && self.used_at.is_none() && self.seconds_ahead.is_none()
    }

    pub(super) fn was_used_just_now(&self, cx: &Cx) -> bool {
        self.used_at.is_some_and(|at| cx.now.since(at) <= REPEAT_WINDOW)
    }
}
