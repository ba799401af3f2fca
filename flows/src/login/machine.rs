//! The sign-in machine: a pure function over an explicit state.
//!
//! ```text
//!              password right               code right and in time
//!  Password ───────────────────▶ Second ─────────────────────────────▶ Complete ◀─┐
//!     ▲ ▲                         │ │ │                                            │
//!     │ └──── restart, reset ─────┘ │ └─ code right, reset demanded ─▶ NewPassword ┘
//!     │                             └─ another tab of this browser completed ─▶ Complete
//!     └──────── restart, another person's password, reset ──────────────┘
//! ```
//!
//! It knows no clock, no database and no secret. What was found out about an input arrives as a verdict that only its
//! verifier can make; what must happen leaves as an effect. `search` runs this very function over every order of
//! events and proves that nothing is issued without both steps.
//!
//! **The next method plugs in at [`Waiting`], [`SecondChecked`] and `second_proven`**: a variant each, and its verifier
//! in a file beside `email_code.rs`.

use serde::{Deserialize, Serialize};
use store::{ChallengeId, SessionId, UserId};

pub use super::code_window::Time;
use super::{
    email_code::{CodeChecked, CodeVerdict},
    follow::SessionChecked,
    new_password::NewPasswordChecked,
    password::{PasswordChecked, PasswordVerdict},
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    resend::{ResendChecked, ResendVerdict},
};

/// Where an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Nobody is identified, nothing is proven.
    Password,
    /// The password is proven; the second step is awaited.
    Second(Second),
    /// Both steps are proven, and a forced reset demands a new password first.
    NewPassword(NewPassword),
    /// Issued. Kept so that a repeated post goes to the same end.
    Complete(Completed),
    /// The person gave up.
    Cancelled,
}

/// The first step, proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct First {
    /// Who: fixed from here on.
    pub user: UserId,
    /// The person's epoch when it was proven.
    pub epoch: i64,
    /// The version of the password that was proven.
    pub password_version: i64,
}

/// Waiting for the second step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Second {
    /// The first step.
    pub first: First,
    /// What is awaited.
    pub waiting: Waiting,
}

/// What the second step waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Waiting {
    /// The code of this challenge.
    EmailCode(ChallengeId),
}

/// Methods of the second step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SecondMethod {
    /// A six-digit code by e-mail.
    EmailCode,
}

impl SecondMethod {
    /// Its word in `sign_ins.second`.
    #[must_use]
    pub const fn word(self) -> store::sign_in::SecondMethod {
        match self {
            Self::EmailCode => store::sign_in::SecondMethod::EmailCode,
        }
    }
}

/// Both steps proven, a new password awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewPassword {
    /// The first step.
    pub first: First,
    /// Method of the second step.
    pub second: SecondMethod,
    /// The challenge whose code led here, if one did: the same code once more leads here again.
    #[serde(default)]
    pub challenge: Option<ChallengeId>,
}

/// An issued attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Completed {
    /// Who.
    pub user: UserId,
    /// The session that the browser got or had.
    pub session: SessionId,
    /// The challenge whose code completed it, if one did.
    pub challenge: Option<ChallengeId>,
}

/// What was found out about a posted input.
#[derive(Debug)]
pub enum Input {
    /// An address and a password.
    Password(PasswordChecked),
    /// The second step.
    Second(SecondChecked),
    /// A new password after a forced reset.
    NewPassword(NewPasswordChecked),
    /// "Send it again".
    Resend(ResendChecked),
    /// This browser was signed in meanwhile, by another tab.
    Follow(SessionChecked),
    /// "Start again".
    Restart,
    /// "Cancel": back to the client.
    Cancel,
}

/// A verdict about the second step, by method.
#[derive(Debug)]
pub enum SecondChecked {
    /// A mailed code.
    EmailCode(CodeChecked),
}

/// The person as the database shows them in the transaction that applies the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
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
pub struct Facts {
    /// The person whom state or input is about, read again in the same transaction; absent if nobody is identified.
    pub person: Option<Person>,
    /// The challenge to answer next: the open one of this person in this browser if it can be joined, or a new id.
    pub challenge: ChallengeId,
    /// The open challenge of this person in this browser, whether or not it can be joined. It takes the place of the one
    /// that the state waits for when another tab has put that aside: the newest code works in every tab.
    pub current: Option<ChallengeId>,
    /// The session to sign in to: the live one of this person in this browser, or a new id.
    pub session: SessionId,
}

/// Proof that both steps were completed. Only [`step`] makes one: the fields are private to this file.
#[derive(Debug)]
pub struct Complete {
    first: First,
    second: SecondMethod,
    session: SessionId,
}

