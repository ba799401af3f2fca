//! PostgreSQL stops, crashes, hangs, and is replaced by its standby.

use std::{sync::Arc, time::Duration};

use vestibule_tests::{
    crowd::Tally,
    db::{Engine, TestDb},
    dedicated_servers::{DedicatedPostgres, Stop},
    proxy::Proxy,
};

use super::{Site, rounds};

/// Servers are waited for on a thread of their own, so that the people go on meanwhile.
async fn apart<T: Send + 'static>(
    server: &Arc<DedicatedPostgres>,
    work: impl FnOnce(&DedicatedPostgres) -> T + Send + 'static,
) -> T {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.expect("no panic")
}

/// A request that waits for so long has met the fault.
const HELD: Duration = Duration::from_millis(500);
/// How long a statement may take (`store/src/db/pool.rs`): a server that hangs for longer has its connections given up.
const STATEMENT: Duration = Duration::from_secs(10);
/// A request that waits for so long has met a server that hangs.
const HUNG: Duration = Duration::from_secs(4);

/// Whether somebody had to repeat, or was held until the server was back.
fn met(tally: &Tally) -> bool {
    tally.repeated > 0 || tally.longest > HELD
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restart_and_crash_lose_nothing() {
    let server = Arc::new(tokio::task::spawn_blocking(DedicatedPostgres::start).await.unwrap());
    let site = Site::start(TestDb::at(server.url(None)).await, Engine::Postgres.redis_url()).await;
    for _ in 0..rounds() {
        for stop in [Stop::Fast, Stop::Immediate] {
            apart(&server, move |server| server.down(stop)).await;
            site.crowd.until_held(HELD).await;
            apart(&server, DedicatedPostgres::up).await;
            site.crowd.complete(4).await;
        }
    }
    let tally = site.mended("PostgreSQL restarted, then crashed").await;
    assert!(met(&tally), "nobody met the fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_postgres_bounds_response_time() {
    let server = Arc::new(tokio::task::spawn_blocking(DedicatedPostgres::start).await.unwrap());
    let site = Site::start(TestDb::at(server.url(None)).await, Engine::Postgres.redis_url()).await;
    for _ in 0..rounds() {
        server.freeze();
        // Time itself is what is tested: a statement is given up, and so is a request that waits
        // for its connection.
        tokio::time::sleep(STATEMENT).await;
        site.crowd.until("the server hangs", |tally| tally.longest > HUNG).await;
        server.thaw();
        site.crowd.complete(4).await;
    }
    let tally = site.mended("PostgreSQL hung for 10 s").await;
    assert!(tally.longest > HUNG, "no request met the fault");
    assert!(tally.longest < Duration::from_secs(25), "an answer took {:?}", tally.longest);
}

/// The virtual address moves, the old primary is gone, and the standby has every commit that was told to anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promoted_standby_loses_nothing() {
    let primary = Arc::new(tokio::task::spawn_blocking(DedicatedPostgres::start).await.unwrap());
    let proxy = Proxy::start(primary.port()).await;
    let db = TestDb::at(primary.url(Some(proxy.port()))).await;
    let standby = Arc::new(apart(&primary, DedicatedPostgres::standby).await);
    let site = Site::start(db, Engine::Postgres.redis_url()).await;
    apart(&primary, |primary| primary.down(Stop::Immediate)).await;
    // The address moves too early: a server that only reads is not ours, and is not taken for the database.
    proxy.move_to(standby.port());
    site.crowd.until_held(HELD).await;
    apart(&standby, DedicatedPostgres::promote).await;
    let tally = site.mended("a standby was promoted").await;
    assert!(met(&tally), "nobody met the fault");
}
