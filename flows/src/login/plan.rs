//! Maps a decision of the machine to writes of rows: one pure function, for the program and for the search.
//!
//! ```text
//! Rows ─▶ facts ─▶ machine::step ─▶ effects ─▶ plan ─▶ writes
//! ```
//!
//! A transaction reads its [`Rows`], runs the machine, and carries out the [`Write`]s in their order. Each is one guarded
//! statement with what belongs to it; a guard that does not hold means that another request was faster, and the whole
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
    /// The methods that this person may answer with, the default first.
    pub(super) offered: &'a [Method],
    /// The open challenge of this person in this browser, by the method that [`challenge_method_of`] returns.
    pub(super) open: Option<OpenChallenge>,
    /// The live session that was presented, of any person.
    pub(super) session: Option<PresentedSession>,
    /// Ids for new rows.
    pub(super) new: NewIds,
    /// The goal of the attempt.
    pub(super) goal: Goal,
}

/// An open challenge.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenChallenge {
    pub(super) challenge: Challenge,
    /// Its epoch. One of an older epoch is invalid, and so is its code (decision 6): it is never joined, and is superseded
    /// when the next one is opened.
    pub(super) epoch: i64,
    /// Whether its code is still valid, and tries are left.
    pub(super) can_be_joined: bool,
}

/// A live session, by the secret that was presented.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresentedSession {
    pub(super) id: SessionId,
    pub(super) user: UserId,
}

/// Unused ids.
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

/// The mailed method whose open challenge the machine needs for this input.
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
    /// What the machine may use of them.
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

/// How the transaction relates to the attempt's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowOwnership {
    /// Whether the attempt has a row.
    pub(super) has_row: bool,
    /// Whether the presented browser value owns the row: not if a proof is posted again with the previous value.
    pub(super) owns_row: bool,
}

/// One write, in the order of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write<'a> {
    /// Lock the person's row until the transaction ends; a conflict unless this step still counts. The rows may have changed
    /// since they were read (READ COMMITTED).
    Lock(ProvenFirstStep),
    /// Supersede a challenge, if it is open.
    Supersede(Challenge),
    /// Open a challenge and mail its code; a conflict if another one is open, and unless the person is still active, of this
    /// epoch and at the address that was read.
    Open(ProvenFirstStep, Challenge),
    /// Mail the code of a challenge again; a conflict unless it is open.
    SendAgain(Challenge),
    /// Use a proof up; a conflict if it was used before.
    Consume(ProvenFirstStep, Proof),
    /// Store the new password of this person.
    ChangePassword(UserId),
    /// Record the sign-in.
    Record(&'a SignInProof),
    /// End a session, if it is live: another person signs in.
    EndSession(PresentedSession),
    /// Create the session of the recorded sign-in.
    BeginSession(SessionId),
    /// Give the session a new secret and the recorded sign-in; a conflict unless the presented secret is still its own.
    RotateSession(SessionId),
    /// Give the session a new secret and nothing else; a conflict if it has ended.
    ReplaceSecret(SessionId),
    /// Void the authorization codes of this attempt that were not redeemed.
    VoidCodes,
    /// Insert the attempt's row, if there is none.
    MakeRow,
    /// Store the next state; a conflict if the attempt was changed since it was loaded.
    Save,
    /// The same, and assign the attempt to the browser's new value.
    HandOver,
    /// The same, at the end of an attempt.
    Complete(BrowserValue),
    /// Move attempts and open challenges from a browser value to the new one.
    MoveBrowser {
        /// The old value.
        from: MoveSource,
        /// The attempts.
        moves: MovedAttempts,
    },
    /// The session that the browser has now is this one; a conflict unless it is live.
    RequireLive(SessionId),
    /// Answer the client with that session.
    AnswerClient {
        /// Whether it was proven for this very attempt.
        is_fresh: bool,
    },
    /// Continue to a page of ours with that session.
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

/// The browser value that owns what is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoveSource {
    /// The value that was presented.
    ByPresented,
    /// The value that owns the attempt's row.
    ByRow,
}

/// The attempts of a browser that are moved to its new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MovedAttempts {
    /// All.
    All,
    /// This one, and those that no earlier value has continued. When a proof is posted again, the browser may not have
    /// received the value that it got for the first: then only what it could have continued with the previous one is moved
    /// too.
    ThisAndUnmoved,
}

/// The answer when everything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The page that is due.
    NextStep,
    /// The same, with a new browser value.
    BrowserChanged,
    /// The attempt's goal, with the cookies that the browser has.
    Followed,
    /// The attempt's goal, with new cookies.
    SignedIn,
}

/// The plan for a decision of the machine.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) writes: Vec<Write<'a>>,
    pub(super) reply: Reply,
}

impl<'a> Plan<'a> {
    /// The plan of a transition.
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

    /// Joins the challenge if it is the open one; otherwise supersedes the open one and opens it.
    fn open(&mut self, first: ProvenFirstStep, challenge: Challenge, rows: &Rows<'_>) {
        if let Some(open) = rows.open {
            if open.challenge == challenge {
                return;
            }
            self.add(Write::Supersede(open.challenge));
        }
        self.add(Write::Open(first, challenge));
    }

    /// The writes of a sign-in: its row, a session that belongs to it, and new values for everything that this browser has
    /// open (decision 13). Signing in again steps a session up and keeps its `sid`.
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

    /// An unchanged state of an existing row is not written, so that concurrent wrong guesses do not roll back each other's
    /// charge.
    fn save(&mut self, is_unchanged: bool, ownership: RowOwnership) {
        match (is_unchanged, ownership.has_row) {
            (true, true) => {}
            (true, false) => self.add(Write::MakeRow),
            (false, _) => self.add(Write::Save),
        }
    }
}
