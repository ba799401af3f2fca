//! E-mail addresses: one canonical form wherever one is entered (decision 16).

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// An address in two spellings: as its owner writes it, for sending mail, and canonical, for look-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    written: String,
    canonical: String,
}

/// Why an address is refused, in words for the person who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum BadEmail {
    /// Nothing was typed.
    #[error("an e-mail address is needed")]
    Empty,
    /// No `@`, or nothing on one side of it.
    #[error("an e-mail address looks like name@example.org")]
    Shape,
    /// Control or invisible characters.
    #[error("the address has characters that cannot be seen")]
    Invisible,
    /// The local part is quoted or has a space.
    #[error("addresses with spaces or quotation marks are not supported")]
    Quoted,
    /// The part after `@` is not a domain name.
    #[error("the part after @ is not a domain name")]
    Domain,
    /// Over 64 characters before `@`, or over 254 in all (RFC 5321, section 4.5.3.1).
    #[error("the address is too long")]
    Long,
}

impl EmailAddress {
    /// Parses an address: trims, normalises to NFKC, refuses invisible characters, converts the domain to its A-label
    /// without trailing dot and folds the case of the local part. Nothing specific to a provider: dots and tags stay.
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        let written: String = text.trim().nfkc().collect();
        if written.is_empty() {
            return Err(BadEmail::Empty);
        }
        if written.chars().any(is_invisible) {
            return Err(BadEmail::Invisible);
        }
        // The root of the domain name is no part of how an address is spelled, and mail programs refuse it.
        let written = written.strip_suffix('.').unwrap_or(&written).to_owned();
        let (local, domain) = written.rsplit_once('@').ok_or(BadEmail::Shape)?;
        if local.is_empty() || domain.is_empty() {
            return Err(BadEmail::Shape);
        }
        if local.contains(['"', '@', ' ', '<', '>', '(', ')', ',', ';', ':', '\\']) {
            return Err(BadEmail::Quoted);
        }
        let domain = canonical_domain(domain)?;
        let folded: String = local.to_lowercase().nfkc().collect();
        // A letter may become longer when its case is folded, and the canonical form is an address too.
        let longest = local.len().max(folded.len());
        if longest > 64 || longest + 1 + domain.len() > 254 {
            return Err(BadEmail::Long);
        }
        Ok(Self { canonical: format!("{folded}@{domain}"), written })
    }

    /// The address as written.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The canonical form.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn is_invisible(c: char) -> bool {
    // A space is visible, and has an error of its own; U+2028 and similar ones end a line in some programs.
    c.is_control()
        || c.is_whitespace() && c != ' '
        || matches!(c, '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

fn canonical_domain(domain: &str) -> Result<String, BadEmail> {
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| BadEmail::Domain)?;
    let plausible = ascii.contains('.') || ascii == "localhost";
    if plausible && !ascii.starts_with('.') { Ok(ascii) } else { Err(BadEmail::Domain) }
}

/// The address with all but its first letter and its domain hidden, for a page that a bystander may see.
#[must_use]
pub fn mask_address(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        None => "***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, BadEmail> {
        EmailAddress::parse(text).map(|e| e.canonical)
    }

    #[test]
    fn spellings_share_one_canonical_address() {
        for text in [
            "mere@example.org",
            " Mere@Example.ORG ",
            "MERE@example.org.",
            "\u{FF2D}ere@example.org",
        ] {
            assert_eq!(canonical(text).as_deref(), Ok("mere@example.org"), "{text}");
        }
        let spelled = EmailAddress::parse("Mere@Example.org.").unwrap();
        assert_eq!(spelled.as_written(), "Mere@Example.org");
        assert_eq!(canonical("mere@example.org.."), Err(BadEmail::Domain));
        assert_eq!(canonical("kāhui@māori.nz").as_deref(), Ok("kāhui@xn--mori-qsa.nz"));
        assert_eq!(
            canonical("ka\u{0304}hui@xn--mori-qsa.nz").as_deref(),
            Ok("kāhui@xn--mori-qsa.nz")
        );
    }

    #[test]
    fn dots_tags_and_homoglyphs_stay_distinct() {
        assert_ne!(canonical("a.b@gmail.com"), canonical("ab@gmail.com"));
        assert_ne!(canonical("ab+tag@gmail.com"), canonical("ab@gmail.com"));
        assert_ne!(canonical("m\u{0435}re@example.org"), canonical("mere@example.org"));
        assert_ne!(canonical("i@example.org"), canonical("\u{0131}@example.org"));
    }

    #[test]
    fn invisible_or_malformed_address_is_refused() {
        for text in [
            "me\u{200B}re@example.org",
            "mere\r\n@example.org",
            "a\u{202E}b@example.org",
            "a\0b@c.nz",
        ] {
            assert_eq!(canonical(text), Err(BadEmail::Invisible), "{text:?}");
        }
        assert_eq!(canonical("\"a b\"@example.org"), Err(BadEmail::Quoted));
        assert_eq!(canonical("a@b@example.org"), Err(BadEmail::Quoted));
        assert_eq!(canonical("@example.org"), Err(BadEmail::Shape));
        assert_eq!(canonical("mere"), Err(BadEmail::Shape));
        assert_eq!(canonical("mere@exa mple.org"), Err(BadEmail::Domain));
        assert_eq!(canonical("mere@example"), Err(BadEmail::Domain));
        assert_eq!(canonical(&format!("{}@example.org", "a".repeat(65))), Err(BadEmail::Long));
    }

    #[test]
    fn masking_shows_first_letter() {
        assert_eq!(mask_address("mere@example.org"), "m***@example.org");
        assert_eq!(mask_address("ā@example.org"), "ā***@example.org");
    }

    #[test]
    fn unicode_whitespace_in_address_is_refused() {
        for space in ['\u{2028}', '\u{2029}', '\u{1680}', '\t', '\n'] {
            let typed = format!("mere{space}kahui@example.org");
            assert_eq!(canonical(&typed), Err(BadEmail::Invisible), "{typed:?}");
        }
        // Compatibility forms of the space are spaces.
        for space in [' ', '\u{A0}', '\u{2003}', '\u{3000}'] {
            let typed = format!("mere{space}kahui@example.org");
            assert_eq!(canonical(&typed), Err(BadEmail::Quoted), "{typed:?}");
        }
    }

    /// The dotted capital of Turkish is two bytes, and three when its case is folded.
    #[test]
    fn length_is_measured_after_case_folding() {
        let typed = |count: usize| format!("{}@example.org", "\u{130}".repeat(count));
        assert!(canonical(&typed(21)).is_ok_and(|canonical| canonical.len() == 75));
        assert_eq!(canonical(&typed(22)), Err(BadEmail::Long));
    }
}
