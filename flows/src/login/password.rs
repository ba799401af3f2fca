//! The first step: an address and a password.
//!
//! Known and unknown people run the same statements and one commit, and get the same bytes: the hash of an unknown
//! person is compared with a dummy, and counters are keyed by an HMAC of the address, not by a row. Only a browser that
//! claims to be a known device of the typed address costs a statement more, and nobody but its owner has such a claim.

use keys::{Busy, Guest, Password, PasswordHash, Slot, Verified};
use store::{Timestamp, Tx, throttle::Kind, user::UserWithPassword};

use super::{
    Answer, apply,
    apply::Work,
    machine::{First, Input, Refusal},
    or_show,
    tries::{Guesser, Spent},
};
use crate::{
    Cx, Error, Result,
    attempt::{self, Attempt, Found, Visit},
    audit, device,
    email::EmailAddress,
    network::{self, About},
    notify::{self, Tried},
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
    let account = device::account(cx, visit, email.canonical()).await?;
    let guest = account.map_or(Guest::Stranger, Guest::Known);
    // Nothing is counted for somebody who is turned away: on a bad day that is nearly everybody, and each has to cost little.
    if let Err(full) = cx.hasher.turn_away(guest) {
        return Ok(busy(name, full));
    }
    // Networks come before the pool, and admission to the pool before any look-up: a full pool says so before it costs
    // the database anything.
    let is_counted = account.is_none();
    if is_counted
        && let Some(crowded) = network::failure(cx, async || about(cx, visit, name).await).await?
    {
        return Ok(Answer::Crowded { attempt: name.to_owned(), crowded });
    }
    let outcome = match cx.hasher.admit(guest).await {
        Ok(slot) => admitted(cx, visit, (name, email, password), slot).await,
        Err(full) => Ok(Judgement::none(busy(name, full))),
    };
    if is_counted && !matches!(outcome, Ok(Judgement { was_wrong: true, .. })) {
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

fn busy(name: &str, full: Busy) -> Answer {
    Answer::Busy { attempt: name.to_owned(), retry_after: full.retry_after }
}

/// What became of a post.
struct Judgement {
    answer: Answer,
    /// Whether a password was compared in vain.
    was_wrong: bool,
}

impl Judgement {
    const fn none(answer: Answer) -> Self {
        Self { answer, was_wrong: false }
    }
}

async fn admitted(
    cx: &Cx,
    visit: &Visit,
    (name, email, password): (&str, &EmailAddress, Option<Password>),
    slot: Slot,
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
    let known = store::user::with_password(&mut conn, email.canonical()).await?;
    drop(conn);
    let stored = known.as_ref().and_then(|known| known.phc.clone()).map(PasswordHash::from_stored);
    // A password too long to be anybody's still takes the time of one.
    let (password, stored) = match password {
        Some(password) => (password, stored),
        None => (Password::parse("").map_err(keys::KeyError::from)?, None),
    };
    let verified = slot.verify_and_renew(password, stored).await?;
    let judged = Judged { email, known: known.as_ref(), verified: &verified };
    let outcome = judge(cx, visit, &attempt, judged).await;
    let answer = or_show(attempt.id(), outcome)?;
    let was_wrong = matches!(answer, Answer::Show(_, Some(Refusal::WrongPassword)));
    Ok(Judgement { answer, was_wrong })
}

#[derive(Clone, Copy)]
struct Judged<'a> {
    email: &'a EmailAddress,
    known: Option<&'a UserWithPassword>,
    verified: &'a Verified,
}

async fn judge(cx: &Cx, visit: &Visit, attempt: &Attempt, judged: Judged<'_>) -> Result<Answer> {
    let mut work = Work::on(cx, visit, attempt);
    cx.db
        .write(async |tx| {
            let verdict = charge(cx, tx, visit, (judged, &work.request.client_id)).await?;
            if let PasswordVerdict::Right(first) = verdict {
                work.about = Some(first.user);
                renew(tx, first, judged.verified).await?;
            }
            record(cx, tx, judged, &work.request.client_id, verdict).await?;
            let input = Input::Password(PasswordChecked { verdict });
            apply::run(&work, tx, attempt.state(), input).await
        })
        .await
}

/// Keeps the new hash of a right password whose stored one is out of date.
async fn renew(tx: &mut Tx, first: First, verified: &Verified) -> Result<()> {
    if let Some(hash) = &verified.renewed {
        store::password::renew(tx, first.user, hash.as_str(), first.password_version).await?;
    }
    Ok(())
}

/// Spends the try. A verdict whose try cannot be spent is thrown away, so that guesses sent at once win nothing.
async fn charge(
    cx: &Cx,
    tx: &mut Tx,
    visit: &Visit,
    (judged, client): (Judged<'_>, &str),
) -> Result<PasswordVerdict> {
    let user = judged.known.map(|known| &known.user);
    let guesser = match user {
        Some(user) => Guesser::of(cx, tx, visit, user).await?,
        None => Guesser::stranger(cx, judged.email.canonical()),
    };
    let right = judged.known.filter(|_| judged.verified.right);
    // A right one is refunded, so it spends nothing: but it, too, finds no wait running.
    let tally = match guesser.spend(cx, tx, Kind::Password, right.is_none()).await? {
        Spent::Try(tally) => tally,
        Spent::Paused(until) => return Ok(PasswordVerdict::Paused(until)),
    };
    if let Some(known) = right {
        return Ok(PasswordVerdict::Right(First {
            user: known.user.id,
            epoch: known.user.epoch,
            password_version: known.password_version.unwrap_or_default(),
        }));
    }
    if guesser.was_wrong(cx, tx, Kind::Password, tally).await? {
        let address = judged.email.canonical();
        let whom = (address, user.map(|user| user.id));
        notify::somebody_tried(cx, tx, whom, (Tried::Password, client)).await?;
    }
    Ok(PasswordVerdict::Wrong)
}

async fn record(
    cx: &Cx,
    tx: &mut Tx,
    judged: Judged<'_>,
    client: &str,
    verdict: PasswordVerdict,
) -> Result<(), Error> {
    let outcome = match verdict {
        PasswordVerdict::Right(_) => "right",
        PasswordVerdict::Wrong => "wrong",
        PasswordVerdict::Paused(_) => "paused",
    };
    let entry = audit::Entry::new(audit::Event::PasswordChecked)
        .outcome(outcome)
        .user(judged.known.map(|known| known.user.id))
        .client(client);
    audit::record(cx, tx, entry).await
}

/// Whether a refusal is about the password form.
#[must_use]
pub const fn is_about_password(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::WrongPassword | Refusal::PasswordPaused(_))
}
