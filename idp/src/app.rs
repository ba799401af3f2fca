//! The state that every request shares, and the context that one request gets.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use flows::{Cx, Trace, actor::Actor, jobs::JobKinds, observer::ClientSlot};
use jiff::tz::TimeZone;
use keys::{Hasher, HasherConfig, Rng, RootKeys};
use store::{Db, EphemeralCounters};
use tokio::sync::watch;

use crate::{
    busy::WhileBusy,
    clock::Clock,
    config::{BrandConfig, Issuer, ProxiesConfig},
    health::Health,
    http::cookies::CookieNames,
    jobs::Wake,
    live::Live,
    locale::Locale,
    mail::smtp::Mailer,
    metrics::Metrics,
};

/// What a replica is made of.
#[derive(Debug)]
pub struct Build {
    /// The issuer.
    pub issuer: Issuer,
    /// Name, support line and time zone.
    pub brand: BrandConfig,
    /// Whose word about client addresses is taken.
    pub proxies: ProxiesConfig,
    /// The database, migrated.
    pub db: Db,
    /// Counters that may vanish.
    pub ephemeral: EphemeralCounters,
    /// The clock.
    pub clock: Clock,
    /// The source of randomness.
    pub rng: Rng,
    /// The root keys.
    pub root: RootKeys,
    /// The hashing pool.
    pub hashing: HasherConfig,
    /// Where mail goes.
    pub mailer: Mailer,
    /// The kinds of jobs that it knows.
    pub kinds: JobKinds,
}

/// The shared state.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What [`App`] holds.
#[derive(Debug)]
pub struct Parts {
    /// The issuer.
    pub issuer: Issuer,
    issuer_text: Arc<str>,
    /// Name, support line and time zone.
    pub brand: BrandConfig,
    /// Whose word about client addresses is taken.
    pub proxies: ProxiesConfig,
    /// The database.
    pub db: Db,
    /// Counters that may vanish.
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
    pub live: Live,
    /// Where mail goes.
    pub mailer: Mailer,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    /// Whether what it rests on is there.
    pub health: Health,
    /// The kinds of jobs that it knows: it leaves any other to a replica that knows it.
    pub kinds: JobKinds,
    /// Wakes the workers when a request may have written a job.
    pub wake: Wake,
    /// A random name of this process, by which it holds leases.
    pub process: String,
    /// Whether it was asked to stop: `/readyz` says so.
    pub leaving: AtomicBool,
    halted: watch::Sender<bool>,
    /// Names of the cookies.
    pub cookies: CookieNames,
    /// The discovery document.
    pub metadata: String,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Makes signing keys if there are none, and reads what is kept in memory.
    pub async fn start(mut build: Build) -> Result<Self, flows::Error> {
        flows::root_keys::load_carried(&mut build.root, &mut build.db.read().await?).await?;
        let root = Arc::new(build.root);
        let hasher = Hasher::new(build.hashing, root.clone(), build.rng.clone());
        let issuer_text: Arc<str> = build.issuer.as_str().into();
        let live = Live::load(&build.db, &root).await?.by(build.clock.clone());
        // Before anything is done by the time: what a wrong clock sweeps is gone, also when it was wrong for a second.
        live.look(&build.db).await;
        let app = Self(Arc::new(Parts {
            metadata: flows::discovery::metadata(
                build.issuer.as_str(),
                &Locale::ALL.map(Locale::tag),
            )?,
            cookies: CookieNames::for_issuer(&build.issuer),
            process: [
                flows::cx::generate_reference(&build.rng),
                flows::cx::generate_reference(&build.rng),
            ]
            .concat(),
            issuer: build.issuer,
            issuer_text,
            brand: build.brand,
            proxies: build.proxies,
            health: Health::new(build.db.clone(), build.ephemeral.clone(), build.clock.clone()),
            db: build.db,
            ephemeral: build.ephemeral,
            clock: build.clock,
            rng: build.rng,
            root,
            metrics: Arc::new(Metrics::new(hasher.clone())),
            hasher,
            live,
            mailer: build.mailer,
            wake: build.kinds.lanes().into_iter().collect(),
            kinds: build.kinds,
            leaving: AtomicBool::new(false),
            halted: watch::Sender::new(false),
        }));
        let patience = WhileBusy::begin(&app.clock);
        patience.run(async || flows::root_keys::ensure(&app.system_cx("start")).await).await?;
        patience.run(async || flows::signing_keys::ensure(&app.system_cx("start")).await).await?;
        app.live.refresh(&app.db, &app.root).await?;
        Ok(app)
    }

    /// Says to whoever asks that nobody should be sent here any more.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Has every request that is in flight given up and answered at once.
    pub(crate) fn halt(&self) {
        self.halted.send_replace(true);
    }

    /// Waits until that is said.
    pub(crate) async fn halted(&self) {
        // The sender lives as long as we do.
        let _ = self.halted.subscribe().wait_for(|halted| *halted).await;
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
            trace,
            observer: self.metrics.clone(),
            client_slot: ClientSlot::default(),
        }
    }

    /// A context for what no request asks for: a job, or the start.
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
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.brand.time_zone
    }
}
