//! The second step by e-mail: six digits, derived and never stored (decision 3).
//!
//! ```text
//! posted ─▶ six digits? ─▶ charged to person and challenge, counted if wrong (one commit)
//!        ─▶ verdict ─▶ applied (one commit)
//! ```
//!
//! Nothing stores an expiry: a code is valid until min(last acceptance by the mail server + window, first issue + 2 ×
//! window), computed with the live setting, so that a change applies to codes already sent.

use std::time::Duration;

use store::{
    CommitTracker, Timestamp, Tx,
    email_challenge::{ChallengePurpose, EmailChallenge},
};

use super::{
    Answer, apply,
    apply::UnitOfWork,
    charge,
    code_post::CodePost,
    code_window::{CodeValidity, derive_code, validity},
    follow, judged_attempt,
    machine::Input,
    mailed_method::{self, ChallengeState, CodeComparison},
    method::MailedMethod,
    record_out_of_turn,
    refusal::{CodeRefusal, MailRefusal, Refusal},
    second_step::{MailedVerifier, ProofOwner, SecondChecked, Verdict},
    show_on_conflict, typed_code,
};
use crate::{
    Cx, Error, Result,
    attempt::{self, BrowserContext, LoadedAttempt},
    audit::{self, event, outcome::CodeOutcome},
    network,
};

/// How long after completion the right code from the browser that completed still leads to the same goal.
const REPEAT_WINDOW: Duration = Duration::from_mins(1);
/// How long past its cap a challenge can still be found, to explain why a code fails.
const TOMBSTONE_LIFETIME: Duration = Duration::from_hours(2);

/// The seal of codes by e-mail: only this file constructs one.
#[derive(Debug)]
pub(crate) struct EmailCodeVerifier {
    _here: (),
}

impl MailedVerifier for EmailCodeVerifier {
    const METHOD: MailedMethod = MailedMethod::EMAIL_CODE;
}

/// Checks a posted code, to the end even if the client disconnects: a guess that is charged is recorded and counted, and its
/// person warned.
pub async fn post(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    let (cx, browser_context, name, typed) =
        (cx.clone(), browser_context.clone(), name.to_owned(), typed.to_owned());
    CommitTracker::run_to_completion(async move {
        let answer = judge_once(&cx, &browser_context, &name, &typed).await?;
        // A double click, and the other post was faster: this one is treated as the repeated one, and leads to the same
        // goal.
        if matches!(answer, Answer::Show(_, None))
            && was_completed(&cx, &browser_context, &name).await?
        {
            return judge_once(&cx, &browser_context, &name, &typed).await;
        }
        Ok(answer)
    })
    .await?
}

/// Whether a code has just completed the second step in this browser.
async fn was_completed(cx: &Cx, browser_context: &BrowserContext, name: &str) -> Result<bool> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, browser_context, name).await?;
    Ok(judged_attempt::of_post(found).is_ok_and(|loaded| {
        loaded.state.is_second_step_proven() && loaded.state.challenge().is_some()
    }))
}

async fn judge_once(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    let mut conn = cx.db.read().await?;
    let (found, open_challenges) =
        attempt::find_with_challenges(cx, &mut conn, browser_context, name).await?;
    let attempt = match judged_attempt::of_post(found) {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(*answer),
    };
    let read = CodePost::read(cx, &mut conn, browser_context, attempt, open_challenges).await?;
    drop(conn);
    let post = match read {
        Ok(post) => post,
        Err(attempt) => {
            record_out_of_turn(cx, &attempt).await?;
            return Ok(Answer::Show(attempt.row.id, None));
        }
    };
    if !post.is_judged() {
        // Another tab of this browser was faster.
        return follow::follow_or_restart(cx, browser_context, &post.attempt).await;
    }
    let outcome = judge(cx, browser_context, &post, typed).await;
    show_on_conflict(post.attempt.row.id, outcome)
}

