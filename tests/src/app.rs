//! Vestibule inside the test process: real listeners, a real database, real mail over SMTP, and a clock that tests move
//! instead of sleeping.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use flows::{
    account::{
        create::{self, NewUser},
        standard_claims::StandardClaims,
    },
    client::{Client as Registered, Profile, registration},
    email::EmailAddress,
    jobs::JobKind,
    settings::{self, Setting},
    staff::reset,
};
use idp::{
    app::App,
    clock::{Clock, ClockShift},
    config::{Issuer, LimitsConfig, PasskeysConfig, ShutdownConfig},
    jobs::Lane,
};
use keys::{Algorithm, HasherConfig};
use store::{Db, DbConfig};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};

use crate::{
    client::Client,
    db::{Engine, TestDb},
    http::HttpBrowser,
    mail_server::MailServer,
    test_actor,
    tls::CertificateAuthority,
    wait,
};

mod config;
mod replica_builder;

pub use config::{HOME, TEST_ROOT_KEYS, root_keys, root_keys_of, smtp_toml};
use replica_builder::ReplicaBuilder;
pub(crate) use replica_builder::create_signing_keys;

/// Options of a provider that a test may change.
#[derive(Clone, Debug)]
pub struct Options {
    /// RP ID and apps of passkeys.
    pub passkeys: PasskeysConfig,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub proxies: Vec<&'static str>,
    /// The hashing pool.
    pub hashing: HasherConfig,
    /// Whether the public listener speaks TLS; its authority is [`TestApp::authority`].
    pub tls: bool,
    /// Limits for one client address.
    pub limits: LimitsConfig,
    /// The times of a stop.
    pub shutdown: ShutdownConfig,
    /// The time limit of one attempt to send one mail.
    pub smtp_timeout: Duration,
    /// Jobs in addition to those of the program.
    pub jobs: ExtraJobs,
    /// A separate connection to the same database for requests only. Background work keeps its own, and no worker runs, so
    /// that jobs wait until the test runs them.
    pub request_db: Option<DbConfig>,
}

/// Kinds of jobs in addition to those of the program, and lanes that run them.
#[derive(Clone, Debug, Default)]
pub struct ExtraJobs {
    /// The kinds.
    pub kinds: Vec<JobKind>,
    /// The lanes.
    pub lanes: Vec<Lane>,
}

impl Default for Options {
    fn default() -> Self {
        let hashing = HasherConfig { threads: 2, queue: 1000, wait: Duration::from_secs(30) };
        let shutdown = ShutdownConfig { delay: Duration::ZERO, grace: Duration::from_secs(20) };
        // All browsers of a test come from one address.
        let limits = LimitsConfig {
            connections_per_network: 4096,
            requests: 16_000,
            requests_per_network: 16_000,
            ..LimitsConfig::default()
        };
        let smtp_timeout = Duration::from_secs(5);
        Self {
            passkeys: PasskeysConfig::default(),
            proxies: Vec::new(),
            hashing,
            tls: false,
            limits,
            shutdown,
            smtp_timeout,
            jobs: ExtraJobs::default(),
            request_db: None,
        }
    }
}

/// A provider with its mail server and its database. Dropping it ends everything.
#[derive(Debug)]
pub struct TestApp {
    /// The mail server.
    pub mail: Arc<MailServer>,
    /// Moves the clock of every replica.
    pub clock: ClockShift,
    /// The database.
    pub db: TestDb,
    issuer: Issuer,
    options: Options,
    time: Clock,
    redis: Option<String>,
    authority: Option<CertificateAuthority>,
    first: Replica,
}

/// What another replica may have different from the first.
#[derive(Clone, Debug, Default)]
pub struct ReplicaOptions {
    /// A separate clock.
    pub clock: Option<Clock>,
    /// Other root keys, the current one first.
    pub root: Option<&'static [(&'static str, u8)]>,
    /// Jobs that the first replica does not have.
    pub jobs: Option<ExtraJobs>,
}

/// One running replica.
#[derive(Debug)]
pub struct Replica {
    /// Its state.
    pub app: App,
    /// Its public listener.
    pub address: SocketAddr,
    /// Its ops listener.
    pub ops: SocketAddr,
    stop: mpsc::UnboundedSender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// A person with an account.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Address.
    pub email: String,
    /// Password.
    pub password: String,
    /// Full name.
    pub name: String,
}

impl Replica {
    /// Requests a stop, as a signal does.
    pub fn ask_to_stop(&self) {
        self.stop.send(()).expect("it runs");
    }

