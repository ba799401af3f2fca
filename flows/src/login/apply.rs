//! The executor: reads the rows that a decision depends on, runs the machine, and carries out the plan, in one transaction.

use std::sync::OnceLock;

use keys::PasswordHash;
use store::{
    AttemptId, Timestamp, Tx, UserId,
    email_challenge::{ChallengePurpose, EmailChallenge},
    user::{Activity, User, UserWithPassword},
};

use super::{
    Answer, NextStep,
    code_post::CodePost,
    code_window,
    complete::Completion,
    deliver,
    held_post::HeldPost,
    machine::{self, Input, Person},
    method::{Challenge, Method},
    offered::offered_methods,
    plan::{self, NewIds, OpenChallenge, Plan, PresentedSession, RowOwnership, Rows, Write},
    record_out_of_turn,
    refusal::Refusal,
    show_on_conflict,
    state::{FirstStep, ProvenFirstStep, State},
    throttle_subject::{GuessCount, ThrottleSubject},
};
use crate::{
    Cx, Error, Result,
    attempt::{Attempt, BrowserContext, LoadedAttempt},
    attempt_request::AttemptRequest,
    guess_budget::GuessGroup,
    session,
};

/// The open challenge of a person in this browser.
enum PrefetchedChallenge<'a> {
    /// It is read in the transaction.
    NotRead,
    /// The post has read it, or found that there is none.
    Read(Option<&'a EmailChallenge>),
}

/// What the executor works on: an attempt with or without a row, and what the post has read already.
pub(super) struct UnitOfWork<'a> {
    pub(super) cx: &'a Cx,
    pub(super) browser_context: &'a BrowserContext,
    pub(super) id: AttemptId,
    pub(super) request: &'a AttemptRequest,
    pub(super) started_at: Timestamp,
    /// The row, once there is one.
    pub(super) row: Option<&'a store::attempt::Attempt>,
    /// Hash of a new password that was found acceptable.
    pub(super) new_password: Option<PasswordHash>,
    /// The person as the post has read them before the transaction. The writes guard against changes since ([`Write::Lock`],
    /// [`Write::Open`]).
    known_user: Option<&'a UserWithPassword>,
    /// The open challenge of that person in this browser.
    prefetched: PrefetchedChallenge<'a>,
    /// The throttle subject of this browser and that person, if the post has read it.
    throttle_subject: Option<&'a ThrottleSubject>,
    /// The person's row.
    user: OnceLock<User>,
    /// The methods that this person may answer with, the default first.
    offered: OnceLock<Vec<Method>>,
    /// How often the challenge had been mailed when the input was checked.
    pub(super) sends: Option<i64>,
    /// What the post's guess has spent: given back when the guess is right.
    pub(super) charged: Option<GuessCount>,
    /// What the site has counted of guesses at something held: given back with it.
    pub(super) guesses: Option<GuessGroup>,
    /// Failures of this network at the person, set once the sign-in is complete.
    pub(super) failures: OnceLock<i64>,
}

impl<'a> UnitOfWork<'a> {
    pub(super) fn for_attempt(
        cx: &'a Cx,
        browser_context: &'a BrowserContext,
        attempt: &'a Attempt,
    ) -> Self {
        let row = match attempt {
            Attempt::Sealed { .. } => None,
            Attempt::Row(loaded) => Some(&loaded.row),
        };
        Self {
            cx,
            browser_context,
            id: attempt.id(),
            request: attempt.request(),
            started_at: attempt.started_at(),
            row,
            new_password: None,
            known_user: None,
            prefetched: PrefetchedChallenge::NotRead,
            throttle_subject: None,
            user: OnceLock::new(),
            offered: OnceLock::new(),
            sends: None,
            charged: None,
            guesses: None,
            failures: OnceLock::new(),
        }
    }

    /// The same, for a person whose address was typed.
    pub(super) fn with_person(
        self,
        known: Option<&'a UserWithPassword>,
        throttle_subject: &'a ThrottleSubject,
    ) -> Self {
        Self { known_user: known, throttle_subject: Some(throttle_subject), ..self }
    }

