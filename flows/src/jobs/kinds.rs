//! Kinds of jobs: a type for each, and the table of the kinds of a program.

use std::{collections::BTreeSet, pin::Pin, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::{JobId, Timestamp, Tx, UserId};

use super::backoff::Backoff;
use crate::{
    Cx, Result,
    audit::{AuditEntry, Detail, outcome::JobOutcome},
    cx::Origin,
};

/// A future of a flow, so that a table can hold functions.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A kind of job: the value is the payload of its row.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the database, without a comma. A changed payload needs another name.
    const NAME: &'static str;
    /// The lane in which it waits: a job never waits for one of another lane.
    const LANE: &'static str;
    /// The waits between its tries.
    const BACKOFF: Backoff;
    /// The age after which a failed try is the last one; none when its subject expires by itself.
    const MAX_AGE: Option<Duration>;
    /// The event that records that it was not done.
    type Failed: Detail<Outcome = JobOutcome> + From<FailedJob>;

    /// The detail for the trail when it was not done.
    fn audit_detail(&self, tx: &mut Tx) -> impl Future<Output = Result<JobAuditDetail>> + Send;

    /// Writes what follows when it is done, in the transaction that records it. It may be called twice.
    fn on_done(
        &self,
        _cx: &Cx,
        _tx: &mut Tx,
        _done: &CompletedJob<'_>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Writes what follows when it was refused, was malformed or is given up, in the transaction that records it.
    fn on_failed(&self, _cx: &Cx, _tx: &mut Tx) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// What the trail records of a job that was not done.
#[derive(Clone, Debug)]
pub struct JobAuditDetail {
    /// The person that it concerns.
    pub user: Option<UserId>,
    /// What identifies the job. Never a secret.
    pub detail: Value,
}

/// A job that was not done, for the detail of its event.
#[derive(Clone, Debug)]
pub struct FailedJob {
    /// The job.
    pub job: JobId,
    /// The detail from [`JobAuditDetail::detail`].
    pub detail: Value,
    /// The number of the last try, from 1; none when no try was needed.
    pub r#try: Option<i64>,
    /// Why there are no more tries.
    pub why: Option<String>,
}

/// A job that was done.
#[derive(Clone, Copy, Debug)]
pub struct CompletedJob<'a> {
    /// The job.
    pub job: JobId,
    /// When it was inserted.
    pub requested_at: Timestamp,
    /// Which try it was, from 1.
    pub tries: i64,
    /// Whether this is recorded for the first time.
    pub is_first: bool,
    /// The result of the attempt, for the trail.
    pub receipt: &'a Value,
    /// The request that caused it.
    pub(crate) origin: Option<&'a Origin>,
}

/// The payload of a job's row: the job, and the request that caused it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload<J> {
    #[serde(flatten)]
    pub(super) job: J,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
}

/// Parses the job of a payload.
fn read<J: Job>(payload: &str) -> Result<J> {
    Ok(serde_json::from_str(payload)?)
}

type AuditDetailFn = for<'a> fn(&'a mut Tx, &'a str) -> BoxFuture<'a, JobAuditDetail>;
type DoneFn = for<'a> fn(&'a Cx, &'a mut Tx, &'a str, &'a CompletedJob<'a>) -> BoxFuture<'a, ()>;
type FailedFn = for<'a> fn(&'a Cx, &'a mut Tx, &'a str) -> BoxFuture<'a, ()>;

/// A kind of job as the queue sees it: a row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct JobKind {
    /// Its name in the database.
    pub name: &'static str,
    /// The lane in which it waits.
    pub lane: &'static str,
    /// How long it waits between tries.
    pub backoff: Backoff,
    /// The age after which a failed try is the last one.
    pub max_age: Option<Duration>,
    pub(super) audit_detail: AuditDetailFn,
    pub(super) on_done: DoneFn,
    pub(super) on_failed: FailedFn,
    pub(super) failure_entry: fn(FailedJob, JobOutcome) -> AuditEntry<'static>,
}

impl JobKind {
    /// The row of a kind.
    #[must_use]
    pub const fn of<J: Job>() -> Self {
        Self {
            name: J::NAME,
            lane: J::LANE,
            backoff: J::BACKOFF,
            max_age: J::MAX_AGE,
            audit_detail: |tx, payload| {
                Box::pin(async move { read::<J>(payload)?.audit_detail(tx).await })
            },
            on_done: |cx, tx, payload, done| {
                Box::pin(async move { read::<J>(payload)?.on_done(cx, tx, done).await })
            },
            on_failed: |cx, tx, payload| {
                Box::pin(async move { read::<J>(payload)?.on_failed(cx, tx).await })
            },
            failure_entry: |undone, outcome| AuditEntry::new(J::Failed::from(undone), outcome),
        }
    }
}

/// The table of the kinds of a program. Clones share it.
#[derive(Clone, Debug)]
pub struct JobKinds(Arc<[JobKind]>);

impl FromIterator<JobKind> for JobKinds {
    fn from_iter<I: IntoIterator<Item = JobKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

impl JobKinds {
    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = &JobKind> {
        self.0.iter()
    }

    /// The names of the lanes, each once.
    #[must_use]
    pub fn lanes(&self) -> BTreeSet<&'static str> {
        self.iter().map(|kind| kind.lane).collect()
    }

    /// The kinds of a lane.
    pub(super) fn of_lane(&self, lane: &str) -> impl Iterator<Item = &JobKind> {
        self.iter().filter(move |kind| kind.lane == lane)
    }
}
