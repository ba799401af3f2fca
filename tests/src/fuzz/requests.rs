//! Parameters, cookies, addresses and credentials of requests.

use std::{collections::HashMap, net::IpAddr};

use flows::{
    attempt::{BrowserContext, Requester},
    authorize::{self, AuthorizeOutcome},
    client_auth::Credentials,
    request::{self, AuthorizationRequest, Params, RequestRefusal},
};
use idp::{
    config::{Issuer, ProxiesConfig},
    http::{client_address, cookies::CookieNames},
    locale::LanguageChoice,
};
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};

use super::FuzzContext;

pub(super) const WORDS: &[&str] = &[
    "&client_id=portal",
    "&client_id=native",
    "&redirect_uri=https://portal.example/callback",
    "&redirect_uri=http://127.0.0.1:4711/callback",
    "http://127.0.0.1",
    "@evil.example",
    "//evil.example",
    "&response_type=code",
    "&scope=openid",
    "&state=",
    "&nonce=",
    "&prompt=none",
    "&prompt=login",
    "&max_age=0",
    "&code_challenge=E9Melhoa2OwvFrEGTJguCHaoeK1t8URWbuGJSstw-cM",
    "&code_challenge_method=S256",
    "&ui_locales=mi",
    "&login_hint=a@b.example",
    "&id_token_hint=x",
    "&response_mode=fragment",
    "&request=x",
    "%0d%0a",
    "%00",
    "\\",
    "org.example.app:/back",
    "%C4%81",
    "#",
    "?",
];
pub(super) const COOKIES: &[&str] = &[
    "__Host-browser=",
    "__Host-session=",
    "__Host-locale=",
    "mi:",
    ":en",
    "; ",
    "=",
    "\n",
    "\"",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];
pub(super) const HOPS: &[&str] = &[
    "10.0.0.1",
    "203.0.113.9",
    "::1",
    "::ffff:10.0.0.2",
    "2001:db8::9",
    ", ",
    "\n",
    "fe80::1%eth0",
    "[::1]:80",
    ":80",
];

