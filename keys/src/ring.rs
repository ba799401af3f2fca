//! The signing keys of a replica: which key signs, and which are published.

use std::{collections::HashMap, fmt};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Algorithm, Expected, KeyError, SigningKey, TokenRefused, TokenType,
    jwt::{self, Verifier},
};

/// Every key, parsed.
pub struct KeyRing {
    signing: Vec<SigningKey>,
    verifiers: HashMap<String, Verifier>,
    jwks: String,
}

impl KeyRing {
    /// A ring: of each algorithm one key signs, and `published` ones are still, or already, accepted.
    pub fn new(signing: Vec<SigningKey>, published: &[SigningKey]) -> Result<Self, KeyError> {
        let mut verifiers = HashMap::new();
        let mut keys = Vec::new();
        for key in signing.iter().chain(published) {
            let verifier = Verifier { algorithm: key.algorithm(), key: key.public()? };
            verifiers.insert(key.kid().to_owned(), verifier);
            keys.push(key.jwk()?);
        }
        let jwks = serde_json::json!({ "keys": keys }).to_string();
        Ok(Self { signing, verifiers, jwks })
    }

    /// The JWK Set (RFC 7517, section 5): public keys alone.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Signs a token about a person. Its one caller is `flows::token::issue`; `architecture.rs` holds that.
    pub fn sign_user_token(
        &self,
        kind: TokenType,
        algorithm: Algorithm,
        claims: &impl Serialize,
    ) -> Result<String, KeyError> {
        let key = self
            .signing
            .iter()
            .find(|key| key.algorithm() == algorithm)
            .ok_or_else(|| KeyError::NoSigningKey(algorithm.to_string()))?;
        jwt::sign(key, kind, claims)
    }

    /// Reads the claims of a token of ours.
    pub fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        kind: TokenType,
        expected: &Expected<'_>,
    ) -> Result<T, TokenRefused> {
        jwt::verify(token, kind, expected, |kid| self.verifiers.get(kid))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.verifiers.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::{Value, json};
    use store::Timestamp;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn ring() -> KeyRing {
        let key = |algorithm: Algorithm| {
            SigningKey::generate(format!("k-{algorithm}"), algorithm).unwrap()
        };
        KeyRing::new(vec![key(Algorithm::RS256), key(Algorithm::ES256)], &[]).unwrap()
    }

    fn expected() -> Expected<'static> {
        Expected {
            issuer: "https://login.example.org",
            audience: Some("portal"),
            now: NOW,
            expired_ok: false,
        }
    }

    fn claims() -> Value {
        json!({ "iss": "https://login.example.org", "aud": ["portal"], "exp": 1001, "sub": "s" })
    }

    fn read(ring: &KeyRing, token: &str) -> Result<Value, TokenRefused> {
        ring.verify(token, TokenType::Id, &expected())
    }

    fn with_header(token: &str, header: &Value) -> String {
        let (_, rest) = token.split_once('.').unwrap();
        format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
    }

    #[test]
    fn a_token_is_signed_and_read_with_each_algorithm() {
        let ring = ring();
        for algorithm in Algorithm::ALL {
            let token = ring.sign_user_token(TokenType::Id, algorithm, &claims()).unwrap();
            assert_eq!(read(&ring, &token).unwrap(), claims());
            assert_eq!(
                read(&self::ring(), &token),
                Err(TokenRefused::Signature),
                "another's key of that name"
            );
        }
    }

    #[test]
    fn the_key_set_is_public() {
        let ring = ring();
        let set: Value = serde_json::from_str(ring.jwks()).unwrap();
        for key in set["keys"].as_array().unwrap() {
            let names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(
                ["d", "p", "q", "dp", "dq", "qi", "k"]
                    .iter()
                    .all(|private| !names.contains(private))
            );
            assert_eq!(key["use"], "sig");
        }
        assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_key_survives_its_encoding() {
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
        let token = ring.sign_user_token(TokenType::Id, Algorithm::ES256, &claims()).unwrap();
        let header =
            |alg: &str, typ: &str, kid: &str| json!({ "alg": alg, "typ": typ, "kid": kid });
        for (header, refused) in [
            (header("none", "JWT", "k-ES256"), TokenRefused::Key),
            (header("HS256", "JWT", "k-ES256"), TokenRefused::Key),
            (header("RS256", "JWT", "k-ES256"), TokenRefused::Key),
            (header("ES256", "JWT", "../k"), TokenRefused::Key),
            (header("ES256", "at+jwt", "k-ES256"), TokenRefused::Type),
            (
                json!({ "alg": "ES256", "typ": "JWT", "kid": "k-ES256", "x": 1 }),
                TokenRefused::Signature,
            ),
            (
                json!({ "alg": "ES256", "typ": "JWT", "kid": "k-ES256", "crit": ["x"] }),
                TokenRefused::Type,
            ),
            (json!({ "alg": "ES256", "typ": "JWT" }), TokenRefused::Malformed),
        ] {
            let forged = with_header(&token, &header);
            assert_eq!(read(&ring, &forged), Err(refused), "{header}");
        }
        let (message, _) = token.rsplit_once('.').unwrap();
        let psychic = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 64]));
        assert_eq!(read(&ring, &psychic), Err(TokenRefused::Signature));
        for text in ["", ".", "..", "a.b.c", &"x".repeat(20_000)] {
            assert!(read(&ring, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_has_its_issuer_audience_and_time() {
        let ring = ring();
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            let token = ring.sign_user_token(TokenType::Id, Algorithm::ES256, &claims).unwrap();
            read(&ring, &token).map(|_| ())
        };
        assert_eq!(with("iss", json!("https://login.example.org/")), Err(TokenRefused::Issuer));
        assert_eq!(with("aud", json!("other")), Err(TokenRefused::Audience));
        assert_eq!(with("aud", json!("portal")), Ok(()));
        assert_eq!(with("exp", json!(1000)), Err(TokenRefused::Expired));
        assert_eq!(with("exp", json!("1001")), Err(TokenRefused::Claims));
    }
}
