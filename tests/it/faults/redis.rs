//! Redis dies and hangs: limits fall back to counters of each process, and nobody waits for it.

use std::time::{Duration, Instant};

use store::{Ephemeral, Hit};
use vestibule_tests::{
    db::{Engine, TestDb},
    log::Log,
    own::OwnRedis,
};

use super::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_hangs() {
    let mut redis = OwnRedis::start();
    let db = TestDb::create(Engine::Postgres).await;
    let site = Site::start(db, Some(redis.url())).await;
    let counters = site.app.app().ephemeral.clone();
    redis.kill();
    site.crowd.complete(6).await;
    assert!(counters.is_degraded(), "counted alone, and that is told");
    redis.up();
    site.crowd.complete(6).await;
    back(&counters).await;
    redis.freeze();
    site.crowd.complete(6).await;
    assert!(counters.is_degraded());
    redis.thaw();
    let tally = site.mended("Redis killed, then hung").await;
    assert_eq!(tally.repeated, 0, "nobody has to try again for want of a counter");
    back(&counters).await;
}

/// It comes back by itself.
async fn back(counters: &Ephemeral) {
    let begun = Instant::now();
    while counters.is_degraded() {
        assert!(begun.elapsed() < Duration::from_secs(20), "Redis is not taken back");
        let now = idp::clock::Clock::system().now();
        counters.hit("probe", 1000, Duration::from_mins(1), now).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// While Redis hangs, one request a second waits for it, a bounded time, and the limit holds in each process.
#[tokio::test]
async fn a_limit_holds_while_redis_hangs() {
    let redis = OwnRedis::start();
    let log = Log::start();
    let counters = Ephemeral::redis(&redis.url()).unwrap();
    let clock = idp::clock::Clock::system();
    let hit =
        async || counters.hit("post:192.0.2.1", 30, Duration::from_hours(1), clock.now()).await;
    assert_eq!(hit().await, Hit::Within);
    redis.freeze();
    let begun = Instant::now();
    let mut within = 0;
    for _ in 0..60 {
        within += i32::from(hit().await == Hit::Within);
    }
    println!("60 hits while Redis hangs: {:?}, {within} within a limit of 30", begun.elapsed());
    assert_eq!(within, 30);
    assert!(log.text().contains("alarm: Redis is away"));
    redis.thaw();
    back(&counters).await;
}
