//! Posts of a code that the person holds: of an authenticator app, or of a printed sheet.
//!
//! ```text
//! posted ─▶ of the right form? ─▶ charged to the person, compared, counted if wrong (one commit) ─▶ applied (one commit)
//! ```

use store::CommitTracker;
use uuid::Uuid;

use super::{
    Answer, apply,
    apply::UnitOfWork,
    held_charge::{self, ChargedCode},
    held_method::{self, HeldComparison},
    held_post::HeldPost,
    judged_attempt,
    machine::Input,
    method::{HeldMethod, HeldProof, Proof},
    person_charge, record_out_of_turn,
    refusal::{CodeRefusal, Refusal},
    second_step::{ProofOwner, SecondChecked, Verdict},
    show_on_conflict,
    state::{AwaitedProof, CompletedAttempt, PendingNewPassword, PendingSecondStep, State},
    throttle_subject::{GuessCount, ThrottleSubject},
    typed_method::{FoundProof, TypedMethod},
};
use crate::{
    Cx, Error, Result,
    attempt::{self, BrowserContext},
    audit::{self, outcome::HeldOutcome},
    network::{self, AuditSubject},
};

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
        let post = match read_post::<M>(&cx, &browser_context, &name).await? {
            Ok(post) => post,
            Err(answer) => return Ok(answer),
        };
        let answer = judge_post::<M>(&cx, &browser_context, &post, &typed).await?;
        // A double click, and the other post was faster: this one is treated as the repeated one, and leads to the same
        // goal.
        let may_be_repeat = post.proven.is_none()
            && matches!(
                answer,
                Answer::Show(
                    _,
                    None | Some(Refusal::Code(CodeRefusal::Used | CodeRefusal::Paused(_)))
                )
            );
        if may_be_repeat
            && let Ok(post) = read_post::<M>(&cx, &browser_context, &name).await?
            && post.proven.is_some()
        {
            return judge_post::<M>(&cx, &browser_context, &post, &typed).await;
        }
        Ok(answer)
    })
    .await?
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

/// Reads the attempt and its person, or returns the answer to send instead.
async fn read_post<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Result<HeldPost, Answer>> {
    let mut conn = cx.db.read().await?;
    let found = attempt::find(cx, &mut conn, browser_context, name).await?;
    let attempt = match judged_attempt::of_post(found) {
        Ok(attempt) => attempt,
        Err(answer) => return Ok(Err(*answer)),
    };
    let proven = proof_of(&attempt.state, M::METHOD);
    if proven.is_none() && !is_awaited(&attempt.state, M::METHOD) {
        drop(conn);
        record_out_of_turn(cx, &attempt).await?;
        return Ok(Err(Answer::Show(attempt.row.id, None)));
    }
    let person = match attempt.state.user() {
        Some(user) => store::user::by_id_with_password(&mut conn, user).await?,
        None => None,
    };
    let Some(person) = person else { return Ok(Err(Answer::StartAgain)) };
    let subject = ThrottleSubject::for_user(cx, &mut conn, browser_context, &person.user).await?;
    Ok(Ok(HeldPost { attempt, person, subject, proven }))
}

async fn judge_post<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    post: &HeldPost,
    typed: &str,
) -> Result<Answer> {
    let outcome = match M::parse(typed) {
        // What cannot be a code is compared with nothing, so it costs no try (misuse case 6).
        Err(refusal) => Ok(Answer::Show(post.attempt.row.id, Some(refusal.into()))),
        Ok(_) if !judged_attempt::first_step_counts(&post.attempt.state, &post.person) => {
            start_again::<M>(cx, browser_context, post).await
        }
        Ok(code) => judge::<M>(cx, browser_context, post, &code).await,
    };
    show_on_conflict(post.attempt.row.id, outcome)
}

/// A reset or a change of the password came between: the code is compared with nothing, so it costs no try.
async fn start_again<M: TypedMethod>(
    cx: &Cx,
    browser_context: &BrowserContext,
    post: &HeldPost,
) -> Result<Answer> {
    let checked = post.checked::<M>(None, Verdict::Refused(Refusal::StartAgain));
    let work = UnitOfWork::for_held_post(cx, browser_context, post);
    apply::apply_to_row(work, &post.attempt, Input::Second(checked)).await
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
    let charged = match held_charge::charge::<M>(cx, post, code).await {
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
            post.judged(cx, charged)
        }
        Err(until) => (FoundProof::default(), Verdict::Refused(CodeRefusal::Paused(until).into())),
    };
    let answer = apply_verdict::<M>(&work, post, &found, verdict).await;
    let is_free = match work.charged {
        Some(count) => was_given_back(cx, post, count, (verdict, &answer)).await?,
        None => true,
    };
    // The network is charged where the person is.
    if is_free {
        failure.refund().await;
    } else {
        failure.keep();
    }
    if let Some(failures) = work.failures.get() {
        network::refund_sign_in(cx, *failures).await;
    }
    answer
}

/// Whether the person has what the code has cost again: with the sign-in that it completed, or now, because another post of
/// the same code was faster.
async fn was_given_back(
    cx: &Cx,
    post: &HeldPost,
    count: GuessCount,
    (verdict, answer): (Verdict, &Result<Answer>),
) -> Result<bool> {
    match (verdict, answer) {
        (Verdict::Right(_), Ok(_)) => Ok(true),
        (Verdict::Right(_), Err(Error::Conflict)) => {
            let subject = &post.subject;
            cx.db
                .write(async |tx| person_charge::refund_right_guess(cx, tx, subject, count).await)
                .await
        }
        _ => Ok(false),
    }
}

/// Applies the verdict, and records the check.
async fn apply_verdict<M: TypedMethod>(
    work: &UnitOfWork<'_>,
    post: &HeldPost,
    found: &FoundProof,
    verdict: Verdict,
) -> Result<Answer> {
    let user = &post.person.user;
    let checked = post.checked::<M>(found.matched, verdict);
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

impl HeldPost {
    fn audit_subject(&self) -> AuditSubject {
        let client = self.attempt.request.client_id().map(str::to_owned);
        AuditSubject { user: Some(self.person.user.id), client }
    }

    fn checked<M: TypedMethod>(
        &self,
        matched: Option<(Uuid, i64)>,
        verdict: Verdict,
    ) -> SecondChecked {
        let user = &self.person.user;
        let owner = ProofOwner { user: user.id, epoch: user.epoch };
        let (row, mark) = matched.unwrap_or_default();
        SecondChecked::held(&M::seal(), row, mark, owner, verdict)
    }

    /// What a code was found to be, and the verdict. After the second step is proven, only the same proof leads on, and
    /// nothing is said about any other code.
    fn judged(&self, cx: &Cx, charged: ChargedCode) -> (FoundProof, Verdict) {
        let verdict = self.verdict(cx, &charged);
        if self.proven.is_some() && verdict != Verdict::Repeated {
            return (FoundProof::default(), Verdict::Refused(CodeRefusal::Used.into()));
        }
        (charged.found, verdict)
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
