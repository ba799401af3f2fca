//! The only issuer: nothing else creates grants, authorization codes or user tokens, and all of them require a [`SignIn`].

use std::time::Duration;

use keys::{OpaqueToken, TokenType};
use serde::Serialize;
use store::{
    AttemptId, GrantId, SessionId, TokenId, Tx,
    auth_code::NewAuthCode,
    grant::{LiveGrant, NewGrant},
};

use crate::{
    Cx, Result,
    audit::{self, event},
    client::Client,
    request::AuthorizationRequest,
    sign_in::SignIn,
};

/// What an authorization code is made from, besides the request that it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewCode<'a> {
    /// The completed sign-in.
    pub sign_in: &'a SignIn,
    /// The session that it belongs to, and that the grant ends with.
    pub session: SessionId,
    /// The attempt that a person completed for it; none for a silent sign-in.
    pub attempt: Option<AttemptId>,
    /// Whether the session began just now: it has no other codes.
    pub is_first: bool,
}

/// Lifetime of an authorization code (decision 9).
pub(crate) const CODE_LIFETIME: Duration = Duration::from_mins(1);
/// Unredeemed codes of one session for one client that are good: tabs that a browser restores ask for one each, at
/// once.
const GOOD_CODES: i64 = 5;

/// Creates a grant and its authorization code. Of those that the session has for this client the newest few stay good.
pub(crate) async fn authorization_code(
    cx: &Cx,
    tx: &mut Tx,
    request: &AuthorizationRequest,
    new: NewCode<'_>,
) -> Result<OpaqueToken> {
    let sign_in = new.sign_in;
    let grant = NewGrant {
        id: cx.new_id(),
        user_id: sign_in.user(),
        client_id: request.client_id.clone(),
        session_id: new.session,
        sign_in_id: sign_in.id(),
        epoch: sign_in.epoch(),
        scopes: request.scopes.join(" "),
        created_at: cx.now,
    };
    if !new.is_first {
        let since = cx.now.minus(CODE_LIFETIME);
        let (session, client) = (new.session, &request.client_id);
        store::auth_code::void_older(tx, session, client, GOOD_CODES - 1, [since, cx.now]).await?;
    }
    store::grant::insert(tx, &grant).await?;
    let code = OpaqueToken::generate(&cx.rng);
    let row = NewAuthCode {
        hash: code.hash(),
        grant_id: grant.id,
        attempt_id: new.attempt,
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        created_at: cx.now,
    };
    store::auth_code::insert(tx, &row).await?;
    let issued = event::CodeIssued {
        grant: grant.id,
        sign_in: grant.sign_in_id,
        scopes: grant.scopes,
        acr: sign_in.assurance().acr(),
    };
    let entry =
        audit::AuditEntry::done(issued).user(sign_in.user()).client(request.client_id.as_str());
    audit::record(cx, tx, entry).await?;
    Ok(code)
}

/// What is issued from a live grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IssueRequest<'a> {
    /// The recipient: the client of the grant, authenticated.
    pub client: &'a Client,
    /// The grant.
    pub grant: &'a LiveGrant,
    /// `nonce` of the request that the ID token answers.
    pub nonce: Option<&'a str>,
}

/// The tokens of one answer, as its JSON has them (RFC 6749, section 5.1). `scope` is in each answer: what was granted may be
/// less than what was asked.
#[derive(Debug, Serialize)]
pub struct Tokens {
    /// Access token (RFC 9068).
    pub access_token: String,
    /// How it is presented (RFC 6749, section 7.1).
    pub token_type: &'static str,
    /// Lifetime of the access token in seconds.
    pub expires_in: u64,
    /// What was granted, separated by spaces.
    pub scope: String,
    /// ID token (OpenID Connect Core 1.0, section 2), when the scope `openid` was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// A bearer token (RFC 6750).
const BEARER: &str = "Bearer";

/// The claims that both tokens share.
#[derive(Clone, Copy, Serialize)]
struct CommonClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    acr: &'static str,
    amr: &'static [&'static str],
}

#[derive(Serialize)]
struct IdClaims<'a> {
    #[serde(flatten)]
    common: CommonClaims<'a>,
    aud: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    sid: &'a str,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    #[serde(flatten)]
    common: CommonClaims<'a>,
    aud: &'a str,
    jti: TokenId,
    client_id: &'a str,
    scope: &'a str,
    /// The grant, by which the token is found to be still valid.
    gid: GrantId,
}

/// Signs the tokens of a grant. They are discarded if the claim of the authorization code is lost afterwards.
pub(crate) fn tokens(cx: &Cx, issue: IssueRequest<'_>) -> Result<Tokens> {
    let IssueRequest { client, grant, nonce } = issue;
    let sub = client.subject(&grant.subject, &grant.pairwise_seed);
    let common = common_claims(cx, &SignIn::of_grant(grant), &sub);
    let sign = |kind, claims: Claims<'_>| -> Result<String> {
        Ok(cx.ring.sign_user_token(
            kind,
            client.metadata.id_token_signed_response_alg,
            &claims,
            cx.now,
        )?)
    };
    let id_token = if grant.scopes.split(' ').any(|scope| scope == "openid") {
        let claims = IdClaims { common, aud: [&client.id], nonce, sid: &grant.sid };
        Some(sign(TokenType::Id, Claims::Id(&claims))?)
    } else {
        None
    };
    let access = AccessClaims {
        common,
        aud: &cx.issuer,
        jti: cx.new_id(),
        client_id: &client.id,
        scope: &grant.scopes,
        gid: grant.id,
    };
    Ok(Tokens {
        access_token: sign(TokenType::Access, Claims::Access(&access))?,
        token_type: BEARER,
        expires_in: cx.settings.access_token.as_secs(),
        scope: grant.scopes.clone(),
        id_token,
    })
}

fn common_claims<'a>(cx: &'a Cx, sign_in: &SignIn, sub: &'a str) -> CommonClaims<'a> {
    CommonClaims {
        iss: &cx.issuer,
        sub,
        exp: cx.now.plus(cx.settings.access_token).seconds(),
        iat: cx.now.seconds(),
        auth_time: sign_in.auth_time().seconds(),
        acr: sign_in.assurance().acr(),
        amr: sign_in.assurance().amr(),
    }
}

/// Both kinds of claims, so that there is one call that signs.
#[derive(Serialize)]
#[serde(untagged)]
enum Claims<'a> {
    Id(&'a IdClaims<'a>),
    Access(&'a AccessClaims<'a>),
}
