//! A rolling upgrade: the schema grows and shrinks under a running replica, and an older program meets a newer schema.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use reqwest::Method;
use store::{Db, DbConfig, Migrations, Sql};
use tempfile::TempDir;
use tokio::{process::Command, sync::Notify, task::JoinHandle};
use vestibule_tests::{
    app::{Patient, Replica, SharedApp, TestApp},
    client::Client,
    db::{Engine, TestDb},
    proc::{ChildProcess, idp_command, run as command, run_with_status},
    serve_process::ServeSetup,
    wait, workspace_root,
};

use crate::engines::{apply, both_engines};

/// The migrations of the tests: what the next version may add, and what the version after it removes, when no running
/// program uses it any more.
fn test_migrations(half: &str) -> PathBuf {
    workspace_root().join("tests/migrations").join(half)
}

/// Migrates a database with a folder of migrations, as `idp migrate` of a build that has them does.
async fn migrate(db: &Db, folder: &Path) {
    let schema = Migrations::read(folder).await.expect("a folder of migrations");
    db.migrate_with(&schema).await.expect("they run");
}

/// Each file of a folder of migrations in a folder of its own, in order.
fn one_by_one(half: &str) -> Vec<TempDir> {
    let entries = std::fs::read_dir(test_migrations(half)).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let alone = |file: &PathBuf| {
        let name = file.file_name().expect("a name").to_str().expect("text");
        one_file(name, &std::fs::read_to_string(file).expect("a migration"))
    };
    files.iter().map(alone).collect()
}

/// A folder with one migration.
fn one_file(name: &str, sql: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join(name), sql).expect("written");
    folder
}

/// The error for a database from before the first release.
const OTHER_SEQUENCE: &str = "the database was made by a build from before the first release, which nothing leads on from: \
                              begin a new folder (`dev`) or a new database (`serve`)";

async fn run(db: &Db, sql: &'static str) {
    db.write(async |tx| tx.q(sql).execute().await).await.expect("it runs");
}

/// Signs one person in repeatedly, as far as userinfo, with steps alternating between the replicas; panics when a request is
/// refused.
async fn keep_signing_in(load: Arc<Load>, patient: Patient) {
    let mut first = true;
    while !load.stop.load(Ordering::Relaxed) {
        let here = load.app.browser();
        let there = here.at_replica(load.other.address);
        // Each sign-in begins at the other replica.
        let (one, two) = if first { (here, there) } else { (there, here) };
        first = !first;
        let mails = load.app.mail.codes_to(&patient.email).len();
        let (page, pending) = one.open_sign_in_page(&load.client).await;
        let page = two.submit_password(&page, &patient).await;
        assert!(page.has_field("code"), "no code page: {} {}", page.status, page.text());
        let code = load.app.mail.wait_for_code(&patient.email, mails + 1).await;
        let landed = one.submit_code(&page, &code).await.authorization_response(pending);
        let answer = load.client.redeem_at(&two, &landed).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let bearer = format!("Bearer {}", answer.json()["access_token"].as_str().expect("a token"));
        let headers = [("authorization", bearer.as_str())];
        let claims = one.send(Method::GET, "/oauth2/userinfo", &headers, None).await;
        assert_eq!(claims.status, 200, "{}", claims.body);
        load.done.fetch_add(1, Ordering::Relaxed);
    }
}

struct Load {
    app: SharedApp,
    other: Replica,
    client: Client,
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Waits until `more` further sign-ins were completed.
    async fn wait_for_more(&self, people: &[JoinHandle<()>], more: usize) {
        let wanted = self.done.load(Ordering::Relaxed) + more;
        let done = async || {
            assert!(!people.iter().any(JoinHandle::is_finished), "a sign-in failed: see above");
            self.done.load(Ordering::Relaxed) >= wanted
        };
        wait::until("sign-ins", done).await;
    }
}

