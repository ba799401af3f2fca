//! THE list of routes, each with its class.

use axum::{
    Router, middleware,
    routing::{MethodRouter, any, get, post},
};
use flows::discovery::path;

use super::{
    assets, language, layer, login, oidc,
    step::{self, Step},
};
use crate::app::App;

/// What kind of route it is: who calls it, and so what surrounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Public metadata, keys, style sheets: cacheable, any origin.
    Document,
    /// Pages and forms of a browser: form token, fetch metadata, limits, strict headers.
    Page,
    /// Where browsers come from any site: clients send them here, with GET and POST.
    Entry,
    /// Called by clients, which show who they are.
    Client,
    /// Called with an access token.
    Bearer,
}

impl Class {
    /// Name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Page => "page",
            Self::Entry => "entry",
            Self::Client => "client",
            Self::Bearer => "bearer",
        }
    }

    /// Whether a person reads the answer.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Page | Self::Entry)
    }
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Path.
    pub path: &'static str,
    /// Class.
    pub class: Class,
    /// Methods.
    pub methods: &'static [&'static str],
    /// The sign-in step that it is the page of.
    pub step: Option<&'static Step>,
    handler: fn() -> MethodRouter<App>,
}

/// Where a route is: at the page of a sign-in step, or at a path.
macro_rules! place {
    (step $step:ident) => {
        (step::$step.path, Some(&step::$step))
    };
    ($path:expr) => {
        ($path, None::<&'static Step>)
    };
}

macro_rules! routes {
    ($([$($place:tt)+], $class:ident, [$($method:literal),*], $handler:expr;)*) => {
        /// Every route of the public listener.
        pub const ROUTES: &[Route] = &[$(Route {
            path: place!($($place)+).0,
            step: place!($($place)+).1,
            class: Class::$class,
            methods: &[$($method),*],
            handler: || $handler,
        },)*];
    };
}

routes! {
    ["/.well-known/openid-configuration"],       Document, ["GET"],         get(oidc::discovery);
    ["/.well-known/oauth-authorization-server"], Document, ["GET"],         get(oidc::discovery);
    [path::JWKS],                                Document, ["GET"],         get(oidc::jwks);
    ["/assets/{name}"],                          Document, ["GET"],         get(assets::asset);

    [path::AUTHORIZE],                           Entry,    ["GET", "POST"], get(oidc::authorize::get).post(oidc::authorize::post);
    [path::LOGOUT],                              Entry,    ["GET", "POST"], get(oidc::logout::get).post(oidc::logout::post);
    [language::PATH],                            Entry,    ["GET"],         get(language::get);
    [path::TOKEN],                               Client,   ["POST"],        post(oidc::token::post);
    [path::USERINFO],                            Bearer,   ["GET", "POST"], get(oidc::userinfo::get).post(oidc::userinfo::post);

    [step PASSWORD],                             Page,     ["GET", "POST"], get(login::get).post(login::password::post);
    [step CODE],                                 Page,     ["GET", "POST"], get(login::get).post(login::code::post);
    [step NEW_PASSWORD],                         Page,     ["GET", "POST"], get(login::get).post(login::new_password::post);
    [step CONSENT],                              Page,     ["GET", "POST"], get(login::consent::get).post(login::consent::post);
}

/// Bodies are forms of a few fields.
const MOST_BODY: usize = 64 * 1024;

/// The router of the public listener.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let methods = (route.handler)()
            .fallback(any(async || super::error::Failure::Method))
            .layer(middleware::from_fn_with_state((app.clone(), route), layer::handle));
        router = router.route(route.path, methods);
    }
    router
        .fallback(layer::fallback)
        .layer(axum::extract::DefaultBodyLimit::max(MOST_BODY))
        .with_state(app.clone())
}
