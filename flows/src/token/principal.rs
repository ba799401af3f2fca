//! What an access token stands for. A token that is signed right is still refused when what it rests on has ended.

use keys::{Expected, TokenType};
use serde::Deserialize;
use store::{GrantId, grant::LiveWithUser};

use crate::{Cx, Result, session};

/// The claims of an access token of ours that are looked at (RFC 9068, section 2.2).
#[derive(Debug, Deserialize)]
pub(crate) struct AccessToken {
    /// The person, for this client.
    pub sub: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// What it is good for: scopes, separated by spaces.
    pub scope: String,
    gid: GrantId,
}

/// A person, as a client with an access token meets one.
#[derive(Debug)]
pub(crate) struct Principal {
    /// What the token says.
    pub token: AccessToken,
    /// The live grant that it rests on, and its person.
    pub rests_on: LiveWithUser,
}

/// Whom an access token that is meant for us stands for; nothing when the token is not good, or no longer.
pub(crate) async fn principal(cx: &Cx, token: &str) -> Result<Option<Principal>> {
    let expected =
        Expected { issuer: &cx.issuer, audience: Some(&cx.issuer), now: cx.now, expired_ok: false };
    let Ok(token) = cx.ring.verify::<AccessToken>(token, TokenType::Access, &expected) else {
        return Ok(None);
    };
    let Some(client) = cx.client(&token.client_id) else { return Ok(None) };
    let mut conn = cx.db.read().await?;
    let found = store::grant::live_with_user(&mut conn, token.gid, session::limits(cx)).await?;
    drop(conn);
    let own = found.filter(|LiveWithUser { grant, .. }| {
        let subject = client.subject(&grant.subject, &grant.pairwise_seed);
        grant.client_id == client.id && subject == token.sub
    });
    Ok(own.map(|rests_on| Principal { token, rests_on }))
}
