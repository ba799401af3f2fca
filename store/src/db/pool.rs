//! Connections that are kept between uses, and how a broken one is never handed out twice.
//!
//! ```text
//! lease ─▶ a kept connection of this generation, or a new one ─▶ statements, each within a time limit
//!              ▲                                                    │
//!              ├── answered, no transaction open ───────────────────┤
//!              ├── rolled back ◀── dropped in the middle ───────────┤
//!              └── the next generation ◀── broken or silent: closed ┘
//! ```
//!
//! Not the driver's own pool: that one asks a connection for a sign of life at every return, which costs a round trip each,
//! waits for the answer without end, and hands out each dead connection once after a restart of the server.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{error::Elapsed, interval, timeout},
};

use sqlx::ConnectOptions;

use super::engine::Link;
use crate::{Error, Result};

/// How long a caller waits for a connection: in the queue and while one is opened.
pub(super) const WAIT: Duration = Duration::from_secs(5);
/// How long a statement may take before its connection is given up. More than the server's own limits, on a statement and
/// on waiting for a lock: what is given up here runs on there.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// How long a connection that was dropped in the middle may take to come back to its senses.
const RECOVER: Duration = Duration::from_secs(2);
/// How often a new connection is tried while the server is away.
const RETRY: Duration = Duration::from_millis(100);

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// What it is for: `all`, or `read` and `write` where they are apart.
    pub name: &'static str,
    /// Connections that do something.
    pub used: u32,
    /// Open connections that wait for something to do.
    pub idle: u32,
    /// The most that may be open.
    pub most: u32,
}

/// A pool. Copies share it.
pub(super) struct Pool<C: Link>(Arc<Shared<C>>);

struct Shared<C: Link> {
    options: C::Options,
    most: u32,
    places: Arc<Semaphore>,
    idle: Mutex<VecDeque<Kept<C>>>,
    /// Moves when a connection breaks. What was opened before is closed, not handed out: what broke one broke them all.
    generation: AtomicU64,
}

struct Kept<C> {
    raw: C,
    generation: u64,
}

/// What a connection is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Transaction,
    Statement,
}

/// A connection of the pool, given back when dropped.
pub(super) struct Lease<C: Link> {
    pool: Arc<Shared<C>>,
    place: Option<OwnedSemaphorePermit>,
    kept: Option<Kept<C>>,
    doing: Doing,
}

impl<C: Link> Pool<C> {
    /// A pool of at most `most` connections. Opens the first, so that a wrong address is found at once.
    pub(super) async fn open(options: C::Options, most: u32) -> Result<Self> {
        let pool = Self(Arc::new(Shared {
            options,
            most,
            places: Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1).max(1))),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
        }));
        pool.lease().await?;
        Ok(pool)
    }

    /// A connection, within [`WAIT`].
    pub(super) async fn lease(&self) -> Result<Lease<C>> {
        // What stood in the way last says more than that the time is over.
        let mut last = None;
        match timeout(WAIT, self.find(&mut last)).await {
            Ok(found) => found,
            Err(_) => Err(Error::Away(last.unwrap_or(sqlx::Error::PoolTimedOut))),
        }
    }

    async fn find(&self, last: &mut Option<sqlx::Error>) -> Result<Lease<C>> {
        let shared = &self.0;
        let place = shared.places.clone().acquire_owned().await;
        let place = place.map_err(|_| Error::Away(sqlx::Error::PoolClosed))?;
        let kept = match shared.pop() {
            Some(kept) => kept,
            None => shared.connect(last).await?,
        };
        Ok(Lease::new(Arc::clone(shared), place, kept))
    }

    /// A connection with a transaction begun by `sql`. A connection that turns out to be dead is replaced: nothing has
    /// happened on it yet.
    pub(super) async fn begin(&self, sql: &'static str) -> Result<Lease<C>> {
        let mut lease = self.lease().await?;
        match lease.enter(sql).await {
            Ok(()) => return Ok(lease),
            // Alive, but not now: locked by another process.
            Err(busy @ Error::Away(_)) if lease.kept.is_some() => return Err(busy),
            Err(_) => lease.broken(),
        }
        drop(lease);
        let mut lease = self.lease().await?;
        lease.enter(sql).await?;
        Ok(lease)
    }

    /// A connection beside the pool, as the driver opens it.
    pub(super) async fn apart(&self) -> Result<C> {
        Ok(self.0.options.connect().await?)
    }

    /// Looks at the connection that has rested longest, so that one that was cut off silently is found before a person
    /// meets it.
    pub(super) async fn tend(&self) {
        let shared = &self.0;
        let Ok(place) = shared.places.clone().try_acquire_owned() else { return };
        let Some(kept) = shared.idle().pop_front() else { return };
        let mut lease = Lease::new(Arc::clone(shared), place, kept);
        let Ok(raw) = lease.running() else { return };
        if matches!(timeout(RECOVER, raw.ping()).await, Ok(Ok(()))) {
            lease.doing = Doing::Nothing;
        } else {
            tracing::warn!("a connection to the database had died; all are opened again");
            lease.broken();
        }
    }

    /// How much of it is in use.
    pub(super) fn state(&self, name: &'static str) -> PoolState {
        let shared = &self.0;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        PoolState {
            name,
            used: shared.most.saturating_sub(count(shared.places.available_permits())),
            idle: count(shared.idle().len()),
            most: shared.most,
        }
    }

    /// Closes every connection, waiting for those in use, but no longer than a statement may take.
    pub(super) async fn close(&self) {
        let shared = &self.0;
        let everybody = timeout(ANSWER, shared.places.acquire_many(shared.most)).await;
        shared.places.close();
        drop(everybody);
        let idle = std::mem::take(&mut *shared.idle());
        for kept in idle {
            let _ = timeout(RECOVER, kept.raw.close()).await;
        }
    }
}

