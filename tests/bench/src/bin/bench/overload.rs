//! Ten times more sign-in posts than the server can admit (`scripts/bench overload`), in an open loop: no post waits for the
//! one before. A person who is refused as "full" tries again after the time that the answer names, on the page that it
//! shows, and gives up after a few tries; then a new person opens the sign-in page. Admitted people sign in with both steps.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use vestibule_tests::{
    db::{Engine, TestDb},
    http::HttpBrowser,
};

use crate::{
    load::LoadGenerator,
    millis, percentile, print_figure,
    server::Server,
    sign_in_attempt::{AttemptOutcome, SignInAttempt},
    throughput::Throughput,
};

const PEOPLE: u32 = 200;
const OVERLOAD_FACTOR: f64 = 10.0;
const PROBES_PER_SECOND: f64 = 50.0;

/// How long the last person may wait: longer than the hashing queue and the mail together.
const LAST_ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// How long the queue takes to fill; what ends within this time is not counted.
const WARM_UP: Duration = Duration::from_secs(8);

/// How often a person tries by default. Once is the hardest, because every post then needs a new page.
const TRIES: u32 = 1;

/// The size of the overload and how people behave in it.
#[derive(Clone, Copy)]
pub(crate) struct OverloadOptions {
    /// How long the overload lasts.
    seconds: u64,
    /// How often each person tries. With 1, every post comes from a person who has just opened the page.
    tries: u32,
}

impl OverloadOptions {
    /// Reads the options from the command line.
    pub(crate) fn from_args(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut number =
            |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
        Self { seconds: number(60).into(), tries: number(TRIES) }
    }
}

/// People who wait before they try again, in the order in which they may.
type RetryQueue = Mutex<VecDeque<(Instant, Box<SignInAttempt>)>>;

#[derive(Default)]
struct OverloadCounts {
    posts: AtomicU32,
    opened: AtomicU32,
    completed: AtomicU32,
    refused: AtomicU32,
    broken: Mutex<Vec<String>>,
    /// How long the sign-in page took, for each person who opened it.
    pages: Mutex<Vec<Duration>>,
}

/// Measures the capacity, offers ten times as much, and measures the capacity again.
pub(crate) async fn run(crowd: OverloadOptions) {
    let db = TestDb::create(Engine::Postgres).await;
    let server = Server::serve(Engine::Postgres, &db).await;
    let load = Arc::new(LoadGenerator::new(&server, PEOPLE).await);
    load.sign_ins(PEOPLE, false).await;
    let mut idle = measure_page_times(&load, Duration::from_secs(5)).await;
    let idle_p99 = percentile(&mut idle, 99);
    let time = Duration::from_secs(crowd.seconds);
    let before = Throughput::measure(&load, &server, time / 2).await;
    let (cpu, hashing) = (server.cpu(), server.hashing_cpu());
    let [filling, counts, late] = std::array::from_fn(|_| Arc::new(OverloadCounts::default()));
    offer_load(&load, [&filling, &counts, &late], before.rate() * OVERLOAD_FACTOR, crowd).await;
    let (cpu, hashing) =
        (server.cpu().saturating_sub(cpu), server.hashing_cpu().saturating_sub(hashing));
    let after = Throughput::measure(&load, &server, time / 2).await;
    counts.merge_broken(&late);
    println!("Overload on PostgreSQL and Redis, server on one core");
    print_figure("sign-ins per second before the overload", before.rate(), "1/s", None);
    print_figure("sign-ins per second after the overload", after.rate(), "1/s", None);
    let peak = before.merge(&after);
    print_figure("the peak: both together", peak.rate(), "1/s", None);
    print_figure(
        "CPU of our process for each sign-in at the peak",
        peak.millis_per_sign_in(peak.cpu),
        "ms",
        None,
    );
    print_counts(&counts, peak.rate(), time);
    print_cpu([&*filling, &*counts, &*late], &peak, (cpu, hashing));
    let most = (millis(idle_p99) * 5.0).max(50.0);
    let mut pages = counts.pages.lock().expect("no holder panicked");
    let p99 = millis(percentile(&mut pages, 99));
    print_figure("sign-in page when idle, p99", millis(idle_p99), "ms", None);
    print_figure(
        "sign-in page during the overload, p50",
        millis(percentile(&mut pages, 50)),
        "ms",
        None,
    );
    print_figure("sign-in page during the overload, p99", p99, "ms", Some(("at most", most)));
}

fn print_counts(counts: &OverloadCounts, peak: f64, time: Duration) {
    let of = |count: &AtomicU32| f64::from(count.load(Ordering::Relaxed));
    let rate = |count: &AtomicU32| of(count) / time.as_secs_f64();
    print_figure("posts of a password per second", rate(&counts.posts), "1/s", None);
    print_figure("of these, first posts of a new page", rate(&counts.opened), "1/s", None);
    print_figure(
        "refused with 503, Retry-After and the address kept",
        rate(&counts.refused),
        "1/s",
        None,
    );
    let broken = counts.broken.lock().expect("no holder panicked");
    let number = u32::try_from(broken.len()).unwrap_or(u32::MAX);
    print_figure(
        "failed otherwise, or without an answer",
        f64::from(number),
        "",
        Some(("at most", 0.0)),
    );
    for why in broken.iter().take(5) {
        println!("    {why}");
    }
    print_figure("sign-ins completed per second", rate(&counts.completed), "1/s", None);
    let share = rate(&counts.completed) / peak;
    print_figure("of the peak", share, "", Some(("at least", 0.9)));
}

