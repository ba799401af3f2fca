//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).
//!
//! ```text
//! hint of this very session ─▶ end it ─▶ client's page, if registered, or "You are signed out"
//! anything else, with a session ─▶ ask, by POST ─▶ the same
//! no session ─▶ client's page, if hint and address are good, or "You are signed out"
//! ```

use keys::{ExpectedClaims, TokenType};
use serde::Deserialize;

use crate::{
    Cx, Result,
    attempt::BrowserContext,
    request::Params,
    session::{self, EndReason, SessionSelector},
};

/// The answer to a logout request.
#[derive(Debug)]
pub enum LogoutOutcome {
    /// Ask the person first.
    Ask {
        /// The signed-in person's name.
        person: String,
    },
    /// Signed out.
    SignedOut {
        /// What the browser sees next.
        next: AfterLogout,
        /// The client of the hint.
        client: Option<String>,
    },
}

/// What a browser sees after it was signed out.
#[derive(Debug)]
pub enum AfterLogout {
    /// The registered address of the client, with `state`.
    Client(String),
    /// Our own page: the client named no address.
    OwnPage,
    /// Our own page: the client named an address that is not followed.
    NotFollowed(NotFollowed),
}

/// Why `post_logout_redirect_uri` is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFollowed {
    /// There is no ID token that says which client asks.
    WithoutHint,
    /// The client has not registered exactly this address.
    NotRegistered,
}

#[derive(Deserialize)]
struct IdTokenHint {
    aud: Vec<String>,
    sid: String,
}

/// Answers a logout request. `confirmed` is true when the person has pressed "Sign out" on our page.
pub async fn logout(
    cx: &Cx,
    browser_context: &BrowserContext,
    params: &Params,
    confirmed: bool,
) -> Result<LogoutOutcome> {
    let hint = id_token_hint(cx, params);
    let next = after_logout(cx, params, hint.as_ref());
    let mut conn = cx.db.read().await?;
    let live = session::live(cx, &mut conn, browser_context.session.as_ref()).await?;
    drop(conn);
    let client = hint.as_ref().and_then(|hint| hinted_client(cx, hint)).map(str::to_owned);
    let Some(live) = live else { return Ok(LogoutOutcome::SignedOut { next, client }) };
    let is_hinted_session = hint.as_ref().is_some_and(|hint| hint.sid == live.sid);
    if !is_hinted_session && !confirmed {
        return Ok(LogoutOutcome::Ask { person: live.name });
    }
    let cause = EndReason::SignedOut { client: client.as_deref() };
    cx.db
        .write(async |tx| {
            session::end(
                cx,
                tx,
                SessionSelector::One { session: live.id, user: live.user_id },
                cause,
            )
            .await
        })
        .await?;
    Ok(LogoutOutcome::SignedOut { next, client })
}

/// The hint, if it is an ID token of ours (expired ones count) and for the client that is named beside it, if one is.
fn id_token_hint(cx: &Cx, params: &Params) -> Option<IdTokenHint> {
    if params.duplicate().is_some() {
        return None;
    }
    let token = params.get("id_token_hint")?;
    let expected = ExpectedClaims {
        issuer: &cx.issuer,
        audience: params.get("client_id"),
        now: cx.now,
        allow_expired: true,
    };
    cx.ring.verify(token, TokenType::Id, &expected).ok()
}

/// `post_logout_redirect_uri`, if the hinted client has registered exactly this one.
fn after_logout(cx: &Cx, params: &Params, hint: Option<&IdTokenHint>) -> AfterLogout {
    let Some(asked) = params.get("post_logout_redirect_uri") else { return AfterLogout::OwnPage };
    let Some(hint) = hint else { return AfterLogout::NotFollowed(NotFollowed::WithoutHint) };
    let known = hint
        .aud
        .iter()
        .filter_map(|id| cx.clients.get(id))
        .any(|client| client.metadata.post_logout_redirect_uris.iter().any(|uri| uri == asked));
    if !known {
        return AfterLogout::NotFollowed(NotFollowed::NotRegistered);
    }
    let Some(state) = params.get("state") else { return AfterLogout::Client(asked.to_owned()) };
    let joint = if asked.contains('?') { '&' } else { '?' };
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    AfterLogout::Client(format!("{asked}{joint}{query}"))
}

/// The client that a hint was made for.
fn hinted_client<'a>(cx: &'a Cx, hint: &IdTokenHint) -> Option<&'a str> {
    hint.aud.iter().find_map(|id| cx.clients.get(id)).map(|client| client.id.as_str())
}
