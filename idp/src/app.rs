//! The state that every request shares, and the context that one request gets.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::body::Bytes;
use flows::passkey::relying_party::RelyingParty;
use flows::{Cx, Trace, actor::Actor, jobs::JobKinds, observer::ClientSlot};
use jiff::tz::TimeZone;
use keys::{Hasher, HasherConfig, Rng, RootKeys};
use store::{Db, EphemeralCounters};
use tokio::sync::watch;

use crate::{
    brand::Brand,
    clock::Clock,
    config::{BrandConfig, Issuer, PasskeysConfig, ProxiesConfig},
    health::Health,
    http::cookies::CookieNames,
    jobs::LaneNotifier,
    locale::Locale,
    mail::smtp::Mailer,
    metrics::Metrics,
    phone_apps::PhoneAppFiles,
    snapshot::LiveState,
    startup_retry::StartupRetry,
};

/// The parts from which a replica is built.
#[derive(Debug)]
pub struct AppDependencies {
    /// The issuer.
    pub issuer: Issuer,
    /// Name, home, look, support line and time zone.
    pub brand: BrandConfig,
    /// RP ID and apps of passkeys.
    pub passkeys: PasskeysConfig,
    /// The proxies whose `X-Forwarded-For` counts.
    pub proxies: ProxiesConfig,
    /// The database, migrated.
    pub db: Db,
    /// Counters that may be lost.
    pub ephemeral: EphemeralCounters,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub rng: Rng,
    /// The root keys.
    pub root: RootKeys,
    /// The hashing pool.
    pub hashing: HasherConfig,
    /// Sends mails.
    pub mailer: Mailer,
    /// The kinds of jobs that the replica runs.
    pub job_kinds: JobKinds,
}

/// The shared state.
#[derive(Clone, Debug)]
pub struct App(Arc<AppInner>);

/// The fields of [`App`].
#[derive(Debug)]
pub struct AppInner {
    /// The issuer.
    pub issuer: Issuer,
    issuer_text: Arc<str>,
    /// This provider as the relying party of passkeys.
    pub(crate) relying_party: Option<Arc<RelyingParty>>,
    /// The files of apps for phones.
    pub(crate) phone_app_files: PhoneAppFiles,
    /// Name, home, look, support line and time zone, and the assets made of them.
    pub brand: Brand,
    /// The proxies whose `X-Forwarded-For` counts.
    pub proxies: ProxiesConfig,
    /// The database.
    pub db: Db,
    /// Counters that may be lost.
    pub ephemeral: EphemeralCounters,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub rng: Rng,
    /// The root keys.
    pub root: Arc<RootKeys>,
    /// The hashing pool.
    pub hasher: Hasher,
    /// Settings, clients and keys in memory.
    pub live: LiveState,
    /// Sends mails.
    pub mailer: Mailer,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Probes database and Redis.
    pub health: Health,
    /// The kinds of jobs that this replica runs; any other kind is left to a replica that has it.
    pub job_kinds: JobKinds,
    /// Wakes the workers when a request may have written a job.
    pub lane_notifier: LaneNotifier,
    /// A random name of this process: the holder of its leases.
    pub instance_id: String,
    /// Whether the replica is stopping; `/readyz` reports it.
    pub is_stopping: AtomicBool,
    is_hard_stopped: watch::Sender<bool>,
    /// Names of the cookies.
    pub cookies: CookieNames,
    /// The discovery document.
    pub discovery_document: Bytes,
}

impl Deref for App {
    type Target = AppInner;

    fn deref(&self) -> &AppInner {
        &self.0
    }
}

