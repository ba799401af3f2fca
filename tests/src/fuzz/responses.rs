//! Answers of the running provider to a stranger's cookies, tokens, forms and queries: never an internal error, never
//! another person's data, never a redirect to another site.

use std::time::Duration;

use idp::{config::Issuer, http::cookies::CookieNames};
use reqwest::{
    Method,
    header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE},
};

use super::{FuzzContext, sealed::apply_edits};
use crate::http::Response;

pub(super) const DEVICES: &[&str] =
    &[".", "..", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "=", ";", "%2E", "-", "_"];
pub(super) const QUERIES: &[&str] = &[
    "&to=mi",
    "&to=en",
    "&step=code",
    "&step=logout",
    "&attempt=",
    "&page=busy",
    "&page=still",
    "&reference=K4M9TX",
    "&id_token_hint=",
    "&client_id=portal",
    "&post_logout_redirect_uri=https://portal.example/signed-out",
    "&post_logout_redirect_uri=https://evil.example/",
    "&state=",
    "&ui_locales=mi",
    "//evil.example",
    "%0d%0a",
    "%00",
    "#",
];
pub(super) const TAGS: &[&str] = &["*", ",", "W/", "\"", "\"x\"", " ", "W/\"\"", ", *"];

/// Keeps the characters that a header may contain.
fn keep_printable(input: &[u8]) -> String {
    let kept = input.iter().filter(|byte| (0x20..=0x7e).contains(*byte));
    kept.map(|byte| char::from(*byte)).collect()
}

/// Whatever the request, the answer is not an internal error, and redirects only to the issuer.
fn assert_stays_at_issuer(ground: &FuzzContext, answer: &Response, asked: &str) {
    assert!(answer.status.as_u16() < 500, "{}: {asked:?}", answer.status);
    if let Some(to) = answer.location() {
        assert_eq!(to.origin(), answer.url.origin(), "{to}: {asked:?}");
        assert!(to.as_str().starts_with(ground.app.issuer()), "{to}: {asked:?}");
    }
}

fn get_with_query(ground: &FuzzContext, path: &str, input: &[u8]) -> (Response, String) {
    let mut url: url::Url = ground.app.issuer().parse().expect("an address");
    url.set_path(path);
    url.set_query(Some(&String::from_utf8_lossy(input)));
    let answer = ground.wait(ground.browser.without_cookies().get(url.as_str()));
    (answer, url.into())
}

/// Values of known devices: pieces of the cookie in order, only a few, and the cookie that is set is read back unchanged.
pub(super) fn devices(_: &FuzzContext, input: &[u8]) {
    let names = CookieNames::for_issuer(&Issuer::parse("https://login.example.org").expect("one"));
    let read = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(value).expect("printable"));
        names.devices(&headers)
    };
    let value = keep_printable(input).replace(';', "");
    let found = read(&format!("__Host-device={value}"));
    let mut pieces = value.trim().split('.');
    for device in &found {
        assert!(pieces.any(|piece| piece == device.reveal()), "{value}");
    }
    let set = names.set_devices(&found, Duration::from_hours(1)).expect("a valid header value");
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, set);
    let set = headers[SET_COOKIE].to_str().expect("text");
    assert!(set.len() < 4096, "a browser keeps it");
    let again = read(set.split(';').next().expect("a pair"));
    let reveal = |all: &[keys::DeviceToken]| -> Vec<String> {
        all.iter().map(keys::DeviceToken::reveal).collect()
    };
    assert_eq!(reveal(&again), reveal(&found));
}

/// Only an access token gives access to userinfo: no other text, and no ID token, changed or unchanged.
pub(super) fn bearer(ground: &FuzzContext, input: &[u8]) {
    let token = keep_printable(apply_edits(ground.sealed.id_token(), input).as_bytes());
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let sent = ground.browser.without_cookies();
    let answer = ground.wait(sent.send(Method::GET, "/oauth2/userinfo", &headers, None));
    assert_eq!(answer.status, 401, "{token:?}");
    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{token:?}");
    assert!(answer.body.is_empty(), "{token:?}");
}

/// A form without the token of its page is not judged: it is refused, or the page is shown again under another name.
pub(super) fn form_token(ground: &FuzzContext, input: &[u8]) {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = [
        field("attempt", ground.sealed.attempt()),
        field("form", &String::from_utf8_lossy(input)),
        field("email", "mere@patients.example"),
        field("password", "anything at all"),
        field("action", "continue"),
    ];
    let judged = || ground.wait(ground.app.count("SELECT COUNT(*) FROM audit"));
    let before = judged();
    let headers = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    let sent = ground.browser.without_cookies();
    let answer = ground.wait(sent.send(Method::POST, "/login/password", &headers, Some(&fields)));
    let token = String::from_utf8_lossy(input);
    assert_eq!(judged(), before, "{token:?}");
    match answer.status.as_u16() {
        200 => assert_ne!(answer.form().value("attempt"), ground.sealed.attempt(), "{token:?}"),
        other => assert_eq!(other, 400, "it sends no cookie: {token:?}"),
    }
}

/// A stranger's logout request leads to our own page.
pub(super) fn logout(ground: &FuzzContext, input: &[u8]) {
    let (answer, asked) = get_with_query(ground, "/oauth2/logout", input);
    assert_stays_at_issuer(ground, &answer, &asked);
}

/// The language switch leads to our own pages, and shows no text from the request.
pub(super) fn switch(ground: &FuzzContext, input: &[u8]) {
    let (answer, asked) = get_with_query(ground, "/language", input);
    assert_stays_at_issuer(ground, &answer, &asked);
    assert!([200, 303, 404].contains(&answer.status.as_u16()), "{}: {asked:?}", answer.status);
    let to = answer.location().map(|to| to.path().to_owned());
    assert!(
        to.as_deref().is_none_or(|to| to.starts_with("/login/") || to == "/oauth2/logout"),
        "{to:?}: {asked:?}"
    );
}

/// The key set is left out of the answer only if the request names its entity tag (RFC 9110, section 13.1.2).
pub(super) fn if_none_match(ground: &FuzzContext, input: &[u8]) {
    let get = |headers: &[(&str, &str)]| {
        ground.wait(ground.browser.without_cookies().send(
            Method::GET,
            "/oauth2/jwks",
            headers,
            None,
        ))
    };
    let whole = get(&[]);
    let tag = whole.header("etag");
    let kept = keep_printable(input).replace("\"\"", tag);
    let those = ["*".to_owned(), tag.to_owned(), format!("W/{tag}")];
    let named = kept.split(',').any(|one| those.iter().any(|that| that == one.trim()));
    let answer = get(&[("if-none-match", &kept)]);
    assert_eq!(answer.status == 304, named, "{kept:?}");
    assert_eq!(answer.body, if named { "" } else { &whole.body }, "{kept:?}");
}
