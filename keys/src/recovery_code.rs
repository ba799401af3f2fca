//! Recovery codes: 80 random bits each, written in groups of four in Crockford's base 32, which has no letters that are
//! easily confused.

use std::fmt;

use aws_lc_rs::hmac;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Rng;

/// Bytes of a code.
const BYTES: usize = 10;
/// Letters and digits of a code.
const CHARS: usize = BYTES * 8 / 5;
/// Letters and digits of a group.
const GROUP: usize = 4;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code.
pub struct RecoveryCode(Zeroizing<[u8; BYTES]>);

impl RecoveryCode {
    /// A new code.
    #[must_use]
    pub fn generate(rng: &Rng) -> Self {
        Self(Zeroizing::new(rng.bytes()))
    }

    /// Reads a code as a person types it: in small letters, with or without anything between the groups, with the letters
    /// that look like digits.
    ///
    /// # Errors
    ///
    /// How many letters and digits there are, if not as many as a code has; 0 where one cannot be of a code.
    pub fn parse(typed: &str) -> Result<Self, usize> {
        let typed: Zeroizing<String> = Zeroizing::new(typed.nfkc().collect());
        let letters: Zeroizing<Vec<char>> =
            Zeroizing::new(typed.chars().filter(|c| c.is_alphanumeric()).collect());
        if letters.len() != CHARS {
            return Err(letters.len());
        }
        let mut bits = 0_u128;
        for letter in letters.iter() {
            bits = bits << 5 | value_of(*letter).ok_or(0_usize)?;
        }
        let mut code = Zeroizing::new([0; BYTES]);
        for (byte, shift) in code.iter_mut().rev().zip((0..).step_by(8)) {
            *byte = u8::try_from(bits >> shift & 0xFF).unwrap_or_default();
        }
        Ok(Self(code))
    }

    /// The code as it is printed: `7K3M-Q9XV-2HTD-W0AE`.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let bits = self.0.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let mut text = Zeroizing::new(String::with_capacity(CHARS + CHARS / GROUP));
        for nth in 0..CHARS {
            if nth > 0 && nth % GROUP == 0 {
                text.push('-');
            }
            let value = usize::try_from(bits >> (5 * (CHARS - 1 - nth)) & 31).unwrap_or_default();
            text.push(ALPHABET.get(value).map_or('0', |letter| char::from(*letter)));
        }
        text
    }

    /// The HMAC that is stored: of its person and the code.
    pub(crate) fn mac(&self, key: &hmac::Key, user: Uuid) -> [u8; 32] {
        let mut context = hmac::Context::with_key(key);
        context.update(user.as_bytes());
        context.update(&*self.0);
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

/// The value of a letter or digit, of either case.
fn value_of(letter: char) -> Option<u128> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u128::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_code_is_read_back() {
        let rng = Rng::system();
        for _ in 0..200 {
            let code = RecoveryCode::generate(&rng);
            let text = code.reveal();
            assert_eq!(text.len(), 19, "{}", *text);
            assert_eq!(*RecoveryCode::parse(&text).unwrap().0, *code.0);
            let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(*RecoveryCode::parse(&typed).unwrap().0, *code.0, "{typed}");
        }
    }

    #[test]
    fn other_texts_are_no_code() {
        assert_eq!(RecoveryCode::parse("").err(), Some(0));
        assert_eq!(RecoveryCode::parse("7K3M-Q9XV-2HTD").err(), Some(12));
        assert_eq!(RecoveryCode::parse("7K3M-Q9XV-2HTD-W0AE-7K3M").err(), Some(20));
        assert_eq!(RecoveryCode::parse("7K3M-Q9XV-2HTD-W0AU").err(), Some(0), "no U");
        assert!(RecoveryCode::parse("７Ｋ3M Q9XV\u{200B}2HTD\u{2013}W0AE.").is_ok());
    }

    #[test]
    fn mac_binds_person_and_code() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let (one, other) =
            (RecoveryCode(Zeroizing::new([1; 10])), RecoveryCode(Zeroizing::new([2; 10])));
        let mac = one.mac(&key, Uuid::from_u128(1));
        assert_eq!(mac, one.mac(&key, Uuid::from_u128(1)));
        assert_ne!(mac, one.mac(&key, Uuid::from_u128(2)));
        assert_ne!(mac, other.mac(&key, Uuid::from_u128(1)));
        assert_eq!(format!("{one:?}"), "RecoveryCode(..)");
    }
}
