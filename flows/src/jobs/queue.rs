//! The queue: a job is written, claimed for a lease, and settled: done, tried again later, or given up. It knows no kind.

use std::time::Duration;

use serde_json::Value;
use store::{
    JobId, Timestamp, Tx,
    job::{JobFilter, JobRow, NewJob},
};

use super::kinds::{Done, Job, Kind, Kinds, Payload, Undone};
use crate::{
    Cx, Result,
    audit::{self, outcome::JobOutcome},
    cx::Origin,
};

/// Writes a job in the transaction that causes it; `client` is the one that the request of `cx` is about.
pub async fn insert<J: Job>(cx: &Cx, tx: &mut Tx, job: J, client: Option<&str>) -> Result<()> {
    let origin = Some(Origin::of(cx, client));
    let payload = serde_json::to_string(&Payload { job, origin })?;
    let new = NewJob { id: cx.id(), lane: J::LANE, kind: J::NAME, payload: &payload };
    store::job::insert(tx, new, cx.now).await?;
    Ok(())
}

/// A job of one claim: until the lease ends, no other worker tries it.
#[derive(Clone, Debug)]
pub struct Claimed {
    kind: Kind,
    row: JobRow,
}

impl Claimed {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> JobId {
        self.row.id
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Which try this is, from 1.
    #[must_use]
    pub const fn tries(&self) -> i64 {
        self.row.tries
    }

    /// When it was written.
    pub(crate) const fn asked_at(&self) -> Timestamp {
        self.row.created_at
    }

    /// The job; nothing when its payload is not one that this build can read.
    #[must_use]
    pub fn read<J: Job>(&self) -> Option<J> {
        serde_json::from_str(&self.row.payload).ok()
    }

    /// The request that asked for it.
    fn origin(&self) -> Option<Origin> {
        let payload: Option<Payload<Value>> = serde_json::from_str(&self.row.payload).ok();
        payload.and_then(|payload| payload.origin)
    }
}

/// What a worker claims.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Jobs of this lane.
    pub lane: &'a str,
    /// So many at most.
    pub most: usize,
    /// Until when they are not another worker's.
    pub lease: Duration,
    /// Whether there is a job in all likelihood: then it is claimed without a look before.
    pub is_called: bool,
}

/// Claims jobs that are due and of a kind that is known. When there are none it costs a read and no write, unless the worker
/// was called.
pub async fn claim(cx: &Cx, kinds: &Kinds, wanted: Wanted<'_>) -> Result<Vec<Claimed>> {
    let Wanted { lane, most, lease, is_called } = wanted;
    let known: Vec<&Kind> = kinds.of_lane(lane).collect();
    let claims = JobFilter::new(lane, &known.iter().map(|kind| kind.name).collect::<Vec<_>>());
    if !is_called && !store::job::has_due(&mut cx.db.read().await?, &claims, cx.now).await? {
        return Ok(Vec::new());
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut alone = cx.db.write_autocommit().await?;
    let rows = store::job::claim(&mut alone, &claims, most, cx.now, lease).await?;
    drop(alone);
    let with_kind = |row: JobRow| {
        let kind = known.iter().find(|kind| kind.name == row.kind)?;
        Some(Claimed { kind: **kind, row })
    };
    Ok(rows.into_iter().filter_map(with_kind).collect())
}

/// How an attempt at a job ended. The texts are for the log and the trail, and have no secrets and no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is done; with what the attempt brought.
    Done(Value),
    /// It is no longer true or wanted, and the trail says so.
    Superseded,
    /// There was nothing to do, and there is nothing to record.
    NotNeeded,
    /// It was refused for good, or nothing could take it.
    Refused(String),
    /// It was found broken before it left.
    Malformed(String),
    /// It was not taken this time.
    NotNow(String),
    /// This build cannot read its payload: it is left to one that can.
    Unreadable,
}

/// What became of a job after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is done.
    Done,
    /// It was not needed any more.
    NotNeeded,
    /// It is tried again then.
    TryAgain(Timestamp),
    /// It was given up.
    GivenUp,
}

/// Writes down how an attempt ended, and decides whether the job is tried again; `cx.now` is when it ended. Repeating it is
/// safe.
pub async fn settle(cx: &Cx, claimed: &Claimed, end: &End) -> Result<Settled> {
    match end {
        End::Done(receipt) => done(cx, claimed, receipt).await,
        End::NotNeeded => {
            cx.db.write(async |tx| store::job::mark_done(tx, claimed.id(), cx.now).await).await?;
            Ok(Settled::NotNeeded)
        }
        End::Superseded => superseded(cx, claimed).await,
        End::Refused(why) => fail(cx, claimed, JobOutcome::Refused, why).await,
        End::Malformed(why) => fail(cx, claimed, JobOutcome::Malformed, why).await,
        End::NotNow(why) => {
            let age = cx.now.since(claimed.asked_at());
            if claimed.kind.lasts.is_some_and(|lasts| age >= lasts) {
                return fail(cx, claimed, JobOutcome::GivenUp, why).await;
            }
            give_back(cx, claimed, why).await
        }
        End::Unreadable => give_back(cx, claimed, "this build cannot read such a job").await,
    }
}

async fn done(cx: &Cx, claimed: &Claimed, receipt: &Value) -> Result<Settled> {
    let origin = claimed.origin();
    cx.db
        .write(async |tx| {
            let done = Done {
                job: claimed.id(),
                asked_at: claimed.asked_at(),
                tries: claimed.tries(),
                first: store::job::mark_done(tx, claimed.id(), cx.now).await?,
                receipt,
                origin: origin.as_ref(),
            };
            (claimed.kind.when_done)(cx, tx, &claimed.row.payload, &done).await?;
            Ok(Settled::Done)
        })
        .await
}

async fn superseded(cx: &Cx, claimed: &Claimed) -> Result<Settled> {
    cx.db
        .write(async |tx| {
            if store::job::mark_done(tx, claimed.id(), cx.now).await? {
                record(cx, tx, claimed, JobOutcome::Superseded, None).await?;
            }
            Ok(Settled::NotNeeded)
        })
        .await
}

async fn fail(cx: &Cx, claimed: &Claimed, outcome: JobOutcome, why: &str) -> Result<Settled> {
    cx.db
        .write(async |tx| {
            if store::job::mark_failed(tx, &claimed.row, cx.now, why).await? {
                (claimed.kind.when_failed)(cx, tx, &claimed.row.payload).await?;
                record(cx, tx, claimed, outcome, Some(why)).await?;
            }
            Ok(Settled::GivenUp)
        })
        .await
}

/// Says in the trail that a job was not done, and why an attempt was the last one.
async fn record(
    cx: &Cx,
    tx: &mut Tx,
    claimed: &Claimed,
    outcome: JobOutcome,
    why: Option<&str>,
) -> Result<()> {
    let about = (claimed.kind.when_about)(tx, &claimed.row.payload).await?;
    let user = about.user;
    let undone = Undone {
        job: claimed.id(),
        about: about.detail,
        r#try: why.map(|_| claimed.tries()),
        why: why.map(str::to_owned),
    };
    let entry = (claimed.kind.when_recorded)(undone, outcome).user(user);
    audit::record(cx, tx, entry.origin(claimed.origin())).await
}

async fn give_back(cx: &Cx, claimed: &Claimed, why: &str) -> Result<Settled> {
    let again = cx.now.plus(claimed.kind.waits.draw(claimed.tries(), &cx.rng));
    cx.db.write(async |tx| store::job::schedule_retry(tx, &claimed.row, again, why).await).await?;
    Ok(Settled::TryAgain(again))
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
