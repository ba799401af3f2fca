//! The queue: a job is inserted, claimed for a lease, and settled: done, tried again later, or given up. It depends on no
//! kind.

use std::time::Duration;

use serde_json::Value;
use store::{
    JobId, Timestamp, Tx,
    job::{JobFilter, JobRow, NewJob},
};

use super::kinds::{CompletedJob, FailedJob, Job, JobKind, JobKinds, Payload};
use crate::{
    Cx, Result,
    audit::{self, outcome::JobOutcome},
    cx::Origin,
};

/// Inserts a job in the transaction that causes it; `client` is the one that the request of `cx` is about.
pub async fn insert<J: Job>(cx: &Cx, tx: &mut Tx, job: J, client: Option<&str>) -> Result<()> {
    let origin = Some(Origin::of(cx, client));
    let payload = serde_json::to_string(&Payload { job, origin })?;
    let new = NewJob { id: cx.new_id(), lane: J::LANE, kind: J::NAME, payload: &payload };
    store::job::insert(tx, new, cx.now).await?;
    Ok(())
}

/// A claimed job: until the lease ends, no other worker tries it.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    kind: JobKind,
    row: JobRow,
}

impl ClaimedJob {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.row.id
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &JobKind {
        &self.kind
    }

    /// Which try this is, from 1.
    #[must_use]
    pub const fn tries(&self) -> i64 {
        self.row.tries
    }

    /// When it was inserted.
    pub(crate) const fn requested_at(&self) -> Timestamp {
        self.row.created_at
    }

    /// The job; `None` when this build cannot parse its payload.
    #[must_use]
    pub fn read<J: Job>(&self) -> Option<J> {
        serde_json::from_str(&self.row.payload).ok()
    }

    /// The request that caused it.
    fn origin(&self) -> Option<Origin> {
        let payload: Option<Payload<Value>> = serde_json::from_str(&self.row.payload).ok();
        payload.and_then(|payload| payload.origin)
    }
}

/// Which jobs a worker claims.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest<'a> {
    /// Jobs of this lane.
    pub lane: &'a str,
    /// The maximum number.
    pub limit: usize,
    /// How long no other worker may claim them.
    pub lease: Duration,
    /// Whether a notification announced a job: then it is claimed without a read first.
    pub is_notified: bool,
}

/// Claims jobs that are due and of a known kind. When there are none it costs a read and no write, unless the worker was
/// notified.
pub async fn claim(cx: &Cx, kinds: &JobKinds, wanted: ClaimRequest<'_>) -> Result<Vec<ClaimedJob>> {
    let ClaimRequest { lane, limit: most, lease, is_notified: is_called } = wanted;
    let known: Vec<&JobKind> = kinds.of_lane(lane).collect();
    let claims = JobFilter::new(lane, &known.iter().map(|kind| kind.name).collect::<Vec<_>>());
    if !is_called && !store::job::has_due(&mut cx.db.read().await?, &claims, cx.now).await? {
        return Ok(Vec::new());
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut conn = cx.db.write_autocommit().await?;
    let rows = store::job::claim(&mut conn, &claims, most, cx.now, lease).await?;
    drop(conn);
    let with_kind = |row: JobRow| {
        let kind = known.iter().find(|kind| kind.name == row.kind)?;
        Some(ClaimedJob { kind: **kind, row })
    };
    Ok(rows.into_iter().filter_map(with_kind).collect())
}

/// The result of an attempt at a job. The texts are for the log and the trail, and contain no secrets and no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// It is done; with the result for the trail.
    Done(Value),
    /// It is no longer true or wanted, and the trail records that.
    Superseded,
    /// There was nothing to do, and there is nothing to record.
    NotNeeded,
    /// It was refused permanently, or no server could accept it.
    Refused(String),
    /// It was found malformed before it was sent.
    Malformed(String),
    /// It failed temporarily.
    NotNow(String),
    /// This build cannot parse its payload: it is left for one that can.
    Unreadable,
}

/// What happened to a job after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is done.
    Done,
    /// It was no longer needed.
    NotNeeded,
    /// It is tried again at this time.
    TryAgain(Timestamp),
    /// It was given up.
    GivenUp,
}

