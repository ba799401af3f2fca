//! What is wrong with a seal and its rows, if anything.

use std::collections::BTreeMap;

use keys::{AuditMacKind, KeyError, RootKeys};
use store::{AuditId, Timestamp, audit::AuditRow, audit_seal::Seal};

use super::{
    LATE, LEAST_KEPT, Line, Tag, UPGRADE, digest, made_at, succession::Succession, swept_mark,
};
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
    /// A row came into sight long after it should have: others had been sealed past its time.
    Late,
    /// A row got its seal long after it was written, and nothing was sealed in between. No finding: see
    /// [`super::verify::Watch::noted`].
    Waited,
    /// A seal is not as it was made.
    SealChanged,
    /// A seal does not follow on the one before: another stood there, or another stands here.
    SealUnlinked,
    /// A seal is gone.
    SealMissing,
    /// A seal says that its rows were swept, and the program did not do it.
    SealNotSwept,
    /// The program swept the rows of a seal before anything may be swept.
    SweptEarly,
    /// A row waits for its seal for minutes: no replica seals.
    Waiting,
    /// A seal or row is under a root key that had been replaced a day before.
    KeyReplaced,
    /// A seal or row cannot be checked: its root key is not known.
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
    /// When the row was sealed, as far as its seal may be believed.
    pub sealed_at: Option<Timestamp>,
}

impl Finding {
    pub(super) fn row(what: What, row: &AuditRow) -> Self {
        let (at, event) = (Some(row.at), Some(row.event.clone()));
        Self { what, seal: row.sealed_by, row: Some(row.id), at, event, sealed_at: None }
    }

    pub(super) const fn seal(what: What, sequence: i64, at: Option<Timestamp>) -> Self {
        Self { what, seal: Some(sequence), row: None, at, event: None, sealed_at: None }
    }

    /// A row of a seal that is as it was made.
    pub(super) fn sealed(what: What, row: &AuditRow, seal: &Seal) -> Self {
        Self { sealed_at: Some(seal.sealed_at), ..Self::row(what, row) }
    }

    const fn gone(seal: &Seal, id: AuditId, at: Timestamp) -> Self {
        let (row, at) = (Some(id), Some(at));
        Self {
            what: What::Missing,
            seal: Some(seal.sequence),
            row,
            at,
            event: None,
            sealed_at: None,
        }
    }
}

/// How far rows were swept, in the program's own hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// Everything up to this seal.
    pub(super) to: i64,
    /// When that was.
    at: Timestamp,
}

impl Mark {
    /// Reads the mark on a seal; nothing when it is not the program's own.
    pub(super) fn of(root: &RootKeys, keys: &Succession, seal: &Seal) -> Option<Self> {
        let (at, key, mark) = (seal.swept_at?, seal.swept_key.as_ref()?, seal.swept_mark.as_ref()?);
        let own = swept_mark(root, key, seal, at).is_ok_and(|own| *mark == own);
        (own && !keys.is_over(key, at)).then_some(Self { to: seal.sequence, at })
    }
}

/// What a check knows besides the seal and its rows.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// How far rows may be swept.
    pub(super) swept: Option<Mark>,
    /// When the first row was written that has a tag.
    pub(super) tagged_since: Option<Timestamp>,
    /// Up to when the seals before were complete.
    pub(super) complete_to: Option<Timestamp>,
    /// When the newest of the seals before was made.
    pub(super) reached: Option<Timestamp>,
    /// Which root key may be used when.
    pub(super) keys: Succession,
}

impl Known {
    /// Nothing but when keys are over.
    pub(super) const fn new(keys: Succession) -> Self {
        Self { swept: None, tagged_since: None, complete_to: None, reached: None, keys }
    }

    /// Takes note of a seal whose times are as it was made.
    pub(super) fn pass(&mut self, seal: &Seal) {
        self.complete_to = self.complete_to.max(Some(seal.complete_to));
        self.reached = self.reached.max(Some(seal.sealed_at));
    }
}

/// Checks a seal by itself.
pub(super) fn seal_alone(root: &RootKeys, seal: &Seal, known: &Known) -> Result<Option<What>> {
    let own = match digest(root, seal) {
        Ok(own) => own,
        Err(KeyError::UnknownRootKey(_)) => return Ok(Some(What::UnknownKey)),
        Err(error) => return Err(error.into()),
    };
    if seal.digest != own {
        return Ok(Some(What::SealChanged));
    }
    // A seal is no older than the one before, whatever it says itself.
    let made = known.reached.map_or(seal.sealed_at, |reached| reached.max(seal.sealed_at));
    if known.keys.is_over(&seal.key_id, made) {
        return Ok(Some(What::KeyReplaced));
    }
    if seal.swept_at.is_some() {
        let swept = known.swept.filter(|mark| seal.sequence <= mark.to && seal.manifest.is_none());
        let Some(mark) = swept else { return Ok(Some(What::SealNotSwept)) };
        let early = seal.complete_to >= mark.at.minus(LEAST_KEPT);
        return Ok(early.then_some(What::SweptEarly));
    }
    let Some(manifest) = &seal.manifest else { return Ok(Some(What::SealChanged)) };
    let hash = root.audit_mac(&seal.key_id, AuditMacKind::Manifest, &[Some(manifest)])?;
    Ok((seal.manifest_hash != hash).then_some(What::SealChanged))
}

/// Checks a seal with the rows that say they are in it.
pub(super) fn seal(
    root: &RootKeys,
    seal: &Seal,
    rows: &[AuditRow],
    known: &Known,
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
pub(super) fn row(root: &RootKeys, row: &AuditRow, known: &Known) -> Option<What> {
    // Whoever has the database alone can write a row without a tag: after an upgrade nobody else does.
    let upgraded = known.tagged_since.is_some_and(|since| row.at > since.plus(UPGRADE));
    match Tag::of(root, row) {
        Tag::Foreign => return Some(What::Forged),
        Tag::None if upgraded => return Some(What::Forged),
        Tag::UnknownKey => return Some(What::UnknownKey),
        Tag::Own | Tag::None => {}
    }
    if row.tag_key.as_ref().is_some_and(|key| known.keys.is_over(key, row.at)) {
        return Some(What::KeyReplaced);
    }
    let late = known.complete_to.is_some_and(|complete| row.at.plus(LATE) < complete);
    late.then_some(What::Late)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keys::RootKey;

    use super::*;

    /// A program without a floor swept by a setting of a second, and marked it in its own hand.
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
            seal.digest = digest(&root, &seal).unwrap().to_vec();
            seal.swept_mark = Some(swept_mark(&root, "a", &seal, swept_at).unwrap().to_vec());
            let keys = Succession::of("a", &[]);
            let swept = Mark::of(&root, &keys, &seal);
            assert!(swept.is_some(), "it is the program's own");
            seal_alone(&root, &seal, &Known { swept, ..Known::new(keys) }).unwrap()
        };
        assert_eq!(judge(made.plus(Duration::from_hours(1))), Some(What::SweptEarly));
        assert_eq!(judge(made.plus(LEAST_KEPT)), Some(What::SweptEarly));
        assert_eq!(judge(made.plus(LEAST_KEPT + Duration::from_millis(1))), None);
    }
}
