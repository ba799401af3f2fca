//! `idp client set` and `remove`: each member changes, each person keeps the `sub`, and nothing outlives a removed client but
//! people's sessions.

use flows::client::{AuthMethod, registration};
use reqwest::Method;
use serde_json::{Value, json};
use store::Sql;
use tokio::process::Command;
use vestibule_tests::{
    app::TestApp,
    client::{Client, PendingRequest, decode_claims, get_userinfo},
    db::{Engine, TestDb},
    http::HttpBrowser,
    proc::{run, run_with_status},
    serve_process::ServeSetup,
    test_actor,
    wait::until_equal,
};

use crate::engines::{apply, both_engines};

const REDIRECT_URI: &str = "https://lab.example/callback";

async fn json_of(command: Command) -> Value {
    serde_json::from_str(&run(command, "").await).unwrap()
}

/// Signs a person in at a client that asks for consent.
async fn consent(
    app: &TestApp,
    client: &Client,
    person: &vestibule_tests::app::Patient,
) -> (HttpBrowser, Value) {
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(app, client, person).await;
    let page = browser.submit_code(&page, &code).await;
    let landed = browser.post(&page.form(), "allow").await.authorization_response(pending);
    (browser, client.redeem_tokens(app, &landed).await)
}

fn sub(tokens: &Value) -> Value {
    decode_claims(tokens["id_token"].as_str().unwrap())["sub"].clone()
}

/// Every option changes its member alone; sector and subject type stay.
#[apply(both_engines)]
async fn client_set_options_reach_members(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let add = ["client", "add", "lab", "--profile", "web", "--redirect-uri", REDIRECT_URI];
    run(served.change_command(&add), "").await;
    let show = async || json_of(served.command(&["client", "show", "lab", "--json"])).await;
    let mut wanted = show().await;
    let (other, after) = ("https://other.example/callback", "https://lab.example/signed-out");
    for (options, changes) in [
        (&["--name", "The lab"][..], &[("client_name", json!("The lab"))][..]),
        (
            &["--policy-uri", "https://lab.example/privacy"],
            &[("policy_uri", json!("https://lab.example/privacy"))],
        ),
        (
            &["--redirect-uri", REDIRECT_URI, "--redirect-uri", other],
            &[("redirect_uris", json!([REDIRECT_URI, other]))],
        ),
        (&["--no-policy-uri"], &[("policy_uri", Value::Null)]),
        (&["--redirect-uri", other, "--redirect-uri", other], &[("redirect_uris", json!([other]))]),
        (&["--post-logout-redirect-uri", after], &[("post_logout_redirect_uris", json!([after]))]),
        (&["--no-post-logout-redirect-uri"], &[("post_logout_redirect_uris", json!([]))]),
        (
            &["--auth-method", "client_secret_post"],
            &[
                ("token_endpoint_auth_method", json!("client_secret_post")),
                ("auth_method_pinned", json!(true)),
            ],
        ),
        (
            &["--auth-method", "any"],
            &[
                ("token_endpoint_auth_method", json!("client_secret_basic")),
                ("auth_method_pinned", json!(false)),
            ],
        ),
        (&["--pkce", "optional"], &[("pkce_required", json!(false))]),
        (&["--pkce", "required"], &[("pkce_required", json!(true))]),
        (&["--first-party", "true"], &[("first_party", json!(true))]),
        (&["--id-token-alg", "es256"], &[("id_token_signed_response_alg", json!("ES256"))]),
        (
            &["--profile", "browser", "--auth-method", "none"],
            &[("profile", json!("browser")), ("token_endpoint_auth_method", json!("none"))],
        ),
        (
            &["--profile", "native"],
            &[
                ("profile", json!("native")),
                ("application_type", json!("native")),
                ("native", json!(true)),
            ],
        ),
    ] {
        let set = [&["client", "set", "lab"], options].concat();
        let said = run(served.change_command(&set), "").await;
        assert!(said.starts_with("Changed lab: "), "{options:?}: {said}");
        for (member, value) in changes {
            wanted[*member] = value.clone();
        }
        wanted.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(show().await, wanted, "{options:?}");
        let again = run(served.change_command(&set), "").await;
        assert!(again.contains("nothing was changed"), "{options:?}: {again}");
    }
    assert_eq!(
        (&wanted["sector"], &wanted["subject_type"]),
        (&json!("lab.example"), &json!("pairwise"))
    );
    // A client that gets a secret is told it once.
    let web = ["client", "set", "lab", "--profile", "web", "--auth-method", "any", "--json"];
    let set = json_of(served.change_command(&web)).await;
    let secret = set["client_secret"].as_str().unwrap();
    assert!(secret.len() >= 43, "{set}");
    assert_change_rows(&served, secret).await;
}

