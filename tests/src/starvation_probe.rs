//! Measures how starved the machine is: how late the ticks of a probe are. The program's time limits assume a machine that
//! runs its tasks; time in which no task could run is measured separately and does not count.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

const TICK: Duration = Duration::from_millis(10);

/// Ticks until it is dropped, in the runtime of the replicas.
#[derive(Debug)]
pub struct StarvationProbe {
    shared: Arc<Mutex<StarvationCount>>,
    task: JoinHandle<()>,
}

/// Measures elapsed time, with and without starvation.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    shared: Arc<Mutex<StarvationCount>>,
    begun: Instant,
    starved_before: Duration,
}

#[derive(Debug)]
struct StarvationCount {
    starved: Duration,
    since: Instant,
}

impl StarvationCount {
    /// How long no task could run, including the pending tick. A timer is always late by a millisecond or two: a tick counts
    /// as late only when the next one has been missed, too.
    fn starved_until(&self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.since).saturating_sub(TICK);
        if late > TICK { self.starved + late } else { self.starved }
    }
}

fn starved(shared: &Mutex<StarvationCount>) -> Duration {
    shared.lock().expect("no holder panicked").starved_until(Instant::now())
}

impl StarvationProbe {
    /// Starts a probe.
    pub fn start() -> Self {
        let shared = Arc::new(Mutex::new(StarvationCount {
            starved: Duration::ZERO,
            since: Instant::now(),
        }));
        let counted = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let now = Instant::now();
                let mut counted = counted.lock().expect("no holder panicked");
                *counted = StarvationCount { starved: counted.starved_until(now), since: now };
            }
        });
        Self { shared, task }
    }

    /// A stopwatch that starts now. It is valid while the probe exists.
    pub fn stopwatch(&self) -> Stopwatch {
        let starved_before = starved(&self.shared);
        Stopwatch { shared: Arc::clone(&self.shared), begun: Instant::now(), starved_before }
    }
}

impl Drop for StarvationProbe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stopwatch {
    /// The time since its start.
    pub fn wall(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long no task could run since its start.
    pub fn starved(&self) -> Duration {
        starved(&self.shared).saturating_sub(self.starved_before)
    }

    /// The time since its start without starvation, to compare with a time limit.
    pub fn net(&self) -> Duration {
        // Read first: starvation between the two reads must not shorten the result.
        let wall = self.wall();
        wall.saturating_sub(self.starved())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One thread: blocking it is like a machine that runs another process.
    #[tokio::test]
    async fn blocked_time_counts_as_starved() {
        let probe = StarvationProbe::start();
        // The probe has started to tick.
        tokio::time::sleep(TICK).await;
        let watch = probe.stopwatch();
        std::thread::sleep(TICK * 30);
        let starved = watch.starved();
        assert!(starved >= TICK * 25 && starved <= watch.wall() + TICK, "{starved:?}");
        assert!(watch.net() + TICK * 25 <= watch.wall());
        tokio::time::sleep(TICK * 3).await;
        assert!(watch.starved() >= starved, "starved time stays counted");
    }
}
