//! What an operator checks before a provider is used: `check-config`, `doctor`, and a start that fails.

use std::{collections::BTreeMap, fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;
use store::DbConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::Command,
};
use vestibule_tests::{
    db::{Engine, TestDb},
    mail_server::MailFault,
    proc::{ChildProcess, run_with_status},
    serve_process::ServeSetup,
    shared_servers::free_port,
    tls::{CertificateAuthority, write_private_file},
    wait,
};

use crate::engines::{apply, both_engines};

/// Runs a command on the data of `served` with some variables; returns its exit code and its output.
async fn run_with_env(
    served: &ServeSetup,
    args: &[&str],
    env: &[(&str, &str)],
) -> (i32, String, String) {
    let mut command = served.command(args);
    command.envs(env.iter().copied());
    run_with_status(command, "").await
}

/// Verdict and text of each finding by name; the worst, where a name has several.
pub(crate) async fn findings(
    served: &ServeSetup,
    command: &str,
    env: &[(&str, &str)],
) -> (i32, BTreeMap<String, (String, String)>) {
    let (code, out, error) = run_with_env(served, &[command, "--json"], env).await;
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
    assert_eq!(report["ok"], code == 0);
    let mut found = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let text = |member: &str| finding[member].as_str().unwrap().to_owned();
        let failed =
            found.get(&text("name")).is_some_and(|(v, _): &(String, String)| v == "failed");
        if !failed {
            found.insert(text("name"), (text("verdict"), text("text")));
        }
    }
    (code, found)
}

