//! Signing keys, parsed once and kept (a parse per signature would more than double its cost).

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
        ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{KeyError, rng};

/// A JOSE signature algorithm that we sign with (RFC 7518, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits.
    RS256,
    /// ECDSA with P-256 and SHA-256.
    ES256,
}

impl Algorithm {
    /// Every algorithm, RS256 first: it is the default, for interoperability.
    pub const ALL: [Self; 2] = [Self::RS256, Self::ES256];

    /// Name in a JOSE header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
        }
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
}

impl SigningKey {
    /// A new key.
    pub fn generate(kid: String, algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::RS256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::ES256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Ecdsa)
            }
        };
        match pair {
            Ok(pair) => Ok(Self { kid, pair }),
            Err(_) => Err(KeyError::SigningKey { kid, why: "cannot be made" }),
        }
    }

    /// Reads a private key.
    pub fn from_pkcs8(kid: String, algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::RS256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
            Algorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa)
            }
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
        }
    }

    /// Signs; the form of a JWS signature (RFC 7518, sections 3.3 and 3.4).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let cannot = |_| self.error("cannot sign");
        let random = rng::for_signatures();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(cannot)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(cannot)?.as_ref().to_vec()),
        }
    }

    /// The public key, parsed once as well.
    pub(crate) fn public(&self) -> Result<ParsedPublicKey, KeyError> {
        let parsed = match &self.pair {
            Pair::Rsa(pair) => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key()),
            Pair::Ecdsa(pair) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()),
        };
        parsed.map_err(|_| self.error("has no public key"))
    }

    /// The public key as a JWK (RFC 7517).
    pub(crate) fn jwk(&self) -> Result<Value, KeyError> {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (alg, kid) = (self.algorithm().as_str(), &self.kid);
        match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = text(key.modulus().big_endian_without_leading_zero());
                let e = text(key.exponent().big_endian_without_leading_zero());
                Ok(json!({ "kty": "RSA", "use": "sig", "alg": alg, "kid": kid, "n": n, "e": e }))
            }
            Pair::Ecdsa(pair) => {
                // An uncompressed point: 4, x, y (SEC 1, section 2.3.3).
                let point = pair
                    .public_key()
                    .as_ref()
                    .strip_prefix(&[4])
                    .and_then(|xy| xy.split_at_checked(32));
                let (x, y) = point.ok_or_else(|| self.error("has no point"))?;
                Ok(
                    json!({ "kty": "EC", "use": "sig", "alg": alg, "kid": kid, "crv": "P-256", "x": text(x), "y": text(y) }),
                )
            }
        }
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
