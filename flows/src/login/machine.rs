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
//! It knows no clock, no database and no secret. What was found out about an input arrives as a verdict that only its
//! verifier can make; what must happen leaves as an effect. `search` runs this very function over every order of
//! events and proves that no session comes into being without both steps.
//!
//! It knows no method either: only the two kinds of `method`, and what it does for one it does for all of its kind.

use store::{ChallengeId, SessionId, UserId, sign_in::SecondMethod};

use super::{
    code_window::Time,
    effect::{Delivery, Effect},
    follow::SessionChecked,
    goal::Goal,
    method::{Challenge, Method, Proof},
    new_password::NewPasswordChecked,
    password::{PasswordChecked, PasswordVerdict},
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    resend::{ResendChecked, ResendVerdict},
    second::{SecondChecked, Verdict},
    state::{Completed, First, FirstStep, NewPassword, Second, State, Waiting},
};

/// What was found out about a posted input.
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

/// What the machine may look at besides state and input. Ids are chosen by the caller, because chance is a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The person that state or input is about, read again in the same transaction; absent if none is identified.
    pub person: Option<Person>,
    /// The methods that this person may answer with, the one that is asked for first in front.
    pub offered: &'a [Method],
    /// The challenge to answer next: the open one of this person in this browser if it can be joined, or a new id.
    pub challenge: ChallengeId,
    /// The open challenge of this person in this browser, whether or not it can be joined. It takes the place of the one
    /// that the state waits for when another tab has put that aside: the newest code works in every tab.
    pub current: Option<Challenge>,
    /// The session to sign in to: the live one of this person in this browser, or a new id.
    pub session: SessionId,
    /// Where the attempt ends.
    pub goal: Goal,
}

/// Proof that both steps were completed. Only [`step`] makes one: the fields are private to this file.
#[derive(Debug)]
pub struct Complete {
    first: First,
    proof: Proof,
    session: SessionId,
}

impl Complete {
    /// The first step.
    #[must_use]
    pub const fn first(&self) -> First {
        self.first
    }

    /// The word of the second step; none where the first was both.
    #[must_use]
    pub const fn second(&self) -> Option<SecondMethod> {
        self.proof.second_word()
    }

    /// The session to sign in to.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

/// What [`step`] decides.
#[derive(Debug)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What must happen with it.
    pub effects: Vec<Effect>,
    /// What the person is told, if it is not simply the next page.
    pub refusal: Option<Refusal>,
}

impl Step {
    fn to(state: State, effects: Vec<Effect>) -> Self {
        Self { state, effects, refusal: None }
    }

    fn stay(state: State, refusal: impl Into<Refusal>) -> Self {
        Self { state, effects: Vec::new(), refusal: Some(refusal.into()) }
    }

    fn told(mut self, refusal: impl Into<Refusal>) -> Self {
        self.refusal = Some(refusal.into());
        self
    }

    fn start_again() -> Self {
        Self::stay(State::Password, Refusal::StartAgain)
    }
}

/// The next state and what must happen with it.
#[must_use]
pub fn step(state: State, input: Input, facts: &Facts<'_>) -> Step {
    match (state, input) {
        (State::Complete(completed), Input::Second(checked)) => {
            repeated(completed, &checked, facts)
        }
        (state @ (State::Complete(_) | State::Cancelled), _) => {
            Step::stay(state, Refusal::OutOfTurn)
        }
        (_, Input::Restart) => Step::to(State::Password, Vec::new()),
        (_, Input::Cancel) => Step::to(State::Cancelled, Vec::new()),
        (state, Input::Password(checked)) => password(state, &checked, facts),
        (state, Input::Second(checked)) if checked.is_about_both() => both(state, &checked, facts),
        (state, Input::Follow(checked)) => follow(state, &checked, facts),
        (
            State::Second(Second { first, .. }) | State::NewPassword(NewPassword { first, .. }),
            _,
        ) if !alive(first, facts) => Step::start_again(),
        (State::Second(second), Input::Second(checked)) => second_step(second, &checked, facts),
        (State::Second(second), Input::Choose(method)) => choose(second, method, facts),
        (State::Second(second), Input::Resend(checked)) => resend(second, &checked, facts),
        (State::NewPassword(pending), Input::NewPassword(checked)) => {
            new_password(pending, &checked, facts)
        }
        (State::NewPassword(pending), Input::Second(checked)) => led_on_again(pending, &checked),
        (state, Input::Second(_) | Input::Choose(_) | Input::Resend(_) | Input::NewPassword(_)) => {
            Step::stay(state, Refusal::OutOfTurn)
        }
    }
}

/// Whether what was proven still counts: the same person, no reset since, and no other password where one was proven.
fn alive(first: First, facts: &Facts<'_>) -> bool {
    facts.person.is_some_and(|person| {
        let same = match first.step {
            FirstStep::Password { version } => person.password_version == version,
            FirstStep::PasskeyUv { .. } => true,
        };
        same && person.user == first.user && person.epoch == first.epoch
    })
}

