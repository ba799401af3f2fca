//! The output of a command. A closed pipe (`| head`) is no failure.

use std::io::{Write, stderr, stdout};

/// Prints a line of data.
pub(super) fn line(text: &str) {
    let _ = writeln!(stdout().lock(), "{text}");
}

/// Prints a JSON document on one line.
pub(super) fn json(value: &serde_json::Value) {
    line(&value.to_string());
}

/// Prints why a command failed, to standard error.
pub(super) fn error(text: &str) {
    let mut out = stderr().lock();
    for line in text.lines() {
        let _ = writeln!(out, "idp: {line}");
    }
}
