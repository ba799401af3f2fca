//! What an access token proves (RFC 9068): its person and its scopes. A token with a valid signature is still refused when
//! its grant, session or epoch has ended.

use keys::{ExpectedClaims, TokenType};
use serde::Deserialize;
use store::{
    GrantId,
    grant::{GrantedUser, LiveGrantWithUser},
};

use crate::{Cx, Result, session};

/// The claims of our access tokens that are checked (RFC 9068, section 2.2).
#[derive(Clone, Debug, Deserialize)]
struct AccessTokenClaims {
    /// The person, for this client.
    sub: String,
    /// The client that it was issued to.
    client_id: String,
    /// The granted scopes, separated by spaces.
    scope: String,
    gid: GrantId,
}

/// What a presented access token proves. Only [`verify_access_token`] constructs it.
#[derive(Clone, Debug)]
pub struct Principal {
    token: AccessTokenClaims,
    user: GrantedUser,
}

impl Principal {
    /// Whether the token was issued for a scope (RFC 6749, section 3.3).
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.token.scope.split(' ')
    }

    /// The person.
    pub(crate) const fn user(&self) -> &GrantedUser {
        &self.user
    }

    /// `sub`, as the client knows the person.
    pub(crate) fn subject(&self) -> &str {
        &self.token.sub
    }
}

/// Verifies an access token for this issuer; `None` when it is not valid, or no longer.
pub async fn verify_access_token(cx: &Cx, token: &str) -> Result<Option<Principal>> {
    let expected = ExpectedClaims {
        issuer: &cx.issuer,
        audience: Some(&cx.issuer),
        now: cx.now,
        allow_expired: false,
    };
    let Ok(token) = cx.ring.verify::<AccessTokenClaims>(token, TokenType::Access, &expected) else {
        return Ok(None);
    };
    let Some(client) = cx.find_client(&token.client_id) else { return Ok(None) };
    let mut conn = cx.db.read().await?;
    let found = store::grant::live_with_user(&mut conn, token.gid, session::limits(cx)).await?;
    drop(conn);
    let matching = found.filter(|LiveGrantWithUser { grant, .. }| {
        let subject = client.subject(&grant.subject, &grant.pairwise_seed);
        grant.client_id == client.id && subject == token.sub
    });
    Ok(matching.map(|LiveGrantWithUser { user, .. }| Principal { token, user }))
}
