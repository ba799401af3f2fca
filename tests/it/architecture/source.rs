//! Every source of the workspace: its facts, and which part of it is compiled into the program.

use std::{fs, ops::Range, path::Path, sync::LazyLock};

use super::{
    crates::{Package, is_in, package_of, packages},
    facts::{Fact, FactKind, Facts},
    name_resolution::NameTable,
};

/// A source file.
#[derive(Debug)]
pub(super) struct Source {
    /// Path relative to the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) package: &'static Package,
    pub(super) facts: Facts,
}

impl Source {
    /// Its crate, by the name of the package.
    pub(super) fn krate(&self) -> &str {
        &self.package.name
    }

    /// Whether it is this file or is in this folder.
    pub(super) fn is_in(&self, place: &str) -> bool {
        is_in(&self.path, place)
    }

    /// Its facts of a kind, its tests included.
    pub(super) fn all(&self, kind: FactKind) -> impl Iterator<Item = &Fact> {
        self.facts.list.iter().filter(move |fact| fact.kind == kind)
    }

    /// Its facts of a kind, without its tests.
    pub(super) fn production(&self, kind: FactKind) -> impl Iterator<Item = &Fact> {
        self.all(kind).filter(|fact| !self.is_test(&fact.at))
    }

    /// Where the program mentions an item, `krate::module::name`, outside of `use` declarations.
    pub(super) fn mentions(&self, item: &str) -> impl Iterator<Item = &Fact> {
        self.production(FactKind::Path).filter(move |fact| fact.means(item))
    }

    /// Whether a place is compiled for tests only.
    pub(super) fn is_test(&self, at: &Range<usize>) -> bool {
        self.facts.tests.iter().any(|part| part.contains(&at.start))
    }

    /// `path:line` of a place.
    pub(super) fn location(&self, at: &Range<usize>) -> String {
        let line = self.text[..at.start].matches('\n').count() + 1;
        format!("{}:{line}", self.path)
    }

    /// Its parsed items.
    pub(super) fn items(&self) -> Vec<syn::Item> {
        syn::parse_file(&self.text).expect("it was read before").items
    }

    fn is_of_module(&self, module: &str) -> bool {
        let rest = self.facts.modules[0].strip_prefix(module);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// Every source, by path.
pub(super) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let mut paths = Vec::new();
        for package in packages() {
            files(Path::new(&package.folder), &mut paths);
        }
        paths.retain(|path| Path::new(path).extension().is_some_and(|ext| ext == "rs"));
        paths.sort();
        paths.dedup();
        let text = |path: &String| fs::read_to_string(vestibule_tests::workspace_root().join(path));
        let texts = paths.iter().map(text).collect::<Result<Vec<_>, _>>().expect("sources");
        read(paths.into_iter().zip(texts).collect())
    });
    &SOURCES
}

/// Reads texts, each with its path, as the sources of one workspace.
pub(super) fn read(texts: Vec<(String, String)>) -> Vec<Source> {
    let mut sources: Vec<Source> = texts.into_iter().map(parse_source).collect();
    let for_tests: Vec<String> =
        sources.iter().flat_map(|source| source.facts.test_modules.clone()).collect();
    let names = NameTable::of(&sources);
    for source in &mut sources {
        if source.krate().starts_with("vestibule-")
            || for_tests.iter().any(|m| source.is_of_module(m))
        {
            source.facts.tests.clear();
            source.facts.tests.push(0..source.text.len());
        }
        for fact in &mut source.facts.list {
            fact.meanings = match fact.kind {
                FactKind::Path | FactKind::Value | FactKind::Impl | FactKind::Macro => {
                    names.meanings(&fact.module, &fact.name)
                }
                _ => Vec::new(),
            };
        }
        for import in &mut source.facts.imports {
            import.meanings = names.meanings_of_import(import);
        }
    }
    sources
}

/// Reads one text as production code in a file of `flows`.
pub(super) fn read_one(text: &str) -> Source {
    read(vec![("flows/src/x.rs".to_owned(), text.to_owned())]).remove(0)
}

fn parse_source((path, text): (String, String)) -> Source {
    let package = package_of(&path).expect("a package");
    let facts =
        Facts::read(&module(package, &path), &text).unwrap_or_else(|e| panic!("{path}: {e}"));
    Source { path, text, package, facts }
}

/// The module of a file. The roots of programs and tests get a name of their own beside the library's.
fn module(package: &Package, path: &str) -> String {
    let inside = path.trim_start_matches(&package.folder).trim_end_matches(".rs");
    let parts = inside.split('/').filter(|part| !["", "src", "it", "mod", "lib"].contains(part));
    let krate = package.name.replace('-', "_");
    std::iter::once(krate.as_str()).chain(parts).collect::<Vec<_>>().join("::")
}

