//! Backups: with the root key a restored database works as before; without it, it is useless.

use store::Sql;
use tempfile::TempDir;
use tokio::process::Command;
use vestibule_tests::{
    app::Patient,
    backup::{back_up, restore},
    client::{AuthorizationResponse, Client, PendingRequest},
    db::{Engine, TestDb},
    http::{HttpBrowser, Response},
    proc::{ChildProcess, run},
    serve_process::ServeSetup,
    tls::write_private_file,
};

use crate::engines::{apply, both_engines};

/// `serve` on a database, with people and a client.
struct ServeWithClient {
    served: ServeSetup,
    serve: Option<ChildProcess>,
    data: TestDb,
    client: Client,
}

fn person(name: &str) -> Patient {
    Patient {
        email: format!("{}@patients.example", name.to_lowercase()),
        password: "a walk along the river".to_owned(),
        name: name.to_owned(),
    }
}

impl ServeWithClient {
    async fn start(engine: Engine, people: &[&Patient]) -> Self {
        let data = TestDb::create(engine).await;
        let served = ServeSetup::prepare(engine, &data).await;
        for patient in people {
            let add = ["user", "add", &patient.email, "--name", &patient.name, "--password-stdin"];
            run(served.change_command(&add), &format!("{}\n", patient.password)).await;
        }
        let client = served.add_portal("https://portal.example/callback").await;
        let serve = Some(served.serve().await);
        Self { served, serve, data, client }
    }

    /// A second provider, on a new database with the content of a backup. The root key is the same.
    async fn restore_to_new_database(&self, engine: Engine, backup: &std::path::Path) -> Self {
        let data = TestDb::empty(engine).await;
        restore(backup, &data).await;
        let served = ServeSetup::prepare(engine, &data).await;
        Self { served, serve: None, data, client: self.client.clone() }
    }

    fn browser(&self) -> HttpBrowser {
        HttpBrowser::at_issuer(&self.served.issuer())
    }

    /// Signs in up to the code page.
    async fn sign_in_to_code_page(
        &self,
        browser: &HttpBrowser,
        patient: &Patient,
    ) -> (Response, PendingRequest) {
        let pending = PendingRequest::new(&self.client);
        let url = pending.url(&self.served.issuer(), &[("prompt", "login")]);
        let page = browser.follow(browser.get(url).await).await;
        (browser.submit_password(&page, patient).await, pending)
    }

    async fn sign_in(&self, browser: &HttpBrowser, patient: &Patient) -> AuthorizationResponse {
        let mails = self.served.mail.mails_to(&patient.email).len();
        let (page, pending) = self.sign_in_to_code_page(browser, patient).await;
        let code = self.served.mail.wait_for_code(&patient.email, mails + 1).await;
        let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
        assert_eq!(self.client.redeem_at(browser, &landed).await.status, 200);
        landed
    }

    /// Signing keys, as the command lists them.
    async fn kids(&self) -> Vec<String> {
        let listed = run(self.served.command(&["key", "list", "--json"]), "").await;
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        let keys = listed.as_array().expect("keys").iter();
        keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
    }

    /// Whether a browser is signed in.
    async fn is_signed_in(&self, browser: &HttpBrowser) -> bool {
        let quiet = PendingRequest::new(&self.client);
        let url = quiet.url(&self.served.issuer(), &[("prompt", "none")]);
        browser.get(url).await.authorization_response(quiet).param("code").is_some()
    }

    /// A browser with the cookies of another one, at this provider.
    fn with_cookies_of(&self, other: &HttpBrowser) -> HttpBrowser {
        let browser = self.browser();
        for name in ["browser", "session"] {
            browser.set_cookie(name, &other.cookie(name).expect("signed in"));
        }
        browser
    }
}

/// Makes a command use another root key, under the same id or another.
fn with_root(mut command: Command, id: &str, file: &std::path::Path) -> Command {
    command.env("IDP__KEYS__ROOT_FILE", format!("{id}={}", file.display()));
    command
}

async fn refusal(mut command: Command) -> String {
    let output = command.output().await.expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{command:?}");
    String::from_utf8(output.stderr).expect("text")
}

async fn run_sql(data: &TestDb, sql: &'static str) {
    let db = data.open().await;
    db.write(async |tx| tx.q(sql).execute().await).await.expect("it runs");
    db.close().await;
}

