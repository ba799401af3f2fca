//! The sign-in machine: a pure function over an explicit state.
//!
//! ```text
//!              password right               second step right, in time
//!  Password ───────────────────▶ Second ─────────────────────────────▶ Complete ◀─┐
//!     ▲ ▲                         │ │ │                                            │
//!     │ └──── restart, reset ─────┘ │ └─ the same, reset demanded ─────▶ NewPassword ┘
//!     │                             └─ another tab of this browser completed ─▶ Complete
//!     └──────── restart, another person's password, reset ──────────────┘
//! ```
//!
//! It uses no clock, no database and no secret. What was found out about an input is passed in as a verdict that only its
//! verifier can construct; what must happen is returned as effects. `search` runs this very function over every order of
//! events and proves that no session is created without both steps.
//!
//! It depends on no method either: only on the two kinds of `method`, and it treats all methods of a kind alike.

use store::{ChallengeId, SessionId, UserId, sign_in::SecondMethod};

use super::{
    code_window::CodeValidity,
    effect::{Delivery, Effect},
    follow::SessionChecked,
    goal::Goal,
    method::{Challenge, Method, Proof},
    new_password::NewPasswordChecked,
    password::{PasswordChecked, PasswordVerdict},
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    resend::{ResendChecked, ResendVerdict},
    second_step::{SecondChecked, Verdict},
    state::{
        AwaitedProof, CompletedAttempt, FirstStep, PendingNewPassword, PendingSecondStep,
        ProvenFirstStep, State,
    },
};

/// A checked input.
#[derive(Debug)]
pub enum Input {
    /// An address and a password.
    Password(PasswordChecked),
    /// The second step, or both in one.
    Second(SecondChecked),
    /// Another method for the second step.
    Choose(Method),
    /// A new password after a forced reset.
    NewPassword(NewPasswordChecked),
    /// "Send it again".
    Resend(ResendChecked),
    /// This browser was signed in meanwhile, by another tab.
    Follow(SessionChecked),
    /// "Start again".
    Restart,
    /// "Cancel": back to where the person came from.
    Cancel,
}

/// The person as the database shows them in the transaction that applies the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub user: UserId,
    /// Epoch now.
    pub epoch: i64,
    /// Version of the password now.
    pub password_version: i64,
    /// Whether a forced reset demands a new password.
    pub must_change: bool,
}

/// What the machine may use besides state and input. Ids are chosen by the caller, because randomness is a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The person that state or input is about, read again in the same transaction; `None` if no person is identified.
    pub person: Option<Person>,
    /// The methods that this person may answer with, the default first.
    pub offered: &'a [Method],
    /// The challenge to answer next: the open one of this person in this browser if it can be joined, or a new id.
    pub challenge: ChallengeId,
    /// The open challenge of this person in this browser, whether or not it can be joined. It replaces the one that the
    /// state waits for when another tab has superseded that: the newest code works in every tab.
    pub current: Option<Challenge>,
    /// The session to sign in to: the live one of this person in this browser, or a new id.
    pub session: SessionId,
    /// The goal of the attempt.
    pub goal: Goal,
}

/// Proof that both steps were completed. Only [`step`] constructs one: the fields are private to this file.
#[derive(Debug)]
pub struct SignInProof {
    first: ProvenFirstStep,
    proof: Proof,
    session: SessionId,
}

impl SignInProof {
    /// The first step.
    #[must_use]
    pub const fn first(&self) -> ProvenFirstStep {
        self.first
    }

    /// The method of the second step; `None` if the first was both.
    #[must_use]
    pub(crate) const fn second_method(&self) -> Option<SecondMethod> {
        self.proof.second_method()
    }

    /// The session to sign in to.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

/// What [`step`] decides.
#[derive(Debug)]
pub struct Transition {
    /// The next state.
    pub state: State,
    /// What must happen with it.
    pub effects: Vec<Effect>,
    /// What the page explains, if it is not simply the next page.
    pub refusal: Option<Refusal>,
}

impl Transition {
    fn to(state: State, effects: Vec<Effect>) -> Self {
        Self { state, effects, refusal: None }
    }

    fn stay(state: State, refusal: impl Into<Refusal>) -> Self {
        Self { state, effects: Vec::new(), refusal: Some(refusal.into()) }
    }

