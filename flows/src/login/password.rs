//! The first step: an address and a password.
//!
//! Known and unknown people run the same statements and one commit, and get the same bytes: the hash of an unknown
//! person is compared with a dummy, and counters are keyed by an HMAC of the address, not by a row. Only a browser that
//! claims to be a known device of the typed address costs a statement more, and nobody but its owner has such a claim.

use keys::{HasherBusy, HashingCaller, HashingPermit, Password, PasswordHash};
use store::{Timestamp, Tx, throttle::ThrottleKind, user::UserWithPassword};

use super::{
    Answer, apply,
    apply::Work,
    machine::Input,
    or_show,
    state::{First, FirstStep},
    tries::{Guesser, Spent},
};
use crate::{
    Cx, Error, Result,
    admission::Admission,
    attempt::{self, Attempt, Found, Visit},
    audit::{self, event, outcome::PasswordOutcome},
    email::EmailAddress,
    mail::{self, Tried, WrongGuesses},
    network::{self, About},
};

/// What was found out about an address and a password. Only this file makes one.
#[derive(Debug)]
pub struct PasswordChecked {
    verdict: PasswordVerdict,
}

/// The verdict about a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// It is the password of this person.
    Right(First),
    /// It is not, or there is no such person.
    Wrong,
    /// Not judged: too many were wrong before.
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

/// Judges a posted password.
pub async fn post(
    cx: &Cx,
    visit: &Visit,
    name: &str,
    email: &EmailAddress,
    password: Option<Password>,
) -> Result<Answer> {
    // A claim is worth nothing until the database has been asked; a stranger has none, and asks nothing.
    let guesser = Guesser::at_address(cx, visit, email.canonical()).await?;
    let guest = if guesser.is_stranger() {
        HashingCaller::Stranger
    } else {
        HashingCaller::Known(cx.root.counter_key(email.canonical()))
    };
    // Nothing is counted for somebody who is turned away: on a bad day that is nearly everybody, and each has to cost little.
    if let Err(full) = cx.hasher.reject_if_full(guest) {
        return Ok(busy(name, full));
    }
    // Networks come before the pool, and admission to the pool before any look-up: a full pool says so before it costs
    // the database anything.
    let is_counted = guesser.is_stranger();
    let about = async || about(cx, visit, name).await;
    if let Admission::Paused(crowded) = Admission::of_guess(cx, is_counted, about).await? {
        return Ok(Answer::Crowded { attempt: name.to_owned(), crowded });
    }
    let outcome = match cx.hasher.admit(guest).await {
        Ok(slot) => {
            admitted(cx, visit, name, Typed { email, password, guesser: &guesser }, slot).await
        }
        Err(full) => Ok(Judgement::none(busy(name, full))),
    };
    if is_counted && !matches!(outcome, Ok(Judgement { failed: true, .. })) {
        network::no_failure(cx).await;
    }
    outcome.map(|judgement| judgement.answer)
}

/// Through which client a post came that is not judged, for the trail.
async fn about(cx: &Cx, visit: &Visit, name: &str) -> Result<About> {
    let mut conn = cx.db.read().await?;
    let client = match attempt::find(cx, &mut conn, visit, name).await? {
        Found::Own(attempt) => Some(attempt.request().client_id.clone()),
        Found::OtherCookie(request) => Some(request.client_id),
        Found::Previous(_) | Found::Nothing => None,
    };
    Ok(About { user: None, client })
}

fn busy(name: &str, full: HasherBusy) -> Answer {
    Answer::Busy { attempt: name.to_owned(), retry_after: full.retry_after }
}

/// What was typed, and what the browser is to the person of that address.
struct Typed<'a> {
    email: &'a EmailAddress,
    password: Option<Password>,
    guesser: &'a Guesser,
}

/// What became of a post.
struct Judgement {
    answer: Answer,
    /// Whether the network's failure stays: a password was compared in vain, or would have been.
    failed: bool,
}

impl Judgement {
    const fn none(answer: Answer) -> Self {
        Self { answer, failed: false }
    }
}

