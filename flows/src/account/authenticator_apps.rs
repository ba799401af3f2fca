//! Authenticator apps of an account: adding one, renaming and removing them.
//!
//! An enrolment has no row before its first right code. Its secret is sealed in the address of the page, for one session and a
//! quarter of an hour: a reload shows the same code, and what is not finished ends by itself.

use std::time::Duration;

use keys::RecoveryCode;
use serde::{Deserialize, Serialize};
use store::{SessionId, Timestamp, TotpAppId, Tx, UserId, totp_app, totp_app::TotpApp};
use zeroize::Zeroizing;

use super::{
    access::AccountAccess,
    methods::{self, AccountChange, AccountMethod, NameRefusal, RemovedMethod, Remover},
    recovery_sheet,
};
use crate::{
    Cx, Result,
    attempt::BrowserContext,
    change_authority::ChangeAuthority,
    login::{
        method::{HeldMethod, Method},
        refusal::CodeRefusal,
        typed_code,
    },
    mail::MethodChange,
    totp::{self, TotpMatch, TotpSecret},
};

const AAD: &[u8] = b"vestibule/totp-enrolment/v1";
/// How long an enrolment can be finished.
const ENROLMENT_FOR: Duration = Duration::from_mins(15);
/// The method, as the trail and `users.last_second` name it.
const METHOD: Method = Method::Held(HeldMethod::TOTP);

#[derive(Serialize, Deserialize)]
struct SealedEnrolment {
    session: SessionId,
    app: TotpAppId,
    secret: Vec<u8>,
    at: Timestamp,
}

/// An enrolment of this session that is not over by its time.
#[derive(Debug)]
pub struct Enrolment {
    app: TotpAppId,
    /// When it was begun.
    at: Timestamp,
    /// The secret for the app.
    pub secret: TotpSecret,
}

/// The result of an act about an app.
pub type AppChange<T> = AccountChange<T, AppRefusal>;

/// Why something about an app cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppRefusal {
    /// The code is not right.
    Code(CodeRefusal),
    /// The person has as many apps as allowed.
    TooMany(i64),
    /// The name is not acceptable.
    Name(NameRefusal),
    /// The enrolment is over, or of another session.
    Over,
}

/// Begins an enrolment: its sealed state, for the address of its page.
pub fn begin(cx: &Cx, access: &AccountAccess) -> Result<AppChange<String>> {
    if !access.is_fresh {
        return Ok(AppChange::SignInFirst);
    }
    let limit = cx.settings.totp_apps;
    if access.person.second_steps.totp_apps >= limit {
        return Ok(AppChange::Refused(AppRefusal::TooMany(limit)));
    }
    let secret = TotpSecret::generate(&cx.rng);
    let enrolment = SealedEnrolment {
        session: access.session.id,
        app: cx.new_id(),
        secret: secret.as_bytes().to_vec(),
        at: cx.now,
    };
    let plain = Zeroizing::new(serde_json::to_vec(&enrolment)?);
    Ok(AppChange::Done(cx.root.seal_text(&cx.rng, AAD, &plain)?))
}

/// Opens an enrolment of this session, to show it; none if it is over, or was finished.
pub async fn open(cx: &Cx, access: &AccountAccess, sealed: &str) -> Result<Option<Enrolment>> {
    let Some(enrolment) = unseal(cx, access, sealed) else { return Ok(None) };
    let is_open = access.may_finish(&access.person.second_steps, enrolment.at)
        && !list(cx, access).await?.iter().any(|known| known.id == enrolment.app);
    Ok(is_open.then_some(enrolment))
}

fn unseal(cx: &Cx, access: &AccountAccess, sealed: &str) -> Option<Enrolment> {
    let plain = Zeroizing::new(cx.root.open_text(AAD, sealed).ok()?);
    let found: SealedEnrolment = serde_json::from_slice(&plain).ok()?;
    let is_alive = found.session == access.session.id && cx.now.since(found.at) <= ENROLMENT_FOR;
    let secret = TotpSecret::from_bytes(&Zeroizing::new(found.secret))?;
    is_alive.then_some(Enrolment { app: found.app, at: found.at, secret })
}

