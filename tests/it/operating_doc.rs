//! The pages of docs/operating: their commands exist, the Redis rights that they name are sufficient and necessary, their
//! calculations begin with the right numbers, and each alarm in the log has a row.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use flows::account::standard_claims::StandardClaims;
use store::{EphemeralCounters, HitResult};
use tokio::process::Command;
use vestibule_tests::{
    app::TestApp,
    db::{Engine, TestDb},
    dedicated_servers::DedicatedRedis,
    proc::idp_command,
    serve_process::ServeSetup,
};

use crate::doctor::{assert_failed, findings};
use crate::engines::{apply, both_engines};

/// The text of a page of docs/operating.
fn page(name: &str) -> String {
    let path = vestibule_tests::workspace_root().join("docs/operating").join(name);
    fs::read_to_string(path).expect("a page")
}

/// The names of all pages of docs/operating.
fn pages() -> Vec<String> {
    let folder =
        fs::read_dir(vestibule_tests::workspace_root().join("docs/operating")).expect("the folder");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| fs::read_to_string(path).expect("a page")).collect()
}

/// The commands of the program in the code blocks of a page.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks.flat_map(str::lines).map(str::trim).filter(|line| line.starts_with("idp ")).collect()
}

/// A command's help; none if there is no such command.
async fn help(words: &[&str]) -> Option<String> {
    let mut command: Command = idp_command();
    let output = command.args(words).arg("--help").output().await.expect("it starts");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("text"))
}

#[tokio::test]
async fn documented_commands_and_options_exist() {
    let mut pages = pages();
    pages.extend(["../configuration.md", "../connecting.md", "../audit.md"].map(page));
    let commands: Vec<&str> = pages.iter().flat_map(|page| commands(page)).collect();
    assert!(commands.len() >= 14, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let deep =
            usize::from(!matches!(words[0], "migrate" | "serve" | "doctor" | "check-config"));
        let help =
            help(&words[..=deep]).await.unwrap_or_else(|| panic!("no such command: {command}"));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: there is no {option}");
        }
    }
}

#[test]
fn documented_claims_are_accepted() {
    let page = page("people.md");
    let (_, rest) = page.split_once("```json\n").expect("the file of claims");
    let (json, _) = rest.split_once("```").expect("its end");
    let claims = StandardClaims::parse(json).expect("standard claims");
    assert!(claims.name.is_some() && claims.email_verified == Some(true), "{claims:?}");
    // Every claim of every scope, but those that the program has of its own.
    let found: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(found.as_object().map(serde_json::Map::len), Some(17), "{found}");
}

/// The rights of the Redis user are sufficient, and `doctor` reports each one that is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_redis_rights_suffice() {
    let page = page("deploy-replicas.md");
    let line = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER vestibule "));
    let rules: Vec<&str> = line.expect("the user of Redis").split(' ').collect();
    let rights: Vec<&str> = rules.iter().copied().filter(|rule| rule.starts_with('+')).collect();
    assert!(rights.len() >= 7, "{rules:?}");
    let redis = DedicatedRedis::start();
    let url = redis.url().replace("redis://", "redis://vestibule:PASSWORD@");
    let db = TestDb::create(Engine::Postgres).await;
    let served = ServeSetup::prepare(Engine::Postgres, &db).await;
    let doctor = async || findings(&served, "doctor", &[("IDP__EPHEMERAL__URL", &url)]).await.1;
    redis.run_command(&[&["ACL", "SETUSER", "vestibule"], rules.as_slice()].concat());
    assert_eq!(doctor().await["ephemeral.url"].0, "ok");
    let counters = EphemeralCounters::redis(&url).expect("an address");
    let (now, window) = (idp::clock::Clock::system().now(), Duration::from_mins(5));
    for _ in 0..3 {
        assert_eq!(counters.hit("somebody", 1, window, now).await, HitResult::Within);
        counters.refund("somebody", 1, window, now).await;
    }
    assert!(!counters.is_degraded());
    for right in rights {
        redis.run_command(&["ACL", "SETUSER", "vestibule", &right.replace('+', "-")]);
        let found = doctor().await;
        println!("without {right}: {}", found["ephemeral.url"].1);
        let named = "has its user the rights that docs/operating/deploy-replicas.md names";
        assert_failed(&found, "ephemeral.url", named);
        redis.run_command(&["ACL", "SETUSER", "vestibule", right]);
    }
    assert_eq!(doctor().await["ephemeral.url"].0, "ok");
}

/// One more sign-in, with the exchange of its code, writes the rows of the table.
#[apply(both_engines)]
async fn documented_rows_per_sign_in_match(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let counts = async || {
        let mut counts = BTreeMap::new();
        for (table, sql) in [
            ("attempts", "SELECT COUNT(*) FROM attempts"),
            ("email_challenges", "SELECT COUNT(*) FROM email_challenges"),
            ("jobs", "SELECT COUNT(*) FROM jobs"),
            ("sessions", "SELECT COUNT(*) FROM sessions"),
            ("grants", "SELECT COUNT(*) FROM grants"),
            ("auth_codes", "SELECT COUNT(*) FROM auth_codes"),
            ("sign_ins", "SELECT COUNT(*) FROM sign_ins"),
            ("audit", "SELECT COUNT(*) FROM audit"),
        ] {
            counts.insert(table, app.count(sql).await);
        }
        counts
    };
    let before = counts().await;
    let landed = app.browser().sign_in(&app, &client, &patient).await;
    client.redeem_tokens(&app, &landed).await;
    app.wait_for_jobs().await;
    let page = page("size.md");
    for (table, count) in counts().await {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{table}` | ")));
        let rows = row.and_then(|row| row.split('|').nth(2)).map(str::trim);
        assert_eq!(rows, Some((count - before[table]).to_string().as_str()), "{table}");
    }
}

/// Collects log messages that begin with `alarm:` from the sources of a folder, up to their first comma or semicolon.
fn alarms(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            alarms(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let messages = text.split("\"alarm: ").skip(1);
            let names = messages.filter_map(|message| message.split(['"', ',', ';']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn each_alarm_has_a_row() {
    let mut found = BTreeSet::new();
    for krate in ["store", "keys", "flows", "idp"] {
        alarms(&vestibule_tests::workspace_root().join(krate).join("src"), &mut found);
    }
    assert!(found.len() >= 20, "{found:?}; correct this test's way of finding them");
    let page = page("alarms.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for alarm in found {
        let name = format!("`{alarm}`");
        let is_there = rows.iter().any(|row| row.contains(&name));
        assert!(is_there, "docs/operating/alarms.md has no row for {alarm}");
    }
}
