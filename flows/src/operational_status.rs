//! What an operator watches besides events: how much waits, how near the guess budget is, how old the keys are, and whether
//! the audit trail is being sealed.

use store::{AuditId, Timestamp, invariant_check::InvariantCheck, job::Backlog};

use crate::{
    Cx, Result, guess_budget,
    jobs::JobKinds,
    signing_keys::{self, ListedKey},
};

/// Jobs that are counted at most, of a lane and of kinds that are not known: a longer queue is shown as this long.
const MAX_COUNTED: i64 = 100_000;

/// Everything at one moment.
#[derive(Clone, Debug)]
pub struct OperationalStatus {
    /// When it was read.
    pub at: Timestamp,
    /// What waits, by lane.
    pub backlogs: Vec<(&'static str, Backlog)>,
    /// Open jobs of a kind or a lane that this build does not know.
    pub unknown_jobs: i64,
    /// The guess budget.
    pub guess_budget: GuessBudgetStatus,
    /// When the oldest row of the audit trail was written that waits for its seal.
    pub unsealed_since: Option<Timestamp>,
    /// Signing keys.
    pub keys: Vec<ListedKey>,
    /// What was found when the data was compared with what must always hold.
    pub checks: Vec<InvariantCheck>,
}

/// The site's guess budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessBudgetStatus {
    /// Wrong codes in its window.
    pub spent: i64,
    /// Wrong codes from which on it is exceeded.
    pub limit: i64,
}

/// Reads it, in a handful of statements. For whoever keeps it for some seconds: never once for each request.
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
