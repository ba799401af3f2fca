//! The tokens that `syn` does not parse, so that the rules also cover `assert!(..)`, `select! { .. }` and the bodies of
//! macros.

use std::ops::Range;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::{ItemUse, visit::Visit};

use super::facts::{FactKind, Facts, function};

impl Facts {
    /// Walks tokens that `syn` does not parse.
    pub(super) fn walk(&mut self, tokens: TokenStream) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            at += 1;
            match tree {
                TokenTree::Group(group) => self.walk(group.stream()),
                TokenTree::Literal(literal) => self.visit_lit(&syn::Lit::new(literal.clone())),
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    at += self.walk_attribute(&trees[at..]);
                }
                TokenTree::Punct(_) => {}
                TokenTree::Ident(ident) if ident == "fn" => at += self.walk_function(&trees[at..]),
                TokenTree::Ident(ident) if ident == "use" => at = self.walk_use(&trees, at - 1),
                TokenTree::Ident(_) => at = self.walk_path(&trees, at - 1),
            }
        }
    }

    /// Walks an attribute after its `#`; returns the number of trees in it.
    fn walk_attribute(&mut self, trees: &[TokenTree]) -> usize {
        let inner = trees.first().is_some_and(|tree| is_punct(tree, '!'));
        let Some(TokenTree::Group(group)) = trees.get(usize::from(inner)) else { return 0 };
        let mut words = Vec::new();
        words_in(group.stream(), &mut words);
        if words.first().is_some_and(|word| word != "doc") {
            self.add(FactKind::Attribute, words.join(" "), group.span());
            self.walk(group.stream());
        }
        1 + usize::from(inner)
    }

    /// Walks a function after its `fn`; returns the number of trees in it.
    fn walk_function(&mut self, trees: &[TokenTree]) -> usize {
        let is_end = |tree: &TokenTree| is_punct(tree, ';') || body(tree).is_some();
        let end = trees.iter().position(is_end);
        let (Some(TokenTree::Ident(name)), Some(end)) = (trees.first(), end) else { return 0 };
        let outer = std::mem::replace(&mut self.function, name.to_string());
        if let Some(close) = body(&trees[end]) {
            self.functions.push(function(name.to_string(), name.span(), close));
        }
        self.walk(trees[1..=end].iter().cloned().collect());
        self.function = outer;
        end + 1
    }

    /// Reads a `use` declaration; returns the index after it.
    fn walk_use(&mut self, trees: &[TokenTree], begin: usize) -> usize {
        let end = trees[begin..].iter().position(|tree| is_punct(tree, ';'));
        let end = end.map_or(begin, |end| begin + end);
        if let Ok(item) = syn::parse2::<ItemUse>(trees[begin..=end].iter().cloned().collect()) {
            self.visit_item_use(&item);
            return end + 1;
        }
        begin + 1
    }

    /// Reads the path that begins at a name; returns the index after it.
    fn walk_path(&mut self, trees: &[TokenTree], begin: usize) -> usize {
        const NO_VALUE: [&str; 6] = ["struct", "enum", "union", "trait", "impl", "for"];
        let (mut segments, end) = path_at(trees, begin);
        let (before, after) = (&trees[..begin], &trees[end..]);
        let span = trees[begin].span();
        let span = span.join(trees[end - 1].span()).unwrap_or(span);
        if ends_with(before, ".") && !ends_with(before, "..") {
            let is_call = is_group(after, Delimiter::Parenthesis) || starts_with(after, "::<");
            let kind = if is_call { FactKind::Method } else { FactKind::Field };
            self.add(kind, segments.concat(), span);
            return end;
        }
        if ends_with(before, "::") && !ends_with(before, ">::") {
            segments.insert(0, String::new());
        }
        self.add_path(FactKind::Path, &segments, span);
        let word = before.last().map(ToString::to_string).unwrap_or_default();
        let is_type = ends_with(before, "->") || NO_VALUE.contains(&word.as_str());
        if is_group(after, Delimiter::Brace) && !is_type {
            self.add_path(FactKind::Value, &segments, span);
        } else if matches!(after, [TokenTree::Ident(word), ..] if word == "for") {
            self.add_path(FactKind::Impl, &segments, span);
        } else if starts_with(after, "!") {
            self.add_path(FactKind::Macro, &segments, span);
        }
        end
    }
}

/// The segments of the path that begins at a name, and the index after it.
fn path_at(trees: &[TokenTree], begin: usize) -> (Vec<String>, usize) {
    let (mut segments, mut end) = (vec![trees[begin].to_string()], begin + 1);
    while starts_with(&trees[end..], "::")
        && let Some(TokenTree::Ident(name)) = trees.get(end + 2)
    {
        segments.push(name.to_string());
        end += 3;
    }
    (segments, end)
}

fn starts_with(trees: &[TokenTree], puncts: &str) -> bool {
    trees.len() >= puncts.len() && trees.iter().zip(puncts.chars()).all(|(t, c)| is_punct(t, c))
}

fn ends_with(trees: &[TokenTree], puncts: &str) -> bool {
    let begin = trees.len().checked_sub(puncts.len());
    begin.is_some_and(|begin| starts_with(&trees[begin..], puncts))
}

fn is_group(trees: &[TokenTree], delimiter: Delimiter) -> bool {
    matches!(trees, [TokenTree::Group(group), ..] if group.delimiter() == delimiter)
}

/// The names in tokens, without strings.
pub(super) fn words_in(tokens: TokenStream, words: &mut Vec<String>) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => words_in(group.stream(), words),
            TokenTree::Ident(name) => words.push(name.to_string()),
            _ => {}
        }
    }
}

fn is_punct(tree: &TokenTree, c: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == c)
}

/// The closing brace of a body.
fn body(tree: &TokenTree) -> Option<Span> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            Some(group.span_close())
        }
        _ => None,
    }
}

/// The parts behind `#[cfg(test)]`, each up to its closing brace or its semicolon.
pub(super) fn test_parts(tokens: TokenStream, found: &mut Vec<Range<usize>>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        let is_attribute = at > 0 && is_punct(&trees[at - 1], '#');
        if is_attribute && group.stream().to_string().replace(' ', "") == "cfg(test)" {
            let is_end = |tree: &&TokenTree| is_punct(tree, ';') || body(tree).is_some();
            let end = trees[at..].iter().find(is_end).or(trees.last());
            let begin = trees[at - 1].span().byte_range().start;
            found.extend(end.map(|end| begin..end.span().byte_range().end));
        }
        test_parts(group.stream(), found);
    }
}
