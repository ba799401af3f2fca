//! Charging and comparing a code that the person holds, in one transaction: what it costs the person (`person_charge`), and, if
//! it is wrong, the site.

use store::{
    Timestamp, Tx,
    throttle::{self, Quota, ThrottleKind},
};
use zeroize::Zeroizing;

use super::{
    held_post::HeldPost,
    person_charge::{self, JudgedGuess, PersonCharge},
    throttle_subject::{ChargeResult, GuessCount},
    typed_method::{FoundProof, REPEAT_WINDOW, TypedMethod},
};
use crate::{Cx, Result, totp};

/// The same guess, of a double click, is charged once.
const SAME_GUESS: Quota = Quota { kind: ThrottleKind::HeldGuess, limit: 1, window: REPEAT_WINDOW };

/// A code that was charged and compared.
pub(super) struct ChargedCode {
    pub(super) found: FoundProof,
    /// What was spent; nothing for the same guess or the proof of a moment ago.
    pub(super) spent: Option<GuessCount>,
    pub(super) tries_left: i64,
}

/// Charges a code and compares it, or returns until when none is compared. The same guess a moment later costs nothing more,
/// and neither does the proof of a moment ago.
pub(super) async fn charge<M: TypedMethod>(
    cx: &Cx,
    post: &HeldPost,
    code: &M::Code,
) -> Result<Result<ChargedCode, Timestamp>> {
    let tag = guess_tag::<M>(cx, post, code);
    cx.db
        .write(async |tx| {
            if !throttle::charge_quota(tx, &tag, SAME_GUESS, cx.now).await? {
                return compare_again::<M>(cx, tx, post, code).await;
            }
            let count = match person_charge::charge_person(cx, tx, &post.subject).await? {
                PersonCharge::Charged(count) => count,
                PersonCharge::Paused(until) | PersonCharge::DailyQuotaSpent(until) => {
                    throttle::refund_quota(tx, &tag, SAME_GUESS.kind).await?;
                    return Ok(Err(until));
                }
            };
            let found = M::compare(cx, tx, post, code).await?;
            if found.was_used_just_now(cx) {
                person_charge::refund_person(cx, tx, &post.subject, count).await?;
                return Ok(Ok(ChargedCode { found, spent: None, tries_left: 0 }));
            }
            count_guess::<M>(cx, tx, post, (count, &found)).await?;
            let tries_left = count.tries_left(cx, ThrottleKind::Code);
            Ok(Ok(ChargedCode { found, spent: Some(count), tries_left }))
        })
        .await
}

/// What marks a guess as charged. The same digits are another guess at another time step.
fn guess_tag<M: TypedMethod>(cx: &Cx, post: &HeldPost, code: &M::Code) -> [u8; 32] {
    let (attempt, user) = (post.attempt.row.id, post.person.user.id);
    let (step, code) = (totp::step_at(cx.now), M::text(code));
    cx.root.counter_key(&Zeroizing::new(format!("{attempt}\n{user}\n{step}\n{}", *code)))
}

/// Compares a guess that was charged a moment ago: a double click.
async fn compare_again<M: TypedMethod>(
    cx: &Cx,
    tx: &mut Tx,
    post: &HeldPost,
    code: &M::Code,
) -> Result<Result<ChargedCode, Timestamp>> {
    let found = M::compare(cx, tx, post, code).await?;
    let tries_left = match post.subject.charge(cx, tx, ThrottleKind::Code, false).await? {
        ChargeResult::Charged(count) => count.tries_left(cx, ThrottleKind::Code),
        ChargeResult::Paused(until) if found.matched.is_none() => return Ok(Err(until)),
        ChargeResult::Paused(_) => 0,
    };
    Ok(Ok(ChargedCode { found, spent: None, tries_left }))
}

/// Begins the waits after a guess, and counts a wrong one.
async fn count_guess<M: TypedMethod>(
    cx: &Cx,
    tx: &mut Tx,
    post: &HeldPost,
    (count, found): (GuessCount, &FoundProof),
) -> Result<()> {
    // After the second step is proven, no right code could take back what the site counts.
    let group = if post.proven.is_none() { M::group(post) } else { None };
    let guess = JudgedGuess {
        subject: &post.subject,
        user: &post.person.user,
        client: post.attempt.request.client_id(),
        group: group.as_ref(),
        is_right: found.is_right(),
    };
    person_charge::count_guess(cx, tx, count, &guess).await
}
