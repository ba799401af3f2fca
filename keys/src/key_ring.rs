//! The signing keys of a replica: which key signs, and which are published.

use std::{collections::HashMap, fmt};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use store::Timestamp;

use crate::{
    Algorithm, ExpectedClaims, InvalidToken, KeyError, SigningKey, TokenType, hash_text,
    jwt::{self, VerifyingKey},
};

/// Every key, parsed.
pub struct KeyRing {
    /// In the order in which they begin to sign.
    keys: Vec<PublishedKey>,
    /// The public keys of `keys`, by `kid`.
    verifying_keys: HashMap<String, VerifyingKey>,
    /// Public keys that are no longer published, by `kid`: a hint may be signed with one.
    ended_keys: HashMap<String, VerifyingKey>,
    jwks: Jwks,
}

/// A key that is published.
#[derive(Debug)]
pub struct PublishedKey {
    /// The key.
    pub key: SigningKey,
    /// When it begins to sign.
    pub signs_from: Timestamp,
}

/// The public key of a signing key that is no longer published.
#[derive(Clone, Debug)]
pub struct EndedKey {
    /// `kid`.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The public key, as [`SigningKey::public_key_bytes`] writes it.
    pub public_key: Vec<u8>,
}

/// The JWK Set (RFC 7517, section 5): public keys only.
#[derive(Clone, Debug)]
pub struct Jwks {
    /// The document.
    pub json: String,
    /// Its entity tag, without quotes (RFC 9110, section 8.8.3): the same on every replica.
    pub etag: String,
}

impl KeyRing {
    /// A ring of the keys that are published, and of those that were.
    pub fn new(mut keys: Vec<PublishedKey>, ended: &[EndedKey]) -> Result<Self, KeyError> {
        keys.sort_by(|a, b| (a.signs_from, a.key.kid()).cmp(&(b.signs_from, b.key.kid())));
        let mut verifying_keys = HashMap::new();
        let mut set = Vec::new();
        for PublishedKey { key, .. } in &keys {
            let verifying_key = VerifyingKey { algorithm: key.algorithm(), key: key.public_key()? };
            verifying_keys.insert(key.kid().to_owned(), verifying_key);
            set.push(key.jwk()?);
        }
        let json = serde_json::json!({ "keys": set }).to_string();
        let etag = BASE64_URL_SAFE_NO_PAD.encode(hash_text(&json).as_bytes());
        let ended_keys = ended.iter().map(ended_verifying_key).collect::<Result<_, _>>()?;
        Ok(Self { keys, verifying_keys, ended_keys, jwks: Jwks { json, etag } })
    }

    /// The JWK Set.
    #[must_use]
    pub const fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Signs a token about a person. The only caller is `flows::token::issue`; `tests/it/architecture/` checks that.
    pub fn sign_user_token(
        &self,
        kind: TokenType,
        algorithm: Algorithm,
        claims: &impl Serialize,
        now: Timestamp,
    ) -> Result<String, KeyError> {
        let key = self
            .signing_key(algorithm, now)
            .ok_or_else(|| KeyError::NoSigningKey(algorithm.to_string()))?;
        jwt::sign(key, kind, claims)
    }

    /// The key that signs: the last one that has begun to sign. If none has, because this clock is a little behind the one
    /// that made the first key, it is the first.
    fn signing_key(&self, algorithm: Algorithm, now: Timestamp) -> Option<&SigningKey> {
        let mut of_algorithm = self.keys.iter().filter(|key| key.key.algorithm() == algorithm);
        let first = of_algorithm.next()?;
        let last = of_algorithm.take_while(|key| key.signs_from <= now).last();
        Some(&last.unwrap_or(first).key)
    }

    /// Verifies one of our tokens; returns its claims. An expired one may be signed with an ended key.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        kind: TokenType,
        expected: &ExpectedClaims<'_>,
    ) -> Result<T, InvalidToken> {
        jwt::verify(token, kind, expected, |kid| {
            let ended = || self.ended_keys.get(kid).filter(|_| expected.allow_expired);
            self.verifying_keys.get(kid).or_else(ended)
        })
    }
}

