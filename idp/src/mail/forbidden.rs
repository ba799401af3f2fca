//! Text that no mail may contain: links, references to remote content, unfilled placeholders, and invisible characters that
//! would be copied with a code.

const FORBIDDEN: [&str; 8] = ["http", "href", "src=", "url(", "<img", "{$", "\u{FFFD}", "\u{2068}"];

/// The first forbidden text in `text`.
pub(crate) fn first_forbidden(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    FORBIDDEN.into_iter().find(|forbidden| text.contains(forbidden))
}
