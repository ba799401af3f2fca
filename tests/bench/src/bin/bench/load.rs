//! Load: complete sign-ins as a browser makes them, and single requests over eight connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use flows::client::AuthMethod;
use reqwest::header;
use serde_json::Value;
use store::{Db, DbConfig, Sql};
use vestibule_tests::{
    app::Patient,
    client::{Client, PendingRequest},
    crowd::{reference_on_page, wait_until_client_known},
    http::{HttpBrowser, Response},
    mail_server::MailServer,
    proc::run,
};

use crate::server::Server;

const CONNECTIONS: u32 = 8;
const REDIRECT: &str = "https://portal.example/callback";

/// Signs people in repeatedly.
pub(crate) struct LoadGenerator {
    issuer: String,
    client: Client,
    people: Vec<Patient>,
    db: Option<Db>,
    mail: Option<Arc<MailServer>>,
    mailbox: String,
    http: reqwest::Client,
    browser: HttpBrowser,
}

impl LoadGenerator {
    /// People and a client of a `serve`, with limits that a benchmark does not reach.
    pub(crate) async fn new(server: &Server, people: u32) -> Self {
        let operator = server.served.as_ref().expect("a serve");
        for (name, value) in [
            ("sign_in.sends_per_day", "100000"),
            ("sign_in.sends_per_hour", "100000"),
            ("sign_in.posts_per_minute_ipv6_48", "1000000"),
            ("sign_in.posts_per_minute", "1000000"),
        ] {
            run(operator.change_command(&["setting", "set", name, value]), "").await;
        }
        let password = "a walk along the river";
        // A database that is kept has the people of earlier runs.
        let run_id = flows::cx::generate_reference(&keys::Rng::system()).to_lowercase();
        let mut all = Vec::new();
        for nth in 0..people {
            let email = format!("patient{nth}.{run_id}@patients.example");
            run(operator.change_command(&["user", "add", &email, "--password-stdin"]), password)
                .await;
            all.push(Patient { email, password: password.to_owned(), name: String::new() });
        }
        let client = operator.add_client(&format!("portal-{run_id}"), REDIRECT).await;
        let browser = HttpBrowser::at_issuer(&server.issuer);
        wait_until_client_known(&browser, &client).await;
        let config = operator.database();
        let db = Db::open(&config).await.expect("it opens");
        Self {
            issuer: server.issuer.clone(),
            client,
            people: all,
            db: matches!(config, DbConfig::Postgres { .. }).then_some(db),
            mail: Some(Arc::clone(&operator.mail)),
            mailbox: String::new(),
            http: http(),
            browser,
        }
    }

    /// The demo people and the demo client of a `dev`.
    pub(crate) async fn for_dev(server: &Server) -> Self {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let ready = &server.ready;
        let demo = &ready["clients"][0];
        let data = text(&ready["data_dir"]);
        for name in ["sign_in.posts_per_minute_ipv6_48", "sign_in.posts_per_minute"] {
            let mut set = vestibule_tests::proc::idp_command();
            set.args(["setting", "set", name, "1000000", "--data-dir", &data]);
            run(set, "").await;
        }
        let person = &ready["people"][0];
        let (email, password) = (text(&person["email"]), text(&person["password"]));
        Self {
            issuer: server.issuer.clone(),
            client: client(
                &text(&demo["client_id"]),
                demo["client_secret"].as_str(),
                &text(&demo["redirect_uri"]),
            ),
            people: vec![Patient { email, password, name: String::new() }],
            db: None,
            mail: None,
            mailbox: format!("{}.json", text(&ready["mailbox"])),
            http: http(),
            browser: HttpBrowser::at_issuer(&server.issuer),
        }
    }

    /// The issuer.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A browser without cookies, on connections that all browsers share, as behind a proxy that keeps them open.
    pub(crate) fn browser(&self) -> HttpBrowser {
        self.browser.without_cookies()
    }

    /// An authorization request of the client.
    pub(crate) fn authorization_request(&self) -> PendingRequest {
        PendingRequest::new(&self.client)
    }

    /// The person of the `nth` sign-in; people take turns.
    pub(crate) fn person(&self, nth: u32) -> Patient {
        self.people[nth as usize % self.people.len()].clone()
    }

    /// How many mails a person has.
    pub(crate) fn mails(&self, person: &Patient) -> usize {
        self.mail.as_ref().map_or(0, |mail| mail.count(&person.email))
    }

