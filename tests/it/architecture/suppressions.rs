//! No work is left for later, and no test or lint is silenced.

use std::{fs, path::Path};

use super::{
    assert_none,
    facts::FactKind,
    source::{Source, files, read_one, sources},
};

/// Words in comments that mark unfinished work.
const LEFT_FOR_LATER: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
/// Macros for unfinished work, and for output outside the log.
const NOT_DONE: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Where a name occurs in a text as a whole word.
pub(super) fn word_positions<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).map(|(at, _)| at).filter(move |at| {
        !text[..*at].ends_with(is_name) && !text[at + name.len()..].starts_with(is_name)
    })
}

/// Where a source marks unfinished work: in comments and names, not in strings.
fn left_for_later(source: &Source) -> Vec<String> {
    let in_text = |at: usize| source.all(FactKind::Text).any(|text| text.at.contains(&at));
    let mut found = Vec::new();
    for word in LEFT_FOR_LATER {
        let places = word_positions(&source.text, word).filter(|at| !in_text(*at));
        found.extend(places.map(|at| format!("{}: {word}", source.location(&(at..at)))));
    }
    for call in source.all(FactKind::Macro).filter(|call| NOT_DONE.contains(&call.name.as_str())) {
        found.push(format!("{}: {}!", source.location(&call.at), call.name));
    }
    found
}

#[test]
fn no_work_is_left_for_later() {
    let mut findings: Vec<String> = sources().iter().flat_map(left_for_later).collect();
    let mut others = Vec::new();
    for folder in ["idp/templates", "idp/locales", "migrations", "scripts", "docs", ".ci", "helm"] {
        files(Path::new(folder), &mut others);
    }
    for path in others {
        let Ok(text) = fs::read_to_string(vestibule_tests::workspace_root().join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let found =
                LEFT_FOR_LATER.iter().filter(|word| word_positions(line, word).next().is_some());
            findings.extend(found.map(|word| format!("{path}:{}: {word}", number + 1)));
        }
    }
    assert_none(&findings, "do it now, or leave it out; what is decided for later is in docs/:");
}

#[test]
fn no_test_or_lint_is_silenced() {
    let mut findings = Vec::new();
    for source in sources() {
        for attribute in source.all(FactKind::Attribute) {
            let silenced =
                attribute.name.split(' ').filter(|word| ["ignore", "allow"].contains(word));
            findings
                .extend(silenced.map(|word| format!("{}: {word}", source.location(&attribute.at))));
        }
    }
    assert_none(
        &findings,
        "make the test pass; instead of allow, write #[expect(.., reason = \"..\")]:",
    );
}

#[test]
fn every_exception_has_reason() {
    let mut findings = Vec::new();
    for source in sources() {
        for attribute in source.all(FactKind::Attribute) {
            let words: Vec<&str> = attribute.name.split(' ').collect();
            if words[0] == "expect" && !words.contains(&"reason") {
                findings.push(source.location(&attribute.at));
            }
        }
    }
    assert_none(&findings, "an #[expect(..)] says why: reason = \"..\":");
}

#[test]
fn attribute_is_found_with_its_words() {
    let text = "#![expect(a)]\n/// D.\n#[test]\nfn b() { c[0]; let d = \"#[ignore]\"; }\n\
                #[cfg_attr(e, allow(f))]\nfn g() { h! { #[ignore] fn i() {} } }";
    let source = read_one(text);
    let found: Vec<_> = source.all(FactKind::Attribute).map(|fact| fact.name.as_str()).collect();
    assert_eq!(found, ["expect a", "test", "cfg_attr e allow f", "ignore"]);
}

#[test]
fn word_in_comment_is_found() {
    let found = |text: &str| left_for_later(&read_one(text)).len();
    let word = LEFT_FOR_LATER[0];
    assert_eq!(found(&format!("// {word}: b\nfn a() {{}}")), 1);
    assert_eq!(found(&format!("/// {word}\nfn a() {{ /* {word} */ }}")), 2);
    assert_eq!(found("fn a() { b!(todo!()); dbg!(c) }"), 2);
    assert_eq!(found(&format!("fn a() {{ \"{word}\"; }} // {word}S")), 0);
    assert_eq!(word_positions("ab a a_b b::a", "a").collect::<Vec<_>>(), [3, 12]);
}
