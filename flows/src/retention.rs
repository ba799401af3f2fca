//! Retention: rows past their time are deleted, in batches that do not delay sign-ins.
//!
//! Nothing that a person is signed in with is deleted. A session lasts at most `session.absolute` from its beginning, and a
//! grant is made while its session is live; so a grant that ends with its session cannot be in use when it is older than
//! that. A grant that outlives its session may have any age: only its own end counts, it keeps its sign-in until then, and
//! it loses its session when that is swept. What cannot be used stays for 30 days longer, for investigations.

use std::{collections::VecDeque, time::Duration};

use crate::{Cx, Error, Result, trail};

/// Rows of one batch, which is one short transaction.
const BATCH: i64 = 1_000;
/// An attempt lasts for a day (`attempt::ROW_FOR`).
const ATTEMPT_RETENTION: Duration = Duration::from_hours(24);
/// How long a challenge past its cap can be reported as expired; afterwards its page is the first step again.
const CHALLENGE_RETENTION: Duration = Duration::from_hours(2);
const DONE_JOB_RETENTION: Duration = Duration::from_hours(7 * 24);
/// Failed jobs are kept for an operator to investigate.
const FAILED_JOB_RETENTION: Duration = Duration::from_hours(30 * 24);
/// Sessions and grants that can no longer be used.
const ENDED_RETENTION: Duration = Duration::from_hours(30 * 24);
/// A counter without a change for so long is forgotten: ten free tries a month are fewer than one a day.
const THROTTLE_RETENTION: Duration = Duration::from_hours(30 * 24);
/// The guess budget looks back 24 hours.
const WRONG_CODE_RETENTION: Duration = Duration::from_hours(48);
const LEASE_RETENTION: Duration = Duration::from_hours(24);

/// The one list of what is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepTarget {
    /// Attempts of browsers.
    Attempts,
    /// Mailed codes.
    Challenges,
    /// Jobs that are done.
    DoneJobs,
    /// Jobs that failed.
    FailedJobs,
    /// Grants, with their authorization codes.
    Grants,
    /// Sessions.
    Sessions,
    /// Sign-ins that nothing refers to.
    SignIns,
    /// Counters of people.
    Throttles,
    /// Wrong codes of the whole site.
    WrongCodes,
    /// Devices that are no longer known to an account.
    Devices,
    /// Leases of processes that have ended.
    Leases,
    /// Rows of the trail, by whole seals.
    Audit,
}

impl SweepTarget {
    /// All targets, each after those that refer to it.
    pub const ALL: [Self; 12] = [
        Self::Attempts,
        Self::Challenges,
        Self::DoneJobs,
        Self::FailedJobs,
        Self::Grants,
        Self::Sessions,
        Self::SignIns,
        Self::Throttles,
        Self::WrongCodes,
        Self::Devices,
        Self::Leases,
        Self::Audit,
    ];

    /// The targets that refer to rows of this one: while they are being swept, more rows may become free.
    const fn waits_for(self) -> &'static [Self] {
        match self {
            Self::Sessions => &[Self::Grants],
            Self::SignIns => &[Self::Grants, Self::Sessions],
            _ => &[],
        }
    }
}

/// One pass of the sweep: one batch of each target in turn, until none has rows left. It can be dropped at any time, and the
/// next pass continues.
#[derive(Debug)]
pub struct SweepPass {
    remaining: VecDeque<SweepTarget>,
    /// The seal up to which the trail was checked.
    last_seal: i64,
    /// Rows that were deleted.
    pub deleted: u64,
    /// Seals that were tampered with and are therefore kept.
    pub unsound_seals: u64,
}

impl Default for SweepPass {
    fn default() -> Self {
        Self {
            remaining: SweepTarget::ALL.into(),
            last_seal: i64::MIN,
            deleted: 0,
            unsound_seals: 0,
        }
    }
}

impl SweepPass {
    /// Whether any target is left.
    #[must_use]
    pub fn has_remaining(&self) -> bool {
        !self.remaining.is_empty()
    }

    /// Sweeps one batch of the next target; false when nothing is left.
    ///
    /// # Errors
    /// The error of that target. It is left out of this pass, which may continue with the others.
    pub async fn next(&mut self, cx: &Cx) -> Result<bool> {
        let Some(what) = self.remaining.pop_front() else { return Ok(false) };
        if what == SweepTarget::Audit {
            let swept = trail::sweep::SealBatch::after(cx, self.last_seal).await?.sweep(cx).await?;
            self.deleted += swept.rows;
            self.unsound_seals += swept.unsound;
            if let Some(up_to) = swept.up_to {
                self.last_seal = up_to;
                self.remaining.push_back(what);
            }
        } else {
            let gone = delete_batch(cx, what).await?;
            self.deleted += gone;
            let waits = what.waits_for().iter().any(|other| self.remaining.contains(other));
            if gone >= BATCH.unsigned_abs() || waits {
                self.remaining.push_back(what);
            }
        }
        Ok(self.has_remaining())
    }
}

/// Deletes one batch.
async fn delete_batch(cx: &Cx, what: SweepTarget) -> Result<u64> {
    let ago = |age: Duration| cx.now.minus(age);
    let settings = &cx.settings;
    let session = settings.session_absolute;
    cx.db
        .write(async |tx| {
            Ok::<_, Error>(match what {
                SweepTarget::Attempts => {
                    store::attempt::sweep(tx, ago(ATTEMPT_RETENTION), BATCH).await?
                }
                SweepTarget::Challenges => {
                    let capped = ago(settings.code_window * 2 + CHALLENGE_RETENTION);
                    store::email_challenge::sweep(tx, capped, BATCH).await?
                }
                SweepTarget::DoneJobs => {
                    store::job::sweep_done(tx, ago(DONE_JOB_RETENTION), BATCH).await?
                }
                SweepTarget::FailedJobs => {
                    store::job::sweep_failed(tx, ago(FAILED_JOB_RETENTION), BATCH).await?
                }
                SweepTarget::Grants => {
                    let (made_before, ended_before) =
                        (ago(session + ENDED_RETENTION), ago(ENDED_RETENTION));
                    let sweep =
                        store::grant::GrantSweep { created_before: made_before, ended_before };
                    store::grant::sweep(tx, sweep, BATCH).await?
                }
                // Its last grant may have been made just before its end.
                SweepTarget::Sessions => {
                    store::session::sweep(tx, ago(session * 2 + ENDED_RETENTION), BATCH).await?
                }
                SweepTarget::SignIns => {
                    store::sign_in::sweep(tx, ago(settings.audit_retention), BATCH).await?
                }
                SweepTarget::Throttles => {
                    store::throttle::sweep(tx, ago(THROTTLE_RETENTION), BATCH).await?
                }
                SweepTarget::WrongCodes => {
                    store::wrong_code::sweep(tx, ago(WRONG_CODE_RETENTION)).await?
                }
                SweepTarget::Devices => {
                    store::device::sweep(tx, ago(settings.device_lifetime), BATCH).await?
                }
                SweepTarget::Leases => store::lease::sweep(tx, ago(LEASE_RETENTION)).await?,
                SweepTarget::Audit => 0,
            })
        })
        .await
}