pub(crate) fn assert_failed(found: &BTreeMap<String, (String, String)>, name: &str, why: &str) {
    let (verdict, text) = found.get(name).unwrap_or_else(|| panic!("{name}: {found:?}"));
    assert!(verdict == "failed" && text.contains(why), "{name}: {verdict} {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_config_and_serve_refuse_alike() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let (code, out, error) = run_with_env(&served, &["check-config"], &[]).await;
    assert_eq!(code, 0, "{error}");
    assert!(out.starts_with("warning  brand.support: is not set"), "{out}");
    assert!(out.ends_with("The configuration is valid.\n"), "{out}");
    let folder = tempfile::TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_private_file(Path::new(&at("short.key")), b"short");
    write_private_file(Path::new(&at("open.key")), &[8; 32]);
    fs::set_permissions(at("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let authority = CertificateAuthority::new();
    let good = authority.write(&authority.issue(&["localhost"]));
    let (cert, key) = (good.cert.display().to_string(), good.key.display().to_string());
    let elsewhere = at("none.pem");
    let short = format!("a={}", at("short.key"));
    let open = format!("a={}", at("open.key"));
    let away = format!("a={}", at("none.key"));
    let https = ("IDP__ISSUER", "https://localhost:8443");
    let cases: [(&[(&str, &str)], &str); 11] = [
        (&[("IDP__BRAND__LOGO", &elsewhere)], "brand.logo: "),
        (&[("IDP__BRAND__LOGO", &at("short.key"))], "is neither a PNG nor an SVG"),
        (&[("IDP__BRAND__COLOUR", "#ffcc00")], "brand.colour: `#ffcc00` is too pale"),
        (&[("IDP__KEYS__ROOT_FILE", &away)], "keys.root_file: "),
        (&[("IDP__KEYS__ROOT_FILE", &short)], "keys.root_file: "),
        (&[("IDP__KEYS__ROOT_FILE", &open)], "can be read by every account of this machine"),
        (&[("IDP__REPLICAS", "2")], "database.url: is a file, which one replica alone can serve"),
        (
            &[("IDP__REPLICAS", "2")],
            "ephemeral.url: is `memory`, in which each replica would count",
        ),
        (&[https, ("IDP__TLS__CERT", &elsewhere), ("IDP__TLS__KEY", &key)], "tls.cert: "),
        (
            &[https, ("IDP__TLS__CERT", &cert), ("IDP__TLS__KEY", &cert)],
            "tls.key: holds no private key",
        ),
        (
            &[("IDP__TLS__CERT", &cert), ("IDP__TLS__KEY", &key)],
            "issuer: must be https while tls.cert is set",
        ),
    ];
    for (env, why) in cases {
        for command in ["check-config", "serve"] {
            let (code, out, error) = run_with_env(&served, &[command], env).await;
            assert!(code == 1 && (out + &error).contains(why), "{command}: {why}: {error}");
        }
    }
    // A configuration that can be served but is probably a mistake gives a warning, not a failure.
    let env =
        [("IDP__ISSUER", "https://login.example.org"), ("IDP__LIMITS__CONNECTIONS", "1000000")];
    let (code, found) = findings(&served, "check-config", &env).await;
    assert_eq!((code, found["proxies.trusted"].0.as_str()), (0, "warning"));
    assert!(found["limits.connections"].1.contains("ulimit -n"), "{found:?}");
    let env = [
        ("IDP__ISSUER", "https://login.example.org"),
        ("IDP__TLS__CERT", &cert),
        ("IDP__TLS__KEY", &key),
    ];
    let (code, found) = findings(&served, "check-config", &env).await;
    assert_eq!(code, 0);
    assert!(found["tls.cert"].1.contains("does not name login.example.org"), "{found:?}");
    // A configuration that cannot be parsed is reported in the same form.
    let (code, found) = findings(&served, "check-config", &[("IDP__SMTP__PORT", "many")]).await;
    assert_eq!(code, 1);
    assert_failed(&found, "smtp.port", "is not a number");
}

/// A value that cannot be read hides no problem of a file, and none of two keys that contradict each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn problems_of_values_and_files_come_together() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let env = [
        ("IDP__REPLICAS", "2"),
        ("IDP__BRAND__HOME", "www.example.org"),
        ("IDP__BRAND__LOGO", "/none/logo.png"),
        ("IDP__DATABASE__MAX_CONNECTIONS", "many"),
        ("IDP__KEYS__ROOT_FILE", "a=/none/root.key"),
        ("IDP__SMTP__FROM_ADDRESS", "codes"),
        ("IDP__SMTP__HOST", "mail.example.org"),
        ("IDP__SMTP__PASSWORD_FILE", "/none/password"),
        ("IDP__SMTP__TLS", "none"),
    ];
    let (code, found) = findings(&served, "check-config", &env).await;
    assert_eq!(code, 1);
    let (_, _, error) = run_with_env(&served, &["serve"], &env).await;
    for (name, why) in [
        ("brand.home", "is not an address"),
        ("brand.logo", "/none/logo.png"),
        ("database.max_connections", "is not a number"),
        ("database.url", "is a file, which one replica alone can serve"),
        ("ephemeral.url", "is `memory`"),
        ("keys.root_file", "/none/root.key"),
        ("smtp.from_address", "is not an e-mail address"),
        ("smtp.password_file", "/none/password"),
        ("smtp.tls", "in the clear"),
    ] {
        assert_failed(&found, name, why);
        let line = error.lines().find(|line| line.starts_with(&format!("idp: {name}: ")));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {error}");
    }
}

/// A service manager may make the folder later, so that it is a warning; a command that needs the database names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_sqlite_folder_is_named() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let away = [("IDP__DATABASE__URL", "sqlite:/none/of/it/vestibule.db")];
    let (code, found) = findings(&served, "check-config", &away).await;
    let (verdict, text) = &found["database.url"];
    assert!(code == 0 && verdict == "warning" && text.contains("/none/of/it does not exist"));
    let (code, _, error) = run_with_env(&served, &["migrate"], &away).await;
    assert!(code == 1 && error.contains("the folder /none/of/it does not exist"), "{error}");
    let folder = [("IDP__DATABASE__URL", "sqlite:/proc")];
    let (code, _, error) = run_with_env(&served, &["migrate"], &folder).await;
    assert!(code == 1 && error.contains("database.url: /proc cannot be opened"), "{error}");
}

