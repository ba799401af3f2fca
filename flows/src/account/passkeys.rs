//! Passkeys of an account: registering one, renaming and removing them.

use serde::{Deserialize, Serialize};
use store::{PasskeyId, Tx, UserId, passkey, passkey::PasskeyRow};

use super::{
    access::AccountAccess,
    methods::{self, AccountChange, AccountMethod, NameRefusal, RemovedMethod, Remover},
    recovery_sheet,
};
use crate::{
    Cx, Result,
    attempt::BrowserContext,
    change_authority::ChangeAuthority,
    login::method::{HeldMethod, Method},
    mail::MethodChange,
    passkey::{
        ceremony::PageCeremony,
        registration::{self, NewPasskey, RegistrationFault},
    },
};

/// The method, as the trail names it.
const METHOD: Method = Method::Held(HeldMethod::PASSKEY);

/// The result of an act about a passkey.
pub type PasskeyChange<T> = AccountChange<T, PasskeyRefusal>;

/// Why something about a passkey cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasskeyRefusal {
    /// The ceremony is over, or of another session.
    Over,
    /// Its authenticator did not verify the person.
    NotVerified,
    /// It could not be verified.
    Invalid,
    /// An account has it already.
    Known,
    /// The person has as many passkeys as allowed.
    TooMany(i64),
    /// The name is not acceptable.
    Name(NameRefusal),
}

/// Begins the registration of a passkey, for the page that offers it; none where the person cannot register one now.
pub fn begin(
    cx: &Cx,
    access: &AccountAccess,
    known: &[PasskeyRow],
) -> Result<Option<PageCeremony>> {
    let has_room = access.person.second_steps.passkeys < cx.settings.passkeys;
    if !access.is_fresh || !has_room {
        return Ok(None);
    }
    registration::begin(cx, access.session.id, &access.person.user, known)
}

/// Stores the passkey that a browser has made. The same ceremony posted twice stores one. Returns the person's first recovery
/// codes, if there are none yet.
pub async fn confirm(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    (ceremony, answer): (&str, &str),
) -> Result<PasskeyChange<Option<Vec<keys::RecoveryCode>>>> {
    let new = match registration::finish(cx, access.session.id, ceremony, answer) {
        Ok(new) => new,
        Err(fault) => return Ok(PasskeyChange::Refused(refusal_of(fault))),
    };
    cx.db.write(async |tx| add(cx, tx, browser_context, access, &new).await).await
}

const fn refusal_of(fault: RegistrationFault) -> PasskeyRefusal {
    match fault {
        RegistrationFault::Over => PasskeyRefusal::Over,
        RegistrationFault::NotVerified => PasskeyRefusal::NotVerified,
        RegistrationFault::Invalid => PasskeyRefusal::Invalid,
    }
}

async fn add(
    cx: &Cx,
    tx: &mut Tx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    new: &NewPasskey,
) -> Result<PasskeyChange<Option<Vec<keys::RecoveryCode>>>> {
    let steps = access.lock(cx, tx, browser_context, Some(METHOD.name())).await?;
    let user = access.person.user.id;
    let known = passkey::of_user(tx, user).await?;
    if let Some(known) = known.iter().find(|known| known.id == new.id) {
        // The device may have been asked twice, and then has the newer one alone.
        if known.credential_id != new.credential_id {
            return Ok(PasskeyChange::Refused(PasskeyRefusal::Over));
        }
        if !access.may_finish(&steps, new.begun_at) {
            return Ok(PasskeyChange::Done(None));
        }
        let sheet = recovery_sheet::show_again(cx, tx, user, known.created_at).await?;
        return Ok(PasskeyChange::Done(sheet));
    }
    if !access.may_finish(&steps, new.begun_at) {
        return Ok(PasskeyChange::Refused(PasskeyRefusal::Over));
    }
    let limit = cx.settings.passkeys;
    if steps.passkeys >= limit {
        return Ok(PasskeyChange::Refused(PasskeyRefusal::TooMany(limit)));
    }
    let made_with = browser_context.requester.user_agent.as_deref();
    if !passkey::insert(tx, &new_row(cx, user, new, (made_with, &known))).await? {
        return Ok(PasskeyChange::Refused(PasskeyRefusal::Known));
    }
    let sheet =
        methods::conclude_addition::<PasskeyRow>(cx, tx, browser_context, access, (new.id, &steps));
    sheet.await.map(PasskeyChange::Done)
}

