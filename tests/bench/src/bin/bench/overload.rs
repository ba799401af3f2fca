//! Ten times more sign-in posts than the server can hear (`scripts/bench overload`), in an open loop: nobody waits for the one
//! before. Who is told "full" tries again after the time that the answer names, on the page that it shows, and goes away
//! after a few times; then somebody new opens the sign-in page. Who is admitted signs in with both steps.

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
    knock::{Knocking, Outcome},
    line,
    load::Load,
    millis,
    pace::Pace,
    percentile,
    server::Server,
};

const PEOPLE: u32 = 200;
const TIMES: f64 = 10.0;
const PROBES_PER_SECOND: f64 = 50.0;

/// How long somebody who came last may wait: longer than the queue for hashing and the mail together.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the queue takes to fill: what ends in this time is not counted.
const FILLING: Duration = Duration::from_secs(8);

/// How often somebody tries unless told otherwise: once is the hardest, because every post needs a page.
const TRIES: u32 = 1;

/// How a crowd behaves.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    /// For how long it comes.
    seconds: u64,
    /// How often each tries; once: then every post is that of somebody who has just opened the page.
    tries: u32,
}

impl Crowd {
    /// From the command line.
    pub(crate) fn of(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut number =
            |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
        Self { seconds: number(60).into(), tries: number(TRIES) }
    }
}

/// Those who wait before they try again, in the order in which they may.
type Waiting = Mutex<VecDeque<(Instant, Box<Knocking>)>>;

#[derive(Default)]
struct Counts {
    posts: AtomicU32,
    opened: AtomicU32,
    completed: AtomicU32,
    refused: AtomicU32,
    broken: Mutex<Vec<String>>,
    /// How long the sign-in page took, for each who opened it.
    pages: Mutex<Vec<Duration>>,
}

/// Measures the capacity, offers ten times as much, and measures the capacity again.
pub(crate) async fn run(crowd: Crowd) {
    let db = TestDb::create(Engine::Postgres).await;
    let server = Server::serve(Engine::Postgres, &db).await;
    let load = Arc::new(Load::new(&server, PEOPLE).await);
    load.sign_ins(PEOPLE, false).await;
    let mut idle = probe(&load, Duration::from_secs(5)).await;
    let idle_p99 = percentile(&mut idle, 99);
    let time = Duration::from_secs(crowd.seconds);
    let before = Pace::of(&load, &server, time / 2).await;
    let (cpu, hashing) = (server.cpu(), server.hashing_cpu());
    let [filling, counts, late] = std::array::from_fn(|_| Arc::new(Counts::default()));
    offer(&load, [&filling, &counts, &late], before.rate() * TIMES, crowd).await;
    let (cpu, hashing) =
        (server.cpu().saturating_sub(cpu), server.hashing_cpu().saturating_sub(hashing));
    let after = Pace::of(&load, &server, time / 2).await;
    counts.broken_too(&late);
    println!("Overload on PostgreSQL and Redis, server on one core");
    line("sign-ins per second without a crowd, before", before.rate(), "1/s", None);
    line("sign-ins per second without a crowd, after", after.rate(), "1/s", None);
    let peak = before.and(&after);
    line("the peak: both together", peak.rate(), "1/s", None);
    line("CPU of our process for each sign-in at the peak", peak.each(peak.cpu), "ms", None);
    tell(&counts, peak.rate(), time);
    tell_cpu([&*filling, &*counts, &*late], &peak, (cpu, hashing));
    let most = (millis(idle_p99) * 5.0).max(50.0);
    let mut pages = counts.pages.lock().expect("no holder panicked");
    let p99 = millis(percentile(&mut pages, 99));
    line("sign-in page when idle, p99", millis(idle_p99), "ms", None);
    line("sign-in page of the crowd, p50", millis(percentile(&mut pages, 50)), "ms", None);
    line("sign-in page of the crowd, p99", p99, "ms", Some(("at most", most)));
}

fn tell(counts: &Counts, peak: f64, time: Duration) {
    let of = |count: &AtomicU32| f64::from(count.load(Ordering::Relaxed));
    let rate = |count: &AtomicU32| of(count) / time.as_secs_f64();
    line("posts of a password per second", rate(&counts.posts), "1/s", None);
    line("of them by people who had just opened the page", rate(&counts.opened), "1/s", None);
    line("refused with 503, Retry-After and the address kept", rate(&counts.refused), "1/s", None);
    let broken = counts.broken.lock().expect("no holder panicked");
    let number = u32::try_from(broken.len()).unwrap_or(u32::MAX);
    line("refused otherwise, or without an answer", f64::from(number), "", Some(("at most", 0.0)));
    for why in broken.iter().take(5) {
        println!("    {why}");
    }
    line("sign-ins completed per second", rate(&counts.completed), "1/s", None);
    let share = rate(&counts.completed) / peak;
    line("of the peak", share, "", Some(("at least", 0.9)));
}

