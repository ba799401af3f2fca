//! A connection pool that never hands out a broken connection twice.
//!
//! ```text
//! get ─▶ an idle connection of this generation, or a new one ─▶ statements, each within a time limit
//!              ▲                                                   │
//!              ├── result, no transaction open ────────────────────┤
//!              ├── rolled back ◀── dropped in the middle ──────────┤
//!              └── the next generation ◀── broken or timed out ────┘
//! ```
//!
//! The driver's own pool is not used: it pings a connection at every return, which costs a round trip, waits for the answer
//! without a limit, and hands out each dead connection once after a restart of the server.

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
/// How long a statement may take before its connection is closed. Longer than the server's own limits (`statement_timeout`,
/// `lock_timeout`): a statement that is abandoned here keeps running there.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the reset of a connection may take that was dropped in the middle of something.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a connection is tried while the server is unavailable.
const CONNECT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// The use of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Its name: `all`, or `read` and `write` where they are separate.
    pub name: &'static str,
    /// Connections in use.
    pub used: u32,
    /// Open connections that are idle.
    pub idle: u32,
    /// The most connections that may be open.
    pub max_connections: u32,
}

/// A pool. Clones share it.
pub(super) struct Pool<C: EngineConnection>(Arc<Shared<C>>);

struct Shared<C: EngineConnection> {
    options: C::Options,
    max_connections: u32,
    permits: Arc<Semaphore>,
    idle: Mutex<VecDeque<OpenConnection<C>>>,
    /// Increments when a connection breaks, and by [`Pool::reopen`]. Connections that were opened before are closed
    /// instead of handed out: the same cause has broken them, too, or made them out of date.
    generation: AtomicU64,
}

struct OpenConnection<C> {
    raw: C,
    generation: u64,
}

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TxState {
    Idle,
    InTransaction,
    InStatement,
}

/// A connection of the pool, returned when dropped.
pub(super) struct PooledConnection<C: EngineConnection> {
    pool: Arc<Shared<C>>,
    permit: Option<OwnedSemaphorePermit>,
    connection: Option<OpenConnection<C>>,
    tx_state: TxState,
}

impl<C: EngineConnection> Pool<C> {
    /// Creates a pool of at most `max_connections` connections. Opens the first, so that a wrong address fails at once.
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

    /// Takes a connection, within [`ACQUIRE_TIMEOUT`].
    pub(super) async fn get(&self) -> Result<PooledConnection<C>> {
        // The last error says more than a timeout.
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

    /// Takes a connection and begins a transaction with `sql`. A dead connection is replaced: nothing has happened on it
    /// yet.
    pub(super) async fn begin(&self, sql: &'static str) -> Result<PooledConnection<C>> {
        let mut pooled = self.get().await?;
        match pooled.begin_tx(sql).await {
            Ok(()) => return Ok(pooled),
            // The connection works, but another process has locked the database.
            Err(busy @ Error::Unavailable(_)) if pooled.connection.is_some() => return Err(busy),
            Err(_) => pooled.invalidate_generation(),
        }
        drop(pooled);
        let mut pooled = self.get().await?;
        pooled.begin_tx(sql).await?;
        Ok(pooled)
    }

    /// Opens a connection outside the pool, without the pool's session setup.
    pub(super) async fn connect_unpooled(&self) -> Result<C> {
        Ok(self.0.options.connect().await?)
    }

    /// Pings the connection that has been idle longest, so that one that was cut silently is found before a request uses it.
    pub(super) async fn check_oldest_idle(&self) {
        let shared = &self.0;
        let Ok(permit) = shared.permits.clone().try_acquire_owned() else { return };
        let Some(oldest) = shared.idle().pop_front() else { return };
        let mut pooled = PooledConnection::new(Arc::clone(shared), permit, oldest);
        let Ok(raw) = pooled.start_statement() else { return };
        if matches!(timeout(RECOVERY_TIMEOUT, raw.ping()).await, Ok(Ok(()))) {
            pooled.tx_state = TxState::Idle;
        } else {
            tracing::warn!("a database connection was dead; all connections are opened again");
            pooled.invalidate_generation();
        }
    }

    /// Closes every connection: the idle ones now, each other one when it is returned. The next callers open new ones.
    pub(super) async fn reopen(&self) {
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        self.0.close_idle().await;
    }

    /// The use of this pool.
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

    /// Closes every connection. Waits for those in use, but no longer than a statement may take.
    pub(super) async fn close(&self) {
        let shared = &self.0;
        let all_permits =
            timeout(STATEMENT_TIMEOUT, shared.permits.acquire_many(shared.max_connections)).await;
        shared.permits.close();
        drop(all_permits);
        shared.close_idle().await;
    }
}

impl<C: EngineConnection> Shared<C> {
    fn idle(&self) -> MutexGuard<'_, VecDeque<OpenConnection<C>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection that was used last: its caches are warm, and [`Pool::check_oldest_idle`] checks the others.
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

    async fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            let _ = timeout(RECOVERY_TIMEOUT, connection.raw.close()).await;
        }
    }

    /// Opens a connection. While the server is unavailable it tries again, until the caller's timeout.
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

    /// The connection, for one statement, whose result the caller passes to [`PooledConnection::on_result`].
    pub(super) fn start_statement(&mut self) -> Result<&mut C> {
        if self.tx_state == TxState::Idle {
            self.tx_state = TxState::InStatement;
        }
        match &mut self.connection {
            Some(connection) => Ok(&mut connection.raw),
            // It broke before: a caller that continues all the same gets this error.
            None => Err(Error::Unavailable(sqlx::Error::PoolClosed)),
        }
    }

    /// Handles the result of a statement that had the time limit [`STATEMENT_TIMEOUT`]. `None`, only with `may_retry`, means
    /// that the connection was dead and has been replaced, and that the statement was not part of a transaction.
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

    /// Replaces a broken connection. When none can be opened it fails with the last error, or with `cause`.
    async fn reconnect(&mut self, cause: sqlx::Error) -> Result<()> {
        let mut last_error = None;
        let Ok(connection) = timeout(ACQUIRE_TIMEOUT, self.pool.connect(&mut last_error)).await
        else {
            return Err(Error::Unavailable(last_error.unwrap_or(cause)));
        };
        self.connection = Some(connection?);
        Ok(())
    }

    /// Runs `BEGIN`, `COMMIT` or `ROLLBACK`.
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

    /// Commits. After an error the outcome is unknown, unless the server reported the error.
    pub(super) async fn commit(mut self) -> Result<()> {
        let ended = self.run_tx_control("COMMIT").await;
        if ended.is_ok() {
            self.tx_state = TxState::Idle;
        }
        ended
    }

    /// Rolls back. When that fails, the connection is dropped and the server rolls back.
    pub(super) async fn rollback(mut self) {
        if self.connection.is_some() && self.run_tx_control("ROLLBACK").await.is_ok() {
            self.tx_state = TxState::Idle;
        }
    }

    /// Closes the connection, and the others of its generation before their next use.
    fn invalidate_generation(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Not `fetch_add`: twenty that break together count as one break.
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
        // Its caller was cancelled in the middle. Without a runtime the connection is closed, and the server rolls back.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(recover(Arc::clone(&self.pool), permit, connection));
        }
    }
}

/// Resets a connection that was dropped in the middle of something, and returns it to the pool. Its permit is held until
/// then.
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
