//! Known devices (decision 4): a browser that completed a sign-in of an account has tries, mails and permits of its own.
//!
//! ```text
//! completed sign-in ─▶ value for this account in the cookie, SHA-256 of it in `devices`, with the epoch
//!     next sign-in: tagged for the address that was typed? ─▶ in `devices`, of this person and epoch? ─▶ known
//!     completed again ─▶ a new value replaces it
//! ```
//!
//! It never counts as a step and is never a session: a thief gains tries, not an account.

use keys::DeviceToken;
use store::{Sql, TokenHash, Tx, user::User};

use crate::{
    Cx, Result,
    attempt::BrowserContext,
    audit::{self, event},
    change_authority::ChangeAuthority,
    email::EmailAddress,
};

/// Accounts that one browser is known to: a family at one computer.
pub const MAX_ACCOUNTS: usize = 5;

/// The value that a browser presents for this address. It is only a claim, which outlives the device; `store::device`
/// decides what it is worth.
fn claimed_device<'v>(
    cx: &Cx,
    browser_context: &'v BrowserContext,
    canonical: &str,
) -> Option<&'v DeviceToken> {
    browser_context.devices.iter().find(|device| device.is_for(&cx.root, canonical))
}

/// Whether a browser claims to be a known device of this address. Without a claim there is no look-up.
pub(crate) fn is_claimed(cx: &Cx, browser_context: &BrowserContext, canonical: &str) -> bool {
    claimed_device(cx, browser_context, canonical).is_some()
}

/// The known device that a browser is to this person. Without a claim there is no look-up, so that a stranger's request
/// costs the same for every address.
pub(crate) async fn find_known(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    canonical: &str,
) -> Result<Option<TokenHash>> {
    let Some(device) = claimed_device(cx, browser_context, canonical) else { return Ok(None) };
    let (hash, after) = (device.hash(), cx.now.minus(cx.settings.device_lifetime));
    Ok(store::device::is_live(sql, &hash, canonical, after).await?.then_some(hash))
}

/// The account of this address, if the browser is a known device of it: permits and posts of known devices are counted by
/// account. However many values a browser has collected for an account, they count as one.
pub(crate) async fn known_account(
    cx: &Cx,
    browser_context: &BrowserContext,
    canonical: &str,
) -> Result<Option<[u8; 32]>> {
    if claimed_device(cx, browser_context, canonical).is_none() {
        return Ok(None);
    }
    let mut conn = cx.db.read().await?;
    let known = find_known(cx, &mut conn, browser_context, canonical).await?;
    Ok(known.map(|_| cx.root.counter_key(canonical)))
}

/// Makes the browser known to this person; returns all values for its cookie, the newest first.
pub(crate) async fn renew(
    cx: &Cx,
    tx: &mut Tx,
    browser_context: &BrowserContext,
    user: &User,
) -> Result<Vec<DeviceToken>> {
    let canonical = &user.counter_name();
    let (old, others): (Vec<_>, Vec<_>) = browser_context
        .devices
        .iter()
        .cloned()
        .partition(|device| device.is_for(&cx.root, canonical));
    for device in old {
        let hash = device.hash();
        store::device::delete(tx, &hash).await?;
        store::throttle::clear_failures(tx, hash.as_bytes()).await?;
    }
    let new = DeviceToken::generate(&cx.rng, &cx.root, canonical);
    store::device::insert(tx, &new.hash(), user.id, user.epoch, cx.now).await?;
    Ok(std::iter::once(new).chain(others).take(MAX_ACCOUNTS).collect())
}

/// Forgets every device of a person, on request of staff; returns how many there were.
pub async fn forget_all(
    cx: &Cx,
    authority: &ChangeAuthority,
    email: &EmailAddress,
) -> Result<Option<u64>> {
    cx.db
        .write(async |tx| {
            let Some(user) = store::user::by_email(tx, email.canonical()).await? else {
                return Ok(None);
            };
            let gone = store::device::delete_all_of_user(tx, user.id).await?;
            let entry = audit::AuditEntry::done(event::DevicesForgotten { devices: gone })
                .user(user.id)
                .by(authority);
            audit::record(cx, tx, entry).await?;
            Ok(Some(gone))
        })
        .await
}
