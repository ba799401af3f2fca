//! Which callers may hash and which wait: two lanes that share the same permits (decision 4).
//!
//! Each lane has half of the queue slots and cannot use the other's. Lanes with waiters are served in turn; an empty lane
//! leaves its turns to the other. So strangers, however many, neither fill the half of known devices nor make one wait for
//! more than its own lane, in turn with theirs.
//!
//! In the lane of strangers a network and an account have a share of the slots ([`crate::lane_shares`]). While a permit is
//! free, no share counts.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::{
    lane_shares::LaneShares,
    limited_counts::{LimitedCounts, Taken},
};

/// Callers of one account that are in the lane of known devices at once, hashing or waiting; further ones count as
/// strangers.
const PERMITS_PER_ACCOUNT: usize = 2;

/// An account, by the key of its counters ([`crate::RootKeys::counter_key`]).
pub type AccountKey = [u8; 32];

/// A network, by a key of its own kind ([`crate::RootKeys::counter_key`]).
pub type NetworkKey = [u8; 32];

/// A caller that wants to hash.
#[derive(Clone, Copy, Debug)]
pub enum HashingCaller {
    /// A command.
    Stranger,
    /// Any browser.
    Browser {
        /// The account whose password it posts, whether or not there is one; none while the post is not read.
        account: Option<AccountKey>,
        /// Its network.
        network: NetworkKey,
    },
    /// A known device of this account, or a person who has proven both steps.
    Known(AccountKey),
}

#[derive(Clone, Copy)]
enum Lane {
    Strangers = 0,
    Known = 1,
}

impl Lane {
    const fn other(self) -> Self {
        match self {
            Self::Strangers => Self::Known,
            Self::Known => Self::Strangers,
        }
    }
}

/// Why a caller has no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdmissionError {
    /// No queue slot was free.
    QueueFull,
    /// The wait was too long.
    TimedOut,
}

/// The lanes and their permits. Clones share them.
#[derive(Clone)]
pub(crate) struct AdmissionQueue(Arc<Inner>);

struct Inner {
    permits: usize,
    max_wait: Duration,
    /// The queue slots of the larger lane.
    max_lane_slots: usize,
    queue_slots: [Semaphore; 2],
    queue: Mutex<Queue>,
    /// Callers in the lane of known devices.
    accounts: LimitedCounts<AccountKey>,
    /// Who waits in the lane of strangers.
    shares: LaneShares,
}

/// While a permit is free, no caller waits.
struct Queue {
    free_permits: usize,
    waiting: [VecDeque<oneshot::Sender<Permit>>; 2],
    next_lane: Lane,
}

impl Queue {
    fn pop_next(&mut self) -> Option<oneshot::Sender<Permit>> {
        let [strangers, known] = &mut self.waiting;
        let (mine, other) = match self.next_lane {
            Lane::Strangers => (strangers, known),
            Lane::Known => (known, strangers),
        };
        if let Some(next) = pop_waiting(mine) {
            self.next_lane = self.next_lane.other();
            return Some(next);
        }
        pop_waiting(other)
    }
}

/// The waiter that has waited longest and was not cancelled. Cancelled ones use no turn of the lane: otherwise a client that
/// connects and leaves all the time would delay the callers behind it.
fn pop_waiting(lane: &mut VecDeque<oneshot::Sender<Permit>>) -> Option<oneshot::Sender<Permit>> {
    std::iter::from_fn(|| lane.pop_front()).find(|waiter| !waiter.is_closed())
}

/// A permit to hash; passed to the next waiter when dropped.
pub(crate) struct Permit(Option<Arc<Inner>>);

/// What an admitted caller holds.
pub(crate) struct AdmissionPermit {
    _permit: Permit,
    _account_permit: Option<Taken<AccountKey>>,
}