    /// A post of the second step.
    pub(super) fn for_post(
        cx: &'a Cx,
        browser_context: &'a BrowserContext,
        post: &'a CodePost,
    ) -> Self {
        let on_row = Self::for_row(cx, browser_context, &post.attempt);
        // With its previous cookie value, the browser may have another open challenge now, which is not known here.
        let owns_row = post.attempt.row.browser == browser_context.browser;
        Self {
            prefetched: if owns_row {
                PrefetchedChallenge::Read(post.open_challenge(browser_context))
            } else {
                PrefetchedChallenge::NotRead
            },
            sends: Some(post.challenge.sends),
            ..on_row.with_person(Some(&post.person), &post.throttle_subject)
        }
    }

    /// A post of a passkey.
    pub(super) fn for_passkey_post(
        cx: &'a Cx,
        browser_context: &'a BrowserContext,
        loaded: &'a LoadedAttempt,
        person: &'a UserWithPassword,
    ) -> Self {
        Self { known_user: Some(person), ..Self::for_row(cx, browser_context, loaded) }
    }

    /// A post of a code that the person holds.
    pub(super) fn for_held_post(
        cx: &'a Cx,
        browser_context: &'a BrowserContext,
        post: &'a HeldPost,
    ) -> Self {
        Self::for_row(cx, browser_context, &post.attempt)
            .with_person(Some(&post.person), &post.subject)
    }

    pub(super) fn for_row(
        cx: &'a Cx,
        browser_context: &'a BrowserContext,
        loaded: &'a LoadedAttempt,
    ) -> Self {
        Self {
            cx,
            browser_context,
            id: loaded.row.id,
            request: &loaded.request,
            started_at: loaded.row.created_at,
            row: Some(&loaded.row),
            new_password: None,
            known_user: None,
            prefetched: PrefetchedChallenge::NotRead,
            throttle_subject: None,
            user: OnceLock::new(),
            offered: OnceLock::new(),
            sends: None,
            charged: None,
            guesses: None,
            failures: OnceLock::new(),
        }
    }
}

impl UnitOfWork<'_> {
    /// The person that the input is about, read by the post or in the transaction.
    pub(super) fn user(&self) -> Result<&User> {
        self.user.get().ok_or(Error::Conflict)
    }

    /// The methods that this person may answer with; none before the person is read.
    fn offered(&self) -> &[Method] {
        self.offered.get().map_or(&[], Vec::as_slice)
    }

    fn row_ownership(&self) -> RowOwnership {
        let owns_row = self.row.is_some_and(|row| row.browser == self.browser_context.browser);
        RowOwnership { has_row: self.row.is_some(), owns_row }
    }

    /// The throttle subject of this browser and that person.
    pub(super) async fn throttle_subject(&self, tx: &mut Tx) -> Result<ThrottleSubject> {
        match self.throttle_subject {
            Some(guesser) => Ok(guesser.clone()),
            None => {
                ThrottleSubject::for_user(self.cx, tx, self.browser_context, self.user()?).await
            }
        }
    }

    /// The open challenge of the person in this browser, of any epoch.
    async fn open_challenge(&self, tx: &mut Tx) -> Result<Option<OpenChallenge>> {
        if let PrefetchedChallenge::Read(open) = self.prefetched {
            return to_open_challenge(self, tx, open).await;
        }
        let (user, browser) = (self.user()?.id, &self.browser_context.browser);
        let open =
            store::email_challenge::find_open(tx, user, browser, ChallengePurpose::SignIn).await?;
        to_open_challenge(self, tx, open.as_ref()).await
    }
}

async fn to_open_challenge(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    open: Option<&EmailChallenge>,
) -> Result<Option<OpenChallenge>> {
    let Some(row) = open else { return Ok(None) };
    let tries = work.throttle_subject(tx).await?.code_tries(work.cx);
    Ok(Some(OpenChallenge {
        challenge: Challenge::of(row),
        epoch: row.epoch,
        can_be_joined: code_window::can_be_joined(work.cx, row, tries),
    }))
}

