//! Checks of a seal and its rows.

use std::collections::BTreeMap;

use keys::{AuditMacKind, KeyError, RootKeys};
use store::{AuditId, Timestamp, audit::AuditRow, audit_seal::Seal};

use super::{
    LATE, MIN_RETENTION, ManifestLine, TagStatus, UPGRADE, key_rotation::KeyRotation, made_at,
    seal_digest, swept_mark,
};
use crate::Result;

/// What was found wrong in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// A row differs from what was sealed.
    Changed,
    /// A row was deleted before its time.
    Missing,
    /// A row names a seal whose manifest does not contain it.
    Added,
    /// A row was not written by this program: its tag is missing or invalid.
    Forged,
    /// A row became visible long after its time: later rows had been sealed before it.
    Late,
    /// A row was sealed long after it was written, and nothing was sealed in between. Not a finding: see
    /// [`super::verify::VerifyObserver::on_note`].
    Waited,
    /// A seal was changed.
    SealChanged,
    /// A seal does not link to the one before: one of the two was replaced.
    SealUnlinked,
    /// A seal was deleted.
    SealMissing,
    /// A seal says that its rows were swept, but the program did not sweep them.
    SealNotSwept,
    /// The program swept the rows of a seal before the minimum retention.
    SweptEarly,
    /// A row has been unsealed for minutes: no replica seals.
    Waiting,
    /// A seal or row is under a root key that was replaced more than a day before.
    KeyReplaced,
    /// A seal or row cannot be checked: its root key is not configured.
    UnknownKey,
    /// The chain does not contain the head that was stored elsewhere.
    HeadMissing,
}

impl FindingKind {
    /// Name for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "row_changed",
            Self::Missing => "row_missing",
            Self::Added => "row_added",
            Self::Forged => "row_forged",
            Self::Late => "row_late",
            Self::Waited => "row_waited",
            Self::SealChanged => "seal_changed",
            Self::SealUnlinked => "seal_unlinked",
            Self::SealMissing => "seal_missing",
            Self::SealNotSwept => "seal_not_swept",
            Self::SweptEarly => "seal_swept_early",
            Self::Waiting => "row_waiting",
            Self::KeyReplaced => "key_replaced",
            Self::UnknownKey => "unknown_key",
            Self::HeadMissing => "head_missing",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The seal.
    pub seal: Option<i64>,
    /// The row.
    pub row: Option<AuditId>,
    /// When the row was written, or the seal made.
    pub at: Option<Timestamp>,
    /// The event of the row; unknown if the row is gone.
    pub event: Option<String>,
    /// When the row was sealed, as far as its seal is authentic.
    pub sealed_at: Option<Timestamp>,
}

impl Finding {
    pub(super) fn row(what: FindingKind, row: &AuditRow) -> Self {
        let (at, event) = (Some(row.at), Some(row.event.clone()));
        Self { kind: what, seal: row.sealed_by, row: Some(row.id), at, event, sealed_at: None }
    }

    pub(super) const fn seal(what: FindingKind, sequence: i64, at: Option<Timestamp>) -> Self {
        Self { kind: what, seal: Some(sequence), row: None, at, event: None, sealed_at: None }
    }

    /// A finding about a row of an unchanged seal.
    pub(super) fn sealed(what: FindingKind, row: &AuditRow, seal: &Seal) -> Self {
        Self { sealed_at: Some(seal.sealed_at), ..Self::row(what, row) }
    }

    const fn missing(seal: &Seal, id: AuditId, at: Timestamp) -> Self {
        let (row, at) = (Some(id), Some(at));
        Self {
            kind: FindingKind::Missing,
            seal: Some(seal.sequence),
            row,
            at,
            event: None,
            sealed_at: None,
        }
    }
}

/// An authenticated mark: up to which seal the program swept rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct SweptMark {
    /// The last seal that was swept.
    pub(super) up_to: i64,
    /// When it was swept.
    at: Timestamp,
}

impl SweptMark {
    /// Reads the mark on a seal; `None` unless the program wrote it.
    pub(super) fn of(root: &RootKeys, keys: &KeyRotation, seal: &Seal) -> Option<Self> {
        let (at, key, mark) = (seal.swept_at?, seal.swept_key.as_ref()?, seal.swept_mark.as_ref()?);
        let own = swept_mark(root, key, seal, at).is_ok_and(|own| *mark == own);
        (own && !keys.is_retired(key, at)).then_some(Self { up_to: seal.sequence, at })
    }
}

/// What a check needs besides the seal and its rows.
#[derive(Clone, Debug)]
pub(super) struct CheckContext {
    /// Up to where rows may be swept.
    pub(super) swept: Option<SweptMark>,
    /// When the first row with a tag was written.
    pub(super) tagged_since: Option<Timestamp>,
    /// Up to when the previous seals were complete.
    pub(super) complete_to: Option<Timestamp>,
    /// When the newest of the previous seals was made.
    pub(super) newest_sealed_at: Option<Timestamp>,
    /// Which root key may be used at which time.
    pub(super) keys: KeyRotation,
}

impl CheckContext {
    /// A context with the key rotation only.
    pub(super) const fn new(keys: KeyRotation) -> Self {
        Self { swept: None, tagged_since: None, complete_to: None, newest_sealed_at: None, keys }
    }

    /// Updates the context with a seal whose times are authentic.
    pub(super) fn advance(&mut self, seal: &Seal) {
        self.complete_to = self.complete_to.max(Some(seal.complete_to));
        self.newest_sealed_at = self.newest_sealed_at.max(Some(seal.sealed_at));
    }
}

