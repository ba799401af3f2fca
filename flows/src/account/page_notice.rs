//! What a page of an account says about the last post: sealed in its address, for one session and a quarter of an hour, so that
//! no link of another site shows a notice that is not true.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{SessionId, Timestamp};

use super::{access::AccountAccess, authenticator_apps::AppRefusal, passkeys::PasskeyRefusal};
use crate::{Cx, Result};

const AAD: &[u8] = b"vestibule/account-notice/v1";
/// How long the page says it.
const SHOWN_FOR: Duration = Duration::from_mins(15);

/// What the page says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PageNotice {
    /// An authenticator app was added.
    AppAdded,
    /// An authenticator app has another name.
    AppRenamed,
    /// An authenticator app was removed.
    AppRemoved,
    /// Something about an app cannot be done; the name that was typed.
    AppRefused(AppRefusal, String),
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// Something about a passkey cannot be done.
    PasskeyRefused(PasskeyRefusal),
    /// Codes by e-mail are asked for, or no longer.
    EmailCodes(bool),
    /// Without codes by e-mail, another way is needed first.
    EmailCodesNeeded,
    /// Recovery codes need another method first.
    NoOtherMethod,
}

#[derive(Serialize, Deserialize)]
struct SealedNotice {
    session: SessionId,
    at: Timestamp,
    notice: PageNotice,
}

impl PageNotice {
    /// Seals it for the address of a page.
    pub fn seal(self, cx: &Cx, access: &AccountAccess) -> Result<String> {
        let sealed = SealedNotice { session: access.session.id, at: cx.now, notice: self };
        Ok(cx.root.seal_text(&cx.rng, AAD, &serde_json::to_vec(&sealed)?)?)
    }

    /// Opens what was sealed in this session, a moment ago.
    #[must_use]
    pub fn open(cx: &Cx, access: &AccountAccess, sealed: &str) -> Option<Self> {
        let plain = cx.root.open_text(AAD, sealed).ok()?;
        let found: SealedNotice = serde_json::from_slice(&plain).ok()?;
        let is_alive = found.session == access.session.id && cx.now.since(found.at) <= SHOWN_FOR;
        is_alive.then_some(found.notice)
    }
}
