//! What a crate exports: nothing is `pub` that no other crate uses.
//!
//! It compares names alone, so it errs towards "used": an item is used when its name occurs anywhere in the code of another
//! crate (tests, benchmark and the program's `main.rs` included) or in the public signature of a used item. It covers
//! functions, types, traits and constants, and methods and constants of types.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use proc_macro2::TokenStream;
use syn::{
    Fields, Ident, ImplItem, Item, ItemImpl, Signature, Type, Visibility,
    visit::{self, Visit},
};

use super::{
    assert_none,
    source::{Source, read, sources},
    tokens::words_in,
};

const CRATES: [&str; 4] = ["store", "keys", "flows", "idp"];

/// Items that are still `pub` although nothing outside uses them: `file: name`. The list may become shorter, never longer.
const UNUSED: [&str; 0] = [];

/// A `pub` item.
struct Export {
    name: String,
    /// The type that a method belongs to.
    owner: Option<String>,
    /// `path:line: name`.
    place: String,
    row: String,
    /// The names in its signature: these have to be public, too.
    names: HashSet<String>,
}

/// Reads what a source exports.
struct Exports<'a> {
    source: &'a Source,
    found: Vec<Export>,
    /// The names that a type refers to in the traits that it implements: `type Err = BadHead`.
    by_traits: Vec<(String, HashSet<String>)>,
    /// Names in macro calls: a macro may use them as anything.
    of_macros: HashSet<String>,
}

/// The names in a part of a signature.
#[derive(Default)]
struct Idents(HashSet<String>);

impl<'ast> Visit<'ast> for Idents {
    fn visit_ident(&mut self, name: &'ast Ident) {
        self.0.insert(name.to_string());
    }
}

impl Exports<'_> {
    fn add(&mut self, vis: &Visibility, name: &Ident, owner: Option<&str>, names: Idents) {
        let at = name.span().byte_range();
        if matches!(vis, Visibility::Public(_)) && !self.source.is_test(&at) {
            let shown = owner.map_or(name.to_string(), |owner| format!("{owner}::{name}"));
            self.found.push(Export {
                name: name.to_string(),
                owner: owner.map(str::to_owned),
                place: format!("{}: {shown}", self.source.location(&at)),
                row: format!("{}: {shown}", self.source.path),
                names: names.0,
            });
        }
    }

    /// Adds what an `impl` of a type exports or refers to.
    fn add_impl(&mut self, item: &ItemImpl) {
        let Type::Path(of) = &*item.self_ty else { return };
        let Some(owner) = of.path.segments.last().map(|last| last.ident.to_string()) else {
            return;
        };
        for inside in &item.items {
            match inside {
                ImplItem::Fn(f) => self.add(&f.vis, &f.sig.ident, Some(&owner), signature(&f.sig)),
                ImplItem::Const(c) => self.add(&c.vis, &c.ident, Some(&owner), names(&c.ty)),
                ImplItem::Type(alias) => self.by_traits.push((owner.clone(), names(&alias.ty).0)),
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Exports<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Fn(f) => self.add(&f.vis, &f.sig.ident, None, signature(&f.sig)),
            Item::Struct(s) => self.add(&s.vis, &s.ident, None, public_fields(&s.fields)),
            Item::Enum(e) => {
                let mut all = Idents::default();
                e.variants.iter().for_each(|variant| all.visit_fields(&variant.fields));
                self.add(&e.vis, &e.ident, None, all);
            }
            Item::Const(c) => self.add(&c.vis, &c.ident, None, names(&c.ty)),
            Item::Static(s) => self.add(&s.vis, &s.ident, None, names(&s.ty)),
            Item::Type(t) => self.add(&t.vis, &t.ident, None, names(&t.ty)),
            Item::Trait(t) => {
                let mut all = Idents::default();
                all.visit_item_trait(t);
                self.add(&t.vis, &t.ident, None, all);
            }
            Item::Impl(item) => self.add_impl(item),
            Item::Macro(item) => self.of_macros.extend(words(item.mac.tokens.clone())),
            _ => {}
        }
        visit::visit_item(self, item);
    }
}

fn names(of: &Type) -> Idents {
    let mut names = Idents::default();
    names.visit_type(of);
    names
}

