//! `scripts/bench retention`: the running server sweeps a database with a million rows past their retention time while
//! people sign in. As many sign in before and after it.

use std::time::{Duration, Instant};

use store::{Db, Sql};
use vestibule_tests::{
    aged_data,
    db::{Engine, TestDb},
    wait,
};

use crate::{
    held_leases::HeldLeases, load::LoadGenerator, millis, percentile, print_figure, server::Server,
};

/// Rows of each kind and of the audit trail; eleven times as many in total.
const EACH: i64 = 91_500;
/// How long each round of sign-ins lasts.
const DURING: Duration = Duration::from_secs(20);

/// Measures on both engines.
pub(crate) async fn measure() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        sweep(engine).await;
    }
}

async fn remaining_rows(db: &Db) -> i64 {
    let mut all = 0;
    for (_, count) in aged_data::COUNT_BY_KIND {
        let mut conn = db.read().await.expect("a connection");
        let (rows,): (i64,) = conn.q(count).fetch_one().await.expect("a number");
        all += rows;
    }
    all
}

async fn wait_until_sealed(db: &Db) {
    let open = async || {
        let mut conn = db.read().await.expect("a connection");
        let open = "SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL";
        let (rows,): (i64,) = conn.q(open).fetch_one().await.expect("a number");
        rows
    };
    wait::until_equal("rows without a seal", 0, open).await;
}

async fn sweep(engine: Engine) {
    let name = if engine == Engine::Postgres { "PostgreSQL" } else { "SQLite FULL" };
    println!("\nRetention on {name}, 4 people at once");
    let test = TestDb::create(engine).await;
    let db = test.open().await;
    aged_data::fill_trail(&db, engine, EACH).await;
    // Sweeping is suspended.
    let held = HeldLeases::acquire(test.open().await, &["retention"]).await;
    let server = Server::serve(engine, &test).await;
    let begun = Instant::now();
    wait_until_sealed(&db).await;
    print_figure(
        "old rows of the audit trail sealed",
        per_second(EACH, begun.elapsed()),
        "1/s",
        None,
    );
    aged_data::fill(&db, engine, EACH).await;
    let rows = remaining_rows(&db).await;
    print_figure("rows past their time", per_second(rows, Duration::from_secs(1)), "", None);
    let mut without = SignInTimes::measure(&server).await;
    // A server starts to sweep at once, and serves meanwhile.
    server.stop().await;
    held.release().await;
    let server = Server::serve(engine, &test).await;
    let begun = Instant::now();
    let swept = async {
        while remaining_rows(&db).await > 0 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        begun.elapsed()
    };
    let (taken, mut beside) = tokio::join!(swept, SignInTimes::measure(&server));
    print_figure(
        "swept, with its pauses and beside sign-ins",
        per_second(rows, taken),
        "1/s",
        None,
    );
    server.print_log_line("expired rows were deleted").await;
    // The machine may have become faster or slower meanwhile, so the rounds before and after are merged.
    without.merge(SignInTimes::measure(&server).await);
    let without = without.print_times("without sweeping");
    let ratio = beside.print_times("beside sweeping") / without;
    print_figure("median while sweeping, over that without", ratio, "", Some(("at most", 1.25)));
}

fn per_second(rows: i64, taken: Duration) -> f64 {
    f64::from(i32::try_from(rows).expect("few")) / taken.as_secs_f64()
}

/// How long sign-ins took, and the CPU time of Argon2 in total.
struct SignInTimes {
    latencies: Vec<Duration>,
    hashing: Duration,
}

impl SignInTimes {
    /// Measures sign-ins of four people at once.
    async fn measure(server: &Server) -> Self {
        let load = LoadGenerator::new(server, 4).await;
        load.sign_ins(8, false).await;
        let before = server.hashing_cpu();
        let latencies = load.measure_sign_ins(DURING).await;
        Self { latencies, hashing: server.hashing_cpu().saturating_sub(before) }
    }

    /// Adds the times of another round.
    fn merge(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.hashing += other.hashing;
    }

    /// Prints the times, and returns the median.
    fn print_times(&mut self, what: &str) -> f64 {
        let count = self.latencies.len();
        let [median, p95, slowest] =
            [50, 95, 100].map(|percent| millis(percentile(&mut self.latencies, percent)));
        for (name, value) in [("median", median), ("p95", p95), ("slowest", slowest)] {
            print_figure(&format!("a sign-in {what}, {name} of {count}"), value, "ms", None);
        }
        let each = self.hashing / u32::try_from(count).expect("few");
        print_figure(&format!("Argon2 of a sign-in {what}"), millis(each), "ms", None);
        median
    }
}
