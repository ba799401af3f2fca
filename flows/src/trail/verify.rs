//! Verification: reads the whole chain, or a part of it, in pages, and reports how it was changed.

use std::collections::BTreeSet;

use store::{AuditId, Timestamp, audit::AuditRow, audit_seal::Seal};

pub use super::check::{Finding, FindingKind};
use super::{
    ChainHead, LATE, check,
    check::{CheckContext, SweptMark},
    is_authentic,
    key_rotation::KeyRotation,
};
use crate::{Cx, Result};

/// Seals that are read at once.
const SEALS: i64 = 64;
/// Maximum number of unexpected rows to read: so many added rows can be reported by name.
const EXTRA_ROWS: i64 = 1_000;

/// What to verify.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Only what was sealed at this time or later.
    pub from: Option<Timestamp>,
    /// Only what was written before this time.
    pub to: Option<Timestamp>,
    /// A head that the chain once had.
    pub expect: Option<ChainHead>,
}

/// The result of a verification.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Seals that were checked.
    pub seals: u64,
    /// Of them, those whose rows were swept.
    pub swept: u64,
    /// Rows that were checked in their seals.
    pub rows: u64,
    /// Of them, those that were unsealed for minutes while nothing was sealed: no replica ran, or none could seal. Each is
    /// noted.
    pub waited: u64,
    /// Rows that are not sealed yet.
    pub unsealed: u64,
    /// When the oldest of them was written.
    pub oldest_unsealed: Option<Timestamp>,
    /// Number of findings.
    pub findings: u64,
    /// The end of the chain.
    pub head: Option<ChainHead>,
}

/// Receives progress and findings during a verification.
pub trait VerifyObserver {
    /// `done` of `all` seals are checked.
    fn on_progress(&mut self, done: i64, all: i64);
    /// Something is wrong.
    fn on_finding(&mut self, finding: &Finding);
    /// Something permitted that an operator should be able to explain: [`FindingKind::Waited`].
    fn on_note(&mut self, note: &Finding);
}

/// Verifies the trail.
pub async fn verify(
    cx: &Cx,
    options: &VerifyOptions,
    observer: &mut impl VerifyObserver,
) -> Result<VerifyReport> {
    let mut conn = cx.db.read().await?;
    let tagged_since = store::audit::first_tagged_at(&mut conn).await?;
    let newest = store::audit_seal::newest(&mut conn).await?.map_or(0, |seal| seal.sequence);
    let start = match options.from {
        None => None,
        // The previous seal is used without its rows: the verified part links to it.
        Some(from) => Some(
            store::audit_seal::first_sequence_since(&mut conn, from).await?.unwrap_or(newest + 1)
                - 1,
        ),
    };
    let keys = KeyRotation::read(&cx.root, &mut conn).await?;
    drop(conn);
    let known = CheckContext { tagged_since, ..CheckContext::new(keys) };
    let mut run = Verification {
        cx,
        observer,
        context: known,
        previous: None,
        report: VerifyReport::default(),
        newest,
    };
    run.start(start).await?;
    let whole = run.check_all(start, options.to).await?;
    run.check_mark().await?;
    if whole {
        run.report_orphans(run.reached() + 1, i64::MAX).await?;
        if start.is_none() {
            run.report_orphans(i64::MIN, 0).await?;
        }
    }
    if let Some(expected) = &options.expect {
        run.check_expected_head(expected).await?;
    }
    Ok(run.report)
}

/// Unsealed rows, and what is wrong with them.
#[derive(Default)]
struct Unsealed {
    rows: u64,
    oldest: Option<Timestamp>,
    findings: Vec<Finding>,
}

struct Verification<'a, W> {
    cx: &'a Cx,
    observer: &'a mut W,
    context: CheckContext,
    previous: Option<Seal>,
    report: VerifyReport,
    newest: i64,
}