fn signature(of: &Signature) -> Idents {
    let mut names = Idents::default();
    names.visit_signature(of);
    names
}

fn public_fields(fields: &Fields) -> Idents {
    let mut names = Idents::default();
    let public = fields.iter().filter(|field| matches!(field.vis, Visibility::Public(_)));
    public.for_each(|field| names.visit_type(&field.ty));
    names
}

fn words(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    words_in(tokens, &mut words);
    words
}

/// Whether a source belongs to a crate's library.
fn is_of_library(source: &Source, krate: &str) -> bool {
    source.is_in(&format!("{krate}/src")) && !source.path.ends_with("/main.rs")
}

/// The exports of a crate that no other crate uses.
fn unused(krate: &str, sources: &[Source]) -> Vec<Export> {
    let mut used: HashSet<String> = HashSet::new();
    let (mut exports, mut by_traits) = (Vec::new(), Vec::new());
    for source in sources {
        if !is_of_library(source, krate) {
            used.extend(words(source.text.parse().expect("it was read before")));
            continue;
        }
        let mut own =
            Exports { source, found: Vec::new(), by_traits: Vec::new(), of_macros: HashSet::new() };
        source.items().iter().for_each(|item| own.visit_item(item));
        exports.extend(own.found);
        by_traits.extend(own.by_traits);
        used.extend(own.of_macros);
    }
    let is_used = |used: &HashSet<String>, export: &Export| {
        used.contains(&export.name)
            && export.owner.as_ref().is_none_or(|owner| used.contains(owner))
    };
    loop {
        let before = used.len();
        for export in &exports {
            if is_used(&used, export) {
                used.extend(export.names.iter().cloned());
            }
        }
        for (owner, names) in &by_traits {
            if used.contains(owner) {
                used.extend(names.iter().cloned());
            }
        }
        if used.len() == before {
            break;
        }
    }
    exports.retain(|export| !is_used(&used, export));
    exports
}

#[test]
fn public_item_is_used_outside() {
    let known: BTreeSet<&str> = UNUSED.into();
    let found: BTreeMap<String, String> = CRATES
        .iter()
        .flat_map(|krate| unused(krate, sources()))
        .map(|export| (export.row, export.place))
        .collect();
    let new = found.iter().filter(|(row, _)| !known.contains(row.as_str()));
    let mut findings: Vec<String> = new.map(|(_, place)| place.clone()).collect();
    let gone = known.iter().filter(|row| !found.contains_key(**row));
    findings.extend(gone.map(|row| format!("{row} is used or gone; take it out of UNUSED")));
    assert_none(
        &findings,
        "no other crate uses these; make them pub(crate), or delete what nothing uses:",
    );
}

#[test]
fn unused_export_is_found() {
    let of = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let sources = read(vec![
        of(
            "store/src/a.rs",
            "pub struct Used { pub a: Field, b: Hidden }\npub struct Field;\npub struct Hidden;\n\
             impl Used { pub fn make() -> Made { x() } pub fn left(&self) {} pub const LEFT: u8 = 1; fn own() {} }\n\
             pub struct Made;\nimpl Made { pub fn make() {} }\n\
             impl FromStr for Used { type Err = Bad; }\npub enum Bad { One(Inner) }\npub enum Inner {}\n\
             pub(crate) fn inside() {}\npub fn main_calls() {}\npub const LIMIT: u8 = 1;\n\
             #[cfg(test)]\npub fn helper() {}\n#[cfg(test)]\nmod tests { pub fn f() {} }",
        ),
        of("store/src/b.rs", "fn f() { crate::a::LIMIT; a.left() }"),
        of("store/src/main.rs", "fn main() { store::a::main_calls() }"),
        of("idp/src/c.rs", "fn f(a: Used) { assert!(a.make()) } // left, LIMIT and \"Hidden\""),
    ]);
    let found: Vec<String> =
        unused("store", &sources).into_iter().map(|found| found.place).collect();
    let wanted = ["3: Hidden", "4: Used::left", "4: Used::LEFT", "12: LIMIT"];
    assert_eq!(found, wanted.map(|place| format!("store/src/a.rs:{place}")));
}
