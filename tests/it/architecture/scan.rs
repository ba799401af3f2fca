//! Splits a source into what is compiled, what is said in comments and what is said in strings.

/// A source, split. `code` and `comments` have the length of the source: what belongs elsewhere is blanked out, line
/// breaks stay, so that a place in one is the same place in all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) code: String,
    pub(super) comments: String,
    pub(super) literals: Vec<Literal>,
}

/// A string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Where it begins.
    pub(super) at: usize,
    /// What is between its quotes, with escapes as they are written.
    pub(super) text: String,
}

enum Piece {
    Code,
    Comment,
    /// A string, and where its content is.
    Text(std::ops::Range<usize>),
    Char,
}

/// Splits a source.
pub(super) fn scan(source: &str) -> Scanned {
    let (mut code, mut comments) = (String::new(), String::new());
    let mut literals = Vec::new();
    let mut rest = source;
    let mut before = ' ';
    while !rest.is_empty() {
        let (kind, length) = piece(rest, before);
        let (text, after) = rest.split_at(length);
        let in_code = matches!(kind, Piece::Code);
        put(&mut code, text, in_code);
        put(&mut comments, text, matches!(kind, Piece::Comment));
        if let Piece::Text(content) = kind {
            let at = source.len() - rest.len();
            literals.push(Literal { at, text: text[content].to_owned() });
        }
        before = if in_code { text.chars().next_back().unwrap_or(' ') } else { ' ' };
        rest = after;
    }
    Scanned { code, comments, literals }
}

/// Adds a text, or as many blanks.
fn put(to: &mut String, text: &str, as_it_is: bool) {
    if as_it_is {
        to.push_str(text);
    } else {
        to.extend(text.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
    }
}

/// Whether a character can be part of a name.
pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The next piece of a source and its length.
fn piece(rest: &str, before: char) -> (Piece, usize) {
    if rest.starts_with("//") {
        return (Piece::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Piece::Comment, block_comment(rest));
    }
    let literal = if is_name(before) { None } else { string(rest).or_else(|| character(rest)) };
    literal.unwrap_or_else(|| (Piece::Code, rest.chars().next().map_or(1, char::len_utf8)))
}

/// Length of a block comment, which may hold others.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        let step = if here.starts_with(b"/*") {
            depth += 1;
            2
        } else if here.starts_with(b"*/") {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A string with any prefix, raw or not.
fn string(rest: &str) -> Option<(Piece, usize)> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|p| rest.starts_with(p))?;
    let hashes = if prefix.ends_with('r') {
        rest[prefix.len()..].bytes().take_while(|b| *b == b'#').count()
    } else {
        0
    };
    let begin = prefix.len() + hashes + 1;
    if rest.as_bytes().get(begin - 1) != Some(&b'"') {
        return None;
    }
    let end = if prefix.ends_with('r') {
        let closing = format!("\"{}", "#".repeat(hashes));
        rest[begin..].find(&closing).map_or(rest.len(), |at| begin + at)
    } else {
        begin + unescaped_end(&rest[begin..], b'"')
    };
    Some((Piece::Text(begin..end), (end + 1 + hashes).min(rest.len())))
}

/// A character or a byte; none for a lifetime.
fn character(rest: &str) -> Option<(Piece, usize)> {
    let begin = if rest.starts_with("b'") { 2 } else { 1 };
    let inside = rest.strip_prefix("b'").or_else(|| rest.strip_prefix('\''))?;
    let first = inside.chars().next()?;
    let end = if first == '\\' { unescaped_end(inside, b'\'') } else { first.len_utf8() };
    inside.get(end..)?.starts_with('\'').then_some((Piece::Char, begin + end + 1))
}

/// Where the closing quote is.
fn unescaped_end(inside: &str, quote: u8) -> usize {
    let mut escaped = false;
    let end = inside.bytes().position(|b| {
        let closes = b == quote && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    });
    end.unwrap_or(inside.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> String {
        let scanned = scan(source);
        assert_eq!(scanned.code.len(), source.len());
        assert_eq!(scanned.comments.len(), source.len());
        scanned.code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn texts(source: &str) -> Vec<String> {
        scan(source).literals.into_iter().map(|literal| literal.text).collect()
    }

    #[test]
    fn comments_are_no_code() {
        assert_eq!(code("a // b {\nc"), "a c");
        assert_eq!(code("a /* b /* { */ c */ d"), "a d");
        assert_eq!(code("/// \"a\nfn b() {}"), "fn b() {}");
        assert_eq!(scan("a // b\n").comments, "  // b\n");
        assert_eq!(code("a /* never closed"), "a");
    }

    #[test]
    fn strings_are_no_code() {
        assert_eq!(code(r#"a("b { // \" c") d"#), "a( ) d");
        assert_eq!(texts(r#"a("b // c", "")"#), ["b // c", ""]);
        assert_eq!(texts(r#""a\\" "b\"c""#), [r"a\\", r#"b\"c"#]);
        assert_eq!(
            texts(r##"r#"a "b" \"# r"c\" br"d" b"e" c"f""##),
            [r#"a "b" \"#, r"c\", "d", "e", "f"]
        );
        assert_eq!(texts("\"a\nb\""), ["a\nb"]);
        assert_eq!(scan("x \"é\"").literals[0].at, 2);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        assert_eq!(code(r"a('{', '\'', '\u{7d}', b'}', 'é') b"), "a( , , , , ) b");
        assert_eq!(
            code("fn a<'b>(c: &'b str) -> &'static str {}"),
            "fn a<'b>(c: &'b str) -> &'static str {}"
        );
        assert_eq!(code("'outer: loop { break 'outer; }"), "'outer: loop { break 'outer; }");
        assert_eq!(code("r#type + number"), "r#type + number");
    }

    #[test]
    fn line_breaks_stay() {
        let source = "a\n/* b\nc */ \"d\ne\"\nf";
        assert_eq!(scan(source).code.lines().count(), source.lines().count());
    }
}
