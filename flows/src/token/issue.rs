//! The only mint: nothing else makes grants, authorization codes or user tokens, and all of it from a [`SignIn`].

use keys::{OpaqueToken, TokenType};
use serde::Serialize;
use store::{AttemptId, Tx, auth_code::NewAuthCode, grant::Grant};

use crate::{Cx, Result, audit, client::Client, request::AuthorizationRequest, sign_in::SignIn};

/// Makes a grant and the authorization code that stands for it.
pub(crate) async fn authorization_code(
    cx: &Cx,
    tx: &mut Tx,
    sign_in: &SignIn,
    request: &AuthorizationRequest,
    attempt: Option<AttemptId>,
) -> Result<OpaqueToken> {
    let grant = Grant {
        id: cx.id(),
        user_id: sign_in.user(),
        client_id: request.client_id.clone(),
        session_id: sign_in.session(),
        sign_in_id: sign_in.id(),
        epoch: sign_in.epoch(),
        scopes: request.scopes.join(" "),
        created_at: cx.now,
    };
    store::grant::insert(tx, &grant).await?;
    let code = OpaqueToken::generate(&cx.rng);
    let new = NewAuthCode {
        hash: code.hash(),
        grant_id: grant.id,
        attempt_id: attempt,
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        created_at: cx.now,
    };
    store::auth_code::insert(tx, &new).await?;
    let entry = audit::Entry::new(audit::Event::CodeIssued)
        .user(sign_in.user())
        .client(&request.client_id)
        .detail(serde_json::json!({
            "grant": grant.id, "sign_in": grant.sign_in_id, "scopes": grant.scopes, "acr": sign_in.assurance().acr(),
        }));
    audit::record(cx, tx, entry).await?;
    Ok(code)
}

/// What the tokens of a grant say besides the sign-in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minting<'a> {
    /// To whom.
    pub client: &'a Client,
    /// `sub` for this client.
    pub subject: &'a str,
    /// `sid` of the session.
    pub sid: &'a str,
    /// `nonce` of the request.
    pub nonce: Option<&'a str>,
    /// Granted scopes.
    pub scopes: &'a str,
    /// The grant.
    pub grant: store::GrantId,
}

/// The tokens of one answer.
#[derive(Debug)]
pub struct Tokens {
    /// ID token (OpenID Connect Core 1.0, section 2).
    pub id_token: String,
    /// Access token (RFC 9068).
    pub access_token: String,
    /// Seconds that the access token lives.
    pub expires_in: u64,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: [&'a str; 1],
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    acr: &'static str,
    amr: &'static [&'static str],
    sid: &'a str,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: &'a str,
    scope: &'a str,
    auth_time: i64,
    acr: &'static str,
    amr: &'static [&'static str],
    /// The grant: what userinfo asks whether it still lives.
    gid: store::GrantId,
}

/// Signs the tokens of a grant. They are thrown away if the claim of the authorization code is lost afterwards.
pub(crate) fn tokens(cx: &Cx, sign_in: &SignIn, minting: Minting<'_>) -> Result<Tokens> {
    let lifetime = cx.settings.access_token;
    let (iat, exp) = (cx.now.seconds(), cx.now.plus(lifetime).seconds());
    let (acr, amr) = (sign_in.assurance().acr(), sign_in.assurance().amr());
    let auth_time = sign_in.auth_time().seconds();
    let id = IdClaims {
        iss: &cx.issuer,
        sub: minting.subject,
        aud: [&minting.client.id],
        exp,
        iat,
        auth_time,
        nonce: minting.nonce,
        acr,
        amr,
        sid: minting.sid,
    };
    let access = AccessClaims {
        iss: &cx.issuer,
        sub: minting.subject,
        aud: &cx.issuer,
        exp,
        iat,
        jti: cx.id::<store::AuditId>().to_string(),
        client_id: &minting.client.id,
        scope: minting.scopes,
        auth_time,
        acr,
        amr,
        gid: minting.grant,
    };
    let sign = |kind, claims: Claims<'_>| -> Result<String> {
        Ok(cx.ring.sign_user_token(
            kind,
            minting.client.metadata.id_token_signed_response_alg,
            &claims,
            cx.now,
        )?)
    };
    Ok(Tokens {
        id_token: sign(TokenType::Id, Claims::Id(&id))?,
        access_token: sign(TokenType::Access, Claims::Access(&access))?,
        expires_in: lifetime.as_secs(),
    })
}

/// Both kinds of claims, so that there is one call of the signature.
#[derive(Serialize)]
#[serde(untagged)]
enum Claims<'a> {
    Id(&'a IdClaims<'a>),
    Access(&'a AccessClaims<'a>),
}
