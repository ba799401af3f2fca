//! A beat that measures how starved the machine is: by how much its own ticks come late. A promise in seconds is made for a
//! machine that lets a task run; what it keeps everybody waiting is told apart, and not counted against the promise.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

const TICK: Duration = Duration::from_millis(10);

/// Ticks until it is dropped, in the runtime in which the replicas run.
#[derive(Debug)]
pub struct Beat {
    shared: Arc<Mutex<Counted>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Counted {
    lost: Duration,
    since: Instant,
}

impl Counted {
    /// What was lost, with the tick that is still to come. A timer is late by a millisecond or two anyway: a tick counts only
    /// when another one has been missed.
    fn by(&self, now: Instant) -> Duration {
        let late = now.saturating_duration_since(self.since).saturating_sub(TICK);
        if late > TICK { self.lost + late } else { self.lost }
    }
}

impl Beat {
    /// A beat, from now on.
    pub fn start() -> Self {
        let shared = Arc::new(Mutex::new(Counted { lost: Duration::ZERO, since: Instant::now() }));
        let counted = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let now = Instant::now();
                let mut counted = counted.lock().expect("no holder panicked");
                *counted = Counted { lost: counted.by(now), since: now };
            }
        });
        Self { shared, task }
    }

    /// For how long nothing could run, since the start.
    pub fn lost(&self) -> Duration {
        self.shared.lock().expect("no holder panicked").by(Instant::now())
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One thread: what blocks it is what a machine does that runs somebody else.
    #[tokio::test]
    async fn what_keeps_everybody_waiting_is_counted() {
        let beat = Beat::start();
        // It has begun.
        tokio::time::sleep(TICK).await;
        let (before, begun) = (beat.lost(), Instant::now());
        std::thread::sleep(TICK * 30);
        let lost = beat.lost().saturating_sub(before);
        assert!(lost >= TICK * 25 && lost <= begun.elapsed() + TICK, "{lost:?}");
        tokio::time::sleep(TICK * 3).await;
        assert!(beat.lost().saturating_sub(before) >= lost, "and stays counted");
    }
}
