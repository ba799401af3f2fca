//! The program's log, read back.

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

/// What this thread logs as long as the value lives: for a test of one thread.
///
/// The subscriber is that of the whole process. One per thread would miss lines: what is logged for the first time on a
/// thread without a subscriber is switched off for all.
pub struct CapturedLog {
    buffer: LogBuffer,
    /// It stays on its thread.
    _here: PhantomData<*const ()>,
}

type LogBuffer = Arc<Mutex<Vec<u8>>>;

thread_local! {
    static HERE: RefCell<Option<LogBuffer>> = const { RefCell::new(None) };
}

/// Writes to the page of the thread that writes, if it has one.
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
    /// Keeps what this thread logs from now on, at every level of ours, in the format of production.
    pub fn start() -> Self {
        static PROCESS: Once = Once::new();
        PROCESS.call_once(|| {
            let config = LogConfig { format: LogFormat::Json, level: LogLevel::Trace };
            let subscriber = telemetry::subscriber(&config, Clock::system(), || ThreadLogWriter);
            tracing::subscriber::set_global_default(subscriber).expect("nobody else logs");
            tracing::callsite::rebuild_interest_cache();
        });
        let page = LogBuffer::default();
        HERE.set(Some(Arc::clone(&page)));
        Self { buffer: page, _here: PhantomData }
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        let bytes = self.buffer.lock().expect("no writer panicked").clone();
        String::from_utf8(bytes).expect("text")
    }

    /// The lines with this member.
    pub fn lines(&self, name: &str, value: &str) -> Vec<Value> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line[name] == value).collect()
    }
}
