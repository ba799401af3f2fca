//! Redis crashes and hangs: limits fall back to counters of each process, and requests do not wait for it.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use store::{EphemeralCounters, HitResult};
use vestibule_tests::{
    db::{Engine, TestDb},
    dedicated_servers::DedicatedRedis,
    log::CapturedLog,
    metrics::Scrape,
    starvation_probe::StarvationProbe,
    wait::{until, until_equal},
};

use super::FaultScenario;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_outage_falls_back_to_memory() {
    let mut redis = DedicatedRedis::start();
    let db = TestDb::create(Engine::Postgres).await;
    let site = FaultScenario::start(db, Some(redis.url())).await;
    let counters = site.app.app().ephemeral.clone();
    redis.kill();
    site.crowd.wait_for_sign_ins(6).await;
    until("limits are counted per process", async || counters.is_degraded()).await;
    // A report is cached for a second: the metric changes later than the counters do.
    until_equal("vestibule_redis_up", Some(0.0), async || redis_up_metric(&site).await).await;
    redis.start_server();
    site.crowd.wait_for_sign_ins(6).await;
    wait_until_back(&counters).await;
    until_equal("vestibule_redis_up", Some(1.0), async || redis_up_metric(&site).await).await;
    redis.freeze();
    site.crowd.wait_for_sign_ins(6).await;
    until("limits are counted per process", async || counters.is_degraded()).await;
    redis.thaw();
    let tally = site.finish_after_fault("Redis killed, then hung").await;
    assert_eq!(tally.repeated, 0, "no request has to be repeated for want of a counter");
    wait_until_back(&counters).await;
}

/// The Redis metric of the replica whose counters this test reads.
async fn redis_up_metric(site: &FaultScenario) -> Option<f64> {
    Scrape::fetch(site.app.first()).await.value("vestibule_redis_up", &[])
}

/// The counters return to Redis by themselves.
async fn wait_until_back(counters: &EphemeralCounters) {
    let hit = async || {
        let now = idp::clock::Clock::system().now();
        counters.hit("probe", 1_000_000, Duration::from_mins(1), now).await;
        !counters.is_degraded()
    };
    until("Redis is used again", hit).await;
}

/// The results of 60 hits while Redis hung.
#[derive(Debug, Default)]
struct HitsWhileHanging {
    within: u32,
    /// The duration of each hit that waited, without the time in which the runtime was starved.
    waits: Vec<Duration>,
}

/// 60 hits, one after another. A hit that does not use Redis is ready at the first poll, so no clock is needed to see it.
async fn hit_sixty_times(hit: impl AsyncFn() -> HitResult) -> HitsWhileHanging {
    let (mut met, probe) = (HitsWhileHanging::default(), StarvationProbe::start());
    for _ in 0..60 {
        let watch = probe.stopwatch();
        let mut hit = pin!(hit());
        let counted = if let Some(counted) = hit.as_mut().now_or_never() {
            counted
        } else {
            let counted = hit.await;
            met.waits.push(watch.net());
            counted
        };
        met.within += u32::from(counted == HitResult::Within);
    }
    met
}

/// While Redis hangs, one request a second waits for it, for a bounded time, and the limit holds in each process.
#[tokio::test]
async fn limit_holds_while_redis_hangs() {
    let redis = DedicatedRedis::start();
    let log = CapturedLog::start();
    let counters = EphemeralCounters::redis(&redis.url()).unwrap();
    let now = idp::clock::Clock::system().now();
    let hit = async |key| counters.hit(key, 30, Duration::from_hours(1), now).await;
    // A Redis that does not answer within 300 ms counts as unavailable.
    until("limits are counted in Redis", async || {
        hit("another").await;
        !counters.is_degraded()
    })
    .await;
    redis.freeze();
    let begun = Instant::now();
    let met = hit_sixty_times(async || hit("post:192.0.2.1").await).await;
    let took = begun.elapsed();
    println!("60 hits while Redis hangs: {took:?}, {met:?} within a limit of 30");
    assert_eq!(met.within, 30);
    // The first hit, and one in each second after it, however fast the machine is.
    let most = 1 + took.as_secs();
    assert!((1..=most).contains(&met.waits.len().try_into().unwrap()), "{met:?} in {took:?}");
    // Its timeout is 300 ms.
    assert!(met.waits.iter().all(|wait| *wait < Duration::from_secs(1)), "{met:?}");
    assert!(log.text().contains("alarm: Redis is unavailable"));
    redis.thaw();
    wait_until_back(&counters).await;
}
