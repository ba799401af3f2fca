//! Attempts: one authorization request in one browser, until it ends. The state is changed by compare-and-set only.

use sqlx::FromRow;

use crate::{
    AttemptId, Result, Sql, Timestamp, TokenHash,
    email_challenge::{ChallengePurpose, ChallengeWithUser, challenge_columns},
    left_join::OptionalRow,
    user::with_password_columns,
};

/// An attempt's row. `request` and `state` are JSON that only `flows` reads.
#[derive(Clone, Debug, FromRow)]
pub struct Attempt {
    /// Id; not a secret.
    #[sqlx(rename = "attempt_id")]
    pub id: AttemptId,
    /// The browser that owns it.
    pub browser: TokenHash,
    /// The browser value under which it was completed.
    pub previous_browser: Option<TokenHash>,
    /// Where it ends: [`GOAL_CLIENT`], or one of our own pages by its name.
    pub goal: String,
    /// The client that made the authorization request; none for an attempt that ends at one of our own pages.
    pub client_id: Option<String>,
    /// The checked authorization request.
    pub request: String,
    /// The sign-in machine's state.
    pub state: String,
    /// Counts changes of the state.
    pub version: i64,
    /// When it began.
    #[sqlx(rename = "attempt_created_at")]
    pub created_at: Timestamp,
    /// When both steps were completed.
    pub completed_at: Option<Timestamp>,
    /// When the passkey ceremony was begun whose answer was posted last.
    pub ceremony_at: Option<Timestamp>,
}

/// The goal of an attempt that answers a client's authorization request.
pub const GOAL_CLIENT: &str = "client";

