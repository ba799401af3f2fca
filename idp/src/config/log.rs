//! `[log]`: how the program reports.

use super::reader::Reader;

/// Shape and depth of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// One JSON object per line, or text. Default `json`.
    pub format: LogFormat,
    /// The least that is written of our own events. Default `info`.
    pub level: LogLevel,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// The least that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what needs a person now.
    Error,
    /// Also what will need one.
    Warn,
    /// Also one line per request and event.
    Info,
    /// Also why.
    Debug,
    /// Everything of ours.
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

    /// As written in a filter.
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
