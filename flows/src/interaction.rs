//! What the person must decide before a request can be answered: a pure decision over an ordered list of reasons.

use std::time::Duration;

use store::{
    Timestamp,
    session::{LiveSession, SessionWithConsent},
};
use url::Url;

use crate::{
    client::{Client, is_loopback},
    oauth_error::OAuthError,
    request::AuthorizationRequest,
    sign_in::SignIn,
};

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the answer can be sent.
    Nothing,
    /// A sign-in.
    SignIn,
    /// "Continue to X as Y": the client's identity is not assured, or it asked which account.
    Confirm,
    /// Consent to scopes.
    Consent,
    /// A person other than the hinted one signed in (section 3.1.2.1).
    Refuse(OAuthError),
}

/// The signed-in side of the decision.
#[derive(Clone, Copy, Debug)]
pub struct SignedInUser<'a> {
    /// The live session, with the consent for this client.
    pub session: &'a SessionWithConsent,
    /// Whether the steps were proven for this very request after it began: that satisfies `prompt=login` and `max_age`.
    pub fresh: bool,
    /// Whether the person has just pressed "Continue" or "Allow" for this very request.
    pub confirmed: bool,
}

/// Decides. It ignores `prompt=none`: the caller turns the need into an error.
#[must_use]
pub fn decide(
    request: &AuthorizationRequest,
    client: &Client,
    signed_in: Option<SignedInUser<'_>>,
    now: Timestamp,
) -> Need {
    let Some(signed_in) = signed_in else { return Need::SignIn };
    let live = &signed_in.session.session;
    if !signed_in.fresh && must_sign_in_again(request, live, now) {
        return Need::SignIn;
    }
    if is_another_person(request, client, live) {
        return if signed_in.fresh {
            Need::Refuse(OAuthError::new("login_required", "another person signed in"))
        } else {
            Need::SignIn
        };
    }
    if signed_in.confirmed {
        return Need::Nothing;
    }
    if needs_consent(request, client, signed_in.session.consented.as_deref()) {
        return Need::Consent;
    }
    if needs_confirmation(request, client, signed_in.fresh) {
        return Need::Confirm;
    }
    Need::Nothing
}

/// The error of `prompt=none` for a need (OpenID Connect Core 1.0, section 3.1.2.6).
#[must_use]
pub(crate) fn silent_error(need: &Need, top_level: bool) -> OAuthError {
    match need {
        // The session was not looked at, so nothing is said about it.
        Need::Nothing | Need::SignIn if !top_level => OAuthError::new(
            "login_required",
            "silent sign-in is answered at the top level only, not in a frame",
        ),
        Need::Nothing | Need::SignIn => {
            OAuthError::new("login_required", "the person is not signed in")
        }
        Need::Confirm => OAuthError::new("interaction_required", "the person must confirm"),
        Need::Consent => OAuthError::new("consent_required", "the person must consent"),
        Need::Refuse(error) => error.clone(),
    }
}

fn must_sign_in_again(
    request: &AuthorizationRequest,
    session: &LiveSession,
    now: Timestamp,
) -> bool {
    let age = now.since(SignIn::of_session(session).auth_time());
    let too_old = request
        .max_age
        .is_some_and(|most| age > Duration::from_secs(u64::try_from(most).unwrap_or(0)));
    request.prompt.login || too_old
}

fn is_another_person(
    request: &AuthorizationRequest,
    client: &Client,
    session: &LiveSession,
) -> bool {
    request
        .hinted_subject
        .as_ref()
        .is_some_and(|hinted| *hinted != client.subject(&session.subject, &session.pairwise_seed))
}

fn needs_consent(request: &AuthorizationRequest, client: &Client, consented: Option<&str>) -> bool {
    if request.prompt.consent {
        return true;
    }
    if client.operator.first_party {
        return false;
    }
    let given: Vec<&str> = consented.unwrap_or_default().split(' ').collect();
    !request.scopes.iter().all(|scope| given.contains(&scope.as_str()))
}

/// Decision 15: a public client on loopback or a private scheme could be any program on the machine, so the person is
/// always asked (RFC 8252, section 8.6).
fn needs_confirmation(request: &AuthorizationRequest, client: &Client, fresh: bool) -> bool {
    if request.prompt.select_account && !fresh {
        return true;
    }
    let assured = client.is_confidential()
        || Url::parse(&request.redirect_uri)
            .is_ok_and(|url| url.scheme() == "https" && !is_loopback(&url));
    !assured
}
