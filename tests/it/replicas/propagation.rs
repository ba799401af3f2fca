//! A change or revocation at one replica takes effect at the other, while people sign in at both.
//!
//! The snapshot of a replica (settings, clients, keys) is refreshed within two seconds. Everything else is read from the
//! database and takes effect with the next request.

use std::time::Duration;

use flows::{
    client::registration,
    settings::{self, Setting},
    signing_keys::{self, Rotation},
};
use keys::Algorithm;
use reqwest::Method;
use serde_json::Value;
use vestibule_tests::{
    app::{Patient, Replica, TestApp},
    client::{AuthorizationResponse, Client, PendingRequest},
    crowd::Crowd,
    db::Engine,
    http::HttpBrowser,
    starvation_probe::StarvationProbe,
    test_actor, wait,
};

use crate::engines::{apply, both_engines};

const PROMISED_WITHIN: Duration = Duration::from_secs(2);
/// How often each change is repeated.
const TIMES: usize = 4;

/// Two replicas, and a person who signs in at both.
struct ReplicaPair {
    app: TestApp,
    other: Replica,
    client: Client,
    patient: Patient,
}

/// A person who signed in at the first replica, as the other replica sees them.
struct SignedIn {
    here: HttpBrowser,
    there: HttpBrowser,
    landed: AuthorizationResponse,
    tokens: Value,
}

impl ReplicaPair {
    async fn sign_in(&self) -> SignedIn {
        let here = self.app.browser();
        let landed = here.sign_in(&self.app, &self.client, &self.patient).await;
        let tokens = self.client.redeem_tokens(&self.app, &landed).await;
        let there = here.at_replica(self.other.address);
        let new = SignedIn { here, there, landed, tokens };
        assert!(self.has_session(&new).await && new.userinfo().await == 200, "valid at the other");
        new
    }

    /// Whether the session is valid at the other replica.
    async fn has_session(&self, who: &SignedIn) -> bool {
        let pending = PendingRequest::new(&self.client);
        let url = pending.url(self.app.issuer(), &[("prompt", "none")]);
        who.there
            .with_copied_cookies()
            .get(url)
            .await
            .authorization_response(pending)
            .param("code")
            .is_some()
    }

    /// Asserts how long each change takes to be visible at the other replica. Time in which no thread could run is
    /// subtracted.
    async fn assert_in_force(
        &self,
        what: &str,
        mut change: impl AsyncFnMut(usize) -> String,
        there: impl AsyncFn(&str) -> bool,
    ) {
        let (probe, mut took) = (StarvationProbe::start(), Vec::new());
        for nth in 0..TIMES {
            let changed = change(nth).await;
            let watch = probe.stopwatch();
            wait::until(what, async || there(&changed).await).await;
            took.push((watch.wall(), watch.net()));
        }
        println!("{what}: in force at the other replica after (without starvation) {took:?}");
        assert!(took.iter().all(|(_, net)| *net < PROMISED_WITHIN), "{what}: {took:?}");
    }
}

impl SignedIn {
    /// The status of userinfo at the other replica for the access token.
    async fn userinfo(&self) -> u16 {
        let bearer = format!("Bearer {}", self.tokens["access_token"].as_str().expect("a token"));
        let headers = [("authorization", bearer.as_str())];
        self.there.send(Method::GET, "/oauth2/userinfo", &headers, None).await.status.as_u16()
    }
}

async fn check_settings_and_clients(both: &ReplicaPair) {
    let ReplicaPair { app, other, .. } = both;
    let set = async |nth: usize| {
        let value = format!("{}m", 20 + nth);
        let setting = Setting::find("sign_in.code_window").expect("a setting");
        let set = settings::set(&app.cx(), &test_actor(), setting, &value).await;
        set.expect("no failure").expect("a good value");
        (20 + nth).to_string()
    };
    let read = async |minutes: &str| {
        let window = other.app.live.snapshot().settings.code_window;
        (window.as_secs() / 60).to_string() == minutes
    };
    both.assert_in_force("setting", set, read).await;
    let add = async |nth: usize| {
        let client = app.client(&format!("late{nth}")).await;
        PendingRequest::new(&client).url(app.issuer(), &[])
    };
    let known = async |url: &str| app.browser_at(other).get(url).await.has_field("password");
    both.assert_in_force("client", add, known).await;
}