/// The source with this path.
pub(super) fn source(path: &str) -> &'static Source {
    sources()
        .iter()
        .find(|source| source.path == path)
        .unwrap_or_else(|| panic!("{path} is gone: put its new path into tests/it/architecture/"))
}

/// Sources of the workspace, except those of a crate.
pub(super) fn sources_outside(krate: &str) -> impl Iterator<Item = &'static Source> {
    sources().iter().filter(move |source| source.krate() != krate)
}

/// Every file in a folder and its subfolders.
pub(super) fn files(folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(vestibule_tests::workspace_root().join(folder)) else { return };
    for entry in entries {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if !entry.file_type().expect("a type").is_dir() {
            found.push(path.to_str().expect("a plain name").to_owned());
        } else if entry.file_name() != "target" {
            files(&path, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(source: &Source) -> Vec<&str> {
        source.production(FactKind::Path).map(|fact| fact.name.as_str()).collect()
    }

    #[test]
    fn test_code_is_not_production() {
        let text = "fn a() { b::c() }\n#[cfg(test)]\nconst fn d(x: [e::f; 2]) -> u8 { g::h() }\n\
                    fn i() { j::k(); #[cfg(test)] l::m(); n::o() }\n#[cfg(test)]\nmod tests { fn p() { q::r() } }\n";
        assert_eq!(reads(&read_one(text)), ["b::c", "j::k", "n::o"]);
    }

    #[test]
    fn test_module_is_not_production() {
        let of = |path: &str, text: &str| (format!("flows/src/{path}"), text.to_owned());
        let sources = read(vec![
            of("x.rs", "#[cfg(test)]\nmod e;\nmod ef;"),
            of("x/e.rs", "fn a() { b::c() }"),
            of("x/e/f.rs", "fn a() { b::c() }"),
            of("x/ef.rs", "fn a() { b::c() }"),
        ]);
        let count: Vec<_> = sources.iter().map(|source| reads(source).len()).collect();
        assert_eq!(count, [0, 0, 0, 1]);
    }

    #[test]
    fn model_checker_is_not_production() {
        assert!(sources().len() > 100, "{} sources", sources().len());
        assert_eq!(reads(source("flows/src/login/search/mod.rs")), [""; 0]);
        let functions = &source("flows/src/login/machine.rs").facts.functions;
        assert!(functions.iter().any(|function| function.name == "step"));
    }

    #[test]
    fn function_is_found_with_its_lines() {
        let text = "trait A { fn a(&self); }\nfn b(x: [u8; 2]) -> [u8; 2]\nwhere\n    X: Y,\n{\n    \
                    fn c() { d() }\n    x\n}\ntype D = fn(u8) -> u8;\nmacro_rules! e { () => { fn f() {\n} } }\n";
        let source = read_one(text);
        let found = source.facts.functions.iter().map(|f| (f.name.as_str(), f.lines));
        assert_eq!(found.collect::<Vec<_>>(), [("b", 7), ("c", 1), ("f", 2)]);
        let d = source.production(FactKind::Path).find(|fact| fact.name == "d").expect("the call");
        assert_eq!(
            (d.function.as_str(), source.location(&d.at).as_str()),
            ("c", "flows/src/x.rs:6")
        );
    }

    #[test]
    fn text_is_found_in_code_and_macros() {
        let text = "/// a\nfn b() { c(\"d // e\", r#\"f \"g\" \\\"#, b\"h\", c\"i\", 'j', \"k\\\"l\"); }\n\
                    m! { /// n\n o(\"p\") } // \"q\"";
        let source = read_one(text);
        let found: Vec<_> =
            source.production(FactKind::Text).map(|fact| fact.name.as_str()).collect();
        assert_eq!(found, ["d // e", "f \"g\" \\", "h", "i", "k\"l", "p"]);
    }

    #[test]
    fn call_is_found_in_code_and_macros() {
        let found = |text: &str, kind| {
            let source = read_one(text);
            source.production(kind).map(|fact| fact.name.clone()).collect::<Vec<_>>()
        };
        for text in ["fn a() { b.c::<D>(1).e; }", "fn a() { m!(b.c::<D>(1).e) }"] {
            assert_eq!(found(text, FactKind::Method), ["c"], "{text}");
            assert_eq!(found(text, FactKind::Field), ["e"], "{text}");
        }
        assert_eq!(
            found("impl a::B for C {} m! { impl D for $e {} }", FactKind::Impl),
            ["a::B", "D"]
        );
        assert_eq!(found("fn a() { b::c!(d!()); }", FactKind::Macro), ["b::c", "d"]);
    }
}