/// Applies an input to an attempt with a row, in a transaction of its own.
pub(super) async fn apply_input(
    cx: &Cx,
    browser_context: &BrowserContext,
    loaded: &LoadedAttempt,
    input: Input,
) -> Result<Answer> {
    apply_to_row(UnitOfWork::for_row(cx, browser_context, loaded), loaded, input).await
}

/// The same, with additional data for the effects.
pub(super) async fn apply_to_row(
    work: UnitOfWork<'_>,
    loaded: &LoadedAttempt,
    input: Input,
) -> Result<Answer> {
    let cx = work.cx;
    let state = loaded.state.clone();
    let outcome = cx.db.write(async |tx| run(&work, tx, state, input).await).await;
    let answer = show_on_conflict(loaded.row.id, outcome)?;
    if let Answer::Show(_, Some(Refusal::OutOfTurn)) = answer {
        record_out_of_turn(cx, loaded).await?;
    }
    Ok(answer)
}

/// Runs the machine and carries out the plan of its decision.
///
/// # Errors
/// [`Error::Conflict`] when another request changed the attempt or used the proof first; the transaction is rolled back.
pub(super) async fn run(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    state: State,
    input: Input,
) -> Result<Answer> {
    let before = state.clone();
    let rows = read_rows(work, tx, &state, &input).await?;
    let step = machine::step(state, input, &rows.facts());
    let plan = Plan::of(&rows, &before, &step, work.row_ownership());
    let mut ending = Completion::of(work, &step.state);
    for write in &plan.writes {
        apply_write(work, tx, *write, &mut ending).await?;
    }
    let due = match step.refusal {
        Some(refusal) => Answer::Show(work.id, Some(refusal)),
        None => Answer::Next(work.id, NextStep::of(&step.state)),
    };
    ending.answer(plan.reply, due)
}

/// Reads the rows that the decision depends on, inside the transaction.
async fn read_rows<'a>(
    work: &'a UnitOfWork<'_>,
    tx: &mut Tx,
    state: &State,
    input: &Input,
) -> Result<Rows<'a>> {
    let person = match plan::person_of(state, input) {
        Some(user) => read_person(work, tx, user).await?,
        None => None,
    };
    let (mut open, mut session) = (None, None);
    if person.is_some() {
        if plan::challenge_method_of(state, input, work.offered()).is_some() {
            open = work.open_challenge(tx).await?;
        }
        let live = session::live(work.cx, tx, work.browser_context.session.as_ref()).await?;
        session = live.map(|live| PresentedSession { id: live.id, user: live.user_id });
    }
    let new = NewIds { challenge: work.cx.new_id(), session: work.cx.new_id() };
    Ok(Rows { person, offered: work.offered(), open, session, new, goal: work.request.goal() })
}

async fn read_person(work: &UnitOfWork<'_>, tx: &mut Tx, id: UserId) -> Result<Option<Person>> {
    let known = work.known_user.filter(|known| known.user.id == id).cloned();
    let found = match known {
        Some(known) => Some(known),
        None => store::user::by_id_with_password(tx, id).await?,
    };
    let Some(found) = found else { return Ok(None) };
    let Some(person) = usable_person(&found) else { return Ok(None) };
    work.offered.get_or_init(|| offered_methods(&found, work.request.goal()));
    work.user.get_or_init(|| found.user);
    Ok(Some(person))
}

/// A person as the machine sees one. A person whose account may not be used counts as absent: nothing proven counts. So does
/// one without an address, who cannot get a code.
pub(super) fn usable_person(found: &UserWithPassword) -> Option<Person> {
    let user = &found.user;
    if !user.is_active() || user.email.is_none() {
        return None;
    }
    Some(Person {
        user: user.id,
        epoch: user.epoch,
        password_version: found.password_version?,
        must_change: user.password_change_required_since.is_some(),
    })
}

