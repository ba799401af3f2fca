//! Quotas of mails to a person in an hour and in a day: one for all strangers together, and one for all known devices.

use std::time::Duration;

use store::{
    Timestamp, Tx,
    throttle::{self, Quota, ThrottleKind},
};

use super::throttle_subject::ThrottleSubject;
use crate::{Cx, Result, audit::outcome::CodeRequest};

fn quotas(cx: &Cx) -> [Quota; 2] {
    let hour = Duration::from_hours(1);
    [
        Quota { kind: ThrottleKind::SendHour, limit: cx.settings.sends_per_hour, window: hour },
        Quota { kind: ThrottleKind::SendDay, limit: cx.settings.sends_per_day, window: hour * 24 },
    ]
}

/// Until when the mail quota of this throttle subject is used up, if it is.
pub(super) async fn used_up_until(
    cx: &Cx,
    sql: &mut impl store::Sql,
    throttle_subject: &ThrottleSubject,
) -> Result<Option<Timestamp>> {
    let mut until = None;
    let spent = throttle::all(sql, throttle_subject.mail_counter()).await?;
    for quota in quotas(cx) {
        for spent in spent.iter().filter(|spent| spent.is_kind(quota.kind)) {
            let end = spent.since.plus(quota.window);
            if spent.spent >= quota.limit && end > cx.now {
                until = until.max(Some(end));
            }
        }
    }
    Ok(until)
}

/// Charges one mail to the quotas, or none; none either while no code is judged.
pub(super) async fn charge_send(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
) -> Result<CodeRequest> {
    if throttle_subject.codes_paused_until(cx, tx).await?.is_some() {
        return Ok(CodeRequest::Paused);
    }
    let (key, quotas) = (throttle_subject.mail_counter(), quotas(cx));
    let taken = throttle::charge_quotas(tx, key, quotas, cx.now).await?;
    if taken == [true; 2] {
        return Ok(CodeRequest::Queued);
    }
    for (quota, _) in quotas.iter().zip(taken).filter(|(_, taken)| *taken) {
        throttle::refund_quota(tx, key, quota.kind).await?;
    }
    Ok(CodeRequest::TooMany)
}
