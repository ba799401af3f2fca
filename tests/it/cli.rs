//! The program itself, as a process: `dev`, `serve` and the commands.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use vestibule_tests::{
    db::{Engine, TestDb},
    mail_server::MailServer,
    proc::{ChildProcess, idp_command, run_with_status as run},
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

fn command(args: &[&str]) -> Command {
    let mut command = idp_command();
    command.args(args);
    command
}

async fn dev(dir: &Path, more: &[&str]) -> (ChildProcess, Value) {
    let mut command = command(&["dev", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    command.args(["--portal-listen", "127.0.0.1:0", "--json", "--data-dir"]).arg(dir).args(more);
    let mut dev = ChildProcess::spawn(command);
    let ready = dev.json().await;
    (dev, ready)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_prints_addresses_and_keeps_data() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let (mut first, ready) = dev(&dir, &[]).await;
    let names: Vec<_> = ready.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["clients", "data_dir", "issuer", "mailbox", "ops", "people", "portal"]);
    assert_eq!(ready["people"].as_array().unwrap().len(), 2);
    let get = async |url: &str| reqwest::get(url).await.unwrap();
    let document: Value =
        get(&format!("{}/.well-known/openid-configuration", ready["issuer"].as_str().unwrap()))
            .await
            .json()
            .await
            .unwrap();
    assert_eq!(document["issuer"], ready["issuer"]);
    assert!(get(ready["portal"].as_str().unwrap()).await.text().await.unwrap().contains("Sign in"));
    let mails = format!("{}.json", ready["mailbox"].as_str().unwrap());
    assert_eq!(get(&mails).await.json::<Value>().await.unwrap(), serde_json::json!([]));
    assert_eq!(get(&format!("{}/readyz", ready["ops"].as_str().unwrap())).await.status(), 200);
    // A request with an unknown Host cannot read mail.
    let foreign =
        reqwest::Client::new().get(&mails).header("host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 421);
    assert!(first.terminate().await.success());
    // After a restart the same people have the same passwords, and another command finds the same data.
    let (mut second, again) = dev(&dir, &[]).await;
    assert_eq!(
        (&again["people"], &again["clients"][0]["client_secret"]),
        (&ready["people"], &ready["clients"][0]["client_secret"])
    );
    let email = ready["people"][0]["email"].as_str().unwrap();
    let mut show = command(&["user", "show", email, "--json", "--data-dir"]);
    show.arg(&dir);
    let (code, out, _) = run(show, "").await;
    assert_eq!(code, 0);
    let shown = serde_json::from_str::<Value>(&out).unwrap();
    assert_eq!((&shown["email"], &shown["status"]), (&email.into(), &"active".into()));
    second.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_stays_local_and_in_folder() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let refused = async |args: &[&str], why: &str| {
        let mut command = command(&["dev", "--data-dir"]);
        command.arg(&dir).args(args);
        let (code, _, error) = run(command, "").await;
        assert_eq!(code, 1, "{error}");
        assert!(error.contains(why), "{why}: {error}");
    };
    refused(&["--listen", "0.0.0.0:0"], "serves this machine alone").await;
    refused(&["--listen", "127.0.0.1:0", "--portal-listen", "[::]:0"], "serves this machine alone")
        .await;
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("precious"), "x").unwrap();
    let free = [
        "--listen",
        "127.0.0.1:0",
        "--ops-listen",
        "127.0.0.1:0",
        "--portal-listen",
        "127.0.0.1:0",
    ];
    refused(&free, "has files that are not of `idp dev`").await;
    let mut other = command(&["user", "show", "a@b.nz", "--data-dir"]);
    other.arg(&dir);
    let (code, _, error) = run(other, "").await;
    assert!(code == 1 && error.contains("not a folder of `idp dev`"), "{error}");
}

/// A second process would give the demo client the addresses of its own portal. After a kill the folder is free at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_refuses_second_process_on_folder() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let (mut first, ready) = dev(&dir, &[]).await;
    for ports in [&["--port", "0", "--ops-listen", "0", "--portal-listen", "0"][..], &[]] {
        let mut second = command(&["dev", "--data-dir"]);
        second.arg(&dir).args(ports);
        let (code, _, error) = run(second, "").await;
        assert!(code == 1 && error.contains("another `idp dev` runs on"), "{error}");
    }
    first.terminate().await;
    let (mut third, again) = dev(&dir, &[]).await;
    assert_eq!(again["people"], ready["people"]);
    third.terminate().await;
}

