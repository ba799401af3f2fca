//! The executor: asks the machine inside one write transaction and applies its effects there.

use std::sync::OnceLock;

use keys::PasswordHash;
use store::{
    AttemptId, ChallengeId, SessionId, Timestamp, Tx, UserId,
    email_challenge::{EmailChallenge, Purpose},
    throttle::Kind,
    user::User,
};

use super::{
    Answer, Due, code_window, complete, identified,
    machine::{self, Effect, Facts, First, Input, Person, State, Waiting},
    or_show, out_of_turn, reference,
    refusal::Refusal,
    send_quota,
    tries::Guesser,
};
use crate::{
    Cx, Error, Result,
    attempt::{Attempt, Loaded, Visit},
    audit::{self, event, outcome::CodeRequest},
    guess_budget, jobs,
    mail::Code,
    request::AuthorizationRequest,
};

/// What the executor works on: an attempt with or without a row.
pub(super) struct Work<'a> {
    pub(super) cx: &'a Cx,
    pub(super) visit: &'a Visit,
    pub(super) id: AttemptId,
    pub(super) request: &'a AuthorizationRequest,
    pub(super) began: Timestamp,
    /// The row, once there is one.
    pub(super) row: Option<&'a store::attempt::Attempt>,
    /// Whom the input is about, if it identifies somebody other than the state does.
    pub(super) about: Option<UserId>,
    /// Hash of a new password that was found acceptable.
    pub(super) new_password: Option<PasswordHash>,
    /// The person's row, read once in the transaction.
    user: OnceLock<User>,
    /// The challenge of this person in this browser that was open when the transaction looked, of whatever epoch.
    open: OnceLock<ChallengeId>,
    /// How often the challenge had been mailed when the input was judged.
    pub(super) sends: Option<i64>,
    /// Failures of this network at the person, once the sign-in is complete.
    pub(super) failures: OnceLock<i64>,
}

impl<'a> Work<'a> {
    pub(super) fn on(cx: &'a Cx, visit: &'a Visit, attempt: &'a Attempt) -> Self {
        let row = match attempt {
            Attempt::Sealed { .. } => None,
            Attempt::Row(loaded) => Some(&loaded.row),
        };
        Self {
            cx,
            visit,
            id: attempt.id(),
            request: attempt.request(),
            began: attempt.began(),
            row,
            about: None,
            new_password: None,
            user: OnceLock::new(),
            open: OnceLock::new(),
            sends: None,
            failures: OnceLock::new(),
        }
    }

    pub(super) fn on_row(cx: &'a Cx, visit: &'a Visit, loaded: &'a Loaded) -> Self {
        Self {
            cx,
            visit,
            id: loaded.row.id,
            request: &loaded.request,
            began: loaded.row.created_at,
            row: Some(&loaded.row),
            about: None,
            new_password: None,
            user: OnceLock::new(),
            open: OnceLock::new(),
            sends: None,
            failures: OnceLock::new(),
        }
    }
}

impl Work<'_> {
    /// The person whom the input is about, as read in this transaction.
    pub(super) fn user(&self) -> Result<&User> {
        self.user.get().ok_or(Error::Lost)
    }
}

/// Applies an input to an attempt with a row, in a transaction of its own.
pub(super) async fn input(cx: &Cx, visit: &Visit, loaded: &Loaded, input: Input) -> Result<Answer> {
    on_row(Work::on_row(cx, visit, loaded), loaded, input).await
}

/// The same with something for the effects to look at.
pub(super) async fn on_row(work: Work<'_>, loaded: &Loaded, input: Input) -> Result<Answer> {
    let cx = work.cx;
    let state = loaded.state.clone();
    let outcome = cx.db.write(async |tx| run(&work, tx, state, input).await).await;
    let answer = or_show(loaded.row.id, outcome)?;
    if let Answer::Show(_, Some(Refusal::OutOfTurn)) = answer {
        out_of_turn(cx, loaded).await?;
    }
    Ok(answer)
}

/// Asks the machine and applies its effects.
///
/// # Errors
/// [`Error::Lost`] when another request changed the attempt or used the challenge first; the transaction is rolled back.
pub(super) async fn run(
    work: &Work<'_>,
    tx: &mut Tx,
    state: State,
    input: Input,
) -> Result<Answer> {
    let before = state.clone();
    let facts = facts(work, tx, &before).await?;
    let step = machine::step(state, input, &facts);
    let mut answer = match step.refusal {
        Some(refusal) => Answer::Show(work.id, Some(refusal)),
        None => Answer::Next(work.id, Due::of(&step.state)),
    };
    for effect in &step.effects {
        if let Some(handed_over) = apply(work, tx, effect, &step.state).await? {
            answer = handed_over;
        }
    }
    // Whoever hands the attempt to another value of the browser stores its state with it.
    if !matches!(answer, Answer::SignedIn { .. } | Answer::Moved { .. }) {
        save(work, tx, &before, &step.state).await?;
    }
    Ok(answer)
}

