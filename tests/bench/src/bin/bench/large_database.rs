//! Sign-ins with 1.8 million people in the database, beside sign-ins with a few (`scripts/bench people`). The full database
//! is created once and kept outside the tree.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use vestibule_tests::{
    db::{Engine, TestDb},
    dedicated_servers::DedicatedPostgres,
    proc::run,
    serve_process::ServeSetup,
};

use crate::{held_leases::HeldLeases, load::LoadGenerator, millis, print_figure, server::Server};

const LARGE_DATABASE: &str = "people";
const SMALL_DATABASE: &str = "few";
const PEOPLE: u32 = 1_800_000;
const SIGN_INS: u32 = 104;

/// People with a password, their last sign-in and session, and their rows in the audit trail. All have the same password;
/// identifiers are random. Everything is a day old, so that no row is past its retention time.
const FILL: &str = "
CREATE TABLE yesterday AS SELECT CAST(extract(epoch FROM now()) * 1000 AS BIGINT) - 86400000 AS at;
INSERT INTO users (id, subject, pairwise_seed, user_handle, email, email_canonical, email_verified, name, claims, epoch, created_at, updated_at)
SELECT gen_random_uuid(), md5(random()::text || n), md5(n || random()::text), gen_random_uuid(), 'person' || n || '@people.example',
       'person' || n || '@people.example', true, 'Person ' || n, '{}', 0, at, at
FROM yesterday, generate_series(1, 1800000) AS n;
INSERT INTO passwords (user_id, phc, version, set_at)
SELECT users.id, (SELECT phc FROM passwords LIMIT 1), 1, at FROM users, yesterday WHERE email LIKE '%@people.example';
INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, mailbox_only)
SELECT gen_random_uuid(), id, 0, 'password', at, 'email_code', at, false FROM users, yesterday WHERE email LIKE '%@people.example';
INSERT INTO sessions (id, sid, secret, user_id, sign_in_id, epoch, created_at, last_seen, ended_at)
SELECT gen_random_uuid(), md5(random()::text || id), sha256(id::text::bytea), user_id, id, 0, at, at, at FROM sign_ins, yesterday;
INSERT INTO audit (id, at, event, outcome, actor, user_id, reference, detail)
SELECT gen_random_uuid(), at, 'sign_in.completed', 'password+email_code', 'person', user_id, 'BENCH0', '{}' FROM sign_ins, yesterday;
DROP TABLE yesterday;
VACUUM ANALYZE;";

/// Sealing and sweeping are suspended: they would handle two million rows in the full database and a few in the other.
const HELD: &[&str] = &["audit_seals", "retention"];
/// Rounds on each database, in turns.
const ROUNDS: usize = 5;

/// The folder of the full database.
fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("VESTIBULE_BENCH_DIR") {
        return folder.into();
    }
    match std::env::var_os("HOME") {
        // PostgreSQL does not run as root, and another account cannot reach into root's home.
        Some(home) if home != "/root" => PathBuf::from(home).join(".cache/vestibule-bench"),
        _ => PathBuf::from("/var/cache/vestibule-bench"),
    }
}

/// Fills the database if it is not full, and compares.
pub(crate) async fn compare() {
    let folder = folder();
    let server = DedicatedPostgres::persistent(&folder);
    let full = ensure_filled(&server).await;
    let few = database(&server, SMALL_DATABASE).await;
    let _held = [
        HeldLeases::acquire(few.open().await, HELD).await,
        HeldLeases::acquire(full.open().await, HELD).await,
    ];
    // Writes that the filling left pending must not happen while we measure, and its reads must not count.
    server.run_sql(LARGE_DATABASE, "CHECKPOINT; SELECT pg_stat_reset()");
    println!("Sign-ins on PostgreSQL, 8 people at once, kept in {}", folder.display());
    let mut best = [Figures::WORST; 2];
    for round in 1..=ROUNDS {
        for (which, db) in [&few, &full].into_iter().enumerate() {
            let figures = measure(db).await;
            let name = if which == 0 { "a few people" } else { "1.8 million people" };
            println!(
                "  round {round}, {name}: {:.3} ms CPU, {:.1} a second",
                millis(figures.cpu),
                1.0 / figures.wall.as_secs_f64()
            );
            best[which] = best[which].best(figures);
        }
    }
    let ratio = |of: fn(&Figures) -> Duration| millis(of(&best[1])) / millis(of(&best[0]));
    print_figure(
        "CPU per sign-in, 1.8 million over a few",
        ratio(|f| f.cpu),
        "",
        Some(("at most", 1.1)),
    );
    print_figure(
        "time per sign-in, 1.8 million over a few",
        ratio(|f| f.wall),
        "",
        Some(("at most", 1.1)),
    );
    println!("Tables that were read from end to end meanwhile (should be none):");
    println!("{}", server.run_sql(LARGE_DATABASE, SCANNED));
}

const SCANNED: &str = "SELECT relname, seq_scan, seq_tup_read FROM pg_stat_user_tables
    WHERE seq_scan > 0 AND n_live_tup > 1000 ORDER BY seq_tup_read DESC";

/// The full database. A partly filled one is created again.
async fn ensure_filled(server: &DedicatedPostgres) -> TestDb {
    let url = server.database(LARGE_DATABASE);
    let table =
        server.run_sql(LARGE_DATABASE, "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'audit'");
    let marks = "SELECT COUNT(*) FROM audit WHERE reference = 'BENCH0'";
    if table == "1" && server.run_sql(LARGE_DATABASE, marks).parse().is_ok_and(|n: u32| n >= PEOPLE)
    {
        return TestDb::at_url(url).await;
    }
    server.run_sql("postgres", "DROP DATABASE people");
    let db = database(server, LARGE_DATABASE).await;
    let operator = ServeSetup::prepare(Engine::Postgres, &db).await;
    let add = ["user", "add", "first@patients.example", "--password-stdin"];
    run(operator.change_command(&add), "a walk along the river").await;
    println!("Filling in 1.8 million people, once; this takes minutes");
    let begun = Instant::now();
    server.run_sql(LARGE_DATABASE, FILL);
    println!("  filled in {:.0} s", begun.elapsed().as_secs_f64());
    db
}

/// Creates an empty database with the schema of this build.
async fn database(server: &DedicatedPostgres, name: &str) -> TestDb {
    TestDb::at_url(server.database(name)).await
}

#[derive(Clone, Copy)]
struct Figures {
    cpu: Duration,
    wall: Duration,
}

impl Figures {
    const WORST: Self = Self { cpu: Duration::MAX, wall: Duration::MAX };

    fn best(self, other: Self) -> Self {
        Self { cpu: self.cpu.min(other.cpu), wall: self.wall.min(other.wall) }
    }
}

async fn measure(db: &TestDb) -> Figures {
    let server = Server::serve(Engine::Postgres, db).await;
    let load = LoadGenerator::new(&server, 8).await;
    load.sign_ins(16, false).await;
    let (cpu, wall) = (server.cpu(), Instant::now());
    load.sign_ins(SIGN_INS, false).await;
    let (cpu, wall) = (server.cpu().saturating_sub(cpu), wall.elapsed());
    Figures { cpu: cpu / SIGN_INS, wall: wall / SIGN_INS }
}
