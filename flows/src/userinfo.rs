//! The userinfo endpoint (OpenID Connect Core 1.0, section 5.3). A token that is signed right is still refused when
//! what it rests on has ended: grant, session, epoch.

use keys::{Expected, TokenType};
use serde::Deserialize;
use serde_json::{Map, Value};
use store::GrantId;

use crate::{Cx, Result, claims, session};

#[derive(Deserialize)]
struct AccessToken {
    sub: String,
    client_id: String,
    scope: String,
    gid: GrantId,
}

/// Claims of the person, or nothing when the token is not good (any more).
pub async fn userinfo(cx: &Cx, token: &str) -> Result<Option<Map<String, Value>>> {
    let expected =
        Expected { issuer: &cx.issuer, audience: Some(&cx.issuer), now: cx.now, expired_ok: false };
    let Ok(token) = cx.ring.verify::<AccessToken>(token, TokenType::Access, &expected) else {
        return Ok(None);
    };
    let Some(client) = cx.client(&token.client_id) else { return Ok(None) };
    let mut conn = cx.db.read().await?;
    let Some(user) = store::grant::live_user(&mut conn, token.gid, session::limits(cx)).await?
    else {
        return Ok(None);
    };
    if client.subject(&user.subject, &user.pairwise_seed) != token.sub {
        return Ok(None);
    }
    Ok(Some(claims::userinfo(&user, token.sub, &token.scope)))
}
