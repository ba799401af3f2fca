//! A killed `idp key reseal`, and a lost root key.

use serde_json::Value;
use store::Sql;
use vestibule_tests::{
    app::root_keys,
    db::{Engine, TestDb},
    proc::{ChildProcess, run},
    serve_process::ServeSetup,
    tls::write_private_file,
    wait,
};

use crate::engines::{apply, both_engines};

const ROWS: usize = 3000;

/// Enough sealed values that resealing takes a moment.
async fn many_keys(db: &store::Db) {
    let (root, rng) = (root_keys(), keys::Rng::system());
    let key = keys::SigningKey::generate("k".to_owned(), keys::Algorithm::EdDSA).unwrap();
    let pkcs8 = key.to_pkcs8().unwrap();
    db.write(async |tx| {
        for nth in 0..ROWS {
            let id = format!("k{nth}");
            let sealed = root.seal(&rng, format!("signing_keys/{id}").as_bytes(), &pkcs8).unwrap();
            tx.q("INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from) VALUES ($1, 'EdDSA', $2, 0, 0)")
                .bind(id)
                .bind(sealed)
                .execute()
                .await?;
        }
        Ok::<_, store::Error>(())
    })
    .await
    .unwrap();
}

/// Configures other root keys: their ids, and the byte that fills each file.
fn configure(served: &ServeSetup, roots: &[(&str, u8)]) {
    let text = std::fs::read_to_string(served.config_file()).unwrap();
    let (head, _) = text.split_once("[[keys.root_file]]").unwrap();
    let mut text = head.to_owned();
    for (id, byte) in roots {
        let file = served.config_file().with_file_name(format!("{id}-{byte}.key"));
        write_private_file(&file, &[*byte; 32]);
        let entry = format!("[[keys.root_file]]\nid = \"{id}\"\nfile = \"{}\"\n", file.display());
        text.push_str(&entry);
    }
    std::fs::write(served.config_file(), text).unwrap();
}

async fn refusal_text(served: &ServeSetup, args: &[&str]) -> String {
    let output = served.command(args).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

async fn roots(served: &ServeSetup) -> Value {
    serde_json::from_str(&run(served.command(&["key", "root", "--json"]), "").await).unwrap()
}

#[apply(both_engines)]
async fn killed_reseal_is_resumed(engine: Engine) {
    wait::retry_while_slow("a kill before all is sealed again", async || {
        try_killed_reseal(engine).await
    })
    .await;
}

async fn try_killed_reseal(engine: Engine) -> Option<()> {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    many_keys(&db.open().await).await;
    configure(&served, &[("next", 8), ("test", 7)]);
    let mut reseal = ChildProcess::spawn(served.change_command(&["key", "reseal", "--json"]));
    assert_eq!(reseal.json().await["resealed"], 100);
    reseal.kill().await;
    let found = roots(&served).await;
    let sealed = |found: &Value, nth: usize| found[nth]["sealed"].as_u64().unwrap();
    println!(
        "{engine:?}: killed with {} of {} values done",
        sealed(&found, 0),
        sealed(&found, 0) + sealed(&found, 1)
    );
    if sealed(&found, 1) == 0 {
        return None;
    }
    assert!(sealed(&found, 0) >= 100, "{found}");
    let text = run(served.command(&["key", "root"]), "").await;
    assert!(text.contains("test: still needed by sealed values (run `idp key reseal`)"), "{text}");
    let lines = run(served.change_command(&["key", "reseal", "--json"]), "").await;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        last["resealed"].as_u64().unwrap(),
        sealed(&found, 1),
        "it resumes where it stopped"
    );
    assert!(
        sealed(&last["root_keys"], 1) == 0 && last["root_keys"][1]["removable_from"].is_string(),
        "{last}"
    );
    let text = run(served.change_command(&["key", "reseal"]), "").await;
    assert!(
        text.contains("0 values were sealed again") && text.contains("test: its file may go from"),
        "{text}"
    );
    configure(&served, &[("next", 8)]);
    let mut serve = served.serve().await;
    assert!(serve.terminate().await.success());
    let text = run(served.command(&["key", "root"]), "").await;
    assert!(text.contains("test: gone, and not needed"), "{text}");
    Some(())
}

/// Keys are deleted by hand. The remaining rows about their succession do not prevent new keys.
#[apply(both_engines)]
async fn deleted_signing_keys_are_recreated(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let delete = async |statements: &[&'static str]| {
        let open = db.open().await;
        for statement in statements {
            open.write(async |tx| tx.q(statement).execute().await).await.unwrap();
        }
        open.close().await;
    };
    let kids = async || -> Vec<String> {
        let mut serve = served.serve().await;
        assert!(serve.terminate().await.success());
        let listed: Value =
            serde_json::from_str(&run(served.command(&["key", "list", "--json"]), "").await)
                .unwrap();
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    };
    let old = kids().await;
    delete(&["DELETE FROM signing_keys"]).await;
    let new = kids().await;
    assert!(new.len() == 3 && new.iter().all(|kid| !old.contains(kid)), "{old:?} {new:?}");
    // Only the successor is deleted: its predecessor can be rotated again.
    run(served.change_command(&["key", "rotate", "--alg", "es256"]), "").await;
    delete(&["DELETE FROM signing_keys WHERE id IN (SELECT kid FROM key_successions WHERE algorithm = 'ES256' AND follows <> '')"]).await;
    assert_eq!(kids().await, new);
    let again = run(served.change_command(&["key", "rotate", "--alg", "es256"]), "").await;
    assert_eq!(kids().await.len(), 4, "{again}");
}

#[apply(both_engines)]
async fn lost_root_key_refuses_start(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    configure(&served, &[("next", 8)]);
    let why = refusal_text(&served, &["serve"]).await;
    assert!(why.contains("the root key test is needed and not configured"), "{why}");
    configure(&served, &[("test", 9)]);
    let why = refusal_text(&served, &["serve"]).await;
    assert!(
        why.contains("the file of the root key test in keys.root_file holds another key"),
        "{why}"
    );
    // After resealing, the old id is still recorded: another key cannot use it unnoticed.
    configure(&served, &[("next", 8), ("test", 7)]);
    run(served.change_command(&["key", "reseal"]), "").await;
    configure(&served, &[("next", 8), ("test", 9)]);
    let doctor = served.command(&["doctor"]).output().await.unwrap();
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    assert!(
        doctor.contains("holds another key"),
        "`doctor` reports what prevents a start: {doctor}"
    );
    let why = refusal_text(&served, &["key", "list"]).await;
    assert!(why.contains("give the new key an id of its own"), "{why}");
    configure(&served, &[("test", 7), ("next", 8)]);
    let why = refusal_text(&served, &["key", "reseal", "--reason", "test"]).await;
    assert!(why.contains("the root key test was replaced by next: put next first"), "{why}");
}
