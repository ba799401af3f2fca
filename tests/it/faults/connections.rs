//! What happens to idle connections that are closed, and to connections whose request is cancelled.

use std::time::{Duration, Instant};

use store::{CommitTracker, Db, DbConfig, Error, Sql};
use tokio::time::timeout;
use vestibule_tests::{
    blocking_tx::BlockingTx,
    db::{Engine, TestDb},
    wait,
};

use crate::engines::{apply, both_engines};

/// How long a statement may take before the program closes its connection (`store/src/db/pool.rs`).
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);

async fn version(db: &Db) -> i64 {
    let mut conn = db.read().await.expect("a connection");
    let sql = "SELECT version FROM revisions WHERE topic = 'settings'";
    let (version,): (i64,) = conn.q(sql).fetch_one().await.expect("a row");
    version
}

async fn bump(db: &Db) -> Result<u64, Error> {
    let sql = "UPDATE revisions SET version = version + 1 WHERE topic = 'settings'";
    db.write(async |tx| tx.q(sql).execute().await).await
}

/// The server ends every connection: no caller gets a closed one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_idle_connections_are_replaced() {
    let data = TestDb::create(Engine::Postgres).await;
    let (db, other) = (data.open().await, data.open().await);
    for round in 0..3 {
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(db.read().await.expect("a connection"));
        }
        drop(held);
        let end = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS BIGINT) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut conn = other.read().await.expect("a connection");
        let (ended,): (i64,) = conn.q(end).fetch_one().await.expect("a row");
        assert!(ended >= 8, "round {round}: {ended} were ended");
        assert_eq!(version(&db).await, 2 * round, "a read succeeds");
        bump(&db).await.expect("a transaction begins");
        bump(&db).await.expect("and another");
    }
}

/// The wait for a row lock of another transaction is bounded; it counts as "unavailable", not as a defect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_wait_is_bounded() {
    let data = TestDb::create(Engine::Postgres).await;
    let (db, other) = (data.open().await, data.open().await);
    let sql = "UPDATE revisions SET version = version + 1 WHERE topic = 'settings'";
    let held = BlockingTx::open(other, sql).await;
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { bump(&db).await }
    });
    let met = async || data.lock_waiters().await > 0 || waiting.is_finished();
    wait::until("it waits for the lock", met).await;
    let waited = waiting.await.expect("no panic");
    assert!(matches!(waited, Err(Error::Unavailable(_))), "{waited:?}");
    drop(held);
    // The holder was dropped without a commit, and its row is free again.
    bump(&db).await.expect("the row is free");
    assert_eq!(version(&db).await, 1);
}

/// A statement that kills its connection is retried once, not without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_killing_connection_retries_once() {
    let data = TestDb::create(Engine::Postgres).await;
    let db = data.open().await;
    let mut conn = db.read().await.expect("a connection");
    let died = conn
        .q("SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS TEXT)")
        .fetch_one::<(String,)>()
        .await;
    assert!(matches!(died, Err(Error::Unavailable(_))), "{died:?}");
    drop(conn);
    assert_eq!(version(&db).await, 0, "the next caller gets an open connection");
}

/// A statement that the program gives up does not keep running in the server with its locks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_ends_long_statement() {
    wait::retry_while_slow("the server's limit, a second before ours", try_server_timeout).await;
}

async fn try_server_timeout() -> Option<()> {
    let data = TestDb::create(Engine::Postgres).await;
    let db = data.open().await;
    let mut conn = db.read().await.expect("a connection");
    let begun = Instant::now();
    let slept = conn.q("SELECT CAST(pg_sleep(60) AS TEXT)").fetch_one::<(String,)>().await;
    let ended = format!("{slept:?}");
    if begun.elapsed() > STATEMENT_LIMIT && !ended.contains("statement timeout") {
        return None;
    }
    assert!(
        matches!(slept, Err(Error::Unavailable(_))) && ended.contains("statement timeout"),
        "{ended}"
    );
    // The connection stayed open, and the statement no longer runs.
    let alive = "SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()";
    let (running,): (i64,) = conn.q(alive).fetch_one().await.expect("it answers");
    assert_eq!(running, 0);
    Some(())
}

/// A caller that gives up work can see whether its commit has begun.
#[apply(both_engines)]
async fn commit_start_is_tracked(engine: Engine) {
    let data = TestDb::create(engine).await;
    let db = data.open().await;
    let commits = CommitTracker::default();
    commits.track(version(&db)).await;
    let failed = db.write(async |tx| {
        tx.q("UPDATE revisions SET version = 7 WHERE topic = 'settings'").execute().await?;
        Err::<(), _>(Error::InvalidUrl("it fails".to_owned()))
    });
    assert!(commits.track(failed).await.is_err());
    bump(&db).await.expect("another caller's commit");
    commits.track(bump(&db)).await.expect("a commit");
    assert!(!commits.cancel(), "a commit has begun");
    assert_eq!(version(&db).await, 2);
}

/// Cancelled work commits nothing, also in a task that continues when its caller is dropped.
#[apply(both_engines)]
async fn cancelled_work_commits_nothing(engine: Engine) {
    let data = TestDb::create(engine).await;
    let db = data.open().await;
    let commits = CommitTracker::default();
    let task = async { CommitTracker::run_to_completion(std::future::pending::<()>()).await };
    let (ended, is_cancelled) = tokio::join!(commits.track(task), async { commits.cancel() });
    assert!(is_cancelled && commits.cancel());
    assert!(matches!(ended, Err(Error::Unavailable(_))), "{ended:?}");
    assert!(matches!(commits.track(bump(&db)).await, Err(Error::Unavailable(_))));
    assert_eq!(version(&db).await, 0);
}

/// A request that is dropped in the middle of a transaction changes nothing, and leaks no connection.
#[apply(both_engines)]
async fn cancelled_transaction_rolls_back(engine: Engine) {
    let data = TestDb::create(engine).await;
    let config = match data.config().clone() {
        DbConfig::Postgres { url, .. } => DbConfig::Postgres { url, max_connections: 2 },
        sqlite @ DbConfig::Sqlite { .. } => sqlite,
    };
    let db = Db::open(&config).await.expect("it opens");
    for round in 0..20 {
        let sql = "UPDATE revisions SET version = version + 100 WHERE topic = 'settings'";
        let cut: Result<Result<(), Error>, _> = timeout(
            Duration::from_millis(round),
            db.write(async |tx| {
                tx.q(sql).execute().await?;
                std::future::pending().await
            }),
        )
        .await;
        assert!(cut.is_err(), "it was cut off");
        bump(&db).await.expect("the next one gets its connection");
    }
    assert_eq!(version(&db).await, 20, "nothing of the cancelled work was kept");
}
