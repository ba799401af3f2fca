//! Memory: it does not grow with the SQLite file, and what many requests have used is given back.

use std::{fs, net::SocketAddr, path::Path};

use store::{Db, DbConfig, Sql};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use vestibule_tests::{
    db::{Engine, TestDb},
    serve_process::ServeSetup,
    wait::until,
};

/// 100 MB, more than would be kept of it.
const FILL: &str = "INSERT INTO bulk (content)
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
    SELECT zeroblob(10000) FROM numbers";

/// The memory that this process has mapped from a file and read, in KiB.
fn mapped_kib(file: &Path) -> u64 {
    let maps = fs::read_to_string("/proc/self/smaps").expect("Linux");
    let (name, mut inside, mut kib) = (file.to_str().expect("a plain path"), false, 0);
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("Rss:") if inside => kib += words.next().map_or(0, |n| n.parse().expect("KiB")),
            Some(range) if !range.ends_with(':') => inside = line.ends_with(name),
            _ => {}
        }
    }
    kib
}

/// A map counts once for each of the five connections.
#[tokio::test]
async fn large_sqlite_file_is_not_mapped() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("large.db");
    let db = Db::open(&DbConfig::Sqlite { file: file.clone(), full_sync: false }).await.unwrap();
    let mut writer = db.write_autocommit().await.unwrap();
    writer.q("CREATE TABLE bulk (content BYTEA NOT NULL)").execute().await.unwrap();
    assert_eq!(writer.q(FILL).execute().await.unwrap(), 10_000);
    let mut connections = vec![writer];
    while connections.len() < 5 {
        connections.push(db.read().await.unwrap());
    }
    for connection in &mut connections {
        let scan = "SELECT COUNT(*) FROM bulk WHERE instr(content, x'01') > 0";
        assert_eq!(connection.q(scan).fetch_one::<(i64,)>().await.unwrap(), (0,));
        let kept = connection.q("PRAGMA cache_size").fetch_one::<(i64,)>().await.unwrap();
        assert_eq!(kept, (-4096,), "KiB of pages");
    }
    assert!(fs::metadata(&file).unwrap().len() > 90_000_000);
    assert!(mapped_kib(&file) < 1024, "{} KiB", mapped_kib(&file));
}

/// Resident memory of a process, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a figure");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB")
}

/// Opens connections from one address and posts a form on each of them, all but its last byte.
async fn begin_posts(to: SocketAddr, host: &str, from: &str, many: usize) -> Vec<TcpStream> {
    let form = format!("email={}", "x".repeat(15_000));
    let head = format!(
        "POST /login/password HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncookie: a=b\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        form.len() + 1
    );
    let mut open = Vec::new();
    while open.len() < many {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from.parse().expect("an address"), 0)).expect("an address");
        let mut stream = socket.connect(to).await.expect("it listens");
        stream.write_all(format!("{head}{form}").as_bytes()).await.expect("it reads");
        open.push(stream);
    }
    open
}

/// What the requests of a crowd have used is given back to the system when they are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_returns_after_many_requests() {
    let db = TestDb::create(Engine::Sqlite).await;
    let served = ServeSetup::prepare(Engine::Sqlite, &db).await;
    let mut process = served.serve().await;
    let host = format!("localhost:{}", served.port());
    let before = resident_kib(process.pid());
    let mut most = before;
    for _ in 0..3 {
        let mut open = Vec::new();
        for last in 2..10 {
            let from = format!("127.0.0.{last}");
            open.extend(begin_posts(served.address(), &host, &from, 200).await);
        }
        most = most.max(resident_kib(process.pid()));
        for mut stream in open {
            // The server may have refused it and closed.
            let _ = stream.write_all(b"x").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    }
    println!("before {before} KiB, at most {most} KiB");
    assert!(most > before + 24 * 1024, "the crowd used memory");
    let kept = (most - before) / 3 + 8 * 1024;
    until("the memory to be given back", async || {
        let now = resident_kib(process.pid());
        if now < before + kept { Ok(()) } else { Err(now) }
    })
    .await;
    process.terminate().await;
}
