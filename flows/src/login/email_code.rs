//! The second step by e-mail: six digits, derived and never stored (decision 3).
//!
//! ```text
//! posted ─▶ charged to person and challenge (one commit) ─▶ derived and compared ─▶ applied (one commit)
//! ```
//!
//! Nothing stores an expiry: a code is good until min(last acceptance by the mail server + window, first issue
//! + 2 × window), computed with the live setting, so that a change applies to codes already sent.

use std::time::Duration;

use store::{
    CommitTracker, Timestamp, Tx,
    email_challenge::{ChallengePurpose, EmailChallenge},
};

use super::{
    Answer, apply,
    apply::Work,
    charge::{self, Charge},
    code_window::{Time, code_of, time},
    follow,
    machine::Input,
    mailed::{self, Compared, Fate},
    method::Mailed,
    or_show, out_of_turn,
    post::Post,
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    second::{MailedSeal, Owner, SecondChecked, Verdict},
    typed_code,
};
use crate::{
    Cx, Result,
    admission::Admission,
    attempt::{self, Attempt, Found, Loaded, Visit},
    audit::{self, event, outcome::CodeOutcome},
    guess_budget,
    mail::{self, Tried, WrongGuesses},
    network,
};

/// How long after completion the right code of the browser that completed still leads to the same end.
const REPEAT: Duration = Duration::from_mins(1);
/// How long past its cap a challenge is still looked at, to say why a code fails.
const TOMBSTONE: Duration = Duration::from_hours(2);

/// The seal of codes by e-mail: only this file makes one.
#[derive(Debug)]
pub(crate) struct EmailCodeSeal {
    _here: (),
}

impl MailedSeal for EmailCodeSeal {
    const METHOD: Mailed = Mailed::EMAIL_CODE;
}

/// Judges a posted code, to the end also for a client that does not wait: a guess that is charged is recorded and counted, and
/// its person warned.
pub async fn post(cx: &Cx, visit: &Visit, name: &str, typed: &str) -> Result<Answer> {
    let (cx, visit, name, typed) = (cx.clone(), visit.clone(), name.to_owned(), typed.to_owned());
    CommitTracker::run_to_completion(async move {
        let answer = judge_once(&cx, &visit, &name, &typed).await?;
        // A double click, and the other click was faster: this one, seen as the later one, goes to the same end.
        if matches!(answer, Answer::Show(_, None)) && was_completed(&cx, &visit, &name).await? {
            return judge_once(&cx, &visit, &name, &typed).await;
        }
        Ok(answer)
    })
    .await?
}

/// Whether this browser has just been led on by a code.
async fn was_completed(cx: &Cx, visit: &Visit, name: &str) -> Result<bool> {
    let mut conn = cx.db.read().await?;
    Ok(match attempt::find(cx, &mut conn, visit, name).await? {
        Found::Own(Attempt::Row(loaded)) | Found::Previous(loaded) => {
            loaded.state.is_led_on() && loaded.state.challenge().is_some()
        }
        Found::Own(Attempt::Sealed { .. }) | Found::OtherCookie(_) | Found::Nothing => false,
    })
}

async fn judge_once(cx: &Cx, visit: &Visit, name: &str, typed: &str) -> Result<Answer> {
    let mut conn = cx.db.read().await?;
    let (found, near) = attempt::find_with_challenges(cx, &mut conn, visit, name).await?;
    let attempt = match found {
        Found::Own(Attempt::Row(loaded)) => loaded,
        Found::Previous(loaded) if loaded.state.is_led_on() => loaded,
        Found::Own(sealed @ Attempt::Sealed { .. }) => return Ok(Answer::Show(sealed.id(), None)),
        Found::Previous(_) | Found::OtherCookie(_) | Found::Nothing => {
            return Ok(Answer::StartAgain);
        }
    };
    let read = Post::read(cx, &mut conn, visit, attempt, near).await?;
    drop(conn);
    let post = match read {
        Ok(post) => post,
        Err(attempt) => {
            out_of_turn(cx, &attempt).await?;
            return Ok(Answer::Show(attempt.row.id, None));
        }
    };
    if !post.is_judged() {
        // Another tab of this browser was faster.
        return follow::post(cx, visit, &post.attempt).await;
    }
    let outcome = judge(cx, visit, &post, typed).await;
    or_show(post.attempt.row.id, outcome)
}