/// One row for each change of [`client_set_options_reach_members`], none where nothing was changed, and no secret in any.
async fn assert_change_rows(served: &ServeSetup, secret: &str) {
    let exported = run(served.command(&["audit", "export", "--event", "client.changed"]), "").await;
    let rows: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 16);
    assert_eq!(
        rows[0]["detail"]["changes"],
        json!({ "client_name": { "before": "lab", "after": "The lab" } })
    );
    assert_eq!(rows[15]["detail"]["client_secret"], "added");
    assert!(!exported.contains(secret));
}

#[apply(both_engines)]
async fn invalid_client_commands_say_why(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let add = ["client", "add", "page", "--redirect-uri", REDIRECT_URI, "--profile"];
    run(served.change_command(&[&add[..], &["browser"]].concat()), "").await;
    let server = ["client", "add", "server", "--redirect-uri", REDIRECT_URI, "--profile", "web"];
    run(served.change_command(&server), "").await;
    let spare = ["client", "add", "spare", "--redirect-uri", REDIRECT_URI, "--profile"];
    for profile in ["browser", "native"] {
        for method in ["any", "client_secret_basic", "client_secret_post"] {
            let args = [&spare[..], &[profile, "--auth-method", method]].concat();
            let (code, _, error) = run_with_status(served.change_command(&args), "").await;
            assert!(code == 1 && error.contains("leave --auth-method out"), "{error}");
        }
    }
    for (args, status, why) in [
        (&["client", "set", "page"][..], 2, "--redirect-uri"),
        (&["client", "set", "page", "--auth-method", "any"], 1, "leave --auth-method out"),
        (&["client", "set", "server", "--profile", "browser"], 1, "also give --auth-method none"),
        (&["client", "set", "page", "--pkce", "optional"], 1, "must use PKCE"),
        (&["client", "set", "page", "--redirect-uri", "http://lab.example/"], 1, "use https"),
        (&["client", "set", "page", "--policy-uri", "javascript:1"], 1, "begins with https://"),
        (
            &["client", "set", "page", "--policy-uri", "https://u:p@lab.example/"],
            1,
            "without a user name and a password",
        ),
        (
            &[
                "client",
                "add",
                "",
                "--profile",
                "browser",
                "--redirect-uri",
                "https://lab.example/",
            ],
            1,
            "a client id is 1 to 64 letters",
        ),
        (&["client", "set", "page", "--name", "\u{202E}x"], 1, "direction"),
        (&["client", "set", "none", "--name", "x"], 1, "there is no client called none"),
        (&["client", "remove", "none"], 1, "there is no client called none"),
        (&["client", "remove", "none", "--yes"], 1, "there is no client called none"),
        (&["client", "remove", "page"], 2, "Give --yes"),
    ] {
        let (code, _, error) = run_with_status(served.change_command(args), "").await;
        assert!(code == status && error.contains(why), "{args:?}: {code} {error}");
    }
    let listed = json_of(served.command(&["client", "list", "--json"])).await;
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
}

/// Another redirect URI on another host, and another kind of client: its people keep their `sub`.
#[apply(both_engines)]
async fn changed_client_keeps_subjects(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let mere = app.patient("Mere").await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    let (browser, before) = consent(&app, &lab, &mere).await;
    let redirect_uri = "https://moved.example/callback".to_owned();
    let moved = ["client", "set", "lab", "--redirect-uri", &redirect_uri, "--first-party", "true"];
    run(served.change_command(&moved), "").await;
    app.refresh().await;
    let lab = Client { redirect_uri, ..lab };
    let pending = PendingRequest::new(&lab);
    let page = browser.get(pending.url(app.issuer(), &[])).await;
    let after = lab.redeem_tokens(&app, &page.authorization_response(pending)).await;
    assert_eq!(sub(&before), sub(&after));
}

