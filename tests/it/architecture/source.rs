//! Every source of the workspace, and which part of it is a test.

use std::{fs, ops::Range, path::Path, sync::LazyLock};

use super::scan::{Literal, is_name, scan};

/// The crates, each with its folder's name.
pub(super) const CRATES: [&str; 5] = ["store", "keys", "flows", "idp", "tests"];

/// A source.
#[derive(Debug)]
pub(super) struct Source {
    /// Path from the workspace's folder, with `/`.
    pub(super) path: String,
    /// Everything.
    pub(super) text: String,
    /// What is compiled, tests too.
    pub(super) code: String,
    /// What is compiled into the program: tests are blanked out.
    pub(super) production: String,
    /// Comments.
    pub(super) comments: String,
    /// Strings.
    pub(super) literals: Vec<Literal>,
    /// Parts that are compiled for tests alone.
    pub(super) tests: Vec<Range<usize>>,
}

impl Source {
    fn read(path: String) -> Self {
        let text = fs::read_to_string(vestibule_tests::root().join(&path)).expect("a source");
        Self::of(path, text)
    }

    /// A source with this text.
    pub(super) fn of(path: String, text: String) -> Self {
        let scanned = scan(&text);
        let tests = tests_in(&scanned.code);
        let production = without(&scanned.code, &tests);
        let (code, comments, literals) = (scanned.code, scanned.comments, scanned.literals);
        Self { path, text, code, production, comments, literals, tests }
    }

    fn is_test_as_a_whole(&mut self) {
        let whole = 0..self.code.len();
        self.production = without(&self.code, std::slice::from_ref(&whole));
        self.tests = vec![whole];
    }

    /// The crate's folder.
    pub(super) fn krate(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Whether it lies in a folder, or is this file.
    pub(super) fn is_in(&self, place: &str) -> bool {
        self.path == place
            || self.path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether a place is compiled for tests alone.
    pub(super) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// Strings of the program.
    pub(super) fn production_literals(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter().filter(|literal| !self.is_test(literal.at))
    }

    /// `path:line` of a place.
    pub(super) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, line_of(&self.text, at))
    }
}

/// Every source, by path.
pub(super) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let mut paths = Vec::new();
        for krate in CRATES {
            walk(krate, &mut paths);
        }
        paths.sort();
        let mut sources: Vec<Source> = paths.into_iter().map(Source::read).collect();
        let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
        for source in &mut sources {
            let krate = source.krate() == "tests";
            if krate || tests.iter().any(|module| is_of_module(&source.path, module)) {
                source.is_test_as_a_whole();
            }
        }
        sources
    });
    &SOURCES
}

/// The source with this path.
pub(super) fn source(path: &str) -> &'static Source {
    sources()
        .iter()
        .find(|source| source.path == path)
        .unwrap_or_else(|| panic!("{path} is gone: say in tests/it/architecture/ where it went"))
}

/// Sources of the program, without those of a crate.
pub(super) fn outside(krate: &str) -> impl Iterator<Item = &'static Source> {
    sources().iter().filter(move |source| source.krate() != krate)
}

fn walk(folder: &str, paths: &mut Vec<String>) {
    let entries = fs::read_dir(vestibule_tests::root().join(folder)).expect("a folder");
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a plain name");
        let path = format!("{folder}/{name}");
        if entry.file_type().expect("a type").is_dir() {
            if name != "target" {
                walk(&path, paths);
            }
        } else if Path::new(&name).extension().is_some_and(|ext| ext == "rs") {
            paths.push(path);
        }
    }
}

/// The line of a place, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where a name occurs, as a whole.
pub(super) fn places_of<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

/// The end of a bracketed part that begins at `at`.
pub(super) fn closing(code: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    code.len()
}

const TEST_ONLY: &str = "#[cfg(test)]";

/// What `#[cfg(test)]` stands before, each up to its end.
fn tests_in(code: &str) -> Vec<Range<usize>> {
    code.match_indices(TEST_ONLY).map(|(at, _)| at..item_end(code, at + TEST_ONLY.len())).collect()
}

/// The end of the item at `at`: its closing brace or its semicolon, whichever ends it.
fn item_end(code: &str, mut at: usize) -> usize {
    while let Some(byte) = code.as_bytes().get(at) {
        match byte {
            b'{' => return closing(code, at),
            b';' => return at + 1,
            b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    }
    code.len()
}

fn without(code: &str, parts: &[Range<usize>]) -> String {
    let mut at = 0;
    let blank = |b: u8| if b == b'\n' { b } else { b' ' };
    let bytes = code.bytes().map(|b| {
        let here = at;
        at += 1;
        if parts.iter().any(|part| part.contains(&here)) { blank(b) } else { b }
    });
    String::from_utf8(bytes.collect()).expect("whole characters are blanked")
}

/// Paths, without `.rs`, of the modules that a file declares for tests alone.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
        _ => source.path.trim_end_matches(".rs"),
    };
    let declared = source.tests.iter().filter_map(|range| {
        let name = source.code[range.clone()].split_once("mod ")?.1.strip_suffix(';')?;
        Some(format!("{folder}/{}", name.trim()))
    });
    declared.collect()
}

fn is_of_module(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_for_tests_alone_is_no_production() {
        let text = "fn a() {}\n#[cfg(test)]\nconst fn b(x: [u8; 2]) -> u8 { 1 }\nfn c() {}\n\
                    #[cfg(test)]\nmod tests { fn d() {} }\n#[cfg(test)]\nmod e;\n";
        let source = Source::of("idp/src/x.rs".to_owned(), text.to_owned());
        let left: Vec<_> = source.production.split_whitespace().collect();
        assert_eq!(left.join(" "), "fn a() {} fn c() {}");
        assert_eq!(test_modules(&source), ["idp/src/x/e"]);
        assert!(
            is_of_module("idp/src/x/e.rs", "idp/src/x/e")
                && is_of_module("idp/src/x/e/f.rs", "idp/src/x/e")
        );
        assert!(!is_of_module("idp/src/x/ef.rs", "idp/src/x/e"));
    }

    #[test]
    fn names_are_found_as_a_whole() {
        assert_eq!(places_of("ab a a_b b::a", "a").collect::<Vec<_>>(), [3, 12]);
        assert_eq!(closing("a{b(c)}d", 1), 7);
        assert_eq!(line_of("a\nb\n", 2), 2);
    }

    #[test]
    fn the_model_checker_is_a_test_and_the_machine_is_not() {
        assert!(sources().len() > 100, "{} sources", sources().len());
        assert!(source("flows/src/login/search/mod.rs").production.trim().is_empty());
        assert!(source("flows/src/login/machine.rs").production.contains("fn step"));
    }
}
