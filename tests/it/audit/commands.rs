//! `idp audit verify` and `idp audit export`, run by an operator beside the running program.

use serde_json::Value;
use tokio::process::Command;
use vestibule_tests::{
    app::TestApp, db::Engine, log::CapturedLog, metrics::Scrape, serve_process::ServeSetup, wait,
};

use super::{
    chain::{chain_head, seal_pending_rows, tamper},
    trail,
};
use crate::engines::{apply, both_engines};

/// Runs a command: its exit code, standard output and standard error.
pub(super) async fn run(mut command: Command) -> (i32, String, String) {
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[apply(both_engines)]
async fn verify_reports_findings_and_fails(engine: Engine) {
    let app = TestApp::start(engine).await;
    app.client("portal").await;
    seal_pending_rows(&app).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let (code, out, error) = run(served.command(&["audit", "verify"])).await;
    assert!(code == 0 && error.is_empty(), "{error}");
    let printed_head = out.lines().last().unwrap().strip_prefix("Head: ").unwrap().to_owned();
    assert_eq!(printed_head, chain_head(&app).await.to_string());
    let (code, out, error) =
        run(served.command(&["audit", "verify", "--json", "--expect", &printed_head])).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, report["sound"].as_bool(), report["findings"].as_u64()),
        (0, Some(true), Some(0)),
        "{error}"
    );
    assert_eq!(
        format!("{}:{}", report["head"]["sequence"], report["head"]["digest"].as_str().unwrap()),
        printed_head
    );
    let wrong = format!("{}:{}", 99, "00".repeat(32));
    let (code, out, error) = run(served.command(&["audit", "verify", "--expect", &wrong])).await;
    assert!(
        code == 1 && out.contains("head_missing     seal 99") && error.contains("1 findings"),
        "{out} {error}"
    );
    let (code, _, error) = run(served.command(&["audit", "verify", "--expect", "99"])).await;
    assert!(code == 2 && error.contains("a head is SEQUENCE:DIGEST"), "{error}");
    for command in ["verify", "export"] {
        let span = ["audit", command, "--from", "2026-11-25", "--to", "2026-11-24"];
        let (code, out, error) = run(served.command(&span)).await;
        assert!(code == 2 && out.is_empty() && error.contains("is later than --to"), "{error}");
    }
    let row = trail(&app).await.into_iter().find(|row| row.event == "client.added").unwrap();
    tamper(&app, &["UPDATE audit SET client_id = 'other' WHERE event = 'client.added'"]).await;
    let (code, out, error) = run(served.command(&["audit", "verify"])).await;
    assert!(code == 1 && error.contains("not as it was written"), "{error}");
    let line = out.lines().next().unwrap();
    for part in [
        "row_changed",
        &row.id.to_string(),
        "client.added",
        &format!("seal {}", row.sealed_by.unwrap()),
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let (code, out, _) = run(served.command(&["audit", "verify", "--json"])).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["found"][0]["what"]), (1, &"row_changed".into()));
    assert_eq!(report["found"][0]["id"], row.id.to_string());
}

#[apply(both_engines)]
async fn export_streams_rows_by_time(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    vestibule_tests::aged_data::fill_trail(app.replica_db(), engine, 1_200).await;
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
    app.wait_for_jobs().await;
    seal_pending_rows(&app).await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let export = async |args: &[&str]| {
        let (code, out, error) = run(served.command(&[&["audit", "export"], args].concat())).await;
        assert_eq!(code, 0, "{error}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let all = export(&[]).await;
    let ids: Vec<_> = trail(&app).await.iter().map(|row| row.id.to_string()).collect();
    assert_eq!(
        all.iter().map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(),
        ids,
        "more than two pages"
    );
    let times: Vec<_> = all.iter().map(|row| row["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
    assert!(all.iter().all(|row| row["seal"].is_number() && row["detail"].is_object()));
    let names: Vec<_> = all[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "actor",
            "at",
            "client",
            "detail",
            "event",
            "id",
            "network",
            "outcome",
            "reference",
            "seal",
            "user"
        ]
    );
    let of_mere = export(&["--user", &patient.email]).await;
    assert!(of_mere.len() >= 6 && of_mere.iter().all(|row| row["user"] == of_mere[0]["user"]));
    let one = export(&["--user", &patient.email, "--event", "token.issued"]).await;
    assert_eq!((one.len(), &one[0]["event"]), (1, &"token.issued".into()));
    assert_eq!(export(&["--event", "password.checked"]).await.len(), 1);
    let new = export(&["--from", "2020-01-01"]).await;
    assert_eq!(new.len(), all.len() - 1_200);
    let at = new[0]["at"].as_str().unwrap();
    assert_eq!(export(&["--to", at]).await.len(), 1_200, "the end is exclusive");
    assert_eq!(export(&["--from", at]).await.len(), new.len(), "the beginning is inclusive");
    for (args, why) in [
        (&["audit", "export", "--event", "sign_in"][..], "there is no event called sign_in"),
        (
            &["audit", "export", "--user", "unknown@patients.example"],
            "there is no user with the address",
        ),
    ] {
        let (code, out, error) = run(served.command(args)).await;
        assert!(code == 1 && out.is_empty() && error.contains(why), "{error}");
    }
    let (code, _, error) = run(served.command(&["audit", "export", "--from", "yesterday"])).await;
    assert!(code == 2 && error.contains("not a time such as"), "{error}");
}

/// One thread, so that this test captures the log of every task.
#[tokio::test(flavor = "current_thread")]
async fn head_is_logged_hourly() {
    let log = CapturedLog::start();
    let app = TestApp::start(vestibule_tests::db::Engine::Sqlite).await;
    let heads = || log.text().matches("the audit trail is sealed up to here").count();
    let open = "SELECT COUNT(*) FROM audit WHERE sealed_by IS NULL";
    let turns = async || {
        let scrape = Scrape::fetch(app.first()).await;
        scrape.value("vestibule_tasks_total", &[("task", "audit_seals")]).unwrap_or_default()
    };
    // A head is logged after the commit of its seal, by the end of the task's run.
    let sealed = async || {
        wait::until_equal("rows without a seal", 0, async || app.count(open).await).await;
        let before = turns().await;
        wait::until("the end of a turn", async || turns().await > before).await;
    };
    sealed().await;
    let first = heads();
    assert!(first > 0, "{}", log.text());
    app.clock.advance(std::time::Duration::from_hours(1));
    app.client("portal").await;
    sealed().await;
    app.patient("Mere").await;
    sealed().await;
    assert_eq!(heads(), first + 1, "{}", log.text());
    assert!(log.text().contains(&chain_head(&app).await.sequence.to_string()));
}
