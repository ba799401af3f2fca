//! Builds and starts replicas of a provider.

use idp::{
    app::{App, AppDependencies},
    clock::Clock,
    config::{Issuer, ProxiesConfig},
    http::routes,
    jobs,
    mail::smtp::Mailer,
    serve::{self, ServerSetup, StopSignal, Tls},
};
use keys::Rng;
use store::{Db, EphemeralCounters};
use tokio::net::TcpListener;

use super::{
    ExtraJobs, Options, Replica, TEST_ROOT_KEYS,
    config::{brand, smtp},
    root_keys_of,
};
use crate::{db::TestDb, mail_server::MailServer, tls::CertificateAuthority};

/// What all replicas share.
pub(super) struct ReplicaBuilder<'a> {
    pub(super) options: &'a Options,
    pub(super) issuer: &'a Issuer,
    pub(super) time: &'a Clock,
    pub(super) mail: &'a MailServer,
    pub(super) redis: Option<&'a str>,
    pub(super) authority: Option<&'a CertificateAuthority>,
    pub(super) root: &'a [(&'a str, u8)],
    pub(super) jobs: &'a ExtraJobs,
}

impl ReplicaBuilder<'_> {
    pub(super) async fn start(&self, db: &TestDb, public: TcpListener) -> Replica {
        let ops_listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = public.local_addr().expect("bound");
        let ops = ops_listener.local_addr().expect("bound");
        let beside = App::start(self.build(db.open().await)).await.expect("it starts");
        let app = match &self.options.request_db {
            Some(config) => {
                let db = Db::open(config).await.expect("the database opens");
                App::start(self.build(db)).await.expect("it starts")
            }
            None => beside.clone(),
        };
        let router = routes::router(&app);
        let tls = self.authority.map(|authority| {
            let files = authority.write(&authority.issue(&["localhost", "127.0.0.1"]));
            Tls::load(&files, self.time.now()).expect("a good pair")
        });
        let limits = self.options.limits.clone();
        let lanes = match self.options.request_db {
            Some(_) => Vec::new(),
            None => jobs::LANES.into_iter().chain(self.jobs.lanes.iter().copied()).collect(),
        };
        let site = ServerSetup {
            public,
            tls,
            ops: ops_listener,
            router,
            reads_body: routes::reads_body,
            limits,
            lanes,
            lease: None,
        };
        let (stop, stopped) = StopSignal::manual();
        let serving = serve::run(beside, site, self.options.shutdown.clone(), stopped);
        Replica { app, address, ops, stop, task: tokio::spawn(serving) }
    }

    fn build(&self, db: Db) -> AppDependencies {
        let ephemeral = match self.redis {
            Some(url) => EphemeralCounters::redis(url).expect("an address"),
            None => EphemeralCounters::in_memory(),
        };
        let trusted =
            self.options.proxies.iter().map(|net| net.parse().expect("a network")).collect();
        AppDependencies {
            issuer: self.issuer.clone(),
            brand: brand(),
            passkeys: self.options.passkeys.clone(),
            proxies: ProxiesConfig { trusted },
            db,
            ephemeral,
            clock: self.time.clone(),
            rng: Rng::system(),
            root: root_keys_of(self.root),
            hashing: self.options.hashing,
            mailer: Mailer::smtp(&smtp(self.mail, self.options.smtp_timeout)).expect("a way out"),
            job_kinds: jobs::kinds().iter().chain(&self.jobs.kinds).copied().collect(),
        }
    }
}

/// Creates signing keys in a template database, so that not every test waits for an RSA key.
pub(crate) async fn create_signing_keys(db: &Db) {
    let issuer = Issuer::parse("http://localhost").expect("an issuer");
    let (time, _) = Clock::shifted();
    let mail = MailServer::start().await;
    let options = Options::default();
    let parts = ReplicaBuilder {
        options: &options,
        issuer: &issuer,
        time: &time,
        mail: &mail,
        redis: None,
        authority: None,
        root: TEST_ROOT_KEYS,
        jobs: &options.jobs,
    };
    App::start(parts.build(db.clone())).await.expect("it starts");
}
