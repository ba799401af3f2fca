//! Replicas that seal at the same time, as they do when a lease changes hands: one makes the next seal and the others see
//! that they lost. Two that took rows in different orders would wait for each other until PostgreSQL ends one of them.

use flows::{Error, trail::seal};
use tokio::task::JoinSet;
use vestibule_tests::{
    app::{Options, TestApp},
    db::TestDb,
    old_rows, on_both_engines,
};

use super::chain::sound;

const ROWS: i64 = 12_000;
const SEALERS: usize = 8;

/// Seals until nothing is left; how many seals were its own.
async fn seal_all(cx: flows::Cx) -> Result<usize, Error> {
    let mut own = 0;
    while seal::is_due(&cx).await? {
        match seal::next(&cx).await {
            Ok(sealed) => own += usize::from(sealed.is_some()),
            Err(Error::Lost) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(own)
}

on_both_engines! {
    async fn sealers_beside_each_other_lose_and_never_fail(engine) {
        let db = TestDb::create(engine).await.with_connections(16);
        old_rows::fill_trail(&db.open().await, engine, ROWS).await;
        let app = TestApp::on(db, engine.redis_url(), Options::default()).await;
        let mut sealers = JoinSet::new();
        for _ in 0..SEALERS {
            sealers.spawn(seal_all(app.cx()));
        }
        let mut own = 0;
        for sealed in sealers.join_all().await {
            own += sealed.expect("a sealer loses, or seals");
        }
        let report = sound(&app).await;
        assert!(report.unsealed == 0 && report.seals >= 24, "{report:?}");
        assert!(own > 0, "the job of the running program is one of many");
    }
}
