//! How many mails a person gets in an hour and in a day.

use std::time::Duration;

use store::{
    Timestamp, Tx, UserId,
    throttle::{self, Kind, Quota},
};

use crate::{Cx, Result};

fn quotas(cx: &Cx) -> [Quota; 2] {
    let hour = Duration::from_hours(1);
    [
        Quota { kind: Kind::SendHour, limit: cx.settings.sends_per_hour, window: hour },
        Quota { kind: Kind::SendDay, limit: cx.settings.sends_per_day, window: hour * 24 },
    ]
}

/// Until when this person's mails are used up, if they are.
pub(super) async fn quota_until(
    cx: &Cx,
    sql: &mut impl store::Sql,
    user: UserId,
) -> Result<Option<Timestamp>> {
    let Some(user) = store::user::by_id(sql, user).await? else { return Ok(None) };
    let key = cx.root.lookup(&user.email_canonical);
    let mut until = None;
    let spent = throttle::all(sql, &key).await?;
    for quota in quotas(cx) {
        for spent in spent.iter().filter(|spent| spent.is(quota.kind)) {
            let end = spent.since.plus(quota.window);
            if spent.spent >= quota.limit && end > cx.now {
                until = until.max(Some(end));
            }
        }
    }
    Ok(until)
}

/// Takes one mail from this person's quotas, or none.
pub(super) async fn take_send(cx: &Cx, tx: &mut Tx, canonical: &str) -> Result<bool> {
    let key = cx.root.lookup(canonical);
    let [hour, day] = quotas(cx);
    if !throttle::take(tx, &key, hour, cx.now).await? {
        return Ok(false);
    }
    if !throttle::take(tx, &key, day, cx.now).await? {
        throttle::give_back(tx, &key, hour.kind).await?;
        return Ok(false);
    }
    Ok(true)
}
