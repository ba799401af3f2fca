//! The first step: an address and a password.
//!
//! Known and unknown people cause the same statements and one commit, and get the same bytes: the password of an unknown
//! person is compared with a dummy hash, and counters are keyed by an HMAC of the address, not by a row. Only a browser that
//! claims to be a known device of the typed address costs a statement more, and only its owner's browser has such a claim.

use keys::{HasherBusy, HashingCaller, HashingPermit, Password, PasswordHash};
use store::{CommitTracker, Timestamp, Tx, throttle::ThrottleKind, user::UserWithPassword};

use super::{
    Answer, answer_stale, apply,
    apply::UnitOfWork,
    machine::Input,
    show_on_conflict,
    state::{FirstStep, ProvenFirstStep},
    throttle_subject::{ChargeResult, ThrottleSubject},
};
use crate::{
    Cx, Error, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext},
    audit::{self, event, outcome::PasswordOutcome},
    email::EmailAddress,
    mail::{self, GuessKind, WrongGuessesMail},
    network::{self, AuditSubject, CountedFailure, RateLimited},
};

/// A checked address and password. Only this file constructs one.
#[derive(Debug)]
pub struct PasswordChecked {
    verdict: PasswordVerdict,
}

/// The verdict about a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is the password of this person.
    Right(ProvenFirstStep),
    /// It is not, or there is no such person.
    Wrong,
    /// Not checked: too many were wrong before.
    Paused(Timestamp),
}

impl PasswordChecked {
    /// The verdict.
    #[must_use]
    pub const fn verdict(&self) -> PasswordVerdict {
        self.verdict
    }

    #[cfg(test)]
    pub(super) const fn assume(verdict: PasswordVerdict) -> Self {
        Self { verdict }
    }
}

/// Checks a posted password. A client that disconnects while it waits for a permit to hash is forgotten; afterwards the
/// post is judged to the end, so that what it was charged, and what it is given back, belong together.
pub async fn post(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    email: &EmailAddress,
    password: Option<Password>,
) -> Result<Answer> {
    // A claim counts only after a query; a stranger has none, and causes no query.
    let throttle_subject =
        ThrottleSubject::for_typed_address(cx, browser_context, email.canonical()).await?;
    let account = cx.root.counter_key(email.canonical());
    let caller = if throttle_subject.is_stranger() {
        network::hashing_caller(cx, Some(account))
    } else {
        HashingCaller::Known(account)
    };
    // A rejected request is not counted: under overload that is nearly every request, and each must be cheap. Its post was
    // counted if only a share of its account is full, because the account was not read yet; the caller gives that back.
    if let Err(full) = cx.hasher.reject_if_full(caller) {
        return Ok(busy_answer(name, full));
    }
    // Networks are checked before the pool, and admission to the pool before any look-up: a full pool rejects before the
    // request costs a query.
    let failure =
        match count_failure(cx, browser_context, name, throttle_subject.is_stranger()).await? {
            Ok(failure) => failure,
            Err(rate_limited) => {
                return Ok(Answer::RateLimited { attempt: name.to_owned(), rate_limited });
            }
        };
    let slot = match cx.hasher.admit(caller).await {
        Ok(slot) => slot,
        Err(full) => {
            failure.refund().await;
            return Ok(busy_answer(name, full));
        }
    };
    let (cx, browser_context, name) = (cx.clone(), browser_context.clone(), name.to_owned());
    let typed = TypedCredentials { email: email.clone(), password, throttle_subject };
    CommitTracker::run_to_completion(async move {
        let judgement = judge_admitted(&cx, &browser_context, &name, typed, slot).await?;
        if judgement.failed {
            failure.keep();
        } else {
            failure.refund().await;
        }
        judgement.answer
    })
    .await?
}

/// Counts a failure of a stranger's network. Also if the client disconnects meanwhile: only what was counted in full
/// can be given back.
async fn count_failure(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    is_stranger: bool,
) -> Result<std::result::Result<CountedFailure, RateLimited>> {
    let (cx, browser_context, name) = (cx.clone(), browser_context.clone(), name.to_owned());
    CommitTracker::run_to_completion(async move {
        let about = async || audit_subject(&cx, &browser_context, &name).await;
        network::count_failure(&cx, is_stranger, about).await
    })
    .await?
}

