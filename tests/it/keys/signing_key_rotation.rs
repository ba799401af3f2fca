//! Signing keys are rotated without a failure at clients: they cache the key set, two replicas sign, and their clocks
//! differ.

use std::time::Duration;

use flows::signing_keys::{self, MAX_AGE, PUBLICATION_MARGIN, Rotation, RotationOutcome};
use idp::clock::{Clock, ClockShift};
use keys::Algorithm;
use openidconnect::core::CoreJsonWebKeySet;
use reqwest::Method;
use serde_json::Value;
use store::Timestamp;
use vestibule_tests::{
    app::{Replica, ReplicaOptions, TestApp},
    client::{AuthorizationResponse, Client},
    db::Engine,
    http::HttpBrowser,
    test_actor, wait,
};

use super::{header, key_set, silent_sign_in, verify};
use crate::engines::{apply, both_engines};

const PLANNED: Rotation = Rotation { algorithm: Algorithm::ES256, compromised: false };
const COMPROMISED: Rotation = Rotation { compromised: true, ..PLANNED };

/// Two replicas; the second one's clock is off by as much as `/readyz` tolerates.
struct ReplicaPair {
    app: TestApp,
    second: Replica,
    second_clock: ClockShift,
    client: Client,
    /// One browser with a session, once for each replica.
    browsers: [HttpBrowser; 2],
}

impl ReplicaPair {
    async fn start(engine: Engine, behind: bool) -> Self {
        let app = TestApp::start(engine).await;
        let client = app.client_with_algorithm("portal", Algorithm::ES256).await;
        let patient = app.patient("Mere").await;
        let (time, second_clock) = Clock::shifted();
        let skew = Duration::from_secs(2);
        if behind {
            app.clock.advance(skew);
        } else {
            second_clock.advance(skew);
        }
        let second = app
            .replica_with(ReplicaOptions { clock: Some(time), ..ReplicaOptions::default() })
            .await;
        let first = app.browser();
        first.sign_in(&app, &client, &patient).await;
        let there = app.browser_at(&second);
        for name in ["browser", "session"] {
            there.set_cookie(name, &first.cookie(name).expect("a cookie"));
        }
        Self { browsers: [first, there], app, second, second_clock, client }
    }

    fn advance(&self, by: Duration) {
        self.app.clock.advance(by);
        self.second_clock.advance(by);
    }

    fn now(&self) -> Timestamp {
        self.app.cx().now
    }

    /// Each replica reloads what has changed, as it does twice a second.
    async fn refresh_both(&self) {
        self.app.refresh().await;
        self.second.app.live.refresh(&self.second.app.db, &self.second.app.root).await.unwrap();
    }

    /// Both replicas run the key task at the same time.
    async fn run_maintenance(&self) -> usize {
        let (one, two) = (self.app.cx(), self.second.app.system_cx("test"));
        let (one, two) = tokio::join!(signing_keys::maintain(&one), signing_keys::maintain(&two));
        self.refresh_both().await;
        let (one, two) = (one.unwrap(), two.unwrap());
        one.published.len() + two.published.len() + one.ended.len() + two.ended.len()
    }

