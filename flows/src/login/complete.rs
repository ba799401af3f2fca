//! The end of an attempt: sign-in, session, new cookie values, and the answer to the client, in one transaction.

use keys::OpaqueToken;
use store::{
    AttemptId, SessionId, TokenHash, Tx, UserId,
    attempt::{BrowserChange, Moves},
    session::{LiveSession, Session, WithConsent},
};

use super::{
    Answer, Due, NewCookies, Onwards,
    apply::Work,
    machine::{Complete, State},
    tries::Guesser,
};
use crate::{
    Cx, Error, Result,
    audit::{self, event},
    authorize::{code_redirect, error_redirect},
    device,
    interaction::{self, Need, Signed},
    session::{self, Cause, Which},
    sign_in::SignIn,
    token::issue::{self, NewCode},
};

/// The live session that this browser has for this person: signing in again steps it up and keeps its `sid`.
pub(super) async fn own_session(
    work: &Work<'_>,
    tx: &mut Tx,
    user: UserId,
) -> Result<Option<SessionId>> {
    Ok(browser_session(work, tx).await?.filter(|s| s.user_id == user).map(|s| s.id))
}

async fn browser_session(work: &Work<'_>, tx: &mut Tx) -> Result<Option<LiveSession>> {
    session::live(work.cx, tx, work.visit.session.as_ref()).await
}

/// A live session, with what its person allowed the client of the request.
async fn session_with_consent(
    work: &Work<'_>,
    tx: &mut Tx,
    secret: Option<&TokenHash>,
) -> Result<Option<WithConsent>> {
    session::live_with_consent(work.cx, tx, secret, &work.request.client_id).await
}

/// Signs in: `proof` comes from the machine alone.
pub(super) async fn sign_in(
    work: &Work<'_>,
    tx: &mut Tx,
    proof: &Complete,
    state: &State,
) -> Result<Answer> {
    let cx = work.cx;
    let first = proof.first();
    if !store::user::still_of_epoch(tx, first.user, first.epoch, cx.now).await? {
        return Err(Error::Lost);
    }
    store::user::speaks(tx, first.user, work.visit.reader.language).await?;
    let present = browser_session(work, tx).await?;
    let sign_in = SignIn::record(cx, tx, proof, work.visit.reader.asks_with.clone()).await?;
    let cookies = new_cookies(work, tx).await?;
    match present {
        Some(old) if old.id == proof.session() => {
            rotate(cx, tx, old.id, &sign_in, &cookies).await?;
        }
        old => {
            if let Some(old) = old {
                session::end(cx, tx, Which::One(&old), Cause::Replaced).await?;
            }
            begin(cx, tx, proof.session(), &sign_in, &cookies).await?;
        }
    }
    move_browser(work, tx, &cookies, state).await?;
    let failed = Guesser::clear(cx, tx, &work.user()?.counted_as()).await?;
    work.failures.get_or_init(|| failed);
    let signed_in = event::SignedIn { sign_in: sign_in.id(), acr: sign_in.assurance().acr() };
    let entry = audit::Entry::done(signed_in).user(first.user).client(&work.request.client_id);
    audit::record(cx, tx, entry).await?;
    let to = onwards(work, tx, &cookies, true).await?;
    Ok(Answer::SignedIn { cookies: Some(cookies), to })
}

/// Goes on by the session that another tab of this browser got.
pub(super) async fn follow(
    work: &Work<'_>,
    tx: &mut Tx,
    session: SessionId,
    state: &State,
) -> Result<Answer> {
    let cx = work.cx;
    let found = session_with_consent(work, tx, work.visit.session.as_ref()).await?;
    let Some(found) = found.filter(|found| found.live.id == session) else {
        return Err(Error::Lost);
    };
    let stays = BrowserChange { from: &work.visit.browser, to: &work.visit.browser };
    complete_row(work, tx, stays, state).await?;
    let fresh = SignIn::load(&found.live).auth_time() >= work.began;
    let to = answer(work, tx, Some(&found), fresh).await?;
    session::touch(cx, tx, &found.live).await?;
    Ok(Answer::SignedIn { cookies: None, to })
}

/// The same end once more: new cookie values, a new authorization code, the unredeemed one void.
pub(super) async fn reissue(
    work: &Work<'_>,
    tx: &mut Tx,
    session: SessionId,
    state: &State,
) -> Result<Answer> {
    let cx = work.cx;
    let Some(row) = work.row else { return Err(Error::Lost) };
    let cookies = new_cookies(work, tx).await?;
    if !store::session::replace_secret(tx, session, &cookies.session.hash()).await? {
        return Err(Error::Lost);
    }
    store::auth_code::void_unredeemed(tx, row.id, cx.now).await?;
    let to = cookies.browser.hash();
    move_along(work, tx, BrowserChange { from: &row.browser, to: &to }, row.id).await?;
    let _ = state;
    let to = onwards(work, tx, &cookies, true).await?;
    Ok(Answer::SignedIn { cookies: Some(cookies), to })
}

