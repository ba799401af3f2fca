//! What changes of all methods of an account have in common.

use std::fmt::Display;

use keys::RecoveryCode;
use serde::{Deserialize, Serialize};
use store::{
    SessionId, Tx, UserId,
    second_steps::{self, MethodsChange, SecondSteps},
};

use super::{access::AccountAccess, recovery_sheet};
use crate::{
    Cx, Error, Result,
    attempt::BrowserContext,
    audit::{self, AuditEntry, event},
    change_authority::ChangeAuthority,
    display_name::{self, BadName},
    jobs,
    login::method::Method,
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

/// A kind of method that people add, rename and remove themselves, with the statements on its rows.
pub(super) trait AccountMethod {
    /// The method, as the trail names it.
    const METHOD: Method;
    /// The notices that one was added, that one of more was removed, and that the last one was.
    const NOTICES: [MethodChange; 3];
    /// The id of a row.
    type Id: Copy + Display + Send + Sync;

    /// Gives a row of a person another name; false when there is none.
    fn rename(
        tx: &mut Tx,
        id: Self::Id,
        user: UserId,
        name: &str,
    ) -> impl Future<Output = store::Result<bool>> + Send;

    /// Deletes a row of a person; returns its name.
    fn delete(
        tx: &mut Tx,
        id: Self::Id,
        user: UserId,
    ) -> impl Future<Output = store::Result<Option<String>>> + Send;

    /// Whether a person has this row.
    fn exists(
        tx: &mut Tx,
        id: Self::Id,
        user: UserId,
    ) -> impl Future<Output = store::Result<bool>> + Send;
}

/// What follows when the row of a method was inserted. Returns the person's first recovery codes, if there are none yet.
pub(super) async fn conclude_addition<M: AccountMethod>(
    cx: &Cx,
    tx: &mut Tx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    (id, steps): (M::Id, &SecondSteps),
) -> Result<Option<Vec<RecoveryCode>>> {
    let user = access.person.user.id;
    access.record_change(cx, tx).await?;
    let added = event::MethodAdded { method: M::METHOD.name(), id: id.to_string() };
    audit::record(cx, tx, AuditEntry::done(added).user(user)).await?;
    let [added, ..] = M::NOTICES;
    let made_with = browser_context.requester.user_agent.as_deref();
    tell(cx, tx, user, (added, made_with)).await?;
    if steps.recovery_codes > 0 {
        return Ok(None);
    }
    recovery_sheet::replace(cx, tx, user).await.map(Some)
}

/// Gives a method another name.
pub(super) async fn rename<M: AccountMethod, R>(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    id: M::Id,
    name: &str,
) -> Result<AccountChange<(), R>> {
    cx.db
        .write(async |tx| {
            if access.lock_if_fresh(cx, tx, browser_context).await?.is_none() {
                return Ok(AccountChange::SignInFirst);
            }
            let user = access.person.user.id;
            if M::rename(tx, id, user, name).await? {
                let (method, id) = (M::METHOD.name(), id.to_string());
                let renamed = event::MethodRenamed { method, id };
                audit::record(cx, tx, AuditEntry::done(renamed).user(user)).await?;
            }
            Ok(AccountChange::Done(()))
        })
        .await
}

/// Removes a method of the person.
pub(super) async fn remove<M: AccountMethod, R>(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    id: M::Id,
) -> Result<AccountChange<(), R>> {
    cx.db
        .write(async |tx| {
            if access.lock_if_fresh(cx, tx, browser_context).await?.is_none() {
                return Ok(AccountChange::SignInFirst);
            }
            let made_with = browser_context.requester.user_agent.as_deref();
            let owner = Remover::Owner { session: access.session.id, made_with };
            remove_row::<M>(cx, tx, (access.person.user.id, id), owner).await?;
            Ok(AccountChange::Done(()))
        })
        .await
}

/// A method that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedMethod {
    /// Its name.
    pub name: String,
    /// Whether it was the last one: then the recovery codes are void.
    pub is_last: bool,
}

/// Removes the row of a method, and what ends with it; none if there is no such row. With the last method the recovery codes
/// become void, and codes by e-mail are the second step again.
pub(super) async fn remove_row<M: AccountMethod>(
    cx: &Cx,
    tx: &mut Tx,
    (user, id): (UserId, M::Id),
    remover: Remover<'_>,
) -> Result<Option<RemovedMethod>> {
    if !M::exists(tx, id, user).await? {
        return Ok(None);
    }
    // The person's row is locked before its methods, as by a sign-in.
    remover.record(cx, tx, user).await?;
    let Some(name) = M::delete(tx, id, user).await? else { return Ok(None) };
    let event = event::MethodRemoved { method: M::METHOD.name(), id: id.to_string() };
    let entry = AuditEntry::done(event).user(user).by(remover.authority());
    audit::record(cx, tx, entry).await?;
    let person = store::user::by_id_with_password(tx, user).await?.ok_or(Error::Conflict)?;
    let is_last = !person.second_steps.has_method();
    if is_last {
        store::recovery_code::delete_all_of_user(tx, user).await?;
        second_steps::set_email_codes(tx, user, None).await?;
    }
    let [_, one_of_more, last] = M::NOTICES;
    let change = if is_last { last } else { one_of_more };
    let made_with = remover.made_with().map(str::to_owned);
    let by_staff = remover.authority().is_some();
    jobs::insert(cx, tx, MethodChangedMail { user, change, made_with, by_staff }, None).await?;
    Ok(Some(RemovedMethod { name, is_last }))
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
