//! What all verifiers of held methods share: their verdict, which the search runs too, and how a proof is used up.

use std::pin::Pin;

use store::{Tx, UserId};

use super::{
    code_window::CodeValidity,
    method::{HeldMethod, HeldProof},
    refusal::{CodeRefusal, Refusal},
    second_step::Verdict,
};
use crate::{Cx, Error, Result};

/// Uses a proof up; false when its mark is no longer above that of its row. One guarded statement in the method's own file
/// in `store`.
type ConsumeFn = for<'a> fn(
    &'a Cx,
    &'a mut Tx,
    UserId,
    HeldProof,
) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>>;

/// The function that uses up the proof of each held method.
const CONSUME_FNS: &[(HeldMethod, ConsumeFn)] = &[];

/// Uses up a proof of this person, or fails with a conflict.
pub(super) async fn consume(cx: &Cx, tx: &mut Tx, user: UserId, proof: HeldProof) -> Result<()> {
    let found = CONSUME_FNS.iter().find(|(method, _)| *method == proof.method);
    let Some((_, spend)) = found else { return Err(Error::Conflict) };
    if spend(cx, tx, user, proof).await? { Ok(()) } else { Err(Error::Conflict) }
}

/// The result of comparing something held. It has been charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldComparison {
    /// Whether it is right now.
    pub(super) is_right: bool,
    /// Whether its mark, or a higher one, was used up before.
    pub(super) is_used: bool,
    /// Whether it is the proof that completed the second step of this attempt, posted again by the same browser, soon
    /// enough.
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