/// Names and values, decoded only by the text of the standard (URL Standard, section 5.1).
fn decode_form(encoded: &[u8]) -> Vec<(String, String)> {
    let text = |part: &[u8]| {
        let mut bytes = Vec::new();
        let mut rest = part;
        while let Some((first, after)) = rest.split_first() {
            let hex = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
            rest = match (first, hex(0), hex(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.push(u8::try_from(high * 16 + low).expect("two digits"));
                    &after[2..]
                }
                (b'+', ..) => {
                    bytes.push(b' ');
                    after
                }
                (other, ..) => {
                    bytes.push(*other);
                    after
                }
            };
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    encoded
        .split(|b| *b == b'&')
        .filter(|part| !part.is_empty())
        .map(|part| match part.iter().position(|b| *b == b'=') {
            Some(at) => (text(&part[..at]), text(&part[at + 1..])),
            None => (text(part), String::new()),
        })
        .collect()
}

/// Parameters are decoded as in the standard; an empty value counts as absent; a duplicate name is reported; and the result
/// can be encoded and decoded again.
pub(super) fn params(_: &FuzzContext, input: &[u8]) {
    let params = Params::parse(input);
    let mut wanted: HashMap<String, String> = HashMap::new();
    let mut twice = None;
    for (name, value) in decode_form(input).into_iter().filter(|(_, value)| !value.is_empty()) {
        if wanted.insert(name.clone(), value).is_some() {
            twice.get_or_insert(name);
        }
    }
    assert_eq!(params.duplicate(), twice.as_deref());
    for (name, value) in &wanted {
        assert_eq!(params.get(name), Some(value.as_str()), "{name}");
    }
    let written: String =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&wanted).finish();
    let again = Params::parse(written.as_bytes());
    assert!(again.duplicate().is_none() && wanted.iter().all(|(n, v)| again.get(n) == Some(v)));
}

fn anonymous_context() -> BrowserContext {
    let reader = Requester { language: "en", user_agent: None };
    BrowserContext {
        browser: keys::hash_text("a browser"),
        session: None,
        devices: Vec::new(),
        top_level: true,
        requester: reader,
    }
}

/// Whether the client registered a redirect URI; the port of a native client is ignored.
fn is_registered_uri(ground: &FuzzContext, client_id: &str, uri: &str) -> bool {
    let clients = ground.app.cx().clients;
    let Some(client) = clients.get(client_id) else { return false };
    let port_apart = uri.strip_prefix("http://127.0.0.1").is_some_and(|rest| {
        let rest = rest
            .strip_prefix(':')
            .map_or(rest, |port| port.trim_start_matches(|c: char| c.is_ascii_digit()));
        rest == "/callback"
    });
    client.metadata.redirect_uris.iter().any(|known| known == uri)
        || client.is_native() && port_apart
}

/// A request that passes is what was sent; one that does not is never answered at an unregistered address.
pub(super) fn authorize(ground: &FuzzContext, input: &[u8]) {
    let (cx, params) = (ground.app.cx(), Params::parse(input));
    let checked = request::check(&cx, &params);
    let outcome =
        ground.wait(authorize::start(&cx, &params, &anonymous_context())).expect("no failure");
    match (&checked, &outcome) {
        (Err(rejected), AuthorizeOutcome::Page { .. }) => {
            assert!(matches!(rejected.refusal, RequestRefusal::Page { .. }));
        }
        (Err(rejected), AuthorizeOutcome::Client(to)) => {
            let RequestRefusal::Redirect(error) = &rejected.refusal else {
                panic!("not to be redirected")
            };
            let plain = |b: u8| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\';
            assert!(error.description.bytes().all(plain), "{error:?}");
            assert_redirects_to_client(ground, &rejected.request, &to.location);
        }
        (Ok((request, _)), AuthorizeOutcome::Client(to)) => {
            assert!(request.prompt.none, "a stranger has to sign in");
            assert_redirects_to_client(ground, request, &to.location);
        }
        (Ok((request, _)), AuthorizeOutcome::SignIn(asked)) => {
            assert_eq!(Some(request), asked.request.authorization());
            assert_request_complete(ground, &params, request);
        }
        (checked, outcome) => panic!("{checked:?} is answered by {outcome:?}"),
    }
}

fn assert_redirects_to_client(
    ground: &FuzzContext,
    request: &AuthorizationRequest,
    location: &str,
) {
    let uri = &request.redirect_uri;
    assert!(is_registered_uri(ground, &request.client_id, uri), "{uri}");
    let rest = location.strip_prefix(uri.as_str()).expect("it begins with what was registered");
    assert!(rest.starts_with('?') || rest.starts_with('&'), "{location}");
    assert!(location.bytes().all(|b| (0x21..=0x7e).contains(&b)), "{location}");
    let answer = Params::parse(&rest.as_bytes()[1..]);
    assert_eq!(answer.get("state"), request.state.as_deref(), "returned unchanged");
    assert!(answer.get("error").is_some() && answer.get("code").is_none(), "{location}");
    assert!(answer.duplicate().is_none(), "{location}");
}

fn assert_request_complete(ground: &FuzzContext, params: &Params, request: &AuthorizationRequest) {
    assert!(is_registered_uri(ground, &request.client_id, &request.redirect_uri));
    assert_eq!(request.state.as_deref(), params.get("state"));
    assert_eq!(request.nonce.as_deref(), params.get("nonce"));
    assert!(request.state.as_ref().is_none_or(|state| state.chars().count() <= 2048));
    assert!(request.nonce.as_ref().is_none_or(|nonce| nonce.chars().count() <= 512));
    assert!(request.scopes.iter().any(|scope| scope == "openid"));
    assert!(request.scopes.iter().all(|scope| flows::claims::SCOPES.contains(&scope.as_str())));
    assert_eq!(request.code_challenge.as_ref().map(String::len), Some(43), "both clients need it");
    assert!(request.max_age.is_none_or(|age| age >= 0));
    let stored = serde_json::to_string(request).expect("it is stored");
    assert_eq!(serde_json::from_str::<AuthorizationRequest>(&stored).expect("and read"), *request);
}

/// A cookie is accepted if it is there exactly once, and its value is returned unchanged.
pub(super) fn cookies(_: &FuzzContext, input: &[u8]) {
    let names = CookieNames::for_issuer(&Issuer::parse("https://login.example.org").expect("one"));
    let mut headers = HeaderMap::new();
    let mut pairs: Vec<(&[u8], &[u8])> = Vec::new();
    for line in input.split(|b| *b == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        headers.append(COOKIE, value);
        for pair in line.split(|b| *b == b';').map(<[u8]>::trim_ascii) {
            // Without an equals sign it is a value without a name (RFC 6265bis, section 5.6).
            if let Some(at) = pair.iter().position(|b| *b == b'=') {
                pairs.push((&pair[..at], &pair[at + 1..]));
            }
        }
    }
    let only = |name: &str| {
        let mut found = pairs.iter().filter(|(n, _)| *n == name.as_bytes()).map(|(_, v)| *v);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    };
    for (name, token) in
        [("__Host-browser", names.browser(&headers)), ("__Host-session", names.session(&headers))]
    {
        let token = token.map(|token| token.reveal().to_owned());
        let is_token = |v: &&[u8]| {
            v.len() == 43 && keys::OpaqueToken::parse(&String::from_utf8_lossy(v)).is_some()
        };
        let wanted = only(name).filter(is_token).map(|v| String::from_utf8_lossy(v).into_owned());
        assert_eq!(token, wanted, "{name}");
    }
    let choice = names.language_choice(&headers);
    assert_eq!(LanguageChoice::parse(&choice.to_cookie()), choice);
    assert!(choice.locale().is_none() || only("__Host-locale").is_some());
    let set = names.set_language_choice(choice).expect("a valid header value");
    assert!(set.to_str().is_ok_and(|set| set.len() < 128));
}

/// The walk from the right, implemented in another way.
pub(super) fn forwarded(_: &FuzzContext, input: &[u8]) {
    let proxies = ProxiesConfig { trusted: vec!["10.0.0.0/8".parse().expect("a network")] };
    let name = HeaderName::from_static("x-forwarded-for");
    let mut headers = HeaderMap::new();
    for line in input.split(|b| *b == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name.clone(), value);
        }
    }
    let stranger: IpAddr = "203.0.113.1".parse().expect("an address");
    assert_eq!(client_address(stranger, &headers, &proxies), Some(stranger), "not trusted");
    let peer: IpAddr = "10.1.1.1".parse().expect("an address");
    let lines: Option<Vec<&str>> = headers.get_all(&name).iter().map(|v| v.to_str().ok()).collect();
    let found = client_address(peer, &headers, &proxies);
    if let Some(lines) = lines {
        let all = lines.join(",");
        let hops: Vec<Option<IpAddr>> = all
            .split(',')
            .filter(|_| !lines.is_empty())
            .map(|hop| hop_address(hop.trim()).map(|ip| ip.to_canonical()))
            .collect();
        let ours = |ip: &IpAddr| ip.to_string().starts_with("10.");
        let stop = hops.iter().rev().find(|hop| hop.is_none_or(|ip| !ours(&ip)));
        let wanted = if lines.iter().all(|line| line.trim().is_empty()) {
            Some(peer)
        } else {
            stop.copied().unwrap_or_else(|| hops.first().copied().unwrap_or(Some(peer)))
        };
        assert_eq!(found, wanted, "{all}");
    }
    assert!(found.is_none_or(|ip| ip == ip.to_canonical()));
}

/// An address with or without port and brackets, cut by hand.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let is_port =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok();
    if let Some(rest) = hop.strip_prefix('[') {
        let (inner, port) = rest.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return inner.parse().ok().map(IpAddr::V6).filter(|_| is_whole);
    }
    match hop.split_once(':') {
        Some((host, port)) if !port.contains(':') => {
            host.parse().ok().map(IpAddr::V4).filter(|_| is_port(port))
        }
        _ => hop.parse().ok(),
    }
}

/// Parsed credentials are of the scheme, and their debug output contains no secret.
pub(super) fn basic(_: &FuzzContext, input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value);
    let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credentials = Credentials::parse(text);
    match &credentials {
        Credentials::None => assert!(text.is_none()),
        Credentials::Basic { id, .. } => {
            assert!(text.is_some_and(|text| text[..6].eq_ignore_ascii_case("basic ")));
            let shown = format!("{credentials:?}");
            let allowed = ["Some(Secret(..))", "None"];
            let allowed = allowed.map(|secret| format!("Basic {{ id: {id:?}, secret: {secret} }}"));
            assert!(allowed.contains(&shown), "{shown}");
        }
        Credentials::Unreadable => {}
    }
}
