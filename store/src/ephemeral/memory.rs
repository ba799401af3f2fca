//! Counters of one process.

use std::{collections::HashMap, sync::Mutex};

/// Keys that are remembered at most; beyond it the whole slot is forgotten, which only makes a limit gentler.
const MOST_KEYS: usize = 100_000;

/// Counters by key, of the newest time slot seen for each.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<HashMap<String, (i64, i64)>>);

impl Memory {
    pub(super) fn add(&self, key: &str, slot: i64, hits: i64) -> i64 {
        let mut counters = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if counters.len() >= MOST_KEYS {
            counters.retain(|_, (seen, _)| *seen == slot);
            if counters.len() >= MOST_KEYS {
                counters.clear();
            }
        }
        let entry = counters.entry(key.to_owned()).or_insert((slot, 0));
        if entry.0 != slot {
            *entry = (slot, 0);
        }
        entry.1 = entry.1.saturating_add(hits);
        entry.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_slot_starts_at_one() {
        let memory = Memory::default();
        assert_eq!((memory.add("a", 1, 1), memory.add("a", 1, 1)), (1, 2));
        assert_eq!((memory.add("b", 1, 1), memory.add("a", 2, 1)), (1, 1));
    }
}
