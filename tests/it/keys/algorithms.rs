//! RS256, ES256 and `EdDSA`: each chosen by a client, and the choice changed.

use keys::Algorithm;
use openidconnect::core::CoreJwsSigningAlgorithm;
use vestibule_tests::{
    app::TestApp,
    client::get_userinfo,
    db::Engine,
    proc::{run, run_with_status},
    serve_process::ServeSetup,
};

use super::{header, key_set, silent_sign_in, verify};
use crate::engines::{apply, both_engines};

#[apply(both_engines)]
async fn openidconnect_crate_verifies_every_algorithm(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let browser = app.browser();
    let portal = app.client("portal").await;
    browser.sign_in(&app, &portal, &patient).await;
    let keys = key_set(&browser).await;
    for (algorithm, jws) in [
        (Algorithm::RS256, CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        (Algorithm::ES256, CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        (Algorithm::EdDSA, CoreJwsSigningAlgorithm::EdDsa),
    ] {
        let id = format!("client-{}", algorithm.as_str().to_lowercase());
        let client = app.client_with_algorithm(&id, algorithm).await;
        let landed = silent_sign_in(&browser, app.issuer(), &client).await;
        let tokens = client.redeem_tokens(&app, &landed).await;
        let token = (&tokens["id_token"], landed.pending.nonce.as_str());
        assert_eq!(verify(&keys, app.issuer(), &client, token), Ok(jws));
        assert!(verify(&keys, app.issuer(), &client, (token.0, "another")).is_err());
        // RFC 9068, section 4, leaves the choice to us: both tokens use the same algorithm.
        assert_eq!(header(&tokens["access_token"])["alg"], algorithm.as_str());
        assert_eq!(header(&tokens["id_token"])["alg"], algorithm.as_str());
        let answer = get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await;
        assert_eq!(answer.status, 200, "the provider verifies its own token, too: {algorithm}");
    }
    let chosen = "SELECT COUNT(*) FROM clients WHERE id = 'client-eddsa' \
                      AND metadata LIKE '%\"id_token_signed_response_alg\":\"EdDSA\"%'";
    assert_eq!(app.count(chosen).await, 1);
}

/// An operator changes a client's algorithm: its next tokens use it, and a client that cached the key set verifies them
/// without a new one.
#[apply(both_engines)]
async fn changed_client_algorithm_signs_next_tokens(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let served = ServeSetup::prepare(engine, &app.db).await;
    let browser = app.browser();
    browser.sign_in(&app, &client, &patient).await;
    let keys = key_set(&browser).await;
    let tokens = async || {
        app.refresh().await;
        let landed = silent_sign_in(&browser, app.issuer(), &client).await;
        let tokens = client.redeem_tokens(&app, &landed).await;
        let token = (&tokens["id_token"], landed.pending.nonce.as_str());
        assert!(verify(&keys, app.issuer(), &client, token).is_ok());
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(get_userinfo(&app, access).await.status, 200);
        [header(&tokens["id_token"])["alg"].clone(), header(&tokens["access_token"])["alg"].clone()]
    };
    // The default is RS256 (OpenID Connect Dynamic Client Registration 1.0, section 2).
    assert_eq!(tokens().await, ["RS256", "RS256"]);
    for (chosen, name) in [
        ("es256", "ES256"),
        ("eddsa", "EdDSA"),
        ("eddsa", "EdDSA"),
        ("rs256", "RS256"),
        ("es256", "ES256"),
    ] {
        let set = ["client", "set", "portal", "--id-token-alg", chosen, "--json"];
        let output: serde_json::Value =
            serde_json::from_str(&run(served.change_command(&set), "").await).unwrap();
        assert_eq!(output["id_token_signed_response_alg"], name);
        assert_eq!(tokens().await, [name, name]);
    }
    let last = "SELECT COUNT(*) FROM clients WHERE id = 'portal' \
                AND metadata LIKE '%\"id_token_signed_response_alg\":\"ES256\"%'";
    assert_eq!(app.count(last).await, 1, "the last choice is stored");
    let changed = "SELECT COUNT(*) FROM audit WHERE event = 'client.changed' AND client_id = 'portal' AND actor LIKE 'cli:%'";
    assert_eq!(app.count(changed).await, 4, "an equal value is no change");
    let detail = "SELECT COUNT(*) FROM audit WHERE event = 'client.changed' AND detail LIKE '%\"before\":\"EdDSA\"%'";
    assert_eq!(app.count(detail).await, 1);
    let set = ["client", "set", "nobody", "--id-token-alg", "es256"];
    let (code, _, error) = run_with_status(served.change_command(&set), "").await;
    assert!(code == 1 && error.contains("there is no client called nobody"), "{error}");
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE client_id = 'nobody'").await, 0);
}
