//! Every text that a person reads, by locale (Fluent). The next language is one folder beside `locales/en` and one line
//! in [`Locale::ALL`].

use std::{collections::HashMap, sync::LazyLock};

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

/// A language that pages and mails speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Locale {
    /// English.
    En,
}

/// An argument of a text: words, or a number that decides a plural.
pub(crate) type Argument<'a> = (&'a str, FluentValue<'a>);

impl Locale {
    /// Every language, with its files.
    const ALL: &[(Self, &str, [&str; 2])] = &[(
        Self::En,
        "en",
        [include_str!("../../locales/en/pages.ftl"), include_str!("../../locales/en/mail.ftl")],
    )];

    /// Its tag (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        Self::ALL.iter().find(|(locale, ..)| *locale == self).map_or("en", |(_, tag, _)| tag)
    }

    /// A text without arguments.
    pub(crate) fn t(self, key: &str) -> &'static str {
        let found = speaker(self).plain.get(key).or_else(|| speaker(Self::En).plain.get(key));
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
        let said = speaker(self).say(key, &arguments);
        said.or_else(|| speaker(Self::En).say(key, &arguments)).unwrap_or_else(|| {
            tracing::error!(key, "alarm: a text is missing or lacks an argument");
            String::new()
        })
    }
}

/// The texts of one language, parsed once.
struct Speaker {
    bundle: FluentBundle<FluentResource>,
    plain: HashMap<String, String>,
}

static SPEAKERS: LazyLock<Vec<(Locale, Speaker)>> = LazyLock::new(|| {
    Locale::ALL.iter().map(|(locale, tag, files)| (*locale, Speaker::new(tag, files))).collect()
});

/// English stands in for a language that is not there, and is always there.
fn speaker(locale: Locale) -> &'static Speaker {
    static SILENT: LazyLock<Speaker> = LazyLock::new(|| Speaker::new("en", &[]));
    SPEAKERS.iter().find(|(other, _)| *other == locale).map_or(&SILENT, |(_, speaker)| speaker)
}

impl Speaker {
    fn new(tag: &str, files: &[&str]) -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![tag.parse().unwrap_or_default()]);
        // Marks around arguments would stand in subjects and be read out.
        bundle.set_use_isolating(false);
        let mut keys = Vec::new();
        for file in files {
            // What can be read of a file is used; the tests find the rest.
            let resource =
                FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(part, _)| part);
            keys.extend(keys_of(file));
            bundle.add_resource_overriding(resource);
        }
        let mut speaker = Self { bundle, plain: HashMap::new() };
        let none = FluentArgs::new();
        speaker.plain =
            keys.iter().filter_map(|key| Some((key.clone(), speaker.say(key, &none)?))).collect();
        speaker
    }

    fn say(&self, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
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
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn keys(files: &[&str]) -> BTreeSet<String> {
        files.iter().flat_map(|file| keys_of(file)).collect()
    }

    #[test]
    fn every_file_is_read_whole_and_every_language_says_the_same() {
        let [(_, _, english), ..] = Locale::ALL else { unreachable!() };
        for (_, tag, files) in Locale::ALL {
            for file in files {
                let read = FluentResource::try_new((*file).to_owned());
                assert!(read.is_ok(), "{tag}: {:?}", read.err().map(|(_, errors)| errors));
                let once: BTreeSet<_> = keys_of(file).into_iter().collect();
                assert_eq!(once.len(), keys_of(file).len(), "{tag}: a key comes twice");
            }
            assert_eq!(keys(files), keys(english), "{tag} has other keys than en");
        }
    }

    /// The text of every source and template in a folder, without the tests of the sources.
    fn texts(folder: &str, into: &mut Vec<String>) {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                texts(&format!("{folder}/{name}"), into);
            } else if [".rs", ".html", ".txt"].iter().any(|end| name.ends_with(end))
                && name != "tests.rs"
            {
                let text = fs::read_to_string(&path).unwrap();
                into.push(
                    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned(),
                );
            }
        }
    }

    /// Words in quotation marks that look like keys.
    fn quoted(text: &str) -> impl Iterator<Item = &str> {
        let is_key = |word: &&str| {
            word.contains('-')
                && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        text.split('"').skip(1).filter(is_key)
    }

    /// The keys that a text names where it asks for one.
    fn asked(text: &str) -> impl Iterator<Item = &str> {
        [".t(\"", ".tr(\""]
            .into_iter()
            .flat_map(|call| text.split(call).skip(1))
            .filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_key_is_used_and_every_used_key_is_there() {
        let [(_, _, english), ..] = Locale::ALL else { unreachable!() };
        let there = keys(english);
        let mut sources = Vec::new();
        texts("src", &mut sources);
        texts("templates", &mut sources);
        let said: BTreeSet<_> = sources.iter().flat_map(|text| quoted(text)).collect();
        let unused: Vec<_> = there.iter().filter(|key| !said.contains(key.as_str())).collect();
        assert!(unused.is_empty(), "nobody says: {unused:?}");
        let missing: Vec<_> = sources
            .iter()
            .flat_map(|text| asked(text))
            .filter(|key| !there.contains(*key))
            .collect();
        assert!(missing.is_empty(), "no file has: {missing:?}");
    }

    /// Keys that are chosen before they are said: in these files, every word that begins like a key is one.
    #[test]
    fn every_chosen_key_is_there() {
        let [(_, _, english), ..] = Locale::ALL else { unreachable!() };
        let there = keys(english);
        let first = |word: &str| word.split('-').next().unwrap_or_default().to_owned();
        let families: BTreeSet<_> = there.iter().map(|key| first(key)).collect();
        let mut sources = Vec::new();
        texts("src/http", &mut sources);
        texts("src/view", &mut sources);
        let missing: Vec<_> = sources
            .iter()
            .flat_map(|text| quoted(text))
            .filter(|word| families.contains(&first(word)) && !there.contains(*word))
            // The name of a step in form tokens.
            .filter(|word| *word != "new-password")
            .collect();
        assert!(missing.is_empty(), "no file has: {missing:?}");
    }

    #[test]
    fn plurals_and_arguments() {
        let left = |left: i64| {
            Locale::En
                .tr("code-error-wrong", &[("reference", "KOWHAI-27".into()), ("left", left.into())])
        };
        assert!(left(1).contains("1 try left") && left(3).contains("3 tries left"), "{}", left(3));
        assert_eq!(
            Locale::En.tr("help-line", &[("support", "0800 111 222".into())]),
            "Need help? 0800 111 222"
        );
        assert_eq!((Locale::En.t("no-such-key"), Locale::En.tag()), ("", "en"));
    }
}