async fn judge(
    cx: &Cx,
    browser_context: &BrowserContext,
    post: &CodePost,
    typed: &str,
) -> Result<Answer> {
    let id = post.attempt.row.id;
    // What is not six digits is compared with nothing, so it costs no try (misuse case 6).
    let code = match typed_code::parse(typed) {
        Ok(code) => code,
        Err(refusal) => return Ok(Answer::Show(id, Some(refusal.into()))),
    };
    if !judged_attempt::first_step_counts(&post.attempt.state, &post.person) {
        return start_again(cx, browser_context, post).await;
    }
    let is_stranger = post.throttle_subject.is_stranger();
    let about = async || Ok(post.audit_subject());
    let failure = match network::count_failure(cx, is_stranger, about).await? {
        Ok(failure) => failure,
        Err(limit) => return Ok(Answer::Show(id, Some(Refusal::NetworkPaused(limit)))),
    };
    let charged = match charge::charge_guess(cx, post, &code).await {
        Ok(charged) => charged,
        Err(error) => {
            // Any other error has charged nothing.
            if matches!(error, Error::Store(store::Error::CommitUnknown(_))) {
                failure.keep();
            }
            return Err(error);
        }
    };
    let verdict = match &charged {
        Err(refusal) => Verdict::Refused(*refusal),
        Ok(charge) => match compare(cx, browser_context, post, &code, charge.tries_left).await {
            Ok(verdict) => verdict,
            Err(error) => {
                // If the guess is charged, it may be wrong.
                if charge.spent.is_some() {
                    failure.keep();
                }
                return Err(error);
            }
        },
    };
    let mut work = UnitOfWork::for_post(cx, browser_context, post);
    work.charged = charged.ok().and_then(|charge| charge.spent);
    let answer = apply_verdict(&work, post, verdict).await;
    // A completed sign-in gives back what the person's counters have: so the network is charged in the same cases.
    if work.charged.is_some() && !is_refunded(verdict) {
        failure.keep();
    } else {
        failure.refund().await;
    }
    if let Some(failures) = work.failures.get() {
        network::refund_sign_in(cx, *failures).await;
    }
    answer
}

/// A reset or a change of the password came between: the code is compared with nothing, so it costs no try.
async fn start_again(cx: &Cx, browser_context: &BrowserContext, post: &CodePost) -> Result<Answer> {
    let work = UnitOfWork::for_post(cx, browser_context, post);
    let checked = checked(post, Verdict::Refused(Refusal::StartAgain));
    apply::apply_to_row(work, &post.attempt, Input::Second(checked)).await
}

fn checked(post: &CodePost, verdict: Verdict) -> SecondChecked {
    let challenge = &post.challenge;
    let owner = ProofOwner { user: challenge.user_id, epoch: challenge.epoch };
    SecondChecked::mailed(&EmailCodeVerifier { _here: () }, challenge.id, owner, verdict)
}

/// Applies the verdict, and records the check.
async fn apply_verdict(work: &UnitOfWork<'_>, post: &CodePost, verdict: Verdict) -> Result<Answer> {
    let cx = work.cx;
    let checked = checked(post, verdict);
    let state = post.attempt.state.clone();
    cx.db
        .write(async |tx| {
            record_verdict(cx, tx, post, verdict).await?;
            apply::run(work, tx, state, Input::Second(checked)).await
        })
        .await
}

/// Whether the try is given back, because the code was accepted.
const fn is_refunded(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Right(CodeValidity::Valid))
}

/// Compares, outside a transaction.
async fn compare(
    cx: &Cx,
    browser_context: &BrowserContext,
    post: &CodePost,
    guess: &str,
    left: i64,
) -> Result<Verdict> {
    let (loaded, challenge) = (&post.attempt, &post.challenge);
    let (time, is_right) = (validity(cx, challenge), is_code_of(cx, challenge, guess)?);
    let another = if is_right || time == CodeValidity::Expired {
        None
    } else {
        state_of_matching_challenge(cx, challenge, guess).await?
    };
    Ok(mailed_method::verdict(CodeComparison {
        is_right,
        challenge_state: ChallengeState::of(challenge),
        validity: time,
        is_second_step_proven: loaded.state.is_second_step_proven(),
        is_repeat: is_repeat(cx, browser_context, loaded, challenge.completed_at),
        another,
        tries_left: left,
    }))
}

