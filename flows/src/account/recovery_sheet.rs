//! The list of recovery codes of an account: made, shown once, void when the next is made.

use std::time::Duration;

use keys::RecoveryCode;
use serde::{Deserialize, Serialize};
use store::{SessionId, Timestamp, Tx, UserId, recovery_code, recovery_code::RecoveryCodeRow};
use zeroize::Zeroizing;

use super::{access::AccountAccess, methods::tell};
use crate::{
    Cx, Result,
    attempt::BrowserContext,
    audit::{self, AuditEntry, event},
    mail::MethodChange,
};

const AAD: &[u8] = b"vestibule/recovery-sheet/v1";
/// Codes of a list.
const CODES: usize = 10;
/// How long a new list can be shown again, by a reload or to save it.
const SHOWN_FOR: Duration = Duration::from_mins(10);

/// How long after a method was added its post may be a double click, or one whose answer was lost. Later a list may have been
/// printed, and is not voided.
const LOST_FOR: Duration = Duration::from_mins(1);

#[derive(Serialize, Deserialize)]
struct SealedSheet {
    session: SessionId,
    codes: Vec<String>,
    at: Timestamp,
}

/// The result of making a new list.
#[derive(Debug)]
pub enum SheetChange {
    /// A new list.
    Made(Vec<RecoveryCode>),
    /// Both steps must be proven again first.
    SignInFirst,
    /// The account has no method that recovery codes stand in for.
    NoOtherMethod,
}

/// Replaces the list of a person, whose row is locked.
pub(super) async fn replace(cx: &Cx, tx: &mut Tx, user: UserId) -> Result<Vec<RecoveryCode>> {
    let void = recovery_code::delete_all_of_user(tx, user).await?;
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let code = RecoveryCode::generate(&cx.rng);
        let key_id = cx.root.current_id();
        let row = RecoveryCodeRow {
            id: cx.new_id(),
            user_id: user,
            key_id: key_id.to_owned(),
            hash: cx.root.recovery_code_mac(key_id, user, &code)?.to_vec(),
            created_at: cx.now,
            used_at: None,
        };
        recovery_code::insert(tx, &row).await?;
        codes.push(code);
    }
    let made = event::RecoveryCodesMade { codes: CODES, void };
    audit::record(cx, tx, AuditEntry::done(made).user(user)).await?;
    Ok(codes)
}

/// The list that came with a method, made anew while nothing of it was used: the first answer may never have been shown.
pub(super) async fn show_again(
    cx: &Cx,
    tx: &mut Tx,
    user: UserId,
    made_at: Timestamp,
) -> Result<Option<Vec<RecoveryCode>>> {
    if cx.now.since(made_at) > LOST_FOR {
        return Ok(None);
    }
    let sheet = recovery_code::of_user(tx, user).await?;
    let is_unused = sheet.iter().all(|code| code.created_at == made_at && code.used_at.is_none());
    if sheet.is_empty() || !is_unused {
        return Ok(None);
    }
    replace(cx, tx, user).await.map(Some)
}

/// Makes a new list; the old one is void.
pub async fn make(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
) -> Result<SheetChange> {
    cx.db
        .write(async |tx| {
            let Some(steps) = access.lock_if_fresh(cx, tx, browser_context).await? else {
                return Ok(SheetChange::SignInFirst);
            };
            if !steps.has_method() {
                return Ok(SheetChange::NoOtherMethod);
            }
            access.record_change(cx, tx).await?;
            let user = access.person.user.id;
            let codes = replace(cx, tx, user).await?;
            let made_with = browser_context.requester.user_agent.as_deref();
            tell(cx, tx, user, (MethodChange::RecoveryCodesMade, made_with)).await?;
            Ok(SheetChange::Made(codes))
        })
        .await
}

/// Seals a new list for the address of the page that shows it.
pub fn seal(cx: &Cx, access: &AccountAccess, codes: &[RecoveryCode]) -> Result<String> {
    let codes = codes.iter().map(|code| code.reveal().to_string()).collect();
    let sheet = SealedSheet { session: access.session.id, codes, at: cx.now };
    let plain = Zeroizing::new(serde_json::to_vec(&sheet)?);
    Ok(cx.root.seal_text(&cx.rng, AAD, &plain)?)
}

/// The codes of a list that was just made in this session; none a while later.
#[must_use]
pub fn open(cx: &Cx, access: &AccountAccess, sealed: &str) -> Option<Vec<String>> {
    let plain = Zeroizing::new(cx.root.open_text(AAD, sealed).ok()?);
    let sheet: SealedSheet = serde_json::from_slice(&plain).ok()?;
    let is_alive = sheet.session == access.session.id && cx.now.since(sheet.at) <= SHOWN_FOR;
    is_alive.then_some(sheet.codes)
}
