//! RS256, ES256 and `EdDSA`, each of a client's choice.

use keys::Algorithm;
use openidconnect::core::CoreJwsSigningAlgorithm;
use vestibule_tests::{app::TestApp, client::userinfo, on_both_engines};

use super::{key_set, silent, verify};

on_both_engines! {
    async fn the_openidconnect_crate_verifies_each(engine) {
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
            let client = app.client_with(&id, |new| new.id_token_alg = algorithm).await;
            let landed = silent(&browser, app.issuer(), &client).await;
            let tokens = client.tokens(&app, &landed).await;
            let token = (&tokens["id_token"], landed.pending.nonce.as_str());
            assert_eq!(verify(&keys, app.issuer(), &client, token), Ok(jws));
            assert!(verify(&keys, app.issuer(), &client, (token.0, "another")).is_err());
            let answer = userinfo(&app, tokens["access_token"].as_str().unwrap()).await;
            assert_eq!(answer.status, 200, "our own token is verified too: {algorithm}");
        }
        // The choice that the older CHECK does not name goes with its client.
        assert_eq!(app.count("SELECT COUNT(*) FROM client_algorithms").await, 1);
        assert_eq!(app.count("SELECT COUNT(*) FROM clients WHERE id = 'client-eddsa' AND id_token_alg = 'RS256'").await, 1);
    }
}
