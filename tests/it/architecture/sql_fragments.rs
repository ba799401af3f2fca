//! Statements that are joined from parts, `q(concat!("..", part!(), ".."))`: a part is a macro without arguments with text
//! that several statements share. This joins them again, so that the tests read the statement that runs.

use std::{collections::BTreeMap, ops::Range, sync::LazyLock};

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{
    Expr, ExprLit, ExprMethodCall, Item, Lit, Token, parse::Parser, punctuated::Punctuated,
    spanned::Spanned, visit::Visit,
};

use super::source::{Source, sources};

/// The parts of all sources, by the names of their macros.
type Fragments = BTreeMap<String, Expr>;

fn collect_fragments(items: &[Item], parts: &mut Fragments) {
    for item in items {
        let Item::Macro(item) = item else { continue };
        let (Some(name), Some(body)) = (&item.ident, body(&item.mac.tokens)) else { continue };
        let known = parts.insert(name.to_string(), body);
        assert!(known.is_none(), "two parts of statements have the name {name}");
    }
}

/// The expression in `() => { .. }`, if it is one.
fn body(rules: &TokenStream) -> Option<Expr> {
    let trees: Vec<TokenTree> = rules.clone().into_iter().collect();
    match trees.as_slice() {
        [
            TokenTree::Group(none),
            TokenTree::Punct(_),
            TokenTree::Punct(_),
            TokenTree::Group(body),
            ..,
        ] if none.stream().is_empty() => syn::parse2(without_dollars(body.stream())).ok(),
        _ => None,
    }
}

/// `$crate::part!()` as a path that `syn` can parse.
fn without_dollars(tokens: TokenStream) -> TokenStream {
    let is_dollar = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == '$');
    let inside = |tree| match tree {
        TokenTree::Group(group) => {
            Group::new(group.delimiter(), without_dollars(group.stream())).into()
        }
        other => other,
    };
    tokens.into_iter().filter(|tree| !is_dollar(tree)).map(inside).collect()
}

/// The text of a string, a `concat!` or a part.
fn text(expression: &Expr, parts: &Fragments) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Macro(call) => {
            let name = call.mac.path.segments.last()?.ident.to_string();
            if name != "concat" {
                return text(parts.get(&name)?, parts);
            }
            let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
            let arguments = arguments.parse2(call.mac.tokens.clone()).ok()?;
            arguments.iter().map(|argument| text(argument, parts)).collect()
        }
        _ => None,
    }
}

/// A joined statement, and the position of its `concat!`.
type Statement = (Range<usize>, String);

/// The joined statements of a source. Only `store` has any.
pub(super) fn joined_statements(source: &Source) -> &'static [Statement] {
    static JOINED: LazyLock<BTreeMap<String, Vec<Statement>>> = LazyLock::new(|| {
        let store = || sources().iter().filter(|source| source.krate() == "store");
        let mut parts = Fragments::new();
        for source in store() {
            collect_fragments(&source.items(), &mut parts);
        }
        store().map(|source| (source.path.clone(), find_joined(&source.items(), &parts))).collect()
    });
    JOINED.get(&source.path).map_or(&[], Vec::as_slice)
}

fn find_joined(items: &[Item], parts: &Fragments) -> Vec<Statement> {
    let mut found = JoinedVisitor { parts, found: Vec::new() };
    for item in items {
        found.visit_item(item);
    }
    found.found
}

struct JoinedVisitor<'a> {
    parts: &'a Fragments,
    found: Vec<Statement>,
}

impl<'ast> Visit<'ast> for JoinedVisitor<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if let (true, Some(argument @ Expr::Macro(_))) = (call.method == "q", call.args.first()) {
            let text = text(argument, self.parts);
            let text = text.expect("a statement is a string, or a concat! of strings and parts");
            self.found.push((argument.span().byte_range(), text));
        }
        syn::visit::visit_expr_method_call(self, call);
    }
}

#[test]
fn joined_statement_is_read_whole() {
    let code = r#"
        macro_rules! alive { () => { "a.ended_at IS NULL" }; }
        macro_rules! of { () => { concat!("FROM a WHERE ", $crate::a::alive!()) }; }
        macro_rules! other { ($name:ident) => { $name }; }
        async fn one(sql: &mut impl Sql) { sql.q(concat!("SELECT 1 ", of!())).bind(1).one().await }
        async fn two(sql: &mut impl Sql) { sql.q("SELECT 2").one().await }
    "#;
    let items = syn::parse_file(code).expect("it is code").items;
    let mut parts = Fragments::new();
    collect_fragments(&items, &mut parts);
    let found = find_joined(&items, &parts);
    let [(at, text)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(text, "SELECT 1 FROM a WHERE a.ended_at IS NULL");
    assert_eq!(&code[at.clone()], "concat!(\"SELECT 1 \", of!())");
}
