//! The disk of the embedded database is full.
//!
//! Where mounts are allowed, the database is on a small disk in memory, in a mount namespace of the server, and that disk is
//! filled: SQLite gets `ENOSPC`. Elsewhere the server gets a file size limit, which is the closest that an ordinary process
//! can do to another. The test prints which way was used.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use store::DbConfig;
use tempfile::TempDir;
use tokio::process::Command;
use vestibule_tests::{db::Engine, proc::ChildProcess};

use super::{ServeWithPeople, assert_consistent, assert_sound, print_stats, rounds};

/// How to create a mount namespace: as any user, or as root where that is not allowed.
const UNSHARE_COMMANDS: [[&str; 2]; 2] = [["unshare", "-rm"], ["unshare", "-m"]];
/// Mounts a small disk at the folder `$1`, with its files (copied through the folder `$2`), and runs the rest there.
const ON_SMALL_DISK: &str = "set -e; folder=$1; copy=$2; shift 2
    cp -a \"$folder/.\" \"$copy\"
    mount -t tmpfs -o size=24m vestibule \"$folder\"
    cp -a \"$copy/.\" \"$folder\"
    exec \"$@\"";

/// What gets full.
enum Disk {
    Small(SmallDisk),
    FileSizeLimit,
}

/// A disk that only the server sees. It ends with the server and with this value.
struct SmallDisk {
    /// Its path outside the namespace: an open handle that stays valid when the server has ended.
    inside: PathBuf,
    _root: File,
    folder: PathBuf,
}

impl SmallDisk {
    fn of(process: &ChildProcess, folder: &Path) -> Self {
        let there = format!("/proc/{}/root{}", process.pid(), folder.display());
        let root = File::open(there).expect("the disk of the server");
        let inside = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&root));
        Self { inside: inside.into(), _root: root, folder: folder.to_owned() }
    }

    /// Writes until no byte is left.
    fn fill(&self) {
        let mut file = File::create(self.inside.join("other")).expect("a file");
        for size in [1 << 16, 1 << 10, 1] {
            while file.write_all(&vec![7; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.inside.join("other")).expect("it is there");
    }

    /// Copies the database out of the namespace, once the server has stopped. The original files have to go first: their log
    /// would be taken for that of the copy.
    fn copy_back(&self) {
        for entry in fs::read_dir(&self.folder).expect("a folder").flatten() {
            fs::remove_file(entry.path()).expect("it is removed");
        }
        for entry in fs::read_dir(&self.inside).expect("a folder").flatten() {
            fs::copy(entry.path(), self.folder.join(entry.file_name())).expect("it is copied");
        }
    }
}

impl Disk {
    async fn fill(&self, serve: &ChildProcess) {
        match self {
            Self::Small(disk) => disk.fill(),
            Self::FileSizeLimit => limit_file_size(serve, "8192:unlimited").await,
        }
    }

    async fn make_room(&self, serve: &ChildProcess) {
        match self {
            Self::Small(disk) => disk.make_room(),
            Self::FileSizeLimit => limit_file_size(serve, "unlimited").await,
        }
    }
}

/// Limits the file size of a process: for this process, the effect of a full disk.
async fn limit_file_size(process: &ChildProcess, bytes: &str) {
    let pid = process.pid().to_string();
    let limited =
        Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status();
    assert!(limited.await.expect("prlimit starts").success());
}

/// A process over its file size limit gets SIGXFSZ, which ends it unless it is ignored; a full disk sends no signal.
fn without_signal(command: Command) -> Command {
    wrap_command(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], command)
}

fn wrap_command(outer: &[&str], command: Command) -> Command {
    let command = command.into_std();
    let mut around = Command::new(outer[0]);
    around.args(&outer[1..]).arg(command.get_program()).args(command.get_args());
    around
}

/// The command that this machine allows, if any.
async fn allowed_unshare() -> Option<[&'static str; 2]> {
    let folder = tempfile::tempdir().expect("a folder");
    for [program, how] in UNSHARE_COMMANDS {
        let mut mount = Command::new(program);
        mount.args([how, "mount", "-t", "tmpfs", "vestibule"]).arg(folder.path());
        if mount.output().await.is_ok_and(|made| made.status.success()) {
            return Some([program, how]);
        }
    }
    None
}

fn folder_of(config: &DbConfig) -> PathBuf {
    match config {
        DbConfig::Sqlite { file, .. } => file.parent().expect("a file").to_owned(),
        DbConfig::Postgres { .. } => unreachable!("asked of SQLite only"),
    }
}

/// Starts the server, on a small disk where that is allowed.
async fn serve(program: &ServeWithPeople, copy: &TempDir) -> (ChildProcess, Disk) {
    let Some([unshare, how]) = allowed_unshare().await else {
        println!("no mount is allowed here: the files of the server may not grow");
        return (program.served.serve_with(without_signal).await, Disk::FileSizeLimit);
    };
    println!("on a small disk of its own ({unshare} {how})");
    let folder = folder_of(program.data.config());
    let (there, by) = (folder.to_str().expect("text"), copy.path().to_str().expect("text"));
    let outer = [unshare, how, "sh", "-c", ON_SMALL_DISK, "sh", there, by];
    let serve = program.served.serve_with(|command| wrap_command(&outer, command)).await;
    let disk = SmallDisk::of(&serve, &folder);
    (serve, Disk::Small(disk))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_loses_nothing() {
    let program = ServeWithPeople::prepare(Engine::Sqlite, 3).await;
    let copy = tempfile::tempdir().expect("a folder");
    let (mut serve, disk) = serve(&program, &copy).await;
    let crowd = program.crowd(vec![program.served.address()]);
    crowd.wait_for_sign_ins(2).await;
    for _ in 0..rounds() {
        let before = crowd.stats().repeated;
        disk.fill(&serve).await;
        crowd.until("the disk is full", |tally| tally.repeated > before).await;
        disk.make_room(&serve).await;
        crowd.wait_for_sign_ins(2).await;
    }
    crowd.mark_fault_over();
    crowd.wait_for_sign_ins(4).await;
    let tally = crowd.finish().await;
    print_stats("the disk of SQLite was full", &tally);
    assert_sound(&tally);
    assert!(serve.output().contains("the database is unavailable"), "the log says why");
    if let Disk::Small(disk) = &disk {
        // SQLITE_FULL (https://www.sqlite.org/rescode.html#full).
        assert!(serve.output().contains("(code: 13)"), "{}", serve.output());
        serve.terminate().await;
        disk.copy_back();
    }
    assert_consistent(&program.data.open().await, &tally).await;
}
