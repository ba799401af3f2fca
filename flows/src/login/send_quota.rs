//! Charging the quotas of mails to a person in an hour and in a day.

use store::{
    Tx,
    email_challenge::{self, ChallengePurpose},
    sign_in,
    throttle::{self, Quota, ThrottleKind},
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
    client: Option<&str>,
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
                Some(ended) => {
                    warn_of_unused_codes(cx, tx, user, client, &ended).await?;
                    true
                }
                None => false,
            }
        }
    };
    Ok(if is_charged { CodeRequest::Queued } else { CodeRequest::TooMany })
}

async fn charge_known_device(cx: &Cx, tx: &mut Tx, key: &[u8]) -> Result<bool> {
    let quotas = mail_quotas(cx).map(|quota| (key, quota));
    Ok(throttle::charge_quotas(tx, quotas, cx.now).await?.is_some())
}

/// Charges the share of the network and what all strangers have; returns the quotas of all strangers of which this was the
/// last mail, or nothing if one of the quotas is used up.
async fn charge_stranger(
    cx: &Cx,
    tx: &mut Tx,
    [here, all]: [&[u8]; 2],
) -> Result<Option<Vec<Quota>>> {
    let ([own_hour, own_day], [hour, day]) = (network_mail_quotas(cx), mail_quotas(cx));
    let quotas = [(here, own_hour), (here, own_day), (all, hour), (all, day)];
    let spent = throttle::charge_quotas(tx, quotas, cx.now).await?;
    Ok(spent.map(|[_, _, of_hour, of_day]| {
        let ended = [(of_hour, hour), (of_day, day)].into_iter();
        ended.filter(|(spent, quota)| *spent == quota.limit).map(|(_, quota)| quota).collect()
    }))
}

/// Warns the person if most of the codes of a quota that has now ended were not used: an attacker who asks for them has the
/// password, and keeps new browsers of the person from getting one.
async fn warn_of_unused_codes(
    cx: &Cx,
    tx: &mut Tx,
    user: &User,
    client: Option<&str>,
    ended: &[Quota],
) -> Result<()> {
    for quota in ended {
        if are_mostly_unused(cx, tx, user, *quota).await? {
            let notice = WrongGuessesMail { user: Some(user.id), tried: GuessKind::UnusedCodes };
            return mail::warn_once_a_day(cx, tx, notice, &user.counter_name(), client).await;
        }
    }
    Ok(())
}

/// Whether most mails of a quota that has ended were of codes that were not used, in its window.
async fn are_mostly_unused(cx: &Cx, tx: &mut Tx, user: &User, quota: Quota) -> Result<bool> {
    let since = cx.now.minus(quota.window);
    if quota.kind == ThrottleKind::SendDay {
        // Challenges are not kept for a day, but sign-ins are.
        let signed_in = sign_in::count_since(tx, user.id, since).await?;
        return Ok(quota.limit - signed_in > signed_in);
    }
    let recent = email_challenge::recent(tx, user.id, ChallengePurpose::SignIn, since).await?;
    let (answered, open): (Vec<_>, Vec<_>) =
        recent.iter().partition(|challenge| challenge.completed_at.is_some());
    let mails = |challenges: &[&email_challenge::EmailChallenge]| -> i64 {
        challenges.iter().map(|challenge| challenge.sends).sum()
    };
    // And the one that is being asked for.
    Ok(mails(&open) + 1 > mails(&answered))
}