    /// Requests a stop and waits until everything in flight is finished.
    pub async fn stop(self) {
        self.ask_to_stop();
        self.wait_until_stopped().await;
    }

    /// Waits until it has stopped.
    pub async fn wait_until_stopped(mut self) {
        let stopped = wait::until_done("the replica stops", &mut self.task).await;
        stopped.expect("no panic").expect("it stops cleanly");
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TestApp {
    /// Starts a provider on an engine.
    pub async fn start(engine: Engine) -> Self {
        Self::start_with(engine, Options::default()).await
    }

    /// Starts a provider with changed options.
    pub async fn start_with(engine: Engine, options: Options) -> Self {
        Self::start_on(TestDb::create(engine).await, engine.redis_url(), options).await
    }

    /// Starts a provider on the test's own servers.
    pub async fn start_on(db: TestDb, redis: Option<String>, options: Options) -> Self {
        let mail = Arc::new(MailServer::start().await);
        let (time, clock) = Clock::shifted();
        let public = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = public.local_addr().expect("bound").port();
        let authority = options.tls.then(CertificateAuthority::new);
        let scheme = if options.tls { "https" } else { "http" };
        let issuer = Issuer::parse(&format!("{scheme}://localhost:{port}")).expect("an issuer");
        let build = ReplicaBuilder {
            options: &options,
            issuer: &issuer,
            time: &time,
            mail: &mail,
            redis: redis.as_deref(),
            authority: authority.as_ref(),
            root: TEST_ROOT_KEYS,
            jobs: &options.jobs,
        };
        let first = build.start(&db, public).await;
        Self { mail, clock, db, issuer, options, time, redis, authority, first }
    }

    /// Another replica of the same provider, on the same database.
    pub async fn replica(&self) -> Replica {
        self.replica_with(ReplicaOptions::default()).await
    }

    /// Another replica on another machine, whose clock can be wrong.
    pub async fn replica_with_own_clock(&self) -> (Replica, ClockShift) {
        let (time, hand) = self.time.stepped();
        (
            self.replica_with(ReplicaOptions { clock: Some(time), ..ReplicaOptions::default() })
                .await,
            hand,
        )
    }

    /// Another replica on another machine, whose clock is ahead by `by` at its start, and the means to correct it.
    pub async fn replica_with_clock_ahead(&self, by: Duration) -> (Replica, ClockShift) {
        let (time, hand) = self.time.stepped();
        hand.advance(by);
        (
            self.replica_with(ReplicaOptions { clock: Some(time), ..ReplicaOptions::default() })
                .await,
            hand,
        )
    }

    /// Another replica that differs from the first.
    pub async fn replica_with(&self, otherwise: ReplicaOptions) -> Replica {
        let public = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let build = ReplicaBuilder {
            options: &self.options,
            issuer: &self.issuer,
            time: otherwise.clock.as_ref().unwrap_or(&self.time),
            mail: &self.mail,
            redis: self.redis.as_deref(),
            authority: self.authority.as_ref(),
            root: otherwise.root.unwrap_or(TEST_ROOT_KEYS),
            jobs: otherwise.jobs.as_ref().unwrap_or(&self.options.jobs),
        };
        build.start(&self.db, public).await
    }

    /// Replaces the first replica, which is returned and still runs.
    pub fn swap_first(&mut self, next: Replica) -> Replica {
        std::mem::replace(&mut self.first, next)
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// The state of the first replica.
    pub fn app(&self) -> &App {
        &self.first.app
    }

    /// The first replica.
    pub fn first(&self) -> &Replica {
        &self.first
    }

    /// The database, as the first replica has it open.
    pub fn replica_db(&self) -> &Db {
        &self.first.app.db
    }

    /// The authority that a client must trust, when the provider speaks TLS.
    pub fn authority(&self) -> &CertificateAuthority {
        self.authority.as_ref().expect("options.tls")
    }

    /// A browser without cookies, at the first replica.
    pub fn browser(&self) -> HttpBrowser {
        match &self.authority {
            Some(authority) => HttpBrowser::over_tls(self.issuer.as_str(), &authority.pem()),
            None => HttpBrowser::new(self.issuer.as_str(), self.first.address),
        }
    }

    /// A browser without cookies, at another replica.
    pub fn browser_at(&self, replica: &Replica) -> HttpBrowser {
        HttpBrowser::new(self.issuer.as_str(), replica.address)
    }

    /// Adds a person called `name`, whose address is `name@patients.example`.
    pub async fn patient(&self, name: &str) -> Patient {
        let local: String = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(".");
        self.patient_with_email(&format!("{local}@patients.example"), name).await
    }

    /// Adds a person.
    pub async fn patient_with_email(&self, email: &str, name: &str) -> Patient {
        let patient = Patient {
            email: email.to_owned(),
            password: format!("the long password of {name} 4711"),
            name: name.to_owned(),
        };
        let new = NewUser {
            email: EmailAddress::parse(&patient.email).expect("an address"),
            name: patient.name.clone(),
            claims: StandardClaims::parse(
                r#"{"given_name":"Mere","phone_number":"+64 21 000 0000","address":{"country":"NZ"}}"#,
            )
            .expect("standard claims"),
            // Not checked against the name: tests use passwords that contain it.
            password: patient.password.clone(),
        };
        create::create(&self.cx(), &test_actor(), new)
            .await
            .expect("no failure")
            .expect("a new person");
        patient
    }

    /// Registers a confidential first-party client with PKCE.
    pub async fn client(&self, id: &str) -> Client {
        self.client_with(id, |_| {}).await
    }

    /// Registers a client that differs from the usual one.
    pub async fn client_with(&self, id: &str, change: impl FnOnce(&mut Registered)) -> Client {
        let mut new = Registered::new(id, Profile::Web);
        new.metadata.client_name = format!("The {id}");
        new.metadata.redirect_uris = vec![format!("https://{id}.example/callback")];
        new.metadata.post_logout_redirect_uris = vec![format!("https://{id}.example/signed-out")];
        new.operator.first_party = true;
        change(&mut new);
        let redirect_uri = new.metadata.redirect_uris[0].clone();
        let auth_method = new.metadata.token_endpoint_auth_method;
        let added = registration::add(&self.cx(), &test_actor(), new).await;
        let secret = added.expect("no failure").expect("a new client");
        self.refresh().await;
        Client {
            id: id.to_owned(),
            secret: secret.map(|secret| secret.reveal().to_owned()),
            redirect_uri,
            auth_method,
        }
    }

    /// Registers the usual client with another signature algorithm of its tokens.
    pub async fn client_with_algorithm(&self, id: &str, algorithm: Algorithm) -> Client {
        self.client_with(id, |new| new.metadata.id_token_signed_response_alg = algorithm).await
    }

    /// Changes a setting and waits until the first replica has read it.
    pub async fn set_setting(&self, name: &str, value: &str) {
        let setting = Setting::find(name).expect("a setting");
        let set = settings::set(&self.cx(), &test_actor(), setting, value).await;
        set.expect("no failure").expect("a good value");
        self.refresh().await;
    }

    /// Forces a reset.
    pub async fn force_reset(&self, patient: &Patient) {
        let email = EmailAddress::parse(&patient.email).expect("an address");
        reset::force(&self.cx(), &test_actor(), &email, false)
            .await
            .expect("no failure")
            .expect("a person");
    }

    /// Makes the first replica read settings, clients and keys again.
    pub async fn refresh(&self) {
        let app = self.app();
        app.live.refresh(&app.db, &app.root).await.expect("it reads");
    }

    /// A context as an operator's command has it.
    pub fn cx(&self) -> flows::Cx {
        self.app().system_cx("test")
    }

    /// The outcomes of an event in the audit trail, oldest first.
    pub async fn audit_outcomes(&self, event: &str) -> Vec<String> {
        let mut conn = self.replica_db().read().await.expect("a connection");
        let rows: Vec<(String,)> =
            store::Sql::q(&mut conn, "SELECT outcome FROM audit WHERE event = $1 ORDER BY id")
                .bind(event)
                .fetch_all()
                .await
                .expect("rows");
        rows.into_iter().map(|(outcome,)| outcome).collect()
    }

    /// Waits until every job is done, so that each sent mail is recorded as accepted. For tests that then move the clock.
    pub async fn wait_for_jobs(&self) {
        let open = "SELECT COUNT(*) FROM jobs WHERE done_at IS NULL AND failed_at IS NULL";
        wait::until_equal("open jobs", 0, async || self.count(open).await).await;
    }

    /// Stops the clock at the beginning of a window in which nothing was counted yet: windows of limits last up to five
    /// minutes.
    pub fn stop_clock_in_new_window(&self) {
        const WINDOW: i64 = 300_000;
        let now = self.app().clock.now().millis();
        self.clock.stop(store::Timestamp::from_millis((now / WINDOW + 2) * WINDOW));
    }

    /// The number that a statement returns.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut conn = self.replica_db().read().await.expect("a connection");
        let (count,): (i64,) = store::Sql::q(&mut conn, sql).fetch_one().await.expect("a row");
        count
    }
}

/// What a test shares between tasks.
pub type SharedApp = Arc<TestApp>;
