//! The blocklist of common passwords, compiled in (`keys/data/README.md` has its sources).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Sorted first eight bytes of SHA-1(lower(NFKC(password))).
static COMMON_PASSWORDS: &[u8] = include_bytes!("../data/common-ge8.sha1-64.bin");

/// Whether a password, in NFKC and lower case, is on the list.
#[must_use]
pub fn is_common(folded: &str) -> bool {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, folded.as_bytes());
    let Some(wanted) = digest.as_ref().first_chunk::<8>() else { return true };
    COMMON_PASSWORDS.as_chunks::<8>().0.binary_search(wanted).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocklist_is_sorted_and_complete() {
        let (entries, rest) = COMMON_PASSWORDS.as_chunks::<8>();
        assert_eq!((entries.len(), rest.len()), (475_802, 0));
        assert!(entries.is_sorted());
    }

    #[test]
    fn common_passwords_are_found() {
        for password in ["password", "12345678", "qwertyuiop", "1234567891234567"] {
            assert!(is_common(password), "{password}");
        }
        assert!(!is_common("mere walks to the river"));
    }
}
