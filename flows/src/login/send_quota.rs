//! Charging the quotas of mails to a person in an hour and in a day.

use std::time::Duration;

use store::{
    Tx,
    email_challenge::{self, ChallengePurpose},
    throttle,
    user::User,
};

use super::{
    code_limits::{CodeLimits, mail_quotas, network_mail_quotas},
    throttle_subject::ThrottleSubject,
};
use crate::{
    Cx, Result,
    audit::outcome::CodeRequest,
    mail::{self, GuessKind, WrongGuessesMail},
};

/// Charges one mail to the quotas. None is charged while codes are paused, or where one of the quotas is used up.
pub(super) async fn charge_send(
    cx: &Cx,
    tx: &mut Tx,
    throttle_subject: &ThrottleSubject,
    user: &User,
    client: &str,
) -> Result<CodeRequest> {
    if CodeLimits::read(cx, tx, throttle_subject).await?.paused_until.is_some() {
        return Ok(CodeRequest::Paused);
    }
    let is_charged = match throttle_subject {
        ThrottleSubject::KnownDevice { mail_counter, .. } => {
            charge_known_device(cx, tx, mail_counter).await?
        }
        ThrottleSubject::Stranger { all_strangers, this_network } => {
            let counters = [this_network.as_slice(), all_strangers.as_slice()];
            match charge_stranger(cx, tx, counters).await? {
                Some(is_last) => {
                    if is_last {
                        warn_of_unused_codes(cx, tx, user, client).await?;
                    }
                    true
                }
                None => false,
            }
        }
    };
    Ok(if is_charged { CodeRequest::Queued } else { CodeRequest::TooMany })
}

async fn charge_known_device(cx: &Cx, tx: &mut Tx, key: &[u8]) -> Result<bool> {
    let quotas = mail_quotas(cx);
    let taken = throttle::charge_quotas(tx, quotas.map(|quota| (key, quota)), cx.now).await?;
    if taken == [true; 2] {
        return Ok(true);
    }
    for (quota, _) in quotas.iter().zip(taken).filter(|(_, taken)| *taken) {
        throttle::refund_quota(tx, key, quota.kind).await?;
    }
    Ok(false)
}

/// Charges the share of the network and what all strangers have; returns whether this was the last mail that all strangers
/// have, or nothing if one of the quotas is used up.
async fn charge_stranger(cx: &Cx, tx: &mut Tx, [here, all]: [&[u8]; 2]) -> Result<Option<bool>> {
    let (own, common) = (network_mail_quotas(cx), mail_quotas(cx));
    let counts = throttle::charge_shared_quotas(tx, [(here, own), (all, common)], cx.now).await?;
    if counts.iter().flatten().all(Option::is_some) {
        let [_, left] = counts;
        let is_last = |(spent, quota): (Option<i64>, throttle::Quota)| spent == Some(quota.limit);
        return Ok(Some(left.into_iter().zip(common).any(is_last)));
    }
    for (key, counts) in [here, all].into_iter().zip(counts) {
        for (quota, _) in common.iter().zip(counts).filter(|(_, spent)| spent.is_some()) {
            throttle::refund_quota(tx, key, quota.kind).await?;
        }
    }
    Ok(None)
}

/// Warns the person if most of the codes that strangers had mailed were not used: who asks for them has the password, and
/// keeps new browsers of the person from getting one.
async fn warn_of_unused_codes(cx: &Cx, tx: &mut Tx, user: &User, client: &str) -> Result<()> {
    let since = cx.now.minus(Duration::from_hours(1));
    let recent = email_challenge::recent(tx, user.id, ChallengePurpose::SignIn, since).await?;
    let (answered, open): (Vec<_>, Vec<_>) =
        recent.iter().partition(|challenge| challenge.completed_at.is_some());
    let mails = |challenges: &[&email_challenge::EmailChallenge]| -> i64 {
        challenges.iter().map(|challenge| challenge.sends).sum()
    };
    // And the one that is being asked for.
    if mails(&open) + 1 > mails(&answered) {
        let notice = WrongGuessesMail { user: Some(user.id), tried: GuessKind::UnusedCodes };
        mail::warn_once_a_day(cx, tx, notice, &user.counter_name(), client).await?;
    }
    Ok(())
}
