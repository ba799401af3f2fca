//! PostgreSQL stops, crashes, hangs, and is replaced by its standby.

use std::{sync::Arc, time::Duration};

use vestibule_tests::{
    crowd::CrowdStats,
    db::{Engine, TestDb},
    dedicated_servers::{DedicatedPostgres, StopMode},
    proxy::Proxy,
};

use super::{FaultScenario, rounds};

/// Waits for servers on a blocking thread, so that the sign-ins continue meanwhile.
async fn on_blocking_thread<T: Send + 'static>(
    server: &Arc<DedicatedPostgres>,
    work: impl FnOnce(&DedicatedPostgres) -> T + Send + 'static,
) -> T {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || work(&server)).await.expect("no panic")
}

/// A request that waits this long was hit by the fault.
const FAULT_WAIT: Duration = Duration::from_millis(500);
/// How long a statement may take (`store/src/db/pool.rs`): connections to a server that hangs for longer are closed.
const STATEMENT: Duration = Duration::from_secs(10);
/// A request that waits this long was hit by a hanging server.
const HANG_WAIT: Duration = Duration::from_secs(4);

/// Whether a request had to be repeated, or waited until the server was back.
fn met_fault(tally: &CrowdStats) -> bool {
    tally.repeated > 0 || tally.longest_answer > FAULT_WAIT
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restart_and_crash_lose_nothing() {
    let server = Arc::new(tokio::task::spawn_blocking(DedicatedPostgres::start).await.unwrap());
    let site =
        FaultScenario::start(TestDb::at_url(server.url(None)).await, Engine::Postgres.redis_url())
            .await;
    for _ in 0..rounds() {
        for stop in [StopMode::Fast, StopMode::Immediate] {
            on_blocking_thread(&server, move |server| server.stop_server(stop)).await;
            site.crowd.wait_until_request_held(FAULT_WAIT).await;
            on_blocking_thread(&server, DedicatedPostgres::start_server).await;
            site.crowd.wait_for_sign_ins(4).await;
        }
    }
    let tally = site.finish_after_fault("PostgreSQL restarted, then crashed").await;
    assert!(met_fault(&tally), "no request met the fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_postgres_bounds_response_time() {
    let server = Arc::new(tokio::task::spawn_blocking(DedicatedPostgres::start).await.unwrap());
    let site =
        FaultScenario::start(TestDb::at_url(server.url(None)).await, Engine::Postgres.redis_url())
            .await;
    for _ in 0..rounds() {
        server.freeze();
        // The time limit itself is tested: a statement is given up, and so is a request that waits for its connection.
        tokio::time::sleep(STATEMENT).await;
        site.crowd.until("the server hangs", |tally| tally.longest_answer > HANG_WAIT).await;
        server.thaw();
        site.crowd.wait_for_sign_ins(4).await;
    }
    let tally = site.finish_after_fault("PostgreSQL hung for 10 s").await;
    assert!(tally.longest_answer > HANG_WAIT, "no request met the fault");
    assert!(
        tally.longest_answer < Duration::from_secs(25),
        "a response took {:?}",
        tally.longest_answer
    );
}

/// The virtual address moves, the old primary is gone, and the standby has every acknowledged commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promoted_standby_loses_nothing() {
    let primary = Arc::new(tokio::task::spawn_blocking(DedicatedPostgres::start).await.unwrap());
    let proxy = Proxy::start(primary.port()).await;
    let db = TestDb::at_url(primary.url(Some(proxy.port()))).await;
    let standby = Arc::new(on_blocking_thread(&primary, DedicatedPostgres::standby).await);
    let site = FaultScenario::start(db, Engine::Postgres.redis_url()).await;
    on_blocking_thread(&primary, |primary| primary.stop_server(StopMode::Immediate)).await;
    // The address moves too early: a read-only server is not accepted as the database.
    proxy.move_to(standby.port());
    site.crowd.wait_until_request_held(FAULT_WAIT).await;
    on_blocking_thread(&standby, DedicatedPostgres::promote).await;
    let tally = site.finish_after_fault("a standby was promoted").await;
    assert!(met_fault(&tally), "no request met the fault");
}
