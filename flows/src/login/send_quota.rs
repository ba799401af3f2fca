//! Charging the quotas of mails to a person in an hour and in a day.

use store::{Tx, throttle};

use super::{
    code_limits::{CodeLimits, mail_quotas},
    throttle_subject::ThrottleSubject,
};
use crate::{Cx, Result, audit::outcome::CodeRequest};

/// Charges one mail to the quotas. None is charged while codes are paused, or where one of the quotas is used up.
pub(super) async fn charge_send(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
) -> Result<CodeRequest> {
    if CodeLimits::read(cx, tx, throttle_subject).await?.paused_until.is_some() {
        return Ok(CodeRequest::Paused);
    }
    let (key, quotas) = (throttle_subject.mail_counter(), mail_quotas(cx));
    let taken = throttle::charge_quotas(tx, quotas.map(|quota| (key, quota)), cx.now).await?;
    if taken == [true; 2] {
        return Ok(CodeRequest::Queued);
    }
    for (quota, _) in quotas.iter().zip(taken).filter(|(_, taken)| *taken) {
        throttle::refund_quota(tx, key, quota.kind).await?;
    }
    Ok(CodeRequest::TooMany)
}
