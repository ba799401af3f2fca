//! A stored client: two JSON documents, which this build and a newer one read and write in turns.

use flows::client::{
    Client as Registered, Pkce, Profile,
    registration::{self, ClientChangeError, ClientEdit},
};
use keys::Algorithm;
use serde_json::{Value, json};
use store::{Sql, TokenHash};
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest},
    db::{Engine, TestDb},
    proc::{run, run_with_status},
    serve_process::ServeSetup,
    test_actor,
};

use crate::engines::{apply, both_engines};

const REDIRECT_URI: &str = "https://lab.example/callback";
const POST_LOGOUT_REDIRECT_URI: &str = "https://lab.example/signed-out";

/// A row of `clients`, as another build may have written it.
#[derive(Clone, Debug)]
struct ClientRow {
    profile: &'static str,
    metadata: String,
    operator: String,
    secret: Option<TokenHash>,
}

impl ClientRow {
    /// A valid row as this build writes it.
    fn valid() -> Self {
        let operator = json!({ "first_party": true, "pkce": "required", "sector": "lab.example" });
        let (metadata, operator) = (metadata().to_string(), operator.to_string());
        Self { profile: "web", metadata, operator, secret: Some(keys::hash_text("right")) }
    }

    fn with_metadata(member: &str, value: Value) -> Self {
        let mut metadata = metadata();
        metadata[member] = value;
        Self { metadata: metadata.to_string(), ..Self::valid() }
    }

    async fn insert(&self, app: &TestApp, id: &str) {
        let inserted = app.replica_db().write(async |tx| {
            tx.q("INSERT INTO clients (id, profile, metadata, operator, secret_1, created_at)
                  VALUES ($1, $2, $3, $4, $5, 0)")
                .bind(id)
                .bind(self.profile)
                .bind(&self.metadata)
                .bind(&self.operator)
                .bind(&self.secret)
                .execute()
                .await?;
            tx.q("UPDATE revisions SET version = version + 1 WHERE topic = 'clients'")
                .execute()
                .await
        });
        inserted.await.expect("a row");
    }

    async fn read(db: &store::Db, id: &str) -> (Value, Value) {
        let mut conn = db.read().await.expect("a connection");
        let (metadata, operator): (String, String) = conn
            .q("SELECT metadata, operator FROM clients WHERE id = $1")
            .bind(id)
            .fetch_one()
            .await
            .expect("a row");
        let parse = |text: &str| serde_json::from_str(text).expect("JSON");
        (parse(&metadata), parse(&operator))
    }
}

fn metadata() -> Value {
    json!({
        "client_name": "The lab",
        "application_type": "web",
        "redirect_uris": [REDIRECT_URI],
        "post_logout_redirect_uris": [POST_LOGOUT_REDIRECT_URI],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
    })
}

/// A change of the redirect URIs alone.
fn redirects(uris: &[String]) -> ClientEdit {
    ClientEdit { redirect_uris: Some(uris.to_vec()), ..ClientEdit::default() }
}

/// A client with the id of such a row and a wrong secret.
fn client_with_wrong_secret(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        secret: Some("wrong".to_owned()),
        redirect_uri: REDIRECT_URI.to_owned(),
        auth_method: flows::client::AuthMethod::Basic,
    }
}