fn ended_verifying_key(ended: &EndedKey) -> Result<(String, VerifyingKey), KeyError> {
    let EndedKey { kid, algorithm, public_key } = ended;
    let key = algorithm
        .parse_public_key(public_key)
        .ok_or_else(|| KeyError::SigningKey { kid: kid.clone(), why: "cannot be read" })?;
    Ok((kid.clone(), VerifyingKey { algorithm: *algorithm, key }))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.verifying_keys.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn key(kid: &str, algorithm: Algorithm, signs_from: Timestamp) -> PublishedKey {
        PublishedKey { key: SigningKey::generate(kid.to_owned(), algorithm).unwrap(), signs_from }
    }

    fn ring() -> KeyRing {
        let key = |algorithm| key(&format!("k-{algorithm}"), algorithm, NOW);
        KeyRing::new(Algorithm::ALL.map(key).into(), &[]).unwrap()
    }

    fn expected_claims() -> ExpectedClaims<'static> {
        ExpectedClaims {
            issuer: "https://login.example.org",
            audience: Some("portal"),
            now: NOW,
            allow_expired: false,
        }
    }

    fn claims() -> Value {
        json!({ "iss": "https://login.example.org", "aud": ["portal"], "exp": 1001, "sub": "s" })
    }

    fn verify_id_token(ring: &KeyRing, token: &str) -> Result<Value, InvalidToken> {
        ring.verify(token, TokenType::Id, &expected_claims())
    }

    fn with_header(token: &str, header: &Value) -> String {
        let (_, rest) = token.split_once('.').unwrap();
        format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
    }

    #[test]
    fn every_algorithm_signs_and_verifies() {
        let ring = ring();
        for algorithm in Algorithm::ALL {
            let token = ring.sign_user_token(TokenType::Id, algorithm, &claims(), NOW).unwrap();
            assert_eq!(verify_id_token(&ring, &token).unwrap(), claims());
            assert_eq!(
                verify_id_token(&self::ring(), &token),
                Err(InvalidToken::Signature),
                "another key of that name"
            );
        }
    }

    #[test]
    fn jwks_has_public_members_only() {
        let ring = ring();
        let set: Value = serde_json::from_str(&ring.jwks().json).unwrap();
        for key in set["keys"].as_array().unwrap() {
            let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(
                ["d", "p", "q", "dp", "dq", "qi", "k"]
                    .iter()
                    .all(|private| !names.contains(private))
            );
            assert_eq!(key["use"], "sig");
        }
        assert_eq!(set["keys"].as_array().unwrap().len(), Algorithm::ALL.len());
    }

    #[test]
    fn newest_due_key_signs() {
        let later = NOW.plus(Duration::from_mins(10));
        let both = || vec![key("new", Algorithm::EdDSA, later), key("old", Algorithm::EdDSA, NOW)];
        let ring = KeyRing::new(both(), &[]).unwrap();
        let kid = |at| ring.signing_key(Algorithm::EdDSA, at).unwrap().kid();
        assert_eq!(kid(NOW), "old");
        assert_eq!(kid(later.minus(Duration::from_millis(1))), "old");
        assert_eq!(kid(later), "new");
        // A clock that is behind the one that made the first key: that key signs all the same.
        assert_eq!(kid(NOW.minus(Duration::from_secs(2))), "old");
        assert!(ring.signing_key(Algorithm::RS256, later).is_none());
    }

    #[test]
    fn ended_key_verifies_hints_only() {
        for algorithm in Algorithm::ALL {
            let old = KeyRing::new(vec![key("old", algorithm, NOW)], &[]).unwrap();
            let token = old.sign_user_token(TokenType::Id, algorithm, &claims(), NOW).unwrap();
            let public = old.keys[0].key.public_key_bytes();
            let ended = EndedKey { kid: "old".to_owned(), algorithm, public_key: public };
            let ring = KeyRing::new(vec![key("new", algorithm, NOW)], &[ended]).unwrap();
            assert_eq!(verify_id_token(&ring, &token), Err(InvalidToken::Key));
            let hint = ExpectedClaims { allow_expired: true, ..expected_claims() };
            assert_eq!(ring.verify::<Value>(&token, TokenType::Id, &hint), Ok(claims()));
            assert!(!ring.jwks().json.contains("old"));
            assert_ne!(ring.jwks().etag, old.jwks().etag);
        }
    }

    #[test]
    fn key_round_trips_as_pkcs8() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate("k".to_owned(), algorithm).unwrap();
            let again = SigningKey::from_pkcs8("k".to_owned(), algorithm, &key.to_pkcs8().unwrap())
                .unwrap();
            assert_eq!(key.jwk().unwrap(), again.jwk().unwrap());
        }
        assert!(SigningKey::from_pkcs8("k".to_owned(), Algorithm::ES256, b"x").is_err());
    }

    /// Misuse case 36, as far as this build has tokens.
    #[test]
    fn forged_and_confused_tokens_are_refused() {
        let ring = ring();
        let token = ring.sign_user_token(TokenType::Id, Algorithm::ES256, &claims(), NOW).unwrap();
        let header =
            |alg: &str, typ: &str, kid: &str| json!({ "alg": alg, "typ": typ, "kid": kid });
        for (header, refused) in [
            (header("none", "JWT", "k-ES256"), InvalidToken::Key),
            (header("HS256", "JWT", "k-ES256"), InvalidToken::Key),
            (header("RS256", "JWT", "k-ES256"), InvalidToken::Key),
            (header("ES256", "JWT", "../k"), InvalidToken::Key),
            (header("ES256", "at+jwt", "k-ES256"), InvalidToken::Type),
            (
                json!({ "alg": "ES256", "typ": "JWT", "kid": "k-ES256", "x": 1 }),
                InvalidToken::Signature,
            ),
            (
                json!({ "alg": "ES256", "typ": "JWT", "kid": "k-ES256", "crit": ["x"] }),
                InvalidToken::Type,
            ),
            (json!({ "alg": "ES256", "typ": "JWT" }), InvalidToken::Malformed),
        ] {
            let forged = with_header(&token, &header);
            assert_eq!(verify_id_token(&ring, &forged), Err(refused), "{header}");
        }
        let (message, _) = token.rsplit_once('.').unwrap();
        let psychic = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 64]));
        assert_eq!(verify_id_token(&ring, &psychic), Err(InvalidToken::Signature));
        for text in ["", ".", "..", "a.b.c", &"x".repeat(20_000)] {
            assert!(verify_id_token(&ring, text).is_err(), "{text}");
        }
    }

    #[test]
    fn issuer_audience_and_expiry_are_checked() {
        let ring = ring();
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            let token =
                ring.sign_user_token(TokenType::Id, Algorithm::ES256, &claims, NOW).unwrap();
            verify_id_token(&ring, &token).map(|_| ())
        };
        assert_eq!(with("iss", json!("https://login.example.org/")), Err(InvalidToken::Issuer));
        assert_eq!(with("aud", json!("other")), Err(InvalidToken::Audience));
        assert_eq!(with("aud", json!("portal")), Ok(()));
        assert_eq!(with("exp", json!(1000)), Err(InvalidToken::Expired));
        assert_eq!(with("exp", json!("1001")), Err(InvalidToken::Claims));
    }
}