/// A leaked client secret.
async fn check_client_secrets(both: &ReplicaPair) {
    let ReplicaPair { app, other, .. } = both;
    let rotate = async |_| {
        let secret = registration::rotate_secret(&app.cx(), &test_actor(), "late0")
            .await
            .expect("no failure");
        secret.expect("it has one").reveal().to_owned()
    };
    let right = async |secret: &str| {
        let redirect_uri = "https://late0.example/callback".to_owned();
        let secret = Some(secret.to_owned());
        let client = Client { id: "late0".to_owned(), secret, redirect_uri, ..both.client.clone() };
        let answer = client.call_token_at(&app.browser_at(other), &[("grant_type", "none")]).await;
        answer.json()["error"] != "invalid_client"
    };
    both.assert_in_force("client rotate-secret", rotate, right).await;
}

/// Leaked signing keys, and every token that they signed.
async fn check_compromised_keys(both: &ReplicaPair) {
    let ReplicaPair { app, other, .. } = both;
    let signed = std::cell::RefCell::new(std::rc::Rc::new(both.sign_in().await));
    let rotate = async |_| {
        // The new sign-in is signed with the key of the last rotation.
        app.refresh().await;
        let new = both.sign_in().await;
        let kid = kid(&new.tokens["id_token"]);
        signed.replace(std::rc::Rc::new(new));
        let stolen = Rotation { algorithm: Algorithm::ES256, compromised: true };
        signing_keys::rotate(&app.cx(), &test_actor(), stolen).await.expect("no failure");
        kid
    };
    let gone = async |kid: &str| {
        let keys = app.browser_at(other).get("/oauth2/jwks").await;
        let signed = std::rc::Rc::clone(&signed.borrow());
        !keys.body.contains(kid) && signed.userinfo().await == 401
    };
    both.assert_in_force("key rotate --compromised", rotate, gone).await;
}

fn kid(token: &Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let head = token.as_str().expect("text").split('.').next().expect("three parts");
    let head = BASE64_URL_SAFE_NO_PAD.decode(head).expect("base64");
    let head: Value = serde_json::from_slice(&head).expect("JSON");
    head["kid"].as_str().expect("a name").to_owned()
}

/// Every event that ends a session or a token at the first replica: one request to the other replica, which refuses it.
async fn check_ended_sessions(both: &ReplicaPair) {
    let ReplicaPair { app, client, patient, .. } = both;
    let who = both.sign_in().await;
    let hint = who.tokens["id_token"].as_str().expect("a token");
    let page =
        who.here.with_copied_cookies().get(format!("/oauth2/logout?id_token_hint={hint}")).await;
    assert!(page.has_text("You are signed out"), "{}", page.text());
    assert!(!both.has_session(&who).await, "signed out");
    assert_eq!(who.userinfo().await, 401, "signed out");

    // A reused code revokes the tokens that it was redeemed for (RFC 6749, section 4.1.2).
    let who = both.sign_in().await;
    let again = client.redeem(app, &who.landed).await;
    assert_eq!(again.json()["error"], "invalid_grant");
    assert_eq!(who.userinfo().await, 401, "its code was used twice");
    assert!(both.has_session(&who).await, "the person did nothing wrong");

    let who = both.sign_in().await;
    app.force_reset(patient).await;
    assert!(!both.has_session(&who).await, "reset");
    assert_eq!(who.userinfo().await, 401, "reset");
}

#[apply(both_engines)]
async fn change_applies_at_other_replica(engine: Engine) {
    let app = TestApp::start(engine).await;
    let other = app.replica().await;
    let crowd = Crowd::start(&app, vec![app.first().address, other.address], 2).await;
    let client = app.client_with_algorithm("clinic", Algorithm::ES256).await;
    other.app.live.refresh(&other.app.db, &other.app.root).await.unwrap();
    let patient = app.patient("Mere").await;
    let both = ReplicaPair { app, other, client, patient };
    crowd.wait_for_sign_ins(1).await;
    check_settings_and_clients(&both).await;
    check_client_secrets(&both).await;
    check_compromised_keys(&both).await;
    check_ended_sessions(&both).await;
    let tally = crowd.finish().await;
    println!("{engine:?}: {} sign-ins meanwhile, {} repeated", tally.completed, tally.repeated);
    assert_eq!((tally.lost_sign_ins, tally.codes_accepted_twice), (Vec::new(), Vec::new()));
    both.other.stop().await;
}
