//! An upgrade as in operation: the program of an earlier commit serves, this build migrates its database, and both serve as
//! replicas of one provider (`scripts/upgrade-check`). Prints the results of people's sign-ins in each phase.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use flows::client::AuthMethod;
use reqwest::Method;
use serde_json::Value;
use vestibule_tests::{
    app::Patient,
    client::{Client, PendingRequest},
    db::{Engine, TestDb},
    http::HttpBrowser,
    proc::{ChildProcess, idp_command, run},
    serve_process::ServeSetup,
    shared_servers::free_port,
};

/// Rounds of each phase; in each round every person signs in once.
const ROUNDS: usize = 5;
const PEOPLE: usize = 4;

/// The old and the new program on one database.
struct Upgrade {
    old_program: PathBuf,
    served: ServeSetup,
    ports: [u16; 2],
    client: Client,
    people: Vec<Patient>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let then = std::env::args().nth(1).expect("the path of the old program");
    let data = TestDb::empty(Engine::Postgres).await;
    let served = ServeSetup::prepare(Engine::Postgres, &data).await;
    let upgrade = Arc::new(Upgrade::prepare(PathBuf::from(then), served).await);
    let mut failed = 0;

    let mut old = upgrade.start(0).await;
    failed += upgrade.phase("the old program alone", [0, 0]).await;
    let (migrated, refused) = tokio::join!(
        upgrade.migrate(),
        upgrade.phase("the same while the database is migrated", [0, 0])
    );
    println!("  {migrated}");
    failed += refused;
    let new = upgrade.start(1).await;
    failed += upgrade.phase("old and new side by side, a step at each", [0, 1]).await;
    old.kill().await;
    old = upgrade.start(0).await;
    failed += upgrade.phase("the old program started anew on the new schema", [0, 1]).await;
    assert!(old.terminate().await.success(), "the old program stops cleanly");
    failed += upgrade.phase("the new program alone", [1, 1]).await;
    drop(new);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether a program requires a reason for every change; an old one has no such option for most commands.
async fn has_reason_option(program: &Path) -> bool {
    let mut help = command_of(program);
    help.args(["user", "add", "--help"]);
    run(help, "").await.contains("--reason")
}

impl Upgrade {
    /// People and a client, added by the old program.
    async fn prepare(then: PathBuf, served: ServeSetup) -> Self {
        let command = |args: &[&str]| {
            let mut command = command_of(&then);
            command.args(args).arg("--config").arg(served.config_file());
            command
        };
        run(command(&["migrate"]), "").await;
        let asks_why = has_reason_option(&then).await;
        let change = |args: &[&str]| {
            let mut command = command(args);
            command.args(["--reason", "test"].iter().take_while(|_| asks_why));
            command
        };
        for (name, value) in [
            ("sign_in.sends_per_day", "100000"),
            ("sign_in.sends_per_hour", "100000"),
            ("sign_in.posts_per_minute_ipv6_48", "1000000"),
            ("sign_in.posts_per_minute", "1000000"),
        ] {
            run(change(&["setting", "set", name, value]), "").await;
        }
        let mut people = Vec::new();
        for nth in 0..PEOPLE {
            let email = format!("patient{nth}@patients.example");
            let password = "a walk along the river".to_owned();
            run(change(&["user", "add", &email, "--password-stdin"]), &password).await;
            people.push(Patient { email, password, name: String::new() });
        }
        let redirect_uri = "https://portal.example/callback";
        let add = ["client", "add", "portal", "--profile", "web", "--first-party", "--json"];
        let mut add = change(&add);
        add.args(["--redirect-uri", redirect_uri]);
        let added: Value = serde_json::from_str(&run(add, "").await).expect("JSON");
        let client = Client {
            id: "portal".to_owned(),
            secret: added["client_secret"].as_str().map(str::to_owned),
            redirect_uri: redirect_uri.to_owned(),
            auth_method: AuthMethod::Basic,
        };
        let ports = [served.port(), free_port()];
        Self { old_program: then, served, ports, client, people }
    }

    /// Starts the old program (0) or the new one (1) and waits until it answers.
    async fn start(&self, nth: usize) -> ChildProcess {
        let mut command = if nth == 0 { command_of(&self.old_program) } else { idp_command() };
        command.args(["serve", "--config"]).arg(self.served.config_file());
        command.env("IDP__LISTEN__PUBLIC", format!("127.0.0.1:{}", self.ports[nth]));
        let serve = ChildProcess::spawn(command);
        let browser = self.browser().at_replica(local(self.ports[nth]));
        serve.wait_until_answering(&browser).await;
        serve
    }

    async fn migrate(&self) -> String {
        run(self.served.command(&["migrate"]), "").await.trim().to_owned()
    }

    fn browser(&self) -> HttpBrowser {
        HttpBrowser::at_issuer(&self.served.issuer())
    }

    /// Signs all people in, in rounds, with the steps spread over two replicas; returns how many were refused.
    async fn phase(self: &Arc<Self>, name: &str, at: [usize; 2]) -> usize {
        let begun = Instant::now();
        let mut refused = 0;
        for round in 0..ROUNDS {
            // Each round begins at the other replica.
            let ports = [self.ports[at[round % 2]], self.ports[at[(round + 1) % 2]]];
            let everybody: Vec<_> = (0..PEOPLE)
                .map(|nth| {
                    let upgrade = self.clone();
                    tokio::spawn(async move { upgrade.sign_in(nth, ports).await })
                })
                .collect();
            for person in everybody {
                // The panic has already printed what went wrong.
                refused += usize::from(person.await.is_err());
            }
        }
        let (all, seconds) = (ROUNDS * PEOPLE, begun.elapsed().as_secs_f64());
        println!("{name}: {} of {all} signed in, {refused} refused, {seconds:.1} s", all - refused);
        refused
    }

    /// Page, password, code, exchange and userinfo, alternating between two replicas.
    async fn sign_in(&self, nth: usize, [here, there]: [u16; 2]) {
        let (patient, browser) = (&self.people[nth], self.browser());
        let (one, two) = (browser.at_replica(local(here)), browser.at_replica(local(there)));
        let mails = self.served.mail.codes_to(&patient.email).len();
        let pending = PendingRequest::new(&self.client);
        let page = one.follow(one.get(pending.url(&self.served.issuer(), &[])).await).await;
        let page = two.submit_password(&page, patient).await;
        assert!(page.has_field("code"), "no code page: {} {}", page.status, page.text());
        let code = self.served.mail.wait_for_code(&patient.email, mails + 1).await;
        let landed = one.submit_code(&page, &code).await.authorization_response(pending);
        let answer = self.client.redeem_at(&two, &landed).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let bearer = format!("Bearer {}", answer.json()["access_token"].as_str().expect("a token"));
        let headers = [("authorization", bearer.as_str())];
        let claims = one.send(Method::GET, "/oauth2/userinfo", &headers, None).await;
        assert_eq!(claims.json()["email"], patient.email.as_str(), "{}", claims.body);
    }
}

/// A command of another program, without our `IDP__` variables.
fn command_of(program: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IDP__")) {
        command.env_remove(name);
    }
    command
}

/// A port on the loopback address.
fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
