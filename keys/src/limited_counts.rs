//! How many hold something at once, by key, each key with a limit.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The counts. Clones share them.
pub(crate) struct LimitedCounts<K>(Arc<Mutex<HashMap<K, usize>>>);

/// One of each of some keys; returned when dropped.
pub(crate) struct Taken<K: Copy + Eq + Hash> {
    counts: LimitedCounts<K>,
    keys: Vec<K>,
}

impl<K> Clone for LimitedCounts<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for LimitedCounts<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Copy + Eq + Hash> LimitedCounts<K> {
    /// Whether each key is below its limit.
    pub(crate) fn has_left(&self, limits: &[(K, usize)]) -> bool {
        has_left(&self.lock(), limits)
    }

    /// Takes one of each key, or of none.
    pub(crate) fn try_take(&self, limits: &[(K, usize)]) -> Option<Taken<K>> {
        let mut counts = self.lock();
        if !has_left(&counts, limits) {
            return None;
        }
        let keys: Vec<_> = limits.iter().map(|(key, _)| *key).collect();
        for key in &keys {
            *counts.entry(*key).or_default() += 1;
        }
        drop(counts);
        Some(Taken { counts: self.clone(), keys })
    }

    /// Whether nothing is taken.
    #[cfg(test)]
    pub(crate) fn is_unused(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_left<K: Eq + Hash>(counts: &HashMap<K, usize>, limits: &[(K, usize)]) -> bool {
    limits.iter().all(|(key, most)| counts.get(key).is_none_or(|count| count < most))
}

impl<K: Copy + Eq + Hash> Drop for Taken<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        for key in &self.keys {
            if let Some(count) = counts.get_mut(key) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
    }
}