/// Checks a seal without its rows.
pub(super) fn seal_alone(
    root: &RootKeys,
    seal: &Seal,
    known: &CheckContext,
) -> Result<Option<FindingKind>> {
    let own = match seal_digest(root, seal) {
        Ok(own) => own,
        Err(KeyError::UnknownRootKey(_)) => return Ok(Some(FindingKind::UnknownKey)),
        Err(error) => return Err(error.into()),
    };
    if seal.digest != own {
        return Ok(Some(FindingKind::SealChanged));
    }
    // A seal is no older than the one before, whatever its own time says.
    let made = known.newest_sealed_at.map_or(seal.sealed_at, |reached| reached.max(seal.sealed_at));
    if known.keys.is_retired(&seal.key_id, made) {
        return Ok(Some(FindingKind::KeyReplaced));
    }
    if seal.swept_at.is_some() {
        let swept =
            known.swept.filter(|mark| seal.sequence <= mark.up_to && seal.manifest.is_none());
        let Some(mark) = swept else { return Ok(Some(FindingKind::SealNotSwept)) };
        let early = seal.complete_to >= mark.at.minus(MIN_RETENTION);
        return Ok(early.then_some(FindingKind::SweptEarly));
    }
    let Some(manifest) = &seal.manifest else { return Ok(Some(FindingKind::SealChanged)) };
    let hash = root.audit_mac(&seal.key_id, AuditMacKind::Manifest, &[Some(manifest)])?;
    Ok((seal.manifest_hash != hash).then_some(FindingKind::SealChanged))
}

/// Checks a seal with the rows that name it.
pub(super) fn seal(
    root: &RootKeys,
    seal: &Seal,
    rows: &[AuditRow],
    known: &CheckContext,
) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    if let Some(what) = seal_alone(root, seal, known)? {
        found.push(Finding::seal(what, seal.sequence, Some(seal.sealed_at)));
        if what == FindingKind::UnknownKey {
            return Ok(found);
        }
    }
    let manifest = seal.manifest.as_deref().unwrap_or_default();
    let mut lines: BTreeMap<AuditId, ManifestLine> =
        ManifestLine::parse_all(manifest).map(|line| (line.id, line)).collect();
    for row in rows {
        found.extend(match lines.remove(&row.id) {
            None => Some(Finding::row(FindingKind::Added, row)),
            Some(line) if line != ManifestLine::of(root, &seal.key_id, row)? => {
                Some(Finding::row(FindingKind::Changed, row))
            }
            Some(_) => self::row(root, row, known).map(|what| Finding::row(what, row)),
        });
    }
    found.extend(lines.into_keys().map(|id| Finding::missing(seal, id, made_at(id))));
    Ok(found)
}

/// Checks a row by itself, and against the time up to which everything was visible.
pub(super) fn row(root: &RootKeys, row: &AuditRow, known: &CheckContext) -> Option<FindingKind> {
    // An attacker who has only the database can write a row without a tag; after an upgrade no program does.
    let upgraded = known.tagged_since.is_some_and(|since| row.at > since.plus(UPGRADE));
    match TagStatus::of(root, row) {
        TagStatus::Invalid => return Some(FindingKind::Forged),
        TagStatus::Missing if upgraded => return Some(FindingKind::Forged),
        TagStatus::UnknownKey => return Some(FindingKind::UnknownKey),
        TagStatus::Valid | TagStatus::Missing => {}
    }
    if row.tag_key.as_ref().is_some_and(|key| known.keys.is_retired(key, row.at)) {
        return Some(FindingKind::KeyReplaced);
    }
    let late = known.complete_to.is_some_and(|complete| row.at.plus(LATE) < complete);
    late.then_some(FindingKind::Late)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keys::RootKey;

    use super::*;

    /// A program without a minimum retention swept because of a setting of one second, and marked it itself.
    #[test]
    fn sweep_before_minimum_retention_is_found() {
        let root = RootKeys::new(&[RootKey::parse("a", &[1; 32]).unwrap()]).unwrap();
        let made = Timestamp::from_millis(1_795_513_267_250);
        let judge = |swept_at: Timestamp| {
            let mut seal = Seal {
                sequence: 1,
                sealed_at: made,
                complete_to: made,
                row_count: 1,
                manifest: None,
                manifest_hash: vec![0; 32],
                previous: Vec::new(),
                digest: Vec::new(),
                key_id: "a".to_owned(),
                swept_at: Some(swept_at),
                swept_key: Some("a".to_owned()),
                swept_mark: None,
            };
            seal.digest = seal_digest(&root, &seal).unwrap().to_vec();
            seal.swept_mark = Some(swept_mark(&root, "a", &seal, swept_at).unwrap().to_vec());
            let keys = KeyRotation::of("a", &[]);
            let swept = SweptMark::of(&root, &keys, &seal);
            assert!(swept.is_some(), "the program wrote it");
            seal_alone(&root, &seal, &CheckContext { swept, ..CheckContext::new(keys) }).unwrap()
        };
        assert_eq!(judge(made.plus(Duration::from_hours(1))), Some(FindingKind::SweptEarly));
        assert_eq!(judge(made.plus(MIN_RETENTION)), Some(FindingKind::SweptEarly));
        assert_eq!(judge(made.plus(MIN_RETENTION + Duration::from_millis(1))), None);
    }
}
