//! What this replica keeps in memory: settings, clients, signing keys. Their revisions are polled twice a second, and
//! changed parts are read again. So a change is in force on every replica within two seconds, with Redis or without.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{body::Bytes, http::HeaderValue};
use flows::{Error, client::Clients, settings::Settings, signing_keys};
use futures_util::future::BoxFuture;
use keys::{KeyRing, RootKeys};
use store::{
    Conn, Db, Timestamp,
    revision::{Revisions, Topic},
};
use tokio::{
    sync::{Mutex, watch},
    time::{Interval, MissedTickBehavior},
};

use crate::{clock::Clock, clock_skew::ClockGate, metrics::Metrics};

/// How often the revisions are read. The rest of the two seconds is margin for a busy machine or database.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);
/// How often the clock, the site's guess budget and idle connections are checked.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

/// Settings, clients and keys of one consistent read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Live settings.
    pub settings: Arc<Settings>,
    /// Clients.
    pub clients: Arc<Clients>,
    /// Signing keys.
    pub ring: Arc<KeyRing>,
    /// The JWK Set of the ring.
    pub key_set: KeySetDocument,
    /// Rows that this build cannot use.
    pub unusable_rows: UnusableRows,
    revisions: Revisions,
}

impl Snapshot {
    /// The empty snapshot, before anything was read.
    fn empty() -> Result<Self, Error> {
        let ring = KeyRing::new(Vec::new(), &[])?;
        Ok(Self {
            settings: Arc::default(),
            clients: Arc::default(),
            key_set: KeySetDocument::new(&ring),
            ring: Arc::new(ring),
            unusable_rows: UnusableRows::default(),
            revisions: Revisions::default(),
        })
    }

    /// A new snapshot, in which the changed parts were read again.
    async fn reload_changed(&self, root: &RootKeys, conn: &mut Conn) -> Result<Self, Error> {
        let revisions = store::revision::current(conn).await?;
        let mut new = Self { revisions, ..self.clone() };
        for (topic, load) in PARTS {
            if new.revisions.has_changed(&self.revisions, topic) {
                load(root, conn).await?.put_into(&mut new);
            }
        }
        Ok(new)
    }
}

/// The JWK Set (RFC 7517, section 5) as it is sent: made once for each set of keys, not for each request.
#[derive(Clone, Debug)]
pub struct KeySetDocument {
    /// The JSON.
    pub(crate) body: Bytes,
    /// The value of `ETag`.
    pub(crate) etag: HeaderValue,
}

impl KeySetDocument {
    fn new(ring: &KeyRing) -> Self {
        let jwks = ring.jwks();
        // Base64 is valid in a header.
        let etag = HeaderValue::try_from(format!("\"{}\"", jwks.etag));
        let etag = etag.unwrap_or(HeaderValue::from_static("\"\""));
        Self { body: Bytes::from(jwks.json.clone()), etag }
    }
}

/// A part of the snapshot, as it was read.
enum SnapshotPart {
    Settings(Settings),
    Clients(Clients),
    Keys(signing_keys::LoadedKeys),
}

impl SnapshotPart {
    fn put_into(self, set: &mut Snapshot) {
        match self {
            Self::Settings(settings) => set.settings = Arc::new(settings),
            Self::Clients(clients) => set.clients = Arc::new(clients),
            Self::Keys(keys) => {
                set.unusable_rows = UnusableRows::of(&keys);
                set.key_set = KeySetDocument::new(&keys.ring);
                set.ring = Arc::new(keys.ring);
            }
        }
    }
}

type LoadPart =
    for<'a> fn(&'a RootKeys, &'a mut Conn) -> BoxFuture<'a, Result<SnapshotPart, Error>>;

/// THE list of parts: the topic of the revision, and the function that reads the part.
const PARTS: [(Topic, LoadPart); 3] = [
    (Topic::Settings, |_, conn| {
        Box::pin(async { Ok(SnapshotPart::Settings(Settings::load(conn).await?)) })
    }),
    (Topic::Clients, |_, conn| {
        Box::pin(async { Ok(SnapshotPart::Clients(Clients::load(conn).await?)) })
    }),
    (Topic::SigningKeys, |root, conn| {
        Box::pin(async { Ok(SnapshotPart::Keys(signing_keys::load(root, conn).await?)) })
    }),
];

/// Where the snapshot is read from, and where failures are counted.
#[derive(Debug)]
pub(crate) struct SnapshotSource {
    pub(crate) db: Db,
    pub(crate) root: Arc<RootKeys>,
    pub(crate) metrics: Arc<Metrics>,
}

