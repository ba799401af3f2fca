//! Who is at the pages that look after an account, and whether the sign-in is fresh enough to change something.

use std::time::Duration;

use store::{
    SessionId, Timestamp, Tx,
    second_steps::{self, MethodsChange, SecondSteps},
    session::LiveSession,
    sign_in::SecondMethod,
    user::{self, Activity, UserWithPassword},
};

use crate::{
    Cx, Error, Result,
    attempt::BrowserContext,
    attempt_request::AttemptRequest,
    authorize::{self, NewSignInPage},
    login::goal::Page,
    session,
    sign_in::{Assurance, SignIn},
};

/// How long after a sign-in methods may be changed.
const FRESH_FOR: Duration = Duration::from_mins(5);

/// A person at the pages of their account.
#[derive(Clone, Debug)]
pub struct AccountAccess {
    /// The session.
    pub session: LiveSession,
    /// The person.
    pub person: UserWithPassword,
    /// Whether both steps were proven a moment ago, at the strongest level that the account has.
    pub is_fresh: bool,
}

/// Finds who is at the pages; none without a live session.
pub async fn open(cx: &Cx, browser_context: &BrowserContext) -> Result<Option<AccountAccess>> {
    let mut conn = cx.db.read().await?;
    let live = session::live(cx, &mut conn, browser_context.session.as_ref()).await?;
    let Some(session) = live else { return Ok(None) };
    let Some(person) = user::by_id_with_password(&mut conn, session.user_id).await? else {
        return Ok(None);
    };
    drop(conn);
    if session::is_touch_due(cx, &session) {
        cx.db.write(async |tx| session::touch(cx, tx, &session).await).await?;
    }
    let is_fresh = is_fresh(cx, &session, &person.second_steps);
    Ok(Some(AccountAccess { session, person, is_fresh }))
}

/// Whether both steps were proven a moment ago, at the strongest level that the account has.
fn is_fresh(cx: &Cx, session: &LiveSession, steps: &SecondSteps) -> bool {
    cx.now.since(SignIn::of_session(session).auth_time()) <= FRESH_FOR
        && is_strongest(session, steps)
}

/// Whether a sign-in has the strongest level that the account has. What another session has changed since counts as unknown
/// to this one. Times are those of sign-ins and changes, never of a page: a page may be older than a change that is stored
/// after it.
fn is_strongest(session: &LiveSession, steps: &SecondSteps) -> bool {
    let sign_in = SignIn::of_session(session);
    let at = sign_in.auth_time();
    !is_changed_elsewhere(steps, session.id, at)
        && (is_by_recovery_code(&sign_in)
            || sign_in.assurance().level() >= strongest_at(steps, at).level())
}

/// A recovery code counts as the strongest method: it is for a person who has lost that.
fn is_by_recovery_code(sign_in: &SignIn) -> bool {
    sign_in.steps().second == Some(SecondMethod::RecoveryCode)
}

/// Whether methods were changed since a moment, and not by this session.
fn is_changed_elsewhere(steps: &SecondSteps, session: SessionId, since: Timestamp) -> bool {
    steps.methods_changed_at.is_some_and(|at| at >= since)
        && steps.methods_changed_by != Some(session)
}

/// The page on which a person signs in, to come to a page of their account.
pub fn sign_in_page(
    cx: &Cx,
    browser_context: &BrowserContext,
    page: Page,
) -> Result<NewSignInPage> {
    authorize::new_sign_in_page(cx, browser_context, AttemptRequest::Page(page))
}

/// The strongest level that a person could reach with what the account had at a sign-in. What was added since was added by a
/// sign-in of that level.
fn strongest_at(steps: &SecondSteps, at: Timestamp) -> Assurance {
    let had = |first: Option<Timestamp>| first.is_some_and(|first| first < at);
    if had(steps.first_passkey_at) {
        Assurance::Phr { with_password: false }
    } else if had(steps.first_app_at) {
        Assurance::Mfa
    } else {
        Assurance::TwoStep
    }
}

impl AccountAccess {
    /// Locks the person's row until the transaction ends, and reads what is there now; fails with a conflict when the session no
    /// longer stands for the person.
    pub(super) async fn lock(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        browser_context: &BrowserContext,
        second: Option<&str>,
    ) -> Result<SecondSteps> {
        let language = browser_context.requester.language;
        let seen = Activity { language, second, at: cx.now };
        let (id, epoch) = (self.person.user.id, self.session.epoch);
        if !user::lock_and_touch(tx, id, epoch, seen).await? {
            return Err(Error::Conflict);
        }
        let person = user::by_id_with_password(tx, id).await?.ok_or(Error::Conflict)?;
        Ok(person.second_steps)
    }

    /// The same for a change that needs a fresh sign-in; none if it is not fresh.
    pub(super) async fn lock_if_fresh(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        browser_context: &BrowserContext,
    ) -> Result<Option<SecondSteps>> {
        if !self.is_fresh {
            return Ok(None);
        }
        let steps = self.lock(cx, tx, browser_context, None).await?;
        Ok(is_fresh(cx, &self.session, &steps).then_some(steps))
    }

    /// Whether what this session has begun may be finished, by what is read under the lock: no other session has changed the
    /// methods since its sign-in, so that nothing begun is a way around a stronger method, and none was removed since it was
    /// begun, which may have been this one.
    pub(super) fn may_finish(&self, steps: &SecondSteps, begun_at: Timestamp) -> bool {
        is_strongest(&self.session, steps)
            && steps.method_removed_at.is_none_or(|removed| removed < begun_at)
    }

    /// Records that this session changes methods.
    pub(super) async fn record_change(&self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        let change = MethodsChange { by: Some(self.session.id), at: cx.now, is_removal: false };
        Ok(second_steps::record_change(tx, self.person.user.id, change).await?)
    }
}
