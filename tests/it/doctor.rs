//! `idp doctor`, and a start that fails.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::Value;
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
pub(crate) async fn run_with_env(
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
    // The server has no apps yet: a phone would read another list than the configured one.
    let apps = [("IDP__PASSKEYS__APPLE_APPS", "ABCDE12345.org.example.portal")];
    let (_, found) = findings(&served, "doctor", &apps).await;
    assert_failed(&found, "passkeys.apple_apps", "some apps get no passkeys here; publish");
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
