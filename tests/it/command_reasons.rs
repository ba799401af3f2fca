//! Every command that changes what `serve` uses requires a reason. Its actor is the operating system's user, not the
//! environment's.

use serde_json::{Value, json};
use store::totp_app::TotpApp;
use tempfile::TempDir;
use tokio::process::Command;
use vestibule_tests::{
    db::{Engine, TestDb},
    proc::{ChildProcess, idp_command, run, run_with_status},
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

/// An authenticator app of the person.
const APP: &str = "0193a5b0-0000-7000-8000-000000000001";

/// Every command that changes data.
const CHANGES: [&[&str]; 13] = [
    &["user", "add", "tui@patients.example", "--password-stdin"],
    &["user", "reset", "mere@patients.example"],
    &["user", "forget-devices", "mere@patients.example"],
    &["user", "remove-method", "mere@patients.example", APP],
    &["client", "add", "lab", "--profile", "web", "--redirect-uri", "https://lab.example/back"],
    &["client", "set", "portal", "--id-token-alg", "es256"],
    &["client", "rotate-secret", "portal"],
    &["setting", "set", "sign_in.code_window", "20m"],
    &["setting", "undo", "sign_in.code_window"],
    &["key", "rotate"],
    &["key", "reseal"],
    &["client", "remove", "portal", "--yes"],
    &["user", "set", "mere@patients.example", "--name", "Mere Kahui"],
];

/// Every command of the same groups that only reads.
const READS: [&[&str]; 7] = [
    &["user", "show"],
    &["client", "list"],
    &["client", "show"],
    &["setting", "get"],
    &["setting", "history"],
    &["key", "list"],
    &["key", "root"],
];

/// The number of rows in each table that a change inserts into, and the rows that it updates.
async fn data(db: &store::Db) -> (Vec<i64>, Vec<(String,)>) {
    let mut conn = db.read().await.unwrap();
    let mut counts = Vec::new();
    for sql in [
        "SELECT COUNT(*) FROM audit",
        "SELECT COUNT(*) FROM users",
        "SELECT COUNT(*) FROM users WHERE name = 'Mere Kahui'",
        "SELECT COUNT(*) FROM clients",
        "SELECT COUNT(*) FROM document_versions",
        "SELECT COUNT(*) FROM signing_keys",
        "SELECT COUNT(*) FROM jobs",
    ] {
        let (count,): (i64,) = store::Sql::q(&mut conn, sql).fetch_one().await.unwrap();
        counts.push(count);
    }
    let clients = "SELECT metadata FROM clients ORDER BY id";
    (counts, store::Sql::q(&mut conn, clients).fetch_all().await.unwrap())
}

/// Enrols the app, which no command can do.
async fn add_app(db: &store::Db) {
    let mut conn = db.read().await.unwrap();
    let (user,): (store::UserId,) =
        store::Sql::q(&mut conn, "SELECT id FROM users").fetch_one().await.unwrap();
    let at = store::Timestamp::from_millis(1);
    let app = TotpApp {
        id: APP.parse().unwrap(),
        user_id: user,
        name: "Phone".to_owned(),
        sealed: vec![0; 60],
        last_step: 0,
        early_steps: String::new(),
        created_at: at,
        last_used_at: at,
    };
    drop(conn);
    let added = db.write(async |tx| store::totp_app::insert(tx, &app).await).await;
    added.unwrap();
}

async fn prepare(engine: Engine, db: &TestDb) -> ServeSetup {
    let served = ServeSetup::prepare(engine, db).await;
    let add = ["user", "add", "mere@patients.example", "--name", "Mere", "--password-stdin"];
    run(served.change_command(&add), "a walk along the river\n").await;
    served.add_portal("https://portal.example/callback").await;
    add_app(&db.open().await).await;
    run(served.change_command(&["setting", "set", "sign_in.code_window", "25m"]), "").await;
    served
}

#[apply(both_engines)]
async fn change_without_reason_changes_nothing(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = prepare(engine, &db).await;
    let open = db.open().await;
    let before = data(&open).await;
    for args in CHANGES {
        let (code, out, error) =
            run_with_status(served.command(args), "a walk along the hill\n").await;
        assert!(code == 2 && out.is_empty(), "{args:?}: {code} {out}");
        assert!(error.contains("say why, with --reason"), "{args:?}: {error}");
        assert!(error.contains("Nothing was changed"), "{args:?}: {error}");
    }
    let long = "a".repeat(501);
    for (reason, why) in [
        ("", "it is empty; say in a few words why"),
        (" \t ", "it is empty"),
        ("slow\nmail", "write it in one line"),
        (long.as_str(), "it has 501 characters; the maximum is 500"),
    ] {
        let args = [CHANGES[7], &["--reason", reason]].concat();
        let (code, out, error) = run_with_status(served.command(&args), "").await;
        assert!(code == 2 && out.is_empty() && error.contains(why), "{reason:?}: {code} {error}");
    }
    assert_eq!(data(&open).await, before);
    for args in CHANGES {
        run(served.change_command(args), "a walk along the hill\n").await;
    }
    let said = "SELECT COUNT(*) FROM audit WHERE detail LIKE '%\"reason\":\"test\"%'";
    let mut conn = open.read().await.unwrap();
    let (said,): (i64,) = store::Sql::q(&mut conn, said).fetch_one().await.unwrap();
    // Three rows of the preparation. Each change has one row, except a rotation (two for each of three algorithms) and a
    // reseal that finds nothing to do (none).
    assert_eq!(said, 3 + 11 + 6);
}

/// The subcommands that a command's help lists.
async fn subcommands_of(group: &str) -> Vec<String> {
    let mut command = idp_command();
    command.args([group, "--help"]);
    let help = run(command, "").await;
    let (_, rest) = help.split_once("Commands:\n").expect("its commands");
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command is in one of the two lists; otherwise no test would check that it requires a reason.
#[tokio::test]
async fn every_changing_command_requires_reason() {
    let mut known = 0;
    for group in ["user", "client", "setting", "key"] {
        for name in subcommands_of(group).await {
            let is = |list: &[&[&str]]| list.iter().any(|args| args[..2] == [group, &name]);
            let (changes, reads) = (is(&CHANGES), is(&READS));
            assert!(changes != reads, "{group} {name}: in CHANGES {changes}, in READS {reads}");
            let mut command = idp_command();
            command.args([group, &name, "--help"]);
            let help = run(command, "").await;
            assert_eq!(help.contains("--reason"), changes, "{help}");
            known += 1;
        }
    }
    assert_eq!(known, CHANGES.len() + READS.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reason_is_optional_in_dev_folder() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let typed = |args: &[&str]| -> Command {
        let mut command = idp_command();
        command.args(args).arg("--data-dir").arg(&dir);
        command
    };
    let local = ["--listen", "--ops-listen", "--portal-listen"];
    let mut dev = typed(&["dev", "--json"]);
    dev.args(local.iter().flat_map(|option| [option, "127.0.0.1:0"]));
    let mut dev = ChildProcess::spawn(dev);
    dev.json().await;
    assert!(dev.terminate().await.success());
    let set = ["setting", "set", "sign_in.code_window"];
    run(typed(&[&set[..], &["20m"]].concat()), "").await;
    run(typed(&[&set[..], &["25m", "--reason", "slow mail"]].concat()), "").await;
    let history = run(typed(&["setting", "history", "sign_in.code_window", "--json"]), "").await;
    let history: Value = serde_json::from_str(&history).unwrap();
    let reasons = history.as_array().unwrap().iter().map(|row| &row["reason"]);
    assert_eq!(reasons.collect::<Vec<_>>(), ["slow mail", "not given"]);
}

/// The output of `id`.
async fn id(args: &[&str]) -> String {
    let mut command = Command::new("id");
    command.args(args);
    run(command, "").await.trim().to_owned()
}

/// The name of this process's user, and whether it has one, as other programs report it.
async fn user() -> (String, bool) {
    let real = id(&["-ru"]).await;
    let login = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    let login = Some(login.trim()).filter(|uid| !uid.is_empty() && *uid != "4294967295");
    let user = id(&["-un", login.unwrap_or(&real)]).await;
    (user, real == "0")
}

#[apply(both_engines)]
async fn actor_is_system_user(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = prepare(engine, &db).await;
    let (name, is_root) = user().await;
    let actor = format!("cli:{name}");
    let pretend = |mut command: Command, uid: &str| {
        for name in ["USER", "LOGNAME", "USERNAME", "SUDO_USER"] {
            command.env(name, "evil");
        }
        command.env("SUDO_UID", uid);
        command
    };
    // Each of these variables names another user or none; none of them becomes the actor.
    let reset = ["user", "reset", "mere@patients.example"];
    let set = ["setting", "set", "sign_in.code_window", "20m", "--json"];
    run(pretend(served.change_command(&reset), "1"), "").await;
    run(pretend(served.change_command(&reset), "4242424"), "").await;
    run(pretend(served.change_command(&reset), "evil"), "").await;
    let said: Value =
        serde_json::from_str(&run(pretend(served.change_command(&set), "1"), "").await).unwrap();
    assert_eq!(said["actor"], actor.as_str(), "{said}");
    let open = db.open().await;
    let mut conn = open.read().await.unwrap();
    let sql = "SELECT actor, detail FROM audit WHERE event = 'user.reset_forced' ORDER BY id";
    let rows: Vec<(String, String)> = store::Sql::q(&mut conn, sql).fetch_all().await.unwrap();
    let daemon = id(&["-un", "1"]).await;
    let claims = [Some(daemon.as_str()), Some("#4242424"), None];
    assert_eq!(rows.len(), claims.len());
    for ((found, detail), claim) in rows.iter().zip(claims) {
        let detail: Value = serde_json::from_str(detail).unwrap();
        assert_eq!(found, &actor, "{detail}");
        assert_eq!(detail["reason"], "test");
        let claim = claim.filter(|_| is_root);
        assert_eq!(detail["sudo_user"], json!(claim), "{detail}");
    }
}