/// An attempt that began before its client lost the redirect URI gives that address nothing.
#[apply(both_engines)]
async fn attempt_ends_with_its_redirect_uri(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let (mere, hemi) = (app.patient("Mere").await, app.patient("Hemi").await);
    let portal = app.client("portal").await;
    let lab = app.client_with("lab", |new| new.operator.first_party = false).await;
    let (row, asked, sealed) = (app.browser(), app.browser(), app.browser());
    let (code_page, code, _) = row.sign_in_to_code_page(&app, &portal, &mere).await;
    let (page, other_code, _) = asked.sign_in_to_code_page(&app, &lab, &hemi).await;
    let consent_page = asked.submit_code(&page, &other_code).await;
    let (password_page, _) = sealed.open_sign_in_page(&portal).await;
    for (id, uri) in [("portal", "https://portal.example/new"), ("lab", "https://lab.example/new")]
    {
        run(served.change_command(&["client", "set", id, "--redirect-uri", uri]), "").await;
    }
    app.refresh().await;
    let answers = [
        row.submit_code(&code_page, &code).await,
        row.post(&code_page.form(), "cancel").await,
        asked.post(&consent_page.form(), "allow").await,
        asked.post(&consent_page.form(), "deny").await,
        sealed.submit_password(&password_page, &mere).await,
    ];
    for answer in answers {
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{}", answer.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, 0);
}

/// A request that was made without PKCE, while that was allowed, ends when its client must use it.
#[apply(both_engines)]
async fn required_pkce_ends_older_requests(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let mere = app.patient("Mere").await;
    let portal =
        app.client_with("portal", |new| new.operator.pkce = flows::client::Pkce::Optional).await;
    let pending = PendingRequest::new(&portal);
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let (sealed, row) = (app.browser(), app.browser());
    let page = sealed.get(pending.url(app.issuer(), &bare)).await;
    let start = row.get(pending.url(app.issuer(), &bare)).await;
    let code_page = row.submit_password(&start, &mere).await;
    let code = app.mail.wait_for_code(&mere.email, 1).await;
    let params = pending.params(&bare);
    let posted = sealed.send(Method::POST, "/oauth2/authorize", &[], Some(&params)).await;
    let posted = posted.location().expect("a redirect").to_string();
    run(served.change_command(&["client", "set", "portal", "--pkce", "required"]), "").await;
    app.refresh().await;
    for answer in [
        sealed.submit_password(&page, &mere).await,
        sealed.get(&posted).await,
        row.submit_code(&code_page, &code).await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{}", answer.text());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM grants").await, 0);
}

/// What a removed client had ends at once, on each replica; people stay signed in.
#[apply(both_engines)]
async fn removed_client_leaves_only_sessions(engine: Engine) {
    let app = TestApp::start(engine).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let mere = app.patient("Mere").await;
    let (portal, lab) = (
        app.client("portal").await,
        app.client_with("lab", |new| new.operator.first_party = false).await,
    );
    let (browser, tokens) = consent(&app, &lab, &mere).await;
    let pending = PendingRequest::new(&lab);
    let unredeemed =
        browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
    let other = app.replica().await;
    let there = app.browser_at(&other);
    let (code, _, said) =
        run_with_status(served.change_command(&["client", "remove", "lab"]), "").await;
    assert_eq!(code, 2, "{said}");
    for part in ["2 grants", "1 consents", "People stay signed in", "Nothing was changed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await.status, 200);
    let remove = ["client", "remove", "lab", "--yes", "--json"];
    let ended = json_of(served.change_command(&remove)).await;
    assert_eq!((&ended["grants"], &ended["consents"]), (&json!(2), &json!(1)));
    assert_eq!(get_userinfo(&app, tokens["access_token"].as_str().unwrap()).await.status, 401);
    for table in ["grants", "consents", "auth_codes"] {
        let sql: &'static str = match table {
            "grants" => "SELECT COUNT(*) FROM grants",
            "consents" => "SELECT COUNT(*) FROM consents",
            _ => "SELECT COUNT(*) FROM auth_codes",
        };
        assert_eq!(app.count(sql).await, 0, "{table}");
    }
    for at in [&app.browser(), &there] {
        let status =
            async || at.get(PendingRequest::new(&lab).url(app.issuer(), &[])).await.status.as_u16();
        until_equal("the removed client", 400, status).await;
    }
    assert_eq!(lab.redeem(&app, &unredeemed).await.status, 401, "the client is unknown");
    let pending = PendingRequest::new(&portal);
    let quiet = browser.get(pending.url(app.issuer(), &[("prompt", "none")])).await;
    quiet.authorization_response(pending).code();
    assert_eq!(app.audit_outcomes("client.removed").await, ["ok"]);
    other.stop().await;
}