/// For each profile, `idp client add` writes what the snapshot has and what `idp client show` prints.
#[apply(both_engines)]
async fn added_client_reads_back_whole(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    for (name, profile, application_type, auth_method, sector) in [
        ("web", Profile::Web, "web", "client_secret_basic", "lab.example"),
        ("browser", Profile::Spa, "web", "none", "lab.example"),
        ("native", Profile::Native, "native", "none", "native"),
    ] {
        let add =
            ["client", "add", name, "--profile", name, "--redirect-uri", REDIRECT_URI, "--json"];
        let added: Value =
            serde_json::from_str(&run(served.change_command(&add), "").await).unwrap();
        assert_eq!(added["client_secret"].is_string(), auth_method != "none", "{name}");
        app.refresh().await;
        let found = app.cx().clients.get(name).unwrap().as_ref().clone();
        let mut wanted = Registered::new(name, profile);
        wanted.metadata.redirect_uris = vec![REDIRECT_URI.to_owned()];
        wanted.operator.clone_from(&found.operator);
        wanted.secret.clone_from(&found.secret);
        assert_eq!((&found, found.secret.is_some()), (&wanted, auth_method != "none"), "{name}");
        let mut document = metadata();
        document["client_name"] = name.into();
        document["application_type"] = application_type.into();
        document["post_logout_redirect_uris"] = json!([]);
        document["token_endpoint_auth_method"] = auth_method.into();
        document["subject_type"] = "pairwise".into();
        let operator = json!({ "first_party": false, "pkce": "required", "sector": sector });
        assert_eq!(
            ClientRow::read(app.replica_db(), name).await,
            (document.clone(), operator),
            "{name}"
        );
        let show = ["client", "show", name, "--json"];
        let shown: Value = serde_json::from_str(&run(served.command(&show), "").await).unwrap();
        for (member, value) in [
            ("client_id", json!(name)),
            ("pkce_required", json!(true)),
            ("first_party", json!(false)),
            ("native", json!(name == "native")),
            ("profile", json!(name)),
            ("auth_method_pinned", json!(false)),
            ("sector", json!(sector)),
        ] {
            document[member] = value;
        }
        assert_eq!(shown, document, "{name}");
    }
}

/// Every option of `idp client add` sets its member.
#[apply(both_engines)]
async fn client_add_options_reach_members(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let options = ["--auth-method", "client_secret_post", "--pkce", "optional", "--first-party"];
    let addresses =
        ["--redirect-uri", REDIRECT_URI, "--post-logout-redirect-uri", POST_LOGOUT_REDIRECT_URI];
    let others = ["--name", "The lab", "--id-token-alg", "es256"];
    let add = ["client", "add", "lab", "--profile", "web"];
    run(served.change_command(&[&add[..], &options, &addresses, &others].concat()), "").await;
    let mut document = metadata();
    document["token_endpoint_auth_method"] = "client_secret_post".into();
    document["id_token_signed_response_alg"] = "ES256".into();
    let operator = json!({
        "first_party": true, "pkce": "optional", "sector": "lab.example", "auth_method_pinned": true,
    });
    assert_eq!(ClientRow::read(&db.open().await, "lab").await, (document, operator));
    for (option, value) in [("--auth-method", "private_key_jwt"), ("--pkce", "plain")] {
        let args = [&add[..], &["--redirect-uri", REDIRECT_URI, option, value]].concat();
        let (code, _, error) = run_with_status(served.change_command(&args), "").await;
        assert!(code == 2 && error.contains("[possible values: "), "{option}: {error}");
    }
    let public = ["--auth-method", "none", "--pkce", "optional", "--redirect-uri", REDIRECT_URI];
    let (code, _, error) =
        run_with_status(served.change_command(&[&add[..], &public].concat()), "").await;
    assert!(code == 1 && error.contains("must use PKCE"), "{error}");
}

