//! Import cycles: files of one crate that cannot be read without each other.
//!
//! An edge goes from a file to another file of its crate when its production code names something there: a function, a type,
//! a constant or a method by its type (`Type::method`), through a path or a `use`. Re-exports are followed to the file that
//! defines the item. These do not count:
//!
//! * `mod` and `pub use`: they declare or re-export an item without using it. Naming a module alone, as in
//!   `use crate::audit;`, does not count either; what is named through it does.
//! * Edges between a module and what is inside it, `login/mod.rs` and `login/password.rs`: they are in one folder and are
//!   read together.
//! * Tests, `use super::*` in a test module included, and method calls, because the sources do not name the type.
//!
//! A cycle is a strongly connected component of the graph. A cycle of two files is allowed; larger ones are listed in
//! [`CYCLES`].

use std::collections::{BTreeMap, BTreeSet};

use super::{
    assert_none,
    facts::{Fact, Import},
    source::{Source, read, sources},
};

/// The remaining cycles of more than two files, each by its files. The list may become shorter, never longer.
const CYCLES: [&[&str]; 1] = [&[
    "flows/src/login/apply.rs",
    "flows/src/login/complete.rs",
    "flows/src/login/deliver.rs",
    "flows/src/login/effect.rs",
    "flows/src/login/follow.rs",
    "flows/src/login/machine.rs",
    "flows/src/login/mailed_method.rs",
    "flows/src/login/new_password.rs",
    "flows/src/login/password.rs",
    "flows/src/login/plan.rs",
    "flows/src/login/code_post.rs",
    "flows/src/login/record.rs",
    "flows/src/login/resend.rs",
]];

/// How many edges of a new cycle are shown.
const MOST_SHOWN: usize = 10;

const CRATES: [&str; 4] = ["store", "keys", "flows", "idp"];

/// For each file the files that it depends on, and why: `path:line` and the name.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Vec<String>>>;
type Cycle<'a> = BTreeSet<&'a str>;

/// The edges between the sources of a crate.
fn edges<'a>(sources: &[&'a Source]) -> Edges<'a> {
    let files: BTreeMap<&str, &Source> =
        sources.iter().map(|source| (source.facts.modules[0].as_str(), *source)).collect();
    let modules: BTreeSet<&str> =
        sources.iter().flat_map(|s| &s.facts.modules).map(String::as_str).collect();
    let mut edges = Edges::new();
    for from in sources {
        let facts = from.facts.list.iter().map(|Fact { meanings, at, .. }| (meanings, at));
        let imports = from.facts.imports.iter().filter(|import| !import.exported);
        let imports = imports.map(|Import { meanings, at, .. }| (meanings, at));
        for (meanings, at) in facts.chain(imports).filter(|(_, at)| !from.is_test(at)) {
            for name in meanings.iter().filter(|name| !modules.contains(name.as_str())) {
                let to = enclosing_modules(name).find_map(|module| files.get(module));
                if let Some(to) = to.filter(|to| !are_nested(from, to)) {
                    let reasons = edges.entry(&from.path).or_default().entry(&to.path).or_default();
                    reasons.push(format!("{} names {name}", from.location(at)));
                }
            }
        }
    }
    edges
}

/// The modules that an item may be in, the innermost first.
fn enclosing_modules(item: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(item), |path| path.rsplit_once("::").map(|(parent, _)| parent))
}

/// Whether two files are the same, or one is a module inside the other.
fn are_nested(one: &Source, two: &Source) -> bool {
    let (one, two) = (&one.facts.modules[0], &two.facts.modules[0]);
    enclosing_modules(one).any(|module| module == two)
        || enclosing_modules(two).any(|module| module == one)
}

/// The files that can be reached from a file.
fn reachable_from<'a>(edges: &Edges<'a>, from: &'a str) -> Cycle<'a> {
    let (mut found, mut open) = (Cycle::new(), vec![from]);
    while let Some(file) = open.pop() {
        let next = edges.get(file).into_iter().flat_map(BTreeMap::keys);
        open.extend(next.filter(|file| found.insert(file)));
    }
    found
}

/// The cycles, those of two files included.
fn find_cycles<'a>(edges: &Edges<'a>) -> BTreeSet<Cycle<'a>> {
    let reached: BTreeMap<&str, Cycle<'_>> =
        edges.keys().map(|file| (*file, reachable_from(edges, file))).collect();
    let leads_back = |from: &str, file: &str| reached.get(from).is_some_and(|to| to.contains(file));
    let cycle = |file: &&'a str| {
        reached[file].iter().filter(|other| leads_back(other, file)).copied().collect::<Cycle<'_>>()
    };
    edges.keys().map(cycle).filter(|cycle| cycle.len() > 1).collect()
}

