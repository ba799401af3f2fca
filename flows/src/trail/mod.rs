//! The audit trail after its rows were written: sealed into a chain, verified, exported, swept.
//!
//! ```text
//! row, with its tag ─▶ unsealed ─▶ in the manifest of a seal ─▶ swept: only the seal stays, marked
//!                                     each seal has the digest of the one before
//! ```
//!
//! No transaction of a person waits for the chain: rows commit unsealed and in any order, and each second all visible rows
//! get the next seal. Rows that become visible later get a later one. Everything is authenticated with keys that are derived
//! from the root key, so that write access to the database is not enough to forge it.

mod check;
pub mod export;
mod key_rotation;
pub mod seal;
pub mod sweep;
pub mod verify;

use std::{fmt, str::FromStr, time::Duration};

use keys::{AuditMacKind, KeyError, RootKeys};
use store::{AuditId, Timestamp, audit::AuditRow, audit_seal::Seal};

/// A row that becomes visible this much too late is not due to a slow transaction: clocks of replicas differ by seconds, and
/// no transaction takes minutes.
pub(crate) const LATE: Duration = Duration::from_mins(5);
/// While an upgrade is rolled out, programs that write no tags may run beside those that do for this long.
pub(crate) const UPGRADE: Duration = Duration::from_hours(24);
/// No row is swept earlier, whatever the setting in the database: it is the minimum of `retention.audit`.
pub(crate) const MIN_RETENTION: Duration = Duration::from_hours(30 * 24);

/// The end of the chain: a copy outside the database shows when the end was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of the newest seal.
    pub sequence: i64,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

/// A head that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a head is SEQUENCE:DIGEST, a number and 64 hexadecimal digits, as the log and `audit verify` print it"
)]
pub struct BadHead;

impl ChainHead {
    pub(crate) fn of(seal: &Seal) -> Self {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        let digest =
            seal.digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        Self { sequence: seal.sequence, digest }
    }
}

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.digest)
    }
}

impl FromStr for ChainHead {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (sequence, digest) = text.trim().split_once(':').ok_or(BadHead)?;
        let sequence = sequence.parse().ok().filter(|number| *number > 0).ok_or(BadHead)?;
        let hex = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { Ok(Self { sequence, digest: digest.to_ascii_lowercase() }) } else { Err(BadHead) }
    }
}

/// The tag of a row that will be written.
pub(crate) fn tag(root: &RootKeys, key: &str, row: &AuditRow) -> Result<[u8; 32], KeyError> {
    with_fields(row, |fields| root.audit_mac(key, AuditMacKind::Row, fields))
}

/// The result of checking a row's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TagStatus {
    /// This program wrote the row as it is.
    Valid,
    /// There is none: an older version wrote the row, or an attacker who has only the database.
    Missing,
    /// It belongs to another row, or another program made it.
    Invalid,
    /// Its root key is not configured.
    UnknownKey,
}

impl TagStatus {
    fn of(root: &RootKeys, row: &AuditRow) -> Self {
        match (&row.tag, &row.tag_key) {
            (None, None) => Self::Missing,
            (Some(given), Some(key)) => match tag(root, key, row) {
                Ok(own) if *given == own => Self::Valid,
                Ok(_) => Self::Invalid,
                Err(_) => Self::UnknownKey,
            },
            _ => Self::Invalid,
        }
    }
}

/// The HMAC of a row in a manifest: over all of its columns, including its tag.
fn manifest_mac(root: &RootKeys, key: &str, row: &AuditRow) -> Result<[u8; 32], KeyError> {
    let tag = [row.tag.as_deref(), row.tag_key.as_deref().map(str::as_bytes)];
    with_fields(row, |fields| root.audit_mac(key, AuditMacKind::Sealed, &[fields, &tag].concat()))
}

fn with_fields<T>(row: &AuditRow, run: impl FnOnce(&[Option<&[u8]>]) -> T) -> T {
    let (id, at) = (row.id.uuid(), row.at.millis().to_be_bytes());
    let user = row.user_id.map(store::UserId::uuid);
    run(&[
        Some(id.as_bytes()),
        Some(&at),
        Some(row.event.as_bytes()),
        Some(row.outcome.as_bytes()),
        Some(row.actor.as_bytes()),
        user.as_ref().map(|user| user.as_bytes().as_slice()),
        row.client_id.as_deref().map(str::as_bytes),
        row.network.as_deref().map(str::as_bytes),
        Some(row.reference.as_bytes()),
        Some(row.detail.as_bytes()),
    ])
}

