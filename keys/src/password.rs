//! Passwords: normalised once, hashed with Argon2id and a pepper, compared in constant time.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Block, Params, ParamsBuilder, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{KeyError, PasswordError, Rng, RootKeys, carried_secrets::Pepper};

/// The most code points of a password.
const MAX_CODE_POINTS: usize = 128;
/// Length of a hash in bytes.
const HASH_LENGTH: usize = 32;

/// A password as its owner typed it, in NFKC (NIST SP 800-63B-4, section 3.1.1.2).
pub struct Password(Zeroizing<String>);

impl Password {
    /// Normalises what was typed.
    pub fn parse(typed: &str) -> Result<Self, PasswordError> {
        let normal = Zeroizing::new(typed.nfkc().take(MAX_CODE_POINTS + 1).collect::<String>());
        if normal.chars().count() > MAX_CODE_POINTS {
            Err(PasswordError::TooLong)
        } else {
            Ok(Self(normal))
        }
    }

    /// Its length in Unicode code points.
    #[must_use]
    pub fn code_points(&self) -> usize {
        self.0.chars().count()
    }

    /// The text, for a check that must see it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A stored password hash, in PHC form.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a stored text, which is parsed when it is compared.
    #[must_use]
    pub const fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// The memory of one computation, 19 MiB, reused for the next.
#[derive(Debug, Default)]
pub(crate) struct Argon2Memory(Vec<Block>);

/// Argon2id with 19 MiB, two passes, one lane (OWASP; RFC 9106), and the id of its pepper.
fn params(pepper: &Pepper) -> Result<Params, KeyError> {
    let id = argon2::KeyId::new(&pepper.id).map_err(|_| KeyError::InvalidStoredHash("key id"))?;
    ParamsBuilder::new()
        .keyid(id)
        .output_len(HASH_LENGTH)
        .build()
        .map_err(|_| KeyError::InvalidStoredHash("parameters"))
}

/// Hashes a new password.
pub(crate) fn hash(
    root: &RootKeys,
    rng: &Rng,
    password: &Password,
    memory: &mut Argon2Memory,
) -> Result<PasswordHash, KeyError> {
    let params = params(root.pepper())?;
    let salt = rng.bytes::<16>();
    let output = compute(root.pepper(), &params, password, &salt, memory)?;
    let unwritable = |_| KeyError::InvalidStoredHash("it cannot be written");
    let phc = phc::PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(unwritable)?,
        salt: Some(Salt::new(&salt).map_err(|_| KeyError::InvalidStoredHash("salt"))?),
        hash: Some(Output::new(&output).map_err(|_| KeyError::InvalidStoredHash("output"))?),
    };
    Ok(PasswordHash(phc.to_string()))
}

/// Compares a password with a stored hash; without one it takes as long and returns false.
pub(crate) fn verify(
    root: &RootKeys,
    password: &Password,
    stored: Option<&PasswordHash>,
    memory: &mut Argon2Memory,
) -> Result<bool, KeyError> {
    let Some(stored) = stored else { return verify_dummy(root, password, memory) };
    let phc = phc::PasswordHash::new(&stored.0)
        .map_err(|_| KeyError::InvalidStoredHash("not in PHC form"))?;
    if phc.algorithm != Algorithm::Argon2id.ident() {
        return Err(KeyError::InvalidStoredHash("not Argon2id"));
    }
    let params = Params::try_from(&phc).map_err(|_| KeyError::InvalidStoredHash("parameters"))?;
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        return Err(KeyError::InvalidStoredHash("without salt or hash"));
    };
    let Some(pepper) = root.pepper_of(params.keyid()) else {
        // Without its pepper the hash cannot be compared, so no password is right. A new password helps its owner.
        tracing::error!(
            "alarm: a stored password was made under an unknown root key; its owner cannot sign in"
        );
        return verify_dummy(root, password, memory);
    };
    let output = compute(pepper, &params, password, salt.as_ref(), memory)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

