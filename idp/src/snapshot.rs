//! What this replica keeps in memory: settings, clients, signing keys. Their numbers are polled twice a second, and what has
//! moved is read again, so that a change is in force everywhere within two seconds, with Redis or without.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

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

/// How often the numbers are read. Of the two seconds, the rest is for a machine and a database that are busy.
const POLL: Duration = Duration::from_millis(500);
/// How often the clock, the site's guess budget and resting connections are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// One consistent set.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Live settings.
    pub settings: Arc<Settings>,
    /// Clients.
    pub clients: Arc<Clients>,
    /// Signing keys.
    pub ring: Arc<KeyRing>,
    /// Rows that this build cannot use.
    pub unusable: Unusable,
    revisions: Revisions,
}

impl Snapshot {
    /// Nothing: what is in force before anything was read.
    fn empty() -> Result<Self, Error> {
        Ok(Self {
            settings: Arc::default(),
            clients: Arc::default(),
            ring: Arc::new(KeyRing::new(Vec::new(), &[])?),
            unusable: Unusable::default(),
            revisions: Revisions::default(),
        })
    }

    /// The same with what has moved since read again.
    async fn renewed(&self, root: &RootKeys, conn: &mut Conn) -> Result<Self, Error> {
        let revisions = store::revision::current(conn).await?;
        let mut new = Self { revisions, ..self.clone() };
        for (topic, load) in KEPT {
            if new.revisions.has_changed(&self.revisions, topic) {
                load(root, conn).await?.put_into(&mut new);
            }
        }
        Ok(new)
    }
}

/// A part of the set, as it was read.
enum Part {
    Settings(Settings),
    Clients(Clients),
    Keys(signing_keys::LoadedKeys),
}

impl Part {
    fn put_into(self, set: &mut Snapshot) {
        match self {
            Self::Settings(settings) => set.settings = Arc::new(settings),
            Self::Clients(clients) => set.clients = Arc::new(clients),
            Self::Keys(keys) => {
                (set.unusable, set.ring) = (Unusable::of(&keys), Arc::new(keys.ring));
            }
        }
    }
}

type Load = for<'a> fn(&'a RootKeys, &'a mut Conn) -> BoxFuture<'a, Result<Part, Error>>;

/// THE list of what is kept: what moves its number, and how it is read.
const KEPT: [(Topic, Load); 3] = [
    (Topic::Settings, |_, conn| {
        Box::pin(async { Ok(Part::Settings(Settings::load(conn).await?)) })
    }),
    (Topic::Clients, |_, conn| Box::pin(async { Ok(Part::Clients(Clients::load(conn).await?)) })),
    (Topic::SigningKeys, |root, conn| {
        Box::pin(async { Ok(Part::Keys(signing_keys::load(root, conn).await?)) })
    }),
];

/// What the set is read from, and where it is counted when it cannot be read.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) db: Db,
    pub(crate) root: Arc<RootKeys>,
    pub(crate) metrics: Arc<Metrics>,
}

/// How many rows this build cannot use, by what it does without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unusable {
    /// Signing keys.
    pub signing_keys: usize,
    /// Public halves of ended ones.
    pub ended_keys: usize,
}

impl Unusable {
    fn of(loaded: &signing_keys::LoadedKeys) -> Self {
        Self { signing_keys: loaded.unusable, ended_keys: loaded.unusable_ended }
    }
}

/// The current set, replaced as a whole.
#[derive(Clone, Debug)]
pub struct Live {
    current: Arc<RwLock<Arc<Snapshot>>>,
    /// Held while it is read again: what was read before would otherwise replace what was read after.
    reading: Arc<Mutex<()>>,
    gate: ClockGate,
    clock: Clock,
    /// Wrong codes on the whole site in the last 24 hours.
    wrong_codes: Arc<AtomicI64>,
}

impl Live {
    /// Reads everything for the first time.
    pub async fn load(db: &Db, root: &RootKeys) -> Result<Self, Error> {
        let snapshot = Snapshot::empty()?.renewed(root, &mut db.read().await?).await?;
        let current = Arc::new(RwLock::new(Arc::new(snapshot)));
        let (gate, clock) = (ClockGate::default(), Clock::system());
        Ok(Self { current, reading: Arc::default(), gate, clock, wrong_codes: Arc::default() })
    }

    /// The same with the clock that is compared with the database's.
    #[must_use]
    pub fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The current set.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at this machine's clock.
    pub async fn look(&self, db: &Db) {
        self.gate.look(db, &self.clock).await;
    }

    /// Whether this machine's clock was off at the last look, or was set since then: nothing that rests on time may be
    /// answered or done.
    #[must_use]
    pub fn clock_is_off(&self) -> bool {
        self.gate.is_shut(&self.clock)
    }

    /// Wrong codes on the whole site in the last 24 hours, as of the last look.
    #[must_use]
    pub fn wrong_codes(&self) -> i64 {
        self.wrong_codes.load(Ordering::Relaxed)
    }

    /// Looks at the gauge of the site's guess budget.
    pub async fn gauge(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let mut conn = db.read().await?;
        let spent = flows::guess_budget::count_recent(&mut conn, now).await?;
        self.wrong_codes.store(spent, Ordering::Relaxed);
        Ok(())
    }

    /// Reads again what has moved.
    pub async fn refresh(&self, db: &Db, root: &RootKeys) -> Result<(), Error> {
        let _one = self.reading.lock().await;
        let old = self.snapshot();
        let new = old.renewed(root, &mut db.read().await?).await?;
        if new.revisions == old.revisions {
            return Ok(());
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }

    /// Keeps it fresh until `stop`, and looks at the clock and at resting connections; a database that is away leaves the
    /// last set in force. The two do not wait for each other: of the promised two seconds, nothing is spent on looking.
    pub(crate) async fn follow(self, source: Source, stop: watch::Receiver<bool>) {
        tokio::join!(self.keep_fresh(&source, stop.clone()), self.look_around(&source, stop));
    }

    async fn keep_fresh(&self, source: &Source, stop: watch::Receiver<bool>) {
        let mut turns = Turns::each(POLL, stop);
        while turns.next().await {
            if let Err(error) = self.refresh(&source.db, &source.root).await {
                source.metrics.record_snapshot_failure();
                tracing::warn!(%error, "settings, clients and keys could not be read; the last ones stay in force");
            }
        }
    }

    async fn look_around(&self, source: &Source, stop: watch::Receiver<bool>) {
        let mut turns = Turns::each(LOOK, stop);
        while turns.next().await {
            self.look(&source.db).await;
            if let Err(error) = self.gauge(&source.db, self.clock.now()).await {
                source.metrics.record_snapshot_failure();
                tracing::warn!(%error, "the guess budget could not be read; the last sum stays in force");
            }
            source.db.check_idle_connection().await;
        }
    }
}

/// What comes round until it is told to stop: at once and then each period. What takes longer than one is not made up for.
struct Turns {
    ticks: Interval,
    stop: watch::Receiver<bool>,
}

impl Turns {
    fn each(period: Duration, stop: watch::Receiver<bool>) -> Self {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { ticks, stop }
    }

    /// Whether there is another one, when it has come.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.ticks.tick() => true,
            _ = self.stop.wait_for(|stopped| *stopped) => false,
        }
    }
}
