//! The demo portal: an example of a client, on a listener of its own.
//!
//! ```text
//! /  --Sign in-->  /sign-in  --303-->  the provider  --303-->  /callback  --303-->  / (signed in)
//! / (signed in)  --POST /sign-out, 303-->  the provider  --303-->  /signed-out
//! ```

mod pages;
mod provider;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, Query, State};
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::sync::RwLock;
use url::Url;

use super::page::{self, SECURITY_HEADERS};
use crate::clock::Clock;
use crate::config::Secret;
use crate::fetch::{Fetch, FetchError};
use pages::{FrontPage, Person, PersonPage, ProblemPage, SignedOutPage};
use provider::{PendingSignIn, Provider, ProviderError};
use sessions::Sessions;

/// The demo portal and its registration at the provider.
#[derive(Clone, Debug)]
pub(crate) struct Portal {
    /// The provider.
    pub issuer: Url,
    /// The portal's id at the provider.
    pub client_id: String,
    /// The portal's secret, sent by `client_secret_basic`.
    pub client_secret: Secret,
    /// The address of this portal.
    pub base: Url,
    /// The clock for the expiry of tokens.
    pub clock: Clock,
    /// The time zone of the times shown.
    pub time_zone: TimeZone,
}

impl Portal {
    /// The redirect URI to register for this portal.
    #[must_use]
    pub(crate) fn redirect_uri(&self) -> String {
        join_url(&self.base, "callback")
    }

    /// The post-logout redirect URI to register for this portal.
    #[must_use]
    pub(crate) fn post_logout_redirect_uri(&self) -> String {
        join_url(&self.base, "signed-out")
    }

    /// The portal as a service. The provider need not run yet: it is discovered when it is first
    /// needed, and again after a failure.
    ///
    /// # Errors
    /// The HTTP client cannot start.
    pub(crate) fn router(self) -> Result<Router, FetchError> {
        let http = Fetch::loopback()?;
        let portal = PortalState {
            portal: self,
            http,
            discovered: RwLock::default(),
            sessions: Sessions::default(),
        };
        Ok(Router::new()
            .route("/", get(home))
            .route("/sign-in", get(sign_in))
            .route("/callback", get(callback))
            .route("/sign-out", post(sign_out))
            .route("/signed-out", get(signed_out))
            .route("/portal.css", get(page::stylesheet))
            .fallback(async || problem_response(&ProblemPage::not_found()))
            .with_state(Arc::new(portal)))
    }
}

fn join_url(base: &Url, page: &str) -> String {
    format!("{}/{page}", base.as_str().trim_end_matches('/'))
}

/// The state of every handler.
#[derive(Debug)]
struct PortalState {
    portal: Portal,
    http: Fetch,
    discovered: RwLock<Option<Arc<Provider>>>,
    sessions: Sessions,
}

impl PortalState {
    async fn provider(&self) -> Result<Arc<Provider>, ProviderError> {
        if let Some(found) = self.discovered.read().await.clone() {
            return Ok(found);
        }
        self.discover().await
    }

    async fn discover(&self) -> Result<Arc<Provider>, ProviderError> {
        let fresh = Arc::new(Provider::discover(&self.portal, &self.http).await?);
        *self.discovered.write().await = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Exchanges the code, verifies the tokens and requests userinfo. Keys may have been rotated since
    /// discovery, so discovery is repeated once for an unknown key.
    async fn complete(
        &self,
        pending: PendingSignIn,
        code: String,
    ) -> Result<Person, ProviderError> {
        let provider = self.provider().await?;
        let answer = provider.exchange(&self.http, pending, code).await?;
        let clock = &self.portal.clock;
        let verified = match provider.verify(clock, &answer) {
            Err(ProviderError::UnknownKey) => self.discover().await?.verify(clock, &answer)?,
            other => other?,
        };
        let profile = provider.userinfo(&self.http, &verified).await?;
        let profile = serde_json::to_value(&profile)
            .map_err(|error| ProviderError::Untrusted(error.to_string()))?;
        Ok(Person::new(&verified, &profile, clock.now(), &self.portal.time_zone))
    }

    fn cookie_name(&self) -> &'static str {
        if self.portal.base.scheme() == "https" { "__Host-portal" } else { "vestibule-portal" }
    }

