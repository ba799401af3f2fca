//! Who may compute, and who waits: two lanes in front of the same places (decision 4).
//!
//! Each lane has half of the seats to wait on, and nobody sits down in the other's. Who waits in both is served in turn; a
//! lane where nobody waits leaves its turns to the other. So strangers, however many, neither fill the half of known
//! devices nor make one wait behind more than its own lane.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

/// Places and seats that one account has in the lane of known devices; what is asked for it beyond is a stranger's.
const EACH: u8 = 2;

/// An account, by the key of its counters ([`crate::RootKeys::lookup`]).
pub type Account = [u8; 32];

/// Who asks for a place.
#[derive(Clone, Copy, Debug)]
pub enum Guest {
    /// Anybody.
    Stranger,
    /// A known device of this account, or somebody who has proven both steps.
    Known(Account),
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

/// Why a guest has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    /// No seat was free.
    Full,
    /// The wait was too long.
    Waited,
}

/// The lanes. Copies share them.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    places: usize,
    wait: Duration,
    /// No lane has more seats.
    most: usize,
    seats: [Semaphore; 2],
    line: Mutex<Line>,
    accounts: Mutex<HashMap<Account, u8>>,
}

/// While a place is free nobody waits.
struct Line {
    free: usize,
    waiting: [VecDeque<oneshot::Sender<Place>>; 2],
    turn: Lane,
}

impl Line {
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        let [strangers, known] = &mut self.waiting;
        let (mine, other) = match self.turn {
            Lane::Strangers => (strangers, known),
            Lane::Known => (known, strangers),
        };
        if let Some(next) = first_of(mine) {
            self.turn = self.turn.other();
            return Some(next);
        }
        first_of(other)
    }
}

/// Who has waited longest and is still there. Who has left costs the lane no turn: otherwise somebody who comes and goes all
/// the time would keep those behind them waiting.
fn first_of(lane: &mut VecDeque<oneshot::Sender<Place>>) -> Option<oneshot::Sender<Place>> {
    std::iter::from_fn(|| lane.pop_front()).find(|seat| !seat.is_closed())
}

/// A place among those who compute; given on when dropped.
pub(crate) struct Place(Option<Arc<Inner>>);

/// What a guest holds.
pub(crate) struct Admitted {
    _place: Place,
    _held: Option<Held>,
}

/// One of the places of an account; given back when dropped.
struct Held(Arc<Inner>, Account);

impl Gate {
    /// `places` compute at once, `seats` wait, each for `wait` at most.
    pub(crate) fn new(places: usize, seats: usize, wait: Duration) -> Self {
        let known = (seats / 2).max(1);
        let strangers = seats.saturating_sub(seats / 2).max(1);
        let waiting = [VecDeque::new(), VecDeque::new()];
        Self(Arc::new(Inner {
            places,
            wait,
            most: strangers.max(known),
            seats: [Semaphore::new(strangers), Semaphore::new(known)],
            line: Mutex::new(Line { free: places, waiting, turn: Lane::Known }),
            accounts: Mutex::default(),
        }))
    }

    /// A place, now or after a wait.
    pub(crate) async fn enter(&self, guest: Guest) -> Result<Admitted, Turned> {
        let held = match guest {
            Guest::Stranger => None,
            Guest::Known(account) => Held::of(&self.0, account),
        };
        let lane = if held.is_some() { Lane::Known } else { Lane::Strangers };
        let inner = &self.0;
        let (_seat, waited_for) = {
            let mut door = inner.line();
            if door.free > 0 {
                door.free -= 1;
                let place = Place(Some(Arc::clone(inner)));
                return Ok(Admitted { _place: place, _held: held });
            }
            let [strangers, known] = &inner.seats;
            let [at_strangers, at_known] = &mut door.waiting;
            let (seats, waiting) = match lane {
                Lane::Strangers => (strangers, at_strangers),
                Lane::Known => (known, at_known),
            };
            let seat = seats.try_acquire().map_err(|_| Turned::Full)?;
            // More than there are seats: some of them have left.
            if waiting.len() >= inner.most {
                waiting.retain(|seat| !seat.is_closed());
            }
            let (give, given) = oneshot::channel();
            waiting.push_back(give);
            (seat, given)
        };
        match timeout(inner.wait, waited_for).await {
            Ok(Ok(place)) => Ok(Admitted { _place: place, _held: held }),
            Ok(Err(_)) | Err(_) => Err(Turned::Waited),
        }
    }

    /// Whether a guest would be turned away now: it costs nothing to find out.
    pub(crate) fn is_full(&self, guest: Guest) -> bool {
        let inner = &self.0;
        if inner.line().free > 0 {
            return false;
        }
        let [strangers, known] = &inner.seats;
        let seats = match guest {
            Guest::Known(account) if Held::has_room(inner, account) => known,
            Guest::Stranger | Guest::Known(_) => strangers,
        };
        seats.available_permits() == 0
    }

    /// How many compute.
    pub(crate) fn used(&self) -> usize {
        self.0.places.saturating_sub(self.0.line().free)
    }

