//! How many codes a session gets in a minute without signing in again (decision 15). Each of them writes a grant, a code and
//! a row of the audit trail, so a script, or a client that redirects in a loop, would fill the database.

use std::time::Duration;

use store::{HitResult, SessionId};

use crate::{Cx, oauth_error::OAuthError};

/// The most codes in a minute, of each way.
const CODES_PER_MINUTE: u64 = 60;

/// How a session came to a code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodeWay {
    /// Without a page.
    Silent,
    /// By a press on the page for consent or confirmation, which is also where too many silent ones lead.
    Page,
}

/// Counts a code; false when the session has had too many.
pub(crate) async fn may_issue(cx: &Cx, session: SessionId, way: CodeWay) -> bool {
    let way = match way {
        CodeWay::Silent => "silent",
        CodeWay::Page => "page",
    };
    let key = format!("{way}:{}", session.uuid());
    let hit = cx.ephemeral.hit(&key, CODES_PER_MINUTE, Duration::from_mins(1), cx.now).await;
    hit == HitResult::Within
}

/// What the client is told then.
pub(crate) const fn too_many() -> OAuthError {
    OAuthError::new("temporarily_unavailable", "too many codes for this session in a minute")
}
