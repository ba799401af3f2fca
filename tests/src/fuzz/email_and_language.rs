//! Input of people and their browsers: addresses, languages, and the user agent.

use flows::email::{self, EmailAddress};
use idp::{
    http::user_agent,
    locale::{LanguageChoice, Locale},
};
use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};

use super::FuzzContext;

pub(super) const ADDRESSES: &[&str] = &[
    "@",
    "@example.org",
    "mere",
    ".",
    "..",
    "māori.nz",
    "xn--mori-qsa.nz",
    "\u{200b}",
    "\u{202e}",
    "\u{ff20}",
    "\"",
    " ",
    "+tag",
    "ß",
    "İ",
    "\u{301}",
    "\r\nBcc: a@b.example",
];
pub(super) const LANGUAGES: &[&str] = &[
    "mi",
    "mi-NZ",
    "en",
    "en-GB",
    "*",
    ",",
    ";q=",
    "0.5",
    "1.000",
    "0",
    "q=1",
    ":",
    "Firefox/1",
    "Windows",
    "Chrome/9",
    "Safari/",
    "iPhone",
];

/// An accepted address has one canonical form, in which it is found again, and contains no line break that could end a line
/// of a mail.
pub(super) fn email(_: &FuzzContext, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(address) = EmailAddress::parse(&text) else { return };
    let canonical = address.canonical();
    let again = EmailAddress::parse(canonical).expect("a canonical address is an address");
    assert_eq!(again.canonical(), canonical, "the form is canonical");
    let written =
        EmailAddress::parse(address.as_written()).expect("what is mailed to is an address");
    assert_eq!(written.canonical(), canonical);
    for form in [canonical, address.as_written()] {
        assert_eq!(form.matches('@').count(), 1, "{form:?}");
        assert!(!form.chars().any(|c| c.is_control() || c.is_whitespace()), "{form:?}");
        assert!(form.len() <= 320, "{form:?}");
    }
    let masked = email::mask_address(address.as_written());
    assert!(masked.contains('@') && !masked.chars().any(char::is_control), "{masked:?}");
}

/// The chosen language is one of those named, and a browser's name is one of our own.
pub(super) fn language(_: &FuzzContext, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let lower = text.to_ascii_lowercase();
    for found in [
        Locale::from_accept_language(&text),
        Locale::from_ui_locales(&text),
        Locale::from_tag(&text),
    ] {
        assert!(found.is_none_or(|locale| lower.contains(locale.tag())), "{found:?}");
    }
    for locale in Locale::ALL {
        assert_eq!(
            Locale::from_accept_language(&format!("{},{text}", locale.tag())),
            Some(locale),
            "named first"
        );
        let choice = LanguageChoice::from_user(locale).with_ui_locales(Some(&text));
        assert_eq!(LanguageChoice::parse(&choice.to_cookie()), choice);
        assert_eq!(
            choice.with_ui_locales(None),
            LanguageChoice::from_user(locale),
            "the person's own choice stays"
        );
    }
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, value);
    if let Some(name) = user_agent::browser_and_system(&headers) {
        let plain = |c: char| c.is_ascii_alphabetic() || c == ' ' || c == '/';
        assert!(name.len() < 40 && name.chars().all(plain), "{name:?}");
        assert_eq!(name.split('/').count(), 2, "{name:?}");
    }
}
