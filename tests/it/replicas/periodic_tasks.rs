//! Periodic tasks in the running program: one replica runs them, and another takes over when it is gone.

use store::{Db, Sql, Timestamp};
use vestibule_tests::{
    db::{Engine, TestDb},
    proc::{ChildProcess, run},
    serve_process::ServeSetup,
    shared_servers::redis_url,
    wait,
};

use crate::engines::{apply, both_engines};

/// Waits until `there` is true; panics with the output of the process.
async fn until(what: &str, serve: &ChildProcess, mut there: impl AsyncFnMut() -> bool) {
    let look = async || if there().await { Ok(()) } else { Err(serve.output()) };
    wait::until(what, look).await;
}

/// A provider that may have several replicas on either engine: its counters are in Redis.
async fn serve_with_redis(engine: Engine, data: &TestDb) -> (ServeSetup, Db) {
    let served = ServeSetup::prepare(engine, data).await;
    if engine.redis_url().is_none() {
        let text = std::fs::read_to_string(served.config_file()).unwrap();
        let redis = format!("{text}[ephemeral]\nurl = \"{}\"\n", redis_url());
        std::fs::write(served.config_file(), redis).unwrap();
    }
    (served, data.open().await)
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    let mut conn = db.read().await.unwrap();
    let (number,): (i64,) = conn.q(sql).fetch_one().await.unwrap();
    number
}

async fn all_sealed(db: &Db) -> bool {
    number(db, "SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL").await == 0
}

/// The holder of the sealing lease, and the end of its term.
async fn sealer(db: &Db) -> Option<(String, Timestamp)> {
    store::lease::holder(&mut db.read().await.unwrap(), "audit_seals").await.unwrap()
}

/// Writes a row to the audit trail, as an operator would.
async fn write_a_row(served: &ServeSetup, window: &str) {
    run(served.change_command(&["setting", "set", "sign_in.code_window", window]), "").await;
}

async fn actors(db: &Db, event: &str) -> Vec<String> {
    let mut conn = db.read().await.unwrap();
    let sql = "SELECT actor FROM audit WHERE event = $1 ORDER BY id";
    let rows: Vec<(String,)> = conn.q(sql).bind(event).fetch_all().await.unwrap();
    rows.into_iter().map(|(actor,)| actor).collect()
}

/// The audit trail is valid, and no row is in two seals.
async fn assert_sealed_once(served: &ServeSetup, db: &Db) {
    run(served.command(&["audit", "verify"]), "").await;
    let seals = number(db, "SELECT COUNT(*) FROM audit_seals").await;
    assert_eq!(
        number(db, "SELECT MAX(sequence) FROM audit_seals").await,
        seals,
        "one after another"
    );
    let counted = "SELECT CAST(SUM(row_count) AS BIGINT) FROM audit_seals";
    assert_eq!(number(db, counted).await, number(db, "SELECT COUNT(*) FROM audit").await);
}

/// The holder is killed while rows wait for their seal. The other replica seals them when the lease has ended, and not
/// before.
#[apply(both_engines)]
async fn killed_sealer_is_succeeded_after_lease(engine: Engine) {
    let data = TestDb::create(engine).await;
    let (served, db) = serve_with_redis(engine, &data).await;
    let mut first = served.serve().await;
    write_a_row(&served, "16m").await;
    until("the first one seals", &first, async || all_sealed(&db).await).await;
    let (name_of_first, _) = sealer(&db).await.unwrap();
    let (mut second, _) = served.start_replica().await;
    write_a_row(&served, "17m").await;
    until("one of them seals", &first, async || all_sealed(&db).await).await;
    let (holder, _) = sealer(&db).await.unwrap();
    let (dies, lives) =
        if holder == name_of_first { (&mut first, &mut second) } else { (&mut second, &mut first) };
    dies.kill().await;
    // Read again: the holder may have renewed the lease before it was killed.
    let (_, over) = sealer(&db).await.unwrap();
    for window in ["18m", "19m", "20m"] {
        write_a_row(&served, window).await;
    }
    until("the other one seals", lives, async || all_sealed(&db).await).await;
    let (heir, _) = sealer(&db).await.unwrap();
    assert_ne!(heir, holder);
    let sealed_at = number(&db, "SELECT MAX(sealed_at) FROM audit_seals").await;
    assert!(sealed_at >= over.millis(), "while the killed one had the lease");
    println!("{engine:?}: sealed {} ms after the killed one's lease", sealed_at - over.millis());
    assert_sealed_once(&served, &db).await;
    assert!(lives.terminate().await.success());
    assert_eq!(sealer(&db).await, None, "released at the stop");
}

/// A key that is too old is replaced once, by one of the two replicas.
#[apply(both_engines)]
async fn old_key_is_rotated_once(engine: Engine) {
    let data = TestDb::create(engine).await;
    let (served, db) = serve_with_redis(engine, &data).await;
    let age = "UPDATE signing_keys SET created_at = 0 WHERE algorithm = 'ES256'";
    assert_eq!(db.write(async |tx| tx.q(age).execute().await).await.unwrap(), 1);
    let (mut first, (mut second, _)) = tokio::join!(served.serve(), served.start_replica());
    let rotated = async || actors(&db, "key.rotated").await;
    until("the key is replaced", &first, async || !rotated().await.is_empty()).await;
    // Both have run the task before they stop.
    assert!(first.terminate().await.success() && second.terminate().await.success());
    assert_eq!(rotated().await, ["system:signing_keys"]);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM signing_keys WHERE algorithm = 'ES256'").await, 2);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM signing_keys WHERE algorithm = 'RS256'").await, 1);
}

/// A replica that gets another root key in first place reseals everything with it on its own.
#[apply(both_engines)]
async fn new_root_key_reseals_automatically(engine: Engine) {
    let data = TestDb::create(engine).await;
    let (served, db) = serve_with_redis(engine, &data).await;
    let next = served.config_file().with_file_name("next.key");
    vestibule_tests::tls::write_private_file(&next, &[8; 32]);
    let text = std::fs::read_to_string(served.config_file()).unwrap();
    let entry = format!("[[keys.root_file]]\nid = \"next\"\nfile = \"{}\"\n", next.display());
    let both = text.replacen("[[keys.root_file]]\n", &format!("{entry}[[keys.root_file]]\n"), 1);
    std::fs::write(served.config_file(), both).unwrap();
    let roots = async || -> serde_json::Value {
        serde_json::from_str(&run(served.command(&["key", "root", "--json"]), "").await).unwrap()
    };
    let before = roots().await;
    assert_eq!(
        (&before[1]["id"], before[1]["sealed"].as_i64() > Some(3)),
        (&"test".into(), true),
        "{before}"
    );
    let mut serve = served.serve().await;
    until("it seals again", &serve, async || roots().await[1]["sealed"] == 0).await;
    assert_eq!(actors(&db, "root_key.resealed").await, ["system:root_keys"]);
    assert!(serve.terminate().await.success());
}
