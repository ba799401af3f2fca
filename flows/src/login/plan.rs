//! What a decision of the machine does to which row: one pure function, for the program and for the search.
//!
//! ```text
//! Rows ─▶ facts ─▶ machine::step ─▶ effects ─▶ plan ─▶ writes
//! ```
//!
//! A transaction reads its [`Rows`], asks the machine, and does the [`Write`]s in their order. Each is one guarded
//! statement with what goes along with it; a guard that does not hold means that another request was faster, and the whole
//! transaction is rolled back. `apply` does them in the database, `search::executor` in its small world.

use store::{ChallengeId, SessionId, UserId};

use super::{
    effect::{Delivery, Effect},
    goal::{Goal, Page},
    machine::{Facts, Input, Person, SignInProof, Transition},
    method::{Challenge, MailedMethod, Method, Proof},
    password::PasswordVerdict,
    state::{ProvenFirstStep, State},
};

/// What a transaction has read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    /// The person that state or input is about.
    pub(super) person: Option<Person>,
    /// The methods that this person may answer with, the one that is asked for first in front.
    pub(super) offered: &'a [Method],
    /// The open challenge of this person in this browser, by the method that [`asks`] names.
    pub(super) open: Option<OpenChallenge>,
    /// The live session that was presented, of whatever person.
    pub(super) session: Option<PresentedSession>,
    /// Ids for what may have to be made.
    pub(super) new: NewIds,
    /// Where the attempt ends.
    pub(super) goal: Goal,
}

/// An open challenge.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenChallenge {
    pub(super) challenge: Challenge,
    /// The epoch that it was made under. One of an older epoch is dead, as its code is (decision 6): it is never joined, and
    /// put aside when the next one is opened.
    pub(super) epoch: i64,
    /// Whether its code is still good, and tries are left.
    pub(super) can_be_joined: bool,
}

/// A live session, by the secret that was presented.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresentedSession {
    pub(super) id: SessionId,
    pub(super) user: UserId,
}

/// Ids that nothing has yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewIds {
    pub(super) challenge: ChallengeId,
    pub(super) session: SessionId,
}

/// The person that an input is about: the one that it identifies, or else the one that the state is about.
pub(super) fn person_of(state: &State, input: &Input) -> Option<UserId> {
    match input {
        Input::Password(checked) => match checked.verdict() {
            PasswordVerdict::Right(first) => Some(first.user),
            PasswordVerdict::Wrong | PasswordVerdict::Paused(_) => state.user(),
        },
        Input::Second(checked) if checked.is_about_both() => Some(checked.owner().user),
        Input::Second(_)
        | Input::Choose(_)
        | Input::NewPassword(_)
        | Input::Resend(_)
        | Input::Follow(_)
        | Input::Restart
        | Input::Cancel => state.user(),
    }
}

/// The mailed method whose open challenge the machine needs to know for this input.
pub(super) fn challenge_method_of(
    state: &State,
    input: &Input,
    offered: &[Method],
) -> Option<MailedMethod> {
    let method = match input {
        Input::Password(checked) => match checked.verdict() {
            PasswordVerdict::Right(_) => offered.first().copied(),
            PasswordVerdict::Wrong | PasswordVerdict::Paused(_) => None,
        },
        Input::Choose(method) => Some(*method),
        Input::Second(checked) => Some(checked.proof().method()),
        Input::Resend(_) => state.challenge().map(|challenge| Method::Mailed(challenge.method)),
        Input::NewPassword(_) | Input::Follow(_) | Input::Restart | Input::Cancel => None,
    };
    match method {
        Some(Method::Mailed(method)) => Some(method),
        Some(Method::Held(_)) | None => None,
    }
}

impl<'a> Rows<'a> {
    /// What the machine may look at of them.
    pub(super) fn facts(&self) -> Facts<'a> {
        let person = self.person;
        let current = self.open.filter(|open| person.is_some_and(|p| p.epoch == open.epoch));
        let joined = current.filter(|open| open.can_be_joined);
        let same_person =
            self.session.filter(|session| person.is_some_and(|p| p.user == session.user));
        Facts {
            person,
            offered: self.offered,
            challenge: joined.map_or(self.new.challenge, |joined| joined.challenge.id),
            current: current.map(|open| open.challenge),
            session: same_person.map_or(self.new.session, |own| own.id),
            goal: self.goal,
        }
    }
}

