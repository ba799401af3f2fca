//! Processes that end with the test process, however it ends: by return, panic, Ctrl-C or SIGKILL.
//!
//! Each test process has one `sh`, the watchdog, which reads from a pipe what to end and which folders to remove. The pipe
//! closes when the test process is gone, and then the watchdog acts. It ignores the signals of the terminal, so it outlives
//! a Ctrl-C.

use std::{
    fmt,
    io::{BufRead, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    http::HttpBrowser,
    wait::{self, LIMIT},
};

/// Lets the test harness use unstable options (a report of times). Set for other programs, it would make cargo rebuild them.
const BOOTSTRAP: &str = "RUSTC_BOOTSTRAP";
/// How long reading the output of an ended process may take.
const OUTPUT_DRAIN_LIMIT: Duration = Duration::from_secs(5);

const WATCHDOG: &str = r#"
trap '' INT HUP TERM
pids=
while read -r verb what; do
    case $verb in
    end) pids="$pids $what" ;;
    forget)
        kept=
        for p in $pids; do [ "${p%:*}" = "$what" ] || kept="$kept $p"; done
        pids=$kept
        ;;
    remove) set -- "$@" "$what" ;;
    esac
done
# An orphan that nobody waits for stays a zombie: as good as gone.
alive() { kill -0 "$1" && ! grep -qs ') Z' "/proc/$1/stat"; }
for p in $pids; do kill -s "${p#*:}" "${p%:*}"; done
tries=0
for p in $pids; do
    while alive "${p%:*}" && [ $tries -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    kill -KILL "${p%:*}"
done
rm -rf -- "$@"
"#;

/// How the watchdog ends a process.
#[derive(Clone, Copy, Debug)]
pub enum EndSignal {
    /// At once.
    Kill,
    /// PostgreSQL's immediate shutdown: it ends its children and releases its shared memory.
    Quit,
}

fn send_to_watchdog(line: &str) {
    static SH: OnceLock<Mutex<std::process::Child>> = OnceLock::new();
    let sh = SH.get_or_init(|| {
        let child = std::process::Command::new("sh")
            .args(["-c", WATCHDOG])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Mutex::new(child.expect("sh starts"))
    });
    let mut sh = sh.lock().expect("no writer panicked");
    let pipe = sh.stdin.as_mut().expect("piped");
    writeln!(pipe, "{line}").expect("the watchdog listens");
}

/// Registers the process `pid` to be ended when this one is gone.
pub(crate) fn end_at_exit(pid: u32, how: EndSignal) {
    let signal = match how {
        EndSignal::Kill => "KILL",
        EndSignal::Quit => "QUIT",
    };
    send_to_watchdog(&format!("end {pid}:{signal}"));
}

/// Call after waiting for the process `pid`: its number may soon be another process's.
pub(crate) fn unregister_pid(pid: u32) {
    send_to_watchdog(&format!("forget {pid}"));
}

/// Registers `folder` to be removed when this process is gone.
pub(crate) fn remove_at_exit(folder: &Path) {
    send_to_watchdog(&format!("remove {}", folder.display()));
}

/// A new temporary folder that is removed when this process is gone.
pub fn temp_folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("vestibule-").tempdir().expect("a folder").keep();
    remove_at_exit(&folder);
    folder
}

/// Starts a server that runs until this process is gone, and returns its line that contains `ready`; if it ends before that,
/// all its output as an error.
pub fn start_server(
    command: &mut std::process::Command,
    end: EndSignal,
    ready: &str,
) -> Result<String, String> {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let error = writer.try_clone().expect("a pipe");
    command.stdin(Stdio::null()).stdout(writer).stderr(error).process_group(0);
    command.env_remove(BOOTSTRAP);
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    // Closes our ends of the pipe: the log ends when the server does.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    end_at_exit(child.id(), end);
    let mut said = String::new();
    let mut log = std::io::BufReader::new(reader).lines().map_while(Result::ok);
    let found = log.find(|line| {
        said.push_str(line);
        said.push('\n');
        line.contains(ready)
    });
    let id = child.id();
    let wait = move || {
        // Reads on; otherwise the server blocks when the pipe is full.
        log.for_each(drop);
        child.wait().map(|_| unregister_pid(id))
    };
    if let Some(line) = found {
        std::thread::spawn(wait);
        Ok(line)
    } else {
        wait().expect("ours");
        Err(said)
    }
}

