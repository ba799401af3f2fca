//! Sessions: a browser that is signed in, within its idle and absolute limits.

use std::time::Duration;

use store::{
    Sql, TokenHash, Tx,
    session::{Limits, LiveSession, WithConsent},
};

use crate::{Cx, Result};

/// How often use of a session is written down.
const SEEN_EVERY: Duration = Duration::from_mins(1);

/// Where the limits of a session lie now.
#[must_use]
pub(crate) fn limits(cx: &Cx) -> Limits {
    Limits {
        now: cx.now,
        seen_after: cx.now.minus(cx.settings.session_idle),
        created_after: cx.now.minus(cx.settings.session_absolute),
    }
}

/// The live session of a cookie.
pub(crate) async fn live(
    cx: &Cx,
    sql: &mut impl Sql,
    secret: Option<&TokenHash>,
) -> Result<Option<LiveSession>> {
    match secret {
        Some(secret) => Ok(store::session::live(sql, secret, limits(cx)).await?),
        None => Ok(None),
    }
}

/// The live session of a cookie, with what its person allowed a client.
pub(crate) async fn live_with_consent(
    cx: &Cx,
    sql: &mut impl Sql,
    secret: Option<&TokenHash>,
    client: &str,
) -> Result<Option<WithConsent>> {
    match secret {
        Some(secret) => {
            Ok(store::session::live_with_consent(sql, secret, client, limits(cx)).await?)
        }
        None => Ok(None),
    }
}

/// Notes that a session is in use, at most once a minute.
pub(crate) async fn touch(cx: &Cx, tx: &mut Tx, session: &LiveSession) -> Result<()> {
    if cx.now.since(session.last_seen) >= SEEN_EVERY {
        store::session::touch(tx, session.id, cx.now).await?;
    }
    Ok(())
}
