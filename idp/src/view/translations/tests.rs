//! Every language has the same texts, complete, and no unused ones.

use std::{collections::BTreeSet, fs, path::Path};

use super::*;

fn keys(files: &[&str]) -> BTreeSet<String> {
    files.iter().flat_map(|file| keys_of(file)).collect()
}

#[test]
fn languages_have_same_keys() {
    let [(_, english), ..] = FILES;
    for (locale, files) in &FILES {
        let tag = locale.tag();
        for file in files {
            let read = FluentResource::try_new((*file).to_owned());
            assert!(read.is_ok(), "{tag}: {:?}", read.err().map(|(_, errors)| errors));
            let once: BTreeSet<_> = keys_of(file).into_iter().collect();
            assert_eq!(once.len(), keys_of(file).len(), "{tag}: a key is not unique");
        }
        assert_eq!(keys(files), keys(&english), "{tag} has other keys than en");
    }
}

/// Each message of a file: its key, and its text with all further lines.
fn messages<'f>(files: &[&'f str]) -> Vec<(&'f str, &'f str)> {
    let mut found = Vec::new();
    for file in files {
        let mut starts: Vec<usize> = file
            .match_indices('\n')
            .map(|(at, _)| at + 1)
            .filter(|at| file[*at..].starts_with(|c: char| c.is_ascii_lowercase() || c == '#'))
            .collect();
        starts.push(file.len());
        for pair in starts.windows(2) {
            if let Some((key, text)) = file[pair[0]..pair[1]].split_once(" = ")
                && !key.starts_with('#')
            {
                found.push((key, text.trim()));
            }
        }
    }
    found
}

/// The arguments that a text takes.
fn arguments(text: &str) -> BTreeSet<&str> {
    text.split("{ $").skip(1).filter_map(|rest| rest.split([' ', '}']).next()).collect()
}

#[test]
fn languages_take_same_arguments() {
    let [(_, english), (_, maori)] = FILES;
    let (english, maori) = (messages(&english), messages(&maori));
    assert_eq!(english.len(), keys(&FILES[0].1).len(), "every message is seen");
    assert_eq!(english.len(), maori.len());
    for ((key, one), (other_key, other)) in english.into_iter().zip(maori) {
        assert_eq!(key, other_key, "the files are in one order");
        assert_eq!(arguments(one), arguments(other), "{key}");
    }
}

/// Texts that are the same in both languages because they have no words.
const SAME: [&str; 1] = ["clock-with-zone"];
/// Words that only an English sentence has.
const ENGLISH: [&str; 16] = [
    "the", "your", "you", "and", "is", "was", "not", "that", "this", "we", "it", "code", "page",
    "password", "sign", "address",
];

#[test]
fn maori_has_no_english_left() {
    let [(_, english), (_, maori)] = FILES;
    for ((key, one), (_, other)) in messages(&english).into_iter().zip(messages(&maori)) {
        assert_eq!(one == other, SAME.contains(&key), "{key}: {other}");
        // The words between braces are names of arguments and of plural forms.
        let said: String = other
            .split('}')
            .map(|part| part.split_once("{ $").map_or(part, |(said, _)| said))
            .collect::<Vec<_>>()
            .join(" ");
        for word in said.split(|c: char| !c.is_alphabetic()) {
            assert!(!ENGLISH.contains(&word.to_lowercase().as_str()), "{key}: {word}");
        }
    }
}

/// A combining macron is misplaced in some fonts, and a search does not find it.
#[test]
fn macrons_are_precomposed() {
    for file in FILES[1].1 {
        assert!(!file.contains('\u{304}'));
        assert!(file.contains('ā') && file.contains("For review by a speaker"));
    }
}

#[test]
fn maori_clock_times_and_plurals() {
    let zone = TimeZone::get("Pacific/Auckland").unwrap();
    let at = |text: &str| {
        let at: jiff::Timestamp = text.parse().unwrap();
        Locale::Mi.clock_time(Timestamp::from_millis(at.as_millisecond()), &zone)
    };
    assert_eq!(at("2026-11-23T20:41:59Z"), "9:41 i te ata");
    assert_eq!(at("2026-11-23T11:05:00Z"), "12:05 i te ata");
    assert_eq!(at("2026-11-23T23:00:00Z"), "12:00 i te ahiahi");
    assert_eq!(at("2026-11-24T05:00:00Z"), "6:00 i te pō");
    let ago = |minutes: i64| {
        let with = [("minutes", minutes.into()), ("time", "T".into()), ("until", "U".into())];
        Locale::Mi.tr("code-ago", &with)
    };
    assert!(ago(0).starts_with("Kātahi anō ka tukuna (T)."), "{}", ago(0));
    assert!(ago(1).starts_with("I tukuna kotahi meneti i mua"), "{}", ago(1));
    assert!(ago(12).starts_with("I tukuna 12 meneti i mua"), "{}", ago(12));
    assert!(ago(12).ends_with(" Ka mahi tae noa ki te U."), "{}", ago(12));
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

/// The folder of the mails, which name their texts.
const MAILS: &str = "../flows/src/mail";

/// Words in quotation marks that look like keys.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let is_key = |word: &&str| {
        word.contains('-') && word.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    text.split('"').skip(1).filter(is_key)
}

/// The keys that a source passes to `t` and `tr`.
fn asked(text: &str) -> impl Iterator<Item = &str> {
    [".t(\"", ".tr(\""]
        .into_iter()
        .flat_map(|call| text.split(call).skip(1))
        .filter_map(|rest| rest.split('"').next())
}

#[test]
fn message_keys_match_their_uses() {
    let [(_, english), ..] = FILES;
    let there = keys(&english);
    let mut sources = Vec::new();
    texts("src", &mut sources);
    texts("templates", &mut sources);
    texts(MAILS, &mut sources);
    let said: BTreeSet<_> = sources.iter().flat_map(|text| quoted(text)).collect();
    let unused: Vec<_> = there.iter().filter(|key| !said.contains(key.as_str())).collect();
    assert!(unused.is_empty(), "no source has: {unused:?}");
    let missing: Vec<_> =
        sources.iter().flat_map(|text| asked(text)).filter(|key| !there.contains(*key)).collect();
    assert!(missing.is_empty(), "no file has: {missing:?}");
}

/// Keys that are computed before use: in these files, every quoted word that begins like a key is one.
#[test]
fn computed_message_keys_exist() {
    let [(_, english), ..] = FILES;
    let there = keys(&english);
    let first = |word: &str| word.split('-').next().unwrap_or_default().to_owned();
    let families: BTreeSet<_> = there.iter().map(|key| first(key)).collect();
    let mut sources = Vec::new();
    texts("src/http", &mut sources);
    texts("src/view", &mut sources);
    texts(MAILS, &mut sources);
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
fn english_plurals_and_arguments() {
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
