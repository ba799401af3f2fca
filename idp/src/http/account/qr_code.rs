//! A QR code as a picture in the page (ISO/IEC 18004), without a script and without a request of its own.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Modules of white around the code, so that a camera finds it.
const QUIET_ZONE: i32 = 4;

/// The size of the picture in modules, and the path that fills its dark ones; none if the text is too long.
pub(super) fn modules(text: &str) -> Option<(i32, String)> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            write!(path, "M{},{}h1v1h-1z", x + QUIET_ZONE, y + QUIET_ZONE).ok()?;
        }
    }
    Some((size + 2 * QUIET_ZONE, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dark_modules_are_drawn() {
        let (size, path) = modules("otpauth://totp/A:b?secret=GEZDGNBV&issuer=A").unwrap();
        // Version 4 has 33 modules.
        assert_eq!(size, 33 + 8);
        assert!(path.starts_with("M4,4h1v1h-1zM5,4h1v1h-1z"), "{path}");
        assert!(modules(&"a".repeat(5000)).is_none());
    }
}
