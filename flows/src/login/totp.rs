//! The second step by an authenticator app.

use store::{Tx, totp_app::TotpApp};
use zeroize::Zeroizing;

use super::{
    Answer, held_code,
    held_post::HeldPost,
    method::HeldMethod,
    refusal::CodeRefusal,
    second_step::HeldVerifier,
    typed_code,
    typed_method::{FoundProof, TypedMethod},
};
use crate::{
    Cx, Error, Result,
    attempt::BrowserContext,
    audit::{AuditEntry, event, outcome::HeldOutcome},
    guess_budget::GuessGroup,
    totp::{self, RIGHT_CODES, TotpMatch, TotpSecret},
};

/// How often an early step is added to those of its app, while others are added at the same time.
const EARLY_STEP_TRIES: usize = 3;

/// The seal of codes of an authenticator app: only this file constructs one.
#[derive(Debug)]
pub(crate) struct TotpVerifier {
    _here: (),
}

impl HeldVerifier for TotpVerifier {
    const METHOD: HeldMethod = HeldMethod::TOTP;
}

/// Checks a posted code.
pub async fn post(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    held_code::post::<TotpVerifier>(cx, browser_context, name, typed).await
}

impl TypedMethod for TotpVerifier {
    type Code = String;

    fn seal() -> Self {
        Self { _here: () }
    }

    fn parse(typed: &str) -> Result<String, CodeRefusal> {
        typed_code::parse(typed)
    }

    fn text(code: &String) -> Zeroizing<String> {
        Zeroizing::new(code.clone())
    }

    async fn compare(cx: &Cx, tx: &mut Tx, post: &HeldPost, code: &String) -> Result<FoundProof> {
        let mut best = FoundProof::default();
        for app in store::totp_app::of_user(tx, post.person.user.id).await? {
            let found = compare_with(cx, &app, code)?;
            // One that is right counts before one that was used, and that before one of a wrong clock.
            if rank(&found) > rank(&best) {
                best = found;
            }
        }
        Ok(best)
    }

    fn group(post: &HeldPost) -> Option<GuessGroup> {
        let right_codes = RIGHT_CODES.saturating_mul(post.person.second_steps.totp_apps);
        Some(GuessGroup::of_attempt(post.attempt.row.id, post.person.user.id, right_codes))
    }

    /// The step of a code that was refused as early counts as used: otherwise a page that says how early it is would give
    /// away a code for its time.
    async fn conclude(cx: &Cx, tx: &mut Tx, post: &HeldPost, found: &FoundProof) -> Result<()> {
        let (Some((row, step)), Some(1..)) = (found.matched, found.seconds_ahead) else {
            return Ok(());
        };
        // Another early code at the same time: each statement sees what was committed before it.
        for _ in 0..EARLY_STEP_TRIES {
            let apps = store::totp_app::of_user(tx, post.person.user.id).await?;
            let Some(app) = apps.into_iter().find(|app| app.id.uuid() == row) else {
                return Ok(());
            };
            let steps = with_early_step(&app.early_steps, step, totp::step_at(cx.now));
            if store::totp_app::replace_early_steps(tx, app.id, &app.early_steps, &steps).await? {
                return Ok(());
            }
        }
        Err(Error::Conflict)
    }

    fn entry(found: &FoundProof, outcome: HeldOutcome) -> AuditEntry<'static> {
        let app = found.matched.map(|(row, _)| row.into());
        AuditEntry::new(event::TotpChecked { app, seconds_ahead: found.seconds_ahead }, outcome)
    }
}

fn rank(found: &FoundProof) -> u8 {
    match found.matched {
        None => 0,
        Some(_) if found.seconds_ahead.is_some() => 1,
        Some(_) if found.used_at.is_some() => 2,
        Some(_) => 3,
    }
}

fn compare_with(cx: &Cx, app: &TotpApp, code: &str) -> Result<FoundProof> {
    let (step, is_far) = match TotpSecret::open(cx, app)?.find_step(code, cx.now) {
        TotpMatch::None => return Ok(FoundProof::default()),
        TotpMatch::InWindow(step) => (step, false),
        TotpMatch::FarOff(step) => (step, true),
    };
    let matched = Some((app.id.uuid(), step));
    Ok(if step <= app.last_step || is_early_step(&app.early_steps, step) {
        // When an earlier one was used is not known: long ago.
        let is_last = step == app.last_step;
        let used_at = if is_last { app.last_used_at } else { app.created_at };
        FoundProof { matched, used_at: Some(used_at), seconds_ahead: None }
    } else if is_far {
        let seconds_ahead = Some(totp::seconds_ahead(step, cx.now));
        FoundProof { matched, used_at: None, seconds_ahead }
    } else {
        FoundProof { matched, used_at: None, seconds_ahead: None }
    })
}

fn is_early_step(steps: &str, step: i64) -> bool {
    early_steps(steps).any(|early| early == step)
}

fn early_steps(steps: &str) -> impl Iterator<Item = i64> {
    steps.split_whitespace().filter_map(|step| step.parse().ok())
}

/// The steps with another one, without those that are over: each between spaces, as a statement looks for them.
fn with_early_step(steps: &str, step: i64, now: i64) -> String {
    let kept = early_steps(steps).filter(|early| *early >= now - 1);
    let mut all: Vec<String> = kept.chain([step]).map(|step| step.to_string()).collect();
    all.dedup();
    format!(" {} ", all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_steps_are_kept_until_over() {
        let steps = with_early_step("", 107, 100);
        assert_eq!(steps, " 107 ");
        let steps = with_early_step(&steps, 104, 100);
        assert_eq!(steps, " 107 104 ");
        assert!(is_early_step(&steps, 104) && is_early_step(&steps, 107));
        assert!(!is_early_step(&steps, 10) && !is_early_step(&steps, 4));
        assert_eq!(with_early_step(&steps, 111, 106), " 107 111 ");
    }
}
