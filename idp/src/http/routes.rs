//! THE list of routes: who calls each of them, what surrounds it, and what answers.

use axum::{
    Router,
    http::{Method, header, request::Parts},
    middleware,
    routing::{MethodRouter, any},
};
use flows::{discovery::path, login::goal::Page};

use super::{
    account, assets,
    extract::{Anyone, BearerCall, BrowserRequest, ClientCall, called_by, is_form},
    home, language, layer, login, oidc, phone_apps,
    route::{Caller, Class, Route},
    step::{self, Step},
};
use crate::{app::App, phone_apps as files, serve::MAX_BODY};

/// The handlers of a route, one for each method.
type Handlers = fn() -> MethodRouter<App>;

/// The path of a route, and its sign-in step if it is the page of one.
macro_rules! location {
    (step $step:ident) => {
        (step::$step.path, Some(&step::$step))
    };
    ($path:expr) => {
        ($path, None::<&'static Step>)
    };
}

/// The extractor of each kind of caller: a handler that does not take it does not compile.
macro_rules! extractor {
    (Anyone) => {
        Anyone
    };
    (Browser) => {
        BrowserRequest
    };
    (Client) => {
        ClientCall
    };
    (Bearer) => {
        BearerCall
    };
}

macro_rules! method {
    (get) => {
        "GET"
    };
    (post) => {
        "POST"
    };
}

macro_rules! routes {
    ($(
        [$($location:tt)+] $class:ident $caller:ident $(($detail:expr))? { $($method:ident: $handler:expr),+ };
    )+) => {
        /// Every route of the public listener.
        pub const ROUTES: &[Route] = &[$(Route {
            path: location!($($location)+).0,
            methods: &[$(method!($method)),+],
            class: Class::$class,
            caller: Caller::$caller $(($detail))?,
            step: location!($($location)+).1,
        },)+];

        const HANDLERS: &[Handlers] = &[$(
            || MethodRouter::new()$(.$method(called_by::<extractor!($caller), _, _, _>($handler)))+,
        )+];
    };
}

routes! {
    ["/.well-known/openid-configuration"]       Document Anyone           { get: oidc::discovery };
    ["/.well-known/oauth-authorization-server"] Document Anyone           { get: oidc::discovery };
    [path::JWKS]                                Document Anyone           { get: oidc::jwks };
    [files::APPLE]                              Document Anyone           { get: phone_apps::get_apple };
    [files::ANDROID]                            Document Anyone           { get: phone_apps::get_android };
    ["/assets/{name}"]                          Document Anyone           { get: assets::asset };

    [home::PATH]                                Entry    Anyone           { get: home::get };
    [path::AUTHORIZE]                           Entry    Browser          { get: oidc::authorize::get, post: oidc::authorize::post };
    [path::LOGOUT]                              Entry    Browser          { get: oidc::logout::get, post: oidc::logout::post };
    [language::PATH]                            Entry    Browser          { get: language::get };
    [path::TOKEN]                               Client   Client           { post: oidc::token::post };
    [path::USERINFO]                            Bearer   Bearer("openid") { get: oidc::userinfo::userinfo, post: oidc::userinfo::userinfo };

    [Page::ACCOUNT.path()]                      Page     Browser          { get: account::overview::get, post: account::overview::post };
    [Page::AUTHENTICATOR_APPS.path()]           Page     Browser          { get: account::authenticator_apps::get, post: account::authenticator_apps::post };
    [Page::PASSKEYS.path()]                     Page     Browser          { get: account::passkeys::get, post: account::passkeys::post };
    [Page::RECOVERY_CODES.path()]               Page     Browser          { get: account::recovery_codes::get, post: account::recovery_codes::post };

    [step PASSWORD]                             Page     Browser          { get: login::get, post: login::password::post };
    [step CODE]                                 Page     Browser          { get: login::get, post: login::code::post };
    [step TOTP]                                 Page     Browser          { get: login::get, post: login::held_code::post };
    [step RECOVERY_CODE]                        Page     Browser          { get: login::get, post: login::held_code::post };
    [step PASSKEY]                              Page     Browser          { get: login::passkey::get_page, post: login::passkey::post };
    [step OTHER_WAYS]                           Page     Browser          { get: login::other_ways::get, post: login::other_ways::post };
    [step NEW_PASSWORD]                         Page     Browser          { get: login::get, post: login::new_password::post };
    [step CONSENT]                              Page     Browser          { get: login::consent::get, post: login::consent::post };
}

/// Whether a handler reads the body of a request with this head: that of a form, and not one for a page from a browser
/// without any cookie, which was shown no form.
pub fn reads_body(head: &Parts) -> bool {
    let path = head.uri.path();
    let is_page = || ROUTES.iter().any(|route| route.class == Class::Page && route.path == path);
    head.method == Method::POST
        && is_form(&head.headers)
        && (head.headers.contains_key(header::COOKIE) || !is_page())
}

/// The router of the public listener.
pub fn router(app: &App) -> Router {
    let mut router = Router::new();
    for (route, handlers) in ROUTES.iter().zip(HANDLERS) {
        let methods = handlers()
            .fallback(any(async || super::error::Failure::MethodNotAllowed))
            .layer(middleware::from_fn_with_state((app.clone(), route), layer::handle));
        router = router.route(route.path, methods);
    }
    router
        .fallback(layer::fallback)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(app.clone())
}