async fn admitted(
    cx: &Cx,
    visit: &Visit,
    name: &str,
    Typed { email, password, guesser }: Typed<'_>,
    slot: HashingPermit,
) -> Result<Judgement> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, visit, name).await?;
    let attempt = match found {
        Found::Own(attempt) => attempt,
        Found::OtherCookie(request) => {
            let again = crate::authorize::sign_in_page(cx, visit, request)?;
            let anew = again.map_or(Answer::StartAgain, |asked| Answer::Anew(Box::new(asked)));
            return Ok(Judgement::none(anew));
        }
        Found::Previous(_) | Found::Nothing => return Ok(Judgement::none(Answer::StartAgain)),
    };
    let canonical = email.canonical();
    let counters = guesser.counters();
    let found =
        store::user::look_up_address(&mut conn, canonical, counters, ThrottleKind::Password)
            .await?;
    drop(conn);
    let person = Person { email, known: found.person(), guesser };
    // Only a look, the same for every address: what counts is the charge.
    let (compared, renewal) = match found.waits_until.filter(|until| *until > cx.now) {
        Some(until) => {
            drop(slot);
            (Compared::Not(until), None)
        }
        None => compare(cx, slot, password, person).await?,
    };
    let (verdict, outcome) = judge(cx, visit, &attempt, name, person, compared).await;
    if let (Some(PasswordVerdict::Right(first)), Ok(_), Some(password)) =
        (verdict, &outcome, renewal)
        && let Err(error) = renew(cx, person, first, password).await
    {
        tracing::error!(%error, "the hash of a right password was not made anew");
    }
    let failed = matches!(verdict, Some(PasswordVerdict::Wrong | PasswordVerdict::Paused(_)));
    Ok(Judgement { answer: or_show(attempt.id(), outcome)?, failed })
}

/// Whose address was typed, if it is anybody's.
#[derive(Clone, Copy)]
struct Person<'a> {
    email: &'a EmailAddress,
    known: Option<&'a UserWithPassword>,
    guesser: &'a Guesser,
}

/// What comparing found.
#[derive(Clone, Copy)]
enum Compared {
    Right,
    Wrong,
    /// Nothing: a wait is running, and a guess that is not judged costs no hash and tells nothing by its time.
    Not(Timestamp),
}

impl Person<'_> {
    /// Whether the account may be used. Asked after the password is compared, so that the time tells nothing.
    fn may_sign_in(self) -> bool {
        self.known.is_some_and(|known| known.user.is_active())
    }

    fn stored(self) -> Option<PasswordHash> {
        self.known.and_then(|known| known.phc.clone()).map(PasswordHash::from_stored)
    }
}

/// Compares, in the same time whatever there is to compare with: the right password of an account that may not be used is
/// as good as a wrong one. Returns the password again, if it is right and its stored hash is out of date.
async fn compare(
    cx: &Cx,
    slot: HashingPermit,
    password: Option<Password>,
    person: Person<'_>,
) -> Result<(Compared, Option<Password>)> {
    // A password too long to be anybody's still takes the time of one.
    let (password, stored) = match password {
        Some(password) => (password, person.stored()),
        None => (Password::parse("").map_err(keys::KeyError::from)?, None),
    };
    let again = Password::parse(password.reveal()).map_err(keys::KeyError::from)?;
    if !slot.verify(password, stored).await? || !person.may_sign_in() {
        return Ok((Compared::Wrong, None));
    }
    let is_outdated = person.stored().is_some_and(|stored| !cx.hasher.is_current(&stored));
    Ok((Compared::Right, is_outdated.then_some(again)))
}

/// The verdict and what it leads to. Where another post has changed the attempt meanwhile, it is applied to what that is now,
/// so that a right guess leaves its row in the trail and has its code mailed, whatever is posted beside it.
async fn judge(
    cx: &Cx,
    visit: &Visit,
    attempt: &Attempt,
    name: &str,
    person: Person<'_>,
    compared: Compared,
) -> (Option<PasswordVerdict>, Result<Answer>) {
    let (verdict, outcome) = judge_once(cx, visit, attempt, person, compared).await;
    if verdict.is_none() || !matches!(outcome, Err(Error::Lost)) {
        return (verdict, outcome);
    }
    let (verdict, outcome) = match own_attempt(cx, visit, name).await {
        Ok(Some(changed)) => judge_once(cx, visit, &changed, person, compared).await,
        Ok(None) => (verdict, Err(Error::Lost)),
        Err(error) => return (verdict, Err(error)),
    };
    if let (Some(judged), Err(Error::Lost)) = (verdict, &outcome) {
        let client = &attempt.request().client_id;
        let recorded = cx.db.write(async |tx| record(cx, tx, person, client, judged).await).await;
        if let Err(error) = recorded {
            return (verdict, Err(error));
        }
    }
    (verdict, outcome)
}