/// A backup during sign-ins; later the original is lost without a clean stop.
#[apply(both_engines)]
async fn restored_backup_signs_people_in(engine: Engine) {
    let (mere, tui) = (person("Mere"), person("Tui"));
    let mut original = ServeWithClient::start(engine, &[&mere, &tui]).await;
    let (hers, his) = (original.browser(), original.browser());
    original.sign_in(&hers, &mere).await;
    original.sign_in(&his, &tui).await;
    let folder = TempDir::new().unwrap();
    let backup = folder.path().join("backup");
    let other = original.browser();
    tokio::join!(original.sign_in(&other, &mere), back_up(&original.data, &backup));
    // After the backup: a reset, which the backup does not contain.
    run(original.served.change_command(&["user", "reset", &tui.email]), "").await;
    assert!(!original.is_signed_in(&his).await);
    original.serve.take().unwrap().kill().await;

    let mut restored = original.restore_to_new_database(engine, &backup).await;
    // Keys that were replaced as stolen after the backup are in it again; they are revoked before the restored provider
    // serves.
    let stolen = restored.kids().await;
    let rotate = ["key", "rotate", "--compromised", "--reason", "restored from a backup"];
    run(restored.served.command(&rotate), "").await;
    let kids = restored.kids().await;
    assert!(
        kids.len() == stolen.len() && kids.iter().all(|kid| !stolen.contains(kid)),
        "{stolen:?} {kids:?}"
    );
    restored.serve = Some(restored.served.serve().await);
    let published = restored.browser().get("/oauth2/jwks").await.body;
    assert!(
        kids.iter().all(|kid| published.contains(kid))
            && stolen.iter().all(|kid| !published.contains(kid))
    );
    restored.sign_in(&restored.browser(), &mere).await;
    assert!(
        restored.is_signed_in(&restored.with_cookies_of(&hers)).await,
        "sessions of the backup continue"
    );
    // Changes after the backup are lost: they must be repeated, and then take effect.
    let his = restored.with_cookies_of(&his);
    assert!(restored.is_signed_in(&his).await);
    run(restored.served.change_command(&["user", "reset", &tui.email]), "").await;
    assert!(!restored.is_signed_in(&his).await);
    // For all people at once: a shorter idle time, ten minutes later.
    restored.serve.take().unwrap().kill().await;
    run_sql(&restored.data, "UPDATE sessions SET last_seen = last_seen - 600000").await;
    let set = ["setting", "set", "session.idle", "5m", "--reason", "restored from a backup"];
    run(restored.served.command(&set), "").await;
    restored.serve = Some(restored.served.serve().await);
    assert!(!restored.is_signed_in(&restored.with_cookies_of(&hers)).await);
    restored.sign_in(&restored.browser(), &mere).await;
}

/// A thief of the backup, with a root key of their own.
#[apply(both_engines)]
async fn backup_without_root_key_opens_nothing(engine: Engine) {
    let mere = person("Mere");
    let original = ServeWithClient::start(engine, &[&mere]).await;
    // During a sign-in: its code is in the mail, and the thief has the browser's cookies, too.
    let browser = original.browser();
    let (page, pending) = original.sign_in_to_code_page(&browser, &mere).await;
    let code = original.served.mail.wait_for_code(&mere.email, 1).await;
    let folder = TempDir::new().unwrap();
    let (backup, root) = (folder.path().join("backup"), folder.path().join("root"));
    back_up(&original.data, &backup).await;
    write_private_file(&root, &[8; 32]);

    let mut stolen = original.restore_to_new_database(engine, &backup).await;
    for (id, why) in
        [("test", "holds another key"), ("2027a", "the root key test is needed and not configured")]
    {
        let said = refusal(with_root(stolen.served.command(&["serve"]), id, &root)).await;
        assert!(said.contains(why) && said.contains("keys.root_file"), "{said}");
        let show = stolen.served.command(&["user", "show", &mere.email]);
        let said = refusal(with_root(show, id, &root)).await;
        assert!(said.contains(why), "{said}");
    }
    // After deletion of all that it cannot open, it starts with keys of its own, and accepts no password and no code.
    for sql in ["DELETE FROM signing_keys", "DELETE FROM root_keys"] {
        run_sql(&stolen.data, sql).await;
    }
    stolen.serve =
        Some(stolen.served.serve_with(|command| with_root(command, "test", &root)).await);
    let (answer, _) = stolen.sign_in_to_code_page(&stolen.browser(), &mere).await;
    assert!(
        !answer.has_field("code") && answer.has_field("password"),
        "{} {}",
        answer.status,
        answer.text()
    );
    assert!(answer.status.is_client_error() || answer.status.is_success(), "{}", answer.status);
    assert_eq!(stolen.served.mail.mails_to(&mere.email).len(), 0);
    let theirs = stolen.browser();
    theirs.set_cookie("browser", &browser.cookie("browser").unwrap());
    let answer = theirs.submit_code(&page, &code).await;
    assert!(answer.location().is_none() && !answer.text().contains("code="), "{}", answer.text());
    // The original provider still accepts the code.
    browser.submit_code(&page, &code).await.authorization_response(pending).code();
}