#[apply(both_engines)]
async fn doctor_reports_problems_with_remedies(engine: Engine) {
    let empty = TestDb::empty(engine).await;
    let served = ServeSetup::prepare(engine, &empty).await;
    let (code, found) = findings(&served, "doctor", &[]).await;
    assert_eq!(code, 1);
    match engine {
        Engine::Sqlite => assert_failed(&found, "database", "`idp migrate` creates it"),
        Engine::Postgres => assert_failed(&found, "schema", "run `idp migrate`"),
    }
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let (code, found) = findings(&served, "doctor", &[]).await;
    assert_eq!(code, 1);
    assert_failed(&found, "issuer", "is `serve` running");
    let mut serve = served.serve().await;
    let (code, out, error) = run_with_env(&served, &["doctor"], &[]).await;
    println!("{engine:?}:\n{out}");
    assert_eq!(code, 0, "{out}{error}");
    let (_, found) = findings(&served, "doctor", &[]).await;
    for name in ["database", "clock", "schema", "keys.root_file", "ephemeral.url", "smtp", "issuer"]
    {
        assert_eq!(found[name].0, "ok", "{name}: {}", found[name].1);
    }
    assert_eq!(found["brand.support"].0, "warning", "the configuration, otherwise sound");
    assert_eq!(found["smtp.from_address"].0, "warning", "codes@login.example.org for localhost");
    assert!(served.mail.all().is_empty(), "no mail is sent");
    // One fault after another; the other findings are still reported.
    served.mail.inject_fault(MailFault::RefuseSender(550), 1);
    let (code, found) = findings(&served, "doctor", &[]).await;
    assert_eq!((code, found["issuer"].0.as_str()), (1, "ok"));
    assert_failed(&found, "smtp", "550");
    let folder = tempfile::TempDir::new().unwrap();
    let other = folder.path().join("other.key");
    write_private_file(&other, &[9; 32]);
    let root = format!("test={}", other.display());
    let (_, found) = findings(&served, "doctor", &[("IDP__KEYS__ROOT_FILE", &root)]).await;
    assert_failed(&found, "keys.root_file", "does not open the signing keys of this database");
    let closed = format!("127.0.0.1:{}", vestibule_tests::shared_servers::closed_port());
    let (redis, mail) = (format!("redis://{closed}"), closed.rsplit(':').next().unwrap());
    let env = [("IDP__EPHEMERAL__URL", redis.as_str()), ("IDP__SMTP__PORT", mail)];
    let (_, found) = findings(&served, "doctor", &env).await;
    assert_failed(
        &found,
        "ephemeral.url",
        "is ephemeral.url right (with its password), does Redis run",
    );
    assert_failed(&found, "smtp", "look at smtp.host");
    assert!(serve.terminate().await.success());
}

