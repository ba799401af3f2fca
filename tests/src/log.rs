//! The program's log, captured for tests.

use std::{
    cell::RefCell,
    fmt, io,
    marker::PhantomData,
    sync::{Arc, Mutex, Once},
};

use idp::{
    clock::Clock,
    config::{LogConfig, LogFormat, LogLevel},
    telemetry,
};
use serde_json::Value;

/// Captures the log of this thread while the value exists: for single-threaded tests.
///
/// The subscriber is global to the process. One for each thread would miss lines: tracing disables an event for all threads
/// if it first occurs on a thread without a subscriber.
pub struct CapturedLog {
    buffer: LogBuffer,
    /// Not `Send`: the value stays on its thread.
    _here: PhantomData<*const ()>,
}

type LogBuffer = Arc<Mutex<Vec<u8>>>;

thread_local! {
    static HERE: RefCell<Option<LogBuffer>> = const { RefCell::new(None) };
}

/// Writes to the buffer of the current thread, if it has one.
struct ThreadLogWriter;

impl io::Write for ThreadLogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HERE.with_borrow(|page| {
            if let Some(page) = page {
                page.lock().expect("no writer panicked").extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for CapturedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log(..)")
    }
}

impl Drop for CapturedLog {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

impl CapturedLog {
    /// Captures what this thread logs from now on, at every level of our crates, in the format of production.
    pub fn start() -> Self {
        static PROCESS: Once = Once::new();
        PROCESS.call_once(|| {
            let config = LogConfig { format: LogFormat::Json, level: LogLevel::Trace };
            let subscriber = telemetry::subscriber(&config, Clock::system(), || ThreadLogWriter);
            tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
            tracing::callsite::rebuild_interest_cache();
        });
        let page = LogBuffer::default();
        HERE.set(Some(Arc::clone(&page)));
        Self { buffer: page, _here: PhantomData }
    }

    /// The log so far.
    pub fn text(&self) -> String {
        let bytes = self.buffer.lock().expect("no writer panicked").clone();
        String::from_utf8(bytes).expect("text")
    }

    /// The lines in which a member has this value.
    pub fn lines(&self, name: &str, value: &str) -> Vec<Value> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line[name] == value).collect()
    }
}
