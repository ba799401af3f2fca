//! The hashing pool: bounded, with admission before anything else is done (decision 17).
//!
//! ```text
//! admit: a free slot in the lane? ─ no ─▶ HasherBusy at once
//!            │ yes: wait for a permit ─ too long ─▶ HasherBusy
//!            ▼
//!      HashingPermit ─▶ verify or hash on a thread of the pool, one 19 MiB buffer each
//! ```

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;
use tracing::Instrument;

use crate::{
    HashingCaller, KeyError, Password, PasswordHash, Rng, RootKeys,
    admission_queue::{AdmissionError, AdmissionPermit, AdmissionQueue},
    hasher_stats::{HasherCounters, HasherStats, WaitTimer},
    password::{self, Argon2Memory},
};

/// Size of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherConfig {
    /// Computations at once: as many as cores.
    pub threads: usize,
    /// How many callers may wait for a permit: half of them known devices, half of them strangers.
    pub queue: usize,
    /// How long a caller may wait.
    pub wait: Duration,
}

/// The pool is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hashing pool is full")]
pub struct HasherBusy {
    /// After how long the caller may try again.
    pub retry_after: Duration,
}

/// The pool. Clones share it.
#[derive(Clone)]
pub struct Hasher(Arc<Pool>);

struct Pool {
    config: HasherConfig,
    root: Arc<RootKeys>,
    rng: Rng,
    /// Admits twice as many callers as there are threads, so that threads compute while other admitted callers look their
    /// persons up.
    admission: AdmissionQueue,
    /// Totals, for the metrics.
    counters: HasherCounters,
    task_sender: mpsc::Sender<HashTask>,
}

/// A computation, in the memory of the thread that runs it.
type HashTask = Box<dyn FnOnce(&mut Argon2Memory) + Send>;

/// A permit to hash; returned when dropped.
pub struct HashingPermit {
    pool: Arc<Pool>,
    admitted: AdmissionPermit,
}

impl Hasher {
    /// Starts a pool.
    #[must_use]
    pub fn new(config: HasherConfig, root: Arc<RootKeys>, rng: Rng) -> Self {
        let threads = config.threads.max(1);
        let (task_sender, receiver) = mpsc::channel();
        let queue = Arc::new(Mutex::new(receiver));
        for nth in 0..threads {
            spawn_thread(nth, Arc::clone(&queue));
        }
        Self(Arc::new(Pool {
            config,
            root,
            rng,
            admission: AdmissionQueue::new(threads * 2, config.queue, config.wait),
            counters: HasherCounters::default(),
            task_sender,
        }))
    }

    /// Waits for a permit; [`HasherBusy`] when the lane is full or the wait too long.
    pub async fn admit(&self, caller: HashingCaller) -> Result<HashingPermit, HasherBusy> {
        let pool = &self.0;
        let busy = HasherBusy { retry_after: pool.config.wait };
        let timer = WaitTimer::start();
        let span = tracing::info_span!(target: "spans", "hashing wait");
        match pool.admission.acquire(caller).instrument(span).await {
            Ok(admitted) => {
                pool.counters.record_wait(timer.elapsed());
                Ok(HashingPermit { pool: pool.clone(), admitted })
            }
            Err(AdmissionError::QueueFull) => {
                pool.counters.count_rejected_full();
                Err(busy)
            }
            Err(AdmissionError::TimedOut) => {
                pool.counters.count_timed_out();
                Err(busy)
            }
        }
    }

    /// Whether [`Hasher::reject_if_full`] would reject this caller.
    #[must_use]
    pub fn is_full(&self, caller: HashingCaller) -> bool {
        self.0.admission.is_full(caller)
    }

    /// [`HasherBusy`] when the lane is full: the work before [`Hasher::admit`] is saved for a caller that would be rejected.
    pub fn reject_if_full(&self, caller: HashingCaller) -> Result<(), HasherBusy> {
        if !self.is_full(caller) {
            return Ok(());
        }
        self.0.counters.count_rejected_full();
        Err(HasherBusy { retry_after: self.0.config.wait })
    }

    /// Whether a stored hash is made as new ones are: with the current root key and cost. False when it cannot be read.
    #[must_use]
    pub fn is_current(&self, stored: &PasswordHash) -> bool {
        password::is_current(&self.0.root, stored).unwrap_or(false)
    }

