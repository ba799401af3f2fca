//! What is wrong with a seal and its rows, if anything.

use std::collections::BTreeMap;

use keys::{KeyError, RootKeys, Trail};
use store::{AuditId, Timestamp, audit::AuditRow, audit_seal::Seal};

use super::{LATE, Line, UPGRADE, digest, made_at, seal::Tag, swept_mark};
use crate::Result;

/// What somebody did to the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row is not as it was when it was sealed.
    Changed,
    /// A row is gone before its time.
    Missing,
    /// A row says that it is in a seal which does not know it.
    Added,
    /// A row was not written by this program: its tag is missing or not its own.
    Forged,
    /// A row came into sight long after it should have.
    Late,
    /// A seal is not as it was made.
    SealChanged,
    /// A seal does not follow on the one before: another stood there, or another stands here.
    SealUnlinked,
    /// A seal is gone.
    SealMissing,
    /// A seal says that its rows were swept, and the program did not do it.
    SealNotSwept,
    /// A seal or row cannot be checked: its root key is not configured.
    UnknownKey,
    /// The chain does not have the head that is known from elsewhere.
    HeadMissing,
}

impl What {
    /// Name for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "row_changed",
            Self::Missing => "row_missing",
            Self::Added => "row_added",
            Self::Forged => "row_forged",
            Self::Late => "row_late",
            Self::SealChanged => "seal_changed",
            Self::SealUnlinked => "seal_unlinked",
            Self::SealMissing => "seal_missing",
            Self::SealNotSwept => "seal_not_swept",
            Self::UnknownKey => "unknown_key",
            Self::HeadMissing => "head_missing",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: What,
    /// With which seal.
    pub seal: Option<i64>,
    /// With which row.
    pub row: Option<AuditId>,
    /// When the row was written, or the seal made.
    pub at: Option<Timestamp>,
    /// What the row says that happened; unknown of a row that is gone.
    pub event: Option<String>,
}

impl Finding {
    pub(super) fn row(what: What, row: &AuditRow) -> Self {
        let (at, event) = (Some(row.at), Some(row.event.clone()));
        Self { what, seal: row.sealed_by, row: Some(row.id), at, event }
    }

    pub(super) const fn seal(what: What, sequence: i64, at: Option<Timestamp>) -> Self {
        Self { what, seal: Some(sequence), row: None, at, event: None }
    }

    const fn gone(seal: &Seal, id: AuditId, at: Timestamp) -> Self {
        let (row, at) = (Some(id), Some(at));
        Self { what: What::Missing, seal: Some(seal.sequence), row, at, event: None }
    }
}

/// What a check knows besides the seal and its rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Everything up to this seal may be swept: the program's own mark says so.
    pub(super) swept_to: i64,
    /// When the first row was written that has a tag.
    pub(super) tagged_since: Option<Timestamp>,
    /// Up to when the seal before was complete.
    pub(super) complete_to: Option<Timestamp>,
}

/// Whether the mark on a seal is the program's own.
pub(super) fn is_marked(root: &RootKeys, seal: &Seal) -> bool {
    let (Some(at), Some(key), Some(mark)) = (seal.swept_at, &seal.swept_key, &seal.swept_mark)
    else {
        return false;
    };
    swept_mark(root, key, seal, at).is_ok_and(|own| *mark == own)
}

/// Checks a seal by itself.
fn seal_alone(root: &RootKeys, seal: &Seal, known: Known) -> Result<Option<What>> {
    let own = match digest(root, seal) {
        Ok(own) => own,
        Err(KeyError::UnknownRootKey(_)) => return Ok(Some(What::UnknownKey)),
        Err(error) => return Err(error.into()),
    };
    if seal.digest != own {
        return Ok(Some(What::SealChanged));
    }
    if seal.swept_at.is_some() {
        let swept = seal.sequence <= known.swept_to && seal.manifest.is_none();
        return Ok((!swept).then_some(What::SealNotSwept));
    }
    let Some(manifest) = &seal.manifest else { return Ok(Some(What::SealChanged)) };
    let hash = root.trail_mac(&seal.key_id, Trail::Manifest, &[Some(manifest)])?;
    Ok((seal.manifest_hash != hash).then_some(What::SealChanged))
}

/// Checks a seal with the rows that say they are in it.
pub(super) fn seal(
    root: &RootKeys,
    seal: &Seal,
    rows: &[AuditRow],
    known: Known,
) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    if let Some(what) = seal_alone(root, seal, known)? {
        found.push(Finding::seal(what, seal.sequence, Some(seal.sealed_at)));
        if what == What::UnknownKey {
            return Ok(found);
        }
    }
    let manifest = seal.manifest.as_deref().unwrap_or_default();
    let mut lines: BTreeMap<AuditId, Line> =
        Line::all(manifest).map(|line| (line.id, line)).collect();
    for row in rows {
        found.extend(match lines.remove(&row.id) {
            None => Some(Finding::row(What::Added, row)),
            Some(line) if line != Line::of(root, &seal.key_id, row)? => {
                Some(Finding::row(What::Changed, row))
            }
            Some(_) => self::row(root, row, known).map(|what| Finding::row(what, row)),
        });
    }
    found.extend(lines.into_keys().map(|id| Finding::gone(seal, id, made_at(id))));
    Ok(found)
}

/// Checks a row by itself, and against the time up to which everything was in sight.
pub(super) fn row(root: &RootKeys, row: &AuditRow, known: Known) -> Option<What> {
    // Whoever has the database alone can write a row without a tag: after an upgrade nobody else does.
    let upgraded = known.tagged_since.is_some_and(|since| row.at > since.plus(UPGRADE));
    match Tag::of(root, row) {
        Tag::Foreign => return Some(What::Forged),
        Tag::None if upgraded => return Some(What::Forged),
        Tag::UnknownKey => return Some(What::UnknownKey),
        Tag::Own | Tag::None => {}
    }
    let late = known.complete_to.is_some_and(|complete| row.at.plus(LATE) < complete);
    late.then_some(What::Late)
}