/// Takes the time of a comparison and returns false.
fn verify_dummy(
    root: &RootKeys,
    password: &Password,
    memory: &mut Argon2Memory,
) -> Result<bool, KeyError> {
    let params = params(root.pepper())?;
    compute(root.pepper(), &params, password, &[0; 16], memory)?;
    Ok(false)
}

/// Whether a stored hash is made as one would be made now: with the current root key and cost.
pub(crate) fn is_current(root: &RootKeys, stored: &PasswordHash) -> Result<bool, KeyError> {
    let phc = phc::PasswordHash::new(&stored.0)
        .map_err(|_| KeyError::InvalidStoredHash("not in PHC form"))?;
    let params = Params::try_from(&phc).map_err(|_| KeyError::InvalidStoredHash("parameters"))?;
    Ok(params == self::params(root.pepper())?)
}

fn compute(
    pepper: &Pepper,
    params: &Params,
    password: &Password,
    salt: &[u8],
    memory: &mut Argon2Memory,
) -> Result<[u8; HASH_LENGTH], KeyError> {
    let bad = |_| KeyError::InvalidStoredHash("Argon2 refuses its parameters");
    let argon2 = Argon2::new_with_secret(
        &*pepper.secret,
        Algorithm::Argon2id,
        Version::V0x13,
        params.clone(),
    )
    .map_err(bad)?;
    memory.0.resize(params.block_count().max(memory.0.len()), Block::default());
    let mut output = [0; HASH_LENGTH];
    argon2
        .hash_password_into_with_memory(password.0.as_bytes(), salt, &mut output, &mut memory.0)
        .map_err(bad)?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RootKey;

    fn root(byte: u8) -> RootKeys {
        RootKeys::new(&[RootKey::parse("a", &[byte; 32]).unwrap()]).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[test]
    fn hash_binds_password_and_pepper() {
        let mut memory = Argon2Memory::default();
        let hash =
            hash(&root(1), &Rng::system(), &password("ā rākau pounamu"), &mut memory).unwrap();
        assert!(
            hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1,keyid="),
            "{}",
            hash.as_str()
        );
        let mut check =
            |root: &RootKeys, typed: &str| verify(root, &password(typed), Some(&hash), &mut memory);
        assert!(check(&root(1), "ā rākau pounamu").unwrap());
        // Typed with combining macrons: the same to its owner.
        assert!(check(&root(1), "a\u{304} ra\u{304}kau pounamu").unwrap());
        assert!(!check(&root(1), "ā rākau pounamu ").unwrap());
        assert!(!check(&root(2), "ā rākau pounamu").unwrap(), "its pepper is unknown");
    }

    #[test]
    fn hash_under_older_key_still_verifies() {
        let mut memory = Argon2Memory::default();
        let old = hash(&root(1), &Rng::system(), &password("ā rākau"), &mut memory).unwrap();
        let keys = [RootKey::parse("b", &[2; 32]).unwrap(), RootKey::parse("a", &[1; 32]).unwrap()];
        let both = RootKeys::new(&keys).unwrap();
        assert!(verify(&both, &password("ā rākau"), Some(&old), &mut memory).unwrap());
        assert!(is_current(&root(1), &old).unwrap() && !is_current(&both, &old).unwrap());
        assert!(old.as_str().contains(&both.phc_keyid("a").unwrap()));
    }

    #[test]
    fn absent_or_unreadable_hash_never_verifies() {
        let mut memory = Argon2Memory::default();
        assert!(!verify(&root(1), &password(""), None, &mut memory).unwrap());
        for phc in
            ["", "x", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", "$argon2id$v=19$m=8,t=1,p=1"]
        {
            let stored = PasswordHash::from_stored(phc.to_owned());
            assert!(verify(&root(1), &password("x"), Some(&stored), &mut memory).is_err(), "{phc}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert_eq!(password(&"ā".repeat(128)).code_points(), 128);
        assert_eq!(Password::parse(&"a".repeat(129)).unwrap_err(), PasswordError::TooLong);
        // One ligature that NFKC expands to eighteen characters.
        assert_eq!(Password::parse(&"\u{FDFA}".repeat(10)).unwrap_err(), PasswordError::TooLong);
    }
}
