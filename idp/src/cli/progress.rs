//! A progress bar for commands that take more than a second: on standard error, and only on a terminal.

use std::io::{IsTerminal, Write, stderr};

use store::Timestamp;

use crate::clock::Clock;

const WIDTH: usize = 30;
/// Milliseconds before a bar is shown, and between two updates.
const SHOW_AFTER_MILLIS: u128 = 1_000;
const REDRAW_AFTER_MILLIS: u128 = 200;

/// A bar that is cleared when it is dropped.
#[derive(Debug)]
pub(super) struct ProgressBar {
    clock: Clock,
    started: Timestamp,
    drawn: Option<Timestamp>,
    shown: bool,
}

impl ProgressBar {
    pub(super) fn new() -> Self {
        let clock = Clock::system();
        Self { started: clock.now(), clock, drawn: None, shown: stderr().is_terminal() }
    }

    /// Shows how much is done.
    pub(super) fn update(&mut self, done: i64, all: i64) {
        let now = self.clock.now();
        let early = now.since(self.started).as_millis() < SHOW_AFTER_MILLIS;
        let soon =
            self.drawn.is_some_and(|drawn| now.since(drawn).as_millis() < REDRAW_AFTER_MILLIS);
        if !self.shown || early || soon {
            return;
        }
        self.drawn = Some(now);
        let _ = write!(stderr().lock(), "\r{}", bar(done, all));
    }

    /// Clears the bar, before something else is written.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(stderr().lock(), "\r{:width$}\r", "", width = WIDTH + 10);
        }
    }
}

impl Drop for ProgressBar {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bar(done: i64, all: i64) -> String {
    let percent = done.clamp(0, all.max(1)).saturating_mul(100) / all.max(1);
    let full = usize::try_from(percent).unwrap_or(0) * WIDTH / 100;
    format!("[{}{}] {percent:>3} %", "#".repeat(full), "-".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_bar_fills() {
        assert!(bar(0, 10).starts_with("[---") && bar(0, 10).ends_with("   0 %"));
        assert!(bar(5, 10).contains("#---") && bar(5, 10).ends_with("  50 %"));
        assert_eq!(bar(10, 10), format!("[{}] 100 %", "#".repeat(WIDTH)));
        assert_eq!(bar(11, 10), bar(10, 10));
        assert!(bar(0, 0).ends_with("   0 %"));
    }
}
