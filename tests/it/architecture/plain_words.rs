//! The language of the sources: pronouns in comments, and the length of test names.

use std::ops::Range;

use super::{
    facts::FactKind,
    source::{Source, read_one, sources},
    suppressions::word_positions,
};

/// Pronouns that stand where a role (client, attacker, operator, caller) should be named.
const PRONOUNS: [&str; 8] =
    ["somebody", "someone", "whoever", "whom", "nobody", "everybody", "everyone", "anybody"];
const MAX_PRONOUNS_PER_1000_WORDS: f64 = 0.3;
const MAX_MEDIAN_WORDS: usize = 5;
const MAX_P90_WORDS: usize = 7;

/// The comments of a source, line comments and doc comments, each with where it is.
fn comments(source: &Source) -> Vec<Range<usize>> {
    let texts: Vec<&Range<usize>> = source.all(FactKind::Text).map(|text| &text.at).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = source.text[at..].find("//").map(|start| at + start) {
        if let Some(text) = texts.iter().find(|text| text.contains(&start)) {
            at = text.end;
            continue;
        }
        let end = source.text[start..].find('\n').map_or(source.text.len(), |line| start + line);
        found.push(start..end);
        at = end;
    }
    found
}

/// Words of all comments, and where a comment has a pronoun.
fn pronouns(source: &Source) -> (usize, Vec<String>) {
    let mut words = 0;
    let mut found = Vec::new();
    for comment in comments(source) {
        let text = source.text[comment.clone()].to_lowercase();
        words += text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count();
        for pronoun in PRONOUNS {
            let places = word_positions(&text, pronoun);
            found.extend(places.map(|_| format!("{}: {pronoun}", source.location(&comment))));
        }
    }
    (words, found)
}

#[test]
fn comments_name_roles_not_pronouns() {
    let mut words = 0;
    let mut findings = Vec::new();
    for source in sources() {
        let (of_source, found) = pronouns(source);
        words += of_source;
        findings.extend(found);
    }
    assert!(words > 10_000, "{words} words of comments were found; correct the reader");
    #[expect(clippy::cast_precision_loss, reason = "both counts are small")]
    let share = 1000.0 * findings.len() as f64 / words as f64;
    println!("{share:.2} pronouns for each 1,000 of {words} words:\n  {}", findings.join("\n  "));
    assert!(
        share <= MAX_PRONOUNS_PER_1000_WORDS,
        "{share:.2} pronouns for each 1,000 words of comments: name the client, attacker, operator or caller:\n  {}",
        findings.join("\n  ")
    );
}

#[test]
fn test_names_are_short() {
    let mut names: Vec<(usize, &str)> = Vec::new();
    for source in sources() {
        let tests = source.facts.functions.iter().filter(|function| function.is_test_case);
        names.extend(tests.map(|test| (test.name.split('_').count(), test.name.as_str())));
    }
    names.sort_unstable();
    assert!(names.len() > 500, "{} tests were found; correct the reader", names.len());
    let (median, p90) = (names[names.len() / 2].0, names[names.len() * 9 / 10].0);
    let longest: Vec<&str> = names.iter().rev().take(10).map(|(_, name)| *name).collect();
    println!("words of a test's name: median {median}, p90 {p90}; the longest: {longest:?}");
    assert!(
        median <= MAX_MEDIAN_WORDS && p90 <= MAX_P90_WORDS,
        "the name of a test is subject_condition_result (median {median}, p90 {p90}): shorten {longest:?}"
    );
}

#[test]
fn pronoun_is_found_in_comments_only() {
    let text = "//! Somebody asks.\n/// For `whoever`.\nfn a() { \"https://b nobody\"; c() // nobody\n}\nfn nobody() {}\n";
    let (words, found) = pronouns(&read_one(text));
    assert_eq!(words, 5);
    let expected = ["1: somebody", "2: whoever", "3: nobody"];
    assert_eq!(found, expected.map(|place| format!("flows/src/x.rs:{place}")));
}