/// Every connection of two replicas has its statements prepared when the schema grows, and when it shrinks again: no request
/// may fail.
#[apply(both_engines)]
async fn schema_change_under_load_refuses_nothing(engine: Engine) {
    let app = SharedApp::new(TestApp::start(engine).await);
    for name in [
        "sign_in.sends_per_day",
        "sign_in.sends_per_hour",
        "sign_in.posts_per_minute_ipv6_48",
        "sign_in.posts_per_minute",
    ] {
        app.set_setting(name, "100000").await;
    }
    let client = app.client("portal").await;
    let (other, done, stop) = (app.replica().await, AtomicUsize::new(0), AtomicBool::new(false));
    let load = Arc::new(Load { app: app.clone(), other, client, done, stop });
    let mut people = Vec::new();
    for name in ["Mere", "Tui", "Aroha"] {
        people.push(tokio::spawn(keep_signing_in(load.clone(), app.patient(name).await)));
    }
    load.wait_for_more(&people, 3).await;
    let next = app.db.open().await;
    for done in ["expand", "contract"] {
        for folder in one_by_one(done) {
            migrate(&next, folder.path()).await;
            load.wait_for_more(&people, 1).await;
        }
        load.wait_for_more(&people, 3).await;
        println!("{engine:?}: {} sign-ins by the end of {done}", load.done.load(Ordering::Relaxed));
    }
    load.stop.store(true, Ordering::Relaxed);
    for person in people {
        person.await.expect("no sign-in was refused");
    }
    // Commands and a replica of this version continue to work, too.
    let late = app.replica().await;
    let ready = reqwest::get(format!("http://{}/readyz", late.ops)).await.unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
}

/// The program from before the upgrade on the schema after it: it runs, restarts, and changes nothing.
#[apply(both_engines)]
async fn older_program_runs_on_newer_schema(engine: Engine) {
    let data = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &data).await;
    let db = data.open().await;
    migrate(&db, &test_migrations("expand")).await;
    let said = command(served.command(&["migrate"]), "").await;
    assert_eq!(said, "The database has the schema of this build already, or a newer one.\n");
    let add = ["user", "add", "mere@patients.example", "--password-stdin"];
    command(served.change_command(&add), "a walk along the river\n").await;
    assert!(served.serve().await.terminate().await.success());
}

/// A newer migration does not compensate for a missing one of ours: migrations are compared by number, not counted.
#[apply(both_engines)]
async fn missing_migration_is_found_beside_newer(engine: Engine) {
    let data = TestDb::empty(engine).await;
    let served = ServeSetup::prepare(engine, &data).await;
    let db = data.open().await;
    let newer = one_file("9999_newer.sql", "CREATE TABLE newer (id UUID PRIMARY KEY);");
    migrate(&db, newer.path()).await;
    let refused = served.command(&["serve"]).output().await.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("older than this build: run `idp migrate`"),
        "{said}"
    );
    let said = command(served.command(&["migrate"]), "").await;
    assert_eq!(said, "The database now has the schema of this build.\n");
    assert!(db.is_migrated().await.unwrap());
    let mut conn = db.read().await.unwrap();
    let newer: Vec<(i64,)> = conn
        .q("SELECT version FROM _sqlx_migrations WHERE version = 9999")
        .fetch_all()
        .await
        .unwrap();
    assert_eq!(newer, [(9999,)], "what a newer build applied stays");
}

/// No tables at all is an older schema. A damaged table of migrations is not: that is an error of its own.
#[apply(both_engines)]
async fn damaged_migrations_table_is_reported(engine: Engine) {
    let empty = TestDb::empty(engine).await;
    assert!(!empty.open().await.is_migrated().await.unwrap());
    let data = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &data).await;
    run(&data.open().await, "ALTER TABLE _sqlx_migrations RENAME COLUMN success TO went_well")
        .await;
    for asked in ["serve", "migrate", "doctor"] {
        assert_refused_with(served.command(&[asked]), "success").await;
    }
}

/// A command that cannot read the schema's version reports why, and does not advise `idp migrate`.
async fn assert_refused_with(mut command: Command, why: &str) {
    let refused = command.output().await.unwrap();
    let said = [refused.stdout, refused.stderr].map(|text| String::from_utf8(text).unwrap());
    let said = said.concat();
    assert!(!refused.status.success() && said.contains(why), "{said}");
    assert!(!said.contains("idp migrate"), "{said}");
}

/// An account without the right to read the table of migrations gets that error, not "the schema is older".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_migrations_table_is_reported() {
    let data = TestDb::create(Engine::Postgres).await;
    let served = ServeSetup::prepare(Engine::Postgres, &data).await;
    let db = data.open().await;
    run(&db, "CREATE ROLE may_read_nothing LOGIN").await;
    let url = data.url();
    let (_, place) = url.split_once('@').expect("an account");
    for asked in ["serve", "migrate", "doctor"] {
        let mut command = served.command(&[asked]);
        command.env("IDP__DATABASE__URL", format!("postgres://may_read_nothing@{place}"));
        assert_refused_with(command, "permission denied for table _sqlx_migrations").await;
    }
    run(&db, "DROP ROLE may_read_nothing").await;
}

