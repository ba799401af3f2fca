//! A test body that runs on both pairs of stores.

pub(crate) use rstest_reuse::apply;

/// `#[apply(both_engines)] async fn name(engine: Engine)` is two tests: `name::case_1_sqlite` on SQLite with counters in
/// memory, and `name::case_2_postgres` on PostgreSQL with Redis.
#[rstest_reuse::template]
#[rstest::rstest]
#[case::sqlite(vestibule_tests::db::Engine::Sqlite)]
#[case::postgres(vestibule_tests::db::Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn both_engines(#[case] engine: vestibule_tests::db::Engine) {}
