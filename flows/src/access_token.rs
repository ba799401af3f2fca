//! The access token that a call presents (RFC 9068): its person and its scopes. A token that is signed right is still
//! refused when what it rests on has ended: grant, session, epoch.

use keys::{Expected, TokenType};
use serde::Deserialize;
use store::{GrantId, grant::GrantedUser};

use crate::{Cx, Result, session};

#[derive(Deserialize)]
struct Claims {
    sub: String,
    client_id: String,
    scope: String,
    gid: GrantId,
}

/// What a presented access token proves. [`verify`] alone makes it.
#[derive(Clone, Debug)]
pub struct Principal {
    user: GrantedUser,
    subject: String,
    scopes: String,
}

impl Principal {
    /// Whether the token was issued for a scope (RFC 6749, section 3.3).
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.split(' ')
    }

    /// The person.
    pub(crate) const fn user(&self) -> &GrantedUser {
        &self.user
    }

    /// `sub`, as the client knows the person.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
}

/// What an access token proves, or nothing when it is not good (any more).
pub async fn verify(cx: &Cx, token: &str) -> Result<Option<Principal>> {
    let expected =
        Expected { issuer: &cx.issuer, audience: Some(&cx.issuer), now: cx.now, expired_ok: false };
    let Ok(claims) = cx.ring.verify::<Claims>(token, TokenType::Access, &expected) else {
        return Ok(None);
    };
    let Some(client) = cx.client(&claims.client_id) else { return Ok(None) };
    let mut conn = cx.db.read().await?;
    let Some(user) = store::grant::live_user(&mut conn, claims.gid, session::limits(cx)).await?
    else {
        return Ok(None);
    };
    if client.subject(&user.subject, &user.pairwise_seed) != claims.sub {
        return Ok(None);
    }
    Ok(Some(Principal { user, subject: claims.sub, scopes: claims.scope }))
}
