//! What people type or paste into the fields of a sign-in: the mailed code, and a password.

use flows::login::{refusal::CodeRefusal, typed_code};
use keys::{Password, PasswordError};
use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::FuzzContext;

pub(super) const CODES: &[&str] = &[
    "123456", "0", " ", "-", "\u{a0}", "\u{ff11}", "\u{ff19}", "\u{661}", "\u{2460}", "\u{200b}",
    "\u{feff}", "\u{2011}", "\u{2212}", "\u{301}", "a",
];
pub(super) const PASSWORDS: &[&str] = &[
    "a walk along the river",
    "ā",
    "a\u{304}",
    "\u{1e69}",
    "s\u{307}\u{323}",
    "s\u{323}\u{307}",
    "\u{fdfa}",
    "\u{fb01}",
    "\u{212b}",
    "\u{1100}\u{1161}\u{11a8}",
    "각",
    "\u{344}",
    "\u{3000}",
    "🌊",
    "\0",
];

/// The most code points of a password, and the most that one code point becomes in NFKC (Unicode FAQ, normalization).
const MAX_CODE_POINTS: usize = 128;
const NFKC_MAX_EXPANSION: usize = 18;

/// An accepted code is six digits, those that were typed, in order. Characters between them change nothing, and a refusal
/// names the mistake.
pub(super) fn code(_: &FuzzContext, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let read = typed_code::parse(&text);
    let decimal = Regex::new(r"^\d$").expect("a pattern");
    let apart: String = text.chars().flat_map(|c| ['\u{2013}', c, ' ']).collect();
    assert_eq!(typed_code::parse(&apart), read, "characters between digits are ignored");
    // ASCII digits are among those that are read, in order; a digit of another script counts by its value.
    let ascii: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = text.chars().filter(|c| decimal.is_match(c.encode_utf8(&mut [0; 4]))).count();
    match read {
        Ok(code) => {
            assert_eq!((code.len(), digits), (6, 6));
            let mut rest = code.chars();
            assert!(ascii.chars().all(|digit| rest.any(|read| read == digit)), "{code}");
            assert_eq!(typed_code::parse(&code).as_ref(), Ok(&code), "a code is parsed as itself");
        }
        Err(CodeRefusal::NotSixDigits(many)) => {
            assert!(many != 6 && many == digits, "{many}");
        }
        Err(CodeRefusal::NotDigits) => {
            assert!(digits != 6 && text.chars().any(char::is_alphabetic));
        }
        Err(other) => panic!("{other:?} is not a possible mistake"),
    }
}

/// A password has one form, however its characters were composed when they were typed. One that is too long is too long in
/// every form.
pub(super) fn password(_: &FuzzContext, input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let form = |text: &str| Password::parse(text).map(|password| password.reveal().to_owned());
    let read = form(&text);
    let others: [String; 4] =
        [text.nfc().collect(), text.nfd().collect(), text.nfkc().collect(), text.nfkd().collect()];
    for other in others {
        assert_eq!(form(&other), read, "{other:?} is the same text");
    }
    match Password::parse(&text) {
        Ok(password) => {
            let form = password.reveal();
            assert!(form.nfkc().eq(form.chars()), "{form:?} is in NFKC");
            assert_eq!(password.code_points(), form.chars().count());
            assert!(password.code_points() <= MAX_CODE_POINTS, "{form:?}");
            assert_eq!(text.is_empty(), form.is_empty(), "no input is lost: {text:?}");
            assert_eq!(format!("{password:?}"), "Password(..)");
        }
        Err(PasswordError::TooLong) => {
            assert!(text.chars().count() * NFKC_MAX_EXPANSION > MAX_CODE_POINTS, "{text:?}");
        }
    }
}
