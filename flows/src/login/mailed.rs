//! What the verifier of a mailed code concludes from what it found: pure, so that the search runs it too.

use store::{Timestamp, email_challenge::EmailChallenge};

use super::{
    code_window::Time,
    method::{Challenge, Mailed},
    refusal::{CodeRefusal, MailRefusal, Refusal},
    resend::ResendVerdict,
    second::Verdict,
    state::State,
};

/// What became of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    /// It can be answered.
    Open,
    /// Its code led on.
    Used,
    /// A newer one has taken its place.
    Replaced,
}

impl Fate {
    /// What a row says.
    pub(super) const fn of(row: &EmailChallenge) -> Self {
        if row.completed_at.is_some() {
            Self::Used
        } else if row.superseded_at.is_some() {
            Self::Replaced
        } else {
            Self::Open
        }
    }

    /// Why a code fails that is right for another challenge, of this fate.
    const fn of_another(self) -> Refusal {
        match self {
            Self::Used => Refusal::Code(CodeRefusal::Used),
            Self::Replaced => Refusal::Mail(MailRefusal::Superseded),
            Self::Open => Refusal::Mail(MailRefusal::OtherBrowser),
        }
    }
}

impl Challenge {
    /// The challenge of a row. Codes by e-mail are the only ones with rows there.
    pub(super) const fn of(row: &EmailChallenge) -> Self {
        Self { method: Mailed::EMAIL_CODE, id: row.id }
    }
}

/// Whether an open challenge of this epoch takes the place of one of `fate` and `epoch`, so that the newest code works in
/// every tab.
pub(super) fn takes_place(fate: Fate, epoch: i64, open_epoch: i64) -> bool {
    fate == Fate::Replaced && epoch == open_epoch
}

/// Whether a code or "send it again" is judged here. If not, another tab of this browser was faster.
pub(super) fn is_judged(state: &State, fate: Fate) -> bool {
    fate == Fate::Open || !matches!(state, State::Second(_))
}

/// What was found when a code was compared. It has been charged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    /// Whether it is the code of the challenge.
    pub(super) is_right: bool,
    /// What became of the challenge.
    pub(super) fate: Fate,
    /// Where its clock stands.
    pub(super) time: Time,
    /// Whether a proof has led this attempt on from the second step.
    pub(super) is_led_on: bool,
    /// Whether it comes from the browser that was led on, and soon enough.
    pub(super) is_repeat: bool,
    /// What became of another challenge that it is the code of.
    pub(super) another: Option<Fate>,
    /// Tries that are left.
    pub(super) left: i64,
}

/// The verdict about a compared code.
pub(super) const fn verdict(found: Compared) -> Verdict {
    match (found.is_right, found.fate, found.time) {
        (true, Fate::Used, _) if found.is_led_on && found.is_repeat => Verdict::Repeated,
        (true, Fate::Used, _) => Verdict::Refused(Refusal::Code(CodeRefusal::Used)),
        (true, Fate::Replaced, _) => Verdict::Refused(Refusal::Mail(MailRefusal::Superseded)),
        (true, Fate::Open, time) => Verdict::Right(time),
        (false, _, Time::Past) => Verdict::Past,
        (false, _, Time::Open | Time::Late) => Verdict::Refused(match found.another {
            Some(fate) => fate.of_another(),
            None => Refusal::Code(CodeRefusal::Wrong(found.left)),
        }),
    }
}

/// What was found about "send it again", at a challenge that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When it may be sent, if that is not now.
    pub(super) later: Option<Timestamp>,
    /// Whether all tries at its code are spent.
    pub(super) is_spent: bool,
    /// Where its clock stands.
    pub(super) time: Time,
}

/// The verdict about "send it again".
pub(super) const fn resend_verdict(found: Asked) -> ResendVerdict {
    match found.later {
        Some(later) => ResendVerdict::Later(later),
        None if found.is_spent || matches!(found.time, Time::Past) => ResendVerdict::New,
        None => ResendVerdict::Same,
    }
}
