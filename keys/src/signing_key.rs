//! Signing keys, parsed once and kept (a parse per signature would more than double its cost).

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{KeyError, rng};

/// A JOSE signature algorithm that we sign with (RFC 7518, section 3.1; RFC 8037, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits.
    RS256,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// Ed25519. The other curve of this name, Ed448, is not supported.
    EdDSA,
}

impl Algorithm {
    /// Every algorithm, RS256 first: it is the default, for interoperability.
    pub const ALL: [Self; 3] = [Self::RS256, Self::ES256, Self::EdDSA];

    /// Name in a JOSE header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// Parses a public key, as [`SigningKey::public_key_bytes`] writes it.
    pub(crate) fn parse_public_key(self, half: &[u8]) -> Option<ParsedPublicKey> {
        match self {
            Self::RS256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, half),
            Self::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, half),
            Self::EdDSA => ParsedPublicKey::new(&ED25519, half),
        }
        .ok()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| KeyError::UnknownAlgorithm(text.to_owned()))
    }
}

/// A private key under its `kid`.
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key.
    pub fn generate(kid: String, algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::RS256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::ES256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa)
            }
            Algorithm::EdDSA => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        match pair {
            Ok(pair) => Ok(Self { kid, pair }),
            Err(_) => Err(KeyError::SigningKey { kid, why: "cannot be made" }),
        }
    }

    /// Parses a private key in PKCS #8.
    pub fn from_pkcs8(kid: String, algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::RS256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
            Algorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa)
            }
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(pkcs8).map(Pair::Ed25519),
        };
        match pair {
            Ok(pair) => Ok(Self { kid, pair }),
            Err(_) => Err(KeyError::SigningKey { kid, why: "cannot be read" }),
        }
    }

    /// The private key in PKCS #8, to be sealed.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der = match &self.pair {
            Pair::Rsa(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| der.as_ref().to_vec())
            }
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Ed25519(pair) => pair.to_pkcs8().map(|der| der.as_ref().to_vec()),
        };
        der.map(Zeroizing::new).map_err(|_| self.error("cannot be written"))
    }

    /// Its `kid`.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::RS256,
            Pair::Ecdsa(_) => Algorithm::ES256,
            Pair::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    /// Signs; returns the signature in the form of a JWS (RFC 7518, sections 3.3 and 3.4; RFC 8037, section 3.1).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cannot = |_| self.error("cannot sign");
        let random = rng::signature_rng();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(cannot)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(cannot)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message).map_err(cannot)?.as_ref().to_vec()),
        }
    }

    /// The public key, which verifies signatures when the private key is deleted: PKCS #1, a point or the 32 bytes of RFC
    /// 8032, by algorithm.
    #[must_use]
    pub fn public_key_bytes(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The parsed public key.
    pub(crate) fn public_key(&self) -> Result<ParsedPublicKey, KeyError> {
        let parsed = self.algorithm().parse_public_key(&self.public_key_bytes());
        parsed.ok_or_else(|| self.error("has no public key"))
    }

    /// The public key as a JWK (RFC 7517; RFC 8037, section 2).
    pub(crate) fn jwk(&self) -> Result<Value, KeyError> {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = text(key.modulus().big_endian_without_leading_zero());
                let e = text(key.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "n": n, "e": e })
            }
            Pair::Ecdsa(pair) => {
                // An uncompressed point: 4, x, y (SEC 1, section 2.3.3).
                let point = pair
                    .public_key()
                    .as_ref()
                    .strip_prefix(&[4])
                    .and_then(|xy| xy.split_at_checked(32));
                let (x, y) = point.ok_or_else(|| self.error("has no point"))?;
                json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("use".to_owned(), json!("sig"));
            members.insert("alg".to_owned(), json!(self.algorithm().as_str()));
            members.insert("kid".to_owned(), json!(self.kid));
        }
        Ok(jwk)
    }

    fn error(&self, why: &'static str) -> KeyError {
        KeyError::SigningKey { kid: self.kid.clone(), why }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key, the message and the signature of RFC 8037, appendix A.
    #[test]
    fn ed25519_matches_rfc_8037_example() {
        let decode = |text| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        // PKCS #8 around the seed (RFC 8410, section 7).
        let mut pkcs8 =
            b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        pkcs8.extend(decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
        let key = SigningKey::from_pkcs8("k".to_owned(), Algorithm::EdDSA, &pkcs8).unwrap();
        let jwk = key.jwk().unwrap();
        assert_eq!(
            jwk,
            json!({
                "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "use": "sig", "alg": "EdDSA", "kid": "k",
            })
        );
        let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = key.sign(message.as_bytes()).unwrap();
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(&signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
        assert!(key.public_key().unwrap().verify_sig(message.as_bytes(), &signature).is_ok());
    }
}