    /// Tokens that a replica issues.
    async fn tokens(&self, replica: usize) -> (Value, AuthorizationResponse) {
        let browser = &self.browsers[replica];
        let landed = silent_sign_in(browser, self.app.issuer(), &self.client).await;
        let answer = self.client.redeem_at(browser, &landed).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.json(), landed)
    }

    async fn userinfo(&self, replica: usize, tokens: &Value) -> u16 {
        let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        let browser = &self.browsers[replica];
        browser.send(Method::GET, "/oauth2/userinfo", &headers, None).await.status.as_u16()
    }

    async fn kids(&self, replica: usize) -> Vec<String> {
        let set = self.browsers[replica].get("/oauth2/jwks").await.json();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.filter(|key| key["alg"] == "ES256")
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A client that caches the key set for exactly as long as it may.
struct CachedKeySet {
    keys: CoreJsonWebKeySet,
    at: Timestamp,
}

impl CachedKeySet {
    async fn new(pair: &ReplicaPair, replica: usize) -> Self {
        Self { keys: key_set(&pair.browsers[replica]).await, at: pair.now() }
    }

    async fn refresh_if_stale(&mut self, pair: &ReplicaPair, replica: usize) {
        if pair.now().since(self.at) >= MAX_AGE {
            *self = Self::new(pair, replica).await;
        }
    }
}

/// During a rotation, a client that caches the key set for its `max-age` never gets a token of an unknown key.
#[apply(both_engines)]
async fn cached_jwks_verifies_every_token(engine: Engine) {
    for behind in [false, true] {
        let pair = ReplicaPair::start(engine, behind).await;
        let old = pair.kids(0).await;
        let mut caches = vec![CachedKeySet::new(&pair, 0).await];
        pair.advance(Duration::from_secs(100));
        caches.push(CachedKeySet::new(&pair, 1).await);
        let made = signing_keys::rotate(&pair.app.cx(), &test_actor(), PLANNED).await.unwrap();
        let RotationOutcome::Rotated { kid: new, signs_from, removed } = made else {
            panic!("{made:?}")
        };
        assert!(removed.is_empty());
        // The worst case: the set is fetched from a replica that is about to reload it.
        pair.advance(Duration::from_secs(2));
        caches.push(CachedKeySet::new(&pair, 1).await);
        pair.refresh_both().await;
        assert_eq!(pair.kids(0).await, [old[0].clone(), new.clone()], "published at once");
        let (mut steps, mut signed_by_old, mut signed_by_new) = (0, 0, 0);
        while !(pair.kids(0).await == [new.clone()] && pair.kids(1).await == [new.clone()]) {
            for replica in [0, 1] {
                let (tokens, landed) = pair.tokens(replica).await;
                let signer = header(&tokens["id_token"])["kid"].clone();
                *(if signer == new.as_str() { &mut signed_by_new } else { &mut signed_by_old }) +=
                    1;
                for cached in &mut caches {
                    cached.refresh_if_stale(&pair, replica).await;
                    let token = (&tokens["id_token"], landed.pending.nonce.as_str());
                    let verified = verify(&cached.keys, pair.app.issuer(), &pair.client, token);
                    assert!(verified.is_ok(), "step {steps}, replica {replica}: {verified:?}");
                }
                assert_eq!(pair.userinfo(1 - replica, &tokens).await, 200, "at the other replica");
            }
            steps += 1;
            assert!(steps < 100, "the old key never ends");
            let soon = signs_from.since(pair.now()) < Duration::from_mins(1)
                && pair.now() < signs_from.plus(PUBLICATION_MARGIN);
            pair.advance(Duration::from_secs(if soon { 30 } else { 130 }));
            pair.run_maintenance().await;
        }
        println!(
            "{engine:?}: {steps} steps, {signed_by_old} tokens of the old key, {signed_by_new} of the new one"
        );
        assert!(signed_by_old > 8 && signed_by_new > 8);
        assert_eq!(
            pair.app.audit_outcomes("key.ended").await,
            ["ok"],
            "only one of two replicas ended it"
        );
    }
}

/// The last token of an old key is valid until it expires, on each replica.
#[apply(both_engines)]
async fn last_token_of_old_key_verifies(engine: Engine) {
    let pair = ReplicaPair::start(engine, true).await;
    pair.app.set_setting("token.access", "1h").await;
    pair.refresh_both().await;
    signing_keys::rotate(&pair.app.cx(), &test_actor(), PLANNED).await.unwrap();
    pair.refresh_both().await;
    pair.advance(PUBLICATION_MARGIN);
    let (new, _) = pair.tokens(0).await;
    // The second replica's clock is two seconds behind, so it still signs with the old key.
    let (last, landed) = pair.tokens(1).await;
    assert_ne!(header(&new["id_token"]), header(&last["id_token"]));
    pair.advance(Duration::from_secs(3590));
    assert_eq!(pair.run_maintenance().await, 0);
    assert_eq!([pair.userinfo(0, &last).await, pair.userinfo(1, &last).await], [200, 200]);
    let token = (&last["id_token"], landed.pending.nonce.as_str());
    let verified =
        verify(&key_set(&pair.browsers[0]).await, pair.app.issuer(), &pair.client, token);
    assert!(verified.is_ok(), "{verified:?}");
    // After it has expired, caches get their time, and then the key is removed.
    pair.advance(PUBLICATION_MARGIN + Duration::from_secs(10));
    assert_eq!(pair.run_maintenance().await, 1);
    assert_eq!(pair.kids(0).await.len(), 1);
}

#[apply(both_engines)]
async fn compromised_key_is_refused_immediately(engine: Engine) {
    let pair = ReplicaPair::start(engine, false).await;
    let (stolen, _) = pair.tokens(0).await;
    assert_eq!(pair.userinfo(1, &stolen).await, 200);
    // A waiting key is removed, too: it was stored beside the stolen one.
    signing_keys::rotate(&pair.app.cx(), &test_actor(), PLANNED).await.unwrap();
    let made = signing_keys::rotate(&pair.app.cx(), &test_actor(), COMPROMISED).await.unwrap();
    let RotationOutcome::Rotated { kid: new, removed, .. } = made else { panic!("{made:?}") };
    assert_eq!(removed.len(), 2);
    pair.refresh_both().await;
    for replica in [0, 1] {
        assert_eq!(pair.userinfo(replica, &stolen).await, 401);
        assert_eq!(pair.kids(replica).await, std::slice::from_ref(&new));
        let (tokens, _) = pair.tokens(replica).await;
        assert_eq!(header(&tokens["id_token"])["kid"], new.as_str());
        assert_eq!(pair.userinfo(1 - replica, &tokens).await, 200);
    }
    // A token of that key is not even accepted as a hint: the thief can sign any.
    let hint = stolen["id_token"].as_str().unwrap();
    let url = format!("/oauth2/logout?id_token_hint={hint}");
    let asked = pair.browsers[0].get(&url).await;
    assert!(asked.body.contains("<form"), "it asks first: {}", asked.text());
    assert_eq!(pair.app.audit_outcomes("key.rotated").await, ["ok", "compromised"]);
    assert_eq!(pair.app.audit_outcomes("key.ended").await, ["compromised", "compromised"]);
}

/// The stolen key may be an earlier one: tokens of keys that already ended are no hints either.
#[apply(both_engines)]
async fn compromise_also_revokes_ended_keys(engine: Engine) {
    let pair = ReplicaPair::start(engine, false).await;
    pair.app.set_setting("session.idle", "12h").await;
    pair.refresh_both().await;
    let (old, _) = pair.tokens(0).await;
    signing_keys::rotate(&pair.app.cx(), &test_actor(), PLANNED).await.unwrap();
    signing_keys::rotate(
        &pair.app.cx(),
        &test_actor(),
        Rotation { algorithm: Algorithm::EdDSA, ..PLANNED },
    )
    .await
    .unwrap();
    pair.advance(Duration::from_hours(3));
    assert_eq!(pair.run_maintenance().await, 2);
    let made = signing_keys::rotate(&pair.app.cx(), &test_actor(), COMPROMISED).await.unwrap();
    let RotationOutcome::Rotated { removed, .. } = made else { panic!("{made:?}") };
    assert!(
        removed.contains(&header(&old["id_token"])["kid"].as_str().unwrap().to_owned()),
        "{removed:?}"
    );
    assert_eq!(
        pair.app.count("SELECT COUNT(*) FROM ended_keys WHERE algorithm = 'ES256'").await,
        0
    );
    assert_eq!(pair.app.count("SELECT COUNT(*) FROM ended_keys").await, 1, "of another algorithm");
    pair.refresh_both().await;
    let url = format!("/oauth2/logout?id_token_hint={}", old["id_token"].as_str().unwrap());
    for browser in &pair.browsers {
        let asked = browser.get(&url).await;
        assert!(asked.body.contains("<form"), "it asks first: {}", asked.text());
    }
}

/// RP-Initiated Logout 1.0, section 2: an ID token is accepted as a hint while its session exists, even if its key has
/// ended.
#[apply(both_engines)]
async fn id_token_hint_outlives_key(engine: Engine) {
    let pair = ReplicaPair::start(engine, false).await;
    pair.app.set_setting("session.idle", "12h").await;
    pair.refresh_both().await;
    let (old, _) = pair.tokens(0).await;
    signing_keys::rotate(&pair.app.cx(), &test_actor(), PLANNED).await.unwrap();
    pair.advance(Duration::from_hours(3));
    assert_eq!(pair.run_maintenance().await, 1);
    assert_eq!(pair.userinfo(0, &old).await, 401);
    let hint = old["id_token"].as_str().unwrap();
    let silent = format!("&prompt=none&id_token_hint={hint}");
    let pending = vestibule_tests::client::PendingRequest::new(&pair.client);
    let url = pending.url(pair.app.issuer(), &[]) + &silent;
    pair.browsers[1].get(url).await.authorization_response(pending).code();
    let back = "https://portal.example/signed-out";
    let url = format!("/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={back}");
    assert_eq!(pair.browsers[0].get(&url).await.location().unwrap().as_str(), back);
    // A month later no session of that time can exist.
    pair.advance(Duration::from_hours(30 * 24));
    pair.run_maintenance().await;
    assert_eq!(pair.app.count("SELECT COUNT(*) FROM ended_keys").await, 0);
}

/// Keys are replaced by age, once, by the first replica that checks; and not at all when that is switched off.
#[apply(both_engines)]
async fn keys_are_replaced_by_age(engine: Engine) {
    let pair = ReplicaPair::start(engine, false).await;
    pair.app.set_setting("keys.rotate_after", "off").await;
    pair.refresh_both().await;
    pair.advance(Duration::from_hours(90 * 24));
    assert_eq!(pair.run_maintenance().await, 0);
    pair.app.set_setting("keys.rotate_after", "90d").await;
    pair.refresh_both().await;
    assert_eq!(
        pair.run_maintenance().await,
        Algorithm::ALL.len(),
        "each once, although two replicas ran at once"
    );
    assert_eq!(pair.run_maintenance().await, 0);
    let keys = pair.app.count("SELECT COUNT(*) FROM key_successions WHERE follows <> ''").await;
    assert_eq!(keys, 3);
    let listed = signing_keys::list(&pair.app.cx()).await.unwrap();
    let states: Vec<_> = listed.iter().map(|key| key.state.as_str()).collect();
    assert_eq!(states, ["signing", "waiting", "signing", "waiting", "signing", "waiting"]);
}

/// The row about a deleted key's succession remains: another key can take its place all the same.
#[apply(both_engines)]
async fn deleted_key_is_replaced_by_rotation(engine: Engine) {
    let app = TestApp::start(engine).await;
    signing_keys::rotate(&app.cx(), &test_actor(), PLANNED).await.unwrap();
    let newest = "DELETE FROM signing_keys WHERE algorithm = 'ES256' AND signs_from =
                  (SELECT MAX(signs_from) FROM signing_keys WHERE algorithm = 'ES256')";
    for delete in [newest, "DELETE FROM signing_keys WHERE algorithm = 'ES256'"] {
        let deleted =
            app.replica_db().write(async |tx| store::Sql::q(tx, delete).execute().await).await;
        assert_eq!(deleted.unwrap(), 1, "{delete}");
        let (cx, actor) = (app.cx(), test_actor());
        let replaced = signing_keys::rotate(&cx, &actor, COMPROMISED);
        let replaced = wait::until_done("the rotation", replaced).await.unwrap();
        assert!(matches!(replaced, RotationOutcome::Rotated { .. }), "{replaced:?}");
    }
}

/// Twenty simultaneous rotations replace a key once; a compromised key is replaced whatever else is planned.
#[apply(both_engines)]
async fn concurrent_rotations_replace_key_once(engine: Engine) {
    let app = std::sync::Arc::new(TestApp::start(engine).await);
    let ask = |rotation: Rotation| {
        let app = app.clone();
        tokio::spawn(async move {
            signing_keys::rotate(&app.cx(), &test_actor(), rotation).await.unwrap()
        })
    };
    let asked: Vec<_> = (0..20).map(|_| ask(PLANNED)).collect();
    let mut kids = Vec::new();
    let mut made = 0;
    for one in asked {
        match one.await.unwrap() {
            RotationOutcome::Rotated { kid, .. } => {
                made += 1;
                kids.push(kid);
            }
            RotationOutcome::AlreadyPending { kid, .. } => kids.push(kid),
        }
    }
    kids.dedup();
    assert_eq!((made, kids.len()), (1, 1), "{kids:?}");
    let stolen = app.count("SELECT COUNT(*) FROM signing_keys WHERE algorithm = 'ES256'").await;
    assert_eq!(stolen, 2);
    let asked = [ask(COMPROMISED), ask(PLANNED), ask(COMPROMISED), ask(PLANNED)];
    let mut signs_at_once = None;
    for one in asked {
        if let RotationOutcome::Rotated { kid, removed, .. } = one.await.unwrap()
            && !removed.is_empty()
        {
            signs_at_once = Some(kid);
        }
    }
    assert!(signs_at_once.is_some());
    let listed = signing_keys::list(&app.cx()).await.unwrap();
    assert!(listed.iter().all(|key| !kids.contains(&key.kid)), "the stolen keys are removed");
}
