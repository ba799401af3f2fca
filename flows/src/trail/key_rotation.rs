//! Which root key the trail may use, and until when: an attacker who stole a key before it was replaced can compute every
//! HMAC with it for ever, so an HMAC alone does not prove when it was made.

use std::time::Duration;

use keys::RootKeys;
use store::{Sql, Timestamp};

use crate::Result;

/// Replicas that do not have the new root key yet may use the old one for this long.
pub(super) const ROLLOUT: Duration = Duration::from_hours(24);

/// Root keys, and when each became current.
#[derive(Clone, Debug)]
pub(super) struct KeyRotation {
    /// The first of the configuration: an attacker who has only the database cannot make it an old one.
    current: String,
    since: Vec<(String, Timestamp)>,
}

impl KeyRotation {
    /// Reads it from the database.
    pub(super) async fn read(root: &RootKeys, sql: &mut impl Sql) -> Result<Self> {
        let rows = store::root_key::all(sql).await?;
        let since = rows.into_iter().map(|row| (row.id, row.since)).collect();
        Ok(Self { current: root.current_id().to_owned(), since })
    }

    /// Records that a seal uses a key. The time in the database at which the key became current is not authenticated, and
    /// may have been changed; a key is current at the latest when a seal uses it.
    pub(super) fn observe(&mut self, key: &str, at: Timestamp) {
        match self.since.iter_mut().find(|(id, _)| id == key) {
            Some((_, since)) => *since = at.min(*since),
            None => self.since.push((key.to_owned(), at)),
        }
    }

    /// Whether, at a time, a key had been replaced for longer than a rollout takes.
    pub(super) fn is_retired(&self, key: &str, at: Timestamp) -> bool {
        self.retired_at(key).is_some_and(|end| at > end)
    }

    fn retired_at(&self, key: &str) -> Option<Timestamp> {
        if key == self.current {
            return None;
        }
        let own = self.since.iter().find(|(id, _)| id == key).map(|(_, since)| *since);
        let replaces = |(id, since): &&(String, Timestamp)| {
            id != key && (*id == self.current || own.is_some_and(|own| *since > own))
        };
        // If an operator went back to an older key, the time of the abandoned key counts from when it became current.
        let ends = self.since.iter().filter(replaces).map(|(_, since)| own.max(Some(*since)));
        ends.min().flatten().map(|replaced| replaced.plus(ROLLOUT))
    }
}

#[cfg(test)]
impl KeyRotation {
    /// A rotation for tests, without a database.
    pub(super) fn of(current: &str, since: &[(&str, Timestamp)]) -> Self {
        let since = since.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect();
        Self { current: current.to_owned(), since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn day(number: u32) -> Timestamp {
        Timestamp::from_millis(0).plus(DAY * number)
    }

    fn keys(current: &str, since: &[(&str, u32)]) -> KeyRotation {
        let since: Vec<_> = since.iter().map(|(id, at)| (*id, day(*at))).collect();
        KeyRotation::of(current, &since)
    }

    #[test]
    fn key_ends_day_after_successor_begins() {
        let keys = keys("c", &[("a", 0), ("b", 10), ("c", 20)]);
        assert_eq!(
            [keys.retired_at("a"), keys.retired_at("b"), keys.retired_at("c")],
            [Some(day(11)), Some(day(21)), None]
        );
        assert!(!keys.is_retired("a", day(11)) && keys.is_retired("a", day(12)));
    }

    #[test]
    fn tampered_rows_extend_no_key() {
        // The stolen key is given a later time than all others.
        let mut moved = keys("c", &[("a", 99), ("c", 20)]);
        moved.observe("a", day(0));
        assert_eq!(moved.retired_at("a"), Some(day(21)));
        // The current key is given a later time than its own.
        let mut moved = keys("c", &[("a", 0), ("c", 99)]);
        moved.observe("c", day(20));
        assert_eq!(moved.retired_at("a"), Some(day(21)));
        // The row of the stolen key is deleted.
        assert_eq!(keys("c", &[("c", 20)]).retired_at("a"), Some(day(21)));
        assert_eq!(
            keys("c", &[("a", 0)]).retired_at("a"),
            None,
            "nothing is under the new one yet"
        );
    }

    #[test]
    fn reused_older_key_stays_valid() {
        let keys = keys("a", &[("a", 0), ("b", 10)]);
        assert_eq!([keys.retired_at("a"), keys.retired_at("b")], [None, Some(day(11))]);
    }
}