/// A newer build has written members that this build cannot interpret; they survive every change by this build.
#[apply(both_engines)]
async fn unknown_members_survive_changes(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let later = json!({ "keys": [{ "kty": "EC", "crv": "P-256" }] });
    let mut row = ClientRow::with_metadata("jwks", later.clone());
    row.operator = row.operator.replacen('{', r#"{"next":[1],"#, 1);
    row.insert(&app, "lab").await;
    run(served.change_command(&["client", "set", "lab", "--id-token-alg", "eddsa"]), "").await;
    let uris = ["https://lab.example:8443/callback".to_owned()];
    registration::edit(&app.cx(), &test_actor(), "lab", &redirects(&uris)).await.unwrap().unwrap();
    let (metadata, operator) = ClientRow::read(app.replica_db(), "lab").await;
    assert_eq!(metadata["jwks"], later);
    assert_eq!(metadata["id_token_signed_response_alg"], "EdDSA");
    assert_eq!(metadata["redirect_uris"], json!(uris));
    assert_eq!(operator["next"], json!([1]));
    let show = ["client", "show", "lab", "--json"];
    let shown: Value = serde_json::from_str(&run(served.command(&show), "").await).unwrap();
    assert_eq!(shown["jwks"], later);
}

/// A newer build has written values that this build cannot interpret: it refuses those clients and serves every other one.
#[apply(both_engines)]
async fn unknown_value_refuses_that_client_alone(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (portal, patient) = (app.client("portal").await, app.patient("Mere").await);
    let unreadable = [
        ("profile", ClientRow { profile: "kiosk", ..ClientRow::valid() }),
        (
            "method",
            ClientRow::with_metadata("token_endpoint_auth_method", json!("private_key_jwt")),
        ),
        (
            "grant",
            ClientRow::with_metadata("grant_types", json!(["authorization_code", "refresh_token"])),
        ),
        ("response", ClientRow::with_metadata("response_types", json!(["code id_token"]))),
        ("algorithm", ClientRow::with_metadata("id_token_signed_response_alg", json!("PS256"))),
        ("subject", ClientRow::with_metadata("subject_type", json!("ephemeral"))),
        ("application", ClientRow::with_metadata("application_type", json!("native"))),
        (
            "pkce",
            ClientRow {
                operator: ClientRow::valid().operator.replace("required", "dpop"),
                ..ClientRow::valid()
            },
        ),
        ("secret", ClientRow { secret: None, ..ClientRow::valid() }),
        ("text", ClientRow { metadata: "no JSON".to_owned(), ..ClientRow::valid() }),
        ("empty", ClientRow { metadata: "{}".to_owned(), ..ClientRow::valid() }),
    ];
    for (id, row) in &unreadable {
        row.insert(&app, id).await;
    }
    ClientRow::valid().insert(&app, "lab").await;
    app.refresh().await;
    let other = app.replica().await;
    for replica in [app.app(), &other.app] {
        let clients = replica.live.snapshot().clients.clone();
        assert_eq!(clients.unusable_count(), unreadable.len());
        assert_eq!(clients.iter().count(), 2, "portal and lab");
    }
    for browser in [app.browser(), app.browser_at(&other)] {
        for (id, _) in &unreadable {
            let page = browser
                .get(PendingRequest::new(&client_with_wrong_secret(id)).url(app.issuer(), &[]))
                .await;
            assert_eq!(page.status, 400, "{id}");
            assert!(page.body.contains("This request cannot be completed"), "{id}");
            let answer = client_with_wrong_secret(id)
                .call_token_at(&browser, &[("grant_type", "authorization_code")])
                .await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["error"]),
                (401, &json!("invalid_client"))
            );
        }
        let page = browser
            .get(PendingRequest::new(&client_with_wrong_secret("lab")).url(app.issuer(), &[]))
            .await;
        assert!(page.has_field("password"), "{}", page.body);
    }
    let landed = app.browser().sign_in(&app, &portal, &patient).await;
    assert!(portal.redeem_tokens(&app, &landed).await["id_token"].is_string());
    other.stop().await;
}

