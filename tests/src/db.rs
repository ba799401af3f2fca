//! A fresh, migrated database for each test, on either engine.

use std::sync::atomic::{AtomicU32, Ordering};

use store::{Db, DbConfig, Sql};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    proc::remove_at_exit,
    shared_servers::{postgres, redis_url},
};

/// The pair of stores that a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite and process memory: the embedded default.
    Sqlite,
    /// PostgreSQL and Redis: production.
    Postgres,
}

impl Engine {
    /// Both engines.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Address of a Redis database for one test; none where counters are in memory.
    pub fn redis_url(self) -> Option<String> {
        (self == Self::Postgres).then(redis_url)
    }
}

/// A database that is removed with this value.
#[derive(Debug)]
pub struct TestDb {
    engine: Engine,
    config: DbConfig,
    storage: Storage,
}

#[derive(Debug)]
enum Storage {
    Folder {
        _folder: TempDir,
    },
    Database(Database),
    /// Removed together with its server.
    External,
}

/// Name of a PostgreSQL database, dropped with this value.
#[derive(Debug)]
struct Database(String);

impl Drop for Database {
    fn drop(&mut self) {
        postgres().drop_database(&self.0);
    }
}

impl TestDb {
    /// A database with the schema of this build: a copy of one that is migrated once per test process.
    pub async fn create(engine: Engine) -> Self {
        static SQLITE: OnceCell<TestDb> = OnceCell::const_new();
        static POSTGRES: OnceCell<TestDb> = OnceCell::const_new();
        let template = match engine {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
        };
        let template = template.get_or_init(|| Self::template(engine)).await;
        match &template.storage {
            Storage::Database(name) => create_database(Some(&name.0)).await,
            Storage::Folder { .. } | Storage::External => {
                let new = create_file();
                std::fs::copy(template.file(), new.file()).expect("a copy of the template");
                new
            }
        }
    }

    /// The database at an address of the test's own PostgreSQL, with the schema of this build.
    pub async fn at_url(url: String) -> Self {
        let config = DbConfig::Postgres { url, max_connections: 8 };
        let new = Self { engine: Engine::Postgres, config, storage: Storage::External };
        let db = new.open().await;
        db.migrate().await.expect("the migrations run");
        crate::app::create_signing_keys(&db).await;
        db.close().await;
        new
    }

    /// A database without tables.
    pub async fn empty(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => create_file(),
            Engine::Postgres => create_database(None).await,
        }
    }

    async fn template(engine: Engine) -> Self {
        let empty = Self::empty(engine).await;
        let db = empty.open().await;
        db.migrate().await.expect("the migrations run");
        crate::app::create_signing_keys(&db).await;
        // On close, SQLite writes its WAL into the file. PostgreSQL cannot copy a database that is in use.
        db.close().await;
        empty
    }

    /// The same with at most `most` connections to PostgreSQL; SQLite's are not changed.
    #[must_use]
    pub fn with_max_connections(mut self, most: u32) -> Self {
        if let DbConfig::Postgres { max_connections, .. } = &mut self.config {
            *max_connections = most;
        }
        self
    }

    /// Engine.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The configuration to open it.
    pub fn config(&self) -> &DbConfig {
        &self.config
    }

    /// Its URL, as in a configuration.
    pub fn url(&self) -> String {
        match &self.config {
            DbConfig::Sqlite { file, .. } => format!("sqlite:{}", file.display()),
            DbConfig::Postgres { url, .. } => url.clone(),
        }
    }

    /// Opens it.
    pub async fn open(&self) -> Db {
        Db::open(&self.config).await.expect("the database opens")
    }

    /// How many connections to this database wait for a lock. SQLite has one writer and no such list: 0.
    pub async fn lock_waiters(&self) -> i64 {
        if self.engine == Engine::Sqlite {
            return 0;
        }
        let sql = "SELECT COUNT(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let db = self.open().await;
        let (count,): (i64,) = {
            let mut conn = db.read().await.expect("a connection");
            conn.q(sql).fetch_one().await.expect("a row")
        };
        db.close().await;
        count
    }

    fn file(&self) -> &std::path::Path {
        match &self.config {
            DbConfig::Sqlite { file, .. } => file,
            DbConfig::Postgres { .. } => unreachable!("asked of SQLite only"),
        }
    }
}

fn create_file() -> TestDb {
    let folder = tempfile::Builder::new().prefix("vestibule-").tempdir().expect("a folder");
    // Statics such as the template are never dropped, and neither are values of a killed process.
    remove_at_exit(folder.path());
    let config = DbConfig::Sqlite { file: folder.path().join("test.db"), full_sync: false };
    TestDb { engine: Engine::Sqlite, config, storage: Storage::Folder { _folder: folder } }
}

async fn create_database(template: Option<&str>) -> TestDb {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let template = template.unwrap_or("template0");
    // Statements are `&'static str`, so that no input becomes SQL; a test may leak sixty bytes for its own.
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}").leak();
    let admin = DbConfig::Postgres { url: postgres().url("postgres"), max_connections: 1 };
    let admin = Db::open(&admin).await.expect("the server answers");
    let mut connection = admin.read().await.expect("a connection");
    connection.q(sql).execute().await.expect("a new database");
    drop(connection);
    admin.close().await;
    let config = DbConfig::Postgres { url: postgres().url(&name), max_connections: 8 };
    TestDb { engine: Engine::Postgres, config, storage: Storage::Database(Database(name)) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn new_databases_are_migrated_and_isolated(#[case] engine: Engine) {
        let (one, two) = (TestDb::create(engine).await, TestDb::create(engine).await);
        assert_eq!(one.engine(), engine);
        let (one, two) = (one.open().await, two.open().await);
        assert!(one.is_migrated().await.unwrap() && two.is_migrated().await.unwrap());
        one.write(async |tx| tx.q("DELETE FROM _sqlx_migrations").execute().await).await.unwrap();
        assert!(two.is_migrated().await.unwrap());
        assert!(!one.is_migrated().await.unwrap());
    }

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn empty_database_has_no_tables(#[case] engine: Engine) {
        let db = TestDb::empty(engine).await;
        assert!(!db.open().await.is_migrated().await.unwrap());
    }

    #[tokio::test]
    async fn redis_databases_are_isolated() {
        let (one, two) =
            (Engine::Postgres.redis_url().unwrap(), Engine::Postgres.redis_url().unwrap());
        assert_ne!(one, two);
        store::EphemeralCounters::redis(&one).unwrap().probe().await.unwrap();
        assert_eq!(Engine::Sqlite.redis_url(), None);
    }
}
