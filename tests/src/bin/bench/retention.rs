//! `scripts/bench retention`: a database with a million rows past their time is swept by the running server while people
//! sign in, and as many sign in before and after it.

use std::time::{Duration, Instant};

use store::{Db, Sql};
use vestibule_tests::{
    db::{Engine, TestDb},
    old_rows,
};

use crate::{hold::Hold, line, load::Load, millis, server::Server};

/// Rows of each kind and of the trail; eleven times as many in all.
const EACH: i64 = 91_500;
/// How long people sign in each time.
const DURING: Duration = Duration::from_secs(20);

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
    line("old rows of the trail sealed", per_second(EACH, begun.elapsed()), "1/s", None);
    old_rows::fill(&db, engine, EACH).await;
    let rows = left(&db).await;
    line("rows past their time", per_second(rows, Duration::from_secs(1)), "", None);
    let mut without = Pace::of(&server).await;
    // A server sweeps as soon as it starts, and serves meanwhile.
    server.stop().await;
    held.end().await;
    let server = Server::serve(engine, &test).await;
    let begun = Instant::now();
    let swept = async {
        while left(&db).await > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        begun.elapsed()
    };
    let (taken, beside) = tokio::join!(swept, Pace::of(&server));
    line("swept, with its rests and beside sign-ins", per_second(rows, taken), "1/s", None);
    server.told("swept what has served its time").await;
    // The machine may have become faster or slower meanwhile: so much before, and so much after.
    without.and(Pace::of(&server).await);
    without.print("without sweeping");
    beside.print("beside sweeping");
    let ratio = millis(beside.nth(50)) / millis(without.nth(50));
    line("median beside sweeping, to that without", ratio, "", Some(("at most", 1.25)));
}

fn per_second(rows: i64, taken: Duration) -> f64 {
    f64::from(i32::try_from(rows).expect("few")) / taken.as_secs_f64()
}

/// How long sign-ins take, shortest first, and what Argon2 took of each.
struct Pace {
    latencies: Vec<Duration>,
    hashing: Duration,
}

impl Pace {
    /// Of four people for a while.
    async fn of(server: &Server) -> Self {
        let load = Load::new(server, 4).await;
        load.sign_ins(8, false).await;
        let before = server.hashing_cpu();
        let mut latencies = load.timed(DURING).await;
        let hashing = server.hashing_cpu().saturating_sub(before);
        latencies.sort_unstable();
        Self { latencies, hashing }
    }

    /// With those of another time.
    fn and(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.hashing += other.hashing;
    }

    /// What so many of a hundred took, or less.
    fn nth(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() * percent).div_ceil(100).saturating_sub(1)]
    }

    fn print(&self, what: &str) {
        let count = self.latencies.len();
        for (name, percent) in [("median", 50), ("p95", 95), ("slowest", 100)] {
            let value = millis(self.nth(percent));
            line(&format!("a sign-in {what}, {name} of {count}"), value, "ms", None);
        }
        let each = self.hashing / u32::try_from(count).expect("few");
        line(&format!("Argon2 of a sign-in {what}"), millis(each), "ms", None);
    }
}
