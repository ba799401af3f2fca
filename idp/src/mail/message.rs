//! A composed message.

use std::fmt;

use lettre::address::Envelope;

/// A composed message.
#[derive(Clone)]
pub(crate) struct ComposedMail {
    /// Its sender and its recipient, for the mail server.
    pub(crate) envelope: Envelope,
    /// The whole message with its headers.
    pub(crate) bytes: Vec<u8>,
    /// Its `Message-ID`.
    pub(crate) message_id: String,
}

impl fmt::Debug for ComposedMail {
    /// Without the bytes, which hold a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComposedMail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// Replaces line breaks, other control characters and direction marks by spaces, and several spaces by one.
pub(super) fn one_line(text: &str) -> String {
    let unseen = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    text.split(unseen).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
