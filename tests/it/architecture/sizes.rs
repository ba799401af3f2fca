//! How long a function and a file may be.

use super::{
    assert_none,
    source::{Source, sources},
};

const MAX_FUNCTION_LINES: usize = 80;
const MAX_FILE_LINES: usize = 600;

/// Lines of a file that are compiled into the program, and lines that are compiled for tests only.
fn parts(source: &Source) -> (usize, usize) {
    let lines = |range: &std::ops::Range<usize>| source.text[range.clone()].lines().count();
    let tests: usize = source.facts.tests.iter().map(lines).sum();
    (source.text.lines().count().saturating_sub(tests), tests)
}

fn largest(what: &str, mut found: Vec<(usize, String)>, most: usize) -> Vec<String> {
    found.sort_by(|one, two| two.cmp(one));
    println!("the longest {what}:");
    for (lines, place) in found.iter().take(10) {
        println!("  {lines:4} {place}");
    }
    let too_long = found.into_iter().filter(|(lines, _)| *lines > most);
    too_long.map(|(lines, place)| format!("{place}: {lines} lines")).collect()
}

#[test]
fn function_has_at_most_80_lines() {
    let mut found = Vec::new();
    for source in sources() {
        for function in &source.facts.functions {
            let place = source.location(&function.at);
            found.push((function.lines, format!("{place} {}", function.name)));
        }
    }
    assert!(found.len() > 500, "{} functions were found; correct the reader", found.len());
    let findings = largest("functions", found, MAX_FUNCTION_LINES);
    assert_none(&findings, "a function has at most 80 lines: name a step of it and move that out:");
}

#[test]
fn file_has_at_most_600_lines() {
    let mut found = Vec::new();
    for source in sources() {
        let (program, tests) = parts(source);
        found.push((program, source.path.clone()));
        found.push((tests, format!("{} (its tests)", source.path)));
    }
    let findings = largest("files", found, MAX_FILE_LINES);
    assert_none(
        &findings,
        "a file has at most 600 lines, and so have its tests: split it by subject:",
    );
}
