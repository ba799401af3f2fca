//! Which counters a guess is charged to (decision 4).
//!
//! ```text
//! known device ─▶ its own counter
//! stranger ─▶ this network on this person ─▶ all strangers on this person
//!                 waits by itself              counts the first few failures of each network, and all of them once it waits
//! ```
//!
//! So one network, however long it tries, does not use up what all strangers have, and no stranger uses up what the person's
//! own browser has. The counters are keyed by HMACs of the address: known and unknown people cost the same statements.

use store::{
    Sql, Timestamp, TokenHash, Tx,
    throttle::{self, Cost, DelayUse, ThrottleKind},
    user::User,
};

use super::delay_policy::DelayPolicy;
use crate::{Cx, Result, attempt::BrowserContext, device, guess_budget, network};

/// The source of guesses at a person.
#[derive(Clone, Debug)]
pub(crate) enum ThrottleSubject {
    /// A browser that this person has signed in with.
    KnownDevice {
        /// The counter of this browser.
        device: TokenHash,
        /// The counter of mails of all such browsers: it outlives the value, which each sign-in replaces.
        mail_counter: [u8; 32],
    },
    /// Any other browser.
    Stranger {
        /// The counter of all strangers.
        all_strangers: [u8; 32],
        /// The counter of this network at this person.
        this_network: [u8; 32],
    },
}

/// The result of charging a try.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChargeResult {
    /// The guess may be checked.
    Charged(GuessCount),
    /// A wait is running until this time.
    Paused(Timestamp),
}

/// What a charge has spent: the tries that its counters had afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct GuessCount {
    own: i64,
    all_strangers: Option<i64>,
}

impl GuessCount {
    /// Whether a network's try also counted for all strangers: its first few do, and each one while strangers wait.
    fn counted_for_all(&self, cx: &Cx, kind: ThrottleKind) -> bool {
        self.all_strangers.is_some_and(|all| {
            self.own <= cx.settings.network_share || all > DelayPolicy::of(cx, kind).free
        })
    }

    /// Guesses that are left before a wait begins.
    pub(super) fn tries_left(&self, cx: &Cx, kind: ThrottleKind) -> i64 {
        let all = self.all_strangers.filter(|_| self.counted_for_all(cx, kind));
        let spent = all.map_or(self.own, |all| all.max(self.own));
        (DelayPolicy::of(cx, kind).free - spent).max(0)
    }

    /// The end of the wait that it started at the counter of its source.
    fn own_delay(&self, cx: &Cx, kind: ThrottleKind) -> Option<Timestamp> {
        DelayPolicy::of(cx, kind).delay_after(self.own, cx.now)
    }

    /// The end of the wait that it started for all strangers.
    fn all_delay(&self, cx: &Cx, kind: ThrottleKind) -> Option<Timestamp> {
        let all = self.all_strangers.filter(|_| self.counted_for_all(cx, kind))?;
        DelayPolicy::of(cx, kind).delay_after(all, cx.now)
    }
}

impl ThrottleSubject {
    /// A stranger from the request's network.
    pub(crate) fn stranger(cx: &Cx, canonical: &str) -> Self {
        let here = format!("{canonical}\n{}", network::throttle_key(cx));
        Self::Stranger {
            all_strangers: cx.root.counter_key(canonical),
            this_network: cx.root.counter_key(&here),
        }
    }

    /// The throttle subject of this browser for a person.
    pub(crate) async fn for_user(
        cx: &Cx,
        sql: &mut impl Sql,
        browser_context: &BrowserContext,
        user: &User,
    ) -> Result<Self> {
        Self::for_address(cx, sql, browser_context, &user.counter_name()).await
    }

    async fn for_address(
        cx: &Cx,
        sql: &mut impl Sql,
        browser_context: &BrowserContext,
        canonical: &str,
    ) -> Result<Self> {
        Ok(match device::find_known(cx, sql, browser_context, canonical).await? {
            Some(device) => {
                let mails = format!("{canonical}\nknown devices");
                Self::KnownDevice { device, mail_counter: cx.root.counter_key(&mails) }
            }
            None => Self::stranger(cx, canonical),
        })
    }

