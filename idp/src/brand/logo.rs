//! The logo of the brand.

use std::path::Path;

use axum::body::Bytes;

use crate::small_file::read_at_most;

/// The limit of a logo in bytes: it is a part of every mail, and on every page.
const SIZE_MAX: u64 = 20 * 1024;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The kinds of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PictureKind {
    Png,
    Svg,
}

/// A picture.
#[derive(Clone, Debug)]
pub(crate) struct Logo {
    kind: PictureKind,
    /// Content of the file.
    pub(crate) bytes: Bytes,
}

impl Logo {
    /// Reads a logo; or why it cannot be used.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let shown = file.display();
        let cannot_be_read = |why: std::io::Error| format!("{shown} cannot be read: {why}");
        let bytes = read_at_most(file, SIZE_MAX).map_err(cannot_be_read)?.ok_or_else(|| {
            format!(
                "{shown} has more than {SIZE_MAX} bytes, the limit: every mail carries it; make it smaller"
            )
        })?;
        Self::from_bytes(bytes.to_vec())
            .ok_or_else(|| format!("{shown} is neither a PNG nor an SVG without scripts"))
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(Self { kind: PictureKind::of(&bytes)?, bytes: bytes.into() })
    }

    /// Whether it is a PNG, which every mail program can show.
    pub(super) fn is_png(&self) -> bool {
        self.kind == PictureKind::Png
    }

    pub(super) const fn extension(&self) -> &'static str {
        match self.kind {
            PictureKind::Png => "png",
            PictureKind::Svg => "svg",
        }
    }

    /// Its media type.
    pub(crate) const fn content_type(&self) -> &'static str {
        match self.kind {
            PictureKind::Png => "image/png",
            PictureKind::Svg => "image/svg+xml",
        }
    }
}

impl PictureKind {
    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(PNG_SIGNATURE) {
            return Some(Self::Png);
        }
        let text = std::str::from_utf8(bytes).ok()?.to_ascii_lowercase();
        // Wherever it stands: a prefix may come before the name of the element. What is overlooked cannot run either: the logo
        // is served with a policy of its own.
        let may_act = ["script", "onload", "onclick", "javascript:"];
        let acts = may_act.iter().any(|word| text.contains(word));
        (text.contains("<svg") && !acts).then_some(Self::Svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logo_is_png_or_scriptless_svg() {
        let kind =
            |content: &[u8]| Logo::from_bytes(content.to_vec()).map(|logo| logo.content_type());
        assert_eq!(kind(&[PNG_SIGNATURE, b"rest"].concat()), Some("image/png"));
        let svg = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(kind(svg), Some("image/svg+xml"));
        for refused in [
            &b"GIF89a"[..],
            b"<svg><script>1</script></svg>",
            b"<svg><s:script/></svg>",
            b"<svg onload=\"a()\"/>",
            b"",
            b"<html>",
        ] {
            assert_eq!(kind(refused), None);
        }
    }

    #[test]
    fn unreadable_or_large_logo_is_refused() {
        let said = Logo::read(Path::new("/nowhere/logo.png")).unwrap_err();
        assert!(said.contains("/nowhere/logo.png cannot be read"), "{said}");
        let large = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
        let said = Logo::read(Path::new(large)).unwrap_err();
        assert!(said.contains("has more than 20480 bytes"), "{said}");
    }
}
