//! Style sheets, compiled in. Their names change with their content, so that they can be cached for ever.

use std::sync::LazyLock;

/// An asset file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    /// `Content-Type`.
    pub(crate) content_type: &'static str,
    /// Content.
    pub(crate) bytes: &'static [u8],
}

const CSS: &str = include_str!("../../assets/vestibule.css");

static CSS_PATH: LazyLock<String> = LazyLock::new(|| {
    let digest = keys::hash_text(CSS);
    let short = digest.as_bytes().iter().take(6).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    format!("/assets/vestibule-{short:012x}.css")
});

/// The path of the style sheet.
pub(crate) fn stylesheet() -> &'static str {
    &CSS_PATH
}

/// The file at a path.
pub(crate) fn find_asset(path: &str) -> Option<Asset> {
    (path == stylesheet())
        .then_some(Asset { content_type: "text/css; charset=utf-8", bytes: CSS.as_bytes() })
}