/// The digest of a seal: over everything in it except its rows, which its manifest covers.
fn seal_digest(root: &RootKeys, seal: &Seal) -> Result<[u8; 32], KeyError> {
    let numbers =
        [seal.sequence, seal.sealed_at.millis(), seal.complete_to.millis(), seal.row_count]
            .map(i64::to_be_bytes);
    let mut fields: Vec<Option<&[u8]>> = numbers.iter().map(|n| Some(n.as_slice())).collect();
    fields.extend([
        Some(seal.manifest_hash.as_slice()),
        Some(&seal.previous),
        Some(seal.key_id.as_bytes()),
    ]);
    root.audit_mac(&seal.key_id, AuditMacKind::Seal, &fields)
}

/// Whether a seal's numbers and times are authentic; without that, none of them may be used.
fn is_authentic(root: &RootKeys, seal: &Seal) -> bool {
    seal_digest(root, seal).is_ok_and(|own| seal.digest == own)
}

/// The HMAC of the mark on the seal up to which everything was swept.
fn swept_mark(
    root: &RootKeys,
    key: &str,
    seal: &Seal,
    at: Timestamp,
) -> Result<[u8; 32], KeyError> {
    let (sequence, at) = (seal.sequence.to_be_bytes(), at.millis().to_be_bytes());
    root.audit_mac(key, AuditMacKind::Swept, &[Some(&sequence), Some(&seal.digest), Some(&at)])
}

/// Bytes of a row's HMAC in a manifest: 128 bits, enough against second preimages.
const MAC_LENGTH: usize = 16;

/// A line of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ManifestLine {
    id: AuditId,
    mac: [u8; MAC_LENGTH],
}

impl ManifestLine {
    const LENGTH: usize = 16 + MAC_LENGTH;

    fn of(root: &RootKeys, key: &str, row: &AuditRow) -> Result<Self, KeyError> {
        let mut mac = [0; MAC_LENGTH];
        mac.iter_mut().zip(manifest_mac(root, key, row)?).for_each(|(to, from)| *to = from);
        Ok(Self { id: row.id, mac })
    }

    fn write(&self, manifest: &mut Vec<u8>) {
        manifest.extend_from_slice(self.id.uuid().as_bytes());
        manifest.extend_from_slice(&self.mac);
    }

    /// Parses the lines of a manifest; an incomplete line is left out, and the manifest's own HMAC shows the change.
    fn parse_all(manifest: &[u8]) -> impl Iterator<Item = Self> {
        manifest.as_chunks::<{ Self::LENGTH }>().0.iter().map(|chunk| {
            let mut line = ([0; 16], [0; MAC_LENGTH]);
            let (id, mac) = chunk.split_at(16);
            line.0.copy_from_slice(id);
            line.1.copy_from_slice(mac);
            Self { id: AuditId::from(uuid::Uuid::from_bytes(line.0)), mac: line.1 }
        })
    }
}

/// When an id was created (RFC 9562, section 5.7): for a row that no longer exists.
fn made_at(id: AuditId) -> Timestamp {
    Timestamp::from_millis(i64::try_from(id.uuid().as_u128() >> 80).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_head_is_parsed_back() {
        let head = ChainHead { sequence: 17, digest: "0a".repeat(32) };
        assert_eq!(head.to_string().parse(), Ok(head.clone()));
        assert_eq!(format!("17:{}\n", "0A".repeat(32)).parse(), Ok(head));
        for bad in ["", "17", "17:", "x:00", "0:00", &format!("-1:{}", "00".repeat(32)), "1:zz"] {
            assert_eq!(bad.parse::<ChainHead>(), Err(BadHead), "{bad}");
        }
    }

    #[test]
    fn manifest_lines_round_trip() {
        let now = Timestamp::from_millis(1_795_513_267_250);
        let lines =
            [3, 4].map(|n| ManifestLine { id: AuditId::new(now, [n; 10]), mac: [n; MAC_LENGTH] });
        let mut manifest = Vec::new();
        for line in &lines {
            line.write(&mut manifest);
        }
        assert_eq!(ManifestLine::parse_all(&manifest).collect::<Vec<_>>(), lines);
        manifest.push(0);
        assert_eq!(ManifestLine::parse_all(&manifest).count(), 2);
        assert_eq!(made_at(lines[0].id), now);
    }
}
