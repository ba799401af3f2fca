//! The context, cookies and trace of a request.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, request::Parts},
};
use flows::{Cx, Trace, attempt::Visit, network::Crowded, observe::Named};
use keys::OpaqueToken;

use crate::app::App;

/// The trace that the outermost layer gave the request, and where it wants to be told of which client the request is.
#[derive(Clone, Debug)]
pub(in crate::http) struct Traced(pub(in crate::http) Trace, pub(in crate::http) Named);

/// A request from a browser.
#[derive(Debug)]
pub(in crate::http) struct Ask {
    /// The context.
    pub(in crate::http) cx: Cx,
    /// Its cookies, hashed.
    pub(in crate::http) visit: Visit,
    /// A cookie for a browser that has none yet.
    pub(in crate::http) new_browser: Option<HeaderValue>,
    /// Whether it is a navigation of a whole window, not a frame or a picture, as far as the browser says.
    pub(in crate::http) top_level: bool,
    /// Whether its network had too many posts: then it is heard as that of a known device, or not at all.
    pub(in crate::http) crowded: Option<Crowded>,
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
        let crowded = parts.extensions.get::<Crowded>().copied();
        let visit = Visit { browser, session, devices };
        Ok(Self { cx, visit, new_browser, top_level, crowded })
    }
}

/// Fetch metadata; a browser without it is judged by `SameSite=Lax` alone.
fn is_top_level(headers: &HeaderMap) -> bool {
    let says = |name: &str, wanted: &str| headers.get(name).is_none_or(|value| value == wanted);
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document")
}