/// A password may be posted in any open state: the person that it identifies starts with nothing else proven (misuse
/// case 5).
fn password(state: State, checked: &PasswordChecked, facts: &Facts<'_>) -> Step {
    match checked.verdict() {
        PasswordVerdict::Wrong => Step::stay(state, PasswordRefusal::Wrong),
        PasswordVerdict::Paused(until) => Step::stay(state, PasswordRefusal::Paused(until)),
        PasswordVerdict::Right(first) if alive(first, facts) => match facts.offered.first() {
            Some(method) => ask_for(first, *method, facts),
            None => Step::start_again(),
        },
        PasswordVerdict::Right(_) => Step::start_again(),
    }
}

/// Asks for the second step by a method. What is mailed is brought to the person, what is held is there.
fn ask_for(first: First, method: Method, facts: &Facts<'_>) -> Step {
    let (waiting, effects) = match method {
        Method::Mailed(method) => {
            let challenge = Challenge { method, id: facts.challenge };
            let open = Effect::Deliver(Delivery::Open(first, challenge));
            (Waiting::Mailed(challenge), vec![open])
        }
        Method::Held(method) => (Waiting::Held(method), Vec::new()),
    };
    Step::to(State::Second(Second { first, waiting }), effects)
}

/// Another method proves nothing and takes nothing away: the first step stays, and only what is awaited changes.
fn choose(second: Second, method: Method, facts: &Facts<'_>) -> Step {
    let awaited = match second.waiting {
        Waiting::Mailed(challenge) => Method::Mailed(challenge.method),
        Waiting::Held(method) => Method::Held(method),
    };
    if !facts.offered.contains(&method) {
        return Step::stay(State::Second(second), Refusal::OutOfTurn);
    }
    if method == awaited {
        return Step::to(State::Second(second), Vec::new());
    }
    ask_for(second.first, method, facts)
}

/// Whether a verdict about this challenge is a verdict about what the attempt waits for.
fn is_challenge_awaited(second: &Second, challenge: Challenge, facts: &Facts<'_>) -> bool {
    match second.waiting {
        Waiting::Mailed(own) => {
            own == challenge || (own.method == challenge.method && facts.current == Some(challenge))
        }
        Waiting::Held(_) => false,
    }
}

fn is_awaited(second: &Second, proof: &Proof, facts: &Facts<'_>) -> bool {
    let awaited = match (second.waiting, proof) {
        (_, Proof::Mailed(challenge)) => is_challenge_awaited(second, *challenge, facts),
        (Waiting::Held(method), Proof::Held(held)) => held.method == method,
        (Waiting::Mailed(_), Proof::Held(_)) => false,
    };
    awaited && facts.offered.contains(&proof.method())
}

fn second_step(second: Second, checked: &SecondChecked, facts: &Facts<'_>) -> Step {
    let (first, proof, owner) = (second.first, *checked.proof(), checked.owner());
    let own = owner.user == first.user && owner.epoch == first.epoch;
    if !own || !is_awaited(&second, &proof, facts) {
        return Step::stay(State::Second(second), Refusal::OutOfTurn);
    }
    match (checked.verdict(), proof) {
        (Verdict::Right(Time::Open), proof) => second_proven(first, proof, facts),
        (Verdict::Right(Time::Late), Proof::Mailed(challenge)) => {
            send_again(first, challenge).told(MailRefusal::Late)
        }
        (Verdict::Right(Time::Past) | Verdict::Past, Proof::Mailed(challenge)) => {
            replace(first, challenge, facts).told(MailRefusal::Expired)
        }
        (Verdict::Right(Time::Late | Time::Past) | Verdict::Past, Proof::Held(_)) => {
            Step::stay(State::Second(second), Refusal::OutOfTurn)
        }
        (Verdict::Refused(refusal), _) => Step::stay(State::Second(second), refusal),
        (Verdict::Repeated, _) => Step::stay(State::Second(second), CodeRefusal::Used),
    }
}

/// What proves both steps may be posted in any open state, like a password, and keeps nothing of what was proven before.
fn both(state: State, checked: &SecondChecked, facts: &Facts<'_>) -> Step {
    let (proof, owner) = (*checked.proof(), checked.owner());
    match (state, checked.verdict(), proof) {
        (State::NewPassword(pending), Verdict::Repeated, _) if alive(pending.first, facts) => {
            led_on_again(pending, checked)
        }
        (_, Verdict::Right(Time::Open), Proof::Held(held)) => {
            let step = FirstStep::PasskeyUv { credential: held.row };
            let first = First { user: owner.user, epoch: owner.epoch, step };
            if alive(first, facts) && facts.offered.contains(&proof.method()) {
                second_proven(first, proof, facts)
            } else {
                Step::start_again()
            }
        }
        (state, Verdict::Refused(refusal), _) => Step::stay(state, refusal),
        (state, Verdict::Repeated, _) => Step::stay(state, CodeRefusal::Used),
        (state, Verdict::Right(_) | Verdict::Past, _) => Step::stay(state, Refusal::OutOfTurn),
    }
}