async fn judge(cx: &Cx, visit: &Visit, post: &Post, typed: &str) -> Result<Answer> {
    let id = post.attempt.row.id;
    let read = match typed_code::read(typed) {
        Err(refusal) if typed.trim().is_empty() => {
            return Ok(Answer::Show(id, Some(refusal.into())));
        }
        read => read,
    };
    let is_stranger = post.guesser.is_stranger();
    let about = async || Ok(post.about());
    if let Admission::Paused(crowded) = Admission::of_guess(cx, is_stranger, about).await? {
        return Ok(Answer::Show(id, Some(Refusal::NetworkPaused(crowded))));
    }
    // Typed in vain, but typed: it counts (misuse case 6), the same one only once.
    let guess = read.as_deref().unwrap_or(typed);
    let charged = charge::guess(cx, post, guess).await?;
    let verdict = match (&charged, &read) {
        (Err(refusal), _) => Verdict::Refused(*refusal),
        (Ok(_), Err(refusal)) => Verdict::Refused((*refusal).into()),
        (Ok(charge), Ok(code)) => compare(cx, visit, post, code, charge.left).await?,
    };
    let charge = charged.ok();
    let work = Work::on_post(cx, visit, post);
    let answer = write(&work, post, charge, verdict).await;
    // What is given back at a completed sign-in is what the person's counters have: so it is charged here alike.
    let failed = charge.is_some_and(|charge| charge.is_spent) && !is_refunded(verdict);
    if is_stranger && !failed {
        network::no_failure(cx).await;
    }
    if let Some(failures) = work.failures.get() {
        network::completed(cx, *failures).await;
    }
    answer
}

/// Applies the verdict, and writes down what there was.
async fn write(
    work: &Work<'_>,
    post: &Post,
    charge: Option<Charge>,
    verdict: Verdict,
) -> Result<Answer> {
    let (cx, challenge) = (work.cx, &post.challenge);
    let owner = Owner { user: challenge.user_id, epoch: challenge.epoch };
    let checked = SecondChecked::mailed(&EmailCodeSeal { _here: () }, challenge.id, owner, verdict);
    let state = post.attempt.state.clone();
    cx.db
        .write(async |tx| {
            record(cx, tx, post, verdict).await?;
            if let Some(charge) = charge {
                count(cx, tx, post, charge, verdict).await?;
            }
            apply::run(work, tx, state, Input::Second(checked)).await
        })
        .await
}

/// Whether the try is given back, because the code led on.
const fn is_refunded(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Right(Time::Open))
}

/// What a guess moves besides its own counters: the site's guess budget, and a notice where strangers now wait.
async fn count(cx: &Cx, tx: &mut Tx, post: &Post, charge: Charge, verdict: Verdict) -> Result<()> {
    let challenge = &post.challenge;
    // Known devices feel nothing of the budget, so they spend nothing of it; nor does the same guess once more, nor one at a
    // code that was answered before, which leads nowhere and could not be taken back.
    let answered = challenge.completed_at.is_some();
    if outcome(verdict) == CodeOutcome::Wrong
        && charge.is_spent
        && post.guesser.is_stranger()
        && !answered
    {
        guess_budget::count(cx, tx, challenge.id).await?;
    }
    if charge.pauses && !matches!(verdict, Verdict::Right(_)) {
        let notice = WrongGuesses { user: Some(challenge.user_id), tried: Tried::Code };
        let canonical = post.person.user.counter_name();
        mail::warn_once_a_day(cx, tx, notice, &canonical, post.client()).await?;
    }
    Ok(())
}

/// Compares, with nothing held.
async fn compare(cx: &Cx, visit: &Visit, post: &Post, guess: &str, left: i64) -> Result<Verdict> {
    let (loaded, challenge) = (&post.attempt, &post.challenge);
    let (time, is_right) = (time(cx, challenge), is_code_of(cx, challenge, guess)?);
    let another = if is_right || time == Time::Past {
        None
    } else {
        fate_of_another(cx, challenge, guess).await?
    };
    Ok(mailed::verdict(Compared {
        is_right,
        fate: Fate::of(challenge),
        time,
        is_led_on: loaded.state.is_led_on(),
        is_repeat: is_repeat(cx, visit, loaded, challenge.completed_at),
        another,
        left,
    }))
}

