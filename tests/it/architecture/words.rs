//! Nothing is left for later, skipped or waved through.

use std::{fs, path::Path};

use super::{
    assert_none,
    source::{Source, closing, places_of, sources},
};

/// In comments: work that is not done.
const LEFT_FOR_LATER: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];
/// In code: work that is not done, and output that is not the log.
const NOT_DONE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// The attributes of a source, each with its place.
fn attributes(source: &Source) -> Vec<(usize, &str)> {
    let code = &source.code;
    code.match_indices('#')
        .filter_map(|(at, _)| {
            let open = at + 1 + usize::from(code[at + 1..].starts_with('!'));
            code[open..].starts_with('[').then(|| (at, &code[at..closing(code, open)]))
        })
        .collect()
}

#[test]
fn no_work_is_left_for_later() {
    let mut findings = Vec::new();
    for source in sources() {
        for word in LEFT_FOR_LATER {
            findings.extend(
                places_of(&source.comments, word).map(|at| format!("{}: {word}", source.place(at))),
            );
        }
        for word in NOT_DONE {
            findings.extend(
                source
                    .code
                    .match_indices(word)
                    .map(|(at, _)| format!("{}: {word}", source.place(at))),
            );
        }
    }
    for folder in ["idp/templates", "idp/locales", "migrations", "scripts", "docs", ".ci", "helm"] {
        others(Path::new(folder), &mut findings);
    }
    assert_none(
        &findings,
        "do it now, or leave it out; what is decided for later stands in docs/:",
    );
}

/// Finds the same words in files that are no sources of Rust.
fn others(folder: &Path, findings: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(vestibule_tests::root().join(folder)) else { return };
    for entry in entries {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            others(&path, findings);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            for (number, line) in text.lines().enumerate() {
                let found =
                    LEFT_FOR_LATER.iter().filter(|word| places_of(line, word).next().is_some());
                findings
                    .extend(found.map(|word| format!("{}:{}: {word}", path.display(), number + 1)));
            }
        }
    }
}

#[test]
fn no_test_is_skipped_and_no_lint_is_silenced() {
    let mut findings = Vec::new();
    for source in sources() {
        for (at, attribute) in attributes(source) {
            for word in ["ignore", "allow"] {
                if places_of(attribute, word).next().is_some() {
                    findings.push(format!("{}: {word}", source.place(at)));
                }
            }
        }
    }
    assert_none(
        &findings,
        "make the test pass; instead of allow, write #[expect(.., reason = \"..\")]:",
    );
}

#[test]
fn every_exception_has_a_reason() {
    let mut findings = Vec::new();
    for source in sources() {
        for (at, attribute) in attributes(source) {
            let expects = attribute.trim_start_matches(['#', '!', '[']).starts_with("expect(");
            if expects && places_of(attribute, "reason").next().is_none() {
                findings.push(source.place(at));
            }
        }
    }
    assert_none(&findings, "an #[expect(..)] says why: reason = \"..\":");
}

#[test]
fn attributes_are_found() {
    let text = "#![expect(a)]\n#[test]\nfn b() { c[0]; let d = \"#[ignore]\"; }\n#[cfg_attr(e, allow(f))]\nfn g() {}";
    let source = Source::of("idp/src/x.rs".to_owned(), text.to_owned());
    let found: Vec<_> = attributes(&source).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, ["#![expect(a)]", "#[test]", "#[cfg_attr(e, allow(f))]"]);
}
