//! `idp client rotate-secret`: the old secret ends at every replica, the new one is valid, and sessions continue.

use serde_json::Value;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, get_userinfo},
    db::Engine,
    http::HttpBrowser,
    proc::{run, run_with_status},
    serve_process::ServeSetup,
    wait::until_equal,
};

use crate::engines::{apply, both_engines};

/// The status of a replica's token endpoint for an invalid code: 400 with the right secret, else 401.
async fn token_status(client: &Client, browser: &HttpBrowser) -> u16 {
    let pending = PendingRequest::new(client);
    let (code, verifier) = ("none".to_owned(), pending.verifier.clone());
    let params = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", client.redirect_uri.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    client.call_token_at(browser, &params).await.status.as_u16()
}

async fn until(client: &Client, browser: &HttpBrowser, status: u16) {
    until_equal(&client.id, status, async || token_status(client, browser).await).await;
}

fn with_secret(client: &Client, secret: &str) -> Client {
    Client { secret: Some(secret.to_owned()), ..client.clone() }
}

/// Rotates the secret while two replicas serve.
#[apply(both_engines)]
async fn rotated_secret_applies_at_all_replicas(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (old, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (served, other) = (ServeSetup::prepare(engine, &app.db).await, app.replica().await);
    let browsers = [app.browser(), app.browser_at(&other)];
    for browser in &browsers {
        until(&old, browser, 400).await;
    }
    let browser = app.browser();
    let tokens = old.redeem_tokens(&app, &browser.sign_in(&app, &old, &patient).await).await;
    let pending = PendingRequest::new(&old);
    let on_its_way =
        browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
    let rotate = ["client", "rotate-secret", "portal"];
    let said = run(served.change_command(&rotate), "").await;
    let secret = said.trim_end().rsplit(' ').next().unwrap();
    assert!(said.contains("Its new secret, shown this once: ") && secret.len() >= 43, "{said}");
    let new = with_secret(&old, secret);
    for browser in &browsers {
        until(&old, browser, 401).await;
        assert_eq!(token_status(&new, browser).await, 400, "the new secret is accepted");
    }
    // Sessions and tokens continue, and so does a code that was issued before: only the new secret redeems it.
    let refused = old.redeem(&app, &on_its_way).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error"].as_str()),
        (401, Some("invalid_client"))
    );
    new.redeem_tokens(&app, &on_its_way).await;
    assert_eq!(get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await.status, 200);
    let again = ["client", "rotate-secret", "portal", "--json"];
    let said: Value = serde_json::from_str(&run(served.change_command(&again), "").await).unwrap();
    assert_eq!(said["client_id"], "portal");
    let newest = with_secret(&old, said["client_secret"].as_str().unwrap());
    for browser in &browsers {
        until(&newest, browser, 400).await;
        assert_eq!(token_status(&new, browser).await, 401, "the second secret is replaced");
        assert_eq!(token_status(&old, browser).await, 401, "the first secret stays invalid");
    }
    let rows = "SELECT COUNT(*) FROM audit WHERE event = 'client.changed' AND client_id = 'portal'
                    AND actor LIKE 'cli:%' AND detail = '{\"client_secret\":\"replaced\",\"reason\":\"test\"}'";
    assert_eq!(app.count(rows).await, 2);
    other.stop().await;
}

#[apply(both_engines)]
async fn public_client_gets_no_secret(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let redirect = "http://127.0.0.1/callback";
    let add = ["client", "add", "phone", "--profile", "native", "--redirect-uri", redirect];
    run(served.change_command(&add), "").await;
    for (id, why) in [
        ("phone", "phone is a public client: it has no secret to replace"),
        ("nobody", "there is no client called nobody"),
    ] {
        let (code, out, error) =
            run_with_status(served.change_command(&["client", "rotate-secret", id]), "").await;
        assert!(code == 1 && out.is_empty() && error.contains(why), "{code} {out} {error}");
    }
    assert_eq!(
        app.count(
            "SELECT COUNT(*) FROM clients WHERE secret_1 IS NOT NULL OR secret_2 IS NOT NULL"
        )
        .await,
        0
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'client.changed'").await, 0);
}