/// A migration that waits for a long transaction does not block other transactions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_migration_blocks_no_reader() {
    let data = TestDb::create(Engine::Postgres).await;
    let db = data.open().await;
    let schema = Migrations::read(&test_migrations("expand")).await.unwrap();
    let (reads, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let long = tokio::spawn({
        let (db, reads, gate) = (db.clone(), reads.clone(), gate.clone());
        async move {
            db.write(async |tx| {
                let rows: Vec<(i64,)> =
                    tx.q("SELECT sends FROM email_challenges").fetch_all().await?;
                reads.notify_one();
                gate.notified().await;
                Ok::<_, store::Error>(rows)
            })
            .await
        }
    });
    reads.notified().await;
    let migration = tokio::spawn({
        let db = db.clone();
        async move { db.migrate_with(&schema).await }
    });
    let mut conn = db.read().await.unwrap();
    let waits = async || {
        let waiting =
            "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let (count,): (i64,) = conn.q(waiting).fetch_one().await.unwrap();
        count > 0
    };
    wait::until("the migration waits", waits).await;
    // The long transaction still holds its lock and the migration waits; this later reader is not blocked by it.
    let rows: Vec<(i64,)> = conn.q("SELECT tries FROM email_challenges").fetch_all().await.unwrap();
    assert!(rows.is_empty() && !migration.is_finished() && !long.is_finished());
    gate.notify_one();
    long.await.unwrap().unwrap();
    migration.await.unwrap().expect("it runs in the end");
    let rows: Vec<(Option<Vec<u8>>,)> =
        conn.q("SELECT next_bytes FROM email_challenges").fetch_all().await.unwrap();
    assert!(rows.is_empty() && db.is_migrated().await.unwrap());
}

/// A database from before the first release has another first migration. No program can migrate it, and each reports what to
/// do.
#[apply(both_engines)]
async fn foreign_migration_sequence_is_refused(engine: Engine) {
    let data = TestDb::empty(engine).await;
    let served = ServeSetup::prepare(engine, &data).await;
    let db = data.open().await;
    let old = one_file("0001_sign_in.sql", "CREATE TABLE users (id UUID PRIMARY KEY);");
    migrate(&db, old.path()).await;
    let show = ["user", "show", "mere@patients.example"];
    for args in [&["serve"][..], &["migrate"], &["key", "list"], &["client", "list"], &show] {
        let (code, said, error) = run_with_status(served.command(args), "").await;
        assert_eq!((code, error.lines().count()), (1, 1), "{args:?}: {said}{error}");
        assert!(error.contains(OTHER_SEQUENCE) && !error.contains("migration"), "{error}");
    }
    let (code, found, _) = run_with_status(served.command(&["doctor"]), "").await;
    assert!(code == 1 && found.contains(OTHER_SEQUENCE), "{found}");
    // The database is unchanged.
    let mut conn = db.read().await.unwrap();
    let versions: Vec<(i64,)> =
        conn.q("SELECT version FROM _sqlx_migrations").fetch_all().await.unwrap();
    assert_eq!(versions, [(1,)]);
}

/// The same for a folder of `dev`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_folder_with_foreign_sequence_is_refused() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let dev = || {
        let mut command = idp_command();
        command.args(["dev", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--json"]);
        command.args(["--portal-listen", "127.0.0.1:0", "--data-dir"]).arg(&dir);
        command
    };
    let mut first = ChildProcess::spawn(dev());
    first.json().await;
    assert!(first.terminate().await.success());
    let file = DbConfig::Sqlite { file: dir.join("vestibule.db"), full_sync: false };
    let db = Db::open(&file).await.unwrap();
    run(&db, "UPDATE _sqlx_migrations SET checksum = CAST('another' AS BLOB)").await;
    db.close().await;
    let mut list = idp_command();
    list.args(["client", "list", "--data-dir"]).arg(&dir);
    for command in [dev(), list] {
        let ended = tokio::time::timeout(wait::LIMIT, run_with_status(command, "")).await;
        let (code, said, error) = ended.expect("it does not start");
        assert!(code == 1 && error.contains(OTHER_SEQUENCE), "{said}{error}");
    }
}
