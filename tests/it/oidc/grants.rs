//! The conditions under which a grant is live. The token endpoint, which redeems its code, and userinfo, which gets its
//! token, apply the same ones.

use serde_json::Value;
use store::Sql;
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{AuthorizationResponse, Client, PendingRequest, decode_claims, get_userinfo},
    db::Engine,
};

use crate::engines::{apply, both_engines};

/// Changes to a person's rows, and whether a grant is live after each: a grant that ends with its session, and one that
/// outlives it.
const EVENTS: [(&str, bool, bool); 10] = [
    ("UPDATE grants SET scopes = scopes", true, true),
    ("UPDATE grants SET ended_at = 1", false, false),
    ("UPDATE grants SET expires_at = 1", false, false),
    ("UPDATE grants SET expires_at = 9000000000000", true, true),
    ("UPDATE users SET epoch = epoch + 1", false, false),
    ("UPDATE users SET status = 'suspended'", false, false),
    ("UPDATE sessions SET ended_at = 1", false, true),
    ("UPDATE sessions SET created_at = 1", false, true),
    // A client's use of tokens is not use of the browser: the idle limit ends the session there, but no grant.
    ("UPDATE sessions SET last_seen = 1", true, true),
    ("DELETE FROM sessions", false, true),
];

/// Runs a statement on the rows of one person.
async fn change(app: &TestApp, patient: &Patient, statement: &str) {
    let owner = if statement.starts_with("UPDATE users") { "id" } else { "user_id" };
    let of_person = "(SELECT id FROM users WHERE email = $1)";
    let sql = format!("{statement} WHERE {owner} IN {of_person}").leak();
    let rows =
        app.replica_db().write(async |tx| tx.q(sql).bind(&patient.email).execute().await).await;
    assert!(rows.expect("it runs") > 0, "{statement}");
}

/// A person who has signed in: the tokens of one grant, and the unredeemed code of another.
async fn sign_in_with_two_grants(
    app: &TestApp,
    client: &Client,
    patient: &Patient,
) -> (Value, AuthorizationResponse) {
    let browser = app.browser();
    let landed = browser.sign_in(app, client, patient).await;
    let tokens = client.redeem_tokens(app, &landed).await;
    let pending = PendingRequest::new(client);
    let landed = browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
    (tokens, landed)
}

#[apply(both_engines)]
async fn grant_lives_by_one_rule_everywhere(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    for name in [
        "sign_in.sends_per_day",
        "sign_in.sends_per_hour",
        "sign_in.posts_per_minute_ipv6_48",
        "sign_in.posts_per_minute",
    ] {
        app.set_setting(name, "100000").await;
    }
    for (number, (event, bound, offline)) in EVENTS.into_iter().enumerate() {
        for (outlives, is_alive) in [(false, bound), (true, offline)] {
            let patient = app.patient(&format!("Mere {number} {outlives}")).await;
            let (tokens, landed) = sign_in_with_two_grants(&app, &client, &patient).await;
            if outlives {
                change(&app, &patient, "UPDATE grants SET offline = TRUE").await;
            }
            change(&app, &patient, event).await;
            let case = format!("{event}, outlives its session: {outlives}");
            let seen = get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await;
            assert_eq!(seen.status == 200, is_alive, "{case}: {}", seen.status);
            let redeemed = client.redeem(&app, &landed).await;
            assert_eq!(redeemed.status == 200, is_alive, "{case}: {}", redeemed.body);
            if is_alive {
                // Also where the session's row is gone.
                let sid = |tokens: &Value| {
                    decode_claims(tokens["id_token"].as_str().unwrap())["sid"].clone()
                };
                assert_eq!(sid(&redeemed.json()), sid(&tokens), "{case}");
            } else {
                assert_eq!(redeemed.json()["error"], "invalid_grant", "{case}");
            }
        }
    }
}

/// The code is read before its tokens are signed, and claimed afterwards. If its grant ends in between, it is not claimed.
#[apply(both_engines)]
async fn dead_grant_is_not_claimed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (_, landed) = sign_in_with_two_grants(&app, &client, &patient).await;
    let hash = keys::hash_text(&landed.code());
    let now = app.cx().now;
    let long_ago = store::Timestamp::from_millis(0);
    let limits =
        store::session::SessionLimits { now, seen_after: long_ago, created_after: long_ago };
    let claim = async || {
        let claimed =
            app.replica_db().write(async |tx| store::auth_code::redeem(tx, &hash, limits).await);
        claimed.await.unwrap()
    };
    change(&app, &patient, "UPDATE grants SET ended_at = 1").await;
    assert!(!claim().await);
    change(&app, &patient, "UPDATE grants SET ended_at = NULL").await;
    assert!(claim().await);
    assert!(!claim().await, "once");
}

/// OpenID Connect Core 1.0, section 3.1.2.1: without the scope `openid` a grant is a plain OAuth 2.0 grant.
#[apply(both_engines)]
async fn grant_without_openid_gives_no_id_token(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (_, landed) = sign_in_with_two_grants(&app, &client, &patient).await;
    change(&app, &patient, "UPDATE grants SET scopes = 'profile'").await;
    let tokens = client.redeem_tokens(&app, &landed).await;
    assert!(tokens.get("id_token").is_none(), "{tokens}");
    assert_eq!(tokens["token_type"], "Bearer");
    let refused = get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(refused.status.as_u16(), 403, "claims are for the scope `openid` (section 5.3)");
    assert!(refused.header("www-authenticate").contains("insufficient_scope"));
}

/// A grant needs a session of the same person; otherwise it is not created.
#[apply(both_engines)]
async fn grant_of_foreign_session_is_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    for patient in [&mere, &hemi] {
        app.browser().sign_in(&app, &client, patient).await;
    }
    let mut conn = app.replica_db().read().await.unwrap();
    let of = "SELECT sessions.id, sessions.user_id, sessions.sign_in_id FROM sessions JOIN users ON users.id = sessions.user_id
              WHERE users.email = $1";
    let (hers, owner, sign_in) = conn.q(of).bind(&mere.email).fetch_one().await.unwrap();
    let (his, _, _): (store::SessionId, store::UserId, store::SignInId) =
        conn.q(of).bind(&hemi.email).fetch_one().await.unwrap();
    drop(conn);
    for (session_id, is_made) in [(hers, true), (his, false)] {
        let grant = store::grant::NewGrant {
            id: app.cx().new_id(),
            user_id: owner,
            client_id: "portal".to_owned(),
            session_id,
            sign_in_id: sign_in,
            epoch: 0,
            scopes: "openid".to_owned(),
            created_at: app.cx().now,
        };
        let made = app.replica_db().write(async |tx| store::grant::insert(tx, &grant).await).await;
        assert_eq!(made.is_ok(), is_made, "{made:?}");
    }
}