/// Whether a post comes from the browser whose code was accepted `at` that time, and soon enough.
fn is_repeat(
    cx: &Cx,
    browser_context: &BrowserContext,
    loaded: &LoadedAttempt,
    at: Option<Timestamp>,
) -> bool {
    let same_browser = loaded.row.previous_browser.as_ref() == Some(&browser_context.browser)
        || loaded.row.browser == browser_context.browser;
    same_browser && at.is_some_and(|at| cx.now.since(at) <= REPEAT_WINDOW)
}

fn is_code_of(cx: &Cx, challenge: &EmailChallenge, guess: &str) -> Result<bool> {
    Ok(derive_code(cx, challenge)?.matches(guess))
}

/// A wrong code may be a right one elsewhere: an older mail, another browser, an earlier sign-in. It is still wrong here,
/// and it has been charged; it has a refusal of its own so that the person knows which mail to use.
async fn state_of_matching_challenge(
    cx: &Cx,
    challenge: &EmailChallenge,
    guess: &str,
) -> Result<Option<ChallengeState>> {
    let since = cx.now.minus(cx.settings.code_window * 2 + TOMBSTONE_LIFETIME);
    let mut conn = cx.db.read().await?;
    for other in store::email_challenge::recent(
        &mut conn,
        challenge.user_id,
        ChallengePurpose::SignIn,
        since,
    )
    .await?
    {
        // A code of a root key that was removed can no longer be derived.
        let known = cx.root.ids().any(|id| id == other.key_id);
        if known && other.id != challenge.id && is_code_of(cx, &other, guess)? {
            return Ok(Some(ChallengeState::of(&other)));
        }
    }
    Ok(None)
}

async fn record_verdict(cx: &Cx, tx: &mut Tx, post: &CodePost, verdict: Verdict) -> Result<()> {
    let challenge = &post.challenge;
    let checked =
        event::CodeChecked { challenge: challenge.id, reference: challenge.reference.clone() };
    let entry = audit::AuditEntry::new(checked, audit_outcome(verdict))
        .elapsed(delay(cx, challenge, verdict))
        .user(challenge.user_id)
        .client(post.client_id());
    audit::record(cx, tx, entry).await
}

/// Time from the acceptance of its mail to a right code: shows whether the window is long enough.
fn delay(cx: &Cx, challenge: &EmailChallenge, verdict: Verdict) -> Option<Duration> {
    let Verdict::Right(_) = verdict else { return None };
    challenge.last_accepted_at.map(|at| cx.now.since(at))
}

/// The outcome in the trail.
const fn audit_outcome(verdict: Verdict) -> CodeOutcome {
    match verdict {
        Verdict::Right(CodeValidity::Valid) => CodeOutcome::Right,
        Verdict::Right(CodeValidity::Late) => CodeOutcome::Late,
        Verdict::Right(CodeValidity::Expired) | Verdict::Expired => CodeOutcome::Expired,
        Verdict::Repeated => CodeOutcome::Repeated,
        Verdict::Refused(refusal) => refusal_outcome(refusal),
    }
}

const fn refusal_outcome(refusal: Refusal) -> CodeOutcome {
    match refusal {
        Refusal::Mail(MailRefusal::Late) => CodeOutcome::Late,
        Refusal::Mail(MailRefusal::Expired) => CodeOutcome::Expired,
        Refusal::Mail(MailRefusal::Superseded) => CodeOutcome::Superseded,
        Refusal::Mail(MailRefusal::OtherBrowser) => CodeOutcome::OtherBrowser,
        Refusal::Mail(MailRefusal::Exhausted) => CodeOutcome::Exhausted,
        Refusal::Code(CodeRefusal::Used) => CodeOutcome::Used,
        Refusal::Code(CodeRefusal::Paused(_)) => CodeOutcome::Paused,
        // What is not six digits comes to no verdict, and no clock but ours has made the code.
        Refusal::Code(
            CodeRefusal::Wrong(_)
            | CodeRefusal::ClockOff(_)
            | CodeRefusal::NotDigits
            | CodeRefusal::NotSixDigits(_)
            | CodeRefusal::NotRecoveryCode(_),
        )
        | Refusal::Mail(MailRefusal::SendLater(_))
        | Refusal::Password(_)
        | Refusal::Passkey(_)
        | Refusal::NewPassword(_)
        | Refusal::NetworkPaused(_)
        | Refusal::StartAgain
        | Refusal::OutOfTurn => CodeOutcome::Wrong,
    }
}
