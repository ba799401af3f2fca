//! What the server sustains while no request is refused.

use std::time::{Duration, Instant};

use crate::{load::LoadGenerator, millis, server::Server};

/// Sign-ins of a round without overload. The end of a round, when not all connections are busy, is short beside it.
const ROUND: u32 = 400;

/// What the server sustains while no request is refused. Measured before and after the overload, for as long as the overload
/// lasts: a shared machine changes its speed within minutes, and the best moment before says little about the one after.
pub(crate) struct Throughput {
    sign_ins: u32,
    took: Duration,
    /// CPU time of our process.
    pub(crate) cpu: Duration,
    /// CPU time of its hashing threads.
    pub(crate) hashing: Duration,
}

impl Throughput {
    /// Measures for the given time.
    pub(crate) async fn measure(load: &LoadGenerator, server: &Server, time: Duration) -> Self {
        let (cpu, hashing, begun) = (server.cpu(), server.hashing_cpu(), Instant::now());
        let mut sign_ins = 0;
        while begun.elapsed() < time {
            load.sign_ins(ROUND, false).await;
            sign_ins += ROUND;
        }
        Self {
            sign_ins,
            took: begun.elapsed(),
            cpu: server.cpu().saturating_sub(cpu),
            hashing: server.hashing_cpu().saturating_sub(hashing),
        }
    }

    /// The sum of both.
    pub(crate) fn merge(&self, other: &Self) -> Self {
        Self {
            sign_ins: self.sign_ins + other.sign_ins,
            took: self.took + other.took,
            cpu: self.cpu + other.cpu,
            hashing: self.hashing + other.hashing,
        }
    }

    /// Sign-ins for each second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.sign_ins) / self.took.as_secs_f64()
    }

    /// A total time, in milliseconds for each sign-in.
    pub(crate) fn millis_per_sign_in(&self, sum: Duration) -> f64 {
        millis(sum) / f64::from(self.sign_ins)
    }
}
