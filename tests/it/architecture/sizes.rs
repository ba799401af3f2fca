//! How long a function and a file may be.

use super::{
    assert_none,
    functions::functions,
    source::{Source, sources},
};

const MOST_FUNCTION: usize = 80;
const MOST_FILE: usize = 600;

/// Lines of the part of a file that is compiled into the program, and of the part that is compiled for tests.
fn parts(source: &Source) -> (usize, usize) {
    let lines = |range: &std::ops::Range<usize>| source.text[range.clone()].lines().count();
    let tests: usize = source.tests.iter().map(lines).sum();
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
fn functions_fit_on_a_screen() {
    let mut found = Vec::new();
    for source in sources() {
        for function in functions(&source.code) {
            found
                .push((function.lines, format!("{} {}", source.place(function.at), function.name)));
        }
    }
    assert!(found.len() > 500, "{} functions were found; correct the scanner", found.len());
    let findings = largest("functions", found, MOST_FUNCTION);
    assert_none(&findings, "a function has at most 80 lines: name a step of it and move that out:");
}

#[test]
fn files_can_be_read_in_one_go() {
    let mut found = Vec::new();
    for source in sources() {
        let (program, tests) = parts(source);
        found.push((program, source.path.clone()));
        found.push((tests, format!("{} (its tests)", source.path)));
    }
    let findings = largest("files", found, MOST_FILE);
    assert_none(
        &findings,
        "a file has at most 600 lines, and so have its tests: split it by what it knows:",
    );
}