    /// The throttle subject of this browser for an address, whether or not it is that of a person. Without a claim there is
    /// no look-up.
    pub(super) async fn for_typed_address(
        cx: &Cx,
        browser_context: &BrowserContext,
        canonical: &str,
    ) -> Result<Self> {
        if !device::is_claimed(cx, browser_context, canonical) {
            return Ok(Self::stranger(cx, canonical));
        }
        Self::for_address(cx, &mut cx.db.read().await?, browser_context, canonical).await
    }

    /// Whether it is a stranger.
    pub(crate) const fn is_stranger(&self) -> bool {
        matches!(self, Self::Stranger { .. })
    }

    /// The counter of mails: known devices have their own.
    pub(crate) const fn mail_counter(&self) -> &[u8] {
        match self {
            Self::KnownDevice { mail_counter: mails, .. } => mails,
            Self::Stranger { all_strangers: all, .. } => all,
        }
    }

    /// The two counters at which a wait may be running; the same one twice if there is only one.
    pub(super) fn delay_counters(&self) -> [&[u8]; 2] {
        match self {
            Self::KnownDevice { device, .. } => [device.as_bytes(), device.as_bytes()],
            Self::Stranger { all_strangers: all, this_network: here } => [here, all],
        }
    }

    fn own_counter(&self) -> &[u8] {
        match self {
            Self::KnownDevice { device, .. } => device.as_bytes(),
            Self::Stranger { this_network: here, .. } => here,
        }
    }

    /// Spends a try, or only checks whether one may be spent.
    pub(super) async fn charge(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        kind: ThrottleKind,
        is_charged: bool,
    ) -> Result<ChargeResult> {
        let cost = if is_charged { Cost::Try } else { Cost::Nothing };
        let spent = match self {
            Self::KnownDevice { device, .. } => {
                let used = delay_use(cx, kind, cost);
                let own = throttle::charge_delay(tx, device.as_bytes(), used).await?;
                own.map(|own| GuessCount { own, all_strangers: None })
            }
            Self::Stranger { all_strangers: all, this_network: here } => {
                charge_both_counters(cx, tx, [here, all], kind, cost).await?
            }
        };
        match spent {
            Some(tally) => Ok(ChargeResult::Charged(tally)),
            None => Ok(ChargeResult::Paused(self.delayed_until(cx, tx, kind).await?)),
        }
    }

    /// Takes back a try that was spent in this transaction, because nothing was checked.
    pub(super) async fn refund_charge(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        kind: ThrottleKind,
        count: GuessCount,
    ) -> Result<()> {
        throttle::refund_quota(tx, self.own_counter(), kind).await?;
        if let Self::Stranger { all_strangers: all, .. } = self
            && count.counted_for_all(cx, kind)
        {
            throttle::refund_quota(tx, all, kind).await?;
        }
        Ok(())
    }

    /// Gives the try for a right guess back, and with it the wait that it started: exactly what this guess has changed,
    /// so that no counter shows that there was a right one. False when a completed sign-in has cleared the counter of its
    /// source before.
    pub(super) async fn refund_right_guess(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        kind: ThrottleKind,
        count: GuessCount,
    ) -> Result<bool> {
        let own_delay = count.own_delay(cx, kind);
        let is_counted = throttle::refund_delay(tx, self.own_counter(), kind, own_delay).await?;
        self.refund_for_all(cx, tx, kind, count).await?;
        Ok(is_counted)
    }

    /// The same, at the counter of all strangers only.
    async fn refund_for_all(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        kind: ThrottleKind,
        count: GuessCount,
    ) -> Result<()> {
        if let Self::Stranger { all_strangers: all, .. } = self
            && count.counted_for_all(cx, kind)
        {
            throttle::refund_delay(tx, all, kind, count.all_delay(cx, kind)).await?;
        }
        Ok(())
    }

    /// Starts the waits after a wrong guess; returns whether strangers now wait.
    pub(super) async fn start_delays(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        kind: ThrottleKind,
        count: GuessCount,
    ) -> Result<bool> {
        let mut begun = false;
        if let Some(next_at) = count.own_delay(cx, kind) {
            throttle::start_delay(tx, self.own_counter(), kind, next_at).await?;
            begun = true;
        }
        if let Self::Stranger { all_strangers: all, .. } = self
            && let Some(next_at) = count.all_delay(cx, kind)
        {
            throttle::start_delay(tx, all, kind, next_at).await?;
            begun = true;
        }
        Ok(begun && self.is_stranger())
    }

