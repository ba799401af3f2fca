//! Ten times more people than the server can sign in (`scripts/bench overload`). They arrive in an open loop: nobody waits for
//! the one before. Who is told "full" goes away; who is admitted signs in with both steps.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use vestibule_tests::{
    db::{Engine, TestDb},
    http::HttpBrowser,
};

use crate::{line, load::Load, millis, server::Server};

const PEOPLE: u32 = 16;
const TIMES: f64 = 10.0;
const PROBES_PER_SECOND: f64 = 50.0;

#[derive(Default)]
struct Counts {
    arrived: AtomicU32,
    completed: AtomicU32,
    refused: AtomicU32,
    dishonest: AtomicU32,
    broken: AtomicU32,
}

/// Measures the capacity, then offers ten times as much for `seconds`.
pub(crate) async fn run(seconds: u64) {
    let db = TestDb::create(Engine::Postgres).await;
    let server = Server::serve(Engine::Postgres, &db).await;
    let load = Arc::new(Load::new(&server, PEOPLE).await);
    load.sign_ins(PEOPLE, false).await;
    let mut idle = probe(&load, Duration::from_secs(5)).await;
    let idle_p99 = percentile(&mut idle, 0.99);
    let (count, begun) = (400, Instant::now());
    load.sign_ins(count, false).await;
    let peak = f64::from(count) / begun.elapsed().as_secs_f64();
    println!("Overload on PostgreSQL and Redis, server on one core");
    line("sign-in page when idle, p99", millis(idle_p99), "ms", None);
    line("sign-ins per second at the peak, both steps", peak, "1/s", None);
    let counts = Arc::new(Counts::default());
    let time = Duration::from_secs(seconds);
    let (mut pages, ()) =
        tokio::join!(probe(&load, time), offer(&load, &counts, peak * TIMES, time));
    tell(&counts, peak, time);
    let most = (millis(idle_p99) * 5.0).max(50.0);
    let p99 = millis(percentile(&mut pages, 0.99));
    line("sign-in page meanwhile, p50", millis(percentile(&mut pages, 0.5)), "ms", None);
    line("sign-in page meanwhile, p99", p99, "ms", Some(("at most", most)));
}

fn tell(counts: &Counts, peak: f64, time: Duration) {
    let of = |count: &AtomicU32| f64::from(count.load(Ordering::Relaxed));
    let rate = |count: &AtomicU32| of(count) / time.as_secs_f64();
    line("people who arrived per second", rate(&counts.arrived), "1/s", None);
    line("refused with 503, Retry-After and the address kept", rate(&counts.refused), "1/s", None);
    line("refused otherwise", of(&counts.dishonest), "", Some(("at most", 0.0)));
    line("without an answer", of(&counts.broken), "", Some(("at most", 0.0)));
    line("sign-ins completed per second", rate(&counts.completed), "1/s", None);
    let share = rate(&counts.completed) / peak;
    line("of the peak", share, "", Some(("at least", 0.9)));
}

/// Lets `rate` people a second arrive. Those who are still at it when the time is over count no more.
async fn offer(load: &Arc<Load>, counts: &Arc<Counts>, rate: f64, time: Duration) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let (begun, mut people) = (Instant::now(), JoinSet::new());
    let mut arrived = 0_u32;
    while begun.elapsed() < time {
        ticks.tick().await;
        while f64::from(arrived) < begun.elapsed().as_secs_f64() * rate {
            let (load, counts) = (Arc::clone(load), Arc::clone(counts));
            people.spawn(async move { arrive(&load, &counts, arrived).await });
            arrived += 1;
        }
        while people.try_join_next().is_some() {}
    }
    counts.arrived.store(arrived, Ordering::Relaxed);
    people.abort_all();
}

async fn arrive(load: &Load, counts: &Counts, nth: u32) {
    let outcome = match sign_in(load, nth).await {
        Some(true) => &counts.completed,
        Some(false) => &counts.refused,
        None => &counts.broken,
    };
    outcome.fetch_add(1, Ordering::Relaxed);
}

/// Both steps; false when it was refused honestly, none when something else came.
async fn sign_in(load: &Load, nth: u32) -> Option<bool> {
    let (browser, person) = (load.browser(), load.person(nth));
    let pending = load.pending();
    let page = browser.try_get(pending.url(load.issuer(), &[])).await?;
    let form = page.form().with("email", &person.email).with("password", &person.password);
    let answer = browser.try_post(&form, "continue").await?;
    if answer.status == 503 {
        let kept = answer.form().value("email") == person.email;
        return (kept && !answer.header("retry-after").is_empty()).then_some(false);
    }
    let page = browser.try_get(answer.location()?.as_str()).await?;
    let code = load.code_for(&person, &page).await?;
    let done = browser.try_post(&page.form().with("code", &code), "continue").await?;
    done.location().map(|to| to.as_str().starts_with(&pending.redirect_uri))
}

/// Opens the sign-in page again and again, in an open loop; how long each took.
async fn probe(load: &Arc<Load>, time: Duration) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / PROBES_PER_SECOND));
    let (begun, mut probes) = (Instant::now(), JoinSet::new());
    while begun.elapsed() < time {
        ticks.tick().await;
        let load = Arc::clone(load);
        probes.spawn(async move {
            let (browser, asked): (HttpBrowser, _) = (load.browser(), Instant::now());
            let page = browser.try_get(load.pending().url(load.issuer(), &[])).await;
            assert_eq!(page.expect("the page opens").status, 200);
            asked.elapsed()
        });
    }
    probes.join_all().await
}

fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let at = ((times.len() as f64 * share) as usize).min(times.len() - 1);
    times[at]
}
