//! Coverage over the route table: each test covers every route of a class, so that a new route is tested automatically.

mod callers;
mod intent;
mod pages;
mod programs;
mod refusals;
mod request_log;

use std::collections::BTreeSet;

use idp::http::{
    route::{Caller, Class, Route},
    routes::ROUTES,
    step::STEPS,
};
use reqwest::Method;
use vestibule_tests::http::{HttpBrowser, Response};

/// For each route, the file of `tests/it` that tests it, and a text that this file must contain.
const SHOWN_IN: [(&str, &str, &str); 24] = [
    ("/", "routes/pages.rs", "root_leads_to_home"),
    ("/.well-known/openid-configuration", "oidc/discovery.rs", "/.well-known/openid-configuration"),
    (
        "/.well-known/oauth-authorization-server",
        "oidc/discovery.rs",
        "/.well-known/oauth-authorization-server",
    ),
    ("/oauth2/jwks", "oidc/discovery.rs", "/oauth2/jwks"),
    ("/.well-known/apple-app-site-association", "passkeys/apps.rs", "/.well-known/apple"),
    ("/.well-known/assetlinks.json", "passkeys/apps.rs", "/.well-known/assetlinks.json"),
    ("/assets/{name}", "routes/programs.rs", "/assets/"),
    ("/oauth2/authorize", "oidc/authorize.rs", "/oauth2/authorize"),
    ("/oauth2/logout", "oidc/logout.rs", "/oauth2/logout"),
    ("/language", "languages.rs", "/language"),
    ("/oauth2/token", "oidc/token.rs", ".redeem_tokens("),
    ("/oauth2/userinfo", "oidc/userinfo.rs", "userinfo("),
    ("/login/password", "misuse/second_step.rs", ".submit_password("),
    ("/login/code", "misuse/codes.rs", ".code("),
    ("/login/totp", "second_steps/authenticator_app.rs", "/login/totp"),
    ("/login/recovery-code", "second_steps/recovery_codes.rs", "/login/recovery-code"),
    ("/login/passkey", "passkeys/second_step.rs", "/login/passkey"),
    ("/login/other-ways", "second_steps/choice.rs", "choose_method("),
    ("/account", "second_steps/account.rs", "/account"),
    ("/account/authenticator-apps", "second_steps/account.rs", "/account/authenticator-apps"),
    ("/account/passkeys", "passkeys/account.rs", "/account/passkeys"),
    ("/account/recovery-codes", "second_steps/account.rs", "/account/recovery-codes"),
    ("/login/new-password", "misuse/sessions.rs", "new_password"),
    ("/login/consent", "oidc/silent.rs", "consent"),
];

/// Every method that a server is likely to get, and an unknown one.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

/// Paths that look like routes and are not.
const NO_ROUTES: [&str; 11] = [
    "/nothing",
    "/login",
    "/login/password/",
    "/LOGIN/password",
    "/login//password",
    "/login/password%00",
    "/oauth2",
    "/assets/",
    "/dev/mailbox",
    "/healthz",
    "/metrics",
];

/// The routes of some classes.
fn routes_of(classes: &[Class]) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| classes.contains(&route.class))
}

/// The routes that a kind of caller calls.
fn called_by(is_caller: fn(Caller) -> bool) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| is_caller(route.caller))
}

/// A concrete address of a route.
fn address(route: &Route) -> String {
    route.path.replace("{name}", "none.css")
}

/// The address of the style sheet of a page.
fn style_sheet(page: &Response) -> String {
    let (_, rest) = page.body.split_once("href=\"/assets/").expect("a style sheet");
    format!("/assets/{}", rest.split('"').next().expect("a whole tag"))
}

/// Whether a route has a method. HEAD comes with GET where nothing can happen (misuse case 19).
fn has_method(route: &Route, method: &str) -> bool {
    route.methods.contains(&method) || (method == "HEAD" && route.answers_head())
}

/// Sends a request with any method.
async fn send(browser: &HttpBrowser, method: &str, to: &str, headers: &[(&str, &str)]) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    browser.send(method, to, headers, None).await
}

/// Posts fields as a page of this origin does.
async fn post(
    browser: &HttpBrowser,
    to: &str,
    headers: &[(&str, &str)],
    fields: &[(&str, &str)],
) -> Response {
    let fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut all = headers.to_vec();
    if !headers.iter().any(|(name, _)| ["sec-fetch-site", "origin"].contains(name)) {
        all.push(("sec-fetch-site", "same-origin"));
    }
    browser.send(Method::POST, to, &all, Some(&fields)).await
}

#[test]
fn every_route_is_tested() {
    let routes: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    let shown: BTreeSet<&str> = SHOWN_IN.iter().map(|(path, ..)| *path).collect();
    assert_eq!(routes.len(), ROUTES.len(), "a path is in ROUTES once, with all its methods");
    let missing: Vec<_> = routes.difference(&shown).collect();
    assert!(
        missing.is_empty(),
        "write a test that shows what {missing:?} does, and name its file in SHOWN_IN"
    );
    let gone: Vec<_> = shown.difference(&routes).collect();
    assert!(gone.is_empty(), "{gone:?} is no route any more: take it out of SHOWN_IN");
    for (path, file, text) in SHOWN_IN {
        let whole = vestibule_tests::workspace_root().join("tests/it").join(file);
        let source =
            std::fs::read_to_string(whole).unwrap_or_else(|e| panic!("{path}: {file}: {e}"));
        let tests = source.contains("#[tokio::test") || source.contains("#[apply(both_engines)]");
        assert!(
            tests && source.contains(text),
            "{file} shows nothing about {path}: correct SHOWN_IN"
        );
    }
}

#[test]
fn each_step_has_one_route() {
    for step in STEPS {
        let found: Vec<&Route> = ROUTES.iter().filter(|route| route.path == step.path).collect();
        assert_eq!(found.len(), 1, "{}: a step is a line of ROUTES", step.path);
        assert_eq!(found[0].step.map(|step| step.name), Some(step.name), "{}", step.path);
        assert_eq!(found[0].class, Class::Page, "{}", step.path);
    }
    let steps = ROUTES.iter().filter(|route| route.step.is_some()).count();
    assert_eq!(steps, STEPS.len(), "a step of a route is a row of STEPS");
}

/// DESIGN: no path of a sign-in step is a prefix of another.
#[test]
fn no_step_path_prefixes_another() {
    for one in STEPS {
        for two in STEPS.into_iter().filter(|two| two.path != one.path) {
            assert!(!two.path.starts_with(one.path), "{} begins with {}", two.path, one.path);
        }
    }
}