    /// The load now, and totals since the start.
    #[must_use]
    pub fn stats(&self) -> HasherStats {
        let HasherConfig { threads, queue, .. } = self.0.config;
        HasherStats {
            max_admitted: threads.max(1) * 2,
            admitted: self.0.admission.in_use(),
            queue_slots: queue,
            waiting: self.waiting().iter().sum(),
            totals: self.0.counters.totals(),
        }
    }

    /// Callers that wait now: strangers, and known devices.
    #[must_use]
    pub fn waiting(&self) -> [usize; 2] {
        self.0.admission.waiting()
    }
}

impl HashingPermit {
    /// Whether `password` is that of `stored`. Without a stored hash it takes as long and is false.
    pub async fn verify(
        self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<bool, KeyError> {
        self.run(move |pool, memory| {
            password::verify(&pool.root, &password, stored.as_ref(), memory)
        })
        .await
    }

    /// Hashes a new password.
    pub async fn hash(self, password: Password) -> Result<PasswordHash, KeyError> {
        self.run(move |pool, memory| password::hash(&pool.root, &pool.rng, &password, memory)).await
    }

    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Pool, &mut Argon2Memory) -> Result<T, KeyError> + Send + 'static,
    ) -> Result<T, KeyError> {
        let Self { pool, admitted } = self;
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(&pool);
        let task: HashTask = Box::new(move |memory| {
            // Held until the computation ends, even if its caller was cancelled meanwhile.
            let _admitted = admitted;
            let _ = sender.send(work(&shared, memory));
        });
        pool.task_sender.send(task).map_err(|_| KeyError::PoolClosed)?;
        let span = tracing::info_span!(target: "spans", "hashing");
        receiver.instrument(span).await.map_err(|_| KeyError::PoolClosed)?
    }
}

/// Starts a thread of the pool, which ends with the pool. Operators recognise it by its name.
fn spawn_thread(nth: usize, queue: Arc<Mutex<mpsc::Receiver<HashTask>>>) {
    let run = move || {
        let mut memory = Argon2Memory::default();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(task) = next else { return };
            task(&mut memory);
        }
    };
    if let Err(error) = thread::Builder::new().name(format!("hashing-{nth}")).spawn(run) {
        tracing::error!(%error, "alarm: a hashing thread cannot be started");
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hasher").field(&self.0.config).finish()
    }
}

impl fmt::Debug for HashingPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashingPermit(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RootKey;

    fn pool(threads: usize, queue: usize, wait: Duration) -> Hasher {
        let root = RootKeys::new(&[RootKey::parse("a", &[1; 32]).unwrap()]).unwrap();
        Hasher::new(HasherConfig { threads, queue, wait }, Arc::new(root), Rng::system())
    }

    #[tokio::test]
    async fn full_queue_refuses_immediately() {
        let pool = pool(1, 1, Duration::from_mins(1));
        let held = (
            pool.admit(HashingCaller::Stranger).await.unwrap(),
            pool.admit(HashingCaller::Stranger).await.unwrap(),
        );
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.admit(HashingCaller::Stranger).await.is_ok() }
        });
        while pool.waiting() != [1, 0] {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            pool.admit(HashingCaller::Stranger).await.unwrap_err().retry_after,
            Duration::from_mins(1)
        );
        drop(held);
        assert!(waiting.await.unwrap());
        assert!(pool.admit(HashingCaller::Stranger).await.is_ok());
    }

    #[tokio::test]
    async fn long_wait_times_out() {
        let pool = pool(1, 8, Duration::from_millis(5));
        let _held = (
            pool.admit(HashingCaller::Stranger).await.unwrap(),
            pool.admit(HashingCaller::Stranger).await.unwrap(),
        );
        assert!(pool.admit(HashingCaller::Stranger).await.is_err());
    }

    #[tokio::test]
    async fn password_hash_is_verified() {
        let pool = pool(2, 8, Duration::from_mins(1));
        let password = || Password::parse("four words are enough").unwrap();
        let hash =
            pool.admit(HashingCaller::Stranger).await.unwrap().hash(password()).await.unwrap();
        let right = pool
            .admit(HashingCaller::Stranger)
            .await
            .unwrap()
            .verify(password(), Some(hash))
            .await
            .unwrap();
        assert!(right);
        assert!(
            !pool
                .admit(HashingCaller::Stranger)
                .await
                .unwrap()
                .verify(password(), None)
                .await
                .unwrap()
        );
        let hash =
            pool.admit(HashingCaller::Stranger).await.unwrap().hash(password()).await.unwrap();
        assert!(
            pool.is_current(&hash) && !pool.is_current(&PasswordHash::from_stored("x".to_owned()))
        );
    }
}