/// A database file has names, addresses and sessions: it is made private, and one that others can read is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_files_are_private() {
    let db = TestDb::empty(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let (code, _, error) = run_with_env(&served, &["migrate"], &[]).await;
    assert_eq!(code, 0, "{error}");
    let DbConfig::Sqlite { file, .. } = served.database() else { panic!("a file") };
    let mut serve = served.serve().await;
    for suffix in ["", "-wal", "-shm"] {
        let mode =
            fs::metadata(format!("{}{suffix}", file.display())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
    assert!(serve.terminate().await.success());
    for (mode, code, verdict) in [(0o600, 0, "ok"), (0o660, 0, "warning"), (0o604, 1, "failed")] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let (ended, found) = findings(&served, "check-config", &[]).await;
        let found = found.get("database.url").map_or("ok", |(verdict, _)| verdict);
        assert_eq!((ended, found), (code, verdict), "{mode:o}");
    }
    let (code, _, error) = run_with_env(&served, &["serve"], &[]).await;
    assert!(code == 1 && error.contains("chmod o= "), "{error}");
}

/// A key with two ids, and a secret in a file that others can read, keep `serve` from starting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secret_that_others_read_is_refused() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let folder = tempfile::TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write_private_file(Path::new(&at("twin.key")), &[9; 32]);
    let twins = format!("b={key},a={key}", key = at("twin.key"));
    let (code, found) =
        findings(&served, "check-config", &[("IDP__KEYS__ROOT_FILE", &twins)]).await;
    assert_eq!(code, 1);
    assert_failed(&found, "keys.root_file", "the root keys b and a are the same key");
    let secret = at("secret");
    write_private_file(Path::new(&secret), b"memory");
    for (mode, verdict) in [(0o600, "ok"), (0o660, "warning"), (0o604, "failed")] {
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        let env = [
            ("IDP__SMTP__USERNAME", "x"),
            ("IDP__SMTP__PASSWORD_FILE", &secret),
            ("IDP__EPHEMERAL__URL_FILE", &secret),
        ];
        let (_, found) = findings(&served, "check-config", &env).await;
        for key in ["smtp.password_file", "ephemeral.url_file"] {
            let found = found.get(key).map_or("ok", |(verdict, _)| verdict);
            assert_eq!(found, verdict, "{key} {mode:o}");
        }
    }
    let env = [("IDP__DATABASE__URL_FILE", secret.as_str())];
    let (code, _, error) = run_with_env(&served, &["serve"], &env).await;
    let why = format!("database.url_file: {secret} can be read by every account");
    assert!(code == 1 && error.contains(&why), "{error}");
}

/// The configuration file is as private as its secrets, and may be public without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configuration_with_secret_is_private() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let check = async |mode: u32| {
        fs::set_permissions(served.config_file(), fs::Permissions::from_mode(mode)).unwrap();
        let (_, found) = findings(&served, "check-config", &[]).await;
        let of = |key: &str| found.get(key).map_or("ok", |(verdict, _)| verdict).to_owned();
        (of("smtp.password"), of("database.url"))
    };
    let verdicts = |password: &str| (password.to_owned(), "ok".to_owned());
    assert_eq!(check(0o644).await, verdicts("ok"));
    let text = fs::read_to_string(served.config_file()).unwrap();
    let secret = "[smtp]\nusername = \"idp\"\npassword = \"a secret\"\n";
    fs::write(served.config_file(), text.replace("[smtp]\n", secret)).unwrap();
    for (mode, verdict) in [(0o600, "ok"), (0o640, "warning"), (0o644, "failed")] {
        assert_eq!(check(mode).await, verdicts(verdict), "{mode:o}");
    }
}

/// A proxy that names clients in a way that cannot be read is found, although every document is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_finds_unreadable_client_address() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let trusted = ("IDP__PROXIES__TRUSTED", "127.0.0.1");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = served.command(&["serve"]);
    command.env("IDP__LISTEN__PUBLIC", address.to_string()).env(trusted.0, trusted.1);
    let mut serve = ChildProcess::spawn(command);
    serve.wait_until_answering(&served.browser_at(address)).await;
    for (forwarded, verdict) in [("203.0.113.7:51234", "ok"), ("", "ok"), ("unknown", "failed")] {
        let bind = async || TcpListener::bind(served.address()).await;
        let listener = wait::until("the issuer's port is free", bind).await;
        let proxy = tokio::spawn(forward_with_header(listener, address, forwarded));
        let (_, found) = findings(&served, "doctor", &[trusted]).await;
        assert_eq!(found["issuer"].0, "ok", "{forwarded}: documents need no address");
        assert_eq!(found["proxies.trusted"].0, verdict, "{forwarded}: {found:?}");
        proxy.abort();
        assert!(proxy.await.is_err_and(|error| error.is_cancelled()));
    }
    let (_, found) = findings(&served, "doctor", &[]).await;
    assert!(!found.contains_key("proxies.trusted"), "without proxies there is nothing to find");
    assert!(serve.terminate().await.success());
}