    async fn delayed_until(
        &self,
        cx: &Cx,
        sql: &mut impl Sql,
        kind: ThrottleKind,
    ) -> Result<Timestamp> {
        let until = throttle::delayed_until(sql, self.delay_counters(), kind).await?;
        Ok(until.map_or(cx.now, |until| until.max(cx.now)))
    }

    /// Clears the failures of this network at a completed sign-in; returns how many it had at this person, without the
    /// right code if its try `right` is among them. The counter of all strangers stays: only an account has sign-ins,
    /// so a wait that ended with one would show a stranger who has an account (misuse case 53).
    pub(super) async fn clear_failures(
        cx: &Cx,
        tx: &mut Tx,
        canonical: &str,
        right: Option<GuessCount>,
    ) -> Result<i64> {
        let subject = Self::stranger(cx, canonical);
        // In the order in which a try is spent, to prevent a deadlock of the two.
        let failed = throttle::clear_failures(tx, subject.own_counter()).await?;
        let is_counted =
            failed.iter().any(|code| code.is_kind(ThrottleKind::Code) && code.spent > 0);
        let mut failed: i64 = failed.iter().map(|counter| counter.spent).sum();
        if let Some(count) = right {
            failed -= i64::from(is_counted);
            subject.refund_for_all(cx, tx, ThrottleKind::Code, count).await?;
        }
        Ok(failed)
    }

    /// Guesses at one code: fewer for strangers while the site's guess budget is spent.
    pub(crate) fn code_tries(&self, cx: &Cx) -> i64 {
        let tries = cx.settings.code_tries;
        if self.is_stranger() && guess_budget::is_spent(cx) {
            tries.min(cx.settings.guess_budget_tries)
        } else {
            tries
        }
    }

    /// Charges a guess to the strangers' daily quota while the site's guess budget is spent; returns until when the quota is
    /// used up, if it is.
    pub(super) async fn charge_daily_quota(
        &self,
        cx: &Cx,
        tx: &mut Tx,
    ) -> Result<Option<Timestamp>> {
        let Self::Stranger { all_strangers: all, .. } = self else { return Ok(None) };
        let quota = guess_budget::stranger_quota(cx);
        if !guess_budget::is_spent(cx) || throttle::charge_quota(tx, all, quota, cx.now).await? {
            return Ok(None);
        }
        let taken = throttle::get(tx, all, quota.kind).await?;
        Ok(Some(taken.map_or(cx.now, |taken| taken.since.plus(quota.window))))
    }

    /// Gives back what [`ThrottleSubject::charge_daily_quota`] charged in this transaction.
    pub(super) async fn refund_daily_quota(&self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        if let Self::Stranger { all_strangers: all, .. } = self
            && guess_budget::is_spent(cx)
        {
            throttle::refund_quota(tx, all, guess_budget::stranger_quota(cx).kind).await?;
        }
        Ok(())
    }
}

/// Spends a try of a stranger at both counters, in one statement; at neither while a wait is running at one of them.
async fn charge_both_counters(
    cx: &Cx,
    tx: &mut Tx,
    [here, all]: [&[u8]; 2],
    kind: ThrottleKind,
    cost: Cost,
) -> Result<Option<GuessCount>> {
    let spent = throttle::charge_delays(tx, [here, all], delay_use(cx, kind, cost)).await?;
    let too_many = match spent {
        [Some(own), Some(spent)] => {
            let tally = GuessCount { own, all_strangers: Some(spent) };
            if cost == Cost::Nothing || tally.counted_for_all(cx, kind) {
                return Ok(Some(tally));
            }
            throttle::refund_quota(tx, all, kind).await?;
            return Ok(Some(GuessCount { own, all_strangers: Some(spent - 1) }));
        }
        [Some(_), None] => here,
        [None, Some(_)] => all,
        [None, None] => return Ok(None),
    };
    if cost == Cost::Try {
        throttle::refund_quota(tx, too_many, kind).await?;
    }
    Ok(None)
}

/// A use of a person's delay.
fn delay_use(cx: &Cx, kind: ThrottleKind, cost: Cost) -> DelayUse {
    DelayUse { kind, cost, highest: DelayPolicy::of(cx, kind).longest_after(), now: cx.now }
}