impl<W: VerifyObserver> Verification<'_, W> {
    fn report_finding(&mut self, finding: &Finding) {
        self.report.findings += 1;
        self.observer.on_finding(finding);
    }

    /// Reads how far rows were swept, and the seal before the first one. That seal was found by a time that any writer of
    /// the database can set: so that no seal is skipped, it must be unchanged.
    async fn start(&mut self, start: Option<i64>) -> Result<()> {
        self.context.swept = self.read_swept_mark().await?;
        let Some(before) = start else { return Ok(()) };
        let mut conn = self.cx.db.read().await?;
        let Some(seal) = store::audit_seal::by_sequence(&mut conn, before).await? else {
            return Ok(());
        };
        drop(conn);
        if let Some(what) = check::seal_alone(&self.cx.root, &seal, &self.context)? {
            self.report_finding(&Finding::seal(what, seal.sequence, Some(seal.sealed_at)));
        }
        if is_authentic(&self.cx.root, &seal) {
            self.context.keys.observe(&seal.key_id, seal.sealed_at);
            self.context.advance(&seal);
        }
        self.previous = Some(seal);
        Ok(())
    }

    async fn read_swept_mark(&self) -> Result<Option<SweptMark>> {
        let mut conn = self.cx.db.read().await?;
        let marked = store::audit_seal::newest_with_swept_mark(&mut conn).await?;
        Ok(marked.and_then(|seal| SweptMark::of(&self.cx.root, &self.context.keys, &seal)))
    }

    /// Checks whether the accepted mark is still valid, now that the chain has shown when each root key was used.
    async fn check_mark(&mut self) -> Result<()> {
        if let Some(believed) = self.context.swept
            && self.read_swept_mark().await?.is_none()
        {
            self.report_finding(&Finding::seal(FindingKind::KeyReplaced, believed.up_to, None));
        }
        Ok(())
    }

    /// Checks the chain and the unsealed rows; false when only a part of the chain was requested. A row that is sealed
    /// meanwhile was in neither, so the chain is followed until nothing was sealed while the rows were read.
    async fn check_all(&mut self, start: Option<i64>, to: Option<Timestamp>) -> Result<bool> {
        let mut from = start;
        while self.check_chain(from, to).await? {
            let unsealed = self.check_unsealed().await?;
            let reached = self.reached();
            let mut conn = self.cx.db.read().await?;
            let newer = store::audit_seal::after(&mut conn, reached, 1).await?;
            drop(conn);
            if newer.is_empty() {
                self.report.unsealed = unsealed.rows;
                self.report.oldest_unsealed = unsealed.oldest;
                unsealed.findings.iter().for_each(|finding| self.report_finding(finding));
                return Ok(true);
            }
            from = Some(reached);
        }
        Ok(false)
    }

    /// The number of the last seal that was checked; 0 before the first.
    fn reached(&self) -> i64 {
        self.previous.as_ref().map_or(0, |seal| seal.sequence)
    }

    /// Follows the chain; false when it stopped before the end, because no more was requested.
    async fn check_chain(&mut self, start: Option<i64>, to: Option<Timestamp>) -> Result<bool> {
        let mut last = start.unwrap_or(i64::MIN);
        loop {
            let mut conn = self.cx.db.read().await?;
            let seals = store::audit_seal::after(&mut conn, last, SEALS).await?;
            drop(conn);
            let Some(end) = seals.last().map(|seal| seal.sequence) else { return Ok(true) };
            last = end;
            let rows = self.rows(&seals).await?;
            for seal in seals {
                let done = to.is_some_and(|to| seal.complete_to >= to);
                self.check_seal(seal, &rows).await?;
                if done {
                    return Ok(false);
                }
            }
            self.observer.on_progress(last, self.newest.max(last));
        }
    }

    /// The rows of consecutive seals.
    async fn rows(&self, seals: &[Seal]) -> Result<Vec<AuditRow>> {
        let (Some(first), Some(last)) = (seals.first(), seals.last()) else {
            return Ok(Vec::new());
        };
        let mut conn = self.cx.db.read().await?;
        let most = seals.iter().map(expected_rows).sum::<i64>() + EXTRA_ROWS;
        Ok(store::audit::of_seals(&mut conn, &(first.sequence..=last.sequence), most).await?)
    }

    async fn check_seal(&mut self, seal: Seal, rows: &[AuditRow]) -> Result<()> {
        self.check_link(&seal).await?;
        let as_made = is_authentic(&self.cx.root, &seal);
        if as_made {
            self.context.keys.observe(&seal.key_id, seal.sealed_at);
        }
        let from = rows.partition_point(|row| row.sealed_by < Some(seal.sequence));
        let to = rows.partition_point(|row| row.sealed_by <= Some(seal.sequence));
        let own = rows.get(from..to).unwrap_or_default();
        let mut found = check::seal(&self.cx.root, &seal, own, &self.context)?;
        if !found.is_empty() {
            found = self.recheck(&seal).await?;
        }
        self.report.seals += 1;
        self.report.swept += u64::from(seal.swept_at.is_some());
        self.report.rows += count(own.len());
        for mut finding in found.iter().cloned() {
            finding.sealed_at = finding.row.filter(|_| as_made).map(|_| seal.sealed_at);
            self.report_finding(&finding);
        }
        if as_made {
            self.note_waited(&seal, own, &found);
            self.context.advance(&seal);
        }
        self.report.head = Some(ChainHead::of(&seal));
        self.previous = Some(seal);
        Ok(())
    }

    /// Notes the rows whose only irregularity is a long time unsealed. Rows without a tag are from before an upgrade, and
    /// got their first seal with it.
    fn note_waited(&mut self, seal: &Seal, rows: &[AuditRow], found: &[Finding]) {
        let reported: BTreeSet<_> = found.iter().filter_map(|finding| finding.row).collect();
        for row in rows.iter().filter(|row| row.tag.is_some() && !reported.contains(&row.id)) {
            if row.at.plus(LATE) < seal.sealed_at {
                self.report.waited += 1;
                self.observer.on_note(&Finding::sealed(FindingKind::Waited, row, seal));
            }
        }
    }

    /// Checks this seal alone again: it may have been swept since it was read.
    async fn recheck(&mut self, seal: &Seal) -> Result<Vec<Finding>> {
        self.context.swept = self.read_swept_mark().await?;
        let mut conn = self.cx.db.read().await?;
        let Some(now) = store::audit_seal::by_sequence(&mut conn, seal.sequence).await? else {
            return Ok(vec![Finding::seal(
                FindingKind::SealMissing,
                seal.sequence,
                Some(seal.sealed_at),
            )]);
        };
        let (only, most) = (now.sequence..=now.sequence, expected_rows(&now) + EXTRA_ROWS);
        let rows = store::audit::of_seals(&mut conn, &only, most).await?;
        check::seal(&self.cx.root, &now, &rows, &self.context)
    }

    /// Whether a seal links to the one before.
    async fn check_link(&mut self, seal: &Seal) -> Result<()> {
        let before = self.previous.as_ref().map_or(0, |previous| previous.sequence);
        if seal.sequence != before + 1 {
            // Seals whose rows were swept long ago are deleted themselves, and so may be an altered one between them that
            // was investigated; the mark shows up to which.
            let trimmed = self.context.swept.is_some_and(|mark| seal.sequence <= mark.up_to);
            return if trimmed {
                self.report_orphans(before + 1, seal.sequence - 1).await
            } else {
                self.gap(before + 1, seal.sequence - 1).await
            };
        }
        let digest = self.previous.as_ref().map(|previous| previous.digest.as_slice());
        if seal.previous != digest.unwrap_or_default() {
            let finding =
                Finding::seal(FindingKind::SealUnlinked, seal.sequence, Some(seal.sealed_at));
            self.report_finding(&finding);
        }
        Ok(())
    }

    async fn gap(&mut self, first: i64, last: i64) -> Result<()> {
        // Reported one by one, up to a readable number.
        for sequence in (first..=last).take(usize::try_from(EXTRA_ROWS).unwrap_or(usize::MAX)) {
            self.report_finding(&Finding::seal(FindingKind::SealMissing, sequence, None));
        }
        self.report_orphans(first, last).await
    }

    async fn report_orphans(&mut self, first: i64, last: i64) -> Result<()> {
        let mut conn = self.cx.db.read().await?;
        let rows = store::audit::of_missing_seals(&mut conn, &(first..=last), EXTRA_ROWS).await?;
        drop(conn);
        for row in &rows {
            self.report_finding(&Finding::row(FindingKind::Added, row));
        }
        Ok(())
    }

    /// Reads and checks the unsealed rows.
    async fn check_unsealed(&self) -> Result<Unsealed> {
        let mut unsealed = Unsealed::default();
        let mut after = AuditId::from(uuid::Uuid::nil());
        loop {
            let mut conn = self.cx.db.read().await?;
            let rows = store::audit::unsealed(&mut conn, after, EXTRA_ROWS).await?;
            drop(conn);
            let Some(last) = rows.last().map(|row| row.id) else { return Ok(unsealed) };
            after = last;
            unsealed.rows += count(rows.len());
            unsealed.oldest = unsealed.oldest.or(rows.first().map(|row| row.at));
            for row in &rows {
                let waiting = (row.at.plus(LATE) < self.cx.now).then_some(FindingKind::Waiting);
                if let Some(what) = check::row(&self.cx.root, row, &self.context).or(waiting) {
                    unsealed.findings.push(Finding::row(what, row));
                }
            }
        }
    }

    async fn check_expected_head(&mut self, expected: &ChainHead) -> Result<()> {
        let mut conn = self.cx.db.read().await?;
        let seal = store::audit_seal::by_sequence(&mut conn, expected.sequence).await?;
        drop(conn);
        if seal.as_ref().map(ChainHead::of).as_ref() != Some(expected) {
            let at = seal.map(|seal| seal.sealed_at);
            self.report_finding(&Finding::seal(FindingKind::HeadMissing, expected.sequence, at));
        }
        Ok(())
    }
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

/// How many rows a seal should have.
fn expected_rows(seal: &Seal) -> i64 {
    let lines = seal.manifest.as_deref().unwrap_or_default().len() / super::ManifestLine::LENGTH;
    i64::try_from(lines).unwrap_or(i64::MAX)
}
