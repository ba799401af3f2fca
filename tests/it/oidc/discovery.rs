//! The metadata document and the key set: what a client library reads first.

use vestibule_tests::{app::TestApp, db::Engine};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_lists_supported_features() {
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
        ("id_token_signing_alg_values_supported", &["RS256", "ES256", "EdDSA"]),
        ("code_challenge_methods_supported", &["S256"]),
        (
            "token_endpoint_auth_methods_supported",
            &["client_secret_basic", "client_secret_post", "none"],
        ),
        ("scopes_supported", &["openid", "profile", "email", "address", "phone"]),
        ("acr_values_supported", &["urn:vestibule:two-step", "urn:vestibule:mfa", "phr"]),
        ("ui_locales_supported", &["en", "mi"]),
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
    // RFC 8414 defines another path for the same document.
    let other = app.browser().get("/.well-known/oauth-authorization-server").await;
    assert_eq!(other.body, answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_public_distinct_and_cacheable() {
    let app = TestApp::start(Engine::Sqlite).await;
    let answer = app.browser().get("/oauth2/jwks").await;
    let keep = format!("public, max-age={}", flows::signing_keys::MAX_AGE.as_secs());
    assert_eq!(answer.header("cache-control"), keep);
    let set = answer.json();
    let published = set["keys"].as_array().unwrap();
    let mut kids: Vec<_> = published.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys::Algorithm::ALL.len());
    for key in published {
        assert!(["d", "p", "q", "k"].iter().all(|private| key.get(private).is_none()));
    }
}

/// A client revalidates its key set, at any replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unchanged_jwks_is_304() {
    let app = TestApp::start(Engine::Sqlite).await;
    let other = app.replica().await;
    let first = app.browser().get("/oauth2/jwks").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 40, "{tag}");
    for browser in [app.browser(), app.browser_at(&other)] {
        let ask = async |tag: &str| {
            let headers = [("if-none-match", tag)];
            browser.send(reqwest::Method::GET, "/oauth2/jwks", &headers, None).await
        };
        let same = ask(&format!("\"x\", W/{tag}")).await;
        assert_eq!((same.status.as_u16(), same.body.as_str()), (304, ""));
        assert_eq!(same.header("etag"), tag);
        assert_eq!(same.header("cache-control"), first.header("cache-control"));
        let another = ask("\"x\"").await;
        assert_eq!((another.status.as_u16(), &another.body), (200, &first.body));
    }
}