    /// Waits for a code for a page where it was not tried yet. Looks at the mails after the first `before`, because
    /// references repeat.
    pub(crate) async fn wait_for_code(
        &self,
        (person, before): (&Patient, usize),
        page: &Response,
        tried: &[String],
    ) -> Option<String> {
        let reference = reference_on_page(page)?;
        loop {
            let codes = self.mail.as_ref()?.codes_with(&person.email, &reference, before);
            if let Some(code) = codes.into_iter().rfind(|code| !tried.contains(code)) {
                return Some(code);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// An address of the server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// An authorization request.
    pub(crate) fn authorize_url(&self) -> String {
        PendingRequest::new(&self.client).url(&self.issuer, &[])
    }

    /// Write transactions of the database so far. Each takes a transaction number; reads take none.
    pub(crate) async fn write_transactions(&self) -> u32 {
        let Some(db) = &self.db else { return 0 };
        let mut conn = db.read().await.expect("a connection");
        let (id,): (i64,) = conn
            .q("SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)")
            .fetch_one()
            .await
            .expect("a number");
        u32::try_from(id).expect("a young database")
    }

    /// Transactions that sealed rows of the audit trail, each with its lease. Their number depends on seconds, not on
    /// sign-ins.
    pub(crate) async fn sealing_transactions(&self) -> u32 {
        let Some(db) = &self.db else { return 0 };
        let mut conn = db.read().await.expect("a connection");
        let (seals,): (i64,) =
            conn.q("SELECT COUNT(*) FROM audit_seals").fetch_one().await.expect("a number");
        2 * u32::try_from(seals).expect("a young database")
    }

    /// Signs in `count` times, at most 16 people at once, each time in a browser without cookies.
    pub(crate) async fn sign_ins(&self, count: u32, exchange: bool) {
        let left = AtomicU32::new(count);
        let everybody = self.people.iter().take(16).map(|person| async {
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                self.sign_in(person, exchange).await;
            }
        });
        futures_util::future::join_all(everybody).await;
    }

    /// Signs people in repeatedly for a while; returns how long each sign-in took.
    pub(crate) async fn measure_sign_ins(&self, during: Duration) -> Vec<Duration> {
        let begun = Instant::now();
        let everybody = self.people.iter().map(|person| async {
            let mut all = Vec::new();
            while begun.elapsed() < during {
                let one = Instant::now();
                self.sign_in(person, false).await;
                all.push(one.elapsed());
            }
            all
        });
        futures_util::future::join_all(everybody).await.concat()
    }

    async fn sign_in(&self, person: &Patient, exchange: bool) -> HttpBrowser {
        // Connections of its own, as a person's browser has.
        let browser = HttpBrowser::at_issuer(&self.issuer);
        let (page, pending) = browser.open_sign_in_page(&self.client).await;
        let before = self.codes(person).await.len();
        let page = browser.submit_password(&page, person).await;
        assert!(page.has_field("code"), "{} {}", page.status, page.text());
        let code = loop {
            let codes = self.codes(person).await;
            if codes.len() > before {
                break codes.last().expect("one more").clone();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
        if exchange {
            assert_eq!(self.client.redeem_at(&browser, &landed).await.status, 200);
        }
        browser
    }

    async fn codes(&self, person: &Patient) -> Vec<String> {
        if let Some(mail) = &self.mail {
            return mail.codes_to(&person.email);
        }
        let mails: Vec<Value> =
            self.http.get(&self.mailbox).send().await.expect("mails").json().await.expect("JSON");
        mails.iter().rev().filter_map(|mail| mail["code"].as_str().map(str::to_owned)).collect()
    }

    /// The session cookies of new sign-ins.
    pub(crate) async fn sessions(&self, count: usize) -> Vec<String> {
        let mut sessions = Vec::new();
        for person in self.people.iter().cycle().take(count) {
            let browser = self.sign_in(person, true).await;
            sessions.push(format!(
                "vestibule-session={}; vestibule-browser={}",
                browser.cookie("session").expect("one"),
                browser.cookie("browser").expect("one")
            ));
        }
        sessions
    }

    /// The server's CPU time for each GET, over eight connections.
    pub(crate) async fn get_cost(
        &self,
        server: &Server,
        url: &str,
        bearer: Option<&str>,
        count: u32,
    ) -> Duration {
        let get = async || {
            let mut request = self.http.get(url);
            if let Some(bearer) = bearer {
                request = request.header(header::AUTHORIZATION, bearer);
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            answer.bytes().await.expect("a body");
        };
        cost(server, count, get).await.0
    }

    /// The server's CPU time for each silent authorize and exchange, and how many complete each second.
    pub(crate) async fn silent_cost(
        &self,
        server: &Server,
        sessions: &[String],
        count: u32,
    ) -> (Duration, f64) {
        let next = AtomicUsize::new(0);
        let once = async || {
            // In turn: one session gets few codes in a minute without a page.
            let nth = next.fetch_add(1, Ordering::Relaxed) % sessions.len();
            silent_exchange(self, &sessions[nth]).await;
        };
        let (cpu, wall) = cost(server, count, once).await;
        (cpu, 1.0 / wall.as_secs_f64())
    }
}

/// One silent authorize and code exchange; returns the access token.
pub(crate) async fn silent_exchange(load: &LoadGenerator, session: &str) -> String {
    let pending = PendingRequest::new(&load.client);
    let answer =
        load.http.get(pending.url(&load.issuer, &[])).header(header::COOKIE, session).send().await;
    let answer = answer.expect("an answer");
    let location = answer.headers()[header::LOCATION].to_str().expect("an address");
    let location: url::Url = location.parse().expect("an address");
    let code =
        location.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &load.client.redirect_uri),
        ("code_verifier", &pending.verifier),
    ];
    let request = load.http.post(load.url("/oauth2/token")).form(&form);
    let request = request.basic_auth(&load.client.id, load.client.secret.as_deref());
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// CPU time and elapsed time for each piece of work, over eight connections.
async fn cost(server: &Server, count: u32, work: impl AsyncFn()) -> (Duration, Duration) {
    for _ in 0..CONNECTIONS {
        work().await;
    }
    let (cpu, wall) = (server.cpu(), Instant::now());
    let left = AtomicU32::new(count);
    let connections = (0..CONNECTIONS).map(|_| async {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
        {
            work().await;
        }
    });
    futures_util::future::join_all(connections).await;
    (server.cpu().saturating_sub(cpu) / count, wall.elapsed() / count)
}

fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.build().expect("a client")
}

fn client(id: &str, secret: Option<&str>, redirect_uri: &str) -> Client {
    Client {
        id: id.to_owned(),
        secret: secret.map(str::to_owned),
        redirect_uri: redirect_uri.to_owned(),
        auth_method: AuthMethod::Basic,
    }
}
