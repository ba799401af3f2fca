//! Style sheet and icon, compiled in. Their names change with their content, so that they can be cached for ever.

use std::sync::LazyLock;

/// An asset file.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// Path: name, hash of the content, extension.
    path: String,
    /// `Content-Type`.
    pub(crate) content_type: &'static str,
    /// Content.
    pub(crate) bytes: &'static [u8],
}

impl Asset {
    fn new(extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = keys::hash_bytes(bytes);
        let start = digest.as_bytes().iter().take(6);
        let short = start.fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        Self { path: format!("/assets/vestibule-{short:012x}.{extension}"), content_type, bytes }
    }
}

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    let css = include_bytes!("../../assets/vestibule.css");
    Asset::new("css", "text/css; charset=utf-8", css)
});

/// Without one in the page, a browser asks for `/favicon.ico`.
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("png", "image/png", include_bytes!("../../assets/vestibule.png")));

/// The path of the style sheet.
pub(crate) fn stylesheet() -> &'static str {
    &STYLESHEET.path
}

/// The path of the icon.
pub(crate) fn icon() -> &'static str {
    &ICON.path
}

/// The file at a path.
pub(crate) fn find_asset(path: &str) -> Option<&'static Asset> {
    [&*STYLESHEET, &*ICON].into_iter().find(|asset| asset.path == path)
}
