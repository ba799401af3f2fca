//! The context, cookies and trace of a request.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use flows::{
    Cx, Trace,
    attempt::{Reader, Visit},
    network::Crowded,
    observe::Named,
};
use keys::OpaqueToken;

use crate::{
    app::App,
    http::user_agent,
    locale::{Choice, Locale},
};

/// The trace that the outermost layer gave the request, and where it wants to be told of which client the request is.
#[derive(Clone, Debug)]
pub(in crate::http) struct Traced(pub(in crate::http) Trace, pub(in crate::http) Named);

/// What became of a post in the layer around it.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum Counted {
    /// It is counted, and within the limit.
    Within,
    /// It is counted, and its network had too many. The layer does not refuse it: known devices are exempt, and only the form
    /// says for which account one is known.
    Over(Crowded),
    /// It is a password, and the hashing queue has no place for a stranger. A refusal has to cost little (decision 17), so the
    /// form is read first, and the post is counted unless it is refused for that reason.
    NotYet,
}

/// A request from a browser.
#[derive(Debug)]
pub(in crate::http) struct Ask {
    /// The context.
    pub(in crate::http) cx: Cx,
    /// Its cookies, hashed.
    pub(in crate::http) visit: Visit,
    /// A cookie for a browser that has none yet.
    pub(in crate::http) new_browser: Option<HeaderValue>,
    /// The language that it is answered in.
    pub(in crate::http) locale: Locale,
    /// What this browser remembers about languages.
    choice: Choice,
    /// A cookie for a browser that is to remember another language.
    pub(in crate::http) new_choice: Option<HeaderValue>,
    /// Whether it is a navigation of a whole window, not a frame or a picture, as far as the browser says.
    pub(in crate::http) top_level: bool,
    /// Whether its network had too many posts: then it is heard as that of a known device, or not at all.
    pub(in crate::http) crowded: Option<Crowded>,
    /// Whether it is a post that its network has still to answer for: see [`Counted::NotYet`].
    pub(in crate::http) uncounted: bool,
}

impl FromRequestParts<App> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let Traced(trace, named) = parts.extensions.get::<Traced>().cloned().unwrap_or_else(|| {
            let (reference, network, actor) = (String::new(), None, "person".to_owned());
            Traced(Trace { reference, network, actor }, Named::default())
        });
        let cx = Cx { named, ..app.cx(trace) };
        let session = app.cookies.session(&parts.headers).map(|token| token.hash());
        let (browser, new_browser) = if let Some(token) = app.cookies.browser(&parts.headers) {
            (token.hash(), None)
        } else {
            let token = OpaqueToken::generate(&cx.rng);
            (token.hash(), app.cookies.set_browser(&token))
        };
        let top_level = is_top_level(&parts.headers);
        let devices = app.cookies.devices(&parts.headers);
        let (crowded, uncounted) = match parts.extensions.get::<Counted>() {
            Some(Counted::Over(crowded)) => (Some(*crowded), false),
            Some(Counted::NotYet) => (None, true),
            Some(Counted::Within) | None => (None, false),
        };
        let choice = app.cookies.choice(&parts.headers);
        let locale = locale(app, &parts.headers);
        let reader = Reader {
            language: locale.tag(),
            asks_with: user_agent::browser_and_system(&parts.headers),
        };
        let visit = Visit { browser, session, devices, reader };
        let new_choice = None;
        Ok(Self {
            cx,
            visit,
            new_browser,
            locale,
            choice,
            new_choice,
            top_level,
            crowded,
            uncounted,
        })
    }
}

impl Ask {
    /// Answers in the language that an authorization request or a logout asks for, and remembers it for the steps that
    /// follow, beside the person's own choice.
    pub(in crate::http) fn hear(&mut self, app: &App, ui_locales: Option<&str>) {
        let choice = self.choice.ask(ui_locales);
        if choice != self.choice {
            self.speak(app, choice);
        }
    }

    /// Answers in the language of a choice, and remembers it.
    pub(in crate::http) fn speak(&mut self, app: &App, choice: Choice) {
        self.choice = choice;
        self.locale = choice.locale().unwrap_or(self.locale);
        self.visit.reader.language = self.locale.tag();
        self.new_choice = app.cookies.set_choice(choice);
    }
}

/// The language of a request: what its browser remembers, or what it says that it wants.
pub(in crate::http) fn locale(app: &App, headers: &HeaderMap) -> Locale {
    let wanted = || {
        headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .and_then(Locale::wanted)
    };
    app.cookies.choice(headers).locale().or_else(wanted).unwrap_or_default()
}

/// Fetch metadata; a browser without it is judged by `SameSite=Lax` alone.
fn is_top_level(headers: &HeaderMap) -> bool {
    let says = |name: &str, wanted: &str| headers.get(name).is_none_or(|value| value == wanted);
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
}
