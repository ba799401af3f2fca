//! Going on by a session that another tab of the same browser got (decision 3): one code completes one attempt, and the
//! other tabs need no second one.

use store::{SessionId, UserId, session::LiveSession};

use super::{Answer, apply, machine::Input, own};
use crate::{
    Cx, Result,
    attempt::{Attempt, Loaded, Visit},
    interaction::{self, Need, Signed},
    session,
    sign_in::SignIn,
};

/// A live session of this browser that satisfies the attempt's request. Only this file makes one.
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

    /// Who is signed in.
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

/// The session that an open attempt can go on by.
pub(super) async fn check(
    cx: &Cx,
    visit: &Visit,
    loaded: &Loaded,
) -> Result<Option<(SessionChecked, LiveSession)>> {
    let mut conn = cx.db.read().await?;
    let client_id = &loaded.request.client_id;
    let secret = visit.session.as_ref();
    let found = session::live_with_consent(cx, &mut conn, secret, client_id).await?;
    let own = found.filter(|found| Some(found.session.user_id) == loaded.state.user());
    let Some(session) = own else { return Ok(None) };
    let Some(client) = cx.client(client_id) else { return Ok(None) };
    let fresh = SignIn::load(&session.session).auth_time() >= loaded.row.created_at;
    let signed = Signed { session: &session, fresh, confirmed: false };
    if interaction::decide(&loaded.request, client, Some(signed), cx.now) == Need::SignIn {
        return Ok(None);
    }
    let live = session.session;
    let checked = SessionChecked { session: live.id, user: live.user_id, epoch: live.epoch };
    Ok(Some((checked, live)))
}

/// Goes on by the session that another tab of this browser got.
pub async fn go_on(cx: &Cx, visit: &Visit, name: &str) -> Result<Answer> {
    match own(cx, visit, name).await? {
        Ok(Attempt::Row(loaded)) => post(cx, visit, &loaded).await,
        Ok(Attempt::Sealed { id, .. }) => Ok(Answer::Show(id, None)),
        Err(answer) => Ok(answer),
    }
}

/// Goes on by the session, or starts again where it no longer is.
pub(super) async fn post(cx: &Cx, visit: &Visit, loaded: &Loaded) -> Result<Answer> {
    match check(cx, visit, loaded).await? {
        Some((checked, _)) => apply::input(cx, visit, loaded, Input::Follow(checked)).await,
        None => apply::input(cx, visit, loaded, Input::Restart).await,
    }
}
