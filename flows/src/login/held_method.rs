//! The verdict about something held, which all verifiers of held methods and the search share.

use super::{
    code_window::CodeValidity,
    refusal::{CodeRefusal, Refusal},
    second_step::Verdict,
};

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
pub(super) const fn verdict(found: HeldComparison) -> Verdict {
    match (found.is_right, found.is_used) {
        (false, _) => Verdict::Refused(Refusal::Code(CodeRefusal::Wrong(found.tries_left))),
        (true, false) => Verdict::Right(CodeValidity::Valid),
        (true, true) if found.is_repeat => Verdict::Repeated,
        (true, true) => Verdict::Refused(Refusal::Code(CodeRefusal::Used)),
    }
}
