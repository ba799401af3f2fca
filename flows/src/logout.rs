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
    attempt::Visit,
    request::Params,
    session::{self, Cause, Which},
};

/// What to answer a logout request with.
#[derive(Debug)]
pub enum Outcome {
    /// Ask first.
    Ask {
        /// The signed-in person's name.
        person: String,
        /// The registered address that it leads to afterwards.
        to: Option<String>,
    },
    /// Signed out: to this address of the client's, or to our own page.
    SignedOut {
        /// The registered address, with `state`.
        to: Option<String>,
    },
}

#[derive(Deserialize)]
struct Hint {
    aud: Vec<String>,
    sid: String,
}

/// Answers a logout request. `confirmed` is true when the person has pressed "Sign out" on our page.
pub async fn logout(cx: &Cx, visit: &Visit, params: &Params, confirmed: bool) -> Result<Outcome> {
    let hint = hint(cx, params);
    let to = hint.as_ref().and_then(|hint| registered_address(cx, params, hint));
    let mut conn = cx.db.read().await?;
    let live = session::live(cx, &mut conn, visit.session.as_ref()).await?;
    drop(conn);
    let Some(live) = live else { return Ok(Outcome::SignedOut { to }) };
    let own = hint.as_ref().is_some_and(|hint| hint.sid == live.sid);
    if !own && !confirmed {
        return Ok(Outcome::Ask { person: live.name, to });
    }
    let cause = Cause::SignedOut { client: hint.as_ref().and_then(|hint| client(cx, hint)) };
    cx.db
        .write(async |tx| {
            session::end(cx, tx, Which::One { session: live.id, user: live.user_id }, cause).await
        })
        .await?;
    Ok(Outcome::SignedOut { to })
}

/// The hint, if it is an ID token of ours (expired ones count) for the client that is named beside it, if one is.
fn hint(cx: &Cx, params: &Params) -> Option<Hint> {
    if params.repeated().is_some() {
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
fn registered_address(cx: &Cx, params: &Params, hint: &Hint) -> Option<String> {
    let asked = params.get("post_logout_redirect_uri")?;
    let known = hint
        .aud
        .iter()
        .filter_map(|id| cx.clients.get(id))
        .any(|client| client.metadata.post_logout_redirect_uris.iter().any(|uri| uri == asked));
    if !known {
        return None;
    }
    let Some(state) = params.get("state") else { return Some(asked.to_owned()) };
    let joint = if asked.contains('?') { '&' } else { '?' };
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
    Some(format!("{asked}{joint}{query}"))
}

/// The client that a hint was made for.
fn client<'a>(cx: &'a Cx, hint: &Hint) -> Option<&'a str> {
    hint.aud.iter().find_map(|id| cx.clients.get(id)).map(|client| client.id.as_str())
}
