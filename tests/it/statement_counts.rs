//! What a sign-in costs the database, as PostgreSQL itself counts it (`pg_stat_statements`): each statement of its requests
//! and of its mail, including `BEGIN` and `COMMIT`.
//!
//! Nothing else is counted, and no statement is left out because of its text. Requests use a database role of their own;
//! background work (polling, sealing, sweeping) uses another. No worker runs: the test claims, sends and settles the mail
//! with the functions of the worker.

use std::{fmt, sync::Arc, time::Duration};

use flows::jobs::ClaimRequest;
use idp::jobs::LANES;
use store::DbConfig;
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::{Client, PendingRequest},
    db::TestDb,
    dedicated_servers::DedicatedPostgres,
    http::HttpBrowser,
};

const DATABASE: &str = "counted";
/// The extension counts only if it is loaded when the server starts.
const PRELOAD_SETTINGS: &[&str] = &["shared_preload_libraries=pg_stat_statements"];
/// The statements of the requests' role, with the number of calls since the last reset. Statements that open a connection
/// are counted separately (`store/src/db/engine.rs`).
const STATEMENTS: &str = "SELECT calls || E'\\t' || regexp_replace(query, E'\\\\s+', ' ', 'g')
    FROM pg_stat_statements WHERE userid = 'requests'::regrole
    ORDER BY calls DESC, query";

/// Statements, and how often each ran.
#[derive(Clone, Debug, Default)]
struct Statements(Vec<(u64, String)>);

impl Statements {
    fn count(&self) -> u64 {
        self.0.iter().map(|(calls, _)| calls).sum()
    }

    fn calls_of(&self, text: &str) -> u64 {
        self.0.iter().filter(|(_, query)| query == text).map(|(calls, _)| calls).sum()
    }

    /// The statements of a table: those that write to it or name it first.
    fn table(&self, table: &str) -> u64 {
        let words = [" FROM ", "INSERT INTO ", "UPDATE "].map(|before| format!("{before}{table} "));
        let first = |query: &str| {
            let at = |word: &str| format!(" {query} ").find(word);
            let tables =
                [" FROM ", "INSERT INTO ", "UPDATE "].iter().filter_map(|word| at(word)).min();
            words.iter().filter_map(|word| at(word)).min() == tables && tables.is_some()
        };
        self.0.iter().filter(|(_, query)| first(query)).map(|(calls, _)| calls).sum()
    }
}

impl fmt::Display for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (calls, query) in &self.0 {
            writeln!(f, "  {calls:3} {}", query.chars().take(150).collect::<String>())?;
        }
        Ok(())
    }
}

/// A part of a sign-in, and its statements.
#[derive(Debug)]
struct SignInPart {
    name: &'static str,
    statements: Statements,
}

/// The statements of a complete sign-in.
#[derive(Debug, Default)]
struct Costs(Vec<SignInPart>);

impl Costs {
    fn sum(&self, count: impl Fn(&Statements) -> u64) -> u64 {
        self.0.iter().map(|part| count(&part.statements)).sum()
    }

    fn count(&self) -> u64 {
        self.sum(Statements::count)
    }

    /// Commits of transactions, and the claim of the mail, which is a transaction by itself.
    fn commits(&self) -> u64 {
        let claims =
            |(_, query): &&(u64, String)| query.starts_with("UPDATE jobs SET locked_until");
        let alone = |all: &Statements| all.0.iter().filter(claims).map(|(calls, _)| calls).sum();
        self.sum(|statements| statements.calls_of("COMMIT")) + self.sum(alone)
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for SignInPart { name, statements } in &self.0 {
            writeln!(f, "{name}: {}\n{statements}", statements.count())?;
        }
        for table in TABLES {
            write!(f, "{table} {}, ", self.sum(|statements| statements.table(table)))?;
        }
        let [begun, committed] = ["BEGIN", "COMMIT"].map(|text| self.sum(|all| all.calls_of(text)));
        writeln!(f, "BEGIN {begun}, COMMIT {committed}")
    }
}

const TABLES: [&str; 14] = [
    "attempts",
    "audit",
    "auth_codes",
    "consents",
    "devices",
    "email_challenges",
    "grants",
    "jobs",
    "passwords",
    "sessions",
    "sign_ins",
    "throttles",
    "users",
    "wrong_codes",
];

/// A provider whose statements are counted.
struct CountedApp {
    server: Arc<DedicatedPostgres>,
    app: TestApp,
}

impl CountedApp {
    async fn start() -> Self {
        let server = spawn(|| Arc::new(DedicatedPostgres::start_with(PRELOAD_SETTINGS))).await;
        let url = {
            let server = Arc::clone(&server);
            spawn(move || {
                server.run_sql("postgres", "CREATE ROLE requests SUPERUSER LOGIN");
                let url = server.database(DATABASE);
                server.run_sql(DATABASE, "CREATE EXTENSION pg_stat_statements");
                url
            })
            .await
        };
        let role = url.replace("vestibule@", "requests@");
        let for_requests = Some(DbConfig::Postgres { url: role, max_connections: 8 });
        let options = Options { request_db: for_requests, ..Options::default() };
        let app = TestApp::start_on(TestDb::at_url(url).await, None, options).await;
        Self { server, app }
    }

    async fn run_sql(&self, text: &'static str) -> String {
        let server = Arc::clone(&self.server);
        spawn(move || server.run_sql(DATABASE, text)).await
    }

