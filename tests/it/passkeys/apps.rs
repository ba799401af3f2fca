//! Apps for phones: the files that phones read, and the origins of their ceremonies.

use idp::config::{AndroidApp, PasskeysConfig};
use serde_json::json;
use store::{PasskeyId, Timestamp, passkey::PasskeyRow};
use vestibule_tests::{
    app::{Options, TestApp},
    db::{Engine, TestDb},
    proc::run,
    serve_process::ServeSetup,
};

use crate::{
    doctor::run_with_env,
    engines::{apply, both_engines},
};

fn apps() -> PasskeysConfig {
    PasskeysConfig {
        rp_id: None,
        android_apps: vec![AndroidApp {
            package: "org.example.portal".to_owned(),
            certificates: vec![[0xA1; 32], [0x0B; 32]],
        }],
        apple_apps: vec!["ABCDE12345.org.example.portal".to_owned()],
    }
}

/// One list makes both files and the origins: a build of the store and one of our own are accepted.
#[apply(both_engines)]
async fn listed_apps_use_passkeys(engine: Engine) {
    let options = Options { passkeys: apps(), ..Options::default() };
    let app = TestApp::start_with(engine, options).await;
    let browser = app.browser();
    let links = browser.get("/.well-known/assetlinks.json").await;
    assert_eq!(links.header("content-type"), "application/json");
    let prints = [["A1"; 32].join(":"), ["0B"; 32].join(":")];
    let target = json!({
        "namespace": "android_app", "package_name": "org.example.portal", "sha256_cert_fingerprints": prints,
    });
    let relations = [
        "delegate_permission/common.handle_all_urls",
        "delegate_permission/common.get_login_creds",
    ];
    assert_eq!(links.json(), json!([{ "relation": relations, "target": target }]));
    let apple = browser.get("/.well-known/apple-app-site-association").await;
    let listed = json!({ "webcredentials": { "apps": ["ABCDE12345.org.example.portal"] } });
    assert_eq!(apple.json(), listed);

    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    // Base64url of 32 times A1, 0B and 0C.
    for (letters, accepted) in [
        ("oaGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaE", true),
        ("CwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCws", true),
        ("DAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw", false),
    ] {
        device.origin = format!("android:apk-key-hash:{letters}");
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&client).await;
        let landed = browser.use_passkey(&start, &mut device).await;
        assert_eq!(landed.location().is_some(), accepted, "{letters}: {}", landed.text());
    }
}

/// Without apps the files are there, and empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_without_apps_are_empty() {
    let app = TestApp::start(Engine::Sqlite).await;
    assert_eq!(app.browser().get("/.well-known/assetlinks.json").await.json(), json!([]));
    let apple = app.browser().get("/.well-known/apple-app-site-association").await.json();
    assert_eq!(apple, json!({ "webcredentials": { "apps": [] } }));
}

/// An RP ID can never be changed: `serve` refuses another one than that of the passkeys in use.
#[apply(both_engines)]
async fn other_rp_id_is_refused(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let add = ["user", "add", "mere@example.org", "--name", "Mere", "--password-stdin"];
    run(served.change_command(&add), "a walk along the river\n").await;
    let opened = db.open().await;
    let found = store::user::by_email(&mut opened.read().await.unwrap(), "mere@example.org").await;
    let (user, at) = (found.unwrap().expect("a person").id, Timestamp::from_millis(1));
    let passkey = PasskeyRow {
        id: PasskeyId::new(at, [7; 10]),
        user_id: user,
        rp_id: "login.example.org".to_owned(),
        credential_id: "AAAA".to_owned(),
        credential: "{}".to_owned(),
        name: "Phone".to_owned(),
        synced: false,
        uses: 0,
        created_at: at,
        last_used_at: at,
    };
    let insert = async |tx: &mut store::Tx| store::passkey::insert(tx, &passkey).await;
    assert!(opened.write(insert).await.expect("it is stored"));
    let (code, out, error) = run_with_env(&served, &["serve"], &[]).await;
    assert_eq!(code, 1, "{out}");
    let why = "passkeys.rp_id: people have passkeys that were made under `login.example.org`";
    assert!((out + &error).contains(why), "{error}");
}