/// Where the transaction stands beside its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowOwnership {
    /// Whether the attempt has a row.
    pub(super) has_row: bool,
    /// Whether the presented browser value owns the row: not where a proof is posted once more with the value before.
    pub(super) owns_row: bool,
}

/// One write, in the order of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write<'a> {
    /// Lock the person's row until the transaction ends; lost unless this step still counts. What the rows said may have
    /// changed since they were read (READ COMMITTED).
    Lock(ProvenFirstStep),
    /// Put a challenge aside, if it is open.
    Supersede(Challenge),
    /// Open a challenge and mail its code; lost if another one is open, and unless the person is still active, of this epoch and
    /// at the address that was read.
    Open(ProvenFirstStep, Challenge),
    /// Mail the code of a challenge again; lost unless it is open.
    SendAgain(Challenge),
    /// Use a proof up; lost if it was used before.
    Consume(ProvenFirstStep, Proof),
    /// Store the new password of this person.
    ChangePassword(UserId),
    /// Record the sign-in.
    Record(&'a SignInProof),
    /// End a session, if it lives: another person signs in.
    EndSession(PresentedSession),
    /// Begin the session of the sign-in that was recorded.
    BeginSession(SessionId),
    /// Give the session a new secret and the sign-in that was recorded; lost unless the presented secret is still its own.
    RotateSession(SessionId),
    /// Give the session a new secret and nothing else; lost if it has ended.
    ReplaceSecret(SessionId),
    /// Void the authorization codes of this attempt that were not redeemed.
    VoidCodes,
    /// Make the attempt's row, if there is none.
    MakeRow,
    /// Store the next state; lost if the attempt was changed since it was loaded.
    Save,
    /// The same, and hand the attempt to the browser's new value.
    HandOver,
    /// The same at the end of an attempt.
    Complete(BrowserValue),
    /// Move attempts and open challenges from a browser value to the new one.
    MoveBrowser {
        /// Which value.
        from: MoveSource,
        /// Which attempts.
        moves: MovedAttempts,
    },
    /// The session that the browser holds now is this one; lost unless it lives.
    RequireLive(SessionId),
    /// Answer the client by that session.
    AnswerClient {
        /// Whether it was proven for this very attempt.
        is_fresh: bool,
    },
    /// Go on to a page of ours by that session.
    GoTo(Page),
}

/// The browser value of a completed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrowserValue {
    /// The one that was presented.
    Presented,
    /// A new one.
    New,
}

/// The browser value that owns what moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveSource {
    /// By the value that was presented.
    ByPresented,
    /// By the value that owns the attempt's row.
    ByRow,
}

/// Which attempts of a browser move to its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MovedAttempts {
    /// All.
    All,
    /// This one, and those that no earlier value has led on. When a proof is posted once more, the browser may not have
    /// received the value that it got for the first: then only what it could have led on with the one before moves along.
    ThisAndUnmoved,
}

/// What is answered when everything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The page that is due.
    NextStep,
    /// The same, under a new browser value.
    BrowserChanged,
    /// The attempt's end, by the cookies that the browser has.
    Followed,
    /// The attempt's end, by new cookies.
    SignedIn,
}

/// What a decision of the machine comes to.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) writes: Vec<Write<'a>>,
    pub(super) reply: Reply,
}

impl<'a> Plan<'a> {
    /// The plan of a step.
    pub(super) fn of(
        rows: &Rows<'_>,
        before: &State,
        step: &'a Transition,
        ownership: RowOwnership,
    ) -> Self {
        let mut plan = Self { writes: Vec::with_capacity(10), reply: Reply::NextStep };
        if let Some(first) = step.effects.iter().find_map(Effect::rests_on) {
            plan.add(Write::Lock(first));
        }
        for effect in &step.effects {
            plan.effect(effect, rows, ownership);
        }
        if plan.reply == Reply::NextStep {
            plan.save(step.state == *before, ownership);
        }
        plan
    }

