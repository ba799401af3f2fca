//! What an operator monitors besides events: the backlog of jobs, the state of the guess budget, the age of the keys, and
//! whether the audit trail is being sealed.

use store::{AuditId, Timestamp, invariant_check::InvariantCheck, job::Backlog};

use crate::{
    Cx, Result, guess_budget,
    jobs::JobKinds,
    signing_keys::{self, ListedKey},
};

/// Maximum count of jobs of a lane, and of unknown kinds: a longer queue is shown as this long.
const MAX_COUNTED: i64 = 100_000;

/// The status at one moment.
#[derive(Clone, Debug)]
pub struct OperationalStatus {
    /// When it was read.
    pub at: Timestamp,
    /// The backlog of each lane.
    pub backlogs: Vec<(&'static str, Backlog)>,
    /// Open jobs of a kind or a lane that this build does not know.
    pub unknown_jobs: i64,
    /// The guess budget.
    pub guess_budget: GuessBudgetStatus,
    /// When the oldest unsealed row of the audit trail was written.
    pub unsealed_since: Option<Timestamp>,
    /// Signing keys.
    pub keys: Vec<ListedKey>,
    /// The latest results of the invariant checks.
    pub checks: Vec<InvariantCheck>,
}

/// The site's guess budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessBudgetStatus {
    /// Wrong codes in its window.
    pub spent: i64,
    /// The number of wrong codes at which it is exceeded.
    pub limit: i64,
}

/// Reads the status, in a handful of statements. For callers that cache it for some seconds: never once for each request.
pub async fn read(cx: &Cx, kinds: &JobKinds) -> Result<OperationalStatus> {
    let mut backlogs = Vec::new();
    let mut conn = cx.db.read().await?;
    for lane in kinds.lanes() {
        backlogs.push((lane, store::job::backlog(&mut conn, lane, MAX_COUNTED, cx.now).await?));
    }
    let known: Vec<_> = kinds.iter().map(|kind| (kind.lane, kind.name)).collect();
    let unknown_jobs = store::job::count_unknown(&mut conn, &known, MAX_COUNTED).await?;
    let checks = store::invariant_check::all(&mut conn).await?;
    let first = AuditId::from(uuid::Uuid::nil());
    let unsealed_since =
        store::audit::unsealed(&mut conn, first, 1).await?.first().map(|row| row.at);
    drop(conn);
    let (keys, guesses) = (signing_keys::list(cx).await?, guess_budget_status(cx).await?);
    Ok(OperationalStatus {
        at: cx.now,
        backlogs,
        unknown_jobs,
        guess_budget: guesses,
        unsealed_since,
        keys,
        checks,
    })
}

/// The guess budget, as of now.
pub(crate) async fn guess_budget_status(cx: &Cx) -> Result<GuessBudgetStatus> {
    let mut conn = cx.db.read().await?;
    let spent = guess_budget::count_recent(&mut conn, cx.now).await?;
    Ok(GuessBudgetStatus { spent, limit: cx.settings.guess_budget })
}
