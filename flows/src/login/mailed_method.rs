//! The verdicts about a mailed code: pure functions, so that the search runs them too.

use store::{Timestamp, email_challenge::EmailChallenge};

use super::{
    code_window::CodeValidity,
    method::{Challenge, MailedMethod},
    refusal::{CodeRefusal, MailRefusal, Refusal},
    resend::ResendVerdict,
    second_step::Verdict,
    state::State,
};

/// The state of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ChallengeState {
    /// It can be answered.
    Open,
    /// Its code was accepted.
    Used,
    /// A newer one has replaced it.
    Superseded,
}

impl ChallengeState {
    /// The state of a row.
    pub(super) const fn of(row: &EmailChallenge) -> Self {
        if row.completed_at.is_some() {
            Self::Used
        } else if row.superseded_at.is_some() {
            Self::Superseded
        } else {
            Self::Open
        }
    }

    /// Why a code fails that is right for another challenge, which has this state.
    const fn refusal_elsewhere(self) -> Refusal {
        match self {
            Self::Used => Refusal::Code(CodeRefusal::Used),
            Self::Superseded => Refusal::Mail(MailRefusal::Superseded),
            Self::Open => Refusal::Mail(MailRefusal::OtherBrowser),
        }
    }
}

impl Challenge {
    /// The challenge of a row. Only codes by e-mail have rows there.
    pub(super) const fn of(row: &EmailChallenge) -> Self {
        Self { method: MailedMethod::EMAIL_CODE, id: row.id }
    }
}

/// Whether an open challenge of this epoch replaces one of `fate` and `epoch`, so that the newest code works in every tab.
pub(super) fn is_successor(fate: ChallengeState, epoch: i64, open_epoch: i64) -> bool {
    fate == ChallengeState::Superseded && epoch == open_epoch
}

/// Whether a code or "send it again" is checked here. If not, another tab of this browser was faster.
pub(super) fn is_judged(state: &State, fate: ChallengeState) -> bool {
    fate == ChallengeState::Open || !matches!(state, State::Second(_))
}

/// The result of comparing a code. It has been charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeComparison {
    /// Whether it is the code of the challenge.
    pub(super) is_right: bool,
    /// The state of the challenge.
    pub(super) challenge_state: ChallengeState,
    /// The validity of its code.
    pub(super) validity: CodeValidity,
    /// Whether a proof of the second step was accepted in this attempt.
    pub(super) is_second_step_proven: bool,
    /// Whether it comes from the browser whose proof was accepted, and soon enough.
    pub(super) is_repeat: bool,
    /// The state of another challenge that it is the code of.
    pub(super) another: Option<ChallengeState>,
    /// Tries that are left.
    pub(super) tries_left: i64,
}

/// The verdict about a compared code.
pub(super) const fn verdict(found: CodeComparison) -> Verdict {
    match (found.is_right, found.challenge_state, found.validity) {
        (true, ChallengeState::Used, _) if found.is_second_step_proven && found.is_repeat => {
            Verdict::Repeated
        }
        (true, ChallengeState::Used, _) => Verdict::Refused(Refusal::Code(CodeRefusal::Used)),
        (true, ChallengeState::Superseded, _) => {
            Verdict::Refused(Refusal::Mail(MailRefusal::Superseded))
        }
        (true, ChallengeState::Open, time) => Verdict::Right(time),
        (false, _, CodeValidity::Expired) => Verdict::Expired,
        (false, _, CodeValidity::Valid | CodeValidity::Late) => {
            Verdict::Refused(match found.another {
                Some(fate) => fate.refusal_elsewhere(),
                None => Refusal::Code(CodeRefusal::Wrong(found.tries_left)),
            })
        }
    }
}

/// The facts about "send it again", for a challenge that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResendFacts {
    /// When it may be sent, if that is not now.
    pub(super) earliest: Option<Timestamp>,
    /// Whether all tries at its code are spent.
    pub(super) is_exhausted: bool,
    /// The validity of its code.
    pub(super) validity: CodeValidity,
}

/// The verdict about "send it again".
pub(super) const fn resend_verdict(found: ResendFacts) -> ResendVerdict {
    match found.earliest {
        Some(later) => ResendVerdict::Later(later),
        None if found.is_exhausted || matches!(found.validity, CodeValidity::Expired) => {
            ResendVerdict::New
        }
        None => ResendVerdict::Same,
    }
}