impl AdmissionQueue {
    /// Creates a queue: `permits` callers hash at once, `queue_slots` wait, each for `max_wait` at most.
    pub(crate) fn new(permits: usize, queue_slots: usize, max_wait: Duration) -> Self {
        let known = (queue_slots / 2).max(1);
        let strangers = queue_slots.saturating_sub(queue_slots / 2).max(1);
        let waiting = [VecDeque::new(), VecDeque::new()];
        Self(Arc::new(Inner {
            permits,
            max_wait,
            max_lane_slots: strangers.max(known),
            queue_slots: [Semaphore::new(strangers), Semaphore::new(known)],
            queue: Mutex::new(Queue { free_permits: permits, waiting, next_lane: Lane::Known }),
            accounts: LimitedCounts::default(),
            shares: LaneShares::new(strangers),
        }))
    }

    /// Takes a permit, at once or after a wait.
    pub(crate) async fn acquire(
        &self,
        caller: HashingCaller,
    ) -> Result<AdmissionPermit, AdmissionError> {
        let account_permit = match caller {
            HashingCaller::Stranger | HashingCaller::Browser { .. } => None,
            HashingCaller::Known(account) => {
                self.0.accounts.try_take(&[(account, PERMITS_PER_ACCOUNT)])
            }
        };
        let lane = if account_permit.is_some() { Lane::Known } else { Lane::Strangers };
        let inner = &self.0;
        let (_slot, _shares, permit_receiver) = {
            let mut queue = inner.lock_queue();
            if queue.free_permits > 0 {
                queue.free_permits -= 1;
                let permit = Permit(Some(Arc::clone(inner)));
                return Ok(AdmissionPermit { _permit: permit, _account_permit: account_permit });
            }
            let [strangers, known] = &inner.queue_slots;
            let [strangers_waiting, known_waiting] = &mut queue.waiting;
            let (slots, waiting) = match lane {
                Lane::Strangers => (strangers, strangers_waiting),
                Lane::Known => (known, known_waiting),
            };
            let slot = slots.try_acquire().map_err(|_| AdmissionError::QueueFull)?;
            let shares = match lane {
                Lane::Known => None,
                Lane::Strangers => {
                    Some(inner.shares.try_take(caller).ok_or(AdmissionError::QueueFull)?)
                }
            };
            // More waiters than slots: some of them were cancelled.
            if waiting.len() >= inner.max_lane_slots {
                waiting.retain(|waiter| !waiter.is_closed());
            }
            let (sender, receiver) = oneshot::channel();
            waiting.push_back(sender);
            (slot, shares, receiver)
        };
        match timeout(inner.max_wait, permit_receiver).await {
            Ok(Ok(permit)) => {
                Ok(AdmissionPermit { _permit: permit, _account_permit: account_permit })
            }
            Ok(Err(_)) | Err(_) => Err(AdmissionError::TimedOut),
        }
    }

    /// Whether a caller would be rejected now; takes no permit.
    pub(crate) fn is_full(&self, caller: HashingCaller) -> bool {
        let inner = &self.0;
        if inner.lock_queue().free_permits > 0 {
            return false;
        }
        let [strangers, known] = &inner.queue_slots;
        match caller {
            HashingCaller::Known(account)
                if inner.accounts.has_left(&[(account, PERMITS_PER_ACCOUNT)]) =>
            {
                known.available_permits() == 0
            }
            HashingCaller::Stranger | HashingCaller::Browser { .. } | HashingCaller::Known(_) => {
                strangers.available_permits() == 0 || !inner.shares.is_available(caller)
            }
        }
    }

    /// Permits in use.
    pub(crate) fn in_use(&self) -> usize {
        self.0.permits.saturating_sub(self.0.lock_queue().free_permits)
    }

    /// Callers that wait: strangers, and known devices.
    #[must_use]
    pub(crate) fn waiting(&self) -> [usize; 2] {
        let queue = self.0.lock_queue();
        let count_waiting = |lane: &VecDeque<oneshot::Sender<Permit>>| {
            lane.iter().filter(|waiter| !waiter.is_closed()).count()
        };
        let [strangers, known] = &queue.waiting;
        [count_waiting(strangers), count_waiting(known)]
    }
}

