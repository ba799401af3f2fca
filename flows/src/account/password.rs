//! Rules for a new password (decision 2): long enough, not a known one, not made of the person's own words.

use keys::{HashingCaller, Password, PasswordHash, blocklist};
use serde::{Deserialize, Serialize};
use store::{Tx, UserId};
use unicode_normalization::UnicodeNormalization;

use crate::{
    Cx, Result,
    audit::{self, event},
    jobs,
    mail::PasswordChangedMail,
};

/// Why a new password is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum BadPassword {
    /// Nothing was typed.
    #[error("it is empty")]
    Empty,
    /// Fewer characters than the setting demands.
    #[error("it needs at least {0} characters")]
    Short(i64),
    /// More than 128 characters.
    #[error("it has more than 128 characters")]
    Long,
    /// On the blocklist of common passwords.
    #[error("it is on the list of common passwords")]
    Common,
    /// Made of the person's name or address, or of the service's name.
    #[error("it contains the name, the e-mail address or the name of this service")]
    ContextSpecific,
    /// One character or a short run, repeated.
    #[error("it repeats the same few characters")]
    Repetitive,
    /// The current password.
    #[error("it is the current password")]
    Unchanged,
}

/// What a new password is compared with.
#[derive(Clone, Debug)]
pub struct Context {
    min_length: i64,
    words: Vec<String>,
}

impl Context {
    /// The context of a person.
    #[must_use]
    pub fn of(cx: &Cx, email: &str, name: &str) -> Self {
        let host = cx.issuer.split("//").nth(1).unwrap_or_default();
        let words = [email, name, host, "vestibule"]
            .into_iter()
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
            .map(folded)
            .filter(|word| word.chars().count() >= 4)
            .collect();
        Self { min_length: cx.settings.password_min_length, words }
    }
}

fn folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// Parses a new password and checks it.
pub fn check(typed: &str, context: &Context) -> Result<Password, BadPassword> {
    let password = Password::parse(typed).map_err(|_| BadPassword::Long)?;
    if typed.trim().is_empty() {
        return Err(BadPassword::Empty);
    }
    let length = i64::try_from(password.code_points()).unwrap_or(i64::MAX);
    if length < context.min_length {
        return Err(BadPassword::Short(context.min_length));
    }
    let text = folded(password.reveal());
    if blocklist::is_common(&text) || padded_common(&text) {
        return Err(BadPassword::Common);
    }
    if is_repetitive(&text) {
        return Err(BadPassword::Repetitive);
    }
    // The person's own words may be in it, but must not be most of it.
    let mut rest = text;
    for word in &context.words {
        rest = rest.replace(word.as_str(), "");
    }
    if rest.chars().count() < 8 {
        return Err(BadPassword::ContextSpecific);
    }
    Ok(password)
}

/// A listed password with digits or signs around it is guessed as early as the bare one.
fn padded_common(text: &str) -> bool {
    let core = text.trim_matches(|c: char| !c.is_alphabetic());
    core.chars().count() >= 8
        && core.chars().count() + 8 >= text.chars().count()
        && blocklist::is_common(core)
}

fn is_repetitive(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=4).any(|period| {
        chars.len() > period && chars.iter().zip(chars.iter().skip(period)).all(|(a, b)| a == b)
    })
}

/// Hashes a new password unless it is the current one, outside a transaction.
pub(crate) async fn hash_if_new(
    cx: &Cx,
    user: UserId,
    password: Password,
    caller: HashingCaller,
) -> Result<Result<PasswordHash, BadPassword>> {
    let mut conn = cx.db.read().await?;
    let present = store::password::current(&mut conn, user).await?;
    drop(conn);
    if let Some((phc, _)) = present {
        let again = Password::parse(password.reveal()).map_err(keys::KeyError::from)?;
        let slot = cx.hasher.admit(caller).await?;
        if slot.verify(again, Some(PasswordHash::from_stored(phc))).await? {
            return Ok(Err(BadPassword::Unchanged));
        }
    }
    Ok(Ok(cx.hasher.admit(caller).await?.hash(password).await?))
}

/// Stores a new password that was chosen in a sign-in at `client`, if at one; records it and sends the person a notice.
pub async fn store(
    cx: &Cx,
    tx: &mut Tx,
    user: UserId,
    client: Option<&str>,
    hash: &PasswordHash,
) -> Result<()> {
    let version = store::password::set(tx, user, hash.as_str(), cx.now).await?;
    store::user::clear_required_password_change(tx, user, cx.now).await?;
    let entry =
        audit::AuditEntry::done(event::PasswordChanged { version }).user(user).client(client);
    audit::record(cx, tx, entry).await?;
    jobs::insert(cx, tx, PasswordChangedMail { user }, client).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(typed: &str) -> Result<(), BadPassword> {
        let words = ["mere", "kahui", "example"].map(str::to_owned).to_vec();
        check(typed, &Context { min_length: 15, words }).map(|_| ())
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert_eq!(judged("ten letters"), Err(BadPassword::Short(15)));
        assert_eq!(judged("ā rākau pounamu"), Ok(()));
        assert_eq!(judged(&"long ".repeat(26)), Err(BadPassword::Long));
    }

    #[test]
    fn weak_passwords_are_refused() {
        assert_eq!(judged("1234567891234567"), Err(BadPassword::Common));
        assert_eq!(judged("!!password123456"), Err(BadPassword::Common));
        assert_eq!(judged("aaaaaaaaaaaaaaaaaa"), Err(BadPassword::Repetitive));
        assert_eq!(judged("abcabcabcabcabcabc"), Err(BadPassword::Repetitive));
        assert_eq!(judged("Mere Kahui Example"), Err(BadPassword::ContextSpecific));
        assert_eq!(judged("Mere walks to the river"), Ok(()));
    }
}
