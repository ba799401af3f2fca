//! The cookie of a known device: a random value for one account, and a tag that binds it to the account.
//!
//! The value counts, and the database has its SHA-256. The tag saves a look-up: it shows, without the database, whether a
//! value is for the address that was typed. It proves nothing by itself.

use std::fmt;

use store::TokenHash;

use crate::{OpaqueToken, Rng, RootKeys};

/// Lengths of a value and of the tag behind it, as text: 32 and 16 bytes in base64url.
const VALUE_LENGTH: usize = 43;
const TAG_LENGTH: usize = 22;

/// The value of a known device with its tag.
#[derive(Clone)]
pub struct DeviceToken {
    value: OpaqueToken,
    tag: String,
}

impl DeviceToken {
    /// A new value for the account of a canonical address.
    #[must_use]
    pub fn generate(rng: &Rng, root: &RootKeys, canonical: &str) -> Self {
        let value = OpaqueToken::generate(rng);
        let tag = root.device_tag(&value.hash(), canonical);
        Self { value, tag }
    }

    /// Parses what a browser sent; `None` when it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (value, tag) = text.split_at_checked(VALUE_LENGTH)?;
        let value = OpaqueToken::parse(value)?;
        (tag.len() == TAG_LENGTH).then(|| Self { value, tag: tag.to_owned() })
    }

    /// The text, for the cookie.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}{}", self.value.reveal(), self.tag)
    }

    /// The hash of the value, which is stored.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.value.hash()
    }

    /// Whether it was made for this address.
    #[must_use]
    pub fn is_for(&self, root: &RootKeys, canonical: &str) -> bool {
        root.verify_device_tag(&self.tag, &self.hash(), canonical)
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RootKey;

    fn root(byte: u8) -> RootKeys {
        RootKeys::new(&[RootKey::parse("a", &[byte; 32]).unwrap()]).unwrap()
    }

    #[test]
    fn device_tag_binds_value_and_address() {
        let (rng, root, other) = (Rng::system(), root(1), root(2));
        let token = DeviceToken::generate(&rng, &root, "mere@example.org");
        let text = token.reveal();
        let read = DeviceToken::parse(&text).unwrap();
        assert_eq!(read.hash(), token.hash());
        assert!(read.is_for(&root, "mere@example.org"));
        assert!(
            !read.is_for(&root, "hemi@example.org") && !read.is_for(&other, "mere@example.org")
        );
        // The tag of one value behind another.
        let swapped = format!("{}{}", OpaqueToken::generate(&rng).reveal(), &text[VALUE_LENGTH..]);
        assert!(!DeviceToken::parse(&swapped).unwrap().is_for(&root, "mere@example.org"));
        for bad in ["", &text[1..], &text[..VALUE_LENGTH], &format!("{text}A")] {
            assert!(DeviceToken::parse(bad).is_none(), "{bad}");
        }
        assert!(!format!("{token:?}").contains(&text[..8]));
    }
}
