//! A client library that is not written in Rust, against the running provider.

use std::path::PathBuf;

use keys::Algorithm;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use url::Url;
use vestibule_tests::{
    app::{Options, TestApp},
    client::{Landed, Pending},
    on_both_engines,
};

/// The Python that `scripts/prepare` has put the library into.
fn python() -> PathBuf {
    let python = vestibule_tests::root().join("target/tools/python/bin/python");
    assert!(python.exists(), "scripts/prepare installs the Python client library");
    python
}

on_both_engines! {
    async fn authlib_signs_a_person_in(engine) {
        signs_a_person_in(&TestApp::start(engine).await).await;
    }

    async fn authlib_signs_a_person_in_over_tls(engine) {
        signs_a_person_in(&TestApp::with(engine, Options { tls: true, ..Options::default() }).await).await;
    }
}

/// With every algorithm. Over TLS the library trusts the authority of the test alone.
async fn signs_a_person_in(app: &TestApp) {
    let patient = app.patient("Mere").await;
    for algorithm in Algorithm::ALL {
        let id = format!("python-{}", algorithm.as_str().to_lowercase());
        let client = app.client_with(&id, |new| new.id_token_alg = algorithm).await;
        let mut process = tokio::process::Command::new(python())
            .arg(vestibule_tests::root().join("tests/clients/relying_party.py"))
            .args([
                app.issuer(),
                &client.id,
                client.secret.as_deref().unwrap(),
                &client.redirect_uri,
            ])
            .args(app.issuer().starts_with("https").then(|| app.authority().file()))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url: Url = lines.next_line().await.unwrap().expect("an address").parse().unwrap();
        let browser = app.browser();
        let page = browser.follow(browser.get(url.as_str()).await).await;
        let mails = app.mail.codes_to(&patient.email).len();
        let page = browser.password(&page, &patient).await;
        let code = app.mail.code(&patient.email, mails + 1).await;
        let Landed { url, .. } = browser.code(&page, &code).await.landed(Pending::new(&client));
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(format!("{url}\n").as_bytes()).await.unwrap();
        let told = lines.next_line().await.unwrap().expect("what it verified");
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["alg"], algorithm.as_str());
        assert_eq!(told["claims"]["acr"], "urn:vestibule:two-step");
        assert_eq!(told["userinfo"]["email"], patient.email);
        assert!(process.wait().await.unwrap().success());
    }
}
