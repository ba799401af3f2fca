//! Measures how starved the machine is: by how much the ticks of a probe come late. A limit that the program promises is for
//! a machine that lets a task run; the time in which nothing could run is told apart and does not count.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

const TICK: Duration = Duration::from_millis(10);

/// Ticks until it is dropped, in the runtime in which the replicas run.
#[derive(Debug)]
pub struct StarvationProbe {
    shared: Arc<Mutex<StarvationCount>>,
    task: JoinHandle<()>,
}

/// Measures a time, with and without what the machine was starved for.
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
    /// For how long nothing could run, with the tick that is still to come. A timer is late by a millisecond or two anyway: a
    /// tick counts only when another one has been missed.
    fn starved_until(&self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.since).saturating_sub(TICK);
        if late > TICK { self.starved + late } else { self.starved }
    }
}

fn starved(shared: &Mutex<StarvationCount>) -> Duration {
    shared.lock().expect("no holder panicked").starved_until(Instant::now())
}

impl StarvationProbe {
    /// A probe that ticks from now on.
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

    /// A stopwatch that starts now. It is right as long as the probe lives.
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

    /// For how long nothing could run since its start.
    pub fn starved(&self) -> Duration {
        starved(&self.shared).saturating_sub(self.starved_before)
    }

    /// The time since its start without that in which nothing could run: what a promise is compared with.
    pub fn net(&self) -> Duration {
        // Read first: what starves between the two reads does not make the time shorter than it was.
        let wall = self.wall();
        wall.saturating_sub(self.starved())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One thread: what blocks it is what a machine does that runs another process.
    #[tokio::test]
    async fn blocked_time_counts_as_starved() {
        let probe = StarvationProbe::start();
        // It has begun.
        tokio::time::sleep(TICK).await;
        let watch = probe.stopwatch();
        std::thread::sleep(TICK * 30);
        let starved = watch.starved();
        assert!(starved >= TICK * 25 && starved <= watch.wall() + TICK, "{starved:?}");
        assert!(watch.net() + TICK * 25 <= watch.wall());
        tokio::time::sleep(TICK * 3).await;
        assert!(watch.starved() >= starved, "and stays counted");
    }
}
