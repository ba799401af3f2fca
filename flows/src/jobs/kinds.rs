//! Kinds of jobs: a type for each, and the table of those that a program knows.

use std::{collections::BTreeSet, pin::Pin, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::{JobId, Timestamp, Tx, UserId};

use super::waits::Waits;
use crate::{
    Cx, Result,
    audit::{Detail, Entry, outcome::JobOutcome},
    cx::Origin,
};

/// A future of a flow, so that a table can hold functions.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A kind of job: the value is what its row carries.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the database, without a comma. Another payload gets another name.
    const NAME: &'static str;
    /// The lane in which it waits: a job never waits behind one of another lane.
    const LANE: &'static str;
    /// How long it waits between tries.
    const WAITS: Waits;
    /// How old it may become before a try that fails is its last one; none when what it is about has an end of its own.
    const LASTS: Option<Duration>;
    /// The event that says that it was not done.
    type Failed: Detail<Outcome = JobOutcome> + From<Undone>;

    /// What the trail says of it when it was not done.
    fn about(&self, tx: &mut Tx) -> impl Future<Output = Result<About>> + Send;

    /// Writes what follows when it is done, in the transaction that says so. It may be asked twice.
    fn done(
        &self,
        _cx: &Cx,
        _tx: &mut Tx,
        _done: &Done<'_>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Writes what follows when it was refused, was malformed or is given up, in the transaction that says so.
    fn failed(&self, _cx: &Cx, _tx: &mut Tx) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// What the trail says of a job that was not done.
#[derive(Clone, Debug)]
pub struct About {
    /// The person that it concerns.
    pub user: Option<UserId>,
    /// Which job it was. Never a secret.
    pub detail: Value,
}

/// A job that was not done, for the detail of its event.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The job.
    pub job: JobId,
    /// What [`About::detail`] says of it.
    pub about: Value,
    /// Which try was the last one, from 1; none when there was no need to try.
    pub r#try: Option<i64>,
    /// Why it was the last one.
    pub why: Option<String>,
}

/// How a job was done.
#[derive(Clone, Copy, Debug)]
pub struct Done<'a> {
    /// The job.
    pub job: JobId,
    /// When it was written.
    pub asked_at: Timestamp,
    /// Which try it was, from 1.
    pub tries: i64,
    /// Whether it is the first time that this is written down.
    pub first: bool,
    /// What the attempt brought, for the trail.
    pub receipt: &'a Value,
    /// The request that asked for it.
    pub(crate) origin: Option<&'a Origin>,
}

/// What a job's row carries: the job, and which request asked for it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload<J> {
    #[serde(flatten)]
    pub(super) job: J,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
}

/// Reads the job out of a payload.
fn read<J: Job>(payload: &str) -> Result<J> {
    Ok(serde_json::from_str(payload)?)
}

type AboutFn = for<'a> fn(&'a mut Tx, &'a str) -> Boxed<'a, About>;
type DoneFn = for<'a> fn(&'a Cx, &'a mut Tx, &'a str, &'a Done<'a>) -> Boxed<'a, ()>;
type FailedFn = for<'a> fn(&'a Cx, &'a mut Tx, &'a str) -> Boxed<'a, ()>;

/// A kind of job as the queue sees it: a row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in the database.
    pub name: &'static str,
    /// The lane in which it waits.
    pub lane: &'static str,
    /// How long it waits between tries.
    pub waits: Waits,
    /// How old it may become before a try that fails is its last one.
    pub lasts: Option<Duration>,
    pub(super) when_about: AboutFn,
    pub(super) when_done: DoneFn,
    pub(super) when_failed: FailedFn,
    pub(super) when_recorded: fn(Undone, JobOutcome) -> Entry<'static>,
}

impl Kind {
    /// The row of a kind.
    #[must_use]
    pub const fn of<J: Job>() -> Self {
        Self {
            name: J::NAME,
            lane: J::LANE,
            waits: J::WAITS,
            lasts: J::LASTS,
            when_about: |tx, payload| Box::pin(async move { read::<J>(payload)?.about(tx).await }),
            when_done: |cx, tx, payload, done| {
                Box::pin(async move { read::<J>(payload)?.done(cx, tx, done).await })
            },
            when_failed: |cx, tx, payload| {
                Box::pin(async move { read::<J>(payload)?.failed(cx, tx).await })
            },
            when_recorded: |undone, outcome| Entry::new(J::Failed::from(undone), outcome),
        }
    }
}

/// The table of the kinds that a program knows. Copies share it.
#[derive(Clone, Debug)]
pub struct Kinds(Arc<[Kind]>);

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

impl Kinds {
    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.0.iter()
    }

    /// The names of the lanes, each once.
    #[must_use]
    pub fn lanes(&self) -> BTreeSet<&'static str> {
        self.iter().map(|kind| kind.lane).collect()
    }

    /// The kinds of a lane.
    pub(super) fn of_lane(&self, lane: &str) -> impl Iterator<Item = &Kind> {
        self.iter().filter(move |kind| kind.lane == lane)
    }
}
