//! The program as an operator runs it, with secrets that the test can search for.

use std::os::unix::fs::PermissionsExt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use keys::Rng;
use tokio::process::Command;
use url::Url;
use vestibule_tests::{
    client::Client,
    db::{Engine, TestDb},
    http::{HttpBrowser, Response},
    proc::{ChildProcess, run_with_status},
    proxy::Proxy,
    serve_process::ServeSetup,
    shared_servers::closed_port,
    wait,
};

use super::secrets::Secrets;

pub(super) const PASSWORD: &str = "the first password canary 4711";
pub(super) const TYPED_PASSWORD: &str = "a mistyped password canary 4712";
pub(super) const NEW_PASSWORD: &str = "the second password canary 4713";

/// The real address of a server, and the proxy in front of it.
struct ProxiedServer {
    proxy: Proxy,
    port: u16,
}

/// A running `serve`, its configuration and its surroundings, with everything that they output.
pub(super) struct CanaryServe {
    pub(super) served: ServeSetup,
    pub(super) secrets: Secrets,
    pub(super) portal: Client,
    pub(super) lab: Client,
    pub(super) email: String,
    pub(super) other_email: String,
    serve: ChildProcess,
    settings: Vec<(&'static str, String)>,
    servers: Vec<ProxiedServer>,
    /// Dropped together with the program.
    _db: TestDb,
}

/// A code that differs from this one.
pub(super) fn other(code: &str) -> &'static str {
    if code == "135790" { "135791" } else { "135790" }
}

/// Puts a password into the URL of a server, and a proxy in front of it that can be redirected.
async fn behind_proxy(url: &str, user: &str, password: &str) -> (String, ProxiedServer) {
    let mut url: Url = url.parse().expect("an address");
    let port = url.port().expect("a port");
    let proxy = Proxy::start(port).await;
    url.set_port(Some(proxy.port())).expect("a port");
    url.set_username(user).expect("a user");
    url.set_password(Some(password)).expect("a password");
    (url.into(), ProxiedServer { proxy, port })
}

/// The settings of `served` that are not in its configuration file.
async fn settings(
    engine: Engine,
    db: &TestDb,
    secrets: &Secrets,
) -> (Vec<(&'static str, String)>, Vec<ProxiedServer>) {
    let format = if engine == Engine::Sqlite { "text" } else { "json" };
    let mut settings = vec![
        ("IDP__LOG__LEVEL", "trace".to_owned()),
        ("IDP__LOG__FORMAT", format.to_owned()),
        ("IDP__SMTP__USERNAME", "vestibule".to_owned()),
        ("IDP__SMTP__PASSWORD", "smtp-password-canary-4714".to_owned()),
        ("IDP__SHUTDOWN__DELAY", "0s".to_owned()),
    ];
    secrets.add("password of the mail server", "smtp-password-canary-4714");
    // Encoded as SASL PLAIN sends it (RFC 4616).
    secrets.add_bytes("password of the mail server", b"\0vestibule\0smtp-password-canary-4714");
    secrets.add("typo", "canary-typo-4711");
    let mut parts = Vec::new();
    if let Some(redis) = engine.redis_url() {
        for (name, url, user, password) in [
            ("IDP__DATABASE__URL", db.url(), "vestibule", "database-password-canary-4715"),
            ("IDP__EPHEMERAL__URL", redis, "default", "redis-password-canary-4716"),
        ] {
            let (url, part) = behind_proxy(&url, user, password).await;
            secrets.add("password of a part", password);
            settings.push((name, url));
            parts.push(part);
        }
    }
    (settings, parts)
}

/// A unique root key instead of the one that all tests share.
fn draw_root_key(served: &ServeSetup, secrets: &Secrets) {
    let file = served.config_file().with_file_name("root.key");
    let key = Rng::system().bytes::<32>();
    std::fs::write(&file, key).expect("it is ours");
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o077, 0, "readable by the owner only");
    secrets.add_bytes("root key", &key);
}

