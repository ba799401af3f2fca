//! A real PostgreSQL and a real Redis for this test process: started at first use on free loopback ports, in folders that
//! are removed with them when the process ends ([`crate::proc`]).

use std::{
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::net::TcpSocket;

use crate::proc::{EndSignal, start_server, temp_folder};

pub(crate) const POSTGRES_USER: &str = "vestibule";
const REDIS_DATABASES: u32 = 4096;

/// Settings of every server: durable as in production, but small.
pub(crate) const POSTGRES_SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=300",
    "shared_buffers=64MB",
    "autovacuum=off",
    "jit=off",
    "lc_messages=C",
];

/// Settings of the shared server, which no test stops: its data is not read after a crash, so commits need not wait for the
/// disk.
const NOT_DURABLE: [&str; 3] = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"];

/// The PostgreSQL of this test process.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    port: u16,
}

/// The PostgreSQL of this test process; the first call starts it (about two seconds).
pub fn postgres() -> &'static Postgres {
    static POSTGRES: OnceLock<Postgres> = OnceLock::new();
    POSTGRES.get_or_init(Postgres::start)
}

/// The address of a Redis database that no other test uses; the first call starts the server.
pub fn redis_url() -> String {
    static PORT: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let port = PORT.get_or_init(start_redis);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < REDIS_DATABASES, "more than {REDIS_DATABASES} Redis databases in one run");
    format!("redis://127.0.0.1:{port}/{number}")
}

impl Postgres {
    /// `postgres://` address of a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{POSTGRES_USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// A program of this version of PostgreSQL, such as `pg_dump`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Drops a database and ends its connections. Does not wait.
    pub(crate) fn drop_database(&self, database: &str) {
        let port = self.port.to_string();
        let dropping = Command::new(self.program("dropdb"))
            .args([
                "--force",
                "--if-exists",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                POSTGRES_USER,
                database,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        // On failure the database remains; the whole server is removed soon.
        if let Ok(mut child) = dropping {
            std::thread::spawn(move || child.wait());
        }
    }

    fn start() -> Self {
        let programs = postgres_programs();
        let folder = temp_folder();
        let account = Account::if_root(&folder);
        if let Some(account) = &account {
            account.give(&folder);
        }
        let program = |name: &str| {
            let program = programs.join(name);
            let mut command = match &account {
                Some(account) => account.command(&program),
                None => Command::new(program),
            };
            command.current_dir(&folder).arg("-D").arg(folder.join("data"));
            command
        };
        let account_and_encoding = ["-U", POSTGRES_USER, "-A", "trust", "-E", "UTF8", "--locale=C"];
        run(program("initdb").args(account_and_encoding).arg("--no-sync"));
        let port = start_on_free_port(
            "PostgreSQL",
            EndSignal::Quit,
            "ready to accept connections",
            |port| {
                let mut command = program("postgres");
                command.args(["-p", &port.to_string()]);
                for setting in POSTGRES_SETTINGS.into_iter().chain(NOT_DURABLE) {
                    command.args(["-c", setting]);
                }
                command
            },
        );
        Self { programs, port }
    }
}

fn start_redis() -> u16 {
    let folder = temp_folder();
    let databases = REDIS_DATABASES.to_string();
    start_on_free_port("redis-server", EndSignal::Kill, "Ready to accept connections", |port| {
        let mut command = Command::new("redis-server");
        command.current_dir(&folder).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--databases", &databases]);
        command
    })
}

fn start_on_free_port(
    name: &str,
    end: EndSignal,
    ready: &str,
    command: impl Fn(u16) -> Command,
) -> u16 {
    let port = free_port();
    match start_server(&mut command(port), end, ready) {
        Ok(_) => port,
        Err(said) => panic!("{name} does not start (scripts/test installs it):\n{said}"),
    }
}

/// A port without a listener.
pub fn closed_port() -> u16 {
    free_port()
}

/// A reserved port: no other process gets it while this process runs, even while its server is down.
///
/// A bound socket that does not listen reserves it. A server with `SO_REUSEADDR`, as all of ours have, can bind the same
/// port; a request for any free port gets another one.
pub fn free_port() -> u16 {
    static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    HELD.lock().expect("no holder panicked").push(socket);
    port
}

pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {error}");
}

/// The folder of `initdb`, `postgres` and `dropdb`: on the path, or Debian's folder of the newest version.
pub(crate) fn postgres_programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|v| v.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    debian.reverse();
    std::env::split_paths(&on_path)
        .chain(debian)
        .find(|folder| ["initdb", "postgres", "dropdb"].iter().all(|p| folder.join(p).exists()))
        .expect("PostgreSQL is not installed; scripts/test installs it")
}

/// The account for PostgreSQL when we are root, as which it refuses to run.
#[derive(Debug)]
pub(crate) struct Account {
    user: &'static str,
    group: String,
}

impl Account {
    /// None when we are not root: the owner of `folder`, which we created, shows it.
    pub(crate) fn if_root(folder: &Path) -> Option<Self> {
        let owner = std::fs::metadata(folder).expect("just made").uid();
        (owner == 0).then(|| {
            ["postgres", "nobody"]
                .into_iter()
                .find_map(|user| {
                    let id = Command::new("id").args(["-g", user]).output().expect("id starts");
                    let group = String::from_utf8_lossy(&id.stdout).trim().to_owned();
                    id.status.success().then_some(Self { user, group })
                })
                .expect("root needs an ordinary account to run PostgreSQL as")
        })
    }

    pub(crate) fn give(&self, folder: &Path) {
        run(Command::new("chown").arg(self.user).arg(folder));
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={}", self.user)).arg(format!("--regid={}", self.group));
        command.args(["--clear-groups", "--"]).arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, net::TcpStream};

    use super::*;

    #[tokio::test]
    async fn free_port_stays_reserved() {
        let port = free_port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let refused = TcpStream::connect(address).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let stranger = TcpSocket::new_v4().expect("a socket");
        let taken = stranger.bind(address).expect_err("it is ours");
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        for _ in 0..2 {
            // A server starts, stops, and starts again.
            let server = std::net::TcpListener::bind(address).expect("a server binds it");
            TcpStream::connect(address).expect("it listens");
            drop(server);
        }
        assert_ne!(free_port(), port);
    }
}
