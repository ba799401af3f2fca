//! What keeps a person's code from being mailed, and from being judged, at this moment.

use std::time::Duration;

use store::{
    Sql, Timestamp,
    throttle::{self, Quota, Throttle, ThrottleKind},
};

use super::throttle_subject::ThrottleSubject;
use crate::{Cx, Result, guess_budget};

/// The limits of a person's codes for one throttle subject, by one read.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeLimits {
    /// Until when no code is judged: by the waits after wrong codes, and by what strangers have in a day while the site's
    /// guess budget is spent.
    pub(super) paused_until: Option<Timestamp>,
    /// Until when no code is mailed, because the quotas of mails are used up.
    pub(super) mails_used_up_until: Option<Timestamp>,
}

/// The quotas of mails to a person: one for all strangers together, and one for all known devices.
pub(super) fn mail_quotas(cx: &Cx) -> [Quota; 2] {
    let hour = Duration::from_hours(1);
    [
        Quota { kind: ThrottleKind::SendHour, limit: cx.settings.sends_per_hour, window: hour },
        Quota { kind: ThrottleKind::SendDay, limit: cx.settings.sends_per_day, window: hour * 24 },
    ]
}

/// The share of them that one network of strangers has: half of an hour's and a third of a day's, so that an
/// attacker who asks for codes from one network does not use up what all have.
pub(super) fn network_mail_quotas(cx: &Cx) -> [Quota; 2] {
    let [hour, day] = mail_quotas(cx);
    let share = |quota: Quota, parts: i64| Quota { limit: (quota.limit / parts).max(1), ..quota };
    [share(hour, 2), share(day, 3)]
}

impl CodeLimits {
    /// Reads them.
    pub(super) async fn read(
        cx: &Cx,
        sql: &mut impl Sql,
        throttle_subject: &ThrottleSubject,
    ) -> Result<Self> {
        let mails = throttle_subject.mail_counter();
        let [own, all] = throttle_subject.delay_counters();
        let counters = throttle::of_keys(sql, [own, all, mails]).await?;
        let daily = (throttle_subject.is_stranger() && guess_budget::is_spent(cx))
            .then(|| guess_budget::stranger_quota(cx));
        let (mut paused_until, mut mails_used_up_until) = (None, None);
        for counter in &counters {
            if counter.is_kind(ThrottleKind::Code) && counter.has_key(&[own, all]) {
                paused_until = paused_until.max(Some(counter.next_at));
            }
            if let Some(quota) = daily
                && counter.has_key(&[all])
            {
                paused_until = paused_until.max(used_up_until(counter, quota));
            }
            let quotas = if counter.has_key(&[mails]) {
                mail_quotas(cx)
            } else if throttle_subject.is_stranger() && counter.has_key(&[own]) {
                network_mail_quotas(cx)
            } else {
                continue;
            };
            for quota in quotas {
                mails_used_up_until = mails_used_up_until.max(used_up_until(counter, quota));
            }
        }
        let is_later = |until: &Timestamp| *until > cx.now;
        Ok(Self {
            paused_until: paused_until.filter(is_later),
            mails_used_up_until: mails_used_up_until.filter(is_later),
        })
    }
}

/// When a quota begins anew, if this is its counter and it is used up.
fn used_up_until(counter: &Throttle, quota: Quota) -> Option<Timestamp> {
    let is_used_up = counter.is_kind(quota.kind) && counter.spent >= quota.limit;
    is_used_up.then(|| counter.since.plus(quota.window))
}
