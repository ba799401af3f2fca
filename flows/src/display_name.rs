//! Names of people and clients, which pages, mails and tokens show.

/// The most characters of a name.
const MAX_CHARS: usize = 200;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing but spaces.
    #[error("a name is needed")]
    Empty,
    /// Too long.
    #[error("a name has at most 200 characters")]
    Long,
    /// Line breaks and other controls, and marks that change the direction of the text around them.
    #[error(
        "the name has characters that cannot be seen, such as line breaks or marks of direction; type it again"
    )]
    Hidden,
}

/// Checks a name.
///
/// # Errors
///
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), BadName> {
    // Marks of direction change how the text after the name is read. The joiners U+200C and U+200D are letters of some scripts.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
    };
    if name.trim().is_empty() {
        Err(BadName::Empty)
    } else if name.chars().count() > MAX_CHARS {
        Err(BadName::Long)
    } else if name.chars().any(is_hidden) {
        Err(BadName::Hidden)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_without_hidden_characters_is_accepted() {
        for name in [
            "Mere Kāhui",
            "O’Neill, Siobhán",
            "محمد",
            "می\u{200C}خواهم",
            "王小明",
            &"a".repeat(200),
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for (name, why) in [
            ("", BadName::Empty),
            (" \u{a0}", BadName::Empty),
            (&"ā".repeat(201), BadName::Long),
            ("a\nBcc: b@example.org", BadName::Hidden),
            ("a\u{202E}b", BadName::Hidden),
            ("a\u{2066}b", BadName::Hidden),
            ("a\u{200F}b", BadName::Hidden),
            ("a\u{FEFF}b", BadName::Hidden),
            ("a\u{85}b", BadName::Hidden),
        ] {
            assert_eq!(check(name), Err(why), "{name:?}");
        }
    }
}
