//! Servers of one test, which it may stop, freeze and kill. Dropping the value ends them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    proc::{EndSignal, start_server, temp_folder},
    shared_servers::{
        Account, POSTGRES_SETTINGS, POSTGRES_USER, free_port, postgres_programs, run,
    },
    wait,
};

/// How PostgreSQL is stopped.
#[derive(Clone, Copy, Debug)]
pub enum StopMode {
    /// Fast shutdown: sessions are ended, transactions rolled back, everything is written.
    Fast,
    /// Immediate shutdown, like a crash: recovery at the next start.
    Immediate,
}

/// A PostgreSQL server of one test.
#[derive(Debug)]
pub struct DedicatedPostgres {
    folder: PathBuf,
    port: u16,
    standby: bool,
    persistent: bool,
    /// Settings in addition to those of every server.
    settings: &'static [&'static str],
}

/// A Redis server of one test.
#[derive(Debug)]
pub struct DedicatedRedis {
    folder: PathBuf,
    port: u16,
    pid: Option<u32>,
}

impl DedicatedPostgres {
    /// Starts a new server.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a new server with further settings, such as `shared_preload_libraries=..`.
    pub fn start_with(settings: &'static [&'static str]) -> Self {
        let mut new = Self::new_stopped(temp_folder());
        new.settings = settings;
        new.init_cluster();
        new.start_server();
        new
    }

    fn new_stopped(folder: PathBuf) -> Self {
        Self { folder, port: free_port(), standby: false, persistent: false, settings: &[] }
    }

    /// Starts the server in `folder`, which is kept; the first call creates it.
    pub fn persistent(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let folder = folder.to_owned();
        let mut new = Self::new_stopped(folder);
        new.persistent = true;
        if !new.folder.join("data/PG_VERSION").exists() {
            new.init_cluster();
        }
        new.start_server();
        new
    }

    /// `postgres://` URL of one of its databases; the first call creates the database.
    pub fn database(&self, name: &str) -> String {
        let known = format!("SELECT COUNT(*) FROM pg_database WHERE datname = '{name}'");
        if self.run_sql("postgres", &known) == "0" {
            self.run_sql("postgres", &format!("CREATE DATABASE {name}"));
        }
        format!("postgres://{POSTGRES_USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// The output of `psql` for some statements, each in its own transaction.
    pub fn run_sql(&self, database: &str, text: &str) -> String {
        let port = self.port.to_string();
        let mut psql = self.command("psql");
        psql.args(["-h", "127.0.0.1", "-p", &port, "-U", POSTGRES_USER, "-d", database, "-qAtX"]);
        psql.args(["-v", "ON_ERROR_STOP=1"]);
        for statement in text.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            psql.args(["-c", statement]);
        }
        let output = psql.output().expect("psql starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts a streaming standby to which every commit is replicated before it is acknowledged. Otherwise a failover would
    /// lose the last commits, and a used code could be used again.
    #[must_use]
    pub fn standby(&self) -> Self {
        let mut other = Self::new_stopped(temp_folder());
        other.standby = true;
        if let Some(account) = Account::if_root(&other.folder) {
            account.give(&other.folder);
        }
        let port = self.port.to_string();
        let mut backup = other.command("pg_basebackup");
        backup.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            POSTGRES_USER,
            "-D",
            "data",
            "-R",
            "-X",
            "stream",
        ]);
        run(backup.args(["-c", "fast", "--no-sync"]));
        other.start_server();
        let alone = "ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()";
        self.run_sql("postgres", alone);
        other
    }

    /// Promotes a standby to primary.
    pub fn promote(&self) {
        run(self.command("pg_ctl").args(["promote", "-D", "data", "-w"]));
    }

    /// `postgres://` URL of its only database, on another port if there is a proxy.
    pub fn url(&self, port: Option<u16>) -> String {
        format!("postgres://{POSTGRES_USER}@127.0.0.1:{}/postgres", port.unwrap_or(self.port))
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server on the same port and data.
    pub fn start_server(&self) {
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-p", &self.port.to_string()]);
        for setting in POSTGRES_SETTINGS.iter().chain(self.settings) {
            command.args(["-c", setting]);
        }
        // A standby is promoted alone, so it must not wait for a standby of its own.
        command.args(["-c", "wal_level=replica"]);
        if self.standby {
            command.args(["-c", "synchronous_standby_names="]);
        }
        if self.persistent {
            // The sizes that a portal with so many people would configure.
            command.args(["-c", "shared_buffers=1GB", "-c", "max_wal_size=8GB"]);
        }
        let ready =
            if self.standby { "ready to accept read-only" } else { "ready to accept connections" };
        start_server(&mut command, EndSignal::Quit, ready).expect("PostgreSQL starts");
    }

    /// Stops the server and waits until it is gone.
    pub fn stop_server(&self, how: StopMode) {
        let signal = match how {
            StopMode::Fast => "INT",
            StopMode::Immediate => "QUIT",
        };
        let Some(pid) = self.pid() else { return };
        signal_all(signal, &[pid]);
        wait_until_gone(pid);
    }

    /// Freezes all its processes, as if the machine hung.
    pub fn freeze(&self) {
        signal_all("STOP", &self.processes());
    }

    /// Resumes them.
    pub fn thaw(&self) {
        signal_all("CONT", &self.processes());
    }

    /// Initialises the cluster in the folder.
    fn init_cluster(&self) {
        if let Some(account) = Account::if_root(&self.folder) {
            account.give(&self.folder);
        }
        let mut init = self.command("initdb");
        init.args(["-D", "data", "-U", POSTGRES_USER, "-A", "trust", "-E", "UTF8"]);
        run(init.args(["--locale=C", "--no-sync"]));
    }

    fn pid(&self) -> Option<u32> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    }

    fn processes(&self) -> Vec<u32> {
        let Some(pid) = self.pid() else { return Vec::new() };
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        std::iter::once(pid)
            .chain(children.split_whitespace().filter_map(|id| id.parse().ok()))
            .collect()
    }

    fn command(&self, name: &str) -> Command {
        let program = postgres_programs().join(name);
        let mut command = match Account::if_root(Path::new("/proc/self")) {
            Some(account) => account.command(&program),
            None => Command::new(program),
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for DedicatedPostgres {
    fn drop(&mut self) {
        self.thaw();
        if self.persistent {
            self.stop_server(StopMode::Fast);
            return;
        }
        self.stop_server(StopMode::Immediate);
        // Removed at the end of the test process at the latest.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl DedicatedRedis {
    /// Starts a new server.
    pub fn start() -> Self {
        let mut new = Self { folder: temp_folder(), port: free_port(), pid: None };
        new.start_server();
        new
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command, as an operator would.
    pub fn run_command(&self, words: &[&str]) {
        let port = self.port.to_string();
        let mut command = Command::new("redis-cli");
        let output = command.args(["-e", "-p", &port]).args(words).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{words:?}: {said}");
    }

    /// Starts it on the same port.
    pub fn start_server(&mut self) {
        let port = self.port.to_string();
        let file = self.folder.join("redis.pid");
        let mut command = Command::new("redis-server");
        command.current_dir(&self.folder).args(["--bind", "127.0.0.1", "--port", &port]);
        command.args(["--save", "", "--appendonly", "no", "--pidfile"]).arg(&file);
        start_server(&mut command, EndSignal::Kill, "Ready to accept connections")
            .expect("Redis starts");
        self.pid = Some(read_pid(&file));
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(pid) = self.pid.take() {
            signal_all("KILL", &[pid]);
            wait_until_gone(pid);
        }
    }

    /// Freezes it.
    pub fn freeze(&self) {
        signal_all("STOP", &Vec::from_iter(self.pid));
    }

    /// Resumes it.
    pub fn thaw(&self) {
        signal_all("CONT", &Vec::from_iter(self.pid));
    }
}

impl Drop for DedicatedRedis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn read_pid(file: &Path) -> u32 {
    let what = format!("a process id in {}", file.display());
    wait::until_blocking(&what, || {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.trim().parse().map_err(|_| text)
    })
}

fn signal_all(signal: &str, pids: &[u32]) {
    if pids.is_empty() {
        return;
    }
    let pids = pids.iter().map(ToString::to_string);
    // A process may be gone already.
    let _ = Command::new("kill").args(["-s", signal]).args(pids).output().expect("kill starts");
}

fn wait_until_gone(pid: u32) {
    wait::until_blocking(&format!("the end of process {pid}"), || {
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) if !stat.contains(") Z") => Err(stat),
            // Gone, or a zombie that no parent waits for.
            _ => Ok(()),
        }
    });
}
