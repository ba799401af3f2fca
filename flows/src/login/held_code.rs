//! Posts of a code that the person holds: of an authenticator app, or of a printed sheet.
//!
//! ```text
//! posted ─▶ of the right form? ─▶ charged to the person, compared, counted if wrong (one commit) ─▶ applied (one commit)
//! ```

use std::time::Duration;

use store::{CommitTracker, Timestamp, Tx, throttle::ThrottleKind};
use uuid::Uuid;

use super::{
    Answer, apply,
    apply::UnitOfWork,
    held_method::{self, HeldComparison},
    held_post::HeldPost,
    machine::Input,
    method::{HeldMethod, HeldProof, Proof},
    person_charge::{self, JudgedGuess, PersonCharge},
    record_out_of_turn,
    refusal::{CodeRefusal, Refusal},
    second_step::{HeldVerifier, ProofOwner, SecondChecked, Verdict},
    show_on_conflict,
    state::{AwaitedProof, CompletedAttempt, PendingNewPassword, PendingSecondStep, State},
    throttle_subject::{GuessCount, ThrottleSubject},
};
use crate::{
    Cx, Error, Result,
    attempt::{self, Attempt, AttemptLookup, BrowserContext},
    audit::{self, AuditEntry, outcome::HeldOutcome},
    guess_budget::GuessGroup,
    network::{self, AuditSubject},
};

/// How long the proof that was accepted leads to the same goal, from the browser that posted it.
const REPEAT_WINDOW: Duration = Duration::from_mins(1);

/// A method whose code is typed.
pub(super) trait TypedMethod: HeldVerifier + Send + Sync {
    /// A code that can be compared.
    type Code: Send + Sync;

    /// The seal.
    fn seal() -> Self;

    /// Reads what was typed.
    fn parse(typed: &str) -> Result<Self::Code, CodeRefusal>;

    /// Compares a code that is being charged with everything of this method that the person has.
    fn compare(
        cx: &Cx,
        tx: &mut Tx,
        post: &HeldPost,
        code: &Self::Code,
    ) -> impl Future<Output = Result<FoundProof>> + Send;

    /// What is counted of a wrong code in the site's guess budget; `None` where no code can be guessed.
    fn group(post: &HeldPost) -> Option<GuessGroup>;

    /// What else happens with the verdict, in its transaction.
    fn conclude(
        cx: &Cx,
        tx: &mut Tx,
        post: &HeldPost,
        found: &FoundProof,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The entry of the trail.
    fn entry(found: &FoundProof, outcome: HeldOutcome) -> AuditEntry<'static>;
}

/// What a code turned out to be.
#[derive(Clone, Debug, Default)]
pub(super) struct FoundProof {
    /// The row that it belongs to, and its mark there.
    pub(super) matched: Option<(Uuid, i64)>,
    /// Whether it was used before: when.
    pub(super) used_at: Option<Timestamp>,
    /// By how many seconds the clock that made it is ahead, if by too much; negative if it is behind.
    pub(super) seconds_ahead: Option<i64>,
}

/// A code that was charged and compared.
struct ChargedCode {
    found: FoundProof,
    /// What was spent; nothing for the proof of a moment ago.
    spent: Option<GuessCount>,
    tries_left: i64,
}

/// Checks a posted code, to the end even if the client disconnects: a guess that is charged is recorded and counted, and its
/// person warned.
pub(super) async fn post<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    let (cx, browser_context, name, typed) =
        (cx.clone(), browser_context.clone(), name.to_owned(), typed.to_owned());
    CommitTracker::run_to_completion(async move {
        let answer = judge_once::<M>(&cx, &browser_context, &name, &typed).await?;
        // A double click, and the other post was faster: this one is treated as the repeated one, and leads to the same
        // goal.
        let may_be_repeat = matches!(
            answer,
            Answer::Show(_, None | Some(Refusal::Code(CodeRefusal::Used | CodeRefusal::Paused(_))))
        );
        if may_be_repeat && was_completed::<M>(&cx, &browser_context, &name).await? {
            return judge_once::<M>(&cx, &browser_context, &name, &typed).await;
        }
        Ok(answer)
    })
    .await?
}

/// Whether this method has just completed the second step in this browser.
async fn was_completed<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<bool> {
    let mut conn = cx.db.read().await?;
    Ok(match attempt::find(cx, &mut conn, browser_context, name).await? {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded))
        | AttemptLookup::PreviousCookie(loaded) => proof_of(&loaded.state, M::METHOD).is_some(),
        AttemptLookup::ThisBrowser(Attempt::Sealed { .. })
        | AttemptLookup::Stale(_)
        | AttemptLookup::NotFound => false,
    })
}

