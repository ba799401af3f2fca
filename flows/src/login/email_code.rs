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
    ChallengeId, Timestamp, Tx, UserId,
    email_challenge::{EmailChallenge, Purpose},
    throttle::Kind,
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
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    second::{MailedSeal, Owner, SecondChecked, Verdict},
    state::State,
    typed_code,
};
use crate::{
    Cx, Result,
    attempt::{self, Attempt, Found, Loaded, Visit},
    audit, device, guess_budget,
    mail::{self, Tried, WrongGuesses},
    network::{self, About},
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

/// Judges a posted code.
pub async fn post(cx: &Cx, visit: &Visit, name: &str, typed: &str) -> Result<Answer> {
    let answer = judge_once(cx, visit, name, typed).await?;
    // A double click, and the other click was faster: this one, seen as the later one, goes to the same end.
    if matches!(answer, Answer::Show(_, None)) && was_completed(cx, visit, name).await? {
        return judge_once(cx, visit, name, typed).await;
    }
    Ok(answer)
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

/// The challenge that an attempt is answered with: the one that it waits for or, when another tab of this browser has put
/// that aside, the one in its place, so that the newest code works in every tab.
pub(super) async fn current(
    sql: &mut impl store::Sql,
    visit: &Visit,
    state: &State,
) -> Result<Option<EmailChallenge>> {
    let Some(challenge) = state.challenge() else { return Ok(None) };
    let own = store::email_challenge::by_id(sql, challenge.id).await?;
    let Some(own) = own.filter(|own| own.purpose == Purpose::SignIn.as_str()) else {
        return Ok(None);
    };
    if Fate::of(&own) != Fate::Replaced {
        return Ok(Some(own));
    }
    let open =
        store::email_challenge::open(sql, own.user_id, &visit.browser, Purpose::SignIn).await?;
    let takes_place =
        |open: &EmailChallenge| mailed::takes_place(Fate::of(&own), own.epoch, open.epoch);
    Ok(Some(open.filter(takes_place).unwrap_or(own)))
}

async fn judge_once(cx: &Cx, visit: &Visit, name: &str, typed: &str) -> Result<Answer> {
    let mut conn = cx.db.read().await?;
    let loaded = match attempt::find(cx, &mut conn, visit, name).await? {
        Found::Own(Attempt::Row(loaded)) => loaded,
        Found::Previous(loaded) if loaded.state.is_led_on() => loaded,
        Found::Own(sealed @ Attempt::Sealed { .. }) => return Ok(Answer::Show(sealed.id(), None)),
        Found::Previous(_) | Found::OtherCookie(_) | Found::Nothing => {
            return Ok(Answer::StartAgain);
        }
    };
    let challenge = current(&mut conn, visit, &loaded.state).await?;
    drop(conn);
    let Some(challenge) = challenge else {
        out_of_turn(cx, &loaded).await?;
        return Ok(Answer::Show(loaded.row.id, None));
    };
    if !mailed::is_judged(&loaded.state, Fate::of(&challenge)) {
        // Another tab of this browser was faster.
        return follow::post(cx, visit, &loaded).await;
    }
    let outcome = judge(cx, visit, &loaded, &challenge, typed).await;
    or_show(loaded.row.id, outcome)
}

async fn judge(
    cx: &Cx,
    visit: &Visit,
    loaded: &Loaded,
    challenge: &EmailChallenge,
    typed: &str,
) -> Result<Answer> {
    let read = match typed_code::read(typed) {
        Err(refusal) if typed.trim().is_empty() => {
            return Ok(Answer::Show(loaded.row.id, Some(refusal.into())));
        }
        read => read,
    };
    let is_counted = match admit(cx, visit, loaded, challenge).await? {
        Ok(is_counted) => is_counted,
        Err(crowded) => {
            let refusal = Refusal::NetworkPaused(crowded);
            return Ok(Answer::Show(loaded.row.id, Some(refusal)));
        }
    };
    // Typed in vain, but typed: it counts (misuse case 6), the same one only once.
    let guess = read.as_deref().unwrap_or(typed);
    let charged = charge::guess(cx, visit, challenge, guess).await?;
    let verdict = match (&charged, &read) {
        (Err(refusal), _) => Verdict::Refused(*refusal),
        (Ok(_), Err(refusal)) => Verdict::Refused((*refusal).into()),
        (Ok(charge), Ok(code)) => {
            compare(cx, visit, loaded, challenge, (code, charge.left)).await?
        }
    };
    let charge = charged.ok();
    let owner = Owner { user: challenge.user_id, epoch: challenge.epoch };
    let checked = SecondChecked::mailed(&EmailCodeSeal { _here: () }, challenge.id, owner, verdict);
    let mut work = Work::on_row(cx, visit, loaded);
    work.sends = Some(challenge.sends);
    let state = loaded.state.clone();
    let answer = cx
        .db
        .write(async |tx| {
            record(cx, tx, challenge, &loaded.request.client_id, verdict).await?;
            if let Some(charge) = charge {
                let client = &loaded.request.client_id;
                count(cx, tx, (challenge, client), (charge, verdict)).await?;
            }
            apply::run(&work, tx, state, Input::Second(checked)).await
        })
        .await;
    // What is given back at a completed sign-in is what the person's counters have: so it is charged here alike.
    let failed = charge.is_some_and(|charge| charge.is_spent) && !is_refunded(verdict);
    if is_counted && !failed {
        network::no_failure(cx).await;
    }
    if let Some(failures) = work.failures.get() {
        network::completed(cx, *failures).await;
    }
    answer
}

/// Whether the try is given back, because the code led on.
const fn is_refunded(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Right(Time::Open))
}

/// What a guess moves besides its own counters: the site's guess budget, and a notice where strangers now wait.
async fn count(
    cx: &Cx,
    tx: &mut Tx,
    (challenge, client): (&EmailChallenge, &str),
    (charge, verdict): (Charge, Verdict),
) -> Result<()> {
    // Known devices feel nothing of the budget, so they spend nothing of it; nor does the same guess once more, nor one at a
    // code that was answered before, which leads nowhere and could not be taken back.
    let answered = challenge.completed_at.is_some();
    if outcome(verdict) == "wrong" && charge.is_spent && !charge.is_known && !answered {
        guess_budget::count(cx, tx, challenge.id).await?;
    }
    if charge.pauses && !matches!(verdict, Verdict::Right(_)) {
        tell(cx, tx, challenge.user_id, client).await?;
    }
    Ok(())
}

/// Tells a person that strangers now wait.
async fn tell(cx: &Cx, tx: &mut Tx, id: UserId, client: &str) -> Result<()> {
    let Some(user) = store::user::by_id(tx, id).await? else { return Ok(()) };
    let notice = WrongGuesses { user: Some(id), tried: Tried::Code };
    mail::warn_once_a_day(cx, tx, notice, &user.counted_as(), client).await
}

/// Charges a stranger's network with a failure, until it is known that it was none; returns whether it did.
async fn admit(
    cx: &Cx,
    visit: &Visit,
    loaded: &Loaded,
    challenge: &EmailChallenge,
) -> Result<Result<bool, network::Crowded>> {
    if !visit.devices.is_empty() {
        let mut conn = cx.db.read().await?;
        if let Some(user) = store::user::by_id(&mut conn, challenge.user_id).await?
            && device::known(cx, &mut conn, visit, &user.counted_as()).await?.is_some()
        {
            return Ok(Ok(false));
        }
    }
    let about = async || {
        let client = Some(loaded.request.client_id.clone());
        Ok(About { user: Some(challenge.user_id), client })
    };
    Ok(network::failure(cx, about).await?.map_or(Ok(true), Err))
}

/// Compares, with nothing held.
async fn compare(
    cx: &Cx,
    visit: &Visit,
    loaded: &Loaded,
    challenge: &EmailChallenge,
    (guess, left): (&str, i64),
) -> Result<Verdict> {
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
    for other in
        store::email_challenge::recent(&mut conn, challenge.user_id, Purpose::SignIn, since).await?
    {
        // Of a root key whose file has gone: it can no longer be derived.
        let known = cx.root.ids().any(|id| id == other.key_id);
        if known && other.id != challenge.id && is_code_of(cx, &other, guess)? {
            return Ok(Some(Fate::of(&other)));
        }
    }
    Ok(None)
}

/// Gives the try of a right code back, to the challenge, the site and the person.
pub(super) async fn refund(work: &Work<'_>, tx: &mut Tx, id: ChallengeId) -> Result<()> {
    store::email_challenge::refund(tx, id).await?;
    guess_budget::take_back(work.cx, tx, id).await?;
    work.guesser(tx).await?.refund(work.cx, tx, Kind::Code).await
}

async fn record(
    cx: &Cx,
    tx: &mut Tx,
    challenge: &EmailChallenge,
    client: &str,
    verdict: Verdict,
) -> Result<()> {
    let entry = audit::Entry::new(audit::Event::CodeChecked)
        .outcome(outcome(verdict))
        .after(delay(cx, challenge, verdict))
        .user(challenge.user_id)
        .client(client)
        .detail(serde_json::json!({ "challenge": challenge.id, "reference": challenge.reference }));
    audit::record(cx, tx, entry).await
}

/// How long after its mail was taken a right code came back: what shows whether the window is right.
fn delay(cx: &Cx, challenge: &EmailChallenge, verdict: Verdict) -> Option<Duration> {
    let Verdict::Right(_) = verdict else { return None };
    challenge.last_accepted_at.map(|at| cx.now.since(at))
}

/// The outcomes that are told apart in the trail.
const fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right(Time::Open) => "right",
        Verdict::Right(Time::Late) => "late",
        Verdict::Right(Time::Past) | Verdict::Past => "expired",
        Verdict::Repeated => "repeated",
        Verdict::Refused(refusal) => refused_outcome(refusal),
    }
}

const fn refused_outcome(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Mail(MailRefusal::Late) => "late",
        Refusal::Mail(MailRefusal::Expired) => "expired",
        Refusal::Mail(MailRefusal::Superseded) => "superseded",
        Refusal::Mail(MailRefusal::OtherBrowser) => "other_browser",
        Refusal::Mail(MailRefusal::Exhausted) => "exhausted",
        Refusal::Code(CodeRefusal::Used) => "used",
        Refusal::Code(CodeRefusal::Paused(_)) => "paused",
        Refusal::Code(CodeRefusal::NotDigits | CodeRefusal::NotSixDigits(_)) => "malformed",
        Refusal::Code(CodeRefusal::Wrong(_))
        | Refusal::Mail(MailRefusal::SendLater(_))
        | Refusal::Password(PasswordRefusal::Wrong | PasswordRefusal::Paused(_))
        | Refusal::NewPassword(_)
        | Refusal::NetworkPaused(_)
        | Refusal::StartAgain
        | Refusal::OutOfTurn => "wrong",
    }
}
