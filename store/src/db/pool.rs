//! Connections that are kept between uses, and how a broken one is never handed out twice.
//!
//! ```text
//! get ─▶ an idle connection of this generation, or a new one ─▶ statements, each within a time limit
//!              ▲                                                   │
//!              ├── result, no transaction open ────────────────────┤
//!              ├── rolled back ◀── dropped in the middle ──────────┤
//!              └── the next generation ◀── broken or timed out ────┘
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

use super::engine::EngineConnection;
use crate::{Error, Result};

/// How long a caller waits for a connection: in the queue and while one is opened.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement may take before its connection is given up. More than the server's own limits, on a statement and
/// on waiting for a lock: what is given up here runs on there.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that was dropped in the middle may take to come back to its senses.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a new connection is tried while the server is away.
const CONNECT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

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
    pub max_connections: u32,
}

/// A pool. Copies share it.
pub(super) struct Pool<C: EngineConnection>(Arc<Shared<C>>);

struct Shared<C: EngineConnection> {
    options: C::Options,
    max_connections: u32,
    permits: Arc<Semaphore>,
    idle: Mutex<VecDeque<OpenConnection<C>>>,
    /// Moves when a connection breaks. What was opened before is closed, not handed out: what broke one broke them all.
    generation: AtomicU64,
}

struct OpenConnection<C> {
    raw: C,
    generation: u64,
}

/// What a connection is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TxState {
    Idle,
    InTransaction,
    InStatement,
}

/// A connection of the pool, given back when dropped.
pub(super) struct PooledConnection<C: EngineConnection> {
    pool: Arc<Shared<C>>,
    permit: Option<OwnedSemaphorePermit>,
    connection: Option<OpenConnection<C>>,
    tx_state: TxState,
}

impl<C: EngineConnection> Pool<C> {
    /// A pool of at most `max_connections` connections. Opens the first, so that a wrong address is found at once.
    pub(super) async fn open(options: C::Options, max_connections: u32) -> Result<Self> {
        let pool = Self(Arc::new(Shared {
            options,
            max_connections,
            permits: Arc::new(Semaphore::new(usize::try_from(max_connections).unwrap_or(1).max(1))),
            idle: Mutex::default(),
            generation: AtomicU64::new(0),
        }));
        pool.get().await?;
        Ok(pool)
    }

    /// A connection, within [`ACQUIRE_TIMEOUT`].
    pub(super) async fn get(&self) -> Result<PooledConnection<C>> {
        // What stood in the way last says more than that the time is over.
        let mut last_error = None;
        match timeout(ACQUIRE_TIMEOUT, self.get_or_connect(&mut last_error)).await {
            Ok(found) => found,
            Err(_) => Err(Error::Unavailable(last_error.unwrap_or(sqlx::Error::PoolTimedOut))),
        }
    }

