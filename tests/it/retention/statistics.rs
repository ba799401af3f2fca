//! What an engine plans its statements by is counted again, by a sample, and every connection uses it.

use store::{Db, Sql};
use vestibule_tests::{
    app::TestApp,
    db::{Engine, TestDb},
};

use crate::engines::{apply, both_engines};

async fn run(db: &Db, sql: &'static str) {
    db.write(async |tx| tx.q(sql).execute().await).await.unwrap();
}

/// After a restore, too, `idp migrate` counts what the tables hold, although the schema is current.
#[apply(both_engines)]
async fn migration_of_current_schema_refreshes_statistics(engine: Engine) {
    let app = TestApp::start(engine).await;
    let counted = match engine {
        Engine::Sqlite => "SELECT COUNT(*) FROM sqlite_stat1 WHERE tbl = 'users'",
        Engine::Postgres => {
            "SELECT COUNT(*) FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'users'"
        }
    };
    for name in ["Mere", "Hemi", "Aroha"] {
        app.patient(name).await;
    }
    assert_eq!(app.count(counted).await, 0, "before");
    app.replica_db().migrate().await.unwrap();
    assert!(app.count(counted).await > 0, "after");
}

/// The list of the tables has each of the schema, and no other.
#[tokio::test]
async fn every_postgres_table_is_analyzed() {
    let empty = TestDb::empty(Engine::Postgres).await;
    let db = empty.open().await;
    db.migrate().await.unwrap();
    // A missing table would be an error.
    db.refresh_statistics().await.unwrap();
    // The rows of a table are -1 until it is analyzed. The migrations have a table of the driver.
    let never = "SELECT CAST(relname AS TEXT) FROM pg_class
                 WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)
                   AND reltuples < 0 AND relname <> '_sqlx_migrations'";
    let never: Vec<(String,)> = db.read().await.unwrap().q(never).fetch_all().await.unwrap();
    assert!(never.is_empty(), "add to store/src/db/statistics.rs: {never:?}");
    db.close().await;
}

/// A table of which only the statistics say which index leads to few rows.
async fn db_with_two_indexes() -> (TestDb, Db) {
    let test_db = TestDb::create(Engine::Sqlite).await;
    let db = test_db.open().await;
    run(&db, "CREATE TABLE skewed (a BIGINT, b BIGINT)").await;
    run(&db, "CREATE INDEX skewed_a ON skewed (a)").await;
    run(&db, "CREATE INDEX skewed_b ON skewed (b)").await;
    (test_db, db)
}

/// A reader that is open keeps the statistics that it read then: after a refresh it must be opened again.
#[tokio::test]
async fn open_reader_plans_by_new_statistics() {
    let (_file, db) = db_with_two_indexes().await;
    let plan = async || {
        let sql = "EXPLAIN QUERY PLAN SELECT * FROM skewed WHERE a = 1 AND b = 1";
        let steps: Vec<(i64, i64, i64, String)> =
            db.read().await.unwrap().q(sql).fetch_all().await.unwrap();
        steps.into_iter().map(|(_, _, _, step)| step).collect::<Vec<_>>().join("; ")
    };
    // The later one adds ten times as many rows, or nothing would be counted again.
    let few = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
               INSERT INTO skewed SELECT i, 1 FROM n";
    let many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                INSERT INTO skewed SELECT 1, i FROM n";
    for (rows, index) in [(few, "skewed_a"), (many, "skewed_b")] {
        run(&db, rows).await;
        // Opens a reader, if none is open.
        plan().await;
        db.refresh_statistics().await.unwrap();
        let plan = plan().await;
        assert!(plan.contains(index), "{index}: {plan}");
    }
    db.close().await;
}

/// While they are counted, no write can begin: of a large index only the first entries are read.
#[tokio::test]
async fn large_index_is_counted_in_part() {
    let (_file, db) = db_with_two_indexes().await;
    // The average is 1 in the first part of the index, and 11 in the whole of it.
    let rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 33000)
                INSERT INTO skewed SELECT min(i, 3000), i FROM n";
    run(&db, rows).await;
    db.refresh_statistics().await.unwrap();
    let average = "SELECT stat FROM sqlite_stat1 WHERE idx = 'skewed_a'";
    let (stat,): (String,) = db.read().await.unwrap().q(average).fetch_one().await.unwrap();
    assert!(stat.ends_with(" 1"), "{stat}");
    db.close().await;
}