/// The proof of this method that led to a state.
fn proof_of(state: &State, method: HeldMethod) -> Option<HeldProof> {
    let (State::NewPassword(PendingNewPassword { proof, .. })
    | State::Complete(CompletedAttempt { proof: Some(proof), .. })) = state
    else {
        return None;
    };
    match proof {
        Proof::Held(held) if held.method == method => Some(*held),
        Proof::Held(_) | Proof::Mailed(_) => None,
    }
}

/// Whether a state waits for this method.
fn is_awaited(state: &State, method: HeldMethod) -> bool {
    matches!(
        state,
        State::Second(PendingSecondStep { waiting: AwaitedProof::Held(awaited), .. })
            if *awaited == method
    )
}

async fn judge_once<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    let mut conn = cx.db.read().await?;
    let attempt = match attempt::find(cx, &mut conn, browser_context, name).await? {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded)) => loaded,
        AttemptLookup::PreviousCookie(loaded) if loaded.state.is_second_step_proven() => loaded,
        AttemptLookup::ThisBrowser(sealed @ Attempt::Sealed { .. }) => {
            return Ok(Answer::Show(sealed.id(), None));
        }
        AttemptLookup::PreviousCookie(_) | AttemptLookup::Stale(_) | AttemptLookup::NotFound => {
            return Ok(Answer::StartAgain);
        }
    };
    let proven = proof_of(&attempt.state, M::METHOD);
    if proven.is_none() && !is_awaited(&attempt.state, M::METHOD) {
        drop(conn);
        record_out_of_turn(cx, &attempt).await?;
        return Ok(Answer::Show(attempt.row.id, None));
    }
    let person = match attempt.state.user() {
        Some(user) => store::user::by_id_with_password(&mut conn, user).await?,
        None => None,
    };
    let Some(person) = person else { return Ok(Answer::StartAgain) };
    let subject = ThrottleSubject::for_user(cx, &mut conn, browser_context, &person.user).await?;
    drop(conn);
    let post = HeldPost { attempt, person, subject, proven };
    let outcome = match M::parse(typed) {
        // What cannot be a code is compared with nothing, so it costs no try (misuse case 6).
        Err(refusal) => Ok(Answer::Show(post.attempt.row.id, Some(refusal.into()))),
        Ok(code) if post.proven.is_some() => {
            judge_repeated::<M>(cx, browser_context, &post, &code).await
        }
        Ok(code) => judge::<M>(cx, browser_context, &post, &code).await,
    };
    show_on_conflict(post.attempt.row.id, outcome)
}

/// Judges a post of an attempt whose second step is proven: nothing is charged, because only the proof that proved it leads
/// on, and that has been used.
async fn judge_repeated<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    post: &HeldPost,
    code: &M::Code,
) -> Result<Answer> {
    let found = cx.db.write(async |tx| M::compare(cx, tx, post, code).await).await?;
    let (found, verdict) = if post.is_own_proof(&found) && found.was_used_just_now(cx) {
        (found, Verdict::Repeated)
    } else {
        (FoundProof::default(), Verdict::Refused(CodeRefusal::Used.into()))
    };
    let work = UnitOfWork::for_held_post(cx, browser_context, post);
    apply_verdict::<M>(&work, post, &found, verdict).await
}

async fn judge<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    post: &HeldPost,
    code: &M::Code,
) -> Result<Answer> {
    let id = post.attempt.row.id;
    let about = async || Ok(post.audit_subject());
    let failure = match network::count_failure(cx, post.subject.is_stranger(), about).await? {
        Ok(failure) => failure,
        Err(limit) => return Ok(Answer::Show(id, Some(Refusal::NetworkPaused(limit)))),
    };
    let charged = match charge::<M>(cx, post, code).await {
        Ok(charged) => charged,
        Err(error) => {
            // Any other error has charged nothing.
            if matches!(error, Error::Store(store::Error::CommitUnknown(_))) {
                failure.keep();
            }
            return Err(error);
        }
    };
    let mut work = UnitOfWork::for_held_post(cx, browser_context, post);
    work.guesses = M::group(post);
    let (found, verdict) = match charged {
        Ok(charged) => {
            work.charged = charged.spent;
            let verdict = post.verdict(cx, &charged);
            (charged.found, verdict)
        }
        Err(until) => (FoundProof::default(), Verdict::Refused(CodeRefusal::Paused(until).into())),
    };
    let answer = apply_verdict::<M>(&work, post, &found, verdict).await;
    if let (Err(Error::Conflict), Verdict::Right(_), Some(count)) = (&answer, verdict, work.charged)
    {
        // Another post of the same code was faster: this one is no guess either.
        refund_right(cx, post, count).await?;
    }
    // A completed sign-in gives back what the person's counters have: so the network is charged in the same cases.
    if work.charged.is_some() && !matches!(verdict, Verdict::Right(_)) {
        failure.keep();
    } else {
        failure.refund().await;
    }
    if let Some(failures) = work.failures.get() {
        network::refund_sign_in(cx, *failures).await;
    }
    answer
}