    fn add(&mut self, write: Write<'a>) {
        self.writes.push(write);
    }

    fn effect(&mut self, effect: &'a Effect, rows: &Rows<'_>, ownership: RowOwnership) {
        match effect {
            Effect::Deliver(delivery) => self.deliver(*delivery, rows),
            Effect::Consume(first, proof) => self.add(Write::Consume(*first, *proof)),
            Effect::ChangePassword(first) => self.add(Write::ChangePassword(first.user)),
            Effect::ChangeBrowser => {
                self.add(Write::HandOver);
                self.move_along(ownership);
                self.reply = Reply::BrowserChanged;
            }
            Effect::SignIn(proof) => self.sign_in(proof, rows),
            Effect::FollowSession(session) => {
                self.add(Write::Complete(BrowserValue::Presented));
                self.signed_in(*session, Reply::Followed);
            }
            Effect::Reissue(session) => {
                self.add(Write::ReplaceSecret(*session));
                self.add(Write::VoidCodes);
                self.move_along(ownership);
                self.signed_in(*session, Reply::SignedIn);
            }
            Effect::End(goal) => self.end(*goal),
        }
    }

    fn deliver(&mut self, delivery: Delivery, rows: &Rows<'_>) {
        match delivery {
            Delivery::Open(first, challenge) => self.open(first, challenge, rows),
            Delivery::SendAgain(challenge) => self.add(Write::SendAgain(challenge)),
            Delivery::Replace { first, old, new } => {
                self.add(Write::Supersede(old));
                self.open(first, new, rows);
            }
        }
    }

    /// Joins the challenge if it is the open one, and else puts that aside and opens it.
    fn open(&mut self, first: ProvenFirstStep, challenge: Challenge, rows: &Rows<'_>) {
        if let Some(open) = rows.open {
            if open.challenge == challenge {
                return;
            }
            self.add(Write::Supersede(open.challenge));
        }
        self.add(Write::Open(first, challenge));
    }

    /// What a sign-in makes: its row, a session that rests on it, and new values for everything that this browser has open
    /// (decision 13). Signing in again steps a session up and keeps its `sid`.
    fn sign_in(&mut self, proof: &'a SignInProof, rows: &Rows<'_>) {
        let session = proof.session();
        self.add(Write::Record(proof));
        match rows.session {
            Some(present) if present.id == session => self.add(Write::RotateSession(session)),
            present => {
                if let Some(other) = present {
                    self.add(Write::EndSession(other));
                }
                self.add(Write::BeginSession(session));
            }
        }
        self.add(Write::Complete(BrowserValue::New));
        self.add(Write::MoveBrowser { from: MoveSource::ByPresented, moves: MovedAttempts::All });
        self.signed_in(session, Reply::SignedIn);
    }

    fn move_along(&mut self, ownership: RowOwnership) {
        let moves =
            if ownership.owns_row { MovedAttempts::All } else { MovedAttempts::ThisAndUnmoved };
        self.add(Write::MoveBrowser { from: MoveSource::ByRow, moves });
    }

    fn signed_in(&mut self, session: SessionId, reply: Reply) {
        self.add(Write::RequireLive(session));
        self.reply = reply;
    }

    fn end(&mut self, goal: Goal) {
        let is_fresh = self.reply == Reply::SignedIn;
        self.add(match goal {
            Goal::Client => Write::AnswerClient { is_fresh },
            Goal::Page(page) => Write::GoTo(page),
        });
    }

    /// An unchanged state of an existing row is not written, so that wrong guesses at once do not lose each other's charge.
    fn save(&mut self, is_unchanged: bool, ownership: RowOwnership) {
        match (is_unchanged, ownership.has_row) {
            (true, true) => {}
            (true, false) => self.add(Write::MakeRow),
            (false, _) => self.add(Write::Save),
        }
    }
}