async fn own_attempt(cx: &Cx, visit: &Visit, name: &str) -> Result<Option<Attempt>> {
    let mut conn = cx.db.read().await?;
    Ok(match attempt::find(cx, &mut conn, visit, name).await? {
        Found::Own(attempt) => Some(attempt),
        Found::OtherCookie(_) | Found::Previous(_) | Found::Nothing => None,
    })
}

/// The verdict and what it leads to, in one transaction. The verdict is known also where the attempt was changed meanwhile and
/// nothing is written.
async fn judge_once(
    cx: &Cx,
    visit: &Visit,
    attempt: &Attempt,
    person: Person<'_>,
    compared: Compared,
) -> (Option<PasswordVerdict>, Result<Answer>) {
    let work = Work::on(cx, visit, attempt).about(person.known, person.guesser);
    let mut judged = None;
    let outcome = cx
        .db
        .write(async |tx| {
            let client = &work.request.client_id;
            let verdict = charge(cx, tx, person, compared, client).await?;
            judged = Some(verdict);
            record(cx, tx, person, client, verdict).await?;
            let input = Input::Password(PasswordChecked { verdict });
            apply::run(&work, tx, attempt.state(), input).await
        })
        .await;
    (judged, outcome)
}

/// Hashes a right password anew. Only now: before the verdict, the time of a second hash would tell who is right, also
/// while guesses are paused. While anybody waits for a hash the next sign-in does it.
async fn renew(cx: &Cx, person: Person<'_>, first: First, password: Password) -> Result<()> {
    if cx.hasher.waiting() != [0, 0] {
        return Ok(());
    }
    let guest = HashingCaller::Known(cx.root.counter_key(person.email.canonical()));
    let Ok(slot) = cx.hasher.admit(guest).await else { return Ok(()) };
    let hash = slot.hash(password).await?;
    let (user, FirstStep::Password { version }) = (first.user, first.step) else { return Ok(()) };
    cx.db
        .write(
            async |tx| Ok(store::password::replace_hash(tx, user, hash.as_str(), version).await?),
        )
        .await
}

/// Spends the try. A verdict whose try cannot be spent is thrown away, so that guesses sent at once win nothing.
async fn charge(
    cx: &Cx,
    tx: &mut Tx,
    person: Person<'_>,
    compared: Compared,
    client: &str,
) -> Result<PasswordVerdict> {
    let right = match compared {
        Compared::Not(until) => return Ok(PasswordVerdict::Paused(until)),
        Compared::Right => person.known,
        Compared::Wrong => None,
    };
    let guesser = person.guesser;
    // A right one is refunded, so it spends nothing: but it, too, finds no wait running.
    let tally = match guesser.spend(cx, tx, ThrottleKind::Password, right.is_none()).await? {
        Spent::Try(tally) => tally,
        Spent::Paused(until) => return Ok(PasswordVerdict::Paused(until)),
    };
    if let Some(known) = right {
        return Ok(PasswordVerdict::Right(First {
            user: known.user.id,
            epoch: known.user.epoch,
            step: FirstStep::Password { version: known.password_version.unwrap_or_default() },
        }));
    }
    if guesser.was_wrong(cx, tx, ThrottleKind::Password, tally).await? {
        let user = person.known.map(|known| known.user.id);
        let notice = WrongGuesses { user, tried: Tried::Password };
        mail::warn_once_a_day(cx, tx, notice, person.email.canonical(), client).await?;
    }
    Ok(PasswordVerdict::Wrong)
}

async fn record(
    cx: &Cx,
    tx: &mut Tx,
    person: Person<'_>,
    client: &str,
    verdict: PasswordVerdict,
) -> Result<(), Error> {
    let outcome = match verdict {
        PasswordVerdict::Right(_) => PasswordOutcome::Right,
        PasswordVerdict::Wrong => PasswordOutcome::Wrong,
        PasswordVerdict::Paused(_) => PasswordOutcome::Paused,
    };
    let entry = audit::Entry::new(event::PasswordChecked {}, outcome)
        .user(person.known.map(|known| known.user.id))
        .client(client);
    audit::record(cx, tx, entry).await
}
