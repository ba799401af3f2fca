//! Sessions: a browser that is signed in, within its idle and absolute limits, and the one function that ends them.

use std::time::Duration;

use store::{
    SessionId, Sql, TokenHash, Tx, UserId,
    session::{LiveSession, SessionLimits, SessionWithConsent},
};

use crate::{
    Cx, Result,
    audit::{self, event},
};

/// How often use of a session is recorded.
const SEEN_EVERY: Duration = Duration::from_mins(1);

/// The limits of sessions as of now: the oldest last use and the oldest beginning of a live one.
#[must_use]
pub(crate) fn limits(cx: &Cx) -> SessionLimits {
    SessionLimits {
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

/// The live session of a cookie, with the consent of its person for a client, if there is one.
pub(crate) async fn live_with_consent(
    cx: &Cx,
    sql: &mut impl Sql,
    secret: Option<&TokenHash>,
    client: Option<&str>,
) -> Result<Option<SessionWithConsent>> {
    match secret {
        Some(secret) => {
            Ok(store::session::live_with_consent(sql, secret, client, limits(cx)).await?)
        }
        None => Ok(None),
    }
}

/// A session that was created in this transaction, with the consent of its person for a client, if there is one. A
/// first-party client needs no consent.
pub(crate) async fn with_consent(
    cx: &Cx,
    tx: &mut Tx,
    live: LiveSession,
    client: Option<&str>,
) -> Result<SessionWithConsent> {
    let is_first_party =
        |id: &&str| cx.clients.get(id).is_some_and(|client| client.operator.first_party);
    let consented = match client.filter(|id| !is_first_party(id)) {
        Some(client) => store::consent::scopes(tx, live.user_id, client).await?,
        None => None,
    };
    Ok(SessionWithConsent { session: live, consented })
}

/// Whether the use of a session is to be recorded: at most once a minute.
pub(crate) fn is_touch_due(cx: &Cx, session: &LiveSession) -> bool {
    cx.now.since(session.last_seen) >= SEEN_EVERY
}

/// Records that a session is in use, if that is due.
pub(crate) async fn touch(cx: &Cx, tx: &mut Tx, session: &LiveSession) -> Result<()> {
    if is_touch_due(cx, session) {
        store::session::touch(tx, session.id, cx.now).await?;
    }
    Ok(())
}

/// The sessions to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SessionSelector {
    /// This one.
    One {
        /// The session.
        session: SessionId,
        /// Its person.
        user: UserId,
    },
    /// All of a person.
    AllOfUser(UserId),
}

/// Why a session ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum EndReason<'a> {
    /// Its person signed out.
    SignedOut {
        /// The client that asked for it, if one did.
        client: Option<&'a str>,
    },
    /// The browser signed in again, and not by a step-up of this session.
    Replaced,
    /// A reset was forced.
    Reset,
}

/// Ends sessions, whatever the reason: no other function does. What follows from the end belongs here, in the transaction
/// that ends it: the row of the trail now, and the jobs that notify its clients (OpenID Connect Back-Channel Logout 1.0)
/// when there are any.
pub(crate) async fn end(
    cx: &Cx,
    tx: &mut Tx,
    which: SessionSelector,
    cause: EndReason<'_>,
) -> Result<()> {
    let ended = match which {
        SessionSelector::One { session, .. } => store::session::end(tx, session, cx.now).await?,
        SessionSelector::AllOfUser(user) => store::session::end_all(tx, user, cx.now).await? > 0,
    };
    match cause {
        EndReason::SignedOut { client } if ended => {
            let entry = audit::AuditEntry::done(event::SignedOut {}).user(which.user());
            let entry = client.into_iter().fold(entry, audit::AuditEntry::client);
            audit::record(cx, tx, entry).await
        }
        // A sign-in and a reset have a row of their own.
        EndReason::SignedOut { .. } | EndReason::Replaced | EndReason::Reset => Ok(()),
    }
}

impl SessionSelector {
    const fn user(self) -> UserId {
        match self {
            Self::One { user, .. } | Self::AllOfUser(user) => user,
        }
    }
}