/// Gives the browser a new value before the new password is chosen, and the attempt to that value alone.
pub(super) async fn hand_over(work: &Work<'_>, tx: &mut Tx, state: &State) -> Result<Answer> {
    let Some(row) = work.row else { return Err(Error::Lost) };
    let browser = OpaqueToken::generate(&work.cx.rng);
    let to = browser.hash();
    let encoded = serde_json::to_string(state)?;
    let posted = BrowserChange { from: &work.visit.browser, to: &to };
    if !store::attempt::hand_over(tx, row, &encoded, posted).await? {
        return Err(Error::Lost);
    }
    move_along(work, tx, BrowserChange { from: &row.browser, to: &to }, row.id).await?;
    Ok(Answer::Moved { id: work.id, due: Due::of(state), browser })
}

/// Moves what the row's browser owns. When a code is posted once more, the browser may not have received that value: then
/// only what it could have led on with the one before moves along.
async fn move_along(
    work: &Work<'_>,
    tx: &mut Tx,
    change: BrowserChange<'_>,
    own: AttemptId,
) -> Result<()> {
    let held = work.visit.browser == *change.from;
    let moves = if held { Moves::All } else { Moves::Along(own) };
    store::attempt::move_browser(tx, change, moves).await?;
    store::email_challenge::move_browser(tx, change.from, change.to).await?;
    Ok(())
}

/// New values of the cookies. The browser is known to the person from here on.
async fn new_cookies(work: &Work<'_>, tx: &mut Tx) -> Result<NewCookies> {
    let rng = &work.cx.rng;
    Ok(NewCookies {
        browser: OpaqueToken::generate(rng),
        session: OpaqueToken::generate(rng),
        devices: device::renew(work.cx, tx, work.visit, work.user()?).await?,
    })
}

async fn begin(
    cx: &Cx,
    tx: &mut Tx,
    id: SessionId,
    sign_in: &SignIn,
    cookies: &NewCookies,
) -> Result<()> {
    let new = Session {
        id,
        sid: OpaqueToken::generate(&cx.rng).reveal().chars().take(22).collect(),
        secret: cookies.session.hash(),
        user_id: sign_in.user(),
        sign_in_id: sign_in.id(),
        epoch: sign_in.epoch(),
        created_at: cx.now,
        last_seen: cx.now,
        ended_at: None,
    };
    Ok(store::session::insert(tx, &new).await?)
}

async fn rotate(
    cx: &Cx,
    tx: &mut Tx,
    id: SessionId,
    sign_in: &SignIn,
    cookies: &NewCookies,
) -> Result<()> {
    let secret = cookies.session.hash();
    if store::session::rotate(tx, id, &secret, sign_in.id(), cx.now).await? {
        Ok(())
    } else {
        Err(Error::Lost)
    }
}

/// Completes the row and moves everything that this browser has open to its new value (decision 13).
async fn move_browser(
    work: &Work<'_>,
    tx: &mut Tx,
    cookies: &NewCookies,
    state: &State,
) -> Result<()> {
    let to = cookies.browser.hash();
    let change = BrowserChange { from: &work.visit.browser, to: &to };
    complete_row(work, tx, change, state).await?;
    store::attempt::move_browser(tx, change, Moves::All).await?;
    store::email_challenge::move_browser(tx, change.from, change.to).await?;
    Ok(())
}

async fn complete_row(
    work: &Work<'_>,
    tx: &mut Tx,
    change: BrowserChange<'_>,
    state: &State,
) -> Result<()> {
    let Some(row) = work.row else { return Err(Error::Lost) };
    let state = serde_json::to_string(state)?;
    if store::attempt::complete(tx, row, &state, change, work.cx.now).await? {
        Ok(())
    } else {
        Err(Error::Lost)
    }
}

async fn onwards(
    work: &Work<'_>,
    tx: &mut Tx,
    cookies: &NewCookies,
    fresh: bool,
) -> Result<Onwards> {
    let secret = cookies.session.hash();
    let found = session_with_consent(work, tx, Some(&secret)).await?;
    answer(work, tx, found.as_ref(), fresh).await
}

async fn answer(
    work: &Work<'_>,
    tx: &mut Tx,
    session: Option<&WithConsent>,
    fresh: bool,
) -> Result<Onwards> {
    let cx = work.cx;
    let (Some(session), Some(client)) = (session, cx.client(&work.request.client_id)) else {
        return Err(Error::Lost);
    };
    let signed = Signed { session, fresh, confirmed: false };
    match interaction::decide(work.request, client, Some(signed), cx.now) {
        Need::Nothing => {
            let (sign_in, id) = (SignIn::load(&session.live), session.live.id);
            let new = NewCode { sign_in: &sign_in, session: id, attempt: Some(work.id) };
            let code = issue::authorization_code(cx, tx, work.request, new).await?;
            Ok(Onwards::Client(code_redirect(cx, work.request, code.reveal())))
        }
        Need::Refuse(error) => Ok(Onwards::Client(error_redirect(cx, work.request, &error))),
        need => Ok(Onwards::Ask(work.id, need)),
    }
}