/// The one way from a proven second step onwards.
fn second_proven(first: First, proof: Proof, facts: &Facts<'_>) -> Step {
    let mut effects = Vec::with_capacity(3);
    effects.push(Effect::Spend(first, proof));
    if facts.person.is_none_or(|person| person.must_change) {
        effects.push(Effect::ChangeBrowser);
        return Step::to(State::NewPassword(NewPassword { first, proof }), effects);
    }
    let session = facts.session;
    effects.push(Effect::SignIn(Complete { first, proof, session }));
    effects.push(Effect::End(facts.goal));
    let completed = Completed { user: first.user, session, proof: Some(proof) };
    Step::to(State::Complete(completed), effects)
}

fn new_password(pending: NewPassword, checked: &NewPasswordChecked, facts: &Facts<'_>) -> Step {
    let NewPassword { first, proof } = pending;
    if checked.user() != first.user {
        return Step::stay(State::NewPassword(pending), Refusal::OutOfTurn);
    }
    if let Some(bad) = checked.refused() {
        return Step::stay(State::NewPassword(pending), bad);
    }
    let session = facts.session;
    let signed_in = Effect::SignIn(Complete { first, proof, session });
    let effects = vec![Effect::ChangePassword(first), signed_in, Effect::End(facts.goal)];
    Step::to(State::Complete(Completed { user: first.user, session, proof: None }), effects)
}

fn resend(second: Second, checked: &ResendChecked, facts: &Facts<'_>) -> Step {
    let challenge = checked.challenge();
    if !is_challenge_awaited(&second, challenge, facts) {
        return Step::stay(State::Second(second), Refusal::OutOfTurn);
    }
    match checked.verdict() {
        ResendVerdict::Same => send_again(second.first, challenge),
        ResendVerdict::New => replace(second.first, challenge, facts),
        ResendVerdict::Later(at) => Step::stay(State::Second(second), MailRefusal::SendLater(at)),
    }
}

fn send_again(first: First, challenge: Challenge) -> Step {
    let waiting = Waiting::Mailed(challenge);
    let again = Effect::Deliver(Delivery::SendAgain(challenge));
    Step::to(State::Second(Second { first, waiting }), vec![again])
}

fn replace(first: First, old: Challenge, facts: &Facts<'_>) -> Step {
    let new = Challenge { id: facts.challenge, ..old };
    if new == old {
        // It can still be joined, so nothing has to take its place: put aside for itself, it could never be answered.
        return send_again(first, old);
    }
    let waiting = Waiting::Mailed(new);
    let replaced = Effect::Deliver(Delivery::Replace { first, old, new });
    Step::to(State::Second(Second { first, waiting }), vec![replaced])
}

/// Another tab completed: this one goes on by the session, if it is the session of the person identified here.
fn follow(state: State, checked: &SessionChecked, facts: &Facts<'_>) -> Step {
    let first = match &state {
        State::Second(second) => second.first,
        State::NewPassword(pending) => pending.first,
        State::Password | State::Complete(_) | State::Cancelled => {
            return Step::stay(state, Refusal::OutOfTurn);
        }
    };
    let current = facts
        .person
        .is_some_and(|person| person.user == checked.user() && person.epoch == checked.epoch());
    if checked.user() != first.user || !current {
        return Step::stay(state, Refusal::OutOfTurn);
    }
    let session = checked.session();
    let completed = Completed { user: first.user, session, proof: None };
    Step::to(
        State::Complete(completed),
        vec![Effect::FollowSession(session), Effect::End(facts.goal)],
    )
}

/// The right proof once more, by the browser that it has just led to the new password: a lost answer or a double click.
fn led_on_again(pending: NewPassword, checked: &SecondChecked) -> Step {
    let owner = checked.owner();
    let own = pending.proof == *checked.proof()
        && (owner.user, owner.epoch) == (pending.first.user, pending.first.epoch);
    match checked.verdict() {
        Verdict::Repeated if own => {
            Step::to(State::NewPassword(pending), vec![Effect::ChangeBrowser])
        }
        _ => Step::stay(State::NewPassword(pending), Refusal::OutOfTurn),
    }
}

/// The right proof once more, by the browser that completed, soon after: a lost answer or a double click.
fn repeated(completed: Completed, checked: &SecondChecked, facts: &Facts<'_>) -> Step {
    let own = completed.proof == Some(*checked.proof()) && completed.user == checked.owner().user;
    match checked.verdict() {
        Verdict::Repeated if own => {
            let effects = vec![Effect::Reissue(completed.session), Effect::End(facts.goal)];
            Step::to(State::Complete(completed), effects)
        }
        _ => Step::stay(State::Complete(completed), CodeRefusal::Used),
    }
}