/// A running program whose output is kept.
pub struct ChildProcess {
    child: Child,
    pid: u32,
    lines: mpsc::UnboundedReceiver<String>,
    output: Arc<Mutex<String>>,
    output_readers: [JoinHandle<()>; 2],
}

impl fmt::Debug for ChildProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proc").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl ChildProcess {
    /// Starts `command`; it is killed when the value is dropped or this process ends.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .env_remove(BOOTSTRAP)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        let pid = child.id().expect("it has not been waited for");
        end_at_exit(pid, EndSignal::Kill);
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::unbounded_channel();
        let keepers = [
            collect_output(child.stdout.take().expect("piped"), Arc::clone(&output), Some(sender)),
            collect_output(child.stderr.take().expect("piped"), Arc::clone(&output), None),
        ];
        Self { child, pid, lines, output, output_readers: keepers }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The next line of standard output.
    pub async fn next_line(&mut self) -> String {
        match timeout(LIMIT, self.lines.recv()).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("it ended without a further line; its output:\n{}", self.output()),
            Err(late) => panic!("no line: {late}; its output:\n{}", self.output()),
        }
    }

    /// The next line of standard output, read as JSON.
    pub async fn json(&mut self) -> serde_json::Value {
        let line = self.next_line().await;
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}"))
    }

    /// Everything on standard output and standard error so far.
    pub fn output(&self) -> String {
        self.output.lock().expect("no writer panicked").clone()
    }

    /// Waits until its output contains `text`.
    pub async fn wait_for_output(&self, text: &str) {
        let said = async || {
            let ended = self.has_ended();
            let output = self.output();
            assert!(
                !ended || output.contains(text),
                "it ended without {text:?}; its output:\n{output}"
            );
            if output.contains(text) { Ok(()) } else { Err(output) }
        };
        wait::until(text, said).await;
    }

    /// Waits until its provider answers at a browser's address.
    pub async fn wait_until_answering(&self, browser: &HttpBrowser) {
        let answers = async || {
            assert!(
                !self.has_ended(),
                "it ended before it answered; its output:\n{}",
                self.output()
            );
            browser.try_get("/oauth2/jwks").await.ok_or_else(|| self.output()).map(drop)
        };
        wait::until("the program answers", answers).await;
    }

    /// Whether it has ended, and its complete output is in [`Self::output`].
    fn has_ended(&self) -> bool {
        self.output_readers.iter().all(JoinHandle::is_finished)
    }

    /// Kills it, as a power cut would, and waits until it is gone and its output is read.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("ours to kill");
        self.drain_output().await;
    }

    /// Sends SIGTERM and waits for its end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.wait_for_exit().await
    }

    /// Freezes it (SIGSTOP): it exists, but does nothing.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
    }

    /// Resumes it (SIGCONT).
    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.pid.to_string()]).status().await;
        assert!(sent.expect("kill starts").success(), "it is gone; its output:\n{}", self.output());
    }

    /// Waits until it ends by itself, and until its last output is in [`Self::output`].
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let ended = timeout(LIMIT, self.child.wait()).await;
        let status = ended
            .unwrap_or_else(|_| panic!("still running; its output:\n{}", self.output()))
            .expect("ours");
        self.drain_output().await;
        status
    }

    /// Waits until all its output is read, with a time limit: a child of its own may keep the pipe open.
    async fn drain_output(&mut self) {
        for keeper in self.output_readers.iter_mut().filter(|keeper| !keeper.is_finished()) {
            let _ = timeout(OUTPUT_DRAIN_LIMIT, keeper).await;
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Dropping the child kills it.
        unregister_pid(self.pid);
    }
}

