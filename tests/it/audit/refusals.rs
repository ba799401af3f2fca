//! Refusals of the token endpoint: an unknown client writes no rows, and a network writes no more than the limit.

use flows::client::AuthMethod;
use vestibule_tests::{app::TestApp, client::Client, db::Engine};

use super::rows_of_request;
use crate::engines::{apply, both_engines};

/// An unknown client id is an attacker's text: the refusal is in the log only, not in the trail.
#[apply(both_engines)]
async fn unknown_client_writes_no_row(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let before = app.count("SELECT COUNT(*) FROM audit").await;
    let stranger = Client { id: "nobody".to_owned(), ..client.clone() };
    for params in [&[("grant_type", "authorization_code")][..], &[("a", "1"), ("a", "2")]] {
        assert_ne!(stranger.call_token(&app, params).await.status, 200);
    }
    app.browser().send(reqwest::Method::POST, "/oauth2/token", &[], Some(&[])).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM audit").await, before);
}

#[apply(both_engines)]
async fn token_refusal_row_names_reason(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let wrong = Client { secret: Some("wrong".to_owned()), ..client.clone() };
    let none = Client { secret: None, auth_method: AuthMethod::None, ..client.clone() };
    let code = ("grant_type", "authorization_code");
    for (client, params, outcome, why) in [
        (&wrong, &[code][..], "invalid_client", "its secret is wrong"),
        (&none, &[code], "invalid_client", "the request has no secret"),
        (&client, &[], "invalid_request", "grant_type is missing"),
        (&client, &[("grant_type", "password")], "unsupported_grant_type", "only grant_type"),
        (&client, &[code], "invalid_request", "code is missing"),
        (&client, &[code, ("code", "x")], "invalid_grant", "unknown, expired or was used"),
    ] {
        let rows = rows_of_request(&app, &client.call_token(&app, params).await).await;
        assert_eq!(rows.len(), 1, "{params:?}");
        assert_eq!((rows[0].event.as_str(), rows[0].outcome.as_str()), ("token.refused", outcome));
        assert_eq!(
            (rows[0].client_id.as_deref(), rows[0].actor.as_str()),
            (Some("portal"), "client")
        );
        assert!(rows[0].detail.contains(why), "{why}: {}", rows[0].detail);
    }
}

/// A stranger who uses a registered client's id cannot fill the table; successes are never limited.
#[apply(both_engines)]
async fn refusal_rows_are_limited_per_network(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    app.set_setting("token.refusals_per_minute", "3").await;
    app.stop_clock_in_new_window();
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    let wrong = Client { secret: Some("wrong".to_owned()), ..client.clone() };
    for _ in 0..8 {
        assert_eq!(
            wrong.call_token(&app, &[("grant_type", "authorization_code")]).await.status,
            401
        );
    }
    assert_eq!(app.audit_outcomes("token.refused").await.len(), 3);
    assert_eq!(app.audit_outcomes("network.limited").await, ["refused"]);
    // The limit only stops recording: the right client is served, and its success is recorded.
    client.redeem_tokens(&app, &landed).await;
    assert_eq!(app.audit_outcomes("token.issued").await, ["ok"]);
    // The first reuse of a code is recorded even over the limit; further ones are not.
    for _ in 0..4 {
        assert_eq!(client.redeem(&app, &landed).await.status, 400);
    }
    assert_eq!(app.audit_outcomes("grant.code_reused").await, ["revoked"]);
    app.clock.advance(std::time::Duration::from_mins(1));
    wrong.call_token(&app, &[("grant_type", "authorization_code")]).await;
    assert_eq!(app.audit_outcomes("token.refused").await.len(), 4, "a new minute");
}
