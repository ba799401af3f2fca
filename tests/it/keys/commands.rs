//! `idp key`, and the choice of an algorithm on the command line.

use serde_json::Value;
use vestibule_tests::{
    db::{Engine, TestDb},
    proc::run,
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

async fn json(served: &ServeSetup, args: &[&str]) -> Value {
    serde_json::from_str(&run(served.command(args), "").await).expect("JSON")
}

#[apply(both_engines)]
async fn key_rotate_replaces_signing_keys(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let listed = json(&served, &["key", "list", "--json"]).await;
    let states = |listed: &Value, alg: &str| -> Vec<String> {
        let keys = listed.as_array().unwrap().iter().filter(|key| key["alg"] == alg);
        keys.map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    for alg in ["RS256", "ES256", "EdDSA"] {
        assert_eq!(states(&listed, alg), ["signing"], "{listed}");
    }
    let rotated =
        json(&served, &["key", "rotate", "--alg", "eddsa", "--reason", "yearly", "--json"]).await;
    assert_eq!((&rotated[0]["alg"], &rotated[0]["published"]), (&"EdDSA".into(), &true.into()));
    let again = run(served.change_command(&["key", "rotate", "--alg", "eddsa"]), "").await;
    assert!(again.contains("is published already and signs from"), "{again}");
    let listed = json(&served, &["key", "list", "--json"]).await;
    assert_eq!(states(&listed, "EdDSA"), ["signing", "waiting"]);
    assert_eq!(states(&listed, "RS256"), ["signing"]);
    let text = run(served.command(&["key", "list"]), "").await;
    assert!(text.contains("published until") && text.contains("waiting"), "{text}");
    let gone =
        run(served.command(&["key", "rotate", "--compromised", "--reason", "a lost backup"]), "")
            .await;
    assert_eq!(gone.matches("signs now").count(), 3, "{gone}");
    let listed = json(&served, &["key", "list", "--json"]).await;
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
}

#[apply(both_engines)]
async fn client_add_accepts_eddsa(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let add = [
        "client",
        "add",
        "app",
        "--profile",
        "web",
        "--redirect-uri",
        "https://app.example/callback",
        "--id-token-alg",
        "eddsa",
    ];
    run(served.change_command(&add), "").await;
    let shown = json(&served, &["client", "show", "app", "--json"]).await;
    assert_eq!(shown["id_token_signed_response_alg"], "EdDSA");
}
