//! What a command says. A reader that has gone away (`| head`) is no failure.

use std::io::{Write, stderr, stdout};

/// A line of data.
pub(super) fn line(text: &str) {
    let _ = writeln!(stdout().lock(), "{text}");
}

/// A JSON document on one line.
pub(super) fn json(value: &serde_json::Value) {
    line(&value.to_string());
}

/// Why a command failed.
pub(super) fn error(text: &str) {
    let mut out = stderr().lock();
    for line in text.lines() {
        let _ = writeln!(out, "idp: {line}");
    }
}
