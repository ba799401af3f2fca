//! What all verifiers of held methods share: what they conclude, which the search runs too, and how a proof is used up.

use std::pin::Pin;

use store::{Tx, UserId};

use super::{
    code_window::CodeValidity,
    method::{HeldMethod, HeldProof},
    refusal::{CodeRefusal, Refusal},
    second_step::Verdict,
};
use crate::{Cx, Error, Result};

/// Uses a proof up; false when its mark is no longer above the one in its row. One guarded statement of the method's own
/// file in `store`.
type ConsumeFn = for<'a> fn(
    &'a Cx,
    &'a mut Tx,
    UserId,
    HeldProof,
) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>>;

/// How the proof of each held method is used up.
const CONSUME_FNS: &[(HeldMethod, ConsumeFn)] = &[];

/// Uses a proof of this person up, or loses.
pub(super) async fn consume(cx: &Cx, tx: &mut Tx, user: UserId, proof: HeldProof) -> Result<()> {
    let found = CONSUME_FNS.iter().find(|(method, _)| *method == proof.method);
    let Some((_, spend)) = found else { return Err(Error::Conflict) };
    if spend(cx, tx, user, proof).await? { Ok(()) } else { Err(Error::Conflict) }
}

/// What was found when something held was compared. It has been charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldComparison {
    /// Whether it is right now.
    pub(super) is_right: bool,
    /// Whether its mark, or a higher one, was used up before.
    pub(super) is_used: bool,
    /// Whether it is the proof that has led this attempt on, posted once more by the browser that was led on, soon enough.
    pub(super) is_repeat: bool,
    /// Tries that are left.
    pub(super) tries_left: i64,
}

/// The verdict about something held.
#[cfg_attr(not(test), expect(dead_code, reason = "no held method is built yet"))]
pub(super) const fn verdict(found: HeldComparison) -> Verdict {
    match (found.is_right, found.is_used) {
        (false, _) => Verdict::Refused(Refusal::Code(CodeRefusal::Wrong(found.tries_left))),
        (true, false) => Verdict::Right(CodeValidity::Valid),
        (true, true) if found.is_repeat => Verdict::Repeated,
        (true, true) => Verdict::Refused(Refusal::Code(CodeRefusal::Used)),
    }
}