/// Carries out one write of a plan.
async fn apply_write(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    write: Write<'_>,
    ending: &mut Completion<'_>,
) -> Result<()> {
    match write {
        Write::Lock(first) => lock(work, tx, first, ending.completing_method()).await,
        Write::Supersede(challenge) => deliver::supersede(work, tx, challenge).await,
        Write::Open(first, challenge) => deliver::open_challenge(work, tx, first, challenge).await,
        Write::SendAgain(challenge) => deliver::send_again(work, tx, challenge).await,
        Write::Consume(first, proof) => ending.consume(tx, first.user, proof).await,
        Write::ChangePassword(user) => change_password(work, tx, user).await,
        Write::Record(complete) => ending.record(tx, complete).await,
        Write::EndSession(session) => ending.end_session(tx, session).await,
        Write::BeginSession(session) => ending.begin_session(tx, session).await,
        Write::RotateSession(session) => ending.rotate_session(tx, session).await,
        Write::ReplaceSecret(session) => ending.replace_secret(tx, session).await,
        Write::VoidCodes => ending.void_codes(tx).await,
        Write::MakeRow => insert(work, tx, ending.state()?, true).await,
        Write::Save => save(work, tx, ending.state()?).await,
        Write::HandOver => ending.hand_over(tx).await,
        Write::Complete(value) => ending.complete(tx, value).await,
        Write::MoveBrowser { from, moves } => ending.move_browser(tx, from, moves).await,
        Write::RequireLive(session) => ending.load_live_session(tx, session).await,
        Write::AnswerClient { is_fresh } => ending.answer_client(tx, is_fresh).await,
        Write::GoTo(page) => {
            ending.go_to(page);
            Ok(())
        }
    }
}

/// Locks the person's row until the transaction ends. Every sign-in does this before it writes anything else.
async fn lock(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    first: ProvenFirstStep,
    completed_by: Option<&'static str>,
) -> Result<()> {
    let seen = Activity {
        language: work.browser_context.requester.language,
        second: completed_by,
        at: work.cx.now,
    };
    if !store::user::lock_and_touch(tx, first.user, first.epoch, seen).await? {
        return Err(Error::Conflict);
    }
    match first.step {
        FirstStep::Password { version } => {
            let password = store::password::current(tx, first.user).await?;
            let is_same = password.is_some_and(|(_, present)| present == version);
            if is_same { Ok(()) } else { Err(Error::Conflict) }
        }
        FirstStep::PasskeyUv { .. } => Ok(()),
    }
}

async fn change_password(work: &UnitOfWork<'_>, tx: &mut Tx, user: UserId) -> Result<()> {
    let Some(hash) = &work.new_password else { return Err(Error::Conflict) };
    crate::account::password::store(work.cx, tx, user, work.request.client_id(), hash).await
}

/// Stores the next state by compare-and-set.
async fn save(work: &UnitOfWork<'_>, tx: &mut Tx, state: String) -> Result<()> {
    let Some(row) = work.row else { return insert(work, tx, state, false).await };
    if store::attempt::advance(tx, row.id, row.version, &state).await? {
        Ok(())
    } else {
        Err(Error::Conflict)
    }
}

/// Inserts the row; a conflict if there is one with other content.
async fn insert(
    work: &UnitOfWork<'_>,
    tx: &mut Tx,
    state: String,
    is_unchanged: bool,
) -> Result<()> {
    let row = new_row(work, state)?;
    if store::attempt::insert(tx, &row).await? || is_unchanged {
        Ok(())
    } else {
        Err(Error::Conflict)
    }
}

/// The row of an attempt that has none yet.
pub(super) fn new_row(work: &UnitOfWork<'_>, state: String) -> Result<store::attempt::Attempt> {
    Ok(store::attempt::Attempt {
        id: work.id,
        browser: work.browser_context.browser.clone(),
        previous_browser: None,
        goal: work.request.goal().name().to_owned(),
        client_id: work.request.client_id().map(str::to_owned),
        request: work.request.to_text()?,
        state,
        version: 0,
        created_at: work.started_at,
        completed_at: None,
        ceremony_at: None,
    })
}
