//! The list of live settings, the values that each may have, and the snapshot that requests read.

use std::time::Duration;

use store::{Sql, document};

use crate::Result;

/// The type of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A length of time: `30s`, `15m`, `12h`, `7d`.
    Duration,
    /// A length of time, or `off`.
    DurationOrOff,
    /// A whole number.
    Count,
}

/// One setting of the list.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name, as in `idp setting set NAME VALUE`.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// Value while no operator has changed it.
    pub default: &'static str,
    /// Minimum.
    pub least: &'static str,
    /// Maximum.
    pub most: &'static str,
    /// Description, for the command line.
    pub about: &'static str,
}

/// The value of a length of time that means never.
const OFF: &str = "off";

macro_rules! settings {
    ($($field:ident: $kind:ident = $name:literal, $default:literal in $least:literal ..= $most:literal, $about:literal;)*) => {
        /// A snapshot of every live setting.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $(#[doc = $about] pub $field: settings!(@type $kind),)*
        }

        /// The one list of settings.
        pub const ALL: &[Setting] = &[
            $(Setting { name: $name, kind: Kind::$kind, default: $default, least: $least, most: $most, about: $about },)*
        ];

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: settings!(@value $kind, $default).unwrap_or_default(),)* }
            }
        }

        impl Settings {
            /// Stores a checked value in the snapshot; a name that this build does not know is ignored.
            fn put(&mut self, name: &str, value: &str) {
                match name {
                    $($name => if let Some(value) = settings!(@value $kind, value) { self.$field = value; },)*
                    _ => {}
                }
            }
        }
    };
    (@type Duration) => { Duration };
    (@type DurationOrOff) => { Option<Duration> };
    (@type Count) => { i64 };
    (@value Duration, $text:expr) => { parse_duration($text) };
    (@value DurationOrOff, $text:expr) => {
        if $text == OFF { Some(None) } else { parse_duration($text).map(Some) }
    };
    (@value Count, $text:expr) => { $text.parse::<i64>().ok() };
}

settings! {
    code_window: Duration = "sign_in.code_window", "15m" in "2m" ..= "60m",
        "How long a mailed code works, counted from the moment the mail server accepts the mail. Applies to codes already sent.";
    code_tries: Count = "sign_in.code_tries", "5" in "3" ..= "10",
        "Guesses at one mailed code.";
    code_failures: Count = "sign_in.code_failures", "10" in "3" ..= "100000",
        "Wrong codes of a known device, of one network at a person, or of all strangers at a person, before a wait begins.";
    code_wait: Duration = "sign_in.code_wait", "1h" in "1m" ..= "24h",
        "First wait after too many wrong codes; it doubles with each further one.";
    code_wait_most: Duration = "sign_in.code_wait_most", "24h" in "1h" ..= "24h",
        "Longest wait after wrong codes.";
    password_failures: Count = "sign_in.password_failures", "10" in "3" ..= "100000",
        "Wrong passwords of a known device, of one network at a person, or of all strangers at a person, before a wait begins.";
    password_wait: Duration = "sign_in.password_wait", "1m" in "10s" ..= "1h",
        "First wait after too many wrong passwords; it doubles with each further one.";
    password_wait_most: Duration = "sign_in.password_wait_most", "1h" in "1m" ..= "24h",
        "Longest wait after wrong passwords.";
    sends_per_hour: Count = "sign_in.sends_per_hour", "6" in "2" ..= "100000",
        "Codes mailed to one person in an hour: so many for all strangers together, and so many for all known devices together.";
    sends_per_day: Count = "sign_in.sends_per_day", "15" in "2" ..= "100000",
        "Codes mailed to one person in a day: so many for all strangers together, and so many for all known devices together.";
    resend_wait: Duration = "sign_in.resend_wait", "30s" in "0s" ..= "10m",
        "Wait before a code can be sent again; it doubles with each sending, up to four times as long.";
    posts_per_minute: Count = "sign_in.posts_per_minute", "300" in "10" ..= "1000000",
        "Sign-in posts from one IPv4 address or one IPv6 /64 in a minute.";
    posts_per_minute_ipv6_48: Count = "sign_in.posts_per_minute_ipv6_48", "1200" in "10" ..= "1000000",
        "Sign-in posts from one IPv6 /48 in a minute.";
    posts_per_minute_device: Count = "sign_in.posts_per_minute_device", "60" in "10" ..= "1000000",
        "Sign-in posts in a minute for one account, of all its known devices and of people who have proven both steps for it, when their network has had too many.";
    failures_ipv4: Count = "sign_in.network_failures_ipv4", "200" in "10" ..= "1000000",
        "Wrong passwords and codes of strangers from one IPv4 address in five minutes.";
    failures_ipv6_64: Count = "sign_in.network_failures_ipv6_64", "40" in "10" ..= "1000000",
        "Wrong passwords and codes of strangers from one IPv6 /64 in five minutes.";
    failures_ipv6_48: Count = "sign_in.network_failures_ipv6_48", "200" in "10" ..= "1000000",
        "Wrong passwords and codes of strangers from one IPv6 /48 in five minutes.";
    network_share: Count = "sign_in.network_share", "5" in "1" ..= "100000",
        "Failures of one network at one person that count against what all strangers have at that person.";
    device_lifetime: Duration = "sign_in.device_lifetime", "90d" in "1d" ..= "365d",
        "How long a browser is known to an account after a completed sign-in.";
    guess_budget: Count = "sign_in.guess_budget", "10000" in "1" ..= "1000000000",
        "Wrong codes on the whole site in 24 hours, beyond which strangers get fewer tries.";
    guess_budget_tries: Count = "sign_in.guess_budget_tries", "2" in "1" ..= "10",
        "Guesses of a stranger at one mailed code beyond the guess budget.";
    guess_budget_tries_per_day: Count = "sign_in.guess_budget_tries_per_day", "3" in "1" ..= "100000",
        "Guesses of strangers at the codes of one person in a day beyond the guess budget.";
    refusals_per_minute: Count = "token.refusals_per_minute", "60" in "1" ..= "100000",
        "Refusals at the token endpoint that are written into the audit trail, from one network in a minute. Nothing is refused by it.";
    totp_apps: Count = "totp.apps", "3" in "1" ..= "5",
        "Authenticator apps of one person.";
    passkeys: Count = "passkeys.limit", "20" in "1" ..= "50",
        "Passkeys of one person.";
    session_idle: Duration = "session.idle", "30m" in "5m" ..= "24h",
        "A session ends when it was not used for this long.";
    session_absolute: Duration = "session.absolute", "12h" in "15m" ..= "30d",
        "A session ends this long after it began.";
    access_token: Duration = "token.access", "5m" in "1m" ..= "1h",
        "Lifetime of an access token.";
    audit_retention: Duration = "retention.audit", "396d" in "30d" ..= "3650d",
        "How long rows of the audit trail are kept, and completed sign-ins that nothing refers to.";
    password_min_length: Count = "password.min_length", "15" in "8" ..= "64",
        "Least length of a new password, in characters (Unicode code points).";
    rotate_keys_after: DurationOrOff = "keys.rotate_after", "90d" in "1d" ..= "3650d",
        "Age at which a signing key is replaced by a new one; off leaves it to `idp key rotate`.";
}

