//! The only clock.
//!
//! Flows get a [`Timestamp`]; every present one comes from here. Tests move the shifted clock
//! instead of sleeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use store::Timestamp;

/// Where "now" comes from. Copies share the same shift.
#[derive(Clone, Debug)]
pub struct Clock {
    /// How far tests have moved time, for all replicas. The database's clock cannot be moved.
    shift_millis: Arc<AtomicI64>,
    /// The simulated error of this machine's clock, for tests.
    step_millis: Arc<AtomicI64>,
    /// The time at which a test has stopped the clock, or [`RUNS`].
    stopped_at: Arc<AtomicI64>,
}

/// The value of `stopped_at` while the clock runs.
const RUNS: i64 = i64::MIN;

/// Moves a shifted [`Clock`] and all its copies, for tests.
#[derive(Clone, Debug)]
pub struct ClockShift {
    shift_millis: Arc<AtomicI64>,
    stopped_at: Arc<AtomicI64>,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self {
            shift_millis: Arc::default(),
            step_millis: Arc::default(),
            stopped_at: Arc::new(AtomicI64::new(RUNS)),
        }
    }

    /// A clock that follows this machine's but can be moved, and its [`ClockShift`].
    #[must_use]
    pub fn shifted() -> (Self, ClockShift) {
        let clock = Self::system();
        let hand = ClockShift {
            shift_millis: Arc::clone(&clock.shift_millis),
            stopped_at: Arc::clone(&clock.stopped_at),
        };
        (clock, hand)
    }

    /// The clock of another machine at the same time, and the [`ClockShift`] that sets its error.
    #[must_use]
    pub fn stepped(&self) -> (Self, ClockShift) {
        let step_millis = Arc::<AtomicI64>::default();
        let hand = ClockShift {
            shift_millis: Arc::clone(&step_millis),
            stopped_at: Arc::clone(&self.stopped_at),
        };
        (Self { step_millis, ..self.clone() }, hand)
    }

    /// The present moment, to the millisecond.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let shift = self.shift_millis.load(Ordering::SeqCst);
        // A stopped clock moves by a millisecond at each read, so that events keep their order.
        let tick = |at| if at == RUNS { None } else { Some(at + 1) };
        let base_millis =
            match self.stopped_at.fetch_update(Ordering::SeqCst, Ordering::SeqCst, tick) {
                Ok(at) => at.saturating_add(self.step_millis.load(Ordering::SeqCst)),
                Err(_) => self.machine_now().millis(),
            };
        Timestamp::from_millis(base_millis.saturating_add(shift))
    }

    /// The present moment of this machine's clock, for comparison with the database's, which no test can move.
    #[must_use]
    pub(crate) fn machine_now(&self) -> Timestamp {
        let step = self.step_millis.load(Ordering::SeqCst);
        Timestamp::from_millis(machine_millis().saturating_add(step))
    }

    /// A stopwatch that starts now.
    #[must_use]
    #[expect(clippy::unused_self, reason = "only a part that was given the clock measures time")]
    pub(crate) fn stopwatch(&self) -> Stopwatch {
        #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
        Stopwatch(Instant::now())
    }
}

/// Measures how long something took, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// The time since it was started.
    #[must_use]
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl ClockShift {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_millis.fetch_add(by, Ordering::SeqCst);
    }

    /// Moves the clock back.
    pub fn set_back(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.shift_millis.fetch_sub(by, Ordering::SeqCst);
    }

    /// Sets the clock to `to`. It runs on from there.
    pub fn set(&self, to: Timestamp) {
        self.stopped_at.store(RUNS, Ordering::SeqCst);
        self.shift_millis.store(to.millis().saturating_sub(machine_millis()), Ordering::SeqCst);
    }

    /// Stops the clock at `at`, so that no new window of a limit begins, however slow the machine is.
    pub fn stop(&self, at: Timestamp) {
        self.shift_millis.store(0, Ordering::SeqCst);
        self.stopped_at.store(at.millis(), Ordering::SeqCst);
    }
}

/// A time of day in English, rounded down to the minute: `9:41 am`.
#[must_use]
pub(crate) fn clock_time(at: Timestamp, zone: &TimeZone) -> String {
    zoned(at, zone).strftime("%-I:%M %P").to_string()
}

/// A time of day for other languages: `9:41`, and the part of the day, `morning`, `afternoon` (from noon) or `evening`
/// (from six).
#[must_use]
pub(crate) fn time_of_day(at: Timestamp, zone: &TimeZone) -> (String, &'static str) {
    let at = zoned(at, zone);
    let part = match at.hour() {
        ..12 => "morning",
        12..18 => "afternoon",
        18.. => "evening",
    };
    (at.strftime("%-I:%M").to_string(), part)
}

/// The zone of a moment as people write it: `NZDT`, or `UTC+07:00` where it has no letters of its own.
#[must_use]
pub(crate) fn zone_name(at: Timestamp, zone: &TimeZone) -> String {
    let at = zoned(at, zone);
    let name = at.strftime("%Z").to_string();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return name;
    }
    at.strftime("UTC%:z").to_string()
}

/// Whether clocks are changed within a day of a moment, so that a time of day alone may be read wrongly.
#[must_use]
pub(crate) fn is_near_clock_change(at: Timestamp, zone: &TimeZone) -> bool {
    let day = Duration::from_hours(24);
    zoned(at.minus(day), zone).offset() != zoned(at.plus(day), zone).offset()
}