/// On a shared machine CPU time says more than elapsed time: it gives the cost of a refusal, and the share of CPU that
/// sign-ins took. A refused post is not hashed, so hashing is left out of the first figure. The second counts it as
/// measured: other programs slow it, and not evenly.
fn print_cpu(
    counts: [&OverloadCounts; 3],
    peak: &Throughput,
    (cpu, hashing): (Duration, Duration),
) {
    let all = |of: fn(&OverloadCounts) -> &AtomicU32| -> f64 {
        counts.iter().map(|counts| f64::from(of(counts).load(Ordering::Relaxed))).sum()
    };
    let completed = all(|counts| &counts.completed);
    let around =
        completed * (peak.millis_per_sign_in(peak.cpu) - peak.millis_per_sign_in(peak.hashing));
    let refusals = millis(cpu) - millis(hashing) - around;
    let each = refusals / all(|counts| &counts.refused);
    print_figure("CPU of our process for each refusal, with the pages opened", each, "ms", None);
    let share = 1.0 - refusals / millis(cpu);
    print_figure("CPU that went into completed sign-ins", share, "", Some(("at least", 0.9)));
    let speed = peak.millis_per_sign_in(peak.hashing) * completed / millis(hashing);
    print_figure("Argon2 of a sign-in, at the peak over during the overload", speed, "", None);
}

/// Posts `rate` passwords a second, while the queue fills and then for the time of the overload. Each result is counted for
/// the period in which it ends: warm-up, measured time, or after it.
async fn offer_load(
    load: &Arc<LoadGenerator>,
    counts: [&Arc<OverloadCounts>; 3],
    rate: f64,
    crowd: OverloadOptions,
) {
    let time = Duration::from_secs(crowd.seconds);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let (begun, mut people) = (Instant::now(), JoinSet::new());
    let waiting = Arc::new(RetryQueue::default());
    let mut posts = 0_u32;
    let phase = move || match begun.elapsed() {
        early if early <= WARM_UP => 0,
        within if within <= WARM_UP + time => 1,
        _ => 2,
    };
    while begun.elapsed() < WARM_UP + time {
        ticks.tick().await;
        while f64::from(posts) < begun.elapsed().as_secs_f64() * rate {
            let again = pop_due(&waiting);
            counts[phase()].posts.fetch_add(1, Ordering::Relaxed);
            let (load, outcomes) = (Arc::clone(load), counts.map(Arc::clone));
            let waiting = Arc::clone(&waiting);
            people.spawn(async move {
                let who = match again {
                    Some(who) => Ok(*who),
                    None => outcomes[phase()].open_page(&load, posts).await,
                };
                let outcome = match who {
                    Ok(who) => who.submit(&load).await,
                    Err(why) => AttemptOutcome::Broken(why),
                };
                outcomes[phase()].count(&outcome);
                if let AttemptOutcome::Refused(who, at) = outcome
                    && who.tries < crowd.tries
                {
                    waiting.lock().expect("no holder panicked").push_back((at, who));
                }
            });
            posts += 1;
        }
        while people.try_join_next().is_some() {}
    }
    let last = tokio::time::timeout(LAST_ANSWER_LIMIT, async {
        while people.join_next().await.is_some() {}
    });
    if last.await.is_err() {
        let mut broken = counts[2].broken.lock().expect("no holder panicked");
        broken.extend((0..people.len()).map(|_| "no answer at all".to_owned()));
    }
}

/// Takes the first person who has waited long enough.
fn pop_due(waiting: &RetryQueue) -> Option<Box<SignInAttempt>> {
    let mut waiting = waiting.lock().expect("no holder panicked");
    let due = waiting.front().is_some_and(|(at, _)| *at <= Instant::now());
    if due { waiting.pop_front().map(|(_, who)| who) } else { None }
}

impl OverloadCounts {
    /// A new person opens the sign-in page.
    async fn open_page(&self, load: &LoadGenerator, nth: u32) -> Result<SignInAttempt, String> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let asked = Instant::now();
        let who = SignInAttempt::open(load, nth).await?;
        self.pages.lock().expect("no holder panicked").push(asked.elapsed());
        Ok(who)
    }

    fn merge_broken(&self, other: &Self) {
        let mut broken = other.broken.lock().expect("no holder panicked");
        self.broken.lock().expect("no holder panicked").append(&mut broken);
    }

    fn count(&self, outcome: &AttemptOutcome) {
        match outcome {
            AttemptOutcome::SignedIn => {
                self.completed.fetch_add(1, Ordering::Relaxed);
            }
            AttemptOutcome::Refused(..) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            AttemptOutcome::Broken(why) => {
                self.broken.lock().expect("no holder panicked").push(why.clone());
            }
        }
    }
}

/// Opens the sign-in page repeatedly, in an open loop; returns how long each took.
async fn measure_page_times(load: &Arc<LoadGenerator>, time: Duration) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / PROBES_PER_SECOND));
    let (begun, mut probes) = (Instant::now(), JoinSet::new());
    while begun.elapsed() < time {
        ticks.tick().await;
        let load = Arc::clone(load);
        probes.spawn(async move {
            let (browser, asked): (HttpBrowser, _) = (load.browser(), Instant::now());
            let page = browser.try_get(load.authorization_request().url(load.issuer(), &[])).await;
            assert_eq!(page.expect("the page opens").status, 200);
            asked.elapsed()
        });
    }
    probes.join_all().await
}