/// Developers sign in again and again; a limit that was changed in the folder stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_has_generous_limits_until_changed() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let setting = async |args: &[&str]| {
        let mut setting = command(&["setting"]);
        setting.args(args).arg("--data-dir").arg(&dir);
        let (code, out, error) = run(setting, "").await;
        assert_eq!(code, 0, "{error}");
        out
    };
    let name = "sign_in.sends_per_hour";
    let (mut first, _) = dev(&dir, &[]).await;
    assert!(setting(&["get", name]).await.starts_with(&format!("{name} = 10000 ")));
    setting(&["undo", name]).await;
    first.terminate().await;
    let (mut second, _) = dev(&dir, &[]).await;
    assert!(setting(&["get", name]).await.starts_with(&format!("{name} = 6 ")));
    second.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_names_missing_configuration_keys() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("idp.toml");
    std::fs::write(&file, "[smtp]\nhots = \"x\"\n").unwrap();
    let mut serve = command(&["serve", "--config"]);
    serve.arg(&file);
    let (code, out, error) = run(serve, "").await;
    assert_eq!((code, out.as_str()), (1, ""));
    for key in [
        "issuer",
        "brand.home",
        "database.url",
        "smtp.host",
        "smtp.hots",
        "smtp.from_address",
        "keys.root_file",
    ] {
        assert!(error.contains(&format!("idp: {key}: ")), "{key}: {error}");
    }
    let (code, _, error) = run(command(&["serve"]), "").await;
    assert!(code == 1 && error.contains("no --config FILE was given"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_refuses_dev_folder() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("data");
    let (mut dev, _) = dev(&dir, &[]).await;
    dev.terminate().await;
    let mail = MailServer::start().await;
    let (data, link) = (dir.join("vestibule.db"), folder.path().join("link.db"));
    std::os::unix::fs::symlink(&data, &link).unwrap();
    for database in [data, link] {
        let config = vestibule_tests::serve_process::config_toml(
            "http://localhost:8080",
            &format!("sqlite:{}", database.display()),
            None,
            &mail,
            &dir.join("root.key"),
        );
        let file = folder.path().join("idp.toml");
        std::fs::write(&file, config).unwrap();
        let mut serve = command(&["serve", "--config"]);
        serve.arg(&file);
        let (code, _, error) = run(serve, "").await;
        assert!(code == 1 && error.contains("is a folder of `idp dev`"), "{error}");
    }
}

#[apply(both_engines)]
async fn migrate_add_and_serve_work(engine: Engine) {
    let db = TestDb::empty(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let (code, _, error) = run(served.command(&["serve"]), "").await;
    assert!(code == 1 && error.contains("run `idp migrate`"), "{error}");
    let (code, out, _) = run(served.command(&["migrate"]), "").await;
    assert_eq!((code, out.as_str()), (0, "The database now has the schema of this build.\n"));
    let add =
        &["user", "add", "mere@patients.example", "--name", "Mere", "--password-stdin", "--json"];
    let (code, out, error) = run(served.change_command(add), "short\n").await;
    assert!(code == 1 && out.is_empty() && error.contains("at least 15 characters"), "{error}");
    let (code, out, _) = run(served.change_command(add), "a walk along the river\n").await;
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["email"], "mere@patients.example");
    let (code, _, error) = run(served.change_command(add), "a walk along the river\n").await;
    assert!(code == 1 && error.contains("already"), "{error}");
    let client = &[
        "client",
        "add",
        "portal",
        "--profile",
        "web",
        "--redirect-uri",
        "https://portal.example/callback",
        "--first-party",
        "--json",
    ];
    let (code, out, error) = run(served.change_command(client), "").await;
    assert_eq!(code, 0, "{error}");
    let client: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(client["client_secret"].as_str().unwrap().len(), 43);
    let bad = &[
        "client",
        "add",
        "other",
        "--profile",
        "web",
        "--redirect-uri",
        "http://portal.example/x",
    ];
    let (code, _, error) = run(served.change_command(bad), "").await;
    assert!(code == 1 && error.contains("http is only for loopback"), "{error}");
    let (_, out, _) = run(served.command(&["client", "list", "--json"]), "").await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()[0]["client_id"], "portal");
    let (_, out, _) = run(served.command(&["client", "show", "portal", "--json"]), "").await;
    assert!(!out.contains(client["client_secret"].as_str().unwrap()), "shown once");
    let mut serve = served.serve().await;
    assert_eq!(
        reqwest::get(format!("{}/oauth2/jwks", served.issuer())).await.unwrap().status(),
        200
    );
    let (_, out, _) = run(served.command(&["key", "list", "--json"]), "").await;
    let algorithms: Vec<_> = serde_json::from_str::<Value>(&out)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["alg"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(algorithms, ["ES256", "EdDSA", "RS256"], "{out}");
    assert!(serve.terminate().await.success());
}

#[apply(both_engines)]
async fn setting_commands_set_and_undo(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let json = async |args: &[&str]| {
        let (code, out, error) = run(served.command(args), "").await;
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    assert_eq!(json(&["setting", "get", "sign_in.code_window", "--json"]).await[0]["value"], "15m");
    let set =
        json(&["setting", "set", "sign_in.code_window", "20m", "--reason", "slow mail", "--json"])
            .await;
    assert_eq!(
        (&set["before"], &set["value"], &set["version"]),
        (&"15m".into(), &"20m".into(), &1.into())
    );
    assert!(set["actor"].as_str().unwrap().starts_with("cli:"));
    let undone =
        json(&["setting", "undo", "sign_in.code_window", "--reason", "fast", "--json"]).await;
    assert_eq!((&undone["value"], &undone["undoes"]), (&"15m".into(), &1.into()));
    assert_eq!(
        json(&["setting", "history", "sign_in.code_window", "--json"])
            .await
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_settings_history(&served).await;
    for (args, why) in [
        (&["setting", "set", "sign_in.code_window", "soon"][..], "is not a duration"),
        (
            &["setting", "set", "session.absolute", "15m"],
            "session.idle = 30m would be more than session.absolute = 15m; change session.idle first",
        ),
        (&["setting", "set", "sign_in.sends_per_hour", "16"], "change sign_in.sends_per_day first"),
        (&["setting", "set", "sign_in.code_window", "9h"], "is outside 2m to 60m"),
        (&["setting", "set", "sign_in.window", "9m"], "there is no setting called"),
        (&["setting", "undo", "session.idle"], "has never been changed"),
        (&["setting", "undo", "sign_in.code_window"], "each change was undone"),
    ] {
        let (code, _, error) = run(served.change_command(args), "").await;
        assert!(code == 1 && error.contains(why), "{why}: {error}");
    }
}

/// Two changes are undone one after the other, an equal value is no change, and all settings have one history.
async fn assert_settings_history(served: &ServeSetup) {
    let text = async |args: &[&str]| {
        let (code, out, error) = run(served.change_command(args), "").await;
        assert_eq!(code, 0, "{error}");
        out
    };
    let value = async || {
        let (_, out, _) =
            run(served.command(&["setting", "get", "password.min_length", "--json"]), "").await;
        serde_json::from_str::<Value>(&out).unwrap()[0]["value"].clone()
    };
    for changed in ["16", "20"] {
        text(&["setting", "set", "password.min_length", changed]).await;
        let again = text(&["setting", "set", "password.min_length", changed]).await;
        assert!(again.contains("already; nothing was changed"), "{again}");
    }
    for before in ["16", "15"] {
        text(&["setting", "undo", "password.min_length"]).await;
        assert_eq!(value().await, before);
    }
    let same = text(&["setting", "set", "sign_in.code_wait", "60m"]).await;
    assert!(same.contains("nothing was changed"), "60m is 1h: {same}");
    let (_, all, _) = run(served.command(&["setting", "history"]), "").await;
    let names = all.lines().map(|line| line.split_whitespace().nth(1).unwrap());
    let newest_first = [["password.min_length"; 4].as_slice(), &["sign_in.code_window"; 2]];
    assert_eq!(names.collect::<Vec<_>>(), newest_first.concat());
}

#[tokio::test]
async fn usage_errors_and_help_are_printed() {
    let (code, _, error) = run(command(&["user", "add", "a@b.nz"]), "").await;
    assert!(code == 2 && error.contains("--password-stdin"), "{error}");
    let (code, _, _) = run(command(&["dance"]), "").await;
    assert_eq!(code, 2);
    let (code, _, error) = run(command(&["dev", "--listen", "localhost"]), "").await;
    assert!(code == 2 && error.contains("write it as `8080` or `127.0.0.1:8080`"), "{error}");
    for args in
        [&["--help"][..], &["dev", "--help"], &["client", "add", "--help"], &["setting", "--help"]]
    {
        let (code, out, _) = run(command(args), "").await;
        assert!(code == 0 && out.contains("Usage"), "{args:?}");
    }
    let _ = Engine::ALL;
}