/// The subject, with the client, of a post that is not checked, for the trail.
async fn audit_subject(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<AuditSubject> {
    let mut conn = cx.db.read().await?;
    let client = match attempt::find(cx, &mut conn, browser_context, name).await? {
        AttemptLookup::ThisBrowser(attempt) => attempt.request().client_id().map(str::to_owned),
        AttemptLookup::Stale(page) => page.request.client_id().map(str::to_owned),
        AttemptLookup::PreviousCookie(_) | AttemptLookup::NotFound => None,
    };
    Ok(AuditSubject { user: None, client })
}

fn busy_answer(name: &str, full: HasherBusy) -> Answer {
    Answer::Busy { attempt: name.to_owned(), retry_after: full.retry_after }
}

/// What was typed, and the throttle subject of the browser for that address.
struct TypedCredentials {
    email: EmailAddress,
    password: Option<Password>,
    throttle_subject: ThrottleSubject,
}

/// The result of checking a post.
struct Judgement {
    answer: Result<Answer>,
    /// Whether the network's failure stays: a password was wrong, or was not compared because of a wait. Also if that could
    /// not be recorded, or may not be.
    failed: bool,
}

impl Judgement {
    const fn without_failure(answer: Answer) -> Self {
        Self { answer: Ok(answer), failed: false }
    }
}

async fn judge_admitted(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    TypedCredentials { email, password, throttle_subject }: TypedCredentials,
    slot: HashingPermit,
) -> Result<Judgement> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, browser_context, name).await?;
    let attempt = match found {
        AttemptLookup::ThisBrowser(attempt) => attempt,
        AttemptLookup::Stale(page) => {
            return Ok(Judgement::without_failure(answer_stale(cx, browser_context, *page)?));
        }
        AttemptLookup::PreviousCookie(_) | AttemptLookup::NotFound => {
            return Ok(Judgement::without_failure(Answer::StartAgain));
        }
    };
    let canonical = email.canonical();
    let counters = throttle_subject.delay_counters();
    let found =
        store::user::look_up_address(&mut conn, canonical, counters, ThrottleKind::Password)
            .await?;
    drop(conn);
    let person = TypedPerson {
        email: &email,
        known_user: found.person(),
        throttle_subject: &throttle_subject,
    };
    // Only a read, the same for every address: the charge decides.
    let (compared, renewal) = match found.waits_until.filter(|until| *until > cx.now) {
        Some(until) => {
            drop(slot);
            (PasswordComparison::NotCompared(until), None)
        }
        None => compare(cx, slot, password, person).await?,
    };
    let (verdict, outcome) = judge(cx, browser_context, &attempt, name, person, compared).await;
    if let (Some(PasswordVerdict::Right(first)), Ok(_), Some(password)) =
        (verdict, &outcome, renewal)
        && let Err(error) = rehash(cx, person, first, password).await
    {
        tracing::error!(%error, "a password hash could not be renewed");
    }
    let failed = matches!(verdict, Some(PasswordVerdict::Wrong | PasswordVerdict::Paused(_)));
    Ok(Judgement { answer: show_on_conflict(attempt.id(), outcome), failed })
}

/// The person of the typed address, if there is one.
#[derive(Clone, Copy)]
struct TypedPerson<'a> {
    email: &'a EmailAddress,
    known_user: Option<&'a UserWithPassword>,
    throttle_subject: &'a ThrottleSubject,
}

/// The result of comparing.
#[derive(Clone, Copy)]
enum PasswordComparison {
    Right,
    Wrong,
    /// Nothing was compared: a wait is running, and a guess that is not checked costs no hash and reveals nothing by its
    /// time.
    NotCompared(Timestamp),
}

impl TypedPerson<'_> {
    /// Whether the account may be used. Checked after the password is compared, so that the time reveals nothing.
    fn may_sign_in(self) -> bool {
        self.known_user.is_some_and(|known| known.user.is_active())
    }

    fn stored_hash(self) -> Option<PasswordHash> {
        self.known_user.and_then(|known| known.phc.clone()).map(PasswordHash::from_stored)
    }
}

/// Compares, in the same time whatever there is to compare with: the right password of an account that may not be used
/// counts as a wrong one. Returns the password again, if it is right and its stored hash is outdated.
async fn compare(
    cx: &Cx,
    slot: HashingPermit,
    password: Option<Password>,
    person: TypedPerson<'_>,
) -> Result<(PasswordComparison, Option<Password>)> {
    // A password that is too long for any account still takes the time of one.
    let (password, stored) = match password {
        Some(password) => (password, person.stored_hash()),
        None => (Password::parse("").map_err(keys::KeyError::from)?, None),
    };
    let again = Password::parse(password.reveal()).map_err(keys::KeyError::from)?;
    if !slot.verify(password, stored).await? || !person.may_sign_in() {
        return Ok((PasswordComparison::Wrong, None));
    }
    let is_outdated = person.stored_hash().is_some_and(|stored| !cx.hasher.is_current(&stored));
    Ok((PasswordComparison::Right, is_outdated.then_some(again)))
}

/// The verdict and its effects. If another post has changed the attempt meanwhile, it is applied to the new state, so that a
/// right guess is recorded in the trail and its code mailed, whatever is posted at the same time.
async fn judge(
    cx: &Cx,
    browser_context: &BrowserContext,
    attempt: &Attempt,
    name: &str,
    person: TypedPerson<'_>,
    compared: PasswordComparison,
) -> (Option<PasswordVerdict>, Result<Answer>) {
    let (verdict, outcome) = judge_once(cx, browser_context, attempt, person, compared).await;
    if verdict.is_none() || !matches!(outcome, Err(Error::Conflict)) {
        return (verdict, outcome);
    }
    let (verdict, outcome) = match own_attempt(cx, browser_context, name).await {
        Ok(Some(changed)) => judge_once(cx, browser_context, &changed, person, compared).await,
        Ok(None) => (verdict, Err(Error::Conflict)),
        Err(error) => return (verdict, Err(error)),
    };
    if let (Some(judged), Err(Error::Conflict)) = (verdict, &outcome) {
        let client = attempt.request().client_id();
        let recorded = cx.db.write(async |tx| record(cx, tx, person, client, judged).await).await;
        if let Err(error) = recorded {
            return (verdict, Err(error));
        }
    }
    (verdict, outcome)
}

