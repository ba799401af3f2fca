//! Our own tokens: how they are signed, and verified before their claims are used (RFC 7519; RFC 8725).
//!
//! The key is chosen by `kid` among our own, the algorithm by the key, and `typ` by the caller: an ID token is never
//! accepted as an access token.

use aws_lc_rs::signature::ParsedPublicKey;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::Timestamp;

use crate::{Algorithm, KeyError, SigningKey};

/// The most bytes of a token; ours are shorter.
const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// Kinds of tokens, distinguished by `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// An ID token (OpenID Connect Core 1.0, section 2).
    Id,
    /// An access token (RFC 9068, section 2.1).
    Access,
}

impl TokenType {
    /// The header's `typ`.
    #[must_use]
    pub const fn typ(self) -> &'static str {
        match self {
            Self::Id => "JWT",
            Self::Access => "at+jwt",
        }
    }
}

/// The claims that a token must have.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedClaims<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// One of `aud`, if the caller knows which.
    pub audience: Option<&'a str>,
    /// The time of the request.
    pub now: Timestamp,
    /// Whether an expired token is accepted, as for a hint (`id_token_hint`); then one signed with an ended key is accepted,
    /// too.
    pub allow_expired: bool,
}

/// Why a token is refused. Only for the log: the sender does not learn the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not a JWS in compact form, or too long.
    #[error("the token is not a JWS")]
    Malformed,
    /// Another `typ`, or headers that change the meaning.
    #[error("the token is of another type")]
    Type,
    /// A key that is not ours, or not for this algorithm.
    #[error("the token is signed with an unknown key")]
    Key,
    /// A wrong signature.
    #[error("the signature is wrong")]
    Signature,
    /// Another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// Another audience.
    #[error("the token is for another audience")]
    Audience,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// Claims that cannot be read.
    #[error("the claims cannot be read")]
    Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    /// Extensions that must be understood (RFC 7515, section 4.1.11): we support none.
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct RegisteredClaims {
    iss: String,
    aud: Audience,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// One of our public keys.
pub(crate) struct VerifyingKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: ParsedPublicKey,
}

/// Signs claims.
pub(crate) fn sign(
    key: &SigningKey,
    kind: TokenType,
    claims: &impl Serialize,
) -> Result<String, KeyError> {
    let header = serde_json::json!({
        "alg": key.algorithm().as_str(), "typ": kind.typ(), "kid": key.kid(),
    });
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Verifies signature, kind, issuer, audience and expiry of a token; returns its claims.
pub(crate) fn verify<'k, T: DeserializeOwned>(
    token: &str,
    kind: TokenType,
    expected: &ExpectedClaims<'_>,
    find_key: impl Fn(&str) -> Option<&'k VerifyingKey>,
) -> Result<T, InvalidToken> {
    if token.len() > MAX_TOKEN_LENGTH {
        return Err(InvalidToken::Malformed);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
    let (header, claims) = message.split_once('.').ok_or(InvalidToken::Malformed)?;
    let header: Header =
        serde_json::from_slice(&decode_base64url(header)?).map_err(|_| InvalidToken::Malformed)?;
    if header.typ != kind.typ() || header.crit.is_some() {
        return Err(InvalidToken::Type);
    }
    let verifying_key = find_key(&header.kid).ok_or(InvalidToken::Key)?;
    if header.alg != verifying_key.algorithm.as_str() {
        return Err(InvalidToken::Key);
    }
    let signature = decode_base64url(signature)?;
    match verifying_key.key.verify_sig(message.as_bytes(), &signature) {
        Ok(()) => check_claims(&decode_base64url(claims)?, expected),
        Err(_) => Err(InvalidToken::Signature),
    }
}

fn check_claims<T: DeserializeOwned>(
    claims: &[u8],
    expected: &ExpectedClaims<'_>,
) -> Result<T, InvalidToken> {
    let registered: RegisteredClaims =
        serde_json::from_slice(claims).map_err(|_| InvalidToken::Claims)?;
    if registered.iss != expected.issuer {
        return Err(InvalidToken::Issuer);
    }
    if expected.audience.is_some_and(|wanted| !registered.aud.contains(wanted)) {
        return Err(InvalidToken::Audience);
    }
    if !expected.allow_expired && registered.exp <= expected.now.seconds() {
        return Err(InvalidToken::Expired);
    }
    serde_json::from_slice(claims).map_err(|_| InvalidToken::Claims)
}

fn decode_base64url(part: &str) -> Result<Vec<u8>, InvalidToken> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)
}