    fn cookie<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        all.flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(self.cookie_name())?.strip_prefix('='))
    }

    fn redirect_with_cookie(&self, cookie: &str, to: &str) -> Response {
        let secure = if self.portal.base.scheme() == "https" { "; Secure" } else { "" };
        let name = self.cookie_name();
        let set = format!("{name}={cookie}; Path=/; HttpOnly; SameSite=Lax{secure}");
        (SECURITY_HEADERS, [(SET_COOKIE, set)], Redirect::to(to)).into_response()
    }

    /// Renders a page. Its form posts to this portal, which redirects to the provider.
    fn page(&self, page: &impl Template) -> Response {
        page::html(page, &format!("'self' {}", self.portal.issuer.origin().ascii_serialization()))
    }
}

fn problem_response(page: &ProblemPage) -> Response {
    let status = page.status;
    (status, page::html(page, "'self'")).into_response()
}

fn error_response(error: &ProviderError) -> Response {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, source, "the demo portal could not finish a sign-in");
    problem_response(&ProblemPage::from(error))
}

async fn home(State(portal): State<Arc<PortalState>>, headers: HeaderMap) -> Response {
    let person = portal.cookie(&headers).and_then(|cookie| portal.sessions.person(cookie));
    match person {
        Some(person) => portal.page(&PersonPage { person: &person }),
        None => portal.page(&FrontPage),
    }
}

async fn sign_in(State(portal): State<Arc<PortalState>>, headers: HeaderMap) -> Response {
    let provider = match portal.provider().await {
        Ok(provider) => provider,
        Err(error) => return error_response(&error),
    };
    let (url, pending) = provider.authorize();
    let cookie = portal.sessions.begin_sign_in(portal.cookie(&headers), pending);
    portal.redirect_with_cookie(&cookie, url.as_str())
}

/// The parameters of the callback (RFC 6749, 4.1.2; RFC 9207).
#[derive(Debug, Deserialize)]
struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    iss: Option<String>,
}

async fn callback(
    State(portal): State<Arc<PortalState>>,
    headers: HeaderMap,
    query: Result<Query<Callback>, QueryRejection>,
) -> Response {
    let cookie = portal.cookie(&headers).unwrap_or_default();
    let Ok(Query(answer)) = query else { return problem_response(&ProblemPage::unknown_sign_in()) };
    let state = answer.state.as_deref().unwrap_or_default();
    let Some(pending) = portal.sessions.take_pending(cookie, state) else {
        // After a double click or "back", the sign-in is complete and its code is used.
        let signed_in = portal.sessions.person(cookie).is_some();
        return if signed_in {
            portal.redirect_with_cookie(cookie, "/")
        } else {
            problem_response(&ProblemPage::unknown_sign_in())
        };
    };
    let provider = match portal.provider().await {
        Ok(provider) => provider,
        Err(error) => return error_response(&error),
    };
    if answer.iss.as_deref().is_some_and(|iss| !provider.is_issuer(iss)) {
        return error_response(&ProviderError::Untrusted("iss is another provider's".to_owned()));
    }
    if let Some(error) = answer.error {
        let description = answer.error_description.unwrap_or_default();
        return problem_response(&ProblemPage::from_callback(&error, &description));
    }
    match portal.complete(pending, answer.code.unwrap_or_default()).await {
        Ok(person) => portal.redirect_with_cookie(&portal.sessions.sign_in(cookie, person), "/"),
        Err(error) => error_response(&error),
    }
}

#[derive(Debug, Deserialize)]
struct SignOut {
    form: String,
}

async fn sign_out(
    State(portal): State<Arc<PortalState>>,
    headers: HeaderMap,
    Form(SignOut { form }): Form<SignOut>,
) -> Response {
    let cookie = portal.cookie(&headers).unwrap_or_default();
    let Some(ended) = portal.sessions.sign_out(cookie, &form) else {
        return Redirect::to("/").into_response();
    };
    let provider = portal.provider().await.ok();
    let away = provider.and_then(|provider| {
        provider.logout_url(&ended.person.id_token, &portal.portal, ended.state)
    });
    portal.redirect_with_cookie(&ended.cookie, away.as_ref().map_or("/signed-out", Url::as_str))
}

#[derive(Debug, Deserialize)]
struct SignedOut {
    state: Option<String>,
}

async fn signed_out(
    State(portal): State<Arc<PortalState>>,
    headers: HeaderMap,
    Query(SignedOut { state }): Query<SignedOut>,
) -> Response {
    let cookie = portal.cookie(&headers).unwrap_or_default();
    let everywhere = portal.sessions.finish_sign_out(cookie, state.as_deref().unwrap_or_default());
    portal.page(&SignedOutPage { everywhere })
}
