//! Waiting for a state. A test that asserts something in the background waits for it here, not for a fixed time: a slow
//! machine then takes longer, but fails no test. All waits have one limit, [`LIMIT`].

use std::{
    convert::Infallible,
    fmt::Debug,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

/// How long to wait for a state: ten times the slowest on a quiet machine, which is 30 s until a mail is sent whose replica
/// was killed while it held the lease.
pub const LIMIT: Duration = Duration::from_mins(5);

/// Shortest and longest pause between two checks: short at first, then a fraction of the time waited so far.
const PAUSE_RANGE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));
const PAUSE_DIVISOR: u32 = 20;
/// How often to try a scenario for which the machine may be too slow.
const TRIES: usize = 10;

/// The result of a check: the wanted state, or what was observed instead.
pub trait ProbeResult {
    /// The value of the wanted state.
    type Value;
    /// The description of another state, for a wait that fails.
    type Observed: Debug;
    /// The value of the wanted state, or what was observed.
    fn into_result(self) -> Result<Self::Value, Self::Observed>;
}

impl ProbeResult for bool {
    type Value = ();
    type Observed = bool;

    fn into_result(self) -> Result<(), bool> {
        if self { Ok(()) } else { Err(false) }
    }
}

impl<T> ProbeResult for Option<T> {
    type Value = T;
    type Observed = Option<Infallible>;

    fn into_result(self) -> Result<T, Self::Observed> {
        self.ok_or(None)
    }
}

impl<T, S: Debug> ProbeResult for Result<T, S> {
    type Value = T;
    type Observed = S;

    fn into_result(self) -> Self {
        self
    }
}

/// Calls `probe` until it finds the wanted state, and returns its value.
///
/// # Panics
/// When that takes longer than [`LIMIT`], with the last observation.
pub async fn until<L: ProbeResult>(what: &str, probe: impl AsyncFnMut() -> L) -> L::Value {
    let found = try_until(probe).await;
    found.unwrap_or_else(|seen| panic!("{what}: not within {LIMIT:?}; seen last: {seen:#?}"))
}

/// [`until`] for a caller that reports the failure itself.
///
/// # Errors
/// The last observation; none when the first check did not end.
pub async fn try_until<L: ProbeResult>(
    probe: impl AsyncFnMut() -> L,
) -> Result<L::Value, Option<L::Observed>> {
    try_until_within(LIMIT, probe).await
}

async fn try_until_within<L: ProbeResult>(
    limit: Duration,
    mut probe: impl AsyncFnMut() -> L,
) -> Result<L::Value, Option<L::Observed>> {
    let mut seen = None;
    let found = timeout(limit, async {
        let begun = Instant::now();
        loop {
            match probe().await.into_result() {
                Ok(found) => return found,
                Err(last) => seen = Some(last),
            }
            sleep(pause(begun.elapsed())).await;
        }
    });
    let found = found.await;
    found.map_err(|_| seen)
}

/// Calls `read` until it returns `wanted`.
///
/// # Panics
/// As [`until`].
pub async fn until_equal<T: PartialEq + Debug>(
    what: &str,
    wanted: T,
    mut read: impl AsyncFnMut() -> T,
) {
    let probe = async || {
        let seen = read().await;
        if seen == wanted { Ok(()) } else { Err(seen) }
    };
    until(&format!("{what} ({wanted:?})"), probe).await;
}

/// [`until`] for a thread that may be blocked.
///
/// # Panics
/// As [`until`].
pub fn until_blocking<L: ProbeResult>(what: &str, mut probe: impl FnMut() -> L) -> L::Value {
    let begun = Instant::now();
    loop {
        match probe().into_result() {
            Ok(found) => return found,
            Err(seen) if begun.elapsed() > LIMIT => {
                panic!("{what}: not within {LIMIT:?}; seen last: {seen:#?}")
            }
            Err(_) => std::thread::sleep(pause(begun.elapsed())),
        }
    }
}

/// Tries a scenario that must end before one of the program's own time limits (5 s for a lock, 1.5 s for the answers of a
/// hard stop), until the machine was fast enough once. The scenario asserts, and returns none when it was too late.
///
/// # Panics
/// When the machine was too slow ten times.
pub async fn retry_while_slow<T>(what: &str, mut scenario: impl AsyncFnMut() -> Option<T>) -> T {
    for nth in 1..=TRIES {
        if let Some(seen) = scenario().await {
            return seen;
        }
        println!("{what}: the machine was too slow for it, {nth} times");
    }
    panic!("{what}: the machine was too slow for it, {TRIES} times");
}

/// Waits until something ends by itself.
///
/// # Panics
/// When that takes longer than [`LIMIT`].
pub async fn until_done<T>(what: &str, ending: impl Future<Output = T>) -> T {
    timeout(LIMIT, ending).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

fn pause(waited: Duration) -> Duration {
    (waited / PAUSE_DIVISOR).clamp(PAUSE_RANGE.0, PAUSE_RANGE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wait_ends_when_found() {
        let mut looks = 0;
        let found = until("three looks", async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        });
        assert_eq!(found.await, 3);
        until("true", async || true).await;
        until_equal("four", 4, async || 4).await;
        assert_eq!(until_blocking("some", || Some(5)), 5);
        assert_eq!(until_done("ready", async { 6 }).await, 6);
        let mut tries = 0;
        let scenario = async || {
            tries += 1;
            (tries == 7).then_some(tries)
        };
        assert_eq!(retry_while_slow("seven", scenario).await, 7);
    }

    #[tokio::test]
    async fn failed_wait_reports_last_value() {
        let mut looks = 0;
        let probe = async || {
            looks += 1;
            Err::<(), _>(looks)
        };
        let seen = try_until_within(PAUSE_RANGE.0 * 4, probe).await;
        assert_eq!(seen, Err(Some(looks)));
    }

    #[test]
    fn pauses_grow_with_wait() {
        let millis = Duration::from_millis;
        assert_eq!(pause(millis(0)), millis(5));
        assert_eq!(pause(millis(1000)), millis(50));
        assert_eq!(pause(LIMIT), millis(200));
    }
}
