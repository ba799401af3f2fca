//! The extractor of routes that browsers call: the context, the cookies and the language of a request.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use flows::{
    Cx,
    actor::Actor,
    attempt::{BrowserContext, Requester},
    network::RateLimited,
};
use keys::OpaqueToken;

use super::context::{PostCount, RequestContext};
use crate::{
    app::App,
    http::{error::Failure, step::Step, user_agent},
    locale::{LanguageChoice, Locale},
    view::{Frame, messages::PageText},
};

/// What led to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Initiator {
    /// A page of ours.
    OwnPage,
    /// The person, by typing or by a bookmark; or a browser that does not say.
    Person,
    /// A page of another site.
    OtherSite,
}

/// What a script of ours accepts as an answer.
const JSON: &str = "application/json";

/// A request from a browser.
#[derive(Debug)]
pub(in crate::http) struct BrowserRequest {
    /// The context.
    pub(in crate::http) cx: Cx,
    /// The sign-in step that the route is the page of.
    pub(in crate::http) step: Option<&'static Step>,
    /// Its cookies, hashed.
    pub(in crate::http) browser_context: BrowserContext,
    /// A cookie for a browser that has none yet.
    pub(in crate::http) new_browser_cookie: Option<HeaderValue>,
    /// The language that it is answered in.
    pub(in crate::http) locale: Locale,
    /// What this browser remembers about languages.
    language_choice: LanguageChoice,
    /// A cookie for a browser that is to remember another language.
    pub(in crate::http) new_language_cookie: Option<HeaderValue>,
    /// What led to it, as far as the browser says.
    pub(in crate::http) initiator: Initiator,
    /// The limit that its network is beyond: then only a post of a known device is accepted, within a limit of its own.
    pub(in crate::http) rate_limited: Option<RateLimited>,
    /// Whether it is for a script, which wants JSON alone.
    pub(in crate::http) accepts_json: bool,
    /// Whether it is a post that is still to be counted: see [`PostCount::Deferred`].
    pub(in crate::http) count_deferred: bool,
}

impl FromRequestParts<App> for BrowserRequest {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let headers = &parts.headers;
        let context = RequestContext::from_extensions(&parts.extensions)?;
        let cx = context.cx(app, Actor::Person);
        let (rate_limited, count_deferred) = match context.post_count {
            Some(PostCount::OverLimit(rate_limited)) => (Some(rate_limited), false),
            Some(PostCount::Deferred) => (None, true),
            Some(PostCount::WithinLimit) | None => (None, false),
        };
        let (browser, new_browser_cookie) = if let Some(token) = app.cookies.browser(headers) {
            (token.hash(), None)
        } else {
            let token = OpaqueToken::generate(&cx.rng);
            (token.hash(), app.cookies.set_browser(&token))
        };
        let locale = request_locale(app, headers);
        let browser_context = BrowserContext {
            browser,
            session: app.cookies.session(headers).map(|token| token.hash()),
            devices: app.cookies.devices(headers),
            top_level: is_top_level(headers),
            requester: Requester {
                language: locale.tag(),
                user_agent: user_agent::browser_and_system(headers),
            },
        };
        Ok(Self {
            cx,
            step: context.route.step,
            browser_context,
            new_browser_cookie,
            locale,
            language_choice: app.cookies.language_choice(headers),
            new_language_cookie: None,
            initiator: initiator(app, headers),
            rate_limited,
            accepts_json: headers.get(header::ACCEPT).is_some_and(|accept| accept == JSON),
            count_deferred,
        })
    }
}

impl BrowserRequest {
    /// Answers in the language that an authorization request or a logout asks for, and remembers it for the steps that
    /// follow, beside the person's own choice.
    pub(in crate::http) fn apply_ui_locales(&mut self, app: &App, ui_locales: Option<&str>) {
        let choice = self.language_choice.with_ui_locales(ui_locales);
        if choice != self.language_choice {
            self.set_language(app, choice);
        }
    }

    /// Answers in the language of a choice, and remembers it.
    pub(in crate::http) fn set_language(&mut self, app: &App, choice: LanguageChoice) {
        self.language_choice = choice;
        self.locale = choice.locale().unwrap_or(self.locale);
        self.browser_context.requester.language = self.locale.tag();
        self.new_language_cookie = app.cookies.set_language_choice(choice);
    }

    /// The texts of its page.
    pub(in crate::http) fn page_text<'a>(&self, app: &'a App) -> PageText<'a> {
        PageText { f: Frame::of(&app.brand, self.locale), zone: app.time_zone(), now: self.cx.now }
    }
}

/// The language of a request: the one that its browser remembers, or its `Accept-Language`.
pub(in crate::http) fn request_locale(app: &App, headers: &HeaderMap) -> Locale {
    let wanted = || {
        headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .and_then(Locale::from_accept_language)
    };
    app.cookies.language_choice(headers).locale().or_else(wanted).unwrap_or_default()
}

/// By Fetch metadata. For a browser without it only `SameSite=Lax` applies.
fn is_top_level(headers: &HeaderMap) -> bool {
    let says = |name: &str, wanted: &str| headers.get(name).is_none_or(|value| value == wanted);
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
}

/// By Fetch metadata. A browser without it is trusted, and names a page of ours in `Referer`: our pages send it to us alone
/// (decision 22).
fn initiator(app: &App, headers: &HeaderMap) -> Initiator {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_ours = |url: url::Url| url.origin() == app.issuer.url().origin();
    match (header("sec-fetch-site"), header("referer")) {
        (Some("same-origin"), _) => Initiator::OwnPage,
        (Some("none"), _) => Initiator::Person,
        (Some(_), _) => Initiator::OtherSite,
        (None, Some(referrer)) if url::Url::parse(referrer).is_ok_and(is_ours) => {
            Initiator::OwnPage
        }
        (None, _) => Initiator::Person,
    }
}
