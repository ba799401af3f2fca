//! Mails: one file for each, with the data that it needs, and the list of them. Each is a kind of [job](crate::jobs):
//! inserted in the transaction that causes it, and prepared from the rows at the time of sending. `idp` has the texts,
//! composes and sends.
//!
//! A mail may be sent twice, after a time-out or a crash before the server's answer was recorded. That is harmless: a mail
//! says what is true when it is sent, and the code of a challenge is always the same.

mod catalogue;
mod category;
mod code;
mod letter;
mod mail_job;
mod method_changed;
mod password_changed;
mod reset_forced;
mod wrong_guesses;

pub use catalogue::{CATALOGUE, CatalogueEntry, prepare};
pub use category::Category;
pub use code::{CodeMail, CodeToSend};
pub use letter::{Fact, FactValue, Letter, Recipient, Wording};
pub use mail_job::PreparedMail;
pub use password_changed::PasswordChangedMail;
pub use reset_forced::ResetForcedMail;

pub(crate) use method_changed::{MethodChange, MethodChangedMail};
pub(crate) use wrong_guesses::{GuessKind, WrongGuessesMail, warn_once_a_day};
