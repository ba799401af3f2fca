//! Which item a path means, by the `use` declarations of its file.

use std::ops::Range;

use super::{
    scan::is_name,
    source::{Source, places_of},
};

/// One name that a `use` declaration brings in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The whole path, as it is written.
    pub(super) path: String,
    /// What the file calls it; `*` for everything inside.
    pub(super) name: String,
    /// Where the declaration begins.
    pub(super) at: usize,
}

/// The `use` declarations of a text, with their places.
fn declarations(code: &str) -> Vec<Range<usize>> {
    places_of(code, "use")
        .filter(|at| !code[at + 3..].trim_start().starts_with('<'))
        .map(|at| at..code[at..].find(';').map_or(code.len(), |end| at + end))
        .collect()
}

/// Every name that the `use` declarations of a text bring in.
pub(super) fn imports(code: &str) -> Vec<Import> {
    let mut found = Vec::new();
    for range in declarations(code) {
        let tree =
            code[range.start + 3..range.end].split_whitespace().collect::<Vec<_>>().join(" ");
        expand("", &tree, range.start, &mut found);
    }
    found
}

fn expand(prefix: &str, tree: &str, at: usize, found: &mut Vec<Import>) {
    let tree = tree.trim().trim_start_matches("::");
    if tree.is_empty() {
        return;
    }
    if let Some((head, inside)) = tree.split_once('{') {
        let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
        for part in parts(inside) {
            expand(&format!("{prefix}{head}"), part, at, found);
        }
        return;
    }
    let (path, renamed) = match tree.split_once(" as ") {
        Some((path, name)) => (path.trim(), Some(name.trim())),
        None => (tree, None),
    };
    let path = if path == "self" {
        prefix.trim_end_matches("::").to_owned()
    } else {
        format!("{prefix}{path}")
    };
    let name = renamed.unwrap_or_else(|| path.rsplit("::").next().unwrap_or_default()).to_owned();
    found.push(Import { path, name, at });
}

/// The parts of a list, which may hold lists.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut begin) = (0_usize, 0);
    let mut parts = Vec::new();
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[begin..]);
    parts
}

/// The path that ends with the name at `at`, and where it begins.
pub(super) fn path_to(code: &str, at: usize, name: &str) -> (usize, String) {
    let mut begin = at;
    while let Some(rest) = code[..begin].strip_suffix("::") {
        let segment =
            rest.chars().rev().take_while(|c| is_name(*c)).map(char::len_utf8).sum::<usize>();
        if segment == 0 {
            break;
        }
        begin = rest.len() - segment;
    }
    (begin, code[begin..at + name.len()].to_owned())
}

/// Where the program mentions an item, `krate::module::name`, outside of `use` declarations.
pub(super) fn mentions(source: &Source, target: &str) -> Vec<usize> {
    let code = &source.production;
    let name = target.rsplit("::").next().unwrap_or(target);
    let imported = imports(code);
    let declared = declarations(code);
    places_of(code, name)
        .filter(|at| !declared.iter().any(|range| range.contains(at)))
        .filter(|at| meaning(&path_to(code, *at, name).1, &imported) == target)
        .collect()
}

/// A path with its first segment replaced by what was imported under that name.
fn meaning(path: &str, imported: &[Import]) -> String {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    let import = imported.iter().find(|import| import.name == first);
    match import {
        Some(import) if rest.is_empty() => import.path.clone(),
        Some(import) => format!("{}::{rest}", import.path),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_expanded() {
        let code = "use a::{self, b::{c as d, e}, f::*};\nuse g;\nfn h() -> impl I + use<> {}";
        let found: Vec<_> = imports(code).into_iter().map(|i| (i.path, i.name)).collect();
        let wanted = [("a", "a"), ("a::b::c", "d"), ("a::b::e", "e"), ("a::f::*", "*"), ("g", "g")];
        assert_eq!(found, wanted.map(|(path, name)| (path.to_owned(), name.to_owned())));
    }

    #[test]
    fn a_mention_is_found_under_every_name() {
        for code in [
            "fn x() { store::grant::insert(tx) }",
            "fn x() { ::store::grant::insert(tx) }",
            "use store::grant;\nfn x() { grant::insert(tx) }",
            "use store::{grant::insert, Tx};\nfn x() { insert(tx) }",
            "use store::grant as g;\nfn x() { let f = g::insert; }",
            "use store::grant::insert as put;\nfn x() { put(tx) }",
        ] {
            let source = Source::of("flows/src/x.rs".to_owned(), code.to_owned());
            let renamed = code.contains("as put");
            assert_eq!(
                mentions(&source, "store::grant::insert").len(),
                usize::from(!renamed),
                "{code}"
            );
        }
        for code in [
            "use store::grant;\nfn x() { map.insert(1) }",
            "fn x() { store::sign_in::insert(tx) }",
            "fn x() { super::grant::insert(tx) }",
            "#[cfg(test)]\nmod tests { fn x() { store::grant::insert(tx) } }",
        ] {
            let source = Source::of("flows/src/x.rs".to_owned(), code.to_owned());
            assert_eq!(mentions(&source, "store::grant::insert"), Vec::<usize>::new(), "{code}");
        }
    }
}
