//! `idp check-config`: what it refuses, `serve` refuses too.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use store::DbConfig;
use vestibule_tests::{
    db::{Engine, TestDb},
    serve_process::ServeSetup,
    tls::{CertificateAuthority, write_private_file},
};

use crate::doctor::{assert_failed, findings, run_with_env};

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
    let (_, found) =
        findings(&served, "check-config", &[("IDP__ISSUER", "https://192.0.2.7")]).await;
    assert!(found["issuer"].1.contains("no browser makes a passkey"), "{found:?}");
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
