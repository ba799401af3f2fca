//! "Send it again": the same code while it is valid, a new one when it is not, and neither too often.

use std::time::Duration;

use store::{Timestamp, email_challenge::EmailChallenge};

use super::{
    Answer, apply,
    apply::UnitOfWork,
    attempt_or_answer,
    code_limits::CodeLimits,
    code_post::CodePost,
    code_window::validity,
    follow,
    machine::Input,
    mailed_method::{self, ResendFacts},
    method::Challenge,
    record_out_of_turn,
    state::{AwaitedProof, PendingSecondStep, State},
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, BrowserContext},
};

/// A checked "send it again". Only this file constructs one.
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

/// When the same person may request the next mail: the cool-down doubles with each, up to four times its first value.
pub(super) fn resend_at(cx: &Cx, challenge: &EmailChallenge) -> Timestamp {
    let doublings = u32::try_from(challenge.sends.saturating_sub(1)).unwrap_or(0).min(2);
    let wait = if challenge.sends == 0 {
        Duration::ZERO
    } else {
        cx.settings.resend_wait * (1 << doublings)
    };
    challenge.last_requested_at.plus(wait)
}

/// Checks "send it again".
pub async fn resend(cx: &Cx, browser_context: &BrowserContext, name: &str) -> Result<Answer> {
    let mut conn = cx.db.read().await?;
    let (found, open_challenges) =
        attempt::find_with_challenges(cx, &mut conn, browser_context, name).await?;
    let attempt = match attempt_or_answer(cx, browser_context, found)? {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(answer),
    };
    let Attempt::Row(loaded) = attempt else { return Ok(Answer::Show(attempt.id(), None)) };
    let State::Second(PendingSecondStep { waiting: AwaitedProof::Mailed(_), .. }) = loaded.state
    else {
        drop(conn);
        record_out_of_turn(cx, &loaded).await?;
        return Ok(Answer::Show(loaded.row.id, None));
    };
    let post = match CodePost::read(cx, &mut conn, browser_context, loaded, open_challenges).await?
    {
        Ok(post) => post,
        // Swept since: the first step is due.
        Err(attempt) => return Ok(Answer::Show(attempt.row.id, None)),
    };
    if !post.is_judged() {
        drop(conn);
        return follow::follow_or_restart(cx, browser_context, &post.attempt).await;
    }
    let verdict = resend_verdict(cx, &mut conn, &post).await?;
    drop(conn);
    let checked = ResendChecked { challenge: Challenge::of(&post.challenge), verdict };
    let work = UnitOfWork::for_post(cx, browser_context, &post);
    apply::apply_to_row(work, &post.attempt, Input::Resend(checked)).await
}

async fn resend_verdict(
    cx: &Cx,
    sql: &mut impl store::Sql,
    post: &CodePost,
) -> Result<ResendVerdict> {
    let next = resend_at(cx, &post.challenge);
    let limits = CodeLimits::read(cx, sql, &post.throttle_subject).await?;
    // A code that is not judged is not mailed either.
    let until = limits.mails_used_up_until.max(limits.paused_until);
    let later = until.map_or(next, |until| until.max(next));
    Ok(mailed_method::resend_verdict(ResendFacts {
        earliest: (later > cx.now).then_some(later),
        is_exhausted: post.challenge.tries >= post.throttle_subject.code_tries(cx),
        validity: validity(cx, &post.challenge),
    }))
}
