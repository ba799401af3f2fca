//! `[log]`: format and level of the log.

use super::reader::Reader;

/// Format and level of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// One JSON object per line, or text. Default `json`.
    pub format: LogFormat,
    /// The lowest level of our own events that is written. Default `info`.
    pub level: LogLevel,
}

/// The format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// The lowest level that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only events that need an operator now.
    Error,
    /// Also events that will need one.
    Warn,
    /// Also one line per request and event.
    Info,
    /// Also details and reasons.
    Debug,
    /// All events of our own crates.
    Trace,
}

impl LogConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let format = reader.or_default("log.format", LogFormat::Json, |text| match text {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => Err(format!("`{text}` is not one of `json`, `text`")),
        });
        let level = reader.or_default("log.level", LogLevel::Info, LogLevel::parse);
        Some(Self { format: format?, level: level? })
    }
}

impl LogLevel {
    fn parse(text: &str) -> Result<Self, String> {
        let all = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
        all.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            format!("`{text}` is not one of `error`, `warn`, `info`, `debug`, `trace`")
        })
    }

    /// The name, as in a filter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