impl<C: Link> Shared<C> {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Kept<C>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last: its caches are warm, and the others are found by [`Pool::tend`].
    fn pop(&self) -> Option<Kept<C>> {
        let generation = self.generation.load(Ordering::Acquire);
        let mut idle = self.idle();
        while let Some(kept) = idle.pop_back() {
            if kept.generation == generation {
                return Some(kept);
            }
        }
        None
    }

    fn keep(&self, kept: Kept<C>) {
        if kept.generation == self.generation.load(Ordering::Acquire) && !self.places.is_closed() {
            self.idle().push_back(kept);
        }
    }

    /// Opens a connection; while the server is away, again and again until the caller's time is over.
    async fn connect(&self, last: &mut Option<sqlx::Error>) -> Result<Kept<C>> {
        let mut turns = interval(RETRY);
        loop {
            turns.tick().await;
            let generation = self.generation.load(Ordering::Acquire);
            match C::open(&self.options).await {
                Ok(raw) => return Ok(Kept { raw, generation }),
                Err(error) if crate::error::may_pass(&error) => *last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<C: Link> Lease<C> {
    fn new(pool: Arc<Shared<C>>, place: OwnedSemaphorePermit, kept: Kept<C>) -> Self {
        Self { pool, place: Some(place), kept: Some(kept), doing: Doing::Nothing }
    }

    /// The connection, for one statement; [`Lease::heard`] is told how that ended.
    pub(super) fn running(&mut self) -> Result<&mut C> {
        if self.doing == Doing::Nothing {
            self.doing = Doing::Statement;
        }
        match &mut self.kept {
            Some(kept) => Ok(&mut kept.raw),
            // It broke before: whoever goes on all the same gets no further.
            None => Err(Error::Away(sqlx::Error::PoolClosed)),
        }
    }

    /// What became of a statement that had the time limit [`ANSWER`]. `None`, only where it may be asked `again`: the
    /// connection had died, there is a new one, and the statement was no part of a transaction.
    pub(super) async fn heard<T>(
        &mut self,
        outcome: Result<Result<T, sqlx::Error>, Elapsed>,
        again: bool,
    ) -> Option<Result<T>> {
        let Ok(outcome) = outcome else {
            self.broken();
            return Some(Err(Error::silent()));
        };
        if self.doing == Doing::Statement {
            self.doing = Doing::Nothing;
        }
        match outcome {
            Ok(value) => Some(Ok(value)),
            Err(error) if !crate::error::breaks(&error) => Some(Err(error.into())),
            Err(error) if self.doing == Doing::Transaction || !again => {
                self.broken();
                Some(Err(error.into()))
            }
            Err(error) => {
                self.broken();
                self.replace(error).await.err().map(Err)
            }
        }
    }

    /// Another connection in the place of one that died; fails with what it died of when there is none.
    async fn replace(&mut self, died: sqlx::Error) -> Result<()> {
        let mut last = None;
        let Ok(kept) = timeout(WAIT, self.pool.connect(&mut last)).await else {
            return Err(Error::Away(last.unwrap_or(died)));
        };
        self.kept = Some(kept?);
        Ok(())
    }

    /// One of the statements that frame a transaction.
    async fn frame(&mut self, sql: &'static str) -> Result<()> {
        super::traced(sql);
        let outcome = timeout(ANSWER, C::run(self.running()?, sql)).await;
        let ended = match outcome {
            Ok(ended) => ended,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        };
        ended.map_err(|error| {
            if crate::error::breaks(&error) {
                self.broken();
            }
            error.into()
        })
    }

    async fn enter(&mut self, sql: &'static str) -> Result<()> {
        self.doing = Doing::Transaction;
        self.frame(sql).await
    }

    /// Ends the transaction. After an error nobody knows whether it happened, unless the server said so.
    pub(super) async fn commit(mut self) -> Result<()> {
        let ended = self.frame("COMMIT").await;
        if ended.is_ok() {
            self.doing = Doing::Nothing;
        }
        ended
    }

    /// Ends the transaction without a trace. When that fails, the connection is dropped and the server does it.
    pub(super) async fn rollback(mut self) {
        if self.kept.is_some() && self.frame("ROLLBACK").await.is_ok() {
            self.doing = Doing::Nothing;
        }
    }

    /// Closes the connection, and every other of its generation before it is used again.
    fn broken(&mut self) {
        if let Some(kept) = self.kept.take() {
            // Not `fetch_add`: twenty that break together are one break.
            let _ = self.pool.generation.compare_exchange(
                kept.generation,
                kept.generation + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
    }
}

impl<C: Link> Drop for Lease<C> {
    fn drop(&mut self) {
        let (Some(kept), Some(place)) = (self.kept.take(), self.place.take()) else { return };
        if self.doing == Doing::Nothing {
            self.pool.keep(kept);
            return;
        }
        // Whoever asked has gone away in the middle. Without a runtime the connection is closed, and the server rolls back.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(recover(Arc::clone(&self.pool), place, kept));
        }
    }
}

/// Brings a connection back that was dropped in the middle of something; its place is taken until then.
async fn recover<C: Link>(pool: Arc<Shared<C>>, place: OwnedSemaphorePermit, mut kept: Kept<C>) {
    if timeout(RECOVER, kept.raw.settle()).await.is_ok_and(|settled| settled) {
        pool.keep(kept);
    }
    drop(place);
}

impl<C: Link> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Link> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("most", &self.0.most).finish_non_exhaustive()
    }
}

impl<C: Link> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease(..)")
    }
}
