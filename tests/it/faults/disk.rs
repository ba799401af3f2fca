//! The disk of the embedded database is full.

use tokio::process::Command;
use vestibule_tests::{db::Engine, proc::Proc};

use super::{Program, assert_consistent, assert_sound, print, rounds};

/// Files of a process may not grow beyond this: what a full disk does, for one process.
async fn most_bytes(process: &Proc, bytes: &str) {
    let pid = process.pid().to_string();
    let limited =
        Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status();
    assert!(limited.await.expect("prlimit starts").success());
}

/// Told that its file is too large, a process is ended unless it ignores the signal; on a full disk there is none.
fn without_signal(command: Command) -> Command {
    let command = command.into_std();
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_disk_is_full() {
    let program = Program::prepare(Engine::Sqlite, 3).await;
    let serve = program.served.serve_by(without_signal).await;
    let crowd = program.crowd(vec![program.served.address()]);
    crowd.complete(2).await;
    for _ in 0..rounds() {
        let before = crowd.tally().repeated;
        most_bytes(&serve, "8192:unlimited").await;
        crowd.until("the disk is full", |tally| tally.repeated > before).await;
        most_bytes(&serve, "unlimited").await;
        crowd.complete(2).await;
    }
    crowd.mended();
    crowd.complete(4).await;
    let tally = crowd.finish().await;
    print("the disk of SQLite was full", &tally);
    assert_sound(&tally);
    assert_consistent(&program.data.open().await, &tally).await;
    assert!(serve.output().contains("the database is away"), "the log says why");
}
