//! The second step by a recovery code.

use keys::RecoveryCode;
use store::Tx;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    Answer, held_code,
    held_post::HeldPost,
    method::HeldMethod,
    refusal::CodeRefusal,
    second_step::HeldVerifier,
    typed_method::{FoundProof, TypedMethod},
};
use crate::{
    Cx, Result,
    attempt::BrowserContext,
    audit::{
        AuditEntry, event,
        outcome::{HeldOutcome, RecoveryCodeOutcome},
    },
    guess_budget::GuessGroup,
};

/// The mark of a row that is used once.
const ONCE: i64 = 1;

/// The seal of recovery codes: only this file constructs one.
#[derive(Debug)]
pub(crate) struct RecoveryCodeVerifier {
    _here: (),
}

impl HeldVerifier for RecoveryCodeVerifier {
    const METHOD: HeldMethod = HeldMethod::RECOVERY_CODE;
}

/// Checks a posted code.
pub async fn post(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
    typed: &str,
) -> Result<Answer> {
    held_code::post::<RecoveryCodeVerifier>(cx, browser_context, name, typed).await
}

impl TypedMethod for RecoveryCodeVerifier {
    type Code = RecoveryCode;

    fn seal() -> Self {
        Self { _here: () }
    }

    fn parse(typed: &str) -> Result<RecoveryCode, CodeRefusal> {
        RecoveryCode::parse(typed).map_err(CodeRefusal::NotRecoveryCode)
    }

    fn text(code: &RecoveryCode) -> Zeroizing<String> {
        code.reveal()
    }

    async fn compare(
        cx: &Cx,
        tx: &mut Tx,
        post: &HeldPost,
        code: &RecoveryCode,
    ) -> Result<FoundProof> {
        let user = post.person.user.id;
        let mut found = FoundProof::default();
        // Every code is compared, so that the time says nothing about the sheet.
        for row in store::recovery_code::of_user(tx, user).await? {
            let mac = cx.root.recovery_code_mac(&row.key_id, user, code)?;
            if bool::from(mac.as_slice().ct_eq(&row.hash)) {
                let matched = Some((row.id.uuid(), ONCE));
                found = FoundProof { matched, used_at: row.used_at, seconds_ahead: None };
            }
        }
        Ok(found)
    }

    /// 80 random bits are not guessed.
    fn group(_: &HeldPost) -> Option<GuessGroup> {
        None
    }

    async fn conclude(_: &Cx, _: &mut Tx, _: &HeldPost, _: &FoundProof) -> Result<()> {
        Ok(())
    }

    fn entry(found: &FoundProof, outcome: HeldOutcome) -> AuditEntry<'static> {
        let code = found.matched.map(|(row, _)| row.into());
        let outcome = match outcome {
            HeldOutcome::Right => RecoveryCodeOutcome::Right,
            HeldOutcome::Used => RecoveryCodeOutcome::Used,
            HeldOutcome::Repeated => RecoveryCodeOutcome::Repeated,
            HeldOutcome::Paused => RecoveryCodeOutcome::Paused,
            // No clock makes a recovery code.
            HeldOutcome::Wrong | HeldOutcome::ClockOff => RecoveryCodeOutcome::Wrong,
        };
        AuditEntry::new(event::RecoveryCodeChecked { code }, outcome)
    }
}