/// A proxy that writes `X-Forwarded-For` into the request of each connection.
async fn forward_with_header(listener: TcpListener, to: SocketAddr, forwarded: &'static str) {
    loop {
        let (mut client, _) = listener.accept().await.expect("a connection");
        let mut server = TcpStream::connect(to).await.expect("the provider listens");
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(client.read_u8().await.expect("a request line"));
        }
        line.extend(format!("x-forwarded-for: {forwarded}\r\n").bytes());
        server.write_all(&line).await.expect("written");
        // The end of a connection is not an error of the test.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// Counters in memory are correct in one process only: a second process refuses to start beside it.
#[apply(both_engines)]
async fn memory_counters_allow_one_process(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let memory = |mut command: Command| {
        command.env("IDP__EPHEMERAL__URL", "memory");
        command
    };
    let mut first = served.serve_with(memory).await;
    let beside = || {
        let mut second = memory(served.command(&["serve"]));
        second.env("IDP__LISTEN__PUBLIC", "127.0.0.1:0");
        second
    };
    let begun = std::time::Instant::now();
    let (code, _, error) = run_with_status(beside(), "").await;
    println!("{engine:?}: refused beside a running one after {:?}", begun.elapsed());
    assert!(
        code == 1 && error.contains("ephemeral.url: another `idp serve` runs on this database"),
        "{error}"
    );
    // After a kill the lease lasts for a moment; after a clean stop it is released.
    first.kill().await;
    let begun = std::time::Instant::now();
    let mut second = served.serve_with(memory).await;
    println!("{engine:?}: serves {:?} after the other was killed", begun.elapsed());
    assert!(second.terminate().await.success());
    let leases = "SELECT COUNT(*) FROM leases WHERE name = 'memory-counters'";
    let sql = db.open().await;
    let (left,): (i64,) =
        store::Sql::q(&mut sql.read().await.unwrap(), leases).fetch_one().await.unwrap();
    assert_eq!(left, 0, "released at the stop");
    let mut third = served.serve_with(memory).await;
    assert!(third.terminate().await.success());
}

/// With Redis any number of replicas may run. `serve` uses its certificate, and `doctor` connects over it.
#[apply(both_engines)]
async fn serve_uses_configured_certificate(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let authority = CertificateAuthority::new();
    let files = authority.write(&authority.issue(&["localhost"]));
    let issuer = served.issuer().replace("http://", "https://");
    let over_tls = |mut command: Command| {
        command.env("IDP__TLS__CERT", &files.cert).env("IDP__TLS__KEY", &files.key);
        command.env("IDP__ISSUER", &issuer).env("SSL_CERT_FILE", authority.file());
        command
    };
    let mut serve = ChildProcess::spawn(over_tls(served.command(&["serve"])));
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
    let jwks = format!("{issuer}/oauth2/jwks");
    let answers = async || client.get(&jwks).send().await.map_err(|_| serve.output());
    let answer = wait::until("the program answers", answers).await;
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    // `doctor` gives up on a TLS handshake after 2 s.
    let in_time = async || {
        let (code, out, error) = run_with_status(over_tls(served.command(&["doctor"])), "").await;
        (!out.contains("operation timed out")).then_some((code, out, error))
    };
    let (code, out, error) = wait::retry_while_slow("a handshake within 2 s", in_time).await;
    assert!(code == 0 && out.contains("issuer: is reached from here"), "{out}{error}");
    assert!(serve.terminate().await.success());
}

/// Changes a database in ways that no command offers.
async fn run_statements(db: &TestDb, statements: &'static [&'static str]) {
    let open = db.open().await;
    let done = open.write(async |tx| {
        for statement in statements {
            store::Sql::q(tx, statement).execute().await?;
        }
        Ok::<_, store::Error>(())
    });
    done.await.unwrap();
    open.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_reports_unreachable_postgres() {
    let db = TestDb::create(Engine::Postgres).await;
    let served = ServeSetup::prepare(Engine::Postgres, &db).await;
    let port = vestibule_tests::shared_servers::closed_port();
    let away = format!("postgres://vestibule:canary-4711@127.0.0.1:{port}/vestibule");
    let stranger = db.url().replace("vestibule@", "nobody:canary-4711@");
    assert_ne!(stranger, db.url());
    let missing = format!("{}_missing", db.url());
    for (url, why) in [
        (&away, "refused"),
        (&stranger, "role \"nobody\" does not exist"),
        (
            &missing,
            "does not exist; create it, owned by the user of database.url (`createdb --owner",
        ),
    ] {
        let (code, found) = findings(&served, "doctor", &[("IDP__DATABASE__URL", url)]).await;
        assert_eq!(code, 1);
        assert_failed(&found, "database", why);
        assert_failed(&found, "database", "does it run, is database.url right (with its account");
        for left_out in ["clock", "schema", "keys.root_file"] {
            assert!(!found.contains_key(left_out), "{left_out}: {found:?}");
        }
        assert_eq!(found["ephemeral.url"].0, "ok", "the other checks still run: {found:?}");
        assert!(!format!("{found:?}").contains("canary"), "{found:?}");
        // Of the server's own source.
        assert!(!format!("{found:?}").contains("at line"), "{found:?}");
    }
}

/// A search path makes the connection see functions of another schema: with a wrong clock, or without a readable time and
/// schema version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_reports_clock_and_unreadable_schema() {
    let db = TestDb::create(Engine::Postgres).await;
    let served = ServeSetup::prepare(Engine::Postgres, &db).await;
    let statements = &[
        "CREATE SCHEMA ahead",
        "CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql
         AS 'SELECT pg_catalog.clock_timestamp() + interval ''60 seconds'''",
        "CREATE SCHEMA mute",
        "CREATE FUNCTION mute.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql
         AS 'BEGIN RAISE EXCEPTION ''no time''; END'",
        "CREATE FUNCTION mute.version() RETURNS bigint LANGUAGE plpgsql
         AS 'BEGIN RAISE EXCEPTION ''no memory'' USING ERRCODE = ''53200''; END'",
        "CREATE VIEW mute._sqlx_migrations AS SELECT mute.version() AS version, true AS success, ''::bytea AS checksum",
    ];
    run_statements(&db, statements).await;
    let ask_again = "look at the database's own log, and run `idp doctor` again";
    for (schema, wanted) in [
        (
            "ahead",
            [("clock", "differs from the database's by "), ("clock", "synchronise both (NTP)")],
        ),
        ("mute", [("clock", ask_again), ("schema", ask_again)]),
    ] {
        let url = format!("{}?options=-c%20search_path%3D{schema},pg_catalog,public", db.url());
        let (code, found) = findings(&served, "doctor", &[("IDP__DATABASE__URL", &url)]).await;
        assert_eq!((code, found["database"].0.as_str()), (1, "ok"), "{found:?}");
        for (name, why) in wanted {
            assert_failed(&found, name, why);
        }
    }
}

