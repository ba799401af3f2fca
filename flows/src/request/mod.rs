//! The authorization request: THE ordered table of its checks, a small file each.
//!
//! The order is the security property: whatever fails before `redirect_uri` has been compared is shown on a page of
//! ours, and only what fails after it is sent to the client.

mod client;
mod hints;
mod params;
mod pkce;
mod prompt;
mod redirect_uri;
mod response;
mod scope;
mod sizes;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use params::Params;
pub use prompt::Prompt;

use crate::{Cx, client::Client, oauth_error::OAuthError};

/// A checked authorization request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// `client_id`.
    pub client_id: String,
    /// The redirect URI, equal to a registered one.
    pub redirect_uri: String,
    /// `state`, handed back as it came.
    pub state: Option<String>,
    /// `nonce`, put into the ID token as it came.
    pub nonce: Option<String>,
    /// Scopes that will be granted, in order.
    pub scopes: Vec<String>,
    /// PKCE challenge, S256.
    pub code_challenge: Option<String>,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age` in seconds.
    pub max_age: Option<i64>,
    /// `login_hint`: fills the address in, proves nothing.
    pub login_hint: Option<String>,
    /// `sub` of a verified `id_token_hint`.
    pub hinted_subject: Option<String>,
    /// `ui_locales`: languages that the person reads, most wanted first; as it came.
    pub ui_locales: Option<String>,
}

/// Why a request is refused, and whether the client may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// The redirect URI is not trusted: a page of ours, never a redirect (misuse case 31).
    Page {
        /// What is wrong, for the log and for whoever builds the client.
        why: &'static str,
    },
    /// The client is told by redirect.
    Redirect(OAuthError),
}

fn page_error(why: &'static str) -> RequestRefusal {
    RequestRefusal::Page { why }
}

fn redirect_error(error: &'static str, description: &'static str) -> RequestRefusal {
    RequestRefusal::Redirect(OAuthError::new(error, description))
}

/// A request on its way through the checks.
struct Draft<'a> {
    cx: &'a Cx,
    params: &'a Params,
    client: Option<Arc<Client>>,
    request: AuthorizationRequest,
}

type Check = fn(&mut Draft<'_>) -> Result<(), RequestRefusal>;

/// The checks, in order.
const CHECKS: &[Check] = &[
    client::redirect_parameters_once,
    client::registered,
    redirect_uri::registered,
    // From here on the client may be told.
    sizes::state,
    client::parameters_once,
    response::no_request_object,
    response::response_type,
    response::response_mode,
    scope::openid,
    sizes::nonce,
    pkce::s256,
    prompt::prompt,
    prompt::max_age,
    hints::login_hint,
    hints::ui_locales,
    hints::id_token_hint,
];

/// The outcome of checking: a request, or a refusal with what is needed to tell the client.
#[derive(Clone, Debug)]
pub struct RejectedRequest {
    /// Why.
    pub refusal: RequestRefusal,
    /// What was checked so far: client, redirect URI and state.
    pub request: Box<AuthorizationRequest>,
}

/// Runs every check.
pub fn check(
    cx: &Cx,
    params: &Params,
) -> Result<(AuthorizationRequest, Arc<Client>), RejectedRequest> {
    let mut draft = Draft { cx, params, client: None, request: AuthorizationRequest::default() };
    for check in CHECKS {
        if let Err(refused) = check(&mut draft) {
            return Err(RejectedRequest { refusal: refused, request: Box::new(draft.request) });
        }
    }
    match draft.client {
        Some(client) => Ok((draft.request, client)),
        None => Err(RejectedRequest {
            refusal: page_error("no client"),
            request: Box::new(draft.request),
        }),
    }
}