/// Reads what the machine may look at, inside the transaction.
async fn facts(work: &Work<'_>, tx: &mut Tx, state: &State) -> Result<Facts> {
    let person = match work.about.or_else(|| identified(state)) {
        Some(user) => person(work, tx, user).await?,
        None => None,
    };
    let (open, session) = match person {
        Some(person) => (
            open_challenge_of(work, tx, person).await?,
            complete::own_session(work, tx, person.user).await?,
        ),
        None => (None, None),
    };
    let tries = match &open {
        Some(_) => guesser(work, tx).await?.code_tries(work.cx),
        None => 0,
    };
    let joined = open.as_ref().filter(|open| code_window::can_be_joined(work.cx, open, tries));
    Ok(Facts {
        person,
        challenge: joined.map_or_else(|| work.cx.id::<ChallengeId>(), |joined| joined.id),
        current: open.map(|open| open.id),
        session: session.unwrap_or_else(|| work.cx.id::<SessionId>()),
    })
}

/// Who this browser is to the person.
async fn guesser(work: &Work<'_>, tx: &mut Tx) -> Result<Guesser> {
    Guesser::of(work.cx, tx, work.visit, work.user()?).await
}

/// A person as the machine sees one. One whose account may not be used is as good as gone: nothing proven counts. So is one
/// without address, who gets no code.
async fn person(work: &Work<'_>, tx: &mut Tx, id: UserId) -> Result<Option<Person>> {
    let found = store::user::by_id_with_password(tx, id).await?;
    let usable = |user: &User| user.is_active() && user.email.is_some();
    let Some(found) = found.filter(|found| usable(&found.user)) else { return Ok(None) };
    let Some(password_version) = found.password_version else { return Ok(None) };
    let user = work.user.get_or_init(|| found.user);
    Ok(Some(Person {
        user: user.id,
        epoch: user.epoch,
        password_version,
        must_change: user.password_change_required_since.is_some(),
    }))
}

/// The open challenge of this person in this browser. One of an older epoch is dead, as its code is (decision 6): it is
/// never joined, and put aside when the next one is opened.
async fn open_challenge_of(
    work: &Work<'_>,
    tx: &mut Tx,
    person: Person,
) -> Result<Option<EmailChallenge>> {
    let open =
        store::email_challenge::open(tx, person.user, &work.visit.browser, Purpose::SignIn).await?;
    if let Some(open) = &open {
        work.open.get_or_init(|| open.id);
    }
    Ok(open.filter(|open| open.epoch == person.epoch))
}

async fn apply(
    work: &Work<'_>,
    tx: &mut Tx,
    effect: &Effect,
    state: &State,
) -> Result<Option<Answer>> {
    match effect {
        Effect::OpenChallenge(first, id) => open_challenge(work, tx, *first, *id).await?,
        Effect::ReplaceChallenge { first, old, new } => {
            store::email_challenge::supersede(tx, *old, work.cx.now).await?;
            open_challenge(work, tx, *first, *new).await?;
        }
        Effect::SendAgain(id) => send_again(work, tx, *id).await?,
        Effect::UseChallenge(first, id) => use_challenge(work, tx, *first, *id).await?,
        Effect::ChangePassword(first) => change_password(work, tx, *first).await?,
        Effect::ChangeBrowser => return complete::hand_over(work, tx, state).await.map(Some),
        Effect::SignIn(proof) => {
            return complete::sign_in(work, tx, proof, state).await.map(Some);
        }
        Effect::FollowSession(session) => {
            return complete::follow(work, tx, *session, state).await.map(Some);
        }
        Effect::Reissue(session) => {
            return complete::reissue(work, tx, *session, state).await.map(Some);
        }
    }
    Ok(None)
}

/// Joins the challenge if it is there, opens it and mails its code if it is not.
async fn open_challenge(work: &Work<'_>, tx: &mut Tx, first: First, id: ChallengeId) -> Result<()> {
    let cx = work.cx;
    match work.open.get() {
        Some(open) if *open == id => return Ok(()),
        Some(stale) => {
            store::email_challenge::supersede(tx, *stale, cx.now).await?;
        }
        None => {}
    }
    let Some(address) = work.user()?.email.clone() else { return Err(Error::Lost) };
    let asks = guesser(work, tx).await?;
    let may_send = send_quota::take_send(cx, tx, &asks).await?;
    let challenge = EmailChallenge {
        id,
        user_id: first.user,
        browser: work.visit.browser.clone(),
        purpose: Purpose::SignIn.as_str().to_owned(),
        epoch: first.epoch,
        address,
        key_id: cx.root.current_id().to_owned(),
        nonce: cx.rng.bytes::<16>().to_vec(),
        reference: reference::reference(&cx.rng),
        first_issued_at: cx.now,
        last_requested_at: cx.now,
        last_accepted_at: None,
        sends: i64::from(may_send),
        tries: 0,
        tried: String::new(),
        completed_at: None,
        superseded_at: None,
        refused_at: None,
        language: Some(work.visit.reader.language.to_owned()),
        asked_with: work.visit.reader.asks_with.clone(),
    };
    if !store::email_challenge::insert(tx, &challenge).await? {
        // Another tab opened one in the same moment.
        return Err(Error::Lost);
    }
    if may_send {
        jobs::insert(cx, tx, Code { challenge: id }, Some(&work.request.client_id)).await?;
    }
    let outcome = if may_send { CodeRequest::Queued } else { CodeRequest::TooMany };
    requested(work, tx, &challenge, outcome).await
}