/// The operator's commands name a client that this build cannot read, and change nothing of it but its secret.
#[apply(both_engines)]
async fn commands_name_unusable_clients(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    ClientRow::with_metadata("subject_type", json!("ephemeral")).insert(&app, "lab").await;
    app.client("portal").await;
    let listed = run(served.command(&["client", "list", "--json"]), "").await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["client_id"], &listed[1]["client_id"]),
        (&json!("portal"), &json!("lab"))
    );
    assert!(listed[1]["unusable"].as_str().unwrap().contains("ephemeral"), "{listed}");
    let text = run(served.command(&["client", "list"]), "").await;
    assert!(
        text.lines().any(|line| line.starts_with("lab ") && line.contains("unusable")),
        "{text}"
    );
    for (args, why) in [
        (&["client", "show", "lab"][..], "lab cannot be used by this build"),
        (
            &["client", "set", "lab", "--id-token-alg", "es256", "--reason", "test"],
            "lab cannot be changed by this build",
        ),
        (&["client", "show", "nobody"], "there is no client called nobody"),
    ] {
        let (code, out, error) = run_with_status(served.command(args), "").await;
        assert!(code == 1 && out.is_empty() && error.contains(why), "{code} {out} {error}");
    }
    let secret = registration::rotate_secret(&app.cx(), &test_actor(), "lab").await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'client.changed'").await, 1);
    assert!(secret.is_ok(), "even an unreadable client's secret can be replaced");
    let uris = [REDIRECT_URI.to_owned()];
    let change = registration::edit(&app.cx(), &test_actor(), "lab", &redirects(&uris)).await;
    assert!(matches!(change.unwrap(), Err(ClientChangeError::Unusable(id, _)) if id == "lab"));
    assert_eq!(ClientRow::read(app.replica_db(), "lab").await.0["subject_type"], "ephemeral");
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'client.changed'").await, 1);
}

/// Two members of one document are changed concurrently and repeatedly: neither change is lost.
#[apply(both_engines)]
async fn concurrent_changes_are_both_kept(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.client("lab").await;
    for round in 0..20 {
        let algorithm = Algorithm::ALL[(round + 1) % 3];
        let signed =
            ClientEdit { id_token_signed_response_alg: Some(algorithm), ..ClientEdit::default() };
        let uris = [format!("https://lab.example/{round}")];
        let (one, two, acting) = (app.cx(), app.cx(), test_actor());
        let moved = redirects(&uris);
        let (signed, moved) = tokio::join!(
            registration::edit(&one, &acting, "lab", &signed),
            registration::edit(&two, &acting, "lab", &moved),
        );
        assert!(signed.unwrap().is_ok() && moved.unwrap().is_ok());
        let (metadata, _) = ClientRow::read(app.replica_db(), "lab").await;
        assert_eq!(metadata["id_token_signed_response_alg"], algorithm.as_str());
        assert_eq!(metadata["redirect_uris"], json!(uris));
    }
    let rows = "SELECT COUNT(*) FROM audit WHERE event = 'client.changed' AND client_id = 'lab'";
    assert_eq!(app.count(rows).await, 40);
}

/// A change is written only if its result passes the checks of a registration.
#[apply(both_engines)]
async fn refused_change_writes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.client("lab").await;
    let before = ClientRow::read(app.replica_db(), "lab").await;
    for uri in ["http://lab.example/callback", "org.example.lab:/callback"] {
        let edit = redirects(&[uri.to_owned()]);
        let change = registration::edit(&app.cx(), &test_actor(), "lab", &edit).await;
        assert!(matches!(change.unwrap(), Err(ClientChangeError::Bad(_))), "{uri}");
    }
    assert_eq!(ClientRow::read(app.replica_db(), "lab").await, before);
    assert_eq!(app.count("SELECT COUNT(*) FROM audit WHERE event = 'client.changed'").await, 0);
}

/// RFC 6749, sections 4.1.2.1 and 5.2: a client that is not registered for the code grant gets the error of either endpoint.
#[apply(both_engines)]
async fn unregistered_grant_is_unauthorized(engine: Engine) {
    let app = TestApp::start(engine).await;
    let patient = app.patient("Mere").await;
    let lab = app
        .client_with("lab", |new| {
            new.operator.pkce = Pkce::Optional;
            new.metadata.response_types.clear();
        })
        .await;
    let pending = PendingRequest::new(&lab);
    let browser = app.browser();
    let landed = browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
    assert_eq!(landed.error(), "unauthorized_client");
    let clinic = app.client_with("clinic", |new| new.metadata.grant_types.clear()).await;
    let landed = browser.sign_in(&app, &clinic, &patient).await;
    let answer = clinic.redeem(&app, &landed).await;
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(answer.json()["error"], "unauthorized_client");
    assert_eq!(app.audit_outcomes("token.refused").await, ["unauthorized_client"]);
}
