//! Values that the provider made and a browser or a client returns: each opens unchanged, and in no other form.
//!
//! An input that begins with `~` is a list of edits to the genuine text, three bytes each: position, kind, value. Any other
//! input is the text itself.

use flows::{
    attempt::{self, AttemptLookup, BrowserContext, Purpose, Requester},
    authorize::{self, AuthorizeOutcome},
    request::{self, Params},
};
use keys::{Algorithm, ExpectedClaims, TokenType};
use serde_json::Value;

use super::FuzzContext;
use crate::{app::TestApp, client::Client, client::PendingRequest};

pub(super) const JWT: &[&str] = &[
    ".",
    "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"",
    "\"alg\":\"HS256\"",
    "\"crit\":[\"b64\"]",
    "\"typ\":\"at+jwt\"",
    "\"exp\":99999999999",
    "eyJ",
    "=",
    "~",
];

/// Genuine texts of the provider.
#[derive(Debug)]
pub(super) struct GenuineTexts {
    attempt: String,
    posted: String,
    tokens: Vec<String>,
}

fn owner_context() -> BrowserContext {
    let reader = Requester { language: "en", user_agent: None };
    BrowserContext {
        browser: keys::hash_text("the browser that owns it"),
        session: None,
        devices: Vec::new(),
        top_level: true,
        requester: reader,
    }
}

impl GenuineTexts {
    /// Makes a sealed page, a posted request, and an ID token of each algorithm from a sign-in.
    pub(super) async fn make(app: &TestApp, portal: &Client) -> Self {
        let cx = app.cx();
        let params = Params::new(PendingRequest::new(portal).params(&[]));
        let (request, _) = request::check(&cx, &params).expect("a good request");
        let attempt =
            attempt::seal(&cx, &owner_context().browser, Purpose::SignIn, &request.into())
                .expect("it is sealed");
        let posted = authorize::post(&cx, &params).expect("no failure").expect("a good request");
        let (patient, mut tokens) = (app.patient("Mere").await, Vec::new());
        for algorithm in Algorithm::ALL {
            let id = format!("client-{algorithm}").to_lowercase();
            let client = app.client_with_algorithm(&id, algorithm).await;
            let landed = app.browser().sign_in(app, &client, &patient).await;
            let answer = client.redeem_tokens(app, &landed).await;
            tokens.push(answer["id_token"].as_str().expect("an ID token").to_owned());
        }
        Self { attempt, posted, tokens }
    }

    /// An ID token, which is not an access token.
    pub(super) fn id_token(&self) -> &str {
        self.tokens.first().expect("one of each algorithm")
    }

    /// The sealed page of another browser.
    pub(super) fn attempt(&self) -> &str {
        &self.attempt
    }
}

/// The text that an input represents.
pub(super) fn apply_edits(genuine: &str, input: &[u8]) -> String {
    let Some(edits) = input.strip_prefix(b"~") else {
        return String::from_utf8_lossy(input).into_owned();
    };
    let mut bytes = genuine.as_bytes().to_vec();
    for edit in edits.chunks_exact(3).take(8) {
        let at = usize::from(edit[0]) * bytes.len() / 256;
        match edit[1] % 6 {
            0 => bytes[at] ^= 1 << (edit[2] % 8),
            1 => bytes[at] = edit[2],
            2 => bytes.insert(at, edit[2]),
            3 if bytes.len() > 1 => {
                bytes.remove(at);
            }
            4 => bytes.truncate(at.max(1)),
            _ => {
                // The last characters, where base64 has unused bits.
                let last = bytes.len() - 1;
                bytes[last] = edit[2];
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A changed page belongs to no browser.
pub(super) fn attempt(ground: &FuzzContext, input: &[u8]) {
    let (cx, genuine) = (ground.app.cx(), &ground.sealed.attempt);
    let name = apply_edits(genuine, input);
    let found = |visit: &BrowserContext| {
        ground.wait(async {
            let mut conn = cx.db.read().await.expect("a connection");
            attempt::find(&cx, &mut conn, visit, &name).await.expect("no failure")
        })
    };
    let elsewhere =
        BrowserContext { browser: keys::hash_text("another browser"), ..owner_context() };
    match (name == *genuine, found(&owner_context()), found(&elsewhere)) {
        (true, AttemptLookup::ThisBrowser(_), AttemptLookup::Stale(_))
        | (false, AttemptLookup::NotFound, AttemptLookup::NotFound) => {}
        (_, own, other) => panic!("{name:?} is {own:?}, and elsewhere {other:?}"),
    }
}

/// A changed posted request is not accepted, and a sealed page is not a posted request.
pub(super) fn posted(ground: &FuzzContext, input: &[u8]) {
    let (cx, genuine) = (ground.app.cx(), &ground.sealed.posted);
    let sealed = apply_edits(genuine, input);
    let outcome =
        ground.wait(authorize::resume(&cx, &sealed, &owner_context())).expect("no failure");
    let opened = matches!(outcome, AuthorizeOutcome::SignIn(_));
    assert!(opened || matches!(outcome, AuthorizeOutcome::Page { .. }), "{outcome:?}");
    assert_eq!(opened, sealed == *genuine, "{sealed:?}");
    let page = ground.sealed.attempt.trim_start_matches("s.");
    let outcome = ground.wait(authorize::resume(&cx, page, &owner_context())).expect("no failure");
    assert!(matches!(outcome, AuthorizeOutcome::Page { .. }), "sealed for another purpose");
}

/// Only signed content is accepted, and only for the purpose that it was signed for.
pub(super) fn jwt(ground: &FuzzContext, input: &[u8]) {
    let cx = ground.app.cx();
    // Genuine tokens may expire while the target runs.
    let expected =
        ExpectedClaims { issuer: &cx.issuer, audience: None, now: cx.now, allow_expired: true };
    for genuine in &ground.sealed.tokens {
        let mut candidates = vec![apply_edits(genuine, input)];
        // The stranger's own header or claims, before or between the genuine parts.
        if let (Ok(own), [header, claims, signature]) =
            (std::str::from_utf8(input), genuine.split('.').collect::<Vec<_>>().as_slice())
        {
            let own = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, own);
            candidates.push(format!("{own}.{claims}.{signature}"));
            candidates.push(format!("{header}.{own}.{signature}"));
        }
        for token in candidates {
            let read = cx.ring.verify::<Value>(&token, TokenType::Id, &expected);
            assert_eq!(read.is_ok(), ground.sealed.tokens.contains(&token), "{token}");
            assert!(cx.ring.verify::<Value>(&token, TokenType::Access, &expected).is_err());
        }
    }
}
