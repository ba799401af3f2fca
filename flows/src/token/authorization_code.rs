//! Redeeming an authorization code (RFC 6749, section 4.1.3).
//!
//! ```text
//! read the code ─▶ check client, address, PKCE, age ─▶ sign ─▶ claim in one guarded statement ─▶ answer
//!                                                                  └─ lost: the tokens are discarded
//! used before ─▶ everything that it issued is revoked (RFC 6749, section 4.1.2)
//! ```

use std::sync::Arc;

use store::{TokenHash, auth_code::AuthCode, grant::LiveGrant};
use subtle::ConstantTimeEq;

use super::{GrantHandler, TokenResult, issue};
use crate::{
    Cx, Error, Result,
    audit::{self, event, outcome::Revoked},
    client::{Client, GrantType},
    client_refusal,
    oauth_error::TokenError,
    request::Params,
    session,
};

pub(super) const HANDLER: GrantHandler = GrantHandler {
    name: GrantType::AuthorizationCode,
    handler: |cx, client, params| Box::pin(redeem(cx, client, params)),
};

const INVALID_CODE: TokenError =
    TokenError::invalid_grant("the authorization code is unknown, expired or was used");

/// Redeems the code of a token request for an authenticated client.
async fn redeem(cx: &Cx, client: &Arc<Client>, params: &Params) -> TokenResult {
    let Some(text) = params.get("code") else {
        return refuse(cx, client, None, TokenError::invalid_request("code is missing")).await;
    };
    let hash = keys::hash_text(text);
    let limits = session::limits(cx);
    // The connection is returned before another one is requested: a request that holds one and waits for another can
    // deadlock.
    let found = store::auth_code::by_hash(&mut cx.db.read().await?, &hash, limits).await?;
    let Some(code) = found else {
        return refuse(cx, client, None, INVALID_CODE).await;
    };
    let grant = match check(cx, client, params, &code) {
        Ok(grant) => grant,
        Err(_) if code.used_at.is_some() && code.grant.client_id() == client.id => {
            return revoke(cx, client, &code).await;
        }
        Err(error) => return refuse(cx, client, Some(&code), error).await,
    };
    let issue = issue::IssueRequest { client, grant, nonce: code.nonce.as_deref() };
    let tokens = issue::tokens(cx, issue)?;
    if claim(cx, client, &hash, &code).await? {
        return Ok(Ok(tokens));
    }
    // Another request redeemed it between our read and our claim: treated like a code that is presented again.
    revoke(cx, client, &code).await
}

/// Whether the code is valid for this request; returns the live grant to issue tokens from.
fn check<'a>(
    cx: &Cx,
    client: &Client,
    params: &Params,
    code: &'a AuthCode,
) -> Result<&'a LiveGrant, TokenError> {
    if code.grant.client_id() != client.id || code.used_at.is_some() || code.voided_at.is_some() {
        return Err(INVALID_CODE);
    }
    if cx.now.since(code.created_at) >= issue::CODE_LIFETIME {
        return Err(INVALID_CODE);
    }
    let grant = code.grant.live().ok_or(INVALID_CODE)?;
    if params.get("redirect_uri") != Some(code.redirect_uri.as_str()) {
        return Err(TokenError::invalid_grant(
            "redirect_uri is not the one of the authorization request",
        ));
    }
    check_pkce(params.get("code_verifier"), code.code_challenge.as_deref())?;
    Ok(grant)
}

/// RFC 7636, section 4.6; a verifier without a challenge is a downgrade (RFC 9700, section 2.1.1).
fn check_pkce(verifier: Option<&str>, challenge: Option<&str>) -> Result<(), TokenError> {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    match (verifier, challenge) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(TokenError::invalid_grant("code_verifier without a code_challenge")),
        (None, Some(_)) => Err(TokenError::invalid_grant("code_verifier is missing")),
        (Some(verifier), Some(challenge)) => {
            let digest = BASE64_URL_SAFE_NO_PAD.encode(keys::hash_text(verifier).as_bytes());
            let right = bool::from(digest.as_bytes().ct_eq(challenge.as_bytes()));
            if is_verifier(verifier) && right {
                Ok(())
            } else {
                Err(TokenError::invalid_grant("code_verifier does not match the code_challenge"))
            }
        }
    }
}

/// RFC 7636, section 4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

async fn claim(cx: &Cx, client: &Client, hash: &TokenHash, code: &AuthCode) -> Result<bool> {
    cx.db
        .write(async |tx| {
            if !store::auth_code::redeem(tx, hash, session::limits(cx)).await? {
                return Ok(false);
            }
            let entry = audit::AuditEntry::done(event::TokensIssued { grant: code.grant.id() })
                .grant_type(HANDLER.name.as_str())
                .user(code.grant.user_id())
                .client(client.id.as_str());
            audit::record(cx, tx, entry).await?;
            Ok(true)
        })
        .await
}

async fn revoke(cx: &Cx, client: &Client, code: &AuthCode) -> TokenResult {
    let entry = || {
        audit::AuditEntry::new(event::CodeReused { grant: code.grant.id() }, Revoked::Revoked)
            .user(code.grant.user_id())
            .client(client.id.as_str())
    };
    let ended = cx
        .db
        .write(async |tx| {
            let ended = store::grant::end(tx, code.grant.id(), cx.now).await?;
            if ended {
                audit::record(cx, tx, entry()).await?;
            }
            Ok::<_, Error>(ended)
        })
        .await?;
    // The first time is always recorded, over a limit or not. A client that repeats it is recorded like any other refusal.
    if !ended {
        client_refusal::record_limited(cx, entry()).await?;
    }
    Ok(Err(INVALID_CODE))
}

async fn refuse(
    cx: &Cx,
    client: &Client,
    code: Option<&AuthCode>,
    error: TokenError,
) -> TokenResult {
    client_refusal::record(cx, &client.id, code.map(|code| code.grant.user_id()), &error).await?;
    Ok(Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkce_matches_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(check_pkce(Some(verifier), Some(challenge)).is_ok());
        assert!(check_pkce(None, None).is_ok());
        for (verifier, challenge) in [
            (Some(verifier), None),
            (None, Some(challenge)),
            (Some(challenge), Some(challenge)),
            (Some("short"), Some(challenge)),
        ] {
            assert_eq!(
                check_pkce(verifier, challenge).unwrap_err().error.as_str(),
                "invalid_grant"
            );
        }
    }
}