    fn with_refusal(mut self, refusal: impl Into<Refusal>) -> Self {
        self.refusal = Some(refusal.into());
        self
    }

    fn start_again() -> Self {
        Self::stay(State::Password, Refusal::StartAgain)
    }
}

/// The next state and what must happen with it.
#[must_use]
pub fn step(state: State, input: Input, facts: &Facts<'_>) -> Transition {
    match (state, input) {
        (State::Complete(completed), Input::Second(checked)) => {
            repeated_after_completion(completed, &checked, facts)
        }
        (state @ (State::Complete(_) | State::Cancelled), _) => {
            Transition::stay(state, Refusal::OutOfTurn)
        }
        (_, Input::Restart) => Transition::to(State::Password, Vec::new()),
        (_, Input::Cancel) => Transition::to(State::Cancelled, Vec::new()),
        (state, Input::Password(checked)) => password(state, &checked, facts),
        (state, Input::Second(checked)) if checked.is_about_both() => {
            both_steps(state, &checked, facts)
        }
        (state, Input::Follow(checked)) => follow(state, &checked, facts),
        (
            State::Second(PendingSecondStep { first, .. })
            | State::NewPassword(PendingNewPassword { first, .. }),
            _,
        ) if !still_counts(first, facts.person) => Transition::start_again(),
        (State::Second(second), Input::Second(checked)) => second_step(second, &checked, facts),
        (State::Second(second), Input::Choose(method)) => choose(second, method, facts),
        (State::Second(second), Input::Resend(checked)) => resend(second, &checked, facts),
        (State::NewPassword(pending), Input::NewPassword(checked)) => {
            new_password(pending, &checked, facts)
        }
        (State::NewPassword(pending), Input::Second(checked)) => {
            repeated_before_new_password(pending, &checked)
        }
        (state, Input::Second(_) | Input::Choose(_) | Input::Resend(_) | Input::NewPassword(_)) => {
            Transition::stay(state, Refusal::OutOfTurn)
        }
    }
}

/// Whether what was proven still counts: the same person, no reset since, and the same password if one was proven.
pub(super) fn still_counts(first: ProvenFirstStep, person: Option<Person>) -> bool {
    person.is_some_and(|person| {
        let same = match first.step {
            FirstStep::Password { version } => person.password_version == version,
            FirstStep::PasskeyUv { .. } => true,
        };
        same && person.user == first.user && person.epoch == first.epoch
    })
}

/// A password may be posted in any open state: the person that it identifies starts with nothing else proven (misuse
/// case 5).
fn password(state: State, checked: &PasswordChecked, facts: &Facts<'_>) -> Transition {
    match checked.verdict() {
        PasswordVerdict::Wrong => Transition::stay(state, PasswordRefusal::Wrong),
        PasswordVerdict::Paused(until) => Transition::stay(state, PasswordRefusal::Paused(until)),
        PasswordVerdict::Right(first) if still_counts(first, facts.person) => {
            match facts.offered.first() {
                Some(method) => await_second_step(first, *method, facts),
                None => Transition::start_again(),
            }
        }
        PasswordVerdict::Right(_) => Transition::start_again(),
    }
}

/// Waits for the second step by a method. A mailed code is delivered first, something held is there already.
fn await_second_step(first: ProvenFirstStep, method: Method, facts: &Facts<'_>) -> Transition {
    let (waiting, effects) = match method {
        Method::Mailed(method) => {
            let challenge = Challenge { method, id: facts.challenge };
            let open = Effect::Deliver(Delivery::Open(first, challenge));
            (AwaitedProof::Mailed(challenge), vec![open])
        }
        Method::Held(method) => (AwaitedProof::Held(method), Vec::new()),
    };
    Transition::to(State::Second(PendingSecondStep { first, waiting }), effects)
}

/// Choosing another method proves nothing and removes nothing: the first step stays, and only what is awaited changes.
fn choose(second: PendingSecondStep, method: Method, facts: &Facts<'_>) -> Transition {
    let awaited = match second.waiting {
        AwaitedProof::Mailed(challenge) => Method::Mailed(challenge.method),
        AwaitedProof::Held(method) => Method::Held(method),
    };
    if !facts.offered.contains(&method) {
        return Transition::stay(State::Second(second), Refusal::OutOfTurn);
    }
    if method == awaited {
        return Transition::to(State::Second(second), Vec::new());
    }
    await_second_step(second.first, method, facts)
}

/// Whether a verdict about this challenge is about what the attempt waits for.
fn is_challenge_awaited(
    second: &PendingSecondStep,
    challenge: Challenge,
    facts: &Facts<'_>,
) -> bool {
    match second.waiting {
        AwaitedProof::Mailed(own) => {
            own == challenge || (own.method == challenge.method && facts.current == Some(challenge))
        }
        AwaitedProof::Held(_) => false,
    }
}

fn is_awaited(second: &PendingSecondStep, proof: &Proof, facts: &Facts<'_>) -> bool {
    let awaited = match (second.waiting, proof) {
        (_, Proof::Mailed(challenge)) => is_challenge_awaited(second, *challenge, facts),
        (AwaitedProof::Held(method), Proof::Held(held)) => held.method == method,
        (AwaitedProof::Mailed(_), Proof::Held(_)) => false,
    };
    awaited && facts.offered.contains(&proof.method())
}

fn second_step(
    second: PendingSecondStep,
    checked: &SecondChecked,
    facts: &Facts<'_>,
) -> Transition {
    let (first, proof, owner) = (second.first, *checked.proof(), checked.owner());
    let is_owner = owner.user == first.user && owner.epoch == first.epoch;
    if !is_owner || !is_awaited(&second, &proof, facts) {
        return Transition::stay(State::Second(second), Refusal::OutOfTurn);
    }
    match (checked.verdict(), proof) {
        (Verdict::Right(CodeValidity::Valid), proof) => after_second_step(first, proof, facts),
        (Verdict::Right(CodeValidity::Late), Proof::Mailed(challenge)) => {
            send_again(first, challenge).with_refusal(MailRefusal::Late)
        }
        (Verdict::Right(CodeValidity::Expired) | Verdict::Expired, Proof::Mailed(challenge)) => {
            replace(first, challenge, facts).with_refusal(MailRefusal::Expired)
        }
        (
            Verdict::Right(CodeValidity::Late | CodeValidity::Expired) | Verdict::Expired,
            Proof::Held(_),
        ) => Transition::stay(State::Second(second), Refusal::OutOfTurn),
        (Verdict::Refused(refusal), _) => Transition::stay(State::Second(second), refusal),
        (Verdict::Repeated, _) => Transition::stay(State::Second(second), CodeRefusal::Used),
    }
}

/// A proof of both steps may be posted in any open state, like a password, and discards what was proven before.
fn both_steps(state: State, checked: &SecondChecked, facts: &Facts<'_>) -> Transition {
    let (proof, owner) = (*checked.proof(), checked.owner());
    match (state, checked.verdict(), proof) {
        (State::NewPassword(pending), Verdict::Repeated, _)
            if still_counts(pending.first, facts.person) =>
        {
            repeated_before_new_password(pending, checked)
        }
        (_, Verdict::Right(CodeValidity::Valid), Proof::Held(held)) => {
            let step = FirstStep::PasskeyUv { credential: held.row };
            let first = ProvenFirstStep { user: owner.user, epoch: owner.epoch, step };
            if still_counts(first, facts.person) && facts.offered.contains(&proof.method()) {
                after_second_step(first, proof, facts)
            } else {
                Transition::start_again()
            }
        }
        (state, Verdict::Refused(refusal), _) => Transition::stay(state, refusal),
        (state, Verdict::Repeated, _) => Transition::stay(state, CodeRefusal::Used),
        (state, Verdict::Right(_) | Verdict::Expired, _) => {
            Transition::stay(state, Refusal::OutOfTurn)
        }
    }
}

/// The only continuation after a proven second step.
fn after_second_step(first: ProvenFirstStep, proof: Proof, facts: &Facts<'_>) -> Transition {
    let mut effects = Vec::with_capacity(3);
    effects.push(Effect::Consume(first, proof));
    if facts.person.is_none_or(|person| person.must_change) {
        effects.push(Effect::ChangeBrowser);
        return Transition::to(State::NewPassword(PendingNewPassword { first, proof }), effects);
    }
    let session = facts.session;
    effects.push(Effect::SignIn(SignInProof { first, proof, session }));
    effects.push(Effect::End(facts.goal));
    let completed = CompletedAttempt { user: first.user, session, proof: Some(proof) };
    Transition::to(State::Complete(completed), effects)
}

fn new_password(
    pending: PendingNewPassword,
    checked: &NewPasswordChecked,
    facts: &Facts<'_>,
) -> Transition {
    let PendingNewPassword { first, proof } = pending;
    if checked.user() != first.user {
        return Transition::stay(State::NewPassword(pending), Refusal::OutOfTurn);
    }
    if let Some(bad) = checked.refusal() {
        return Transition::stay(State::NewPassword(pending), bad);
    }
    let session = facts.session;
    let signed_in = Effect::SignIn(SignInProof { first, proof, session });
    let effects = vec![Effect::ChangePassword(first), signed_in, Effect::End(facts.goal)];
    Transition::to(
        State::Complete(CompletedAttempt { user: first.user, session, proof: None }),
        effects,
    )
}

fn resend(second: PendingSecondStep, checked: &ResendChecked, facts: &Facts<'_>) -> Transition {
    let challenge = checked.challenge();
    if !is_challenge_awaited(&second, challenge, facts) {
        return Transition::stay(State::Second(second), Refusal::OutOfTurn);
    }
    match checked.verdict() {
        ResendVerdict::Same => send_again(second.first, challenge),
        ResendVerdict::New => replace(second.first, challenge, facts),
        ResendVerdict::Later(at) => {
            Transition::stay(State::Second(second), MailRefusal::SendLater(at))
        }
    }
}

fn send_again(first: ProvenFirstStep, challenge: Challenge) -> Transition {
    let waiting = AwaitedProof::Mailed(challenge);
    let again = Effect::Deliver(Delivery::SendAgain(challenge));
    Transition::to(State::Second(PendingSecondStep { first, waiting }), vec![again])
}

fn replace(first: ProvenFirstStep, old: Challenge, facts: &Facts<'_>) -> Transition {
    let new = Challenge { id: facts.challenge, ..old };
    if new == old {
        // It can still be joined, so no replacement is needed: superseded by itself, it could never be answered.
        return send_again(first, old);
    }
    let waiting = AwaitedProof::Mailed(new);
    let replaced = Effect::Deliver(Delivery::Replace { first, old, new });
    Transition::to(State::Second(PendingSecondStep { first, waiting }), vec![replaced])
}

/// Another tab completed: this one continues with that session, if it is of the person identified here.
fn follow(state: State, checked: &SessionChecked, facts: &Facts<'_>) -> Transition {
    let first = match &state {
        State::Second(second) => second.first,
        State::NewPassword(pending) => pending.first,
        State::Password | State::Complete(_) | State::Cancelled => {
            return Transition::stay(state, Refusal::OutOfTurn);
        }
    };
    let current = facts
        .person
        .is_some_and(|person| person.user == checked.user() && person.epoch == checked.epoch());
    if checked.user() != first.user || !current {
        return Transition::stay(state, Refusal::OutOfTurn);
    }
    let session = checked.session();
    let completed = CompletedAttempt { user: first.user, session, proof: None };
    Transition::to(
        State::Complete(completed),
        vec![Effect::FollowSession(session), Effect::End(facts.goal)],
    )
}

/// The right proof again, from the browser that it has just led to the new password: a lost answer or a double click.
fn repeated_before_new_password(
    pending: PendingNewPassword,
    checked: &SecondChecked,
) -> Transition {
    let owner = checked.owner();
    let is_owner = pending.proof == *checked.proof()
        && (owner.user, owner.epoch) == (pending.first.user, pending.first.epoch);
    match checked.verdict() {
        Verdict::Repeated if is_owner => {
            Transition::to(State::NewPassword(pending), vec![Effect::ChangeBrowser])
        }
        _ => Transition::stay(State::NewPassword(pending), Refusal::OutOfTurn),
    }
}

/// The right proof again, from the browser that completed, soon after: a lost answer or a double click.
fn repeated_after_completion(
    completed: CompletedAttempt,
    checked: &SecondChecked,
    facts: &Facts<'_>,
) -> Transition {
    let is_owner =
        completed.proof == Some(*checked.proof()) && completed.user == checked.owner().user;
    match checked.verdict() {
        Verdict::Repeated if is_owner => {
            let effects = vec![Effect::Reissue(completed.session), Effect::End(facts.goal)];
            Transition::to(State::Complete(completed), effects)
        }
        _ => Transition::stay(State::Complete(completed), CodeRefusal::Used),
    }
}