/// Charges a code and compares it, or returns until when none is compared. Nothing is charged for the proof of a moment ago:
/// it is no guess.
async fn charge<M: TypedMethod>(
    cx: &Cx,
    post: &HeldPost,
    code: &M::Code,
) -> Result<Result<ChargedCode, Timestamp>> {
    cx.db
        .write(async |tx| {
            let count = match person_charge::charge_person(cx, tx, &post.subject).await? {
                PersonCharge::Charged(count) => count,
                PersonCharge::Paused(until) | PersonCharge::DailyQuotaSpent(until) => {
                    return Ok(Err(until));
                }
            };
            let found = M::compare(cx, tx, post, code).await?;
            if found.was_used_just_now(cx) {
                person_charge::refund_person(cx, tx, &post.subject, count).await?;
                return Ok(Ok(ChargedCode { found, spent: None, tries_left: 0 }));
            }
            let group = M::group(post);
            let guess = JudgedGuess {
                subject: &post.subject,
                user: &post.person.user,
                client: post.attempt.request.client_id(),
                group: group.as_ref(),
                is_right: found.is_right(),
            };
            person_charge::count_guess(cx, tx, count, &guess).await?;
            let tries_left = count.tries_left(cx, ThrottleKind::Code);
            Ok(Ok(ChargedCode { found, spent: Some(count), tries_left }))
        })
        .await
}

/// Gives back what a right code has cost that led nowhere.
async fn refund_right(cx: &Cx, post: &HeldPost, count: GuessCount) -> Result<()> {
    cx.db
        .write(async |tx| {
            let subject = &post.subject;
            subject.refund_right_guess(cx, tx, ThrottleKind::Code, count).await?;
            subject.refund_daily_quota(cx, tx).await
        })
        .await
}

/// Applies the verdict, and records the check.
async fn apply_verdict<M: TypedMethod>(
    work: &UnitOfWork<'_>,
    post: &HeldPost,
    found: &FoundProof,
    verdict: Verdict,
) -> Result<Answer> {
    let user = &post.person.user;
    let owner = ProofOwner { user: user.id, epoch: user.epoch };
    let (row, mark) = found.matched.unwrap_or_default();
    let checked = SecondChecked::held(&M::seal(), row, mark, owner, verdict);
    let state = post.attempt.state.clone();
    work.cx
        .db
        .write(async |tx| {
            let entry = M::entry(found, audit_outcome(verdict))
                .user(user.id)
                .client(post.attempt.request.client_id());
            audit::record(work.cx, tx, entry).await?;
            M::conclude(work.cx, tx, post, found).await?;
            apply::run(work, tx, state, Input::Second(checked)).await
        })
        .await
}

impl FoundProof {
    /// Whether it is right now.
    pub(super) fn is_right(&self) -> bool {
        self.matched.is_some() && self.used_at.is_none() && self.seconds_ahead.is_none()
    }

    fn was_used_just_now(&self, cx: &Cx) -> bool {
        self.used_at.is_some_and(|at| cx.now.since(at) <= REPEAT_WINDOW)
    }
}

impl HeldPost {
    fn audit_subject(&self) -> AuditSubject {
        let client = self.attempt.request.client_id().map(str::to_owned);
        AuditSubject { user: Some(self.person.user.id), client }
    }

    fn verdict(&self, cx: &Cx, charged: &ChargedCode) -> Verdict {
        let found = &charged.found;
        if let Some(seconds) = found.seconds_ahead {
            return Verdict::Refused(CodeRefusal::ClockOff(seconds).into());
        }
        held_method::verdict(HeldComparison {
            is_right: found.matched.is_some(),
            is_used: found.used_at.is_some(),
            is_repeat: self.is_own_proof(found) && found.was_used_just_now(cx),
            tries_left: charged.tries_left,
        })
    }

    /// Whether a code is the proof that continued the attempt.
    fn is_own_proof(&self, found: &FoundProof) -> bool {
        self.proven.is_some_and(|proven| found.matched == Some((proven.row, proven.mark)))
    }
}

/// The outcome in the trail.
const fn audit_outcome(verdict: Verdict) -> HeldOutcome {
    match verdict {
        Verdict::Right(_) => HeldOutcome::Right,
        Verdict::Repeated => HeldOutcome::Repeated,
        Verdict::Refused(Refusal::Code(CodeRefusal::Used)) => HeldOutcome::Used,
        Verdict::Refused(Refusal::Code(CodeRefusal::ClockOff(_))) => HeldOutcome::ClockOff,
        Verdict::Refused(Refusal::Code(CodeRefusal::Paused(_))) => HeldOutcome::Paused,
        Verdict::Refused(_) | Verdict::Expired => HeldOutcome::Wrong,
    }
}