/// Adds an attempt; false when the same post has added it before.
pub async fn insert(sql: &mut impl Sql, new: &Attempt) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO attempts (id, browser, goal, client_id, request, state, version, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING")
        .bind(new.id)
        .bind(&new.browser)
        .bind(&new.goal)
        .bind(&new.client_id)
        .bind(&new.request)
        .bind(&new.state)
        .bind(new.version)
        .bind(new.created_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Columns of [`Attempt`].
macro_rules! attempt_columns {
    () => {
        "attempts.id AS attempt_id, attempts.browser, attempts.previous_browser, attempts.goal, attempts.client_id, \
         attempts.request, attempts.state, attempts.version, attempts.created_at AS attempt_created_at, \
         attempts.completed_at, attempts.ceremony_at"
    };
}

/// Looks an attempt up.
pub async fn by_id(sql: &mut impl Sql, id: AttemptId) -> Result<Option<Attempt>> {
    sql.q(concat!("SELECT ", attempt_columns!(), " FROM attempts WHERE attempts.id = $1"))
        .bind(id)
        .fetch_optional()
        .await
}

/// An attempt, and one of the open challenges of its browser.
#[derive(Clone, Debug, FromRow)]
struct AttemptWithChallenge {
    #[sqlx(flatten)]
    attempt: Attempt,
    #[sqlx(flatten)]
    challenge: OptionalRow<ChallengeWithUser>,
}

/// Looks an attempt up, with the open challenges of its browser for a purpose and their persons: one for each person, so
/// nearly always one.
pub async fn by_id_with_challenges(
    sql: &mut impl Sql,
    id: AttemptId,
    purpose: ChallengePurpose,
) -> Result<Option<(Attempt, Vec<ChallengeWithUser>)>> {
    let rows: Vec<AttemptWithChallenge> = sql
        .q(concat!(
            "SELECT ",
            attempt_columns!(),
            ", ",
            challenge_columns!(),
            ", ",
            with_password_columns!(),
            " FROM attempts LEFT JOIN email_challenges ON email_challenges.browser = attempts.browser \
             AND email_challenges.purpose = $2 AND email_challenges.completed_at IS NULL \
             AND email_challenges.superseded_at IS NULL \
             LEFT JOIN users ON users.id = email_challenges.user_id \
             LEFT JOIN passwords ON passwords.user_id = users.id WHERE attempts.id = $1"
        ))
        .bind(id)
        .bind(purpose.as_str())
        .fetch_all()
        .await?;
    let mut challenges = Vec::new();
    let mut found = None;
    for AttemptWithChallenge { attempt, challenge } in rows {
        found = Some(attempt);
        challenges.extend(challenge.0);
    }
    Ok(found.map(|attempt| (attempt, challenges)))
}

/// Claims the one answer to a passkey ceremony that was begun then; false when it, or a later one, was answered before.
pub async fn claim_ceremony(
    sql: &mut impl Sql,
    id: AttemptId,
    begun_at: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE attempts SET ceremony_at = $2
            WHERE id = $1 AND (ceremony_at IS NULL OR ceremony_at < $2)")
        .bind(id)
        .bind(begun_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Sets the next state, if no other request has since `version` was read. Clears the browser's previous value, which belongs
/// to the state that is replaced.
pub async fn advance(sql: &mut impl Sql, id: AttemptId, version: i64, state: &str) -> Result<bool> {
    let rows = sql
        .q("UPDATE attempts SET state = $3, version = version + 1, previous_browser = NULL
            WHERE id = $1 AND version = $2")
        .bind(id)
        .bind(version)
        .bind(state)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// The values of a browser before and after a completed sign-in.
#[derive(Clone, Copy, Debug)]
pub struct BrowserChange<'a> {
    /// The value that was posted with.
    pub from: &'a TokenHash,
    /// The value that replaces it.
    pub to: &'a TokenHash,
}

/// Completes an attempt and moves it to the browser's new value, if no other request has changed it since it was read.
pub async fn complete(
    sql: &mut impl Sql,
    attempt: &Attempt,
    state: &str,
    browser: BrowserChange<'_>,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE attempts SET state = $3, version = version + 1, completed_at = $4,
                                previous_browser = $5, browser = $6
            WHERE id = $1 AND version = $2")
        .bind(attempt.id)
        .bind(attempt.version)
        .bind(state)
        .bind(now)
        .bind(browser.from)
        .bind(browser.to)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// As [`complete`], and moves every other attempt of the browser's old value, too.
pub async fn complete_and_move(
    sql: &mut impl Sql,
    attempt: &Attempt,
    state: &str,
    browser: BrowserChange<'_>,
    now: Timestamp,
) -> Result<bool> {
    let moved: Vec<(AttemptId,)> = sql
        .q("UPDATE attempts SET browser = $6,
                                state = CASE WHEN id = $1 THEN $3 ELSE state END,
                                version = CASE WHEN id = $1 THEN version + 1 ELSE version END,
                                completed_at = CASE WHEN id = $1 THEN $4 ELSE completed_at END,
                                previous_browser = CASE WHEN id = $1 THEN $5 ELSE previous_browser END
            WHERE (id = $1 AND version = $2) OR (id <> $1 AND browser = $5)
            RETURNING id")
        .bind(attempt.id)
        .bind(attempt.version)
        .bind(state)
        .bind(now)
        .bind(browser.from)
        .bind(browser.to)
        .fetch_all()
        .await?;
    Ok(moved.contains(&(attempt.id,)))
}

/// Sets the next state of an open attempt and moves it to the browser's new value, if no other request has changed it since
/// it was read.
pub async fn advance_and_move(
    sql: &mut impl Sql,
    attempt: &Attempt,
    state: &str,
    browser: BrowserChange<'_>,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE attempts SET state = $3, version = version + 1, previous_browser = $4, browser = $5
            WHERE id = $1 AND version = $2")
        .bind(attempt.id)
        .bind(attempt.version)
        .bind(state)
        .bind(browser.from)
        .bind(browser.to)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Which attempts of a browser move to its new value.
#[derive(Clone, Copy, Debug)]
pub enum MoveScope {
    /// All: the old value was presented.
    All,
    /// This one, and those that have no previous value. The old value was not presented: a browser that has only the value
    /// before it does not get the attempts that were moved since.
    ThisAndUnmoved(AttemptId),
}

/// Moves attempts of a browser to its new value.
pub async fn move_browser(
    sql: &mut impl Sql,
    browser: BrowserChange<'_>,
    scope: MoveScope,
) -> Result<()> {
    let (all, own) = match scope {
        MoveScope::All => (true, None),
        MoveScope::ThisAndUnmoved(id) => (false, Some(id)),
    };
    sql.q("UPDATE attempts SET browser = $2
           WHERE browser = $1 AND ($3 OR id = $4 OR previous_browser IS NULL)")
        .bind(browser.from)
        .bind(browser.to)
        .bind(all)
        .bind(own)
        .execute()
        .await?;
    Ok(())
}

/// Deletes up to `limit` attempts that began before `before`; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM attempts WHERE id IN
           (SELECT id FROM attempts WHERE created_at < $1 ORDER BY created_at LIMIT $2)")
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
