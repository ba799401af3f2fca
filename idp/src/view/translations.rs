//! Every text that a person reads, by locale (Fluent). The next language is one folder beside `locales/en`, one line in
//! [`FILES`] and one variant of [`Locale`].

use std::{collections::HashMap, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use jiff::tz::TimeZone;
use store::Timestamp;

use crate::{
    clock::{time_of_day, zone_name, zoned},
    locale::Locale,
};

/// Every language, with its files; English first, because it is the fallback for missing texts.
const FILES: [(Locale, [&str; 2]); 2] = [
    (
        Locale::En,
        [include_str!("../../locales/en/pages.ftl"), include_str!("../../locales/en/mail.ftl")],
    ),
    (
        Locale::Mi,
        [include_str!("../../locales/mi/pages.ftl"), include_str!("../../locales/mi/mail.ftl")],
    ),
];

/// An argument of a text: a string, or a number that selects a plural form.
pub(crate) type Argument<'a> = (&'a str, FluentValue<'a>);

impl Locale {
    /// A clock time as people read it, floored to the minute: `9:41 am`, `9:41 i te ata`.
    pub(crate) fn clock_time(self, at: Timestamp, zone: &TimeZone) -> String {
        let (time, part) = time_of_day(at, zone);
        self.tr("clock-time", &[("time", time.into()), ("part", part.into())])
    }

    /// A clock time with its zone, for a reader who may be elsewhere: `9:41 am NZDT`.
    pub(crate) fn clock_time_with_zone(self, at: Timestamp, zone: &TimeZone) -> String {
        let (time, zone) = (self.clock_time(at, zone), zone_name(at, zone));
        self.tr("clock-with-zone", &[("time", time.into()), ("zone", zone.into())])
    }

    /// A day as people read it: `24 November 2026`.
    pub(crate) fn day(self, at: Timestamp, zone: &TimeZone) -> String {
        let date = zoned(at, zone);
        let part = |name, format: &str| (name, date.strftime(format).to_string().into());
        self.tr("clock-day", &[part("day", "%-d"), part("month", "%B"), part("year", "%Y")])
    }

    /// "5 minutes", "2 hours": whole minutes, and from an hour and a half on hours, rounded up.
    pub(crate) fn length(self, minutes: u64) -> String {
        let (key, count) = if minutes < 90 {
            ("length-minutes", minutes)
        } else {
            ("length-hours", minutes.div_ceil(60))
        };
        self.tr(key, &[("count", count.into())])
    }

    /// A text without arguments.
    pub(crate) fn t(self, key: &str) -> &'static str {
        let found = translator(self).plain.get(key).or_else(|| translator(Self::En).plain.get(key));
        found.map_or_else(
            || {
                tracing::error!(key, "alarm: a text is missing");
                ""
            },
            String::as_str,
        )
    }

    /// A text with arguments.
    pub(crate) fn tr(self, key: &str, arguments: &[Argument<'_>]) -> String {
        let arguments: FluentArgs<'_> = arguments.iter().cloned().collect();
        let text = translator(self).format_message(key, &arguments);
        text.or_else(|| translator(Self::En).format_message(key, &arguments)).unwrap_or_else(|| {
            tracing::error!(key, "alarm: a text is missing or lacks an argument");
            String::new()
        })
    }
}

/// The texts of one language, parsed once.
struct Translator {
    bundle: FluentBundle<FluentResource>,
    plain: HashMap<String, String>,
}

static TRANSLATORS: LazyLock<Vec<(Locale, Translator)>> = LazyLock::new(|| {
    FILES.iter().map(|(locale, files)| (*locale, Translator::new(locale.tag(), files))).collect()
});

/// The texts of a language; empty if it has no files.
fn translator(locale: Locale) -> &'static Translator {
    static EMPTY: LazyLock<Translator> = LazyLock::new(|| Translator::new("en", &[]));
    TRANSLATORS.iter().find(|(other, _)| *other == locale).map_or(&EMPTY, |(_, speaker)| speaker)
}

impl Translator {
    fn new(tag: &str, files: &[&str]) -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![tag.parse().unwrap_or_default()]);
        // Isolation marks around arguments would be in subjects, and screen readers would read them.
        bundle.set_use_isolating(false);
        let mut keys = Vec::new();
        for file in files {
            // The valid part of a file is used; the tests find errors.
            let resource =
                FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(part, _)| part);
            keys.extend(keys_of(file));
            bundle.add_resource_overriding(resource);
        }
        let mut translator = Self { bundle, plain: HashMap::new() };
        let none = FluentArgs::new();
        translator.plain = keys
            .iter()
            .filter_map(|key| Some((key.clone(), translator.format_message(key, &none)?)))
            .collect();
        translator
    }

    fn format_message(&self, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(arguments), &mut errors);
        errors.is_empty().then(|| text.into_owned())
    }
}

/// The keys of a file: a message begins its line, all else is indented or a comment.
fn keys_of(file: &str) -> Vec<String> {
    file.lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
