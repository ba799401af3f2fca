//! `idp dev`: provider, demo portal, demo people and mailbox in one process, on loopback only.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use keys::Rng;
use store::{Db, EphemeralCounters};
use tokio::net::TcpListener;
use url::Url;

use super::{
    demo,
    folder::{DemoData, DemoPerson, DevFolder},
    host_check,
    mailbox::{self, Mailbox},
    portal::Portal,
};
use crate::{
    app::{App, AppDependencies},
    cli::{load_root_keys, open_database},
    clock::Clock,
    config::{
        BrandConfig, BrandLinks, HashingConfig, Issuer, LimitsConfig, LogConfig, LogFormat,
        LogLevel, PasskeysConfig, ProxiesConfig, Secret, ShutdownConfig,
    },
    http::routes,
    jobs,
    mail::smtp::Mailer,
    serve::{self, ServerSetup, StopSignal},
    telemetry,
};

/// How long requests in flight may take after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// The options of `dev`.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// Folder for the data.
    pub data_dir: PathBuf,
    /// Address of the provider.
    pub listen: SocketAddr,
    /// Address of health and readiness.
    pub ops_listen: SocketAddr,
    /// Address of the demo portal.
    pub portal_listen: SocketAddr,
}

/// The running endpoints, and the demo data.
#[derive(Clone, Debug)]
pub struct DevEndpoints {
    /// The issuer.
    pub issuer: String,
    /// The demo portal.
    pub portal: String,
    /// The mailbox page. With `.json` appended, the same as JSON.
    pub mailbox: String,
    /// Health and readiness.
    pub ops: String,
    /// The data folder.
    pub data_dir: String,
    /// Demo people with their passwords.
    pub people: Vec<DemoPerson>,
    /// The `client_id` of the demo portal.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Its redirect URI.
    pub redirect_uri: String,
}

struct Listeners {
    public: TcpListener,
    ops: TcpListener,
    portal: TcpListener,
}

/// Starts everything, calls `on_ready` with the endpoints, and serves until a stop signal.
///
/// # Errors
/// Why it cannot start, in words.
pub async fn run(options: DevOptions, on_ready: impl Fn(&DevEndpoints)) -> Result<(), String> {
    let clock = Clock::system();
    let log = LogConfig { format: LogFormat::Text, level: LogLevel::Info };
    telemetry::init(&log, clock.clone()).map_err(to_text)?;
    let rng = Rng::system();
    check_loopback(&options)?;
    // Before the ports: a second process on the same folder is told that, not that a port is taken.
    let folder = DevFolder::open_or_create(&options.data_dir, &rng)?;
    let _lock = folder.lock()?;
    let listeners = Listeners {
        public: bind("--listen", options.listen).await?,
        ops: bind("--ops-listen", options.ops_listen).await?,
        portal: bind("--portal-listen", options.portal_listen).await?,
    };
    let demo = demo::load_or_create(&folder, &rng).map_err(to_text)?;
    let db = open_database(&folder.db_config()).await.map_err(|failed| failed.to_string())?;
    db.migrate().await.map_err(to_text)?;
    let issuer = Issuer::parse(&format!("http://localhost:{}", port(&listeners.public)?))?;
    let mailbox = Arc::new(Mailbox::new(clock.clone()));
    let home = portal_address(&listeners)?;
    let app = start_app(&folder, db, (clock, rng), &issuer, home, &mailbox).await?;
    let portal = build_portal(&app, &demo, &issuer, portal_address(&listeners)?);
    let cx = app.system_cx("dev");
    demo::add_people(&cx, &demo).await?;
    demo::register_portal(&cx, &portal).await?;
    demo::raise_limits(&cx).await?;
    app.live.refresh(&app.db, &app.root).await.map_err(to_text)?;
    let endpoints = endpoints(&folder, demo, &portal, &listeners)?;
    serve_all(app, listeners, portal, mailbox, || on_ready(&endpoints)).await
}

