//! "Send it again": the same code while it works, a new one when it does not, and neither too often.

use std::time::Duration;

use store::{Timestamp, email_challenge::EmailChallenge};

use super::{
    Answer, apply,
    apply::Work,
    code_window::time,
    follow,
    machine::Input,
    mailed::{self, Asked},
    method::Challenge,
    or_answer, out_of_turn,
    post::Post,
    send_quota::quota_until,
    state::{Second, State, Waiting},
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, Visit},
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
    let mut conn = cx.db.read().await?;
    let (found, near) = attempt::find_with_challenges(cx, &mut conn, visit, name).await?;
    let attempt = match or_answer(cx, visit, found)? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    let Attempt::Row(loaded) = attempt else { return Ok(Answer::Show(attempt.id(), None)) };
    let State::Second(Second { waiting: Waiting::Mailed(_), .. }) = loaded.state else {
        drop(conn);
        out_of_turn(cx, &loaded).await?;
        return Ok(Answer::Show(loaded.row.id, None));
    };
    let post = match Post::read(cx, &mut conn, visit, loaded, near).await? {
        Ok(post) => post,
        // Swept since: the first step is due.
        Err(attempt) => return Ok(Answer::Show(attempt.row.id, None)),
    };
    if !post.is_judged() {
        drop(conn);
        return follow::post(cx, visit, &post.attempt).await;
    }
    let verdict = resend_verdict(cx, &mut conn, &post).await?;
    drop(conn);
    let checked = ResendChecked { challenge: Challenge::of(&post.challenge), verdict };
    let work = Work::on_post(cx, visit, &post);
    apply::on_row(work, &post.attempt, Input::Resend(checked)).await
}

async fn resend_verdict(cx: &Cx, sql: &mut impl store::Sql, post: &Post) -> Result<ResendVerdict> {
    let next = resend_at(cx, &post.challenge);
    let quota = quota_until(cx, sql, &post.guesser).await?;
    let later = quota.map_or(next, |quota| quota.max(next));
    Ok(mailed::resend_verdict(Asked {
        later: (later > cx.now).then_some(later),
        is_spent: post.challenge.tries >= post.guesser.code_tries(cx),
        time: time(cx, &post.challenge),
    }))
}