/// Settings of which the first may not be more than the second: otherwise one of them could never take effect.
const AT_MOST: [(&str, &str); 7] = [
    ("sign_in.code_wait", "sign_in.code_wait_most"),
    ("sign_in.password_wait", "sign_in.password_wait_most"),
    ("sign_in.sends_per_hour", "sign_in.sends_per_day"),
    ("sign_in.posts_per_minute", "sign_in.posts_per_minute_ipv6_48"),
    ("sign_in.network_failures_ipv6_64", "sign_in.network_failures_ipv6_48"),
    ("sign_in.guess_budget_tries", "sign_in.code_tries"),
    ("session.idle", "session.absolute"),
];

/// Why a change of a setting is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// No such setting.
    #[error("there is no setting called {0}; `idp setting get` lists them")]
    Unknown(String),
    /// The value cannot be parsed.
    #[error("{name}: {value} is not {wanted}")]
    Unreadable {
        /// The setting.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The form that it should have.
        wanted: &'static str,
    },
    /// The value is out of its range.
    #[error("{name}: {value} is outside {least} to {most}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// Minimum.
        least: &'static str,
        /// Maximum.
        most: &'static str,
    },
    /// Other settings would contradict it.
    #[error("{}", .0.join("\n"))]
    Contradicts(Vec<String>),
    /// There is nothing to undo.
    #[error("{0} has never been changed, or each change was undone, so there is nothing to undo")]
    NothingToUndo(&'static str),
    /// Another change was made at the same time.
    #[error("{0} was changed at the same time; look at its history and try again")]
    Conflict(&'static str),
}

impl Setting {
    /// Finds a setting by name.
    pub fn find(name: &str) -> Result<&'static Self, BadSetting> {
        ALL.iter()
            .find(|setting| setting.name == name)
            .ok_or_else(|| BadSetting::Unknown(name.to_owned()))
    }

    pub(super) fn check(&self, value: &str) -> Result<(), BadSetting> {
        if self.kind == Kind::DurationOrOff && value == OFF {
            return Ok(());
        }
        let (least, most) = (self.number(self.least), self.number(self.most));
        let Some(number) = self.number(value) else {
            let wanted = match self.kind {
                Kind::Duration => "a duration such as 30s, 15m, 12h or 7d",
                Kind::DurationOrOff => "a duration such as 12h or 90d, or off",
                Kind::Count => "a whole number",
            };
            return Err(BadSetting::Unreadable {
                name: self.name,
                value: value.to_owned(),
                wanted,
            });
        };
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            return Err(BadSetting::OutOfRange {
                name: self.name,
                value: value.to_owned(),
                least: self.least,
                most: self.most,
            });
        }
        Ok(())
    }

    /// Whether two values mean the same: `60m` is `1h`.
    pub(super) fn is_same(&self, one: &str, other: &str) -> bool {
        one == other || self.number(one).is_some() && self.number(one) == self.number(other)
    }

    /// Checks a value against the other settings, whose values `current` says. All that it contradicts are named together.
    pub(super) fn check_with_others<'v>(
        &self,
        value: &'v str,
        current: impl Fn(&'static Self) -> &'v str,
    ) -> Result<(), BadSetting> {
        let in_force = |setting: &'static Self| {
            if setting.name == self.name { value } else { current(setting) }
        };
        let contradictions: Vec<String> = AT_MOST
            .iter()
            .filter(|(less, more)| *less == self.name || *more == self.name)
            .filter_map(|(less, more)| Some((Self::find(less).ok()?, Self::find(more).ok()?)))
            .filter(|(less, more)| less.number(in_force(less)) > more.number(in_force(more)))
            .map(|(less, more)| {
                let other = if less.name == self.name { more } else { less };
                format!(
                    "{} = {} would be more than {} = {}; change {} first",
                    less.name,
                    in_force(less),
                    more.name,
                    in_force(more),
                    other.name
                )
            })
            .collect();
        if contradictions.is_empty() {
            Ok(())
        } else {
            Err(BadSetting::Contradicts(contradictions))
        }
    }

    fn number(&self, value: &str) -> Option<i64> {
        match self.kind {
            Kind::Duration | Kind::DurationOrOff => {
                parse_duration(value).and_then(|d| i64::try_from(d.as_millis()).ok())
            }
            Kind::Count => value.parse().ok(),
        }
    }
}

