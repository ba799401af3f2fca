//! What changes of all methods of an account have in common.

use serde::{Deserialize, Serialize};
use store::{
    SessionId, Tx, UserId,
    second_steps::{self, MethodsChange},
};

use crate::{
    Cx, Error, Result,
    audit::{self, AuditEntry, event},
    change_authority::ChangeAuthority,
    display_name::{self, BadName},
    jobs,
    mail::{MethodChange, MethodChangedMail},
};

/// The result of an act that needs a fresh sign-in.
#[derive(Debug)]
pub enum AccountChange<T, R> {
    /// Done.
    Done(T),
    /// Both steps must be proven again first.
    SignInFirst,
    /// It cannot be done.
    Refused(R),
}

/// Why a name is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameRefusal {
    /// Nothing was typed.
    Empty,
    /// Too many characters, or ones that cannot be seen.
    Unsuitable,
}

/// The most characters of the name of a method.
const MAX_NAME: usize = 60;

/// A name for a method, as it was typed.
pub(super) fn checked_name(name: &str) -> Result<String, NameRefusal> {
    let name = name.trim();
    match display_name::check(name) {
        Ok(()) if name.chars().count() <= MAX_NAME => Ok(name.to_owned()),
        Err(BadName::Empty) => Err(NameRefusal::Empty),
        Ok(()) | Err(BadName::Long | BadName::Hidden) => Err(NameRefusal::Unsuitable),
    }
}

/// Who removes a method.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Remover<'a> {
    /// The person.
    Owner {
        /// In this session.
        session: SessionId,
        /// With this browser.
        made_with: Option<&'a str>,
    },
    /// Staff, on request.
    Staff(&'a ChangeAuthority),
}

impl<'a> Remover<'a> {
    /// Records that a method of a person is removed. Locks the person's row until the transaction ends.
    pub(super) async fn record(self, cx: &Cx, tx: &mut Tx, user: UserId) -> Result<()> {
        let by = match self {
            Self::Owner { session, .. } => Some(session),
            Self::Staff(_) => None,
        };
        let change = MethodsChange { by, at: cx.now, is_removal: true };
        Ok(second_steps::record_change(tx, user, change).await?)
    }

    const fn made_with(self) -> Option<&'a str> {
        match self {
            Self::Owner { made_with, .. } => made_with,
            Self::Staff(_) => None,
        }
    }

    const fn authority(self) -> Option<&'a ChangeAuthority> {
        match self {
            Self::Owner { .. } => None,
            Self::Staff(authority) => Some(authority),
        }
    }
}

/// A method that is removed.
pub(super) struct Removal {
    pub(super) user: UserId,
    /// The method, as the trail names it.
    pub(super) method: &'static str,
    /// The id of its row.
    pub(super) id: String,
    pub(super) name: String,
}

/// A method that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedMethod {
    /// Its name.
    pub name: String,
    /// Whether it was the last one: then the recovery codes are void.
    pub is_last: bool,
}

/// What follows when the row of a method was deleted. With the last method the recovery codes become void, and codes by
/// e-mail are the second step again.
pub(super) async fn conclude_removal(
    cx: &Cx,
    tx: &mut Tx,
    row: Removal,
    remover: Remover<'_>,
    (one_of_more, last): (MethodChange, MethodChange),
) -> Result<RemovedMethod> {
    let Removal { user, method, id, name } = row;
    let event = event::MethodRemoved { method, id };
    let entry = AuditEntry::done(event).user(user).by(remover.authority());
    audit::record(cx, tx, entry).await?;
    let person = store::user::by_id_with_password(tx, user).await?.ok_or(Error::Conflict)?;
    let is_last = !person.second_steps.has_method();
    if is_last {
        store::recovery_code::delete_all_of_user(tx, user).await?;
        second_steps::set_email_codes(tx, user, None).await?;
    }
    let change = if is_last { last } else { one_of_more };
    let made_with = remover.made_with().map(str::to_owned);
    let by_staff = remover.authority().is_some();
    jobs::insert(cx, tx, MethodChangedMail { user, change, made_with, by_staff }, None).await?;
    Ok(RemovedMethod { name, is_last })
}

/// Mails what the person has changed, and with which browser.
pub(super) async fn tell(
    cx: &Cx,
    tx: &mut Tx,
    user: UserId,
    (change, made_with): (MethodChange, Option<&str>),
) -> Result<()> {
    let made_with = made_with.map(str::to_owned);
    let mail = MethodChangedMail { user, change, made_with, by_staff: false };
    jobs::insert(cx, tx, mail, None).await
}
