//! The log: one line per event on standard error, JSON or text.
//!
//! Standard output is for the output of commands (`--json`). The level is that of our own crates.
//! Libraries log from `warn` up only, because at `debug` some of them write addresses, headers and
//! mails.

pub mod traces;

use std::io;

use tracing::Subscriber;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::clock::{Clock, rfc3339};
use crate::config::{LogConfig, LogFormat, LogLevel};

use self::traces::Traces;

/// Our own crates, which follow the configured level.
const OWN_CRATES: [&str; 4] = ["store", "keys", "flows", "idp"];

/// Sends every event of this process to standard error.
///
/// # Errors
/// The log was started before.
pub fn init(log: &LogConfig, clock: Clock) -> Result<(), SetGlobalDefaultError> {
    let subscriber = subscriber(log, clock, io::stderr);
    tracing::subscriber::set_global_default(subscriber)
}

/// Sends every event to standard error, and spans to a collector.
///
/// # Errors
/// The log was started before.
pub(crate) fn init_with_traces(
    log: &LogConfig,
    clock: Clock,
    traces: Option<&Traces>,
) -> Result<(), SetGlobalDefaultError> {
    match traces {
        None => init(log, clock),
        Some(traces) => {
            tracing::subscriber::set_global_default(subscriber_with_traces(log, clock, traces))
        }
    }
}

fn subscriber_with_traces(
    log: &LogConfig,
    clock: Clock,
    traces: &Traces,
) -> Box<dyn Subscriber + Send + Sync> {
    let spans = Targets::new().with_target(traces::TARGET, tracing::Level::INFO);
    let registry = tracing_subscriber::registry().with(traces.layer().with_filter(spans));
    let lines = fmt::layer().with_writer(io::stderr).with_timer(ClockTimer(clock)).with_ansi(false);
    match log.format {
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_span_list(false);
            Box::new(registry.with(lines.with_filter(filter(log.level))))
        }
        LogFormat::Text => Box::new(registry.with(lines.with_filter(filter(log.level)))),
    }
}

/// The same log for any writer, for tests.
pub fn subscriber<W>(log: &LogConfig, clock: Clock, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = fmt()
        .with_env_filter(filter(log.level))
        .with_writer(writer)
        .with_timer(ClockTimer(clock))
        .with_ansi(false);
    match log.format {
        LogFormat::Json => Box::new(
            builder
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .finish(),
        ),
        LogFormat::Text => Box::new(builder.finish()),
    }
}

fn filter(level: LogLevel) -> EnvFilter {
    let others = if level == LogLevel::Error { "error" } else { "warn" };
    let ours = OWN_CRATES.map(|name| format!("{name}={}", level.as_str())).join(",");
    EnvFilter::builder().parse_lossy(format!("{others},{ours}"))
}

/// Gives lines the time of the one clock, so that they agree with rows and mails.
#[derive(Debug)]
struct ClockTimer(Clock);

impl FormatTime for ClockTimer {
    fn format_time(&self, w: &mut fmt::format::Writer<'_>) -> std::fmt::Result {
        w.write_str(&rfc3339(self.0.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, level: LogLevel, work: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = {
            let page = page.clone();
            move || page.clone()
        };
        let log = LogConfig { format, level };
        tracing::subscriber::with_default(subscriber(&log, Clock::system(), writer), work);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_log_line_includes_span() {
        let text = written(LogFormat::Json, LogLevel::Info, || {
            let _inside = tracing::info_span!("request", id = "r1").entered();
            tracing::info!(reference = "ABC123", "answered");
            tracing::debug!("not at this level");
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["reference"], "ABC123");
        assert_eq!(line["message"], "answered");
        assert_eq!(line["span"]["id"], "r1");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn library_debug_logs_are_dropped() {
        let text = written(LogFormat::Text, LogLevel::Trace, || {
            tracing::debug!(target: "hyper", "header bytes");
            tracing::warn!(target: "hyper", "cut off");
            tracing::trace!("ours");
        });
        assert!(
            !text.contains("header bytes") && text.contains("cut off") && text.contains("ours")
        );
    }

    #[test]
    fn line_break_in_value_is_escaped() {
        let text = written(LogFormat::Json, LogLevel::Info, || {
            tracing::info!(value = "a\nINFO forged", "said");
        });
        assert_eq!(text.lines().count(), 1);
    }
}
