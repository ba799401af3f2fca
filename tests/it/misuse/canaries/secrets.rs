//! The secrets of a test, and every encoding in which one could be in a text.

use std::{
    collections::BTreeSet,
    fmt::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use url::form_urlencoded::byte_serialize;

/// What must not be output, and where it was output nevertheless.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The name of each secret, and one encoding of it.
    known: Mutex<BTreeSet<(String, String)>>,
    leaks: Mutex<Vec<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Secrets {
    fn put(&self, what: &str, written: String) {
        assert!(written.len() >= 6, "{what}: {written} is too short to search for");
        locked(&self.known).insert((what.to_owned(), written));
    }

    /// Adds a text: as it is, URL-encoded, and encoded by base64 or Rust's `Debug`.
    pub(super) fn add(&self, what: &str, secret: &str) {
        self.put(what, secret.to_owned());
        self.put(what, byte_serialize(secret.as_bytes()).collect());
        if secret.len() > 6 {
            self.add_bytes(what, secret.as_bytes());
        }
    }

    /// Adds a token of three parts: the whole token, and its signature, which makes it valid.
    pub(super) fn add_token(&self, what: &str, token: &str) {
        self.add(what, token);
        self.add(what, token.rsplit('.').next().expect("a signature"));
    }

    /// Adds bytes, in the encodings that a program may use for them.
    pub(super) fn add_bytes(&self, what: &str, bytes: &[u8]) {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a String succeeds");
            hex
        });
        self.put(what, hex.to_uppercase());
        self.put(what, hex);
        self.put(what, BASE64_STANDARD_NO_PAD.encode(bytes));
        self.put(what, BASE64_URL_SAFE_NO_PAD.encode(bytes));
        self.put(what, format!("{bytes:?}").trim_matches(['[', ']']).to_owned());
    }

    /// Records which secrets are in a text.
    pub(super) fn look_in(&self, place: &str, text: &str) {
        for (what, written) in locked(&self.known).iter() {
            let Some(at) = find_secret(text, written) else { continue };
            let nth = text[..at].matches('\n').count();
            let line = text.lines().nth(nth).unwrap_or_default();
            locked(&self.leaks).push(format!("{what} is in {place} as {written}:\n  {line}"));
        }
    }

    /// Fails if a secret was found.
    pub(super) fn assert_no_leaks(&self) {
        let leaks = locked(&self.leaks);
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    }

    pub(super) fn count(&self) -> usize {
        locked(&self.known).len()
    }
}

/// The position of a secret. Six digits may be in any number, so a code has to be a whole word.
fn find_secret(text: &str, written: &str) -> Option<usize> {
    let is_code = written.len() == 6 && written.bytes().all(|byte| byte.is_ascii_digit());
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.match_indices(written).map(|(at, _)| at).find(|at| {
        let (before, after) = (&text[..*at], &text[at + written.len()..]);
        !is_code || !(before.ends_with(inside) || after.starts_with(inside))
    })
}

#[test]
fn every_secret_encoding_is_found() {
    let finds = |text: &str| {
        let secrets = Secrets::default();
        secrets.add("password", "the long pässword");
        secrets.add("code", "135790");
        secrets.add_bytes("key", &[1, 2, 250, 0, 0, 9]);
        secrets.look_in("a text", text);
        !locked(&secrets.leaks).is_empty()
    };
    for text in [
        "x the long pässword y",
        "password=the+long+p%C3%A4ssword&",
        "dGhlIGxvbmcgcMOkc3N3b3Jk",
        "code=135790&",
        "\"135790\"",
        "RootKey([1, 2, 250, 0, 0, 9])",
        "0102fa000009",
    ] {
        assert!(finds(text), "{text}");
    }
    for text in ["the long password", "millis=1357901", "18:00:00.135790Z", "a135790", "1, 2, 250"]
    {
        assert!(!finds(text), "{text}");
    }
}
