//! Using up the proof of a held method: one guarded statement of its own for each.

use std::pin::Pin;

use store::{Tx, UserId, passkey, recovery_code, totp_app};

use super::method::{HeldMethod, HeldProof};
use crate::{
    Cx, Error, Result, jobs,
    mail::{MethodChange, MethodChangedMail},
};

/// Uses a proof up; false when its mark is no longer above that of its row.
type ConsumeFn = for<'a> fn(&'a Cx, &'a mut Tx, UserId, HeldProof) -> Consuming<'a>;

/// A proof that is being used up.
type Consuming<'a> = Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>>;

/// The function that uses up the proof of each held method.
const CONSUME_FNS: &[(HeldMethod, ConsumeFn)] = &[
    (HeldMethod::TOTP, |cx, tx, user, proof| Box::pin(use_time_step(cx, tx, user, proof))),
    (HeldMethod::RECOVERY_CODE, |cx, tx, user, proof| {
        Box::pin(use_recovery_code(cx, tx, user, proof))
    }),
    (HeldMethod::PASSKEY, |cx, tx, user, proof| Box::pin(use_passkey(cx, tx, user, proof))),
    (HeldMethod::PASSKEY_UV, |cx, tx, user, proof| Box::pin(use_passkey(cx, tx, user, proof))),
];

/// Uses up a proof of this person, or fails with a conflict.
pub(super) async fn consume(cx: &Cx, tx: &mut Tx, user: UserId, proof: HeldProof) -> Result<()> {
    let found = CONSUME_FNS.iter().find(|(method, _)| *method == proof.method);
    let Some((_, spend)) = found else { return Err(Error::Conflict) };
    if spend(cx, tx, user, proof).await? { Ok(()) } else { Err(Error::Conflict) }
}

/// Uses the time step of an app up; false when it was used before, or refused as early.
async fn use_time_step(cx: &Cx, tx: &mut Tx, user: UserId, proof: HeldProof) -> Result<bool> {
    Ok(totp_app::consume(tx, proof.row.into(), user, proof.mark, cx.now).await?)
}

/// Counts the use of a passkey; false when another one was counted since it was verified.
async fn use_passkey(cx: &Cx, tx: &mut Tx, user: UserId, proof: HeldProof) -> Result<bool> {
    Ok(passkey::consume(tx, proof.row.into(), user, proof.mark, cx.now).await?)
}

/// Uses a recovery code up, and tells its person; false when it was used before.
async fn use_recovery_code(cx: &Cx, tx: &mut Tx, user: UserId, proof: HeldProof) -> Result<bool> {
    if !recovery_code::consume(tx, proof.row.into(), user, cx.now).await? {
        return Ok(false);
    }
    let sheet = recovery_code::of_user(tx, user).await?;
    let left = sheet.iter().filter(|code| code.used_at.is_none()).count();
    let change = MethodChange::RecoveryCodeUsed(i64::try_from(left).unwrap_or(i64::MAX));
    jobs::insert(
        cx,
        tx,
        MethodChangedMail { user, change, made_with: None, by_staff: false },
        None,
    )
    .await?;
    Ok(true)
}