/// How many rows this build cannot use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnusableRows {
    /// Signing keys.
    pub signing_keys: usize,
    /// Public halves of ended signing keys.
    pub ended_keys: usize,
}

impl UnusableRows {
    fn of(loaded: &signing_keys::LoadedKeys) -> Self {
        Self { signing_keys: loaded.unusable, ended_keys: loaded.unusable_ended }
    }
}

/// The current snapshot, replaced as a whole.
#[derive(Clone, Debug)]
pub struct LiveState {
    current: Arc<RwLock<Arc<Snapshot>>>,
    /// Held during a refresh: otherwise an older read could replace a newer one.
    refresh_lock: Arc<Mutex<()>>,
    gate: ClockGate,
    clock: Clock,
    /// Wrong codes on the whole site in the last 24 hours.
    wrong_codes: Arc<AtomicI64>,
}

impl LiveState {
    /// Reads everything for the first time.
    pub async fn load(db: &Db, root: &RootKeys) -> Result<Self, Error> {
        let snapshot = Snapshot::empty()?.reload_changed(root, &mut db.read().await?).await?;
        let current = Arc::new(RwLock::new(Arc::new(snapshot)));
        let (gate, clock) = (ClockGate::default(), Clock::system());
        Ok(Self { current, refresh_lock: Arc::default(), gate, clock, wrong_codes: Arc::default() })
    }

    /// Sets the clock that is compared with the database's.
    #[must_use]
    pub(crate) fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The current snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Compares this machine's clock with the database's.
    pub(crate) async fn check_clock(&self, db: &Db) {
        self.gate.check(db, &self.clock).await;
    }

    /// Whether this machine's clock was off at the last comparison, or was set since: requests and jobs that depend on time
    /// must be refused.
    #[must_use]
    pub fn clock_is_off(&self) -> bool {
        self.gate.is_closed(&self.clock)
    }

    /// Wrong codes on the whole site in the last 24 hours, as last read.
    #[must_use]
    pub fn wrong_codes(&self) -> i64 {
        self.wrong_codes.load(Ordering::Relaxed)
    }

    /// Reads the count of the site's guess budget.
    pub async fn refresh_guess_count(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let mut conn = db.read().await?;
        let spent = flows::guess_budget::count_recent(&mut conn, now).await?;
        self.wrong_codes.store(spent, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the changed parts again.
    pub async fn refresh(&self, db: &Db, root: &RootKeys) -> Result<(), Error> {
        let _one = self.refresh_lock.lock().await;
        let old = self.snapshot();
        let new = old.reload_changed(root, &mut db.read().await?).await?;
        if new.revisions == old.revisions {
            return Ok(());
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }

    /// Refreshes the snapshot until `stop`, and checks the clock and idle connections. While the database is unavailable,
    /// the last snapshot stays in force. The two loops do not wait for each other, so that checks delay no change.
    pub(crate) async fn run(self, source: SnapshotSource, stop: watch::Receiver<bool>) {
        tokio::join!(
            self.refresh_loop(&source, stop.clone()),
            self.maintenance_loop(&source, stop)
        );
    }

    async fn refresh_loop(&self, source: &SnapshotSource, stop: watch::Receiver<bool>) {
        let mut interval = StoppableInterval::new(REFRESH_INTERVAL, stop);
        while interval.tick().await {
            if let Err(error) = self.refresh(&source.db, &source.root).await {
                source.metrics.record_snapshot_failure();
                tracing::warn!(%error, "settings, clients and keys could not be read; the last ones stay in force");
            }
        }
    }

    async fn maintenance_loop(&self, source: &SnapshotSource, stop: watch::Receiver<bool>) {
        let mut interval = StoppableInterval::new(MAINTENANCE_INTERVAL, stop);
        while interval.tick().await {
            self.check_clock(&source.db).await;
            if let Err(error) = self.refresh_guess_count(&source.db, self.clock.now()).await {
                source.metrics.record_snapshot_failure();
                tracing::warn!(%error, "the guess budget could not be read; the last sum stays in force");
            }
            source.db.check_idle_connection().await;
        }
    }
}

/// An interval that ends with `stop`. It ticks at once and then each period; missed ticks are skipped.
struct StoppableInterval {
    ticks: Interval,
    stop: watch::Receiver<bool>,
}

impl StoppableInterval {
    fn new(period: Duration, stop: watch::Receiver<bool>) -> Self {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { ticks, stop }
    }

    /// Waits for the next tick; false after `stop`.
    async fn tick(&mut self) -> bool {
        tokio::select! {
            _ = self.ticks.tick() => true,
            _ = self.stop.wait_for(|stopped| *stopped) => false,
        }
    }
}
