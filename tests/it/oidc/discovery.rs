//! The metadata document and the keys: what a client library reads first.

use vestibule_tests::{app::TestApp, db::Engine};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_names_what_there_is() {
    let app = TestApp::start(Engine::Sqlite).await;
    let answer = app.browser().get("/.well-known/openid-configuration").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    let issuer = app.issuer();
    assert_eq!(document["issuer"], issuer);
    for (member, path) in [
        ("authorization_endpoint", "/oauth2/authorize"),
        ("token_endpoint", "/oauth2/token"),
        ("userinfo_endpoint", "/oauth2/userinfo"),
        ("jwks_uri", "/oauth2/jwks"),
        ("end_session_endpoint", "/oauth2/logout"),
    ] {
        assert_eq!(document[member], format!("{issuer}{path}"), "{member}");
    }
    for (member, values) in [
        ("response_types_supported", &["code"][..]),
        ("response_modes_supported", &["query"]),
        ("grant_types_supported", &["authorization_code"]),
        ("subject_types_supported", &["public", "pairwise"]),
        ("id_token_signing_alg_values_supported", &["RS256", "ES256"]),
        ("code_challenge_methods_supported", &["S256"]),
        (
            "token_endpoint_auth_methods_supported",
            &["client_secret_basic", "client_secret_post", "none"],
        ),
        ("scopes_supported", &["openid", "profile", "email", "address", "phone"]),
        ("acr_values_supported", &["urn:vestibule:two-step"]),
    ] {
        let found: Vec<_> = document[member]
            .as_array()
            .expect(member)
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        assert_eq!(found, values, "{member}");
    }
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    for unsupported in [
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "claims_parameter_supported",
    ] {
        assert_eq!(document[unsupported], false, "{unsupported}");
    }
    // RFC 8414 names another place for the same document.
    let other = app.browser().get("/.well-known/oauth-authorization-server").await;
    assert_eq!(other.body, answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_public_distinct_and_cacheable() {
    let app = TestApp::start(Engine::Sqlite).await;
    let answer = app.browser().get("/oauth2/jwks").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let set = answer.json();
    let keys = set["keys"].as_array().unwrap();
    let mut kids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), 2);
    for key in keys {
        assert!(["d", "p", "q", "k"].iter().all(|private| key.get(private).is_none()));
    }
}
