//! A rolling upgrade: the schema grows and shrinks under a running replica, and an older program meets a newer schema.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use reqwest::Method;
use store::{Db, Sql};
use tokio::{process::Command, sync::Notify, task::JoinHandle};
use vestibule_tests::{
    app::{Patient, Replica, Shared, TestApp},
    client::Client,
    db::{Engine, TestDb},
    proc::run as command,
    served::Served,
    wait,
};

use crate::engines::{apply, both_engines};

/// What the next version's migrations may do: a column that may be empty on every table, a table, an index. Each is a
/// transaction of its own.
const NEXT: [&str; 16] = [
    "ALTER TABLE users ADD COLUMN next_text TEXT",
    "ALTER TABLE passwords ADD COLUMN next_text TEXT",
    "ALTER TABLE clients ADD COLUMN next_text TEXT",
    "ALTER TABLE attempts ADD COLUMN next_number BIGINT",
    "ALTER TABLE email_challenges ADD COLUMN next_bytes BYTEA",
    "ALTER TABLE sign_ins ADD COLUMN next_text TEXT",
    "ALTER TABLE sessions ADD COLUMN next_flag BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE consents ADD COLUMN next_text TEXT",
    "ALTER TABLE grants ADD COLUMN next_number BIGINT NOT NULL DEFAULT 7",
    "ALTER TABLE auth_codes ADD COLUMN next_text TEXT",
    "ALTER TABLE throttles ADD COLUMN next_text TEXT",
    "ALTER TABLE signing_keys ADD COLUMN next_text TEXT",
    "ALTER TABLE settings ADD COLUMN next_text TEXT",
    "ALTER TABLE audit ADD COLUMN next_text TEXT",
    "CREATE TABLE next_table (id UUID PRIMARY KEY, user_id UUID REFERENCES users (id) ON DELETE CASCADE)",
    "CREATE INDEX next_index ON audit (event, at)",
];

/// What the version after that may do, when no program that runs names any of it any more: all of it goes again.
const CONTRACT: [&str; 16] = [
    "DROP INDEX next_index",
    "DROP TABLE next_table",
    "ALTER TABLE audit DROP COLUMN next_text",
    "ALTER TABLE settings DROP COLUMN next_text",
    "ALTER TABLE signing_keys DROP COLUMN next_text",
    "ALTER TABLE throttles DROP COLUMN next_text",
    "ALTER TABLE auth_codes DROP COLUMN next_text",
    "ALTER TABLE grants DROP COLUMN next_number",
    "ALTER TABLE consents DROP COLUMN next_text",
    "ALTER TABLE sessions DROP COLUMN next_flag",
    "ALTER TABLE sign_ins DROP COLUMN next_text",
    "ALTER TABLE email_challenges DROP COLUMN next_bytes",
    "ALTER TABLE attempts DROP COLUMN next_number",
    "ALTER TABLE clients DROP COLUMN next_text",
    "ALTER TABLE passwords DROP COLUMN next_text",
    "ALTER TABLE users DROP COLUMN next_text",
];

/// As the next version's `idp migrate` would write it down.
const NEXT_APPLIED: &str =
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
     VALUES (9999, 'next', TRUE, $1, 0)";

async fn run(db: &Db, sql: &'static str) {
    db.write(async |tx| tx.q(sql).exec().await).await.expect("it runs");
}

async fn next_version(db: &Db) {
    let checksum = vec![9_u8; 48];
    db.write(async |tx| tx.q(NEXT_APPLIED).bind(&checksum).exec().await).await.expect("it runs");
}