/// On a machine that others use too, time says less than CPU time: what a refusal costs, and how much of the CPU that was
/// spent went into sign-ins. Nobody who is refused is hashed for, so hashing is left out of the one and counted in the other
/// as it was: others slow it, and not evenly.
fn tell_cpu(counts: [&Counts; 3], peak: &Pace, (cpu, hashing): (Duration, Duration)) {
    let all = |of: fn(&Counts) -> &AtomicU32| -> f64 {
        counts.iter().map(|counts| f64::from(of(counts).load(Ordering::Relaxed))).sum()
    };
    let completed = all(|counts| &counts.completed);
    let around = completed * (peak.each(peak.cpu) - peak.each(peak.hashing));
    let refusals = millis(cpu) - millis(hashing) - around;
    let each = refusals / all(|counts| &counts.refused);
    line("CPU of our process for each refusal, with the pages opened", each, "ms", None);
    let share = 1.0 - refusals / millis(cpu);
    line("CPU that went into completed sign-ins", share, "", Some(("at least", 0.9)));
    let speed = peak.each(peak.hashing) * completed / millis(hashing);
    line("Argon2 of a sign-in, at the peak over meanwhile: others slow it", speed, "", None);
}

/// Has `rate` passwords a second posted: while the queue fills, and then for the crowd's time. What ends is counted for when
/// it ends: meanwhile, within the time, or late.
async fn offer(load: &Arc<Load>, counts: [&Arc<Counts>; 3], rate: f64, crowd: Crowd) {
    let time = Duration::from_secs(crowd.seconds);
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let (begun, mut people) = (Instant::now(), JoinSet::new());
    let waiting = Arc::new(Waiting::default());
    let mut posts = 0_u32;
    let phase = move || match begun.elapsed() {
        early if early <= FILLING => 0,
        within if within <= FILLING + time => 1,
        _ => 2,
    };
    while begun.elapsed() < FILLING + time {
        ticks.tick().await;
        while f64::from(posts) < begun.elapsed().as_secs_f64() * rate {
            let again = next(&waiting);
            counts[phase()].posts.fetch_add(1, Ordering::Relaxed);
            let (load, told) = (Arc::clone(load), counts.map(Arc::clone));
            let waiting = Arc::clone(&waiting);
            people.spawn(async move {
                let who = match again {
                    Some(who) => Ok(*who),
                    None => told[phase()].opens(&load, posts).await,
                };
                let outcome = match who {
                    Ok(who) => who.knock(&load).await,
                    Err(why) => Outcome::Broken(why),
                };
                told[phase()].count(&outcome);
                if let Outcome::Refused(who, at) = outcome
                    && who.tries < crowd.tries
                {
                    waiting.lock().expect("no holder panicked").push_back((at, who));
                }
            });
            posts += 1;
        }
        while people.try_join_next().is_some() {}
    }
    let last =
        tokio::time::timeout(PATIENCE, async { while people.join_next().await.is_some() {} });
    if last.await.is_err() {
        let mut broken = counts[2].broken.lock().expect("no holder panicked");
        broken.extend((0..people.len()).map(|_| "no answer at all".to_owned()));
    }
}

/// Who has waited long enough.
fn next(waiting: &Waiting) -> Option<Box<Knocking>> {
    let mut waiting = waiting.lock().expect("no holder panicked");
    let due = waiting.front().is_some_and(|(at, _)| *at <= Instant::now());
    if due { waiting.pop_front().map(|(_, who)| who) } else { None }
}

impl Counts {
    /// Somebody new opens the sign-in page.
    async fn opens(&self, load: &Load, nth: u32) -> Result<Knocking, String> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let asked = Instant::now();
        let who = Knocking::open(load, nth).await?;
        self.pages.lock().expect("no holder panicked").push(asked.elapsed());
        Ok(who)
    }

    fn broken_too(&self, other: &Self) {
        let mut broken = other.broken.lock().expect("no holder panicked");
        self.broken.lock().expect("no holder panicked").append(&mut broken);
    }

    fn count(&self, outcome: &Outcome) {
        match outcome {
            Outcome::In => {
                self.completed.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Refused(..) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Broken(why) => {
                self.broken.lock().expect("no holder panicked").push(why.clone());
            }
        }
    }
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
