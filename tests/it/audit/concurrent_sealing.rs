//! Replicas that seal at the same time, as they do when a lease changes hands: one writes the next seal, and the others
//! detect that they lost. If two took rows in different orders, they would deadlock until PostgreSQL ends one of them.

use std::time::Duration;

use flows::{Error, trail::seal};
use idp::clock::Clock;
use tokio::task::JoinSet;
use vestibule_tests::{
    aged_data,
    app::{Options, TestApp},
    db::{Engine, TestDb},
};

use super::chain::assert_sound;
use crate::engines::{apply, both_engines};

const ROWS: i64 = 12_000;
const SEALERS: usize = 8;
/// The running program's job seals nothing for this long: longer than the test takes.
const LEASE_TERM: Duration = Duration::from_mins(1);

/// Seals until nothing is left; returns how many seals it wrote itself.
async fn seal_all(cx: flows::Cx) -> Result<usize, Error> {
    let mut own = 0;
    while seal::is_due(&cx).await? {
        match seal::seal_next(&cx).await {
            Ok(sealed) => own += usize::from(sealed.is_some()),
            Err(Error::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(own)
}

/// Rows without a seal, which only the test seals.
async fn app_with_unsealed_rows(engine: Engine) -> TestApp {
    let data = TestDb::create(engine).await.with_max_connections(16);
    let db = data.open().await;
    aged_data::fill_trail(&db, engine, ROWS).await;
    let now = Clock::system().now();
    let term = store::lease::LeaseTerm { now, until: now.plus(LEASE_TERM) };
    let held =
        db.write(async |tx| store::lease::acquire(tx, "audit_seals", "test", term).await).await;
    assert!(held.expect("a lease"), "the lease is free");
    TestApp::start_on(data, engine.redis_url(), Options::default()).await
}

#[apply(both_engines)]
async fn concurrent_sealers_never_fail(engine: Engine) {
    let app = app_with_unsealed_rows(engine).await;
    let mut sealers = JoinSet::new();
    for _ in 0..SEALERS {
        sealers.spawn(seal_all(app.cx()));
    }
    let mut made = 0;
    for sealed in sealers.join_all().await {
        made += sealed.expect("a sealer loses, or seals");
    }
    let report = assert_sound(&app).await;
    assert!(report.unsealed == 0 && made >= 24, "{made}: {report:?}");
    assert_eq!(report.seals, u64::try_from(made).unwrap(), "no seal is made twice");
}
