//! The first step: an address and a password.
//!
//! Known and unknown people run the same statements and one commit, and get the same bytes: the hash of an unknown
//! person is compared with a dummy, and counters are keyed by an HMAC of the address, not by a row.

use keys::{Password, PasswordHash};
use store::{Timestamp, Tx, throttle::Kind, user::UserWithPassword};

use super::{
    Answer, apply,
    apply::Work,
    machine::{First, Input, Refusal},
    or_show,
};
use crate::{
    Cx, Error, Result,
    attempt::{self, Attempt, Found, Visit},
    audit,
    email::EmailAddress,
    settings::wait_after,
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
    // Admission comes before look-up: a full pool says so before it costs the database anything.
    let slot = match cx.hasher.admit().await {
        Ok(slot) => slot,
        Err(busy) => {
            let retry_after = busy.retry_after;
            return Ok(Answer::Busy { attempt: name.to_owned(), retry_after });
        }
    };
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, visit, name).await?;
    let attempt = match found {
        Found::Own(attempt) => attempt,
        Found::OtherCookie(request) => {
            let again = crate::authorize::sign_in_page(cx, visit, request)?;
            return Ok(again.map_or(Answer::StartAgain, |asked| Answer::Anew(Box::new(asked))));
        }
        Found::Previous(_) | Found::Nothing => return Ok(Answer::StartAgain),
    };
    let known = store::user::with_password(&mut conn, email.canonical()).await?;
    drop(conn);
    let stored = known.as_ref().and_then(|known| known.phc.clone()).map(PasswordHash::from_stored);
    // A password too long to be anybody's still takes the time of one.
    let (password, stored) = match password {
        Some(password) => (password, stored),
        None => (Password::parse("").map_err(keys::KeyError::from)?, None),
    };
    let right = slot.verify(password, stored).await?;
    let judged = Judged { email, known: known.as_ref(), right };
    let outcome = judge(cx, visit, &attempt, judged).await;
    or_show(attempt.id(), outcome)
}

#[derive(Clone, Copy)]
struct Judged<'a> {
    email: &'a EmailAddress,
    known: Option<&'a UserWithPassword>,
    right: bool,
}

async fn judge(cx: &Cx, visit: &Visit, attempt: &Attempt, judged: Judged<'_>) -> Result<Answer> {
    let mut work = Work::on(cx, visit, attempt);
    let key = cx.root.lookup(judged.email.canonical());
    cx.db
        .write(async |tx| {
            let verdict = charge(cx, tx, &key, judged).await?;
            if let PasswordVerdict::Right(first) = verdict {
                work.about = Some(first.user);
            }
            record(cx, tx, judged, &work.request.client_id, verdict).await?;
            let input = Input::Password(PasswordChecked { verdict });
            apply::run(&work, tx, attempt.state(), input).await
        })
        .await
}

/// Spends the try. A verdict whose try cannot be spent is thrown away, so that guesses sent at once win nothing.
async fn charge(cx: &Cx, tx: &mut Tx, key: &[u8], judged: Judged<'_>) -> Result<PasswordVerdict> {
    let settings = &cx.settings;
    let right = judged.known.filter(|_| judged.right);
    // A right one is refunded, so it spends nothing: but it, too, finds no wait running.
    let cost = i64::from(right.is_none());
    let Some(spent) = store::throttle::spend(tx, key, Kind::Password, (cost, cx.now)).await? else {
        let until = store::throttle::read(tx, key, Kind::Password).await?;
        return Ok(PasswordVerdict::Paused(until.map_or(cx.now, |throttle| throttle.next_at)));
    };
    if let Some(known) = right {
        return Ok(PasswordVerdict::Right(First {
            user: known.user.id,
            epoch: known.user.epoch,
            password_version: known.password_version.unwrap_or_default(),
        }));
    }
    let waits = (settings.password_wait, settings.password_wait_most);
    if let Some(next_at) = wait_after(spent, settings.password_failures, waits, cx.now) {
        store::throttle::wait_until(tx, key, Kind::Password, next_at).await?;
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