impl App {
    /// Creates signing keys if there are none, and loads settings, clients and keys.
    pub async fn start(mut dependencies: AppDependencies) -> Result<Self, flows::Error> {
        flows::root_keys::load_carried(&mut dependencies.root, &mut dependencies.db.read().await?)
            .await?;
        let relying_party = relying_party(&dependencies);
        let root = Arc::new(dependencies.root);
        let hasher = Hasher::new(dependencies.hashing, root.clone(), dependencies.rng.clone());
        let issuer_text: Arc<str> = dependencies.issuer.as_str().into();
        let live =
            LiveState::load(&dependencies.db, &root).await?.with_clock(dependencies.clock.clone());
        // Before anything uses the time: a row that a wrong clock sweeps is lost, even if it is wrong for a second only.
        live.check_clock(&dependencies.db).await;
        let app = Self(Arc::new(AppInner {
            discovery_document: flows::discovery::metadata(
                dependencies.issuer.as_str(),
                &Locale::ALL.map(Locale::tag),
            )?
            .into(),
            cookies: CookieNames::for_issuer(&dependencies.issuer),
            instance_id: [
                flows::cx::generate_reference(&dependencies.rng),
                flows::cx::generate_reference(&dependencies.rng),
            ]
            .concat(),
            issuer: dependencies.issuer,
            issuer_text,
            relying_party: relying_party.map(Arc::new),
            phone_app_files: PhoneAppFiles::of(&dependencies.passkeys),
            brand: Brand::load(dependencies.brand),
            proxies: dependencies.proxies,
            health: Health::new(
                dependencies.db.clone(),
                dependencies.ephemeral.clone(),
                dependencies.clock.clone(),
            ),
            db: dependencies.db,
            ephemeral: dependencies.ephemeral,
            clock: dependencies.clock,
            rng: dependencies.rng,
            root,
            metrics: Arc::new(Metrics::new(hasher.clone())),
            hasher,
            live,
            mailer: dependencies.mailer,
            lane_notifier: dependencies.job_kinds.lanes().into_iter().collect(),
            job_kinds: dependencies.job_kinds,
            is_stopping: AtomicBool::new(false),
            is_hard_stopped: watch::Sender::new(false),
        }));
        let retry = StartupRetry::new(&app.clock);
        retry.run(async || flows::root_keys::ensure(&app.system_cx("start")).await).await?;
        retry.run(async || flows::signing_keys::ensure(&app.system_cx("start")).await).await?;
        app.live.refresh(&app.db, &app.root).await?;
        Ok(app)
    }

    /// Makes `/readyz` fail, so that no further requests are sent to this replica.
    pub(crate) fn mark_stopping(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Cancels every request in flight; each is answered at once.
    pub(crate) fn begin_hard_stop(&self) {
        self.is_hard_stopped.send_replace(true);
    }

    /// Waits for [`App::begin_hard_stop`].
    pub(crate) async fn until_hard_stop(&self) {
        // Cannot fail: `self` owns the sender.
        let _ = self.is_hard_stopped.subscribe().wait_for(|halted| *halted).await;
    }

    /// The context of a request.
    #[must_use]
    pub fn cx(&self, trace: Trace) -> Cx {
        let snapshot = self.live.snapshot();
        Cx {
            db: self.db.clone(),
            now: self.clock.now(),
            rng: self.rng.clone(),
            root: self.root.clone(),
            ring: snapshot.ring.clone(),
            hasher: self.hasher.clone(),
            settings: snapshot.settings.clone(),
            clients: snapshot.clients.clone(),
            wrong_codes: self.live.wrong_codes(),
            ephemeral: self.ephemeral.clone(),
            issuer: self.issuer_text.clone(),
            relying_party: self.relying_party.clone(),
            trace,
            observer: self.metrics.clone(),
            client_slot: ClientSlot::default(),
        }
    }

    /// A context for work without a request: a job, or the start.
    #[must_use]
    pub fn system_cx(&self, part: &'static str) -> Cx {
        self.cx(Trace {
            reference: flows::cx::generate_reference(&self.rng),
            client_address: None,
            actor: Actor::System(part),
        })
    }

    /// The zone in which people read clock times.
    #[must_use]
    pub(crate) fn time_zone(&self) -> &TimeZone {
        &self.brand.time_zone
    }
}

/// This provider as the relying party of passkeys, for its own pages and the configured apps.
fn relying_party(dependencies: &AppDependencies) -> Option<RelyingParty> {
    let PasskeysConfig { rp_id, android_apps, .. } = &dependencies.passkeys;
    let certificates = android_apps.iter().flat_map(|app| &app.certificates);
    RelyingParty::new(
        dependencies.issuer.as_str(),
        rp_id.as_deref(),
        &dependencies.brand.name,
        certificates.map(<[u8; 32]>::as_slice),
    )
}