/// Records the result of an attempt, and decides whether the job is tried again; `cx.now` is when the attempt ended. It may
/// be called again.
pub async fn settle(cx: &Cx, claimed: &ClaimedJob, end: &JobResult) -> Result<Settlement> {
    match end {
        JobResult::Done(receipt) => settle_done(cx, claimed, receipt).await,
        JobResult::NotNeeded => {
            cx.db.write(async |tx| store::job::mark_done(tx, claimed.id(), cx.now).await).await?;
            Ok(Settlement::NotNeeded)
        }
        JobResult::Superseded => settle_superseded(cx, claimed).await,
        JobResult::Refused(why) => fail(cx, claimed, JobOutcome::Refused, why).await,
        JobResult::Malformed(why) => fail(cx, claimed, JobOutcome::Malformed, why).await,
        JobResult::NotNow(why) => {
            let age = cx.now.since(claimed.requested_at());
            if claimed.kind.max_age.is_some_and(|lasts| age >= lasts) {
                return fail(cx, claimed, JobOutcome::GivenUp, why).await;
            }
            retry_later(cx, claimed, why).await
        }
        JobResult::Unreadable => {
            retry_later(cx, claimed, "this build cannot read such a job").await
        }
    }
}

async fn settle_done(cx: &Cx, claimed: &ClaimedJob, receipt: &Value) -> Result<Settlement> {
    let origin = claimed.origin();
    cx.db
        .write(async |tx| {
            let done = CompletedJob {
                job: claimed.id(),
                requested_at: claimed.requested_at(),
                tries: claimed.tries(),
                is_first: store::job::mark_done(tx, claimed.id(), cx.now).await?,
                receipt,
                origin: origin.as_ref(),
            };
            (claimed.kind.on_done)(cx, tx, &claimed.row.payload, &done).await?;
            Ok(Settlement::Done)
        })
        .await
}

async fn settle_superseded(cx: &Cx, claimed: &ClaimedJob) -> Result<Settlement> {
    cx.db
        .write(async |tx| {
            if store::job::mark_done(tx, claimed.id(), cx.now).await? {
                record(cx, tx, claimed, JobOutcome::Superseded, None).await?;
            }
            Ok(Settlement::NotNeeded)
        })
        .await
}

async fn fail(cx: &Cx, claimed: &ClaimedJob, outcome: JobOutcome, why: &str) -> Result<Settlement> {
    cx.db
        .write(async |tx| {
            if store::job::mark_failed(tx, &claimed.row, cx.now, why).await? {
                (claimed.kind.on_failed)(cx, tx, &claimed.row.payload).await?;
                record(cx, tx, claimed, outcome, Some(why)).await?;
            }
            Ok(Settlement::GivenUp)
        })
        .await
}

/// Records in the trail that a job was not done, and why an attempt was the last one.
async fn record(
    cx: &Cx,
    tx: &mut Tx,
    claimed: &ClaimedJob,
    outcome: JobOutcome,
    why: Option<&str>,
) -> Result<()> {
    let about = (claimed.kind.audit_detail)(tx, &claimed.row.payload).await?;
    let user = about.user;
    let undone = FailedJob {
        job: claimed.id(),
        detail: about.detail,
        r#try: why.map(|_| claimed.tries()),
        why: why.map(str::to_owned),
    };
    let entry = (claimed.kind.failure_entry)(undone, outcome).user(user);
    audit::record(cx, tx, entry.origin(claimed.origin())).await
}

async fn retry_later(cx: &Cx, claimed: &ClaimedJob, why: &str) -> Result<Settlement> {
    let again = cx.now.plus(claimed.kind.backoff.with_jitter(claimed.tries(), &cx.rng));
    cx.db.write(async |tx| store::job::schedule_retry(tx, &claimed.row, again, why).await).await?;
    Ok(Settlement::TryAgain(again))
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use store::UserId;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "mail", rename = "reset_forced")]
    struct Reset {
        user: UserId,
    }

    fn reset() -> Reset {
        Reset { user: "0193a5b0-0000-7000-8000-000000000001".parse().unwrap() }
    }

    #[test]
    fn payload_without_origin_is_read() {
        let text = r#"{"mail":"reset_forced","user":"0193a5b0-0000-7000-8000-000000000001"}"#;
        let read: Payload<Reset> = serde_json::from_str(text).unwrap();
        assert_eq!(read, Payload { job: reset(), origin: None });
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    #[test]
    fn payload_with_origin_is_read() {
        let origin = Origin { reference: "K7MPQ2".to_owned(), network: None, client: None };
        let payload = Payload { job: reset(), origin: Some(origin) };
        let text = serde_json::to_string(&payload).unwrap();
        assert!(text.ends_with(r#","origin":{"reference":"K7MPQ2"}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Payload<Reset>>(&text).unwrap(), payload);
        assert_eq!(serde_json::from_str::<Reset>(&text).unwrap(), reset());
    }
}
