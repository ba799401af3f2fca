//! The server as a process on core 0, and what it costs.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use vestibule_tests::{
    db::{Engine, TestDb},
    proc::{ChildProcess, idp_command},
    serve_process::ServeSetup,
};

/// A running server.
pub(crate) struct Server {
    /// Its issuer.
    pub(crate) issuer: String,
    /// Its configuration; none for `dev`.
    pub(crate) served: Option<ServeSetup>,
    /// The line that `dev` printed when it was ready.
    pub(crate) ready: Value,
    process: ChildProcess,
    _folder: Option<TempDir>,
}

fn on_core_0(command: Command) -> Command {
    let std = command.into_std();
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]).arg(std.get_program()).args(std.get_args());
    pinned
}

impl Server {
    /// Starts `serve` on an engine.
    pub(crate) async fn serve(engine: Engine, db: &TestDb) -> Self {
        let served = ServeSetup::prepare(engine, db).await;
        let process = served.serve_with(on_core_0).await;
        Self {
            issuer: served.issuer(),
            served: Some(served),
            ready: Value::Null,
            process,
            _folder: None,
        }
    }

    /// Starts `dev`, whose SQLite does not wait for the disk.
    pub(crate) async fn dev() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut command = idp_command();
        command.args(["dev", "--json", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        command
            .args(["--portal-listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"));
        let mut process = ChildProcess::spawn(on_core_0(command));
        let ready = process.json().await;
        let issuer = ready["issuer"].as_str().expect("an issuer").to_owned();
        Self { issuer, served: None, ready, process, _folder: Some(folder) }
    }

    /// Time from the start of the process to its first answer.
    pub(crate) async fn cold_start(engine: Engine, db: &TestDb) -> Duration {
        let served = ServeSetup::prepare(engine, db).await;
        let begun = Instant::now();
        let mut process = ChildProcess::spawn(on_core_0(served.command(&["serve"])));
        let address = served.issuer().replace("http://localhost", "127.0.0.1");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        loop {
            if std::net::TcpStream::connect(&address).is_ok() {
                let url = format!("{}/oauth2/jwks", served.issuer());
                if client.get(url).send().await.is_ok() {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let taken = begun.elapsed();
        process.kill().await;
        taken
    }

    /// Waits for a log line that contains a text, and prints it.
    pub(crate) async fn print_log_line(&self, text: &str) {
        for _ in 0..200 {
            let output = self.process.output();
            if let Some(line) = output.lines().find(|line| line.contains(text)) {
                return println!("  its log: {line}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("! its log does not contain: {text}");
    }

    /// Stops the process and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        self.process.terminate().await;
    }

    /// CPU time of the process so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu(&format!("/proc/{}", self.process.pid()))
    }

    /// CPU time of its hashing threads so far, which do nothing but Argon2.
    pub(crate) fn hashing_cpu(&self) -> Duration {
        self.hashing_threads().iter().map(|thread| cpu(&thread.display().to_string())).sum()
    }

    fn hashing_threads(&self) -> Vec<PathBuf> {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", self.process.pid())).expect("it runs");
        let is_hashing = |task: &PathBuf| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("hashing"))
        };
        tasks.flatten().map(|task| task.path()).filter(is_hashing).collect()
    }

    /// Memory of the hashing threads' buffers, 19 MiB each.
    pub(crate) fn hashing_mib(&self) -> f64 {
        self.hashing_threads().iter().map(|_| 19.0).sum()
    }

    /// Resident memory.
    pub(crate) fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a figure");
        let kib: f64 =
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        kib / 1024.0
    }
}

/// CPU time of this program so far.
pub(crate) fn own_cpu() -> Duration {
    cpu("/proc/self")
}

/// CPU time of a process or thread, given its folder in `/proc`.
fn cpu(process: &str) -> Duration {
    let stat = std::fs::read_to_string(PathBuf::from(process).join("stat")).expect("it runs");
    let (_, after_name) = stat.rsplit_once(") ").expect("a name");
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |nth: usize| fields[nth].parse::<u64>().expect("a number");
    // utime and stime are fields 14 and 15; the name was field 2. A tick is 10 ms on Linux.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
