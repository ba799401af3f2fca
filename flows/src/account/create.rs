//! Adding a person.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use store::{
    UserId,
    user::{STATUS_ACTIVE, User},
};

use super::{
    password::{self as policy, BadPassword},
    standard_claims::StandardClaims,
};
use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
    display_name::{self, BadName},
    email::EmailAddress,
};

/// Why a person cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUser {
    /// Another account has the canonical address: refused, never merged.
    #[error("there is an account with this address already ({0})")]
    EmailTaken(String),
    /// The name is not acceptable.
    #[error("{0}")]
    Name(#[from] BadName),
    /// The password is not acceptable.
    #[error("the password is not acceptable: {0}")]
    Password(#[from] BadPassword),
}

/// A person to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Address; the caller vouches that it is verified, unless the claims say that it is not.
    pub email: EmailAddress,
    /// Full name; empty if none is known.
    pub name: String,
    /// Further standard claims; the name above stands for theirs.
    pub claims: StandardClaims,
    /// Password as typed.
    pub password: String,
}

/// Adds a person.
pub async fn create(
    cx: &Cx,
    authority: &ChangeAuthority,
    new: NewUser,
) -> Result<Result<UserId, BadUser>> {
    // An account may have no name.
    if !new.name.is_empty()
        && let Err(bad) = display_name::check(&new.name)
    {
        return Ok(Err(bad.into()));
    }
    let context = policy::Context::of(cx, new.email.as_written(), &new.name);
    let password = match policy::check(&new.password, &context) {
        Ok(password) => password,
        Err(bad) => return Ok(Err(bad.into())),
    };
    let hash = cx.hasher.admit(keys::HashingCaller::Stranger).await?.hash(password).await?;
    let random = || BASE64_URL_SAFE_NO_PAD.encode(cx.rng.bytes::<16>());
    let user = User {
        id: cx.new_id(),
        subject: random(),
        pairwise_seed: random(),
        user_handle: uuid::Builder::from_random_bytes(cx.rng.bytes()).into_uuid(),
        status: STATUS_ACTIVE.to_owned(),
        email: Some(new.email.as_written().to_owned()),
        email_canonical: Some(new.email.canonical().to_owned()),
        email_verified: new.claims.email_verified.unwrap_or(true),
        name: new.name,
        claims: new.claims.stored(),
        epoch: 0,
        tokens_invalid_before: None,
        password_change_required_since: None,
        updated_at: cx.now,
        created_at: cx.now,
        language: None,
    };
    cx.db
        .write(async |tx| {
            if !store::user::insert(tx, &user).await? {
                return Ok(Err(BadUser::EmailTaken(new.email.canonical().to_owned())));
            }
            store::password::set(tx, user.id, hash.as_str(), cx.now).await?;
            let entry = audit::AuditEntry::done(event::UserAdded {}).by(authority).user(user.id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(user.id))
        })
        .await
}