fn with(mut command: Command, settings: &[(&'static str, String)]) -> Command {
    command.envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
    command
}

/// Adds a client as an operator does: the only command that prints a secret, once.
async fn add_client(
    served: &ServeSetup,
    settings: &[(&'static str, String)],
    args: &[&str],
    secrets: &Secrets,
) -> Client {
    let (id, redirect_uri) = (args[0].to_owned(), format!("https://{}.example/callback", args[0]));
    let add = [&["client", "add"], args, &["--profile", "web", "--json"]].concat();
    let mut command = with(served.change_command(&add), settings);
    command.args(["--redirect-uri", &redirect_uri]);
    let (code, out, error) = run_with_status(command, "").await;
    assert_eq!(code, 0, "{error}");
    let added: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let secret = added["client_secret"].as_str().expect("a secret").to_owned();
    secrets.add("client secret", &secret);
    secrets.look_in("standard error of `client add`", &error);
    let auth_method = flows::client::AuthMethod::Basic;
    Client { id, secret: Some(secret), redirect_uri, auth_method }
}

impl CanaryServe {
    pub(super) async fn start(engine: Engine) -> Self {
        let (db, secrets) = (TestDb::empty(engine).await, Secrets::default());
        let served = ServeSetup::prepare(engine, &db).await;
        draw_root_key(&served, &secrets);
        for password in [PASSWORD, TYPED_PASSWORD, NEW_PASSWORD] {
            secrets.add("password", password);
        }
        let (settings, parts) = settings(engine, &db, &secrets).await;
        let (code, _, error) =
            run_with_status(with(served.command(&["migrate"]), &settings), "").await;
        assert_eq!(code, 0, "{error}");
        let serve = served.serve_with(|command| with(command, &settings)).await;
        let portal = add_client(&served, &settings, &["portal", "--first-party"], &secrets).await;
        let lab = add_client(&served, &settings, &["lab"], &secrets).await;
        let (email, other_email) = ("mere@patients.example", "hemi@patients.example");
        let (email, other_email) = (email.to_owned(), other_email.to_owned());
        let site = Self {
            served,
            secrets,
            portal,
            lab,
            email,
            other_email,
            serve,
            settings,
            servers: parts,
            _db: db,
        };
        for email in [&site.email, &site.other_email] {
            let add = [
                "user",
                "add",
                email,
                "--name",
                "Somebody",
                "--password-stdin",
                "--reason",
                "test",
            ];
            site.run_command_with(&add, &format!("{PASSWORD}\n"), true).await;
        }
        // A change reaches the program within two seconds; until then it refuses the client.
        site.until_known(&["portal", "lab"]).await;
        site
    }

    async fn until_known(&self, clients: &[&str]) {
        for client in clients {
            let to = format!("/oauth2/authorize?client_id={client}");
            let known =
                async || !self.browser().get(&to).await.has_text("client_id is not registered");
            wait::until("the program has the client", known).await;
        }
    }

    pub(super) fn browser(&self) -> HttpBrowser {
        HttpBrowser::at_issuer(&self.served.issuer())
    }

    /// Records the secrets that a browser has now.
    pub(super) fn collect_secrets(&self, browser: &HttpBrowser, answer: &Response) {
        for name in ["browser", "session", "device"] {
            for value in browser.cookie(name).iter().flat_map(|cookie| cookie.split('.')) {
                self.secrets.add(&format!("{name} cookie"), value);
            }
        }
        for form in answer.forms() {
            if !form.value("form").is_empty() {
                self.secrets.add("form token", form.value("form"));
            }
            // Before the first post it is the sealed request; afterwards an id, which is no secret.
            if form.value("attempt").starts_with("s.") {
                self.secrets.add("sealed page", form.value("attempt"));
            }
        }
    }

    /// The Authorization header of the portal.
    pub(super) fn portal_basic(&self) -> String {
        let secret = self.portal.secret.as_deref().expect("a secret");
        format!("Basic {}", BASE64_STANDARD.encode(format!("portal:{secret}")))
    }

    async fn run_command_with(&self, args: &[&str], input: &str, good: bool) {
        let command = with(self.served.command(args), &self.settings);
        let (code, out, error) = run_with_status(command, input).await;
        assert_eq!(code == 0, good, "{args:?}: {out}{error}");
        self.secrets.look_in(&format!("the output of {args:?}"), &format!("{out}{error}"));
    }

    /// Runs a command that succeeds.
    pub(super) async fn run_command(&self, args: &[&str]) {
        self.run_command_with(args, "", true).await;
    }

    /// Runs a command that fails.
    pub(super) async fn run_failing_command(&self, args: &[&str]) {
        self.run_command_with(args, "", false).await;
    }

    /// Runs a command with an error in its configuration.
    pub(super) async fn run_misconfigured(&self, command: &str, (name, value): (&str, &str)) {
        let mut wrong = with(self.served.command(&[command]), &self.settings);
        wrong.env(name, value);
        // The port is in use, so that a `serve` that could start ends too.
        let (_, out, error) = run_with_status(wrong, "").await;
        let place = format!("output of `{command}` with a wrong {name}");
        self.secrets.look_in(&place, &format!("{out}{error}"));
    }

    /// Makes every server unreachable, or reachable again.
    pub(super) fn switch_servers(&self, back: bool) {
        for part in &self.servers {
            part.proxy.move_to(if back { part.port } else { closed_port() });
        }
    }

    pub(super) async fn until_logged(&self, message: &str) {
        self.serve.wait_for_output(message).await;
    }

    /// Stops the program and searches everything that it has output.
    pub(super) async fn finish(&mut self) {
        assert!(self.serve.terminate().await.success());
        let output = self.serve.output();
        for wanted in
            ["/login/code", "/oauth2/token", "/oauth2/jwks", "the mail server accepted a mail"]
        {
            assert!(output.contains(wanted), "no {wanted} in\n{output}");
        }
        println!(
            "{} forms of secrets in none of {} lines of `serve`",
            self.secrets.count(),
            output.lines().count()
        );
        self.secrets.look_in("the output of `serve`", &output);
        self.secrets.assert_no_leaks();
        for person in [&self.email, &self.other_email] {
            assert!(!output.contains(person), "{person} is in the log");
        }
    }
}
