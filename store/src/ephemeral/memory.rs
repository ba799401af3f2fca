//! Counters in the memory of one process.

use std::{collections::HashMap, sync::Mutex};

use crate::Timestamp;

/// The most keys that are kept. Beyond it those whose window has ended are removed, and, if none has, the half with the
/// smallest counts: a client can make many keys, but each costs it a request, so keys near their limits stay.
const MAX_KEYS: usize = 100_000;

/// A window of time in which a key is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its number among the windows of the same length.
    pub(super) slot: i64,
    /// When it ends. Keys have windows of different lengths, so slots of two keys cannot be compared.
    pub(super) end: Timestamp,
}

/// Counters by key, of the newest window seen for each.
#[derive(Debug, Default)]
pub(super) struct MemoryCounters(Mutex<HashMap<String, (Window, i64)>>);

impl MemoryCounters {
    /// Adds hits, or refunds them when negative, never below zero; returns the count. A late hit of the previous window,
    /// whose request has waited, counts in the current one; a late refund is ignored.
    pub(super) fn add(&self, key: &str, window: Window, hits: i64, now: Timestamp) -> i64 {
        let mut counters = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if counters.len() >= MAX_KEYS {
            counters.retain(|_, (window, _)| window.end > now);
            if counters.len() >= MAX_KEYS {
                drop_smallest_half(&mut counters);
            }
        }
        let entry = counters.entry(key.to_owned()).or_insert((window, 0));
        let late = entry.0.slot == window.slot.saturating_add(1);
        if late && hits < 0 {
            return entry.1;
        }
        if entry.0 != window && !late {
            *entry = (window, 0);
        }
        entry.1 = entry.1.saturating_add(hits).max(0);
        entry.1
    }
}

/// Removes the half of the keys that have the smallest counts.
fn drop_smallest_half(counters: &mut HashMap<String, (Window, i64)>) {
    let half = counters.len() / 2;
    let mut counts: Vec<i64> = counters.values().map(|(_, count)| *count).collect();
    let (below, median, _) = counts.select_nth_unstable(half);
    let median = *median;
    // Of the keys with this count, as many are removed as make the half.
    let mut surplus = half - below.iter().filter(|count| **count < median).count();
    counters.retain(|_, (_, count)| {
        if *count == median && surplus > 0 {
            surplus -= 1;
            return false;
        }
        *count >= median
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn window(length: i64, slot: i64) -> Window {
        Window { slot, end: at((slot + 1) * length) }
    }

    #[test]
    fn new_slot_starts_at_one() {
        let memory = MemoryCounters::default();
        let add = |key, slot| memory.add(key, window(60, slot), 1, at(slot * 60));
        assert_eq!((add("a", 1), add("a", 1)), (1, 2));
        assert_eq!((add("b", 1), add("a", 2)), (1, 1));
    }

    #[test]
    fn late_hit_keeps_newer_counts() {
        let memory = MemoryCounters::default();
        let add = |slot, hits| memory.add("a", window(60, slot), hits, at(121));
        assert_eq!((add(1, 1), add(2, 5)), (1, 5));
        assert_eq!((add(1, -1), add(1, 1), add(2, 1)), (5, 6, 7));
        // A clock that was set back by more starts a new count.
        assert_eq!(add(0, 1), 1);
    }

    #[test]
    fn counts_never_fall_below_zero() {
        let memory = MemoryCounters::default();
        let add = |hits| memory.add("a", window(60, 1), hits, at(60));
        assert_eq!((add(-3), add(2), add(-1), add(-5), add(1)), (0, 2, 1, 0, 1));
    }

    #[test]
    fn longer_window_survives_eviction() {
        let memory = MemoryCounters::default();
        memory.add("long", window(300, 0), 7, at(0));
        for nth in 1..MAX_KEYS {
            memory.add(&nth.to_string(), window(60, 0), 1, at(0));
        }
        assert_eq!(memory.add("new", window(60, 1), 1, at(60)), 1);
        assert_eq!(memory.add("long", window(300, 0), 1, at(61)), 8);
        assert_eq!(memory.0.lock().unwrap().len(), 2);
    }

    #[test]
    fn many_keys_leave_large_counts() {
        let memory = MemoryCounters::default();
        let add = |key: &str| memory.add(key, window(60, 0), 1, at(0));
        for _ in 0..30 {
            add("limited");
        }
        for nth in 0..MAX_KEYS + MAX_KEYS / 2 {
            add(&nth.to_string());
        }
        assert_eq!(add("limited"), 31);
        let keys = memory.0.lock().unwrap().len();
        assert!((MAX_KEYS / 2..=MAX_KEYS).contains(&keys), "{keys}");
    }

    #[test]
    fn equal_counts_lose_only_half() {
        let memory = MemoryCounters::default();
        for nth in 0..=MAX_KEYS {
            memory.add(&nth.to_string(), window(60, 0), 5, at(0));
        }
        assert_eq!(memory.0.lock().unwrap().len(), MAX_KEYS / 2 + 1);
    }
}