async fn send_again(work: &Work<'_>, tx: &mut Tx, id: ChallengeId) -> Result<()> {
    let cx = work.cx;
    let Some(challenge) = store::email_challenge::by_id(tx, id).await? else {
        return Err(Error::Lost);
    };
    if work.sends.is_some_and(|seen| seen < challenge.sends) {
        // Pressed twice: both were judged before the first one's mail was counted, and that one is on its way.
        return requested(work, tx, &challenge, CodeRequest::OnItsWay).await;
    }
    let asks = guesser(work, tx).await?;
    if !send_quota::take_send(cx, tx, &asks).await? {
        return requested(work, tx, &challenge, CodeRequest::TooMany).await;
    }
    let language = work.visit.reader.language;
    if !store::email_challenge::count_send(tx, &challenge, language, cx.now).await? {
        return Err(Error::Lost);
    }
    jobs::insert(cx, tx, Code { challenge: id }, Some(&work.request.client_id)).await?;
    requested(work, tx, &challenge, CodeRequest::QueuedAgain).await
}

async fn requested(
    work: &Work<'_>,
    tx: &mut Tx,
    challenge: &EmailChallenge,
    outcome: CodeRequest,
) -> Result<()> {
    let requested =
        event::CodeRequested { challenge: challenge.id, reference: challenge.reference.clone() };
    let entry = audit::Entry::new(requested, outcome)
        .user(challenge.user_id)
        .client(&work.request.client_id);
    audit::record(work.cx, tx, entry).await
}

/// Whether the first step still counts, with the person's row locked until the transaction ends: what [`facts`] read may
/// have changed since (READ COMMITTED), and every sign-in passes here before anything else is written.
async fn still_counts(work: &Work<'_>, tx: &mut Tx, first: First) -> Result<bool> {
    if !store::user::still_of_epoch(tx, first.user, first.epoch, work.cx.now).await? {
        return Ok(false);
    }
    let password = store::password::current(tx, first.user).await?;
    Ok(password.is_some_and(|(_, version)| version == first.password_version))
}

/// Uses a challenge up, gives the right guess's try back, or loses.
async fn use_challenge(work: &Work<'_>, tx: &mut Tx, first: First, id: ChallengeId) -> Result<()> {
    if !still_counts(work, tx, first).await?
        || !store::email_challenge::complete(tx, id, work.cx.now).await?
    {
        return Err(Error::Lost);
    }
    store::email_challenge::refund(tx, id).await?;
    guess_budget::take_back(work.cx, tx, id).await?;
    guesser(work, tx).await?.refund(work.cx, tx, Kind::Code).await
}

async fn change_password(work: &Work<'_>, tx: &mut Tx, first: First) -> Result<()> {
    let Some(hash) = &work.new_password else { return Err(Error::Lost) };
    if !still_counts(work, tx, first).await? {
        return Err(Error::Lost);
    }
    let at = (first.user, work.request.client_id.as_str());
    crate::account::password::store(work.cx, tx, at, hash).await
}

/// Stores the next state by compare-and-set. An unchanged state of an existing row is not written, so that wrong
/// guesses at once do not lose each other's charge.
async fn save(work: &Work<'_>, tx: &mut Tx, before: &State, after: &State) -> Result<()> {
    let state = serde_json::to_string(after)?;
    match work.row {
        Some(row) if before == after => {
            let _ = row;
            Ok(())
        }
        Some(row) => {
            if store::attempt::advance(tx, row.id, row.version, &state).await? {
                Ok(())
            } else {
                Err(Error::Lost)
            }
        }
        None => insert(work, tx, state, before == after).await,
    }
}

async fn insert(work: &Work<'_>, tx: &mut Tx, state: String, unchanged: bool) -> Result<()> {
    let row = store::attempt::Attempt {
        id: work.id,
        browser: work.visit.browser.clone(),
        previous_browser: None,
        goal: store::attempt::AT_CLIENT.to_owned(),
        client_id: Some(work.request.client_id.clone()),
        request: serde_json::to_string(work.request)?,
        state,
        version: 0,
        created_at: work.began,
        completed_at: None,
    };
    if store::attempt::insert(tx, &row).await? || unchanged { Ok(()) } else { Err(Error::Lost) }
}

/// The challenge that a state waits for, or that led to it.
pub(super) fn awaited(state: &State) -> Option<ChallengeId> {
    match state {
        State::Second(second) => {
            let Waiting::EmailCode(id) = second.waiting;
            Some(id)
        }
        State::NewPassword(pending) => pending.challenge,
        State::Complete(completed) => completed.challenge,
        State::Password | State::Cancelled => None,
    }
}