    /// Runs a part of a sign-in and adds its statements.
    async fn count_part<T>(
        &self,
        costs: &mut Costs,
        name: &'static str,
        work: impl Future<Output = T>,
    ) -> T {
        self.run_sql("SELECT pg_stat_statements_reset()").await;
        let done = work.await;
        let lines = self.run_sql(STATEMENTS).await;
        let read = |line: &str| {
            let (calls, query) = line.split_once('\t').expect("a count and a text");
            (calls.parse().expect("a number"), query.to_owned())
        };
        costs
            .0
            .push(SignInPart { name, statements: Statements(lines.lines().map(read).collect()) });
        done
    }

    /// Runs the due jobs in the lane of codes, as its worker does.
    async fn send_mail(&self) {
        let (app, lane) = (self.app.app(), LANES[0]);
        let lease = Duration::from_mins(1);
        let cx = app.system_cx(lane.job_name);
        let wanted = ClaimRequest { lane: lane.name, limit: 8, lease, is_notified: true };
        let claimed = flows::jobs::claim(&cx, &app.job_kinds, wanted).await.unwrap();
        assert_eq!(claimed.len(), 1, "one mail");
        for claimed in &claimed {
            let end = (lane.attempt)(app, claimed).await.unwrap();
            flows::jobs::settle(&app.system_cx(lane.job_name), claimed, &end).await.unwrap();
        }
    }

    /// Signs in with both steps in a new browser and redeems the code.
    async fn sign_in(&self, client: &Client, patient: &Patient) -> (HttpBrowser, Costs) {
        let (browser, mut costs) = (self.app.browser(), Costs::default());
        let costed = &mut costs;
        let (page, pending) =
            self.count_part(costed, "page", browser.open_sign_in_page(client)).await;
        let form = page.form().with("email", &patient.email).with("password", &patient.password);
        let answer = self.count_part(costed, "password", browser.post(&form, "continue")).await;
        self.count_part(costed, "mail", self.send_mail()).await;
        let page = self.count_part(costed, "code page", browser.follow(answer)).await;
        let mails = self.app.mail.codes_to(&patient.email).len();
        let code = self.app.mail.wait_for_code(&patient.email, mails).await;
        let form = page.form().with("code", &code);
        let answer = self.count_part(costed, "code", browser.post(&form, "continue")).await;
        let landed = browser.follow(answer).await.authorization_response(pending);
        let tokens = self.count_part(costed, "exchange", client.redeem_at(&browser, &landed)).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        (browser, costs)
    }

    /// Gets a code without a page, with the session, and redeems it.
    async fn silent(&self, browser: &HttpBrowser, client: &Client) -> Costs {
        let mut costs = Costs::default();
        let pending = PendingRequest::new(client);
        let url = pending.url(self.app.issuer(), &[("prompt", "none")]);
        let answer = self.count_part(&mut costs, "silent code", browser.get(url)).await;
        let landed = answer.authorization_response(pending);
        let tokens = client.redeem_at(browser, &landed);
        let tokens = self.count_part(&mut costs, "exchange", tokens).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        costs
    }
}

async fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

/// One person has signed in before, so that opening connections and preparing statements are not counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_statement_count_is_bounded() {
    let counted = CountedApp::start().await;
    let client = counted.app.client("portal").await;
    let (first, second) = (counted.app.patient("Hemi").await, counted.app.patient("Mere").await);
    counted.sign_in(&client, &first).await;
    let (_, costs) = counted.sign_in(&client, &second).await;
    println!("a sign-in: {}\n{costs}", costs.count());
    assert!(costs.count() <= 46, "{} statements:\n{costs}", costs.count());
    assert!(costs.commits() <= 6, "{} commits:\n{costs}", costs.commits());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_code_statement_count_is_bounded() {
    let counted = CountedApp::start().await;
    let (portal, records) =
        (counted.app.client("portal").await, counted.app.client("records").await);
    let patient = counted.app.patient("Mere").await;
    let (browser, _) = counted.sign_in(&portal, &patient).await;
    counted.silent(&browser, &records).await;
    let costs = counted.silent(&browser, &records).await;
    println!("a silent code: {}\n{costs}", costs.count());
    // Two transactions; 8 statements without `BEGIN` and `COMMIT`, one of which voids older codes of the session.
    let frames = costs.sum(|all| all.calls_of("BEGIN") + all.calls_of("COMMIT"));
    assert_eq!(frames, 4, "{costs}");
    assert!(costs.count() - frames <= 8, "{} statements:\n{costs}", costs.count());
}

/// One statement reads attempt, person, device and challenge: to judge the code, for the redirect to the page with the result,
/// and for that page. Another one finds the person's other mails, whose code it might be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_code_statement_count_is_bounded() {
    let counted = CountedApp::start().await;
    let client = counted.app.client("portal").await;
    let patient = counted.app.patient("Mere").await;
    let browser = counted.app.browser();
    let (page, _pending) = browser.open_sign_in_page(&client).await;
    let form = page.form().with("email", &patient.email).with("password", &patient.password);
    let page = browser.follow(browser.post(&form, "continue").await).await;
    for code in ["000000", "000001"] {
        let (form, mut costs) = (page.form().with("code", code), Costs::default());
        let answer = counted.count_part(&mut costs, "code", browser.post(&form, "continue")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(costs.count() <= 14, "{} statements:\n{costs}", costs.count());
        for (table, most) in
            [("users", 0), ("devices", 0), ("attempts", 3), ("email_challenges", 3)]
        {
            let read_or_written = costs.sum(|all| all.table(table));
            assert!(read_or_written <= most, "{table}: {read_or_written}\n{costs}");
        }
    }
}
