//! What a path refers to: the crate, the modules and the name of an item, under whatever name a source imports it.

use std::collections::{HashMap, HashSet};

use super::{crates::library_names, facts::Import, source::Source};

/// How many imports of imports are followed.
const MOST_STEPS: usize = 8;

/// The names of all modules.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    modules: HashSet<String>,
    /// For a name, `module::name`: the modules that import it, and the path as written there.
    imports: HashMap<String, Vec<(String, String)>>,
    libraries: HashSet<String>,
}

impl NameTable {
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut names = Self { libraries: library_names(), ..Self::default() };
        for source in sources {
            names.modules.extend(source.facts.modules.iter().cloned());
            // `use store;` means the same with and without this entry.
            for import in source.facts.imports.iter().filter(|import| import.path != import.name) {
                let key = format!("{}::{}", import.module, import.name);
                let path = names.with_crate_root(&import.path).trim_end_matches("::*").to_owned();
                names.imports.entry(key).or_default().push((import.module.clone(), path));
            }
        }
        names
    }

    /// The items that a path in a module may refer to, each from its crate on. Imports are followed, renamed and re-exported
    /// ones too; a glob import may or may not be what is meant.
    pub(super) fn meanings(&self, module: &str, path: &str) -> Vec<String> {
        let first = path.split("::").next().unwrap_or_default();
        let named = ["", "crate", "self", "super"].contains(&first)
            || self.is_declared(module, first)
            || self.libraries.contains(first);
        let everything = self.imports.get(&join(module, "*")).filter(|_| !named);
        let from = everything.into_iter().flatten();
        let from = from.map(|(module, from)| join(&self.absolute(module, from), path));
        let paths: Vec<String> = from.chain([self.absolute(module, path)]).collect();
        paths.into_iter().flat_map(|path| self.follow(path, MOST_STEPS)).collect()
    }

    /// What an import refers to; a crate, if it is only the name of one.
    pub(super) fn meanings_of_import(&self, import: &Import) -> Vec<String> {
        self.meanings(&import.module, &self.with_crate_root(&import.path))
    }

    fn with_crate_root(&self, path: &str) -> String {
        if self.libraries.contains(path) { format!("::{path}") } else { path.to_owned() }
    }

    fn is_declared(&self, module: &str, name: &str) -> bool {
        let own = join(module, name);
        self.modules.contains(&own) || self.imports.contains_key(&own)
    }

    /// A path from its crate on, before imports are followed.
    fn absolute(&self, module: &str, path: &str) -> String {
        let (first, rest) = path.split_once("::").unwrap_or((path, ""));
        let parent = || module.rsplit_once("::").map_or(module, |(parent, _)| parent);
        match first {
            "" => rest.to_owned(),
            "crate" => join(module.split("::").next().unwrap_or_default(), rest),
            "self" => join(module, rest),
            "super" if rest.split("::").next() == Some("super") => self.absolute(parent(), rest),
            "super" => join(parent(), rest),
            _ if rest.is_empty() || self.is_declared(module, first) => join(module, path),
            _ if self.libraries.contains(first) => path.to_owned(),
            _ => join(module, path),
        }
    }

    /// What a path refers to, import by import.
    fn follow(&self, path: String, steps: usize) -> Vec<String> {
        // A function may have the name of its module: `pub use rotate::rotate`.
        let ends = path.match_indices("::").map(|(at, _)| at);
        let mut ends = ends.filter(|end| !self.modules.contains(&path[..*end])).chain([path.len()]);
        let imported = ends.find_map(|end| self.imports.get_key_value(&path[..end]));
        let Some((name, imports)) = imported.filter(|_| steps > 0) else { return vec![path] };
        let rest = path[name.len()..].trim_start_matches("::");
        let meant = imports.iter().map(|(module, from)| join(&self.absolute(module, from), rest));
        meant.flat_map(|path| self.follow(path, steps - 1)).collect()
    }
}

fn join(path: &str, rest: &str) -> String {
    if rest.is_empty() { path.to_owned() } else { format!("{path}::{rest}") }
}

#[cfg(test)]
mod tests {
    use crate::architecture::source::{read, read_one};

    #[test]
    fn import_tree_is_expanded() {
        let text = "use a::{self, b::{c as d, e}, f::*};\nuse ::g;\nfn h() -> impl I + use<> { use j::{self as k}; }";
        let source = read_one(text);
        let found: Vec<_> =
            source.facts.imports.iter().map(|i| (i.path.as_str(), i.name.as_str())).collect();
        let wanted =
            [("a", "a"), ("a::b::c", "d"), ("a::b::e", "e"), ("a::f::*", "*"), ("::g", "g")];
        assert_eq!(found[..5], wanted);
        assert_eq!(found[5..], [("j", "k")]);
    }

    /// Each text calls `store::grant::insert` once.
    #[test]
    fn call_is_found_under_every_name() {
        for text in [
            "fn x() { store::grant::insert(tx) }",
            "fn x() { ::store::grant::insert(tx) }",
            "fn x() { store::grant::insert::<T>(tx) }",
            "use store::grant;\nfn x() { grant::insert(tx) }",
            "use store::{grant::insert, Tx};\nfn x() { insert(tx) }",
            "use store::grant as g;\nfn x() { let f = g::insert; }",
            "use store::grant::insert as put;\nfn x() { put(tx) }",
            "use store as s;\nuse s::grant as g;\nfn x() { g::insert(tx) }",
            "use store::grant::*;\nfn x() { insert(tx) }",
            "use store::grant;\nmod a { mod b { fn x() { super::super::grant::insert(tx) } } }",
            "mod a { pub use store::grant as g; }\nmod b { use super::a::*; fn x() { g::insert(tx) } }",
            "mod a { fn x() { use store::grant; grant::insert(tx) } }",
            "fn x() { assert!(store::grant::insert(tx).await.is_ok(), \"no\") }",
            "use store::grant as g;\nfn x() { select! { _ = a() => { g::insert(tx) } } }",
            "macro_rules! m { ($a:expr) => { ::store::grant::insert($a) } }",
            "m! { use store::grant as g; fn x() { g::insert(tx) } }",
        ] {
            assert_eq!(read_one(text).mentions("store::grant::insert").count(), 1, "{text}");
        }
        for text in [
            "use store::grant;\nfn x() { map.insert(1); }",
            "fn x() { store::sign_in::insert(tx) }",
            "fn x() { super::grant::insert(tx) }",
            "mod grant {}\nfn x() { grant::insert(tx) }",
            "fn x() { m!(<T as store>::grant::insert(tx)) }",
            "#[cfg(test)]\nmod tests { fn x() { store::grant::insert(tx) } }",
            "fn x() { \"store::grant::insert\"; } // store::grant::insert(tx)",
        ] {
            assert_eq!(read_one(text).mentions("store::grant::insert").count(), 0, "{text}");
        }
    }

    #[test]
    fn reexport_in_other_file_is_followed() {
        let of = |path: &str, text: &str| (format!("flows/src/{path}"), text.to_owned());
        let sources = read(vec![
            of("lib.rs", "pub mod a;\npub use a::B as C;"),
            of("a/mod.rs", "mod b;\npub use b::B;"),
            of("a/b.rs", "pub struct B { c: u8 }"),
            of("d.rs", "use crate::C;\nfn x() { C::new() }"),
            ("idp/src/e.rs".to_owned(), "fn x() { flows::C::new() }".to_owned()),
        ]);
        for source in &sources[3..] {
            assert_eq!(source.mentions("flows::a::b::B::new").count(), 1, "{}", source.path);
        }
    }
}