/// Starts a server that is not ours and gives one answer to every request; returns its address.
async fn another_server(answer: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { break };
                asked.push(byte);
            }
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_reports_foreign_server_at_issuer() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let lead_to_it = "is `serve` running, and do DNS, proxy and certificate lead to it?";
    for (answer, why, what_to_do) in [
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"issuer\":\"https://other.example\"}",
            "names the issuer `https://other.example`, so another server answers there",
            "correct `issuer`, or the targets of DNS and proxy",
        ),
        ("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n", "status 404", lead_to_it),
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>Hi",
            "cannot be read from here",
            lead_to_it,
        ),
    ] {
        let issuer = another_server(answer).await;
        let (code, found) = findings(&served, "doctor", &[("IDP__ISSUER", &issuer)]).await;
        assert_eq!((code, found["database"].0.as_str()), (1, "ok"));
        assert_failed(&found, "issuer", why);
        assert_failed(&found, "issuer", what_to_do);
    }
    // Another provider, which does not serve this issuer's host name.
    let mut serve = served.serve().await;
    let issuer = format!("http://127.0.0.1:{}", served.port());
    let (_, found) = findings(&served, "doctor", &[("IDP__ISSUER", &issuer)]).await;
    assert_failed(&found, "issuer", "status 421");
    assert!(serve.terminate().await.success());
}
