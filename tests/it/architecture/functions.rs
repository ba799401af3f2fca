//! The functions of a source.

use super::source::{closing, line_of, places_of};

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Name.
    pub(super) name: String,
    /// Where `fn` stands.
    pub(super) at: usize,
    /// Where its body begins.
    pub(super) body: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Lines from `fn` to the closing brace.
    pub(super) lines: usize,
}

/// Every function with a body in a text without comments and strings, inner ones too.
pub(super) fn functions(code: &str) -> Vec<Function> {
    places_of(code, "fn").filter_map(|at| function(code, at)).collect()
}

/// The innermost function that a place is in.
pub(super) fn around(functions: &[Function], at: usize) -> &str {
    let holding = functions.iter().filter(|f| f.at <= at && at < f.end);
    holding.min_by_key(|f| f.end - f.at).map_or("", |f| f.name.as_str())
}

fn function(code: &str, at: usize) -> Option<Function> {
    // `fn(u8) -> u8` is a type, and `fn $name` of a macro has no name yet.
    let name: String =
        code[at + 2..].trim_start().chars().take_while(|c| super::scan::is_name(*c)).collect();
    if name.is_empty() {
        return None;
    }
    let body = body(code, at)?;
    let end = closing(code, body);
    let lines = line_of(code, end) - line_of(code, at) + 1;
    Some(Function { name, at, body, end, lines })
}

/// Where the body begins; none for a function without one.
fn body(code: &str, mut at: usize) -> Option<usize> {
    loop {
        match code.as_bytes().get(at)? {
            b'{' => return Some(at),
            b';' => return None,
            b'(' | b'[' => at = closing(code, at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_with_their_lines() {
        let code = "trait A { fn a(&self); }\nfn b(x: [u8; 2]) -> [u8; 2]\nwhere\n    X: Y,\n{\n    \
                    fn c() { 1 }\n    x\n}\ntype D = fn(u8) -> u8;\n";
        let found = functions(code);
        let short: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines)).collect();
        assert_eq!(short, [("b", 7), ("c", 1)]);
        assert_eq!(around(&found, code.find('1').unwrap()), "c");
        assert_eq!(around(&found, code.find("    x").unwrap()), "b");
    }
}