async fn own_attempt(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Option<Attempt>> {
    let mut conn = cx.db.read().await?;
    Ok(match attempt::find(cx, &mut conn, browser_context, name).await? {
        AttemptLookup::ThisBrowser(attempt) => Some(attempt),
        AttemptLookup::Stale(_) | AttemptLookup::PreviousCookie(_) | AttemptLookup::NotFound => {
            None
        }
    })
}

/// The verdict and its effects, in one transaction. The verdict is returned also if the attempt was changed meanwhile and
/// nothing is written.
async fn judge_once(
    cx: &Cx,
    browser_context: &BrowserContext,
    attempt: &Attempt,
    person: TypedPerson<'_>,
    compared: PasswordComparison,
) -> (Option<PasswordVerdict>, Result<Answer>) {
    let work = UnitOfWork::for_attempt(cx, browser_context, attempt)
        .with_person(person.known_user, person.throttle_subject);
    let mut judged = None;
    let outcome = cx
        .db
        .write(async |tx| {
            let client = work.request.client_id();
            let verdict = charge(cx, tx, person, compared, client).await?;
            judged = Some(verdict);
            record(cx, tx, person, client, verdict).await?;
            let input = Input::Password(PasswordChecked { verdict });
            apply::run(&work, tx, attempt.state(), input).await
        })
        .await;
    (judged, outcome)
}

/// Hashes a right password again. Only now: before the verdict, the time of a second hash would reveal a right guess, even
/// while guesses are paused. While another caller waits for a hash, this is left to the next sign-in.
async fn rehash(
    cx: &Cx,
    person: TypedPerson<'_>,
    first: ProvenFirstStep,
    password: Password,
) -> Result<()> {
    if cx.hasher.waiting() != [0, 0] {
        return Ok(());
    }
    let caller = HashingCaller::Known(cx.root.counter_key(person.email.canonical()));
    let Ok(slot) = cx.hasher.admit(caller).await else { return Ok(()) };
    let hash = slot.hash(password).await?;
    let (user, FirstStep::Password { version }) = (first.user, first.step) else { return Ok(()) };
    cx.db
        .write(
            async |tx| Ok(store::password::replace_hash(tx, user, hash.as_str(), version).await?),
        )
        .await
}

/// Spends the try. A verdict whose try cannot be spent is discarded, so that concurrent guesses gain nothing.
async fn charge(
    cx: &Cx,
    tx: &mut Tx,
    person: TypedPerson<'_>,
    compared: PasswordComparison,
    client: Option<&str>,
) -> Result<PasswordVerdict> {
    let right = match compared {
        PasswordComparison::NotCompared(until) => return Ok(PasswordVerdict::Paused(until)),
        PasswordComparison::Right => person.known_user,
        PasswordComparison::Wrong => None,
    };
    let throttle_subject = person.throttle_subject;
    // A right guess is refunded, so it spends nothing; but it, too, is refused while a wait is running.
    let tally =
        match throttle_subject.charge(cx, tx, ThrottleKind::Password, right.is_none()).await? {
            ChargeResult::Charged(tally) => tally,
            ChargeResult::Paused(until) => return Ok(PasswordVerdict::Paused(until)),
        };
    if let Some(known) = right {
        return Ok(PasswordVerdict::Right(ProvenFirstStep {
            user: known.user.id,
            epoch: known.user.epoch,
            step: FirstStep::Password { version: known.password_version.unwrap_or_default() },
        }));
    }
    if throttle_subject.start_delays(cx, tx, ThrottleKind::Password, tally).await? {
        let user = person.known_user.map(|known| known.user.id);
        let notice = WrongGuessesMail { user, tried: GuessKind::Password };
        mail::warn_once_a_day(cx, tx, notice, person.email.canonical(), client).await?;
    }
    Ok(PasswordVerdict::Wrong)
}

async fn record(
    cx: &Cx,
    tx: &mut Tx,
    person: TypedPerson<'_>,
    client: Option<&str>,
    verdict: PasswordVerdict,
) -> Result<(), Error> {
    let outcome = match verdict {
        PasswordVerdict::Right(_) => PasswordOutcome::Right,
        PasswordVerdict::Wrong => PasswordOutcome::Wrong,
        PasswordVerdict::Paused(_) => PasswordOutcome::Paused,
    };
    let entry = audit::AuditEntry::new(event::PasswordChecked {}, outcome)
        .user(person.known_user.map(|known| known.user.id))
        .client(client);
    audit::record(cx, tx, entry).await
}
