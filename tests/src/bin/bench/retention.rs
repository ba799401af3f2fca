//! `scripts/bench retention`: a database with a million rows past their time is swept by the running server while people
//! sign in, and the same people sign in without it.

use std::time::{Duration, Instant};

use store::{Db, Sql};
use vestibule_tests::{
    db::{Engine, TestDb},
    old_rows,
};

use crate::{hold::Hold, line, load::Load, millis, server::Server};

/// Rows of each kind and of the trail; eleven times as many in all.
const EACH: i64 = 91_500;

/// Measures on both engines.
pub(crate) async fn measure() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        sweep(engine).await;
    }
}

async fn left(db: &Db) -> i64 {
    let mut all = 0;
    for (_, count) in old_rows::LEFT_OF_KIND {
        let mut conn = db.read().await.expect("a connection");
        let (rows,): (i64,) = conn.q(count).one().await.expect("a number");
        all += rows;
    }
    all
}

async fn wait_until_sealed(db: &Db) {
    loop {
        let mut conn = db.read().await.expect("a connection");
        let open = "SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL";
        let (rows,): (i64,) = conn.q(open).one().await.expect("a number");
        if rows == 0 {
            return;
        }
        drop(conn);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn sweep(engine: Engine) {
    let name = if engine == Engine::Postgres { "PostgreSQL" } else { "SQLite FULL" };
    println!("\nRetention on {name}, 4 people at once");
    let test = TestDb::create(engine).await;
    let db = test.open().await;
    old_rows::fill_trail(&db, engine, EACH).await;
    // Nobody sweeps yet.
    let held = Hold::of(test.open().await, &["retention"]).await;
    let server = Server::serve(engine, &test).await;
    let begun = Instant::now();
    wait_until_sealed(&db).await;
    let rate = |rows: i64, taken: Duration| {
        f64::from(i32::try_from(rows).expect("few")) / taken.as_secs_f64()
    };
    line("old rows of the trail sealed", rate(EACH, begun.elapsed()), "1/s", None);
    old_rows::fill(&db, engine, EACH).await;
    let load = Load::new(&server, 4).await;
    let rows = left(&db).await;
    load.sign_ins(8, false).await;
    let without = latencies(&load, Duration::from_secs(20)).await;
    // A server sweeps as soon as it starts, and serves meanwhile.
    server.stop().await;
    held.end().await;
    let server = Server::serve(engine, &test).await;
    let begun = Instant::now();
    let load = Load::new(&server, 4).await;
    load.sign_ins(8, false).await;
    let swept = async {
        while left(&db).await > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        begun.elapsed()
    };
    let (taken, during) = tokio::join!(swept, latencies(&load, Duration::from_secs(20)));
    line("rows past their time", rate(rows, Duration::from_secs(1)), "", None);
    line("swept, with its rests and beside sign-ins", rate(rows, taken), "1/s", None);
    for (what, latencies) in [("without sweeping", &without), ("beside sweeping", &during)] {
        for (name, part) in [("median", 50), ("p95", 95), ("slowest", 100)] {
            let nth = (latencies.len() * part).div_ceil(100).saturating_sub(1);
            let value = millis(latencies[nth]);
            line(&format!("a sign-in {what}, {name} of {}", latencies.len()), value, "ms", None);
        }
    }
    let ratio = median(&during).as_secs_f64() / median(&without).as_secs_f64();
    line("median beside sweeping, to that without", ratio, "", Some(("at most", 1.25)));
    server.told("swept what has served its time").await;
}

/// The one in the middle; they are in order.
fn median(latencies: &[Duration]) -> Duration {
    latencies[latencies.len().div_ceil(2).saturating_sub(1)]
}

/// How long sign-ins take, shortest first.
async fn latencies(load: &Load, during: Duration) -> Vec<Duration> {
    let mut all = load.timed(during).await;
    all.sort_unstable();
    all
}
