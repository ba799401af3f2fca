//! TLS with files: the versions it supports, and a certificate that is renewed while it serves.

use std::os::unix::fs::symlink;

use reqwest::{ClientBuilder, Version, tls::TlsInfo};
use serde_json::Value;
use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    log::CapturedLog,
    tls::write_private_file,
    wait::until,
};

use crate::engines::{apply, both_engines};

async fn app_over_tls(engine: Engine) -> TestApp {
    TestApp::start_with(engine, Options { tls: true, ..Options::default() }).await
}

/// A client that trusts only the test's certificate authority.
fn client(app: &TestApp, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(app.authority().pem().as_bytes()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([root]).no_proxy().tls_info(true);
    change(builder).build().unwrap()
}

/// The certificate that the server presents to a client.
async fn shown_certificate(app: &TestApp, client: &reqwest::Client) -> Vec<u8> {
    let answer = client.get(format!("{}/oauth2/jwks", app.issuer())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let info = answer.extensions().get::<TlsInfo>().expect("over TLS");
    info.peer_certificate().expect("a certificate").to_vec()
}

#[apply(both_engines)]
async fn sign_in_works_over_tls(engine: Engine) {
    let app = app_over_tls(engine).await;
    let (portal, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, _) = browser.open_sign_in_page(&portal).await;
    assert_eq!(page.header("strict-transport-security"), "max-age=63072000; includeSubDomains");
    let cookie = page.header("set-cookie");
    assert!(cookie.starts_with("__Host-browser=") && cookie.contains("; Secure"), "{cookie}");
    let landed = browser.sign_in(&app, &portal, &patient).await;
    assert!(browser.cookie("session").is_some());
    assert_eq!(portal.redeem_at(&browser, &landed).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_serves_http1_and_http2() {
    use reqwest::tls::Version as Tls;
    let app = app_over_tls(Engine::Sqlite).await;
    let jwks = format!("{}/oauth2/jwks", app.issuer());
    let version =
        async |client: reqwest::Client| client.get(&jwks).send().await.map(|a| a.version());
    for tls in [Tls::TLS_1_2, Tls::TLS_1_3] {
        let only = |builder: ClientBuilder| builder.tls_version_min(tls).tls_version_max(tls);
        assert_eq!(version(client(&app, only)).await.unwrap(), Version::HTTP_2, "{tls:?}");
        let old = client(&app, |builder| only(builder).http1_only());
        assert_eq!(version(old).await.unwrap(), Version::HTTP_11, "{tls:?}");
    }
    // A client without the test's authority refuses the certificate, and plain HTTP gets no response.
    assert!(version(reqwest::Client::new()).await.is_err());
    let plain = jwks.replace("https://", "http://");
    assert!(reqwest::get(plain).await.is_err());
}

/// Mounted secrets are symbolic links: the new pair is in older files, to which the links now point.
#[tokio::test]
async fn renewed_certificate_serves_new_connections() {
    let log = CapturedLog::start();
    let app = app_over_tls(Engine::Sqlite).await;
    let old = client(&app, |builder| builder);
    let first = shown_certificate(&app, &old).await;
    let folder = app.authority().folder().to_owned();
    let renewed = app.authority().issue(&["localhost"]);
    std::fs::create_dir(folder.join("renewed")).unwrap();
    std::fs::write(folder.join("renewed/server.pem"), &renewed.cert).unwrap();
    write_private_file(&folder.join("renewed/server.key"), renewed.key.as_bytes());
    for name in ["server.pem", "server.key"] {
        symlink(folder.join("renewed").join(name), folder.join("link")).unwrap();
        std::fs::rename(folder.join("link"), folder.join(name)).unwrap();
    }
    let second = until_shown(&app, |cert| cert != first).await;
    assert_eq!(shown_certificate(&app, &old).await, first, "a connection keeps its certificate");

    // A mismatched pair, an expired certificate and an empty file: the second one stays in use, with an alarm.
    let (one, other) =
        (app.authority().issue(&["localhost"]), app.authority().issue(&["localhost"]));
    let expired = app.authority().issue_until(&["localhost"], 2001);
    for (cert, key, why) in [
        (&one.cert, &other.key, "tls.key: is not the key of the first certificate in tls.cert"),
        (&expired.cert, &expired.key, "expired at 2001-01-01T00:00:00.000Z; renew it"),
        (&String::new(), &one.key, "tls.cert: holds no certificate"),
    ] {
        std::fs::write(folder.join("renewed/server.pem"), cert).unwrap();
        std::fs::write(folder.join("renewed/server.key"), key).unwrap();
        until(why, async || {
            let alarms = log
                .lines("message", "alarm: the new certificate cannot be used; the old one stays");
            let reports_problem = |line: &Value| line["problem"].as_str().unwrap().contains(why);
            if alarms.iter().any(reports_problem) { Ok(()) } else { Err(alarms) }
        })
        .await;
        assert_eq!(shown_certificate(&app, &client(&app, |builder| builder)).await, second);
    }
    std::fs::write(folder.join("renewed/server.pem"), &one.cert).unwrap();
    std::fs::write(folder.join("renewed/server.key"), &one.key).unwrap();
    until_shown(&app, |cert| cert != second).await;
    app.first().ask_to_stop();
}

async fn until_shown(app: &TestApp, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    until("another certificate", async || {
        Some(shown_certificate(app, &client(app, |builder| builder)).await)
            .filter(|cert| wanted(cert))
    })
    .await
}