/// More rows than one transaction deletes, between those of another client.
#[apply(both_engines)]
async fn client_with_many_rows_is_removed(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (lab, portal) = (app.client("lab").await, app.client("portal").await);
    let insert =
        "INSERT INTO attempts (id, browser, goal, client_id, request, state, version, created_at)
                  VALUES ($1, $2, 'client', $3, '{}', '{}', 1, $4)";
    let now = app.cx().now;
    let fill = async |tx: &mut store::Tx| {
        for nth in 0..2_500_u64 {
            let client = if nth % 5 == 0 { &portal } else { &lab };
            let mut random = [0; 10];
            random[..8].copy_from_slice(&nth.to_be_bytes());
            let id = store::AttemptId::new(store::Timestamp::from_millis(1), random);
            let row = tx.q(insert).bind(id).bind(&[0_u8; 32][..]).bind(&client.id).bind(now);
            row.execute().await?;
        }
        Ok::<_, store::Error>(())
    };
    app.replica_db().write(fill).await.unwrap();
    let removed = registration::remove(&app.cx(), &test_actor(), "lab").await.unwrap().unwrap();
    assert_eq!(removed.attempts, 2_000);
    assert_eq!(app.count("SELECT COUNT(*) FROM attempts").await, 500);
}

/// A client from before the pin, registered for either method, may use both.
#[apply(both_engines)]
async fn secret_is_accepted_by_either_method(engine: Engine) {
    let app = TestApp::start(engine).await;
    for (id, registered) in [("basic", AuthMethod::Basic), ("post", AuthMethod::Post)] {
        let client =
            app.client_with(id, |new| new.metadata.token_endpoint_auth_method = registered).await;
        for auth_method in [AuthMethod::Basic, AuthMethod::Post] {
            let client = Client { auth_method, ..client.clone() };
            let params = [("grant_type", "authorization_code"), ("code", "none")];
            let answer = client.call_token(&app, &params).await;
            assert_eq!(answer.json()["error"], "invalid_grant", "{id} {auth_method:?}");
            let wrong = Client { secret: Some("wrong".to_owned()), ..client };
            assert_eq!(wrong.call_token(&app, &params).await.status, 401, "{id} {auth_method:?}");
        }
    }
}

/// The method is named to the holder of the secret, and to no other caller.
#[apply(both_engines)]
async fn pinned_method_is_named_after_right_secret(engine: Engine) {
    let app = TestApp::start(engine).await;
    let lab = app
        .client_with("lab", |new| {
            new.metadata.token_endpoint_auth_method = AuthMethod::Basic;
            new.operator.auth_method_pinned = true;
        })
        .await;
    let params = [("grant_type", "authorization_code"), ("code", "none")];
    assert_eq!(lab.call_token(&app, &params).await.json()["error"], "invalid_grant");
    let posted = Client { auth_method: AuthMethod::Post, ..lab.clone() };
    for (client, named) in
        [(posted.clone(), true), (Client { secret: Some("wrong".to_owned()), ..posted }, false)]
    {
        let answer = client.call_token(&app, &params).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]),
            (401, &json!("invalid_client"))
        );
        let said = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert_eq!(said.contains("client_secret_basic"), named, "{said}");
    }
    let named = "SELECT COUNT(*) FROM audit WHERE event = 'token.refused' AND detail LIKE '%client_secret_basic alone%'";
    assert_eq!(app.count(named).await, 1, "the audit trail says it too");
}
