//! The authority behind a change that staff, an operator or the program makes: who makes it, and why.
//!
//! Each flow that they call takes a [`ChangeAuthority`], so that none of them can be called without a reason, and the row of
//! the trail names both. It is made where a command is parsed (`idp/src/cli/`), and by the parts of the program that change
//! data by themselves. A session of staff will be the third source, with the case that the change belongs to.

use crate::actor::{Actor, CliUser};

/// Who makes a change, and why.
#[derive(Clone, Debug)]
pub struct ChangeAuthority {
    actor: Actor,
    reason: Reason,
}

impl ChangeAuthority {
    /// A user of the machine gave a command.
    #[must_use]
    pub fn from_command(user: CliUser, reason: Reason) -> Self {
        Self { actor: Actor::Cli(user), reason }
    }

    /// A part of the program does scheduled work, for a fixed reason.
    #[must_use]
    pub fn from_program(part: &'static str, reason: &'static str) -> Self {
        Self { actor: Actor::System(part), reason: Reason(reason.to_owned()) }
    }

    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason.0
    }
}

/// Why a change is made, as it was typed: one line that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The maximum length, in characters.
    const MOST: usize = 500;

    /// Parses a reason.
    ///
    /// # Errors
    ///
    /// If it has no letter and no digit, is longer than 500 characters, or has a character that breaks or reorders a line or
    /// is invisible.
    pub fn parse(text: &str) -> Result<Self, BadReason> {
        let text = text.trim();
        let length = text.chars().count();
        if !text.contains(char::is_alphanumeric) {
            return Err(BadReason::Empty);
        }
        if length > Self::MOST {
            return Err(BadReason::Long(length));
        }
        if text.contains(is_invisible) {
            return Err(BadReason::Invisible);
        }
        Ok(Self(text.to_owned()))
    }

    /// The reason in the trail of a folder of `dev`, where it may be omitted.
    #[must_use]
    pub fn not_given() -> Self {
        Self("not given".to_owned())
    }
}

/// Whether a character breaks a line, reorders it or is invisible, so that a log or a terminal shows something else than was
/// typed.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}'
                | '\u{61C}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
        )
}

/// Why a reason is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReason {
    /// It has no letter and no digit.
    #[error("it is empty; say in a few words why the change is made")]
    Empty,
    /// It is too long.
    #[error("it has {0} characters; the maximum is {most}", most = Reason::MOST)]
    Long(usize),
    /// It has a line break, or a character that reorders the line or is invisible.
    #[error(
        "it has a line break, or a character that cannot be seen; write it in one line of plain text"
    )]
    Invisible,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_one_visible_line() {
        assert_eq!(Reason::parse(" slow mail ").unwrap().0, "slow mail");
        assert!(Reason::parse(&"ā".repeat(500)).is_ok(), "characters, not bytes");
        for (text, bad) in [
            ("", BadReason::Empty),
            (" \t\n", BadReason::Empty),
            ("\u{200B}", BadReason::Empty),
            ("-- ..", BadReason::Empty),
            (&*"a".repeat(501), BadReason::Long(501)),
            ("slow\nmail", BadReason::Invisible),
            ("slow\u{1b}[2Jmail", BadReason::Invisible),
            ("slow\u{2028}mail", BadReason::Invisible),
            ("slow \u{202E}liam", BadReason::Invisible),
            ("slow\u{FEFF}mail", BadReason::Invisible),
        ] {
            assert_eq!(Reason::parse(text), Err(bad), "{text:?}");
        }
    }
}