/// Finishes an enrolment, which a fresh sign-in began, by a code of the app, which is used up with it. Returns the person's
/// first recovery codes, if there are none yet. The same enrolment posted twice adds one app.
pub async fn confirm(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    sealed: &str,
    (typed, name): (&str, &str),
) -> Result<AppChange<Option<Vec<RecoveryCode>>>> {
    let Some(enrolment) = unseal(cx, access, sealed) else {
        return Ok(AppChange::Refused(AppRefusal::Over));
    };
    let name = match methods::checked_name(name) {
        Ok(name) => name,
        Err(refusal) => return Ok(AppChange::Refused(AppRefusal::Name(refusal))),
    };
    let step = match step_of(cx, &enrolment, typed) {
        Ok(step) => step,
        Err(refusal) => return Ok(AppChange::Refused(AppRefusal::Code(refusal))),
    };
    let app = TotpApp {
        id: enrolment.app,
        user_id: access.person.user.id,
        name,
        sealed: enrolment.secret.seal(cx, enrolment.app)?,
        last_step: step,
        early_steps: String::new(),
        created_at: cx.now,
        last_used_at: cx.now,
    };
    cx.db.write(async |tx| add(cx, tx, browser_context, access, (&enrolment, &app)).await).await
}

/// The time step of a typed code. Nothing is charged: the person has the secret.
fn step_of(cx: &Cx, enrolment: &Enrolment, typed: &str) -> Result<i64, CodeRefusal> {
    match enrolment.secret.find_step(&typed_code::parse(typed)?, cx.now) {
        TotpMatch::InWindow(step) => Ok(step),
        TotpMatch::FarOff(step) => Err(CodeRefusal::ClockOff(totp::seconds_ahead(step, cx.now))),
        TotpMatch::None => Err(CodeRefusal::Wrong(i64::MAX)),
    }
}

async fn add(
    cx: &Cx,
    tx: &mut Tx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    (enrolment, app): (&Enrolment, &TotpApp),
) -> Result<AppChange<Option<Vec<RecoveryCode>>>> {
    let steps = access.lock(cx, tx, browser_context, Some(METHOD.name())).await?;
    let known = totp_app::of_user(tx, app.user_id).await?;
    if let Some(known) = known.iter().find(|known| known.id == app.id) {
        if !access.may_finish(&steps, enrolment.at) {
            return Ok(AppChange::Done(None));
        }
        let sheet = recovery_sheet::show_again(cx, tx, app.user_id, known.created_at).await?;
        return Ok(AppChange::Done(sheet));
    }
    if !access.may_finish(&steps, enrolment.at) {
        return Ok(AppChange::Refused(AppRefusal::Over));
    }
    let limit = cx.settings.totp_apps;
    if steps.totp_apps >= limit {
        return Ok(AppChange::Refused(AppRefusal::TooMany(limit)));
    }
    totp_app::insert(tx, app).await?;
    let sheet =
        methods::conclude_addition::<TotpApp>(cx, tx, browser_context, access, (app.id, &steps));
    sheet.await.map(AppChange::Done)
}

/// The apps of an account, the oldest first.
pub async fn list(cx: &Cx, access: &AccountAccess) -> Result<Vec<TotpApp>> {
    Ok(totp_app::of_user(&mut cx.db.read().await?, access.person.user.id).await?)
}

/// Gives an app another name.
pub async fn rename(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    app: TotpAppId,
    name: &str,
) -> Result<AppChange<()>> {
    match methods::checked_name(name) {
        Ok(name) => methods::rename::<TotpApp, _>(cx, browser_context, access, app, &name).await,
        Err(refusal) => Ok(AppChange::Refused(AppRefusal::Name(refusal))),
    }
}

/// Removes an app. With the last method the recovery codes become void, and codes by e-mail are the second step again.
pub async fn remove(
    cx: &Cx,
    browser_context: &BrowserContext,
    access: &AccountAccess,
    app: TotpAppId,
) -> Result<AppChange<()>> {
    methods::remove::<TotpApp, _>(cx, browser_context, access, app).await
}

/// Removes an app of a person, on request of staff. None if there is no such one.
pub(crate) async fn remove_by_staff(
    cx: &Cx,
    tx: &mut Tx,
    (user, app): (UserId, TotpAppId),
    authority: &ChangeAuthority,
) -> Result<Option<RemovedMethod>> {
    methods::remove_row::<TotpApp>(cx, tx, (user, app), Remover::Staff(authority)).await
}

impl AccountMethod for TotpApp {
    const METHOD: Method = METHOD;
    const NOTICES: [MethodChange; 3] =
        [MethodChange::AppAdded, MethodChange::AppRemoved, MethodChange::LastAppRemoved];
    type Id = TotpAppId;

    async fn rename(tx: &mut Tx, id: TotpAppId, user: UserId, name: &str) -> store::Result<bool> {
        totp_app::rename(tx, id, user, name).await
    }

    async fn delete(tx: &mut Tx, id: TotpAppId, user: UserId) -> store::Result<Option<String>> {
        totp_app::delete(tx, id, user).await
    }

    async fn exists(tx: &mut Tx, id: TotpAppId, user: UserId) -> store::Result<bool> {
        Ok(totp_app::of_user(tx, user).await?.iter().any(|known| known.id == id))
    }
}
