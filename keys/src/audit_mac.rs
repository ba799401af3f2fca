//! HMACs that authenticate the audit trail, over fields with unambiguous boundaries. An attacker who has only the database
//! can change rows, but cannot compute the HMACs that match them.

use aws_lc_rs::hmac;

/// What is authenticated. An HMAC of one kind is not valid for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditMacKind {
    /// A row, by the program that writes it.
    Row,
    /// A row with its tag, by the program that seals it.
    Sealed,
    /// The list of the rows of a seal.
    Manifest,
    /// A seal.
    Seal,
    /// How far rows were swept.
    Swept,
}

impl AuditMacKind {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Row => b"row",
            Self::Sealed => b"sealed",
            Self::Manifest => b"manifest",
            Self::Seal => b"seal",
            Self::Swept => b"swept",
        }
    }
}

/// The HMAC of fields; `None` is `NULL`, which differs from empty.
pub(crate) fn mac(key: &hmac::Key, kind: AuditMacKind, fields: &[Option<&[u8]>]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for field in std::iter::once(&Some(kind.label())).chain(fields) {
        // Presence and length precede each field, so that different lists of fields have different bytes.
        context.update(&[u8::from(field.is_some())]);
        let bytes = field.unwrap_or_default();
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    }
    let mut mac = [0; 32];
    mac.copy_from_slice(context.sign().as_ref());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_fields_are_unambiguous() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let all: Vec<[u8; 32]> = [
            (AuditMacKind::Row, &[Some(&b"ab"[..]), Some(b"c")][..]),
            (AuditMacKind::Row, &[Some(b"a"), Some(b"bc")]),
            (AuditMacKind::Row, &[Some(b"abc")]),
            (AuditMacKind::Row, &[Some(b"abc"), None]),
            (AuditMacKind::Row, &[Some(b"abc"), Some(b"")]),
            (AuditMacKind::Row, &[None, Some(b"abc")]),
            (AuditMacKind::Sealed, &[Some(b"abc")]),
        ]
        .into_iter()
        .map(|(kind, fields)| mac(&key, kind, fields))
        .collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[2], mac(&key, AuditMacKind::Row, &[Some(b"abc")]));
    }
}
