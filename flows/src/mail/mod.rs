//! Mails: one file for each, with what it needs, and the list of them. Each is a kind of [job](crate::jobs): written in the
//! transaction that causes it, and read from the rows of the moment in which it is sent. `idp` has the texts, composes and
//! sends.
//!
//! A mail may leave twice, after a time-out or a crash behind the server's answer. That is harmless: a mail says what is
//! true when it is sent, and the code of a challenge is always the same.

mod catalogue;
mod category;
mod code;
mod kind;
mod letter;
mod password_changed;
mod reset_forced;
mod wrong_guesses;

pub use catalogue::{CATALOGUE, Entry, open};
pub use category::Category;
pub use code::{Code, CodeToSend};
pub use kind::Opened;
pub use letter::{Fact, FactValue, Letter, Recipient, Wording};
pub use password_changed::PasswordChanged;
pub use reset_forced::ResetForced;

pub(crate) use wrong_guesses::{Tried, WrongGuesses, warn_once_a_day};