    async fn get_or_connect(
        &self,
        last_error: &mut Option<sqlx::Error>,
    ) -> Result<PooledConnection<C>> {
        let shared = &self.0;
        let permit = shared.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| Error::Unavailable(sqlx::Error::PoolClosed))?;
        let connection = match shared.take_idle() {
            Some(connection) => connection,
            None => shared.connect(last_error).await?,
        };
        Ok(PooledConnection::new(Arc::clone(shared), permit, connection))
    }

    /// A connection with a transaction begun by `sql`. A connection that turns out to be dead is replaced: nothing has
    /// happened on it yet.
    pub(super) async fn begin(&self, sql: &'static str) -> Result<PooledConnection<C>> {
        let mut pooled = self.get().await?;
        match pooled.begin_tx(sql).await {
            Ok(()) => return Ok(pooled),
            // Alive, but not now: locked by another process.
            Err(busy @ Error::Unavailable(_)) if pooled.connection.is_some() => return Err(busy),
            Err(_) => pooled.invalidate_generation(),
        }
        drop(pooled);
        let mut pooled = self.get().await?;
        pooled.begin_tx(sql).await?;
        Ok(pooled)
    }

    /// A connection beside the pool, as the driver opens it.
    pub(super) async fn connect_unpooled(&self) -> Result<C> {
        Ok(self.0.options.connect().await?)
    }

    /// Looks at the connection that has rested longest, so that one that was cut off silently is found before a person
    /// meets it.
    pub(super) async fn check_oldest_idle(&self) {
        let shared = &self.0;
        let Ok(permit) = shared.permits.clone().try_acquire_owned() else { return };
        let Some(oldest) = shared.idle().pop_front() else { return };
        let mut pooled = PooledConnection::new(Arc::clone(shared), permit, oldest);
        let Ok(raw) = pooled.start_statement() else { return };
        if matches!(timeout(RECOVERY_TIMEOUT, raw.ping()).await, Ok(Ok(()))) {
            pooled.tx_state = TxState::Idle;
        } else {
            tracing::warn!("a connection to the database had died; all are opened again");
            pooled.invalidate_generation();
        }
    }

    /// How much of it is in use.
    pub(super) fn state(&self, name: &'static str) -> PoolState {
        let shared = &self.0;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        PoolState {
            name,
            used: shared.max_connections.saturating_sub(count(shared.permits.available_permits())),
            idle: count(shared.idle().len()),
            max_connections: shared.max_connections,
        }
    }

    /// Closes every connection, waiting for those in use, but no longer than a statement may take.
    pub(super) async fn close(&self) {
        let shared = &self.0;
        let all_permits =
            timeout(STATEMENT_TIMEOUT, shared.permits.acquire_many(shared.max_connections)).await;
        shared.permits.close();
        drop(all_permits);
        let idle = std::mem::take(&mut *shared.idle());
        for connection in idle {
            let _ = timeout(RECOVERY_TIMEOUT, connection.raw.close()).await;
        }
    }
}

impl<C: EngineConnection> Shared<C> {
    fn idle(&self) -> MutexGuard<'_, VecDeque<OpenConnection<C>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was used last: its caches are warm, and the others are found by [`Pool::check_oldest_idle`].
    fn take_idle(&self) -> Option<OpenConnection<C>> {
        let generation = self.generation.load(Ordering::Acquire);
        let mut idle = self.idle();
        while let Some(connection) = idle.pop_back() {
            if connection.generation == generation {
                return Some(connection);
            }
        }
        None
    }

    fn put_back(&self, connection: OpenConnection<C>) {
        if connection.generation == self.generation.load(Ordering::Acquire)
            && !self.permits.is_closed()
        {
            self.idle().push_back(connection);
        }
    }

