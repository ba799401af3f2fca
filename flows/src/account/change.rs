//! Changing what is stored of a person: name, language, standard claims, and how the address is spelled.

use serde_json::{Map, Value};
use store::user::{self, User, UserChange};

use super::standard_claims::StandardClaims;
use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
    display_name::{self, BadName},
    email::EmailAddress,
};

/// What is to be changed: each member is a new value, or none to leave it.
#[derive(Clone, Debug, Default)]
pub struct UserEdit {
    /// Full name.
    pub name: Option<String>,
    /// The language of mails (BCP 47), until the next sign-in, whose language replaces it.
    pub language: Option<&'static str>,
    /// The same address, spelled otherwise.
    pub spelling: Option<EmailAddress>,
    /// All standard claims: those that are not among them are removed. Name and `email_verified` stay if they are not
    /// given.
    pub claims: Option<StandardClaims>,
}

/// Why a person cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserChangeError {
    /// No account has the address.
    #[error("there is no user with the address {0}")]
    Unknown(String),
    /// The spelling is that of another address. To change the address itself would give the account to its mailbox.
    #[error(
        "{0} is another address, not another spelling of {1}: this command cannot give an account another mailbox. \
         Letters may be large or small, and the domain may be written in letters or as `xn--..`"
    )]
    OtherAddress(String, String),
    /// The name is not acceptable.
    #[error("{0}")]
    Name(#[from] BadName),
}

/// Changes a person; returns the names of what has another value now, none if all had it already.
pub async fn edit(
    cx: &Cx,
    authority: &ChangeAuthority,
    email: &EmailAddress,
    edit: &UserEdit,
) -> Result<Result<Vec<String>, UserChangeError>> {
    if let Some(Err(bad)) = edit.name.as_deref().map(display_name::check) {
        return Ok(Err(bad.into()));
    }
    if let Some(other) = edit.spelling.as_ref().filter(|new| new.canonical() != email.canonical()) {
        let (other, address) = (other.as_written().to_owned(), email.as_written().to_owned());
        return Ok(Err(UserChangeError::OtherAddress(other, address)));
    }
    cx.db
        .write(async |tx| {
            let Some(user) = user::by_email(tx, email.canonical()).await? else {
                return Ok(Err(UserChangeError::Unknown(email.as_written().to_owned())));
            };
            let stored = edit.claims.as_ref().map(StandardClaims::stored);
            let change = UserChange {
                name: edit.name.as_deref(),
                language: edit.language,
                email: edit.spelling.as_ref().map(EmailAddress::as_written),
                email_verified: edit.claims.as_ref().and_then(|claims| claims.email_verified),
                claims: stored.as_deref(),
            };
            let changed = differing(&user, &change);
            if changed.is_empty() {
                return Ok(Ok(changed));
            }
            if !user::change(tx, user.id, email.canonical(), &change, cx.now).await? {
                return Ok(Err(UserChangeError::Unknown(email.as_written().to_owned())));
            }
            // The trail has no personal data: it says what was changed, not from what to what.
            let detail = event::UserChanged { changed: changed.clone() };
            let entry = audit::AuditEntry::done(detail).by(authority).user(user.id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(changed))
        })
        .await
}

/// The names of what a change gives another value, claims under their own names.
fn differing(user: &User, change: &UserChange<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut note = |name: &str, differs: bool| {
        if differs {
            names.push(name.to_owned());
        }
    };
    note("name", change.name.is_some_and(|name| name != user.name));
    note("language", change.language.is_some_and(|tag| Some(tag) != user.language.as_deref()));
    note("email", change.email.is_some_and(|email| Some(email) != user.email.as_deref()));
    note("email_verified", change.email_verified.is_some_and(|is| is != user.email_verified));
    if let Some(claims) = change.claims {
        let members = |text: &str| serde_json::from_str::<Map<String, Value>>(text);
        let (before, after) =
            (members(&user.claims).unwrap_or_default(), members(claims).unwrap_or_default());
        let all = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
        for name in all {
            note(name, before.get(name) != after.get(name));
        }
    }
    names
}