/// Whether two moments are on the same day in `zone`.
#[must_use]
pub(crate) fn is_same_day(one: Timestamp, other: Timestamp, zone: &TimeZone) -> bool {
    zoned(one, zone).date() == zoned(other, zone).date()
}

/// The moment in Coordinated Universal Time, for machines (RFC 3339): `2026-11-24T09:41:07.250Z`.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    zoned(at, &TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Parses a moment of the command line: RFC 3339, or a date for its midnight in Coordinated Universal Time.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let date =
        || text.parse::<jiff::civil::Date>()?.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
    // Only text of a date's length is a date: a time without a zone would otherwise be read as one.
    let parsed = if text.len() == "2026-11-24".len() { date() } else { text.parse() };
    parsed
        .map(|at| Timestamp::from_millis(at.as_millisecond()))
        .map_err(|_| "not a time such as 2026-11-24 or 2026-11-24T09:41:07Z".to_owned())
}

/// The moment as a [`SystemTime`].
#[must_use]
pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    let millis = Duration::from_millis(at.millis().unsigned_abs());
    let moved = if at.millis() < 0 {
        UNIX_EPOCH.checked_sub(millis)
    } else {
        UNIX_EPOCH.checked_add(millis)
    };
    moved.unwrap_or(UNIX_EPOCH)
}

/// The moment in `zone`. A moment outside the calendar (beyond the year 9999) becomes the calendar's nearest end.
pub(crate) fn zoned(at: Timestamp, zone: &TimeZone) -> jiff::Zoned {
    let end = if at.millis() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(end).to_zoned(zone.clone())
}

fn machine_millis() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn shift_moves_all_clock_copies() {
        let (clock, shift) = Clock::shifted();
        let copy = clock.clone();
        let noon = at("2026-11-24T12:00:00Z");
        shift.set(noon);
        assert!(copy.now() >= noon);
        shift.advance(Duration::from_mins(15));
        let later = copy.now().since(noon);
        assert!(later >= Duration::from_mins(15) && later < Duration::from_mins(16), "{later:?}");
    }

    #[test]
    fn system_clock_is_machine_time() {
        let before = machine_millis();
        let now = Clock::system().now().millis();
        assert!(before <= now && now <= machine_millis());
    }

    #[test]
    fn clock_time_is_floored_in_zone() {
        let zone = TimeZone::get("Pacific/Auckland").unwrap();
        assert_eq!(clock_time(at("2026-11-23T20:41:59.999Z"), &zone), "9:41 am");
        assert_eq!(clock_time(at("2026-11-24T11:05:00Z"), &zone), "12:05 am");
        assert_eq!(clock_time(at("2026-06-24T00:00:00Z"), &zone), "12:00 pm");
        assert_eq!(clock_time(at("2026-11-24T21:56:00Z"), &TimeZone::UTC), "9:56 pm");
    }

    #[test]
    fn zone_has_letters_or_its_offset() {
        let at = at("2026-11-23T20:41:00Z");
        for (zone, name) in [
            ("Pacific/Auckland", "NZDT"),
            ("Pacific/Chatham", "UTC+13:45"),
            ("Asia/Bangkok", "UTC+07:00"),
            ("UTC", "UTC"),
        ] {
            assert_eq!(zone_name(at, &TimeZone::get(zone).unwrap()), name);
        }
    }

    #[test]
    fn clock_change_is_noticed_a_day_around() {
        let zone = TimeZone::get("Pacific/Auckland").unwrap();
        for (moment, is_near) in [
            ("2026-04-03T13:00:00Z", false),
            ("2026-04-04T13:50:00Z", true),
            ("2026-04-05T13:00:00Z", true),
            ("2026-04-06T13:00:00Z", false),
            ("2026-09-26T14:00:00Z", true),
        ] {
            assert_eq!(is_near_clock_change(at(moment), &zone), is_near, "{moment}");
        }
    }

    #[test]
    fn day_ends_at_zone_midnight() {
        let zone = TimeZone::get("Pacific/Auckland").unwrap();
        let (before, after) = (at("2026-11-24T10:59:59Z"), at("2026-11-24T11:00:00Z"));
        assert!(!is_same_day(before, after, &zone));
        assert!(is_same_day(before, after, &TimeZone::UTC));
    }

    #[test]
    fn rfc3339_timestamps_round_trip() {
        let moment = at("2026-11-24T09:41:07.25Z");
        assert_eq!(rfc3339(moment), "2026-11-24T09:41:07.250Z");
        assert_eq!(
            system_time(moment).duration_since(UNIX_EPOCH).unwrap().as_millis(),
            1_795_513_267_250
        );
        assert!(rfc3339(Timestamp::from_millis(i64::MAX)).starts_with("9999-"));
        assert_eq!(super::parse_time("2026-11-24T09:41:07.25Z"), Ok(moment));
        assert_eq!(super::parse_time("2026-11-24T22:41:07.25+13:00"), Ok(moment));
        assert_eq!(super::parse_time("2026-11-24"), Ok(at("2026-11-24T00:00:00Z")));
        for bad in ["", "yesterday", "2026-11-24T09:41", "2026-13-01"] {
            assert!(super::parse_time(bad).is_err(), "{bad}");
        }
    }
}
