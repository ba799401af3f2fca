//! The authorization request: the ordered table of its checks, a small file each.
//!
//! The order is the security property: a failure before `redirect_uri` has been compared is shown on a page of ours, and
//! only a later failure is sent to the client.

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
    /// `state`, returned unchanged.
    pub state: Option<String>,
    /// `nonce`, copied into the ID token unchanged.
    pub nonce: Option<String>,
    /// Scopes that will be granted, in order.
    pub scopes: Vec<String>,
    /// PKCE challenge, S256.
    pub code_challenge: Option<String>,
    /// `prompt`.
    pub prompt: Prompt,
    /// `max_age` in seconds.
    pub max_age: Option<i64>,
    /// `login_hint`: prefills the address, proves nothing.
    pub login_hint: Option<String>,
    /// `sub` of a verified `id_token_hint`.
    pub hinted_subject: Option<String>,
    /// `ui_locales`: the person's languages in order of preference, unchanged.
    pub ui_locales: Option<String>,
}

/// Why a request is refused, and whether the client may receive the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// The redirect URI is not trusted: a page of ours, never a redirect (misuse case 31).
    Page {
        /// What is wrong, for the log and for the developer of the client.
        why: &'static str,
    },
    /// The error is returned to the client by redirect.
    Redirect(OAuthError),
}

fn page_error(why: &'static str) -> RequestRefusal {
    RequestRefusal::Page { why }
}

fn redirect_error(error: &'static str, description: &'static str) -> RequestRefusal {
    RequestRefusal::Redirect(OAuthError::new(error, description))
}

/// A request while it is checked.
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
    // From here on errors may be returned to the client.
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

/// A refusal with what is needed to return the error to the client.
#[derive(Clone, Debug)]
pub struct RejectedRequest {
    /// The reason.
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