/// The edges of a cycle, first those whose removal leaves the smallest cycle.
fn closing_edges(edges: &Edges<'_>, cycle: &Cycle<'_>) -> Vec<String> {
    let mut inside = edges.clone();
    inside.retain(|file, _| cycle.contains(file));
    for to in inside.values_mut() {
        to.retain(|file, _| cycle.contains(file));
    }
    let mut found = Vec::new();
    for (from, to) in &inside {
        for (file, reasons) in to {
            let mut without = inside.clone();
            without.get_mut(from).expect("an edge").remove(file);
            let left = find_cycles(&without).iter().map(BTreeSet::len).max().unwrap_or(1);
            found.push((
                left,
                format!("{left} files are left without {from} -> {file}: {}", reasons[0]),
            ));
        }
    }
    found.sort();
    found.into_iter().map(|(_, text)| text).take(MOST_SHOWN).collect()
}

/// Cycles of more than two files that differ from the rows; each with what to do about it.
fn differences(edges: &Edges<'_>, rows: &[Cycle<'_>]) -> Vec<String> {
    let found: Vec<Cycle<'_>> = find_cycles(edges).into_iter().filter(|c| c.len() > 2).collect();
    let mut findings = Vec::new();
    for cycle in found.iter().filter(|cycle| !rows.contains(cycle)) {
        let row = rows.iter().find(|row| !row.is_disjoint(cycle)).cloned().unwrap_or_default();
        let joined: Vec<&str> = cycle.difference(&row).copied().collect();
        if !joined.is_empty() {
            findings.push(format!("{joined:?} joined a cycle; cut one of these edges:"));
            findings.extend(closing_edges(edges, cycle));
        }
    }
    for row in rows.iter().filter(|row| !found.contains(row)) {
        let left: Vec<&str> =
            row.iter().filter(|file| !found.iter().any(|c| c.contains(*file))).copied().collect();
        findings.push(format!("{left:?} left a cycle; take them out of CYCLES"));
    }
    findings
}

#[test]
fn import_cycles_only_shrink() {
    let mut findings = Vec::new();
    for krate in CRATES {
        let place = format!("{krate}/src");
        let own: Vec<&Source> = sources().iter().filter(|source| source.is_in(&place)).collect();
        let rows = CYCLES.iter().filter(|row| row[0].starts_with(&place));
        let rows: Vec<Cycle<'_>> = rows.map(|row| row.iter().copied().collect()).collect();
        findings.extend(differences(&edges(&own), &rows));
    }
    assert_none(
        &findings,
        "files of a cycle cannot be understood alone: pass in what a part needs, or move what both need below them:",
    );
}

#[test]
fn cycle_is_found_with_closing_edge() {
    let of = |path: &str, text: &str| (format!("flows/src/{path}"), text.to_owned());
    let sources = read(vec![
        of("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\npub use c::C;"),
        of("a.rs", "use crate::b::B;\nfn a() { assert!(B::b()) }"),
        of("b.rs", "impl B { fn b() { crate::C::new() } }"),
        of("c/mod.rs", "mod inside;\nuse crate::{a, d};\nfn c() { a::a(); inside::i() }"),
        of("c/inside.rs", "use super::c;\nfn i() { c() }"),
        of("d.rs", "fn d() { crate::c::c() }\n#[cfg(test)]\nmod tests { use crate::a::*; }"),
        of("e.rs", "fn e() { crate::f::f() }"),
        of("f.rs", "fn f() { crate::e::e() }"),
    ]);
    let sources: Vec<&Source> = sources.iter().collect();
    let edges = edges(&sources);
    let cycle: Cycle<'_> = ["flows/src/a.rs", "flows/src/b.rs", "flows/src/c/mod.rs"].into();
    let pair: Cycle<'_> = ["flows/src/e.rs", "flows/src/f.rs"].into();
    assert_eq!(find_cycles(&edges), [cycle.clone(), pair].into());
    assert_eq!(differences(&edges, std::slice::from_ref(&cycle)), [""; 0]);
    let new = differences(&edges, &[]);
    assert_eq!(new.len(), 4, "{new:?}");
    assert!(
        new[2].ends_with(
            "flows/src/b.rs -> flows/src/c/mod.rs: flows/src/b.rs:1 names flows::c::C::new"
        ),
        "{new:?}"
    );
    let mut larger = cycle;
    larger.insert("flows/src/d.rs");
    assert_eq!(
        differences(&edges, &[larger]),
        ["[\"flows/src/d.rs\"] left a cycle; take them out of CYCLES"]
    );
}