/// The row of a new passkey, named after its authenticator, or after browser and system where that hides its model; with a
/// number, if there is one of that name.
fn new_row(
    cx: &Cx,
    user: UserId,
    new: &NewPasskey,
    (made_with, known): (Option<&str>, &[PasskeyRow]),
) -> PasskeyRow {
    let browser = || made_with.unwrap_or("Passkey").replace('/', ", ");
    let model = new.model.map_or_else(browser, str::to_owned);
    let is_taken = |name: &str| known.iter().any(|other| other.name == name);
    let numbered = (2..).map(|nth| format!("{model} {nth}"));
    let name = std::iter::once(model.clone()).chain(numbered).find(|name| !is_taken(name));
    PasskeyRow {
        id: new.id,
        user_id: user,
        rp_id: new.rp_id.clone(),
        credential_id: new.credential_id.clone(),
        credential: new.credential.clone(),
        name: name.unwrap_or(model),
        synced: new.is_synced,
        uses: 0,
        created_at: cx.now,
        last_used_at: cx.now,
    }
}

/// The passkeys of an account, the oldest first.
pub async fn list(cx: &Cx, access: &AccountAccess) -> Result<Vec<PasskeyRow>> {
    Ok(passkey::of_user(&mut cx.db.read().await?, access.person.user.id).await?)
}

/// Gives a passkey another name.
pub async fn rename(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    id: PasskeyId,
    name: &str,
) -> Result<PasskeyChange<()>> {
    match methods::checked_name(name) {
        Ok(name) => methods::rename::<PasskeyRow, _>(cx, browser_context, access, id, &name).await,
        Err(refusal) => Ok(PasskeyChange::Refused(PasskeyRefusal::Name(refusal))),
    }
}

/// Removes a passkey. With the last method the recovery codes become void, and codes by e-mail are the second step again.
pub async fn remove(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    id: PasskeyId,
) -> Result<PasskeyChange<()>> {
    methods::remove::<PasskeyRow, _>(cx, browser_context, access, id).await
}

/// Removes a passkey of a person, on request of staff. None if there is no such one.
pub(crate) async fn remove_by_staff(
    cx: &Cx,
    tx: &mut Tx,
    (user, id): (UserId, PasskeyId),
    authority: &ChangeAuthority,
) -> Result<Option<RemovedMethod>> {
    methods::remove_row::<PasskeyRow>(cx, tx, (user, id), Remover::Staff(authority)).await
}

impl AccountMethod for PasskeyRow {
    const METHOD: Method = METHOD;
    const NOTICES: [MethodChange; 3] = [
        MethodChange::PasskeyAdded,
        MethodChange::PasskeyRemoved,
        MethodChange::LastPasskeyRemoved,
    ];
    type Id = PasskeyId;

    async fn rename(tx: &mut Tx, id: PasskeyId, user: UserId, name: &str) -> store::Result<bool> {
        passkey::rename(tx, id, user, name).await
    }

    async fn delete(tx: &mut Tx, id: PasskeyId, user: UserId) -> store::Result<Option<String>> {
        passkey::delete(tx, id, user).await
    }

    async fn exists(tx: &mut Tx, id: PasskeyId, user: UserId) -> store::Result<bool> {
        Ok(passkey::of_user(tx, user).await?.iter().any(|known| known.id == id))
    }
}
