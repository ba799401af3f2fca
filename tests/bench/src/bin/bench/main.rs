//! Measures and prints ratios to the physical floor: Argon2, signatures and durable commits (`scripts/bench`).
//!
//! The server runs on core 0. This program, the mail catcher and PostgreSQL run on core 1, so that only the server's work is
//! counted as the server's. Times are CPU times from `/proc`, which are valid on a busy machine too.

mod attacks;
mod floor;
mod held_leases;
mod large_database;
mod load;
mod overload;
mod retention;
mod server;
mod sign_in_attempt;
mod throughput;
mod timing;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use vestibule_tests::db::{Engine, TestDb};

use floor::Floor;
use load::{LoadGenerator, silent_exchange};
use server::Server;

/// Bars that were missed; if there are any, the program fails.
static MISSED_BARS: AtomicU32 = AtomicU32::new(0);

/// Prints a measured figure beside its bar.
fn print_figure(what: &str, value: f64, unit: &str, bar: Option<(&str, f64)>) {
    let (bar, verdict) = match bar {
        Some(("at most", most)) => (format!("bar: at most {most}"), value <= most),
        Some((_, least)) => (format!("bar: at least {least}"), value >= least),
        None => (String::new(), true),
    };
    MISSED_BARS.fetch_add(u32::from(!verdict), Ordering::Relaxed);
    let mark = if verdict { "  " } else { "! " };
    println!("{mark}{what:<62} {value:>9.3} {unit:<8} {bar}");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The percentile of the times.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Builds the program before anything is measured or held.
    drop(vestibule_tests::proc::idp_command());
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        None => print_figures().await,
        Some("overload") => overload::run(overload::OverloadOptions::from_args(arguments)).await,
        Some("people") => large_database::compare().await,
        Some("attacks") => Box::pin(attacks::run()).await,
        Some("timing") => Box::pin(timing::run()).await,
        Some("retention") => retention::measure().await,
        Some(other) => {
            println!("no such figures: {other}; see scripts/bench");
            return ExitCode::FAILURE;
        }
    }
    if MISSED_BARS.load(Ordering::Relaxed) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn print_figures() {
    let floor = Floor::measure().await;
    println!("Floors, CPU on this machine");
    print_figure("Argon2id, 19 MiB, t=2, p=1", millis(floor.argon2), "ms", None);
    print_figure("RS256 signature", millis(floor.rs256), "ms", None);
    print_figure("durable commit of one row, SQLite FULL", millis(floor.commit_full), "ms", None);
    print_figure("commit of one row, SQLite NORMAL", millis(floor.commit_normal), "ms", None);
    for engine in [Engine::Postgres, Engine::Sqlite] {
        Box::pin(measure_sign_ins(engine, &floor)).await;
    }
    measure_requests(&floor).await;
    measure_cold_start().await;
}

async fn measure_sign_ins(engine: Engine, floor: &Floor) {
    let name = if engine == Engine::Postgres { "PostgreSQL and Redis" } else { "SQLite FULL" };
    println!("\nSign-ins on {name}, 8 people at once");
    let db = TestDb::create(engine).await;
    let server = Server::serve(engine, &db).await;
    let load = LoadGenerator::new(&server, 8).await;
    load.sign_ins(8, false).await;
    let (cpu, hashing) = (server.cpu(), server.hashing_cpu());
    let (commits, wall) = (load.write_transactions().await, Instant::now());
    let count = 104;
    load.sign_ins(count, false).await;
    let (cpu, hashing) =
        (server.cpu().saturating_sub(cpu), server.hashing_cpu().saturating_sub(hashing));
    let wall = wall.elapsed();
    let each = |total: f64| total / f64::from(count);
    let per_sign_in = each(millis(cpu));
    print_figure("CPU of our process per sign-in, both steps", per_sign_in, "ms", None);
    print_figure("of it Argon2, in its own threads", each(millis(hashing)), "ms", None);
    print_figure(
        "share of it that is Argon2",
        millis(hashing) / millis(cpu),
        "",
        Some(("at least", 0.8)),
    );
    print_figure(
        "the same against the floor measured alone",
        millis(floor.argon2) / per_sign_in,
        "",
        None,
    );
    print_figure(
        "sign-ins per second (server on one core)",
        f64::from(count) / wall.as_secs_f64(),
        "1/s",
        None,
    );
    print_figure(
        "of the Argon2 rate of that core",
        f64::from(count) * floor.argon2.as_secs_f64() / wall.as_secs_f64(),
        "",
        None,
    );
    if engine == Engine::Postgres {
        // Reading the transaction number takes one.
        let before = commits;
        let after = load.write_transactions().await;
        print_figure(
            "write transactions per sign-in, without the exchange",
            each(f64::from(after - before - 1)),
            "",
            None,
        );
        let (before, seals) = (load.write_transactions().await, load.sealing_transactions().await);
        load.sign_ins(40, true).await;
        let sealing = load.sealing_transactions().await - seals;
        let with_exchange =
            f64::from(load.write_transactions().await - before - 1 - sealing) / 40.0;
        print_figure(
            "write transactions per sign-in, with the exchange",
            with_exchange,
            "",
            Some(("at most", 6.0)),
        );
    }
    let memory = server.memory_mib();
    print_figure("memory after 100 sign-ins", memory, "MiB", None);
    print_figure(
        "memory without the hashing buffers",
        memory - server.hashing_mib(),
        "MiB",
        Some(("at most", 48.0)),
    );
}

async fn measure_requests(floor: &Floor) {
    println!("\nRequests at 8 connections, SQLite NORMAL in the process: CPU of both");
    let server = Server::dev().await;
    let load = LoadGenerator::for_dev(&server).await;
    let (page, jwks, discovery) = (
        load.authorize_url(),
        load.url("/oauth2/jwks"),
        load.url("/.well-known/openid-configuration"),
    );
    for (what, url, bar) in [
        ("sign-in page without a session", &page, 0.12),
        ("discovery", &discovery, 0.023),
        ("JWKS", &jwks, 0.023),
    ] {
        let cost = load.get_cost(&server, url, None, 8000).await;
        print_figure(what, millis(cost), "ms", Some(("at most", bar)));
    }
    // Each gets at most 60 codes in a minute without a page.
    let sessions = load.sessions(30).await;
    let token = silent_exchange(&load, &sessions[0]).await;
    let bearer = format!("Bearer {token}");
    let userinfo = load.get_cost(&server, &load.url("/oauth2/userinfo"), Some(&bearer), 6000).await;
    print_figure("userinfo", millis(userinfo), "ms", Some(("at most", 0.14)));
    let (cost, rate) = load.silent_cost(&server, &sessions, 1600).await;
    print_figure(
        "silent authorize + code exchange, two RS256",
        millis(cost),
        "ms",
        Some(("at most", 0.94)),
    );
    print_figure("the same per second (server on one core)", rate, "1/s", None);
    let bottom = floor.rs256 * 2 + floor.commit_normal * 2;
    print_figure("its floor: two signatures and two commits", millis(bottom), "ms", None);
    print_figure("floor / cost", millis(bottom) / millis(cost), "", Some(("at least", 0.5)));
}

async fn measure_cold_start() {
    println!("\nCold start on an existing database, to the first answer");
    for engine in Engine::ALL {
        let db = TestDb::create(engine).await;
        let mut best = Duration::MAX;
        for _ in 0..5 {
            best = best.min(Server::cold_start(engine, &db).await);
        }
        print_figure(
            &format!("{engine:?}, best of 5"),
            millis(best),
            "ms",
            Some(("at most", 130.0)),
        );
    }
}