    /// Opens a connection; while the server is away, again and again until the caller's time is over.
    async fn connect(&self, last_error: &mut Option<sqlx::Error>) -> Result<OpenConnection<C>> {
        let mut retries = interval(CONNECT_RETRY_INTERVAL);
        loop {
            retries.tick().await;
            let generation = self.generation.load(Ordering::Acquire);
            match C::open(&self.options).await {
                Ok(raw) => return Ok(OpenConnection { raw, generation }),
                Err(error) if crate::error::is_transient(&error) => *last_error = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<C: EngineConnection> PooledConnection<C> {
    fn new(
        pool: Arc<Shared<C>>,
        permit: OwnedSemaphorePermit,
        connection: OpenConnection<C>,
    ) -> Self {
        Self { pool, permit: Some(permit), connection: Some(connection), tx_state: TxState::Idle }
    }

    /// The connection, for one statement; [`PooledConnection::on_result`] is told how that ended.
    pub(super) fn start_statement(&mut self) -> Result<&mut C> {
        if self.tx_state == TxState::Idle {
            self.tx_state = TxState::InStatement;
        }
        match &mut self.connection {
            Some(connection) => Ok(&mut connection.raw),
            // It broke before: whoever goes on all the same gets no further.
            None => Err(Error::Unavailable(sqlx::Error::PoolClosed)),
        }
    }

    /// What became of a statement that had the time limit [`STATEMENT_TIMEOUT`]. `None`, only where it `may_retry`: the
    /// connection had died, there is a new one, and the statement was no part of a transaction.
    pub(super) async fn on_result<T>(
        &mut self,
        outcome: Result<Result<T, sqlx::Error>, Elapsed>,
        may_retry: bool,
    ) -> Option<Result<T>> {
        let Ok(outcome) = outcome else {
            self.invalidate_generation();
            return Some(Err(Error::timeout()));
        };
        if self.tx_state == TxState::InStatement {
            self.tx_state = TxState::Idle;
        }
        match outcome {
            Ok(value) => Some(Ok(value)),
            Err(error) if !crate::error::breaks_connection(&error) => Some(Err(error.into())),
            Err(error) if self.tx_state == TxState::InTransaction || !may_retry => {
                self.invalidate_generation();
                Some(Err(error.into()))
            }
            Err(error) => {
                self.invalidate_generation();
                self.reconnect(error).await.err().map(Err)
            }
        }
    }

    /// Another connection in the place of one that died; fails with what it died of when there is none.
    async fn reconnect(&mut self, cause: sqlx::Error) -> Result<()> {
        let mut last_error = None;
        let Ok(connection) = timeout(ACQUIRE_TIMEOUT, self.pool.connect(&mut last_error)).await
        else {
            return Err(Error::Unavailable(last_error.unwrap_or(cause)));
        };
        self.connection = Some(connection?);
        Ok(())
    }

    /// One of the statements that frame a transaction.
    async fn run_tx_control(&mut self, sql: &'static str) -> Result<()> {
        super::trace_statement(sql);
        let outcome = timeout(STATEMENT_TIMEOUT, C::run(self.start_statement()?, sql)).await;
        let ended = match outcome {
            Ok(ended) => ended,
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        };
        ended.map_err(|error| {
            if crate::error::breaks_connection(&error) {
                self.invalidate_generation();
            }
            error.into()
        })
    }

    async fn begin_tx(&mut self, sql: &'static str) -> Result<()> {
        self.tx_state = TxState::InTransaction;
        self.run_tx_control(sql).await
    }

    /// Ends the transaction. After an error nobody knows whether it happened, unless the server said so.
    pub(super) async fn commit(mut self) -> Result<()> {
        let ended = self.run_tx_control("COMMIT").await;
        if ended.is_ok() {
            self.tx_state = TxState::Idle;
        }
        ended
    }

    /// Ends the transaction without a trace. When that fails, the connection is dropped and the server does it.
    pub(super) async fn rollback(mut self) {
        if self.connection.is_some() && self.run_tx_control("ROLLBACK").await.is_ok() {
            self.tx_state = TxState::Idle;
        }
    }

    /// Closes the connection, and every other of its generation before it is used again.
    fn invalidate_generation(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Not `fetch_add`: twenty that break together are one break.
            let _ = self.pool.generation.compare_exchange(
                connection.generation,
                connection.generation + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
    }
}

impl<C: EngineConnection> Drop for PooledConnection<C> {
    fn drop(&mut self) {
        let (Some(connection), Some(permit)) = (self.connection.take(), self.permit.take()) else {
            return;
        };
        if self.tx_state == TxState::Idle {
            self.pool.put_back(connection);
            return;
        }
        // Whoever asked has gone away in the middle. Without a runtime the connection is closed, and the server rolls back.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(recover(Arc::clone(&self.pool), permit, connection));
        }
    }
}

/// Brings a connection back that was dropped in the middle of something; its place is taken until then.
async fn recover<C: EngineConnection>(
    pool: Arc<Shared<C>>,
    permit: OwnedSemaphorePermit,
    mut connection: OpenConnection<C>,
) {
    if timeout(RECOVERY_TIMEOUT, connection.raw.reset()).await.is_ok_and(|is_usable| is_usable) {
        pool.put_back(connection);
    }
    drop(permit);
}

impl<C: EngineConnection> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: EngineConnection> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("max_connections", &self.0.max_connections)
            .finish_non_exhaustive()
    }
}

impl<C: EngineConnection> fmt::Debug for PooledConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PooledConnection(..)")
    }
}
