//! "Send it again": the same code while it works, a new one when it does not, and neither too often.

use std::time::Duration;

use store::{Timestamp, email_challenge::EmailChallenge};

use super::{
    Answer, apply,
    apply::Work,
    code_window::time,
    email_code::current,
    follow,
    machine::Input,
    mailed::{self, Asked, Fate},
    method::Challenge,
    out_of_turn, own,
    send_quota::quota_until,
    state::{Second, State, Waiting},
    tries::Guesser,
};
use crate::{
    Cx, Result,
    attempt::{Attempt, Visit},
};

/// What was found out about "send it again". Only this file makes one.
#[derive(Debug)]
pub struct ResendChecked {
    challenge: Challenge,
    verdict: ResendVerdict,
}

/// The verdict about "send it again".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendVerdict {
    /// The same code again.
    Same,
    /// A new one: the old one is spent or past its cap.
    New,
    /// Not yet.
    Later(Timestamp),
}

impl ResendChecked {
    /// The challenge that it is about.
    #[must_use]
    pub const fn challenge(&self) -> Challenge {
        self.challenge
    }

    /// The verdict.
    #[must_use]
    pub const fn verdict(&self) -> ResendVerdict {
        self.verdict
    }

    #[cfg(test)]
    pub(super) const fn assume(challenge: Challenge, verdict: ResendVerdict) -> Self {
        Self { challenge, verdict }
    }
}

/// When the same person may ask for the next mail: the cool-down doubles with each, up to four times.
pub(super) fn resend_at(cx: &Cx, challenge: &EmailChallenge) -> Timestamp {
    let doublings = u32::try_from(challenge.sends.saturating_sub(1)).unwrap_or(0).min(2);
    let wait = if challenge.sends == 0 {
        Duration::ZERO
    } else {
        cx.settings.resend_wait * (1 << doublings)
    };
    challenge.last_requested_at.plus(wait)
}

/// Judges "send it again".
pub async fn resend(cx: &Cx, visit: &Visit, name: &str) -> Result<Answer> {
    let attempt = match own(cx, visit, name).await? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    let Attempt::Row(loaded) = attempt else { return Ok(Answer::Show(attempt.id(), None)) };
    let State::Second(Second { waiting: Waiting::Mailed(_), .. }) = loaded.state else {
        out_of_turn(cx, &loaded).await?;
        return Ok(Answer::Show(loaded.row.id, None));
    };
    let mut conn = cx.db.read().await?;
    let Some(challenge) = current(&mut conn, visit, &loaded.state).await? else {
        // Swept since: the first step is due.
        drop(conn);
        return Ok(Answer::Show(loaded.row.id, None));
    };
    if !mailed::is_judged(&loaded.state, Fate::of(&challenge)) {
        drop(conn);
        return follow::post(cx, visit, &loaded).await;
    }
    let verdict = resend_verdict(cx, &mut conn, visit, &challenge).await?;
    drop(conn);
    let checked = ResendChecked { challenge: Challenge::of(&challenge), verdict };
    let mut work = Work::on_row(cx, visit, &loaded);
    work.sends = Some(challenge.sends);
    apply::on_row(work, &loaded, Input::Resend(checked)).await
}

async fn resend_verdict(
    cx: &Cx,
    sql: &mut impl store::Sql,
    visit: &Visit,
    challenge: &EmailChallenge,
) -> Result<ResendVerdict> {
    let next = resend_at(cx, challenge);
    let Some(user) = store::user::by_id(sql, challenge.user_id).await? else {
        return Ok(ResendVerdict::Later(next));
    };
    let guesser = Guesser::of(cx, sql, visit, &user).await?;
    let quota = quota_until(cx, sql, &guesser).await?;
    let later = quota.map_or(next, |quota| quota.max(next));
    Ok(mailed::resend_verdict(Asked {
        later: (later > cx.now).then_some(later),
        is_spent: challenge.tries >= guesser.code_tries(cx),
        time: time(cx, challenge),
    }))
}
