//! What one source contains: its paths, calls, strings, attributes, functions and imports. `syn` parses the code; it does
//! not parse the bodies of macros, so these are walked as tokens (`tokens.rs`).

use std::ops::Range;

use proc_macro2::{Ident, Span, TokenStream};
use syn::{
    Attribute, Block, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemUse, Signature, TraitItemFn, Type,
    UseTree, Visibility, spanned::Spanned, visit, visit::Visit,
};

use super::tokens::{test_parts, words_in};

/// The kind of a fact, and so what its name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FactKind {
    /// A path of a call, a type, a pattern, a macro or an attribute.
    Path,
    /// A method call.
    Method,
    /// A field that is read or written.
    Field,
    /// The type of a constructed value: `Name { .. }`.
    Value,
    /// The trait of an `impl .. for ..`.
    Impl,
    /// A macro call.
    Macro,
    /// The words of an attribute.
    Attribute,
    /// The content of a string.
    Text,
}

/// One thing that a source contains.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) kind: FactKind,
    /// As written, with the type's name for `Self`.
    pub(super) name: String,
    /// Its position, in bytes.
    pub(super) at: Range<usize>,
    /// The module around it.
    pub(super) module: String,
    /// The innermost function around it; empty outside of functions.
    pub(super) function: String,
    /// What a path may refer to, from its crate on: see `NameTable`.
    pub(super) meanings: Vec<String>,
}

impl Fact {
    /// Whether it may refer to this item, `krate::module::name`.
    pub(super) fn means(&self, item: &str) -> bool {
        self.meanings.iter().any(|meaning| meaning == item)
    }
}

/// One name that a `use` declaration brings in.
#[derive(Clone, Debug)]
pub(super) struct Import {
    /// The whole path, as written.
    pub(super) path: String,
    /// Its name in the module; `*` for a glob import.
    pub(super) name: String,
    /// Whether it is a re-export.
    pub(super) exported: bool,
    pub(super) at: Range<usize>,
    pub(super) module: String,
    /// What the path may refer to, from its crate on.
    pub(super) meanings: Vec<String>,
}

/// A function with a body.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// From `fn` to the closing brace.
    pub(super) at: Range<usize>,
    pub(super) lines: usize,
    /// Whether the test harness runs it.
    pub(super) is_test_case: bool,
}

/// All facts of a source.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) list: Vec<Fact>,
    pub(super) imports: Vec<Import>,
    pub(super) functions: Vec<Function>,
    /// Every module that the source is or contains.
    pub(super) modules: Vec<String>,
    /// Modules in files of their own that are compiled for tests only.
    pub(super) test_modules: Vec<String>,
    /// Parts that are compiled for tests only.
    pub(super) tests: Vec<Range<usize>>,
    module: String,
    pub(super) function: String,
    self_type: String,
}

impl Facts {
    /// Reads the source of a module.
    pub(super) fn read(module: &str, text: &str) -> syn::Result<Self> {
        let tokens: TokenStream = text.parse()?;
        let mut facts = Self { module: module.to_owned(), ..Self::default() };
        facts.modules.push(module.to_owned());
        test_parts(tokens.clone(), &mut facts.tests);
        facts.visit_file(&syn::parse2(tokens)?);
        Ok(facts)
    }

    pub(super) fn add(&mut self, kind: FactKind, name: String, at: Span) {
        let (module, function) = (self.module.clone(), self.function.clone());
        let at = at.byte_range();
        self.list.push(Fact { kind, name, at, module, function, meanings: Vec::new() });
    }

    /// Adds a path, unless it is the keyword in `pub(crate)` and the like.
    pub(super) fn add_path(&mut self, kind: FactKind, segments: &[String], at: Span) {
        if matches!(segments, [only] if ["crate", "self", "super"].contains(&only.as_str())) {
            return;
        }
        let mut segments = segments.to_vec();
        if segments[0] == "Self" && !self.self_type.is_empty() {
            segments[0].clone_from(&self.self_type);
        }
        self.add(kind, segments.join("::"), at);
    }

    fn in_function(
        &mut self,
        attributes: &[Attribute],
        signature: &Signature,
        body: Option<&Block>,
        read: impl FnOnce(&mut Self),
    ) {
        let name = signature.ident.to_string();
        if let Some(body) = body {
            let (begin, end) = (signature.fn_token.span, body.brace_token.span.close());
            let is_test_case = attributes.iter().any(runs_a_test);
            self.functions.push(Function { is_test_case, ..function(name.clone(), begin, end) });
        }
        let outer = std::mem::replace(&mut self.function, name);
        read(self);
        self.function = outer;
    }

