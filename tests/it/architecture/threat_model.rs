//! docs/threat-model.md: the names in it exist, and it cites each tested misuse case.

use super::{
    assert_none,
    source::{Source, read_one, sources},
};

/// The words in backticks in a document.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a word is the name of a test, as the document writes them: words joined by underscores.
fn is_test_name(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    plain && word.matches('_').count() > 1
}

/// Whether a test of this name is in the sources.
fn test_exists(name: &str) -> bool {
    let mut functions = sources().iter().flat_map(|source| &source.facts.functions);
    functions.any(|function| function.is_test_case && function.name == name)
}

#[test]
fn threat_model_references_exist() {
    let root = vestibule_tests::workspace_root();
    let text = std::fs::read_to_string(root.join("docs/threat-model.md")).expect("the document");
    let (mut findings, mut tests) = (Vec::new(), 0);
    for word in quoted(&text) {
        if is_test_name(word) {
            tests += 1;
            if !test_exists(word) {
                findings.push(format!("no test is called {word}"));
            }
        } else if word.contains('/') && !word.starts_with('/') && !root.join(word).exists() {
            findings.push(format!("there is no {word}"));
        }
    }
    assert!(tests > 60, "{tests} tests were found; correct how this test finds them");
    assert_none(&findings, "docs/threat-model.md is out of date:");
}

/// The misuse cases of a source: tests called `case_` and a number.
fn cases(source: &Source) -> Vec<&str> {
    let tests = source.facts.functions.iter().filter(|function| function.is_test_case);
    let names = tests.map(|function| function.name.as_str());
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    names.filter(|name| name.strip_prefix("case_").is_some_and(is_number)).collect()
}

/// Without a citation, a reader of the threat model does not find the proof.
#[test]
fn threat_model_cites_every_misuse_case() {
    let path = vestibule_tests::workspace_root().join("docs/threat-model.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let cited = quoted(&text);
    let misuse = sources().iter().filter(|source| source.is_in("tests/it/misuse"));
    let names: Vec<_> = misuse.flat_map(cases).collect();
    assert!(names.len() >= 35, "{names:?}; correct how this test finds them");
    let missing = names.into_iter().filter(|name| !cited.contains(name)).map(str::to_owned);
    let missing: Vec<_> = missing.collect();
    assert_none(&missing, "docs/threat-model.md does not cite:");
}

/// Each attacker has a section, and each row of it has a proof or names the remaining risk.
#[test]
fn attacks_have_proof_or_residual_risk() {
    let path = vestibule_tests::workspace_root().join("docs/threat-model.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack "));
    let mut findings = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if cells.len() != 4 || (cells[2].is_empty() && cells[3].is_empty()) {
            findings.push(row.to_owned());
        }
    }
    assert_eq!(text.matches("\n## ").count(), 13, "twelve attackers, and the risks that remain");
    assert_none(&findings, "a row has four cells, and the last two are not both empty:");
}

#[test]
fn test_names_are_recognised() {
    assert!(
        is_test_name("case_1_after_the_password") && is_test_name("full_hashing_pool_answers_503")
    );
    for word in [
        "issuers",
        "sign_ins",
        "SignIn",
        "frame-ancestors 'none'",
        "flows/src/login/machine.rs",
        "prompt=none",
    ] {
        assert!(!is_test_name(word), "{word}");
    }
    assert_eq!(quoted("a `b` c `d`"), ["b", "d"]);
    let source = read_one(
        "#[test]\nfn case_7_a() {}\n#[test]\nfn case_by_case() {}\nfn case_9_c() {}\n#[apply(both_engines)]\nasync fn case_8_b(engine: Engine) {}",
    );
    assert_eq!(cases(&source), ["case_7_a", "case_8_b"]);
    assert!(!test_exists("a_test_that_nobody_wrote"));
}
