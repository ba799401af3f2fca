//! Files that are small by their purpose: keys, passwords, claims, a logo.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

/// Reads a file of at most `max` bytes; `None` if it is larger. No more is read than shows that, because a device has no
/// length and no end.
pub(crate) fn read_at_most(file: &Path, max: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut content = Zeroizing::new(Vec::new());
    File::open(file)?.take(max + 1).read_to_end(&mut content)?;
    let fits = u64::try_from(content.len()).is_ok_and(|length| length <= max);
    Ok(fits.then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_without_end_is_too_large() {
        assert!(read_at_most(Path::new("/dev/zero"), 1024).unwrap().is_none());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let length = std::fs::metadata(&file).unwrap().len();
        assert!(read_at_most(&file, length).unwrap().is_some());
        assert!(read_at_most(&file, length - 1).unwrap().is_none());
    }
}