/// Signs one person in again and again, all the way to userinfo, a step at each replica in turn; panics when anything is refused.
async fn keep_signing_in(load: Arc<Load>, patient: Patient) {
    let mut first = true;
    while !load.stop.load(Ordering::Relaxed) {
        let here = load.app.browser();
        let there = here.sent_to(load.other.address);
        // Whose turn it is to begin changes.
        let (one, two) = if first { (here, there) } else { (there, here) };
        first = !first;
        let mails = load.app.mail.codes_to(&patient.email).len();
        let (page, pending) = one.start(&load.client).await;
        let page = two.password(&page, &patient).await;
        assert!(page.has_field("code"), "no code page: {} {}", page.status, page.text());
        let code = load.app.mail.code(&patient.email, mails + 1).await;
        let landed = one.code(&page, &code).await.landed(pending);
        let answer = load.client.redeem_with(&two, &landed).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let bearer = format!("Bearer {}", answer.json()["access_token"].as_str().expect("a token"));
        let headers = [("authorization", bearer.as_str())];
        let claims = one.send(Method::GET, "/oauth2/userinfo", &headers, None).await;
        assert_eq!(claims.status, 200, "{}", claims.body);
        load.done.fetch_add(1, Ordering::Relaxed);
    }
}

struct Load {
    app: Shared,
    other: Replica,
    client: Client,
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Waits until so many more sign-ins were completed.
    async fn more(&self, people: &[JoinHandle<()>], more: usize) {
        let wanted = self.done.load(Ordering::Relaxed) + more;
        let done = async || {
            assert!(!people.iter().any(JoinHandle::is_finished), "somebody was refused: see above");
            self.done.load(Ordering::Relaxed) >= wanted
        };
        wait::until("sign-ins", done).await;
    }
}

/// Every connection of two replicas has its statements prepared when the schema grows, and when it shrinks again: none of
/// them may notice.
#[apply(both_engines)]
async fn a_schema_that_grows_under_load_refuses_nobody(engine: Engine) {
    let app = Shared::new(TestApp::start(engine).await);
    for name in ["sign_in.sends_per_hour", "sign_in.sends_per_day", "sign_in.posts_per_minute"] {
        app.set(name, "100000").await;
    }
    let client = app.client("portal").await;
    let (other, done, stop) = (app.replica().await, AtomicUsize::new(0), AtomicBool::new(false));
    let load = Arc::new(Load { app: app.clone(), other, client, done, stop });
    let mut people = Vec::new();
    for name in ["Mere", "Tui", "Aroha"] {
        people.push(tokio::spawn(keep_signing_in(load.clone(), app.patient(name).await)));
    }
    load.more(&people, 3).await;
    let next = app.db.open().await;
    for (changes, done) in [(NEXT, "expand"), (CONTRACT, "contract")] {
        for pair in changes.chunks(2) {
            for sql in pair {
                run(&next, sql).await;
            }
            load.more(&people, 1).await;
        }
        if done == "expand" {
            next_version(&next).await;
        }
        load.more(&people, 3).await;
        println!("{engine:?}: {} sign-ins by the end of {done}", load.done.load(Ordering::Relaxed));
    }
    load.stop.store(true, Ordering::Relaxed);
    for person in people {
        person.await.expect("nobody was refused");
    }
    // Commands and a replica of this version go on, too.
    let late = app.replica().await;
    let ready = reqwest::get(format!("http://{}/readyz", late.ops)).await.unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
}

/// The program of before the upgrade on the schema of after it: it runs, starts anew, and changes nothing.
#[apply(both_engines)]
async fn an_older_program_runs_on_a_newer_schema(engine: Engine) {
    let data = TestDb::create(engine).await;
    let served = Served::prepare(engine, &data).await;
    let db = data.open().await;
    for sql in NEXT {
        run(&db, sql).await;
    }
    next_version(&db).await;
    let said = command(served.command(&["migrate"]), "").await;
    assert_eq!(said, "The database has the schema of this build already, or a newer one.\n");
    let add = ["user", "add", "mere@patients.example", "--password-stdin"];
    command(served.command(&add), "a walk along the river\n").await;
    assert!(served.serve().await.terminate().await.success());
}

