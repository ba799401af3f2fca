//! What no mail may say: links, what loads something, a placeholder that nothing was put into, and what would be copied along
//! with a code without being seen.

const FORBIDDEN: [&str; 8] = ["http", "href", "src=", "url(", "<img", "{$", "\u{FFFD}", "\u{2068}"];

/// The first of them that a text has.
pub(crate) fn first_forbidden(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    FORBIDDEN.into_iter().find(|forbidden| text.contains(forbidden))
}