impl Complete {
    /// The first step.
    #[must_use]
    pub const fn first(&self) -> First {
        self.first
    }

    /// Method of the second step.
    #[must_use]
    pub const fn second(&self) -> SecondMethod {
        self.second
    }

    /// The session to sign in to.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

/// What must happen, in the transaction that stores the next state.
#[derive(Debug)]
pub enum Effect {
    /// Join or open this challenge and mail its code.
    OpenChallenge(First, ChallengeId),
    /// Put the old challenge aside and open a new one with a new code.
    ReplaceChallenge {
        /// The first step.
        first: First,
        /// The one that can no longer be answered.
        old: ChallengeId,
        /// Its successor.
        new: ChallengeId,
    },
    /// Mail the same code again.
    SendAgain(ChallengeId),
    /// Use the challenge up, or lose.
    UseChallenge(First, ChallengeId),
    /// Give the browser that proved the second step a new value, which alone owns the attempt from here on: whoever shared
    /// the old one, because they had planted it, is left behind.
    ChangeBrowser,
    /// Store the new password.
    ChangePassword(First),
    /// Sign in.
    SignIn(Complete),
    /// Go on by a session that this browser already has.
    FollowSession(SessionId),
    /// Give the browser that completed it new values and a new authorization code.
    Reissue(SessionId),
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
pub fn step(state: State, input: Input, facts: &Facts) -> Step {
    match (state, input) {
        (state @ (State::Complete(_) | State::Cancelled), Input::Password(_)) => {
            Step::stay(state, Refusal::OutOfTurn)
        }
        (state, Input::Password(checked)) => password(state, &checked, facts),
        (State::Complete(completed), Input::Second(SecondChecked::EmailCode(checked))) => {
            repeated(completed, &checked)
        }
        (state @ (State::Complete(_) | State::Cancelled), _) => {
            Step::stay(state, Refusal::OutOfTurn)
        }
        (_, Input::Restart) => Step::to(State::Password, Vec::new()),
        (_, Input::Cancel) => Step::to(State::Cancelled, Vec::new()),
        (state, Input::Follow(checked)) => follow(state, &checked, facts),
        (State::Second(second), input) if !alive(second.first, facts) => {
            let _ = input;
            Step::start_again()
        }
        (State::NewPassword(pending), input) if !alive(pending.first, facts) => {
            let _ = input;
            Step::start_again()
        }
        (State::Second(second), Input::Second(SecondChecked::EmailCode(checked))) => {
            email_code(second, &checked, facts)
        }
        (State::Second(second), Input::Resend(checked)) => resend(second, &checked, facts),
        (State::NewPassword(pending), Input::NewPassword(checked)) => {
            new_password(pending, &checked, facts)
        }
        (State::NewPassword(pending), Input::Second(SecondChecked::EmailCode(checked))) => {
            led_on_again(pending, &checked)
        }
        (state, Input::Second(_) | Input::Resend(_) | Input::NewPassword(_)) => {
            Step::stay(state, Refusal::OutOfTurn)
        }
    }
}

/// Whether what was proven still counts: same person, no reset and no other password since.
fn alive(first: First, facts: &Facts) -> bool {
    facts.person.is_some_and(|person| {
        person.user == first.user
            && person.epoch == first.epoch
            && person.password_version == first.password_version
    })
}

/// A password may be posted in any open state: whoever it identifies starts with nothing else proven (misuse case 5).
fn password(state: State, checked: &PasswordChecked, facts: &Facts) -> Step {
    match checked.verdict() {
        PasswordVerdict::Wrong => Step::stay(state, PasswordRefusal::Wrong),
        PasswordVerdict::Paused(until) => Step::stay(state, PasswordRefusal::Paused(until)),
        PasswordVerdict::Right(first) if alive(first, facts) => {
            let waiting = Waiting::EmailCode(facts.challenge);
            Step::to(
                State::Second(Second { first, waiting }),
                vec![Effect::OpenChallenge(first, facts.challenge)],
            )
        }
        PasswordVerdict::Right(_) => Step::start_again(),
    }
}

/// Whether a verdict about this challenge is a verdict about what the attempt waits for.
fn is_awaited(second: &Second, challenge: ChallengeId, facts: &Facts) -> bool {
    second.waiting == Waiting::EmailCode(challenge) || facts.current == Some(challenge)
}

fn email_code(second: Second, checked: &CodeChecked, facts: &Facts) -> Step {
    let (first, challenge) = (second.first, checked.challenge());
    let own = checked.user() == first.user && checked.epoch() == first.epoch;
    if !own || !is_awaited(&second, challenge, facts) {
        return Step::stay(State::Second(second), Refusal::OutOfTurn);
    }
    match checked.verdict() {
        CodeVerdict::Right(Time::Open) => {
            second_proven(first, SecondMethod::EmailCode, Some(challenge), facts)
        }
        CodeVerdict::Right(Time::Late) => send_again(first, challenge).told(MailRefusal::Late),
        CodeVerdict::Right(Time::Past) | CodeVerdict::Past => {
            replace(first, challenge, facts).told(MailRefusal::Expired)
        }
        CodeVerdict::Refused(refusal) => Step::stay(State::Second(second), refusal),
        CodeVerdict::Repeated => Step::stay(State::Second(second), CodeRefusal::Used),
    }
}

/// The one way from a proven second step onwards.
fn second_proven(
    first: First,
    second: SecondMethod,
    challenge: Option<ChallengeId>,
    facts: &Facts,
) -> Step {
    let mut effects = Vec::with_capacity(2);
    effects.extend(challenge.map(|id| Effect::UseChallenge(first, id)));
    if facts.person.is_none_or(|person| person.must_change) {
        effects.push(Effect::ChangeBrowser);
        return Step::to(State::NewPassword(NewPassword { first, second, challenge }), effects);
    }
    let session = facts.session;
    effects.push(Effect::SignIn(Complete { first, second, session }));
    Step::to(State::Complete(Completed { user: first.user, session, challenge }), effects)
}

fn new_password(pending: NewPassword, checked: &NewPasswordChecked, facts: &Facts) -> Step {
    let NewPassword { first, second, .. } = pending;
    if checked.user() != first.user {
        return Step::stay(State::NewPassword(pending), Refusal::OutOfTurn);
    }
    if let Some(bad) = checked.refused() {
        return Step::stay(State::NewPassword(pending), bad);
    }
    let session = facts.session;
    let effects =
        vec![Effect::ChangePassword(first), Effect::SignIn(Complete { first, second, session })];
    Step::to(State::Complete(Completed { user: first.user, session, challenge: None }), effects)
}

fn resend(second: Second, checked: &ResendChecked, facts: &Facts) -> Step {
    let challenge = checked.challenge();
    if !is_awaited(&second, challenge, facts) {
        return Step::stay(State::Second(second), Refusal::OutOfTurn);
    }
    match checked.verdict() {
        ResendVerdict::Same => send_again(second.first, challenge),
        ResendVerdict::New => replace(second.first, challenge, facts),
        ResendVerdict::Later(at) => Step::stay(State::Second(second), MailRefusal::SendLater(at)),
    }
}

fn send_again(first: First, challenge: ChallengeId) -> Step {
    let waiting = Waiting::EmailCode(challenge);
    Step::to(State::Second(Second { first, waiting }), vec![Effect::SendAgain(challenge)])
}

fn replace(first: First, old: ChallengeId, facts: &Facts) -> Step {
    let new = facts.challenge;
    if new == old {
        // It can still be joined, so nothing has to take its place: put aside for itself, it could never be answered.
        return send_again(first, old);
    }
    let waiting = Waiting::EmailCode(new);
    Step::to(
        State::Second(Second { first, waiting }),
        vec![Effect::ReplaceChallenge { first, old, new }],
    )
}

/// Another tab completed: this one goes on by the session, if it is the session of the person identified here.
fn follow(state: State, checked: &SessionChecked, facts: &Facts) -> Step {
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
    let completed = Completed { user: first.user, session, challenge: None };
    Step::to(State::Complete(completed), vec![Effect::FollowSession(session)])
}

/// The right code once more, by the browser that it has just led to the new password: a lost answer or a double click.
fn led_on_again(pending: NewPassword, checked: &CodeChecked) -> Step {
    let own = pending.challenge == Some(checked.challenge())
        && (checked.user(), checked.epoch()) == (pending.first.user, pending.first.epoch);
    match checked.verdict() {
        CodeVerdict::Repeated if own => {
            Step::to(State::NewPassword(pending), vec![Effect::ChangeBrowser])
        }
        _ => Step::stay(State::NewPassword(pending), Refusal::OutOfTurn),
    }
}

/// The right code once more, by the browser that completed, soon after: a lost answer or a double click.
fn repeated(completed: Completed, checked: &CodeChecked) -> Step {
    let own = completed.challenge == Some(checked.challenge()) && completed.user == checked.user();
    match checked.verdict() {
        CodeVerdict::Repeated if own => {
            let session = completed.session;
            Step::to(State::Complete(completed), vec![Effect::Reissue(session)])
        }
        _ => Step::stay(State::Complete(completed), CodeRefusal::Used),
    }
}