/// Whether a post comes from the browser that was led on `at` that time, and soon enough.
fn is_repeat(cx: &Cx, visit: &Visit, loaded: &Loaded, at: Option<Timestamp>) -> bool {
    let same_browser = loaded.row.previous_browser.as_ref() == Some(&visit.browser)
        || loaded.row.browser == visit.browser;
    same_browser && at.is_some_and(|at| cx.now.since(at) <= REPEAT)
}

fn is_code_of(cx: &Cx, challenge: &EmailChallenge, guess: &str) -> Result<bool> {
    Ok(code_of(cx, challenge)?.matches(guess))
}

/// A wrong code may be a right one elsewhere: an older mail, another browser, an earlier sign-in. It is still wrong here,
/// and it has been charged; it is told apart so that the person knows which mail to look at.
async fn fate_of_another(cx: &Cx, challenge: &EmailChallenge, guess: &str) -> Result<Option<Fate>> {
    let since = cx.now.minus(cx.settings.code_window * 2 + TOMBSTONE);
    let mut conn = cx.db.read().await?;
    for other in store::email_challenge::recent(
        &mut conn,
        challenge.user_id,
        ChallengePurpose::SignIn,
        since,
    )
    .await?
    {
        // Of a root key whose file has gone: it can no longer be derived.
        let known = cx.root.ids().any(|id| id == other.key_id);
        if known && other.id != challenge.id && is_code_of(cx, &other, guess)? {
            return Ok(Some(Fate::of(&other)));
        }
    }
    Ok(None)
}

async fn record(cx: &Cx, tx: &mut Tx, post: &Post, verdict: Verdict) -> Result<()> {
    let challenge = &post.challenge;
    let checked =
        event::CodeChecked { challenge: challenge.id, reference: challenge.reference.clone() };
    let entry = audit::Entry::new(checked, outcome(verdict))
        .after(delay(cx, challenge, verdict))
        .user(challenge.user_id)
        .client(post.client());
    audit::record(cx, tx, entry).await
}

/// How long after its mail was taken a right code came back: what shows whether the window is right.
fn delay(cx: &Cx, challenge: &EmailChallenge, verdict: Verdict) -> Option<Duration> {
    let Verdict::Right(_) = verdict else { return None };
    challenge.last_accepted_at.map(|at| cx.now.since(at))
}

/// The outcomes that are told apart in the trail.
const fn outcome(verdict: Verdict) -> CodeOutcome {
    match verdict {
        Verdict::Right(Time::Open) => CodeOutcome::Right,
        Verdict::Right(Time::Late) => CodeOutcome::Late,
        Verdict::Right(Time::Past) | Verdict::Past => CodeOutcome::Expired,
        Verdict::Repeated => CodeOutcome::Repeated,
        Verdict::Refused(refusal) => refused_outcome(refusal),
    }
}

const fn refused_outcome(refusal: Refusal) -> CodeOutcome {
    match refusal {
        Refusal::Mail(MailRefusal::Late) => CodeOutcome::Late,
        Refusal::Mail(MailRefusal::Expired) => CodeOutcome::Expired,
        Refusal::Mail(MailRefusal::Superseded) => CodeOutcome::Superseded,
        Refusal::Mail(MailRefusal::OtherBrowser) => CodeOutcome::OtherBrowser,
        Refusal::Mail(MailRefusal::Exhausted) => CodeOutcome::Exhausted,
        Refusal::Code(CodeRefusal::Used) => CodeOutcome::Used,
        Refusal::Code(CodeRefusal::Paused(_)) => CodeOutcome::Paused,
        Refusal::Code(CodeRefusal::NotDigits | CodeRefusal::NotSixDigits(_)) => {
            CodeOutcome::Malformed
        }
        Refusal::Code(CodeRefusal::Wrong(_))
        | Refusal::Mail(MailRefusal::SendLater(_))
        | Refusal::Password(PasswordRefusal::Wrong | PasswordRefusal::Paused(_))
        | Refusal::NewPassword(_)
        | Refusal::NetworkPaused(_)
        | Refusal::StartAgain
        | Refusal::OutOfTurn => CodeOutcome::Wrong,
    }
}