async fn start_app(
    folder: &DevFolder,
    db: Db,
    (clock, rng): (Clock, Rng),
    issuer: &Issuer,
    home: Url,
    mailbox: &Arc<Mailbox>,
) -> Result<App, String> {
    let dependencies = AppDependencies {
        issuer: issuer.clone(),
        brand: BrandConfig {
            name: "Vestibule".to_owned(),
            home,
            links: BrandLinks::default(),
            logo: None,
            colour: None,
            support: None,
            time_zone: TimeZone::system(),
        },
        passkeys: PasskeysConfig::default(),
        proxies: ProxiesConfig::default(),
        db,
        ephemeral: EphemeralCounters::in_memory(),
        clock,
        rng,
        root: load_root_keys(&folder.keys_config()).map_err(|failed| failed.to_string())?,
        hashing: HashingConfig::default().hasher_config(),
        mailer: Mailer::mailbox(mailbox.clone()),
        job_kinds: jobs::kinds(),
    };
    App::start(dependencies).await.map_err(to_text)
}

fn portal_address(listeners: &Listeners) -> Result<Url, String> {
    format!("http://localhost:{}", port(&listeners.portal)?).parse().map_err(to_text)
}

fn build_portal(app: &App, demo: &DemoData, issuer: &Issuer, base: Url) -> Portal {
    Portal {
        issuer: issuer.url().clone(),
        client_id: demo::CLIENT_ID.to_owned(),
        client_secret: Secret::new(demo.client_secret.clone()),
        base,
        clock: app.clock.clone(),
        time_zone: app.time_zone().clone(),
    }
}

fn endpoints(
    folder: &DevFolder,
    demo: DemoData,
    portal: &Portal,
    listeners: &Listeners,
) -> Result<DevEndpoints, String> {
    let issuer = portal.issuer.origin().ascii_serialization();
    Ok(DevEndpoints {
        mailbox: format!("{issuer}/dev/mailbox"),
        issuer,
        portal: portal.base.origin().ascii_serialization(),
        ops: format!("http://localhost:{}", port(&listeners.ops)?),
        data_dir: folder.path().canonicalize().map_err(to_text)?.display().to_string(),
        people: demo.people,
        client_id: portal.client_id.clone(),
        client_secret: demo.client_secret,
        redirect_uri: portal.redirect_uri(),
    })
}

async fn serve_all(
    app: App,
    listeners: Listeners,
    portal: Portal,
    mailbox: Arc<Mailbox>,
    on_ready: impl FnOnce(),
) -> Result<(), String> {
    let base = portal.base.clone();
    let portal = host_check::require_host(portal.router().map_err(to_text)?, &base);
    let mailbox = host_check::require_host(mailbox::router(mailbox), app.issuer.url());
    let router = mailbox.fallback_service(routes::router(&app));
    let Listeners { public, ops, portal: portal_listener } = listeners;
    let (limits, lanes) = (LimitsConfig::default(), jobs::LANES.to_vec());
    let setup = ServerSetup {
        public,
        tls: None,
        ops,
        router,
        reads_body: routes::reads_body,
        limits,
        lanes,
        lease: None,
    };
    let shutdown = ShutdownConfig { delay: Duration::ZERO, grace: GRACE };
    let serving = serve::run(app, setup, shutdown, StopSignal::signals().map_err(to_text)?);
    let portal = axum::serve(portal_listener, portal).into_future();
    // The listeners are bound, so a reader of the output can connect at once.
    on_ready();
    tokio::select! {
        served = serving => served.map_err(to_text),
        ended = portal => ended.map_err(to_text),
    }
}

/// Checked before anything is written.
fn check_loopback(options: &DevOptions) -> Result<(), String> {
    for (flag, address) in [
        ("--listen", options.listen),
        ("--ops-listen", options.ops_listen),
        ("--portal-listen", options.portal_listen),
    ] {
        if !address.ip().is_loopback() {
            return Err(format!(
                "{flag} {address}: `dev` serves this machine alone; use 127.0.0.1"
            ));
        }
    }
    Ok(())
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("{flag} {address}: {error}; port 0 picks a free one"))
}

fn port(listener: &TcpListener) -> Result<u16, String> {
    listener.local_addr().map(|address| address.port()).map_err(to_text)
}

fn to_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
