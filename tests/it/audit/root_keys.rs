//! The trail stays verifiable when the root keys that it was written and sealed with are gone.

use flows::root_keys;
use vestibule_tests::{
    app::{ReplicaOptions, TestApp},
    db::Engine,
    proc::{run, run_with_status},
    serve_process::ServeSetup,
    test_actor,
};

use super::chain::{assert_sound, finding_keys, seal_pending_rows, tamper, verify};
use crate::engines::{apply, both_engines};

/// Replaces the replica by one with other root keys, the first of which is current.
async fn roll_out(app: &mut TestApp, root: &'static [(&'static str, u8)]) {
    let next =
        app.replica_with(ReplicaOptions { root: Some(root), ..ReplicaOptions::default() }).await;
    app.swap_first(next).stop().await;
}

async fn seals_of(app: &TestApp, root: &'static str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit_seals WHERE key_id = '{root}'");
    app.count(sql.leak()).await
}

/// A configuration with the new root key alone.
async fn serve_with_new_root_key(app: &TestApp) -> ServeSetup {
    let served = ServeSetup::prepare(app.db.engine(), &app.db).await;
    let file = served.config_file().with_file_name("next.key");
    vestibule_tests::tls::write_private_file(&file, &[8; 32]);
    let text = std::fs::read_to_string(served.config_file()).unwrap();
    let next = text.replace("id = \"test\"", "id = \"next\"").replace("root.key", "next.key");
    assert!(next.contains("id = \"next\"") && next.contains("next.key"), "{next}");
    std::fs::write(served.config_file(), next).unwrap();
    served
}

/// Sealed under one root key, verified without its file: a sound trail stays sound, and a change is found.
#[apply(both_engines)]
async fn old_seals_verify_without_root_key(engine: Engine) {
    let mut app = TestApp::start(engine).await;
    app.client("early").await;
    seal_pending_rows(&app).await;
    roll_out(&mut app, &[("test", 7), ("next", 8)]).await;
    roll_out(&mut app, &[("next", 8), ("test", 7)]).await;
    root_keys::reseal(&app.cx(), &test_actor(), root_keys::BATCH, |_| {}).await.unwrap().unwrap();
    app.client("between").await;
    seal_pending_rows(&app).await;
    roll_out(&mut app, &[("next", 8)]).await;
    app.client("late").await;
    seal_pending_rows(&app).await;
    assert!(app.cx().root.ids().eq(["next"]));
    let (old, new) = (seals_of(&app, "test").await, seals_of(&app, "next").await);
    assert!(old > 0 && new > 1, "{old} {new}");
    let report = assert_sound(&app).await;
    assert_eq!(i64::try_from(report.seals).unwrap(), old + new);
    let served = serve_with_new_root_key(&app).await;
    run(served.command(&["audit", "verify"]), "").await;
    for (client, root) in [("early", "test"), ("late", "next")] {
        let of_client = format!("event = 'client.added' AND client_id = '{client}'");
        let sealed = format!(
            "SELECT COUNT(*) FROM audit JOIN audit_seals ON sequence = sealed_by
                 WHERE key_id = '{root}' AND {of_client}"
        );
        assert_eq!(app.count(sealed.leak()).await, 1, "{client} is sealed with {root}");
        tamper(&app, &[format!("UPDATE audit SET outcome = 'x' WHERE {of_client}").leak()]).await;
        let found = verify(&app).await;
        assert_eq!(found.len(), 1, "{:?}", finding_keys(&found));
        assert_eq!(found[0].kind.as_str(), "row_changed");
        let (code, out, _) = run_with_status(served.command(&["audit", "verify"]), "").await;
        assert!(code == 1 && out.contains("row_changed"), "{out}");
        tamper(&app, &[format!("UPDATE audit SET outcome = 'ok' WHERE {of_client}").leak()]).await;
    }
    assert_sound(&app).await;
    // An older seal, too, is tied to a key that an attacker with the database alone does not have.
    let count = "UPDATE audit_seals SET row_count = row_count - 1 WHERE sequence = 1";
    tamper(&app, &[count]).await;
    assert!(
        finding_keys(&verify(&app).await)
            .iter()
            .any(|(what, seal)| (what.as_str(), *seal) == ("seal_changed", Some(1)))
    );
}
