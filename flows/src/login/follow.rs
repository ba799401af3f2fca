//! Continuing with a session that another tab of the same browser got (decision 3): one code completes one attempt, and the
//! other tabs need no second one.

use store::{SessionId, UserId, session::LiveSession};

use super::{Answer, apply, find_own_attempt, machine::Input};
use crate::{
    Cx, Result,
    attempt::{Attempt, BrowserContext, LoadedAttempt},
    attempt_request::AttemptRequest,
    interaction::{self, Need, SignedInUser},
    session,
    sign_in::SignIn,
};

/// A live session of this browser that satisfies the attempt's request. Only this file constructs one.
#[derive(Debug)]
pub struct SessionChecked {
    session: SessionId,
    user: UserId,
    epoch: i64,
}

impl SessionChecked {
    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The signed-in person.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The epoch that session and sign-in share.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    #[cfg(test)]
    pub(super) const fn assume(session: SessionId, user: UserId, epoch: i64) -> Self {
        Self { session, user, epoch }
    }
}

/// The session that an open attempt can continue with.
pub(super) async fn find_session(
    cx: &Cx,
    browser_context: &BrowserContext,
    loaded: &LoadedAttempt,
) -> Result<Option<(SessionChecked, LiveSession)>> {
    let mut conn = cx.db.read().await?;
    let secret = browser_context.session.as_ref();
    let found =
        session::live_with_consent(cx, &mut conn, secret, loaded.request.client_id()).await?;
    let same_person = found.filter(|found| Some(found.session.user_id) == loaded.state.user());
    let Some(session) = same_person else { return Ok(None) };
    let fresh = SignIn::of_session(&session.session).auth_time() >= loaded.row.created_at;
    let suffices = match &loaded.request {
        AttemptRequest::Client(request) => {
            let Some(client) = cx.find_client(&request.client_id) else { return Ok(None) };
            let signed = SignedInUser { session: &session, fresh, confirmed: false };
            interaction::decide(request, client, Some(signed), cx.now) != Need::SignIn
        }
        AttemptRequest::Page(_) => fresh,
    };
    if !suffices {
        return Ok(None);
    }
    let live = session.session;
    let checked = SessionChecked { session: live.id, user: live.user_id, epoch: live.epoch };
    Ok(Some((checked, live)))
}

/// Continues with the session that another tab of this browser got.
pub async fn continue_with_session(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<Answer> {
    match find_own_attempt(cx, browser_context, name).await? {
        Ok(Attempt::Row(loaded)) => follow_or_restart(cx, browser_context, &loaded).await,
        Ok(Attempt::Sealed { id, .. }) => Ok(Answer::Show(id, None)),
        Err(answer) => Ok(answer),
    }
}

/// Continues with the session, or starts again if it has ended.
pub(super) async fn follow_or_restart(
    cx: &Cx,
    browser_context: &BrowserContext,
    loaded: &LoadedAttempt,
) -> Result<Answer> {
    match find_session(cx, browser_context, loaded).await? {
        Some((checked, _)) => {
            apply::apply_input(cx, browser_context, loaded, Input::Follow(checked)).await
        }
        None => apply::apply_input(cx, browser_context, loaded, Input::Restart).await,
    }
}