impl Settings {
    /// Loads the current values. One that `setting set` would have refused was written by hand or by another build: it is
    /// not used, and the log has an alarm each time that it is read.
    pub async fn load(sql: &mut impl Sql) -> Result<Self> {
        let mut settings = Self::default();
        for row in document::all_current(sql, document::DocumentKind::Setting).await? {
            match Setting::find(&row.name).map(|setting| setting.check(&row.value)) {
                Ok(Ok(())) => settings.put(&row.name, &row.value),
                Ok(Err(bad)) => tracing::error!(
                    %bad,
                    "alarm: a setting in the database has a value that it cannot have; its default is in force"
                ),
                Err(_) => {}
            }
        }
        Ok(settings)
    }
}

/// Reads `30s`, `15m`, `12h`, `7d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_defaults_are_in_range() {
        for setting in ALL {
            assert_eq!(setting.check(setting.default), Ok(()), "{}", setting.name);
            assert!(setting.check(setting.least).is_ok() && setting.check(setting.most).is_ok());
        }
        assert_eq!(Settings::default().code_window, Duration::from_mins(15));
        let least = Setting::find("retention.audit").unwrap().least;
        assert_eq!(
            parse_duration(least),
            Some(crate::trail::MIN_RETENTION),
            "the floor of the sweep"
        );
    }

    #[test]
    fn contradicting_settings_are_named_together() {
        let defaults = |setting: &'static Setting| setting.default;
        for setting in ALL {
            let checked = setting.check_with_others(setting.default, defaults);
            assert_eq!(checked, Ok(()), "{}", setting.name);
        }
        for (less, more) in AT_MOST {
            let (less, more) = (Setting::find(less).unwrap(), Setting::find(more).unwrap());
            assert_eq!(less.check_with_others(more.default, defaults), Ok(()), "equal is allowed");
            for (changed, value) in [(less, less.most), (more, more.least)] {
                let refused = changed.check_with_others(value, |other| {
                    if other.name == more.name { more.least } else { less.most }
                });
                let why = refused.unwrap_err().to_string();
                assert!(why.contains(less.name) && why.contains(more.name), "{why}");
            }
        }
        let tries = Setting::find("sign_in.code_wait").unwrap();
        assert_eq!(
            tries.check_with_others("24h", |_| "1h").unwrap_err().to_string(),
            "sign_in.code_wait = 24h would be more than sign_in.code_wait_most = 1h; change sign_in.code_wait_most first"
        );
    }

    #[test]
    fn equal_values_are_compared_by_meaning() {
        let window = Setting::find("sign_in.code_window").unwrap();
        assert!(window.is_same("60m", "1h") && window.is_same("soon", "soon"));
        assert!(!window.is_same("60m", "61m") && !window.is_same("soon", "later"));
        let age = Setting::find("keys.rotate_after").unwrap();
        assert!(age.is_same("off", "off") && !age.is_same("off", "1d"));
    }

    #[test]
    fn setting_errors_name_expected_form() {
        let window = Setting::find("sign_in.code_window").unwrap();
        assert_eq!(
            window.check("soon").unwrap_err().to_string(),
            "sign_in.code_window: soon is not a duration such as 30s, 15m, 12h or 7d"
        );
        assert_eq!(
            window.check("3h").unwrap_err().to_string(),
            "sign_in.code_window: 3h is outside 2m to 60m"
        );
        assert!(Setting::find("sign_in.window").is_err());
        let age = Setting::find("keys.rotate_after").unwrap();
        assert_eq!(age.check("off"), Ok(()));
        assert!(age.check("1h").is_err() && window.check("off").is_err());
    }
}