/// A newer migration does not make up for one of ours that is missing: they are compared by number, not counted.
#[apply(both_engines)]
async fn a_missing_migration_is_missed_beside_a_newer_one(engine: Engine) {
    let data = TestDb::create(engine).await;
    let served = Served::prepare(engine, &data).await;
    let db = data.open().await;
    run(&db, "DROP TABLE leases").await;
    run(&db, "DELETE FROM _sqlx_migrations WHERE version = 3").await;
    next_version(&db).await;
    let refused = served.command(&["serve"]).output().await.unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("older than this build: run `idp migrate`"),
        "{said}"
    );
    let said = command(served.command(&["migrate"]), "").await;
    assert_eq!(said, "The database now has the schema of this build.\n");
    assert!(db.migrated().await.unwrap());
    let mut conn = db.read().await.unwrap();
    let newer: Vec<(i64,)> =
        conn.q("SELECT version FROM _sqlx_migrations WHERE version = 9999").all().await.unwrap();
    assert_eq!(newer, [(9999,)], "what a newer build applied stays");
}

/// No tables at all is an older schema. A table of migrations that is not as it should be is not: that is told.
#[apply(both_engines)]
async fn a_table_of_migrations_that_is_damaged_is_no_older_schema(engine: Engine) {
    let empty = TestDb::empty(engine).await;
    assert!(!empty.open().await.migrated().await.unwrap());
    let data = TestDb::create(engine).await;
    let served = Served::prepare(engine, &data).await;
    run(&data.open().await, "ALTER TABLE _sqlx_migrations RENAME COLUMN success TO went_well")
        .await;
    for asked in ["serve", "migrate", "doctor"] {
        is_told(served.command(&[asked]), "success").await;
    }
}

/// A command that cannot find out what the schema is says why, and sends nobody to `idp migrate`.
async fn is_told(mut command: Command, why: &str) {
    let refused = command.output().await.unwrap();
    let said = [refused.stdout, refused.stderr].map(|text| String::from_utf8(text).unwrap());
    let said = said.concat();
    assert!(!refused.status.success() && said.contains(why), "{said}");
    assert!(!said.contains("idp migrate"), "{said}");
}

/// An account that may not read the table of migrations is told so, not that the schema is older than it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_migrations_that_may_not_be_read_is_no_older_schema() {
    let data = TestDb::create(Engine::Postgres).await;
    let served = Served::prepare(Engine::Postgres, &data).await;
    let db = data.open().await;
    run(&db, "CREATE ROLE may_read_nothing LOGIN").await;
    let url = data.url();
    let (_, place) = url.split_once('@').expect("an account");
    for asked in ["serve", "migrate", "doctor"] {
        let mut command = served.command(&[asked]);
        command.env("IDP__DATABASE__URL", format!("postgres://may_read_nothing@{place}"));
        is_told(command, "permission denied for table _sqlx_migrations").await;
    }
    run(&db, "DROP ROLE may_read_nothing").await;
}

/// A migration that must wait for a long transaction does not make everybody else wait behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_lock_lets_others_pass() {
    let data = TestDb::create(Engine::Postgres).await;
    let db = data.open().await;
    run(&db, "ALTER TABLE email_challenges DROP COLUMN refused_at").await;
    run(&db, "DELETE FROM _sqlx_migrations WHERE version = 2").await;
    let (reads, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let long = tokio::spawn({
        let (db, reads, gate) = (db.clone(), reads.clone(), gate.clone());
        async move {
            db.write(async |tx| {
                let rows: Vec<(i64,)> = tx.q("SELECT sends FROM email_challenges").all().await?;
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
        async move { db.migrate().await }
    });
    let mut conn = db.read().await.unwrap();
    let waits = async || {
        let waiting =
            "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let (count,): (i64,) = conn.q(waiting).one().await.unwrap();
        count > 0
    };
    wait::until("the migration waits", waits).await;
    // The long transaction still holds its lock and the migration waits: this reader came last and is not the last.
    let rows: Vec<(i64,)> = conn.q("SELECT tries FROM email_challenges").all().await.unwrap();
    assert!(rows.is_empty() && !migration.is_finished() && !long.is_finished());
    gate.notify_one();
    long.await.unwrap().unwrap();
    migration.await.unwrap().expect("it has its turn in the end");
    assert!(db.migrated().await.unwrap());
}