    /// How many wait: strangers, and known devices.
    #[must_use]
    pub(crate) fn waiting(&self) -> [usize; 2] {
        let line = self.0.line();
        let sitting = |lane: &VecDeque<oneshot::Sender<Place>>| {
            lane.iter().filter(|seat| !seat.is_closed()).count()
        };
        let [strangers, known] = &line.waiting;
        [sitting(strangers), sitting(known)]
    }
}

impl Inner {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(inner) = self.0.take() else { return };
        loop {
            let next = {
                let mut line = inner.line();
                let next = line.next();
                line.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(Some(Arc::clone(&inner)))) {
                Ok(()) => return,
                // Whoever sat there has left.
                Err(mut place) => place.0 = None,
            }
        }
    }
}

impl Held {
    fn has_room(inner: &Inner, account: Account) -> bool {
        let accounts = inner.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(&account).is_none_or(|held| *held < EACH)
    }

    fn of(inner: &Arc<Inner>, account: Account) -> Option<Self> {
        let mut accounts = inner.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let held = accounts.entry(account).or_default();
        if *held >= EACH {
            return None;
        }
        *held += 1;
        Some(Self(Arc::clone(inner), account))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = accounts.get_mut(&self.1) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                accounts.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    const fn account(byte: u8) -> Guest {
        Guest::Known([byte; 32])
    }

    async fn sits(gate: &Gate, strangers: usize, known: usize) {
        while gate.waiting() != [strangers, known] {
            tokio::task::yield_now().await;
        }
    }

    fn enter(gate: &Gate, known: Option<u8>) -> tokio::task::JoinHandle<Result<Admitted, Turned>> {
        let gate = gate.clone();
        tokio::spawn(async move { gate.enter(known.map_or(Guest::Stranger, account)).await })
    }

    #[tokio::test]
    async fn known_devices_keep_queue_slots() {
        let gate = Gate::new(1, 4, LONG);
        let held = gate.enter(Guest::Stranger).await.unwrap();
        let (one, two) = (enter(&gate, None), enter(&gate, None));
        sits(&gate, 2, 0).await;
        let full = gate.enter(Guest::Stranger).await.err();
        assert_eq!(full, Some(Turned::Full), "their half is full");
        let known = enter(&gate, Some(1));
        sits(&gate, 2, 1).await;
        // Last to come, first to be served: it is the turn of the known.
        drop(held);
        let known = known.await.unwrap().unwrap();
        sits(&gate, 2, 0).await;
        drop(known);
        assert!(one.await.unwrap().is_ok());
        assert!(two.await.unwrap().is_ok());
        assert_eq!(gate.0.line().free, 1);
    }

    #[tokio::test]
    async fn lanes_are_served_in_turn() {
        let gate = Gate::new(1, 8, LONG);
        let mut held = gate.enter(Guest::Stranger).await;
        let mut strangers: VecDeque<_> = (0..3).map(|_| enter(&gate, None)).collect();
        let mut known: VecDeque<_> = (0..3).map(|nth| enter(&gate, Some(nth))).collect();
        sits(&gate, 3, 3).await;
        for nth in 0..6 {
            drop(held);
            let lane = if nth % 2 == 0 { &mut known } else { &mut strangers };
            held = lane.pop_front().unwrap().await.unwrap();
            assert!(held.is_ok(), "{nth}");
        }
    }

    #[tokio::test]
    async fn one_account_cannot_fill_lane() {
        let gate = Gate::new(1, 8, LONG);
        let held = gate.enter(account(1)).await.unwrap();
        let same: Vec<_> = (0..3).map(|_| enter(&gate, Some(1))).collect();
        sits(&gate, 2, 1).await;
        drop(held);
        for one in same {
            assert!(one.await.unwrap().is_ok());
        }
        assert!(gate.0.accounts.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn cancelled_waiters_take_no_turn() {
        let gate = Gate::new(1, 8, LONG);
        let held = gate.enter(Guest::Stranger).await.unwrap();
        let strangers = [enter(&gate, None), enter(&gate, None)];
        sits(&gate, 2, 0).await;
        for _ in 0..100 {
            let fleeting = enter(&gate, Some(1));
            sits(&gate, 2, 1).await;
            fleeting.abort();
            assert!(fleeting.await.is_err());
        }
        assert!(gate.0.line().waiting[1].len() <= 4, "no more than there are seats");
        let owner = enter(&gate, Some(2));
        sits(&gate, 2, 1).await;
        // It is the turn of the known, and of nobody who has left.
        drop(held);
        assert!(owner.await.unwrap().is_ok());
        for stranger in strangers {
            assert!(stranger.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn permit_of_cancelled_waiter_passes_on() {
        let gate = Gate::new(1, 4, LONG);
        let held = gate.enter(Guest::Stranger).await.unwrap();
        let (gone, stays) = (enter(&gate, None), enter(&gate, None));
        sits(&gate, 2, 0).await;
        gone.abort();
        assert!(gone.await.is_err());
        drop(held);
        assert!(stays.await.unwrap().is_ok());
        assert_eq!(gate.0.line().free, 1);
        assert_eq!(gate.0.seats[0].available_permits(), 2);
    }
}