fn collect_output(
    stream: impl AsyncRead + Unpin + Send + 'static,
    output: Arc<Mutex<String>>,
    sender: Option<mpsc::UnboundedSender<String>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut output = output.lock().expect("no writer panicked");
            output.push_str(&line);
            output.push('\n');
            if let Some(sender) = &sender {
                // There may be no receiver for a line; the text is kept all the same.
                let _ = sender.send(line);
            }
        }
    })
}

/// Runs a command that must succeed, with `input` on its standard input; returns its standard output.
pub async fn run(command: Command, input: &str) -> String {
    let shown = format!("{command:?}");
    let (code, out, error) = run_with_status(command, input).await;
    assert_eq!(code, 0, "{shown} failed: {error}");
    out
}

/// Runs a command to its end; returns its exit code, standard output and standard error.
pub async fn run_with_status(mut command: Command, input: &str) -> (i32, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = format!("{command:?} ends");
    command.env_remove(BOOTSTRAP).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that rejects its configuration may end before it reads.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await;
    drop(stdin);
    let output = wait::until_done(&shown, child.wait_with_output()).await.expect("ours");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("it ends by itself");
    (code, text(output.stdout), text(output.stderr))
}

/// A command of this build's `idp` program, without our `IDP__` variables.
pub fn idp_command() -> Command {
    let mut command = Command::new(idp_program());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IDP__")) {
        command.env_remove(name);
    }
    command
}

/// The program of this build: at the path in `VESTIBULE_PROGRAM`, which `scripts/test` has just built; otherwise built once
/// for each test process, in the profile of the tests.
fn idp_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("VESTIBULE_PROGRAM") {
            return program.into();
        }
        let us = std::env::current_exe().expect("a test has a path");
        // In our folder, or one level up from target/debug/deps/it-0123.
        let floor = us.parent().expect("built by cargo");
        let floor = if floor.ends_with("deps") { floor.parent().expect("a folder") } else { floor };
        let name = floor.file_name().and_then(|n| n.to_str()).expect("built by cargo");
        let profile = if name == "debug" { "dev" } else { name };
        let built = std::process::Command::new(env!("CARGO"))
            .current_dir(crate::workspace_root())
            .env_remove(BOOTSTRAP)
            // With all packages, as the tests are built: another choice would change features and rebuild everything.
            .args(["build", "--quiet", "--workspace", "--bin", "idp", "--profile", profile])
            .status();
        assert!(built.expect("cargo starts").success(), "the idp program does not build");
        floor.join("idp")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn process_output_and_exit_are_read() {
        let mut command = Command::new("sh");
        command.args([
            "-c",
            r#"trap 'exit 3' TERM; echo two >&2; echo '{"a": 1}'; while :; do sleep 0.05; done"#,
        ]);
        let mut proc = ChildProcess::spawn(command);
        assert_eq!(proc.json().await["a"], 1);
        assert_eq!(proc.terminate().await.code(), Some(3));
        assert!(proc.output().contains("{\"a\": 1}\n"));
    }

    /// The last output is kept after the end, however long reading it takes.
    #[tokio::test(flavor = "multi_thread")]
    async fn output_before_exit_is_kept() {
        for _ in 0..20 {
            let mut command = Command::new("sh");
            // Less than a pipe can buffer: the process ends before all is read.
            command.args(["-c", "exec seq 1 10000 >&2"]);
            let mut proc = ChildProcess::spawn(command);
            assert!(proc.wait_for_exit().await.success());
            assert!(proc.output().ends_with("\n10000\n"), "{} bytes", proc.output().len());
        }
    }

    #[tokio::test]
    async fn kill_leaves_no_process() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut proc = ChildProcess::spawn(command);
        proc.kill().await;
        let alive = Command::new("kill").args(["-0", &proc.pid().to_string()]).output().await;
        assert!(!alive.unwrap().status.success());
    }
}
