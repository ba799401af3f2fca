//! The reference that a mail and its page share, so that a person finds the right mail.

use keys::Rng;

/// Words that a person can tell apart on a page and in a mail.
const WORDS: [&str; 32] = [
    "KOWHAI",
    "RIMU",
    "TOTARA",
    "KAURI",
    "MANUKA",
    "HARAKEKE",
    "PONGA",
    "NIKAU",
    "RATA",
    "MATAI",
    "KARAKA",
    "PUKA",
    "TITOKI",
    "KAHIKATEA",
    "PURIRI",
    "REWAREWA",
    "TUI",
    "KEA",
    "WEKA",
    "KIWI",
    "RURU",
    "TAKAHE",
    "KORORA",
    "PUKEKO",
    "HIHI",
    "KOKAKO",
    "WHIO",
    "KARORO",
    "TORO",
    "MIRO",
    "HINAU",
    "TAWA",
];

/// A new reference: a word and two digits.
pub(super) fn generate(rng: &Rng) -> String {
    let [word, tens, ones, ..] = rng.bytes::<4>();
    let word = WORDS.get(usize::from(word) % WORDS.len()).copied().unwrap_or("KOWHAI");
    format!("{word}-{}{}", tens % 10, ones % 10)
}
