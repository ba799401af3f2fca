//! Who is at the pages that look after an account, and whether the sign-in is fresh enough to change something.

use std::time::Duration;

use store::{
    Timestamp, Tx,
    session::LiveSession,
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
    let sign_in = SignIn::of_session(&session);
    let is_recent = cx.now.since(sign_in.auth_time()) <= FRESH_FOR;
    let strongest = strongest_at(&person, sign_in.auth_time());
    let is_fresh = is_recent && sign_in.assurance().level() >= strongest.level();
    Ok(Some(AccountAccess { session, person, is_fresh }))
}

/// The page on which a person signs in, to come to a page of their account.
pub fn sign_in_page(
    cx: &Cx,
    browser_context: &BrowserContext,
    page: Page,
) -> Result<NewSignInPage> {
    authorize::new_sign_in_page(cx, browser_context, AttemptRequest::Page(page))
}

/// The strongest level that a person could reach with what the account had at a sign-in. What was added since, in the few
/// minutes for which a sign-in is fresh, was added by a sign-in of that level.
fn strongest_at(person: &UserWithPassword, at: Timestamp) -> Assurance {
    let had_app = person.second_steps.first_app_at.is_some_and(|first| first < at);
    if had_app { Assurance::Mfa } else { Assurance::TwoStep }
}

impl AccountAccess {
    /// Locks the person's row until the transaction ends, or fails with a conflict when the session no longer stands for them.
    pub(super) async fn lock(
        &self,
        cx: &Cx,
        tx: &mut Tx,
        browser_context: &BrowserContext,
        second: Option<&str>,
    ) -> Result<()> {
        let language = browser_context.requester.language;
        let seen = Activity { language, second, at: cx.now };
        let (id, epoch) = (self.person.user.id, self.session.epoch);
        if user::lock_and_touch(tx, id, epoch, seen).await? { Ok(()) } else { Err(Error::Conflict) }
    }
}