    fn import(&mut self, prefix: &str, tree: &UseTree, exported: bool) {
        let join = |name: &Ident| match prefix {
            "" => name.to_string(),
            "::" => format!("::{name}"),
            _ => format!("{prefix}::{name}"),
        };
        let (path, name) = match tree {
            UseTree::Path(tree) => return self.import(&join(&tree.ident), &tree.tree, exported),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(prefix, tree, exported));
            }
            UseTree::Name(tree) if tree.ident == "self" => {
                (prefix.to_owned(), prefix.rsplit("::").next().unwrap_or_default().to_owned())
            }
            UseTree::Name(tree) => (join(&tree.ident), tree.ident.to_string()),
            UseTree::Rename(tree) if tree.ident == "self" => {
                (prefix.to_owned(), tree.rename.to_string())
            }
            UseTree::Rename(tree) => (join(&tree.ident), tree.rename.to_string()),
            UseTree::Glob(_) => (format!("{prefix}::*"), "*".to_owned()),
        };
        let (at, module) = (tree.span().byte_range(), self.module.clone());
        self.imports.push(Import { path, name, exported, at, module, meanings: Vec::new() });
    }
}

impl<'ast> Visit<'ast> for Facts {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let module = format!("{}::{}", self.module, item.ident);
        if item.content.is_none() && is_for_tests(&item.attrs) {
            self.test_modules.push(module.clone());
        }
        self.modules.push(module.clone());
        let outer = std::mem::replace(&mut self.module, module);
        visit::visit_item_mod(self, item);
        self.module = outer;
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        item.attrs.iter().for_each(|attribute| self.visit_attribute(attribute));
        let prefix = if item.leading_colon.is_some() { "::" } else { "" };
        self.import(prefix, &item.tree, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.in_function(&item.attrs, &item.sig, Some(&item.block), |facts| {
            visit::visit_item_fn(facts, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.in_function(&item.attrs, &item.sig, Some(&item.block), |facts| {
            visit::visit_impl_item_fn(facts, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.in_function(&item.attrs, &item.sig, item.default.as_ref(), |facts| {
            visit::visit_trait_item_fn(facts, item);
        });
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if let Some((path, _)) = &item.trait_ {
            self.add_path(FactKind::Impl, &segments(path), path.span());
        }
        let name = match &*item.self_ty {
            Type::Path(of) => segments(&of.path).join("::"),
            _ => String::new(),
        };
        let outer = std::mem::replace(&mut self.self_type, name);
        visit::visit_item_impl(self, item);
        self.self_type = outer;
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add_path(FactKind::Path, &segments(path), path.span());
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_expr_struct(&mut self, value: &'ast syn::ExprStruct) {
        self.add_path(FactKind::Value, &segments(&value.path), value.path.span());
        visit::visit_expr_struct(self, value);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.add(FactKind::Method, call.method.to_string(), call.method.span());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        if let syn::Member::Named(name) = &field.member {
            self.add(FactKind::Field, name.to_string(), name.span());
        }
        visit::visit_expr_field(self, field);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_path(FactKind::Macro, &segments(&call.path), call.path.span());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("doc") {
            let tokens = match &attribute.meta {
                syn::Meta::List(list) => list.tokens.clone(),
                _ => TokenStream::new(),
            };
            let mut words = vec![segments(attribute.path()).join("::")];
            words_in(tokens, &mut words);
            self.add(FactKind::Attribute, words.join(" "), attribute.span());
            visit::visit_attribute(self, attribute);
        }
    }

    fn visit_lit(&mut self, literal: &'ast syn::Lit) {
        let text = match literal {
            syn::Lit::Str(text) => text.value(),
            syn::Lit::ByteStr(text) => String::from_utf8_lossy(&text.value()).into_owned(),
            syn::Lit::CStr(text) => text.value().to_string_lossy().into_owned(),
            _ => return,
        };
        self.add(FactKind::Text, text, literal.span());
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.walk(tokens.clone());
    }
}

pub(super) fn function(name: String, begin: Span, end: Span) -> Function {
    let at = begin.byte_range().start..end.byte_range().end;
    let lines = end.end().line - begin.start().line + 1;
    Function { name, at, lines, is_test_case: false }
}

/// The segments of a path, without generic arguments; the first one is empty when it begins with `::`.
fn segments(path: &syn::Path) -> Vec<String> {
    let root = path.leading_colon.map(|_| String::new());
    root.into_iter().chain(path.segments.iter().map(|s| s.ident.to_string())).collect()
}

/// Whether the attributes have `#[cfg(test)]`.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        matches!(&attribute.meta, syn::Meta::List(list)
            if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

/// `#[test]`, `#[tokio::test]`, or the template for both engines.
fn runs_a_test(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| ["test", "apply", "rstest"].iter().any(|name| last.ident == name))
}