impl Inner {
    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(inner) = self.0.take() else { return };
        loop {
            let next = {
                let mut queue = inner.lock_queue();
                let next = queue.pop_next();
                queue.free_permits += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(Some(Arc::clone(&inner)))) {
                Ok(()) => return,
                // The waiter was cancelled.
                Err(mut permit) => permit.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    const fn account(byte: u8) -> HashingCaller {
        HashingCaller::Known([byte; 32])
    }

    async fn until_waiting(queue: &AdmissionQueue, strangers: usize, known: usize) {
        while queue.waiting() != [strangers, known] {
            tokio::task::yield_now().await;
        }
    }

    fn spawn_acquire(
        queue: &AdmissionQueue,
        known: Option<u8>,
    ) -> tokio::task::JoinHandle<Result<AdmissionPermit, AdmissionError>> {
        let queue = queue.clone();
        tokio::spawn(
            async move { queue.acquire(known.map_or(HashingCaller::Stranger, account)).await },
        )
    }

    #[tokio::test]
    async fn known_devices_keep_queue_slots() {
        let queue = AdmissionQueue::new(1, 4, LONG);
        let held = queue.acquire(HashingCaller::Stranger).await.unwrap();
        let (one, two) = (spawn_acquire(&queue, None), spawn_acquire(&queue, None));
        until_waiting(&queue, 2, 0).await;
        let full = queue.acquire(HashingCaller::Stranger).await.err();
        assert_eq!(full, Some(AdmissionError::QueueFull), "their half is full");
        let known = spawn_acquire(&queue, Some(1));
        until_waiting(&queue, 2, 1).await;
        // It came last and is served first: the lane of known devices has its turn.
        drop(held);
        let known = known.await.unwrap().unwrap();
        until_waiting(&queue, 2, 0).await;
        drop(known);
        assert!(one.await.unwrap().is_ok());
        assert!(two.await.unwrap().is_ok());
        assert_eq!(queue.0.lock_queue().free_permits, 1);
    }

    #[tokio::test]
    async fn lanes_are_served_in_turn() {
        let queue = AdmissionQueue::new(1, 8, LONG);
        let mut held = queue.acquire(HashingCaller::Stranger).await;
        let mut strangers: VecDeque<_> = (0..3).map(|_| spawn_acquire(&queue, None)).collect();
        let mut known: VecDeque<_> = (0..3).map(|nth| spawn_acquire(&queue, Some(nth))).collect();
        until_waiting(&queue, 3, 3).await;
        for nth in 0..6 {
            drop(held);
            let lane = if nth % 2 == 0 { &mut known } else { &mut strangers };
            held = lane.pop_front().unwrap().await.unwrap();
            assert!(held.is_ok(), "{nth}");
        }
    }

    #[tokio::test]
    async fn one_account_cannot_fill_lane() {
        let queue = AdmissionQueue::new(1, 8, LONG);
        let held = queue.acquire(account(1)).await.unwrap();
        let same: Vec<_> = (0..3).map(|_| spawn_acquire(&queue, Some(1))).collect();
        until_waiting(&queue, 2, 1).await;
        drop(held);
        for one in same {
            assert!(one.await.unwrap().is_ok());
        }
        assert!(queue.0.accounts.is_unused());
        assert!(queue.0.shares.is_unused());
    }

    fn spawn_browser(
        queue: &AdmissionQueue,
        account: u8,
        network: u8,
    ) -> tokio::task::JoinHandle<Result<AdmissionPermit, AdmissionError>> {
        let queue = queue.clone();
        let (account, network) = (Some([account; 32]), [network; 32]);
        tokio::spawn(
            async move { queue.acquire(HashingCaller::Browser { account, network }).await },
        )
    }

    #[tokio::test]
    async fn network_fills_eighth_of_strangers_lane() {
        let queue = AdmissionQueue::new(1, 128, LONG);
        let held = queue.acquire(HashingCaller::Stranger).await.unwrap();
        let flood: Vec<_> = (0..100).map(|nth| spawn_browser(&queue, nth, 200)).collect();
        until_waiting(&queue, 8, 0).await;
        let caller = |account: u8, network: u8| HashingCaller::Browser {
            account: Some([account; 32]),
            network: [network; 32],
        };
        assert!(queue.is_full(caller(150, 200)) && !queue.is_full(caller(150, 201)));
        let other = spawn_browser(&queue, 150, 201);
        until_waiting(&queue, 9, 0).await;
        drop(held);
        let mut refused = 0;
        for post in flood {
            refused += u8::from(post.await.unwrap().is_err());
        }
        assert_eq!(refused, 92);
        assert!(other.await.unwrap().is_ok());
        assert!(queue.0.shares.is_unused());
    }

    /// A network that asks for one account all the time leaves a place at it to another network.
    #[tokio::test]
    async fn network_fills_one_slot_of_account() {
        let queue = AdmissionQueue::new(1, 128, LONG);
        let held = queue.acquire(HashingCaller::Stranger).await.unwrap();
        let flood: Vec<_> = (0..10).map(|_| spawn_browser(&queue, 1, 200)).collect();
        until_waiting(&queue, 1, 0).await;
        let others = [spawn_browser(&queue, 1, 201), spawn_browser(&queue, 2, 200)];
        until_waiting(&queue, 3, 0).await;
        drop(held);
        let mut refused = 0;
        for post in flood {
            refused += u8::from(post.await.unwrap().is_err());
        }
        assert_eq!(refused, 9);
        for other in others {
            assert!(other.await.unwrap().is_ok());
        }
        assert!(queue.0.shares.is_unused());
    }

    /// Also by known devices of the account that its own share of their lane has no place for.
    #[tokio::test]
    async fn account_fills_two_strangers_slots() {
        let queue = AdmissionQueue::new(1, 128, LONG);
        let held = queue.acquire(HashingCaller::Stranger).await.unwrap();
        let flood: Vec<_> = (0..100).map(|network| spawn_browser(&queue, 200, network)).collect();
        until_waiting(&queue, 2, 0).await;
        let known: Vec<_> = (0..5).map(|_| spawn_acquire(&queue, Some(200))).collect();
        until_waiting(&queue, 2, 2).await;
        // Without a wait the share does not count.
        drop(held);
        // Each gives its permit back at once, whatever the order in which they are looked at.
        let posts = flood.into_iter().chain(known);
        let posts: Vec<_> =
            posts.map(|post| tokio::spawn(async move { post.await.unwrap().is_ok() })).collect();
        let mut admitted = 0;
        for post in posts {
            admitted += u8::from(post.await.unwrap());
        }
        assert_eq!(admitted, 4);
        for _ in 0..3 {
            assert!(spawn_browser(&queue, 200, 1).await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn cancelled_waiters_take_no_turn() {
        let queue = AdmissionQueue::new(1, 8, LONG);
        let held = queue.acquire(HashingCaller::Stranger).await.unwrap();
        let strangers = [spawn_acquire(&queue, None), spawn_acquire(&queue, None)];
        until_waiting(&queue, 2, 0).await;
        for _ in 0..100 {
            let fleeting = spawn_acquire(&queue, Some(1));
            until_waiting(&queue, 2, 1).await;
            fleeting.abort();
            assert!(fleeting.await.is_err());
        }
        assert!(queue.0.lock_queue().waiting[1].len() <= 4, "no more than there are slots");
        let owner = spawn_acquire(&queue, Some(2));
        until_waiting(&queue, 2, 1).await;
        // The lane of known devices has its turn, and cancelled waiters do not use it.
        drop(held);
        assert!(owner.await.unwrap().is_ok());
        for stranger in strangers {
            assert!(stranger.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn permit_of_cancelled_waiter_passes_on() {
        let queue = AdmissionQueue::new(1, 4, LONG);
        let held = queue.acquire(HashingCaller::Stranger).await.unwrap();
        let (gone, stays) = (spawn_acquire(&queue, None), spawn_acquire(&queue, None));
        until_waiting(&queue, 2, 0).await;
        gone.abort();
        assert!(gone.await.is_err());
        drop(held);
        assert!(stays.await.unwrap().is_ok());
        assert_eq!(queue.0.lock_queue().free_permits, 1);
        assert_eq!(queue.0.queue_slots[0].available_permits(), 2);
    }
}
