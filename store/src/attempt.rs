//! Attempts: one authorization request in one browser, until it ends. The state is changed by compare-and-set only.

use sqlx::FromRow;

use crate::{AttemptId, Result, Sql, Timestamp, TokenHash};

/// An attempt's row. `request` and `state` are JSON that only `flows` reads.
#[derive(Clone, Debug, FromRow)]
pub struct Attempt {
    /// Id; a name, not a secret.
    pub id: AttemptId,
    /// The browser that owns it.
    pub browser: TokenHash,
    /// The browser value under which it was completed.
    pub previous_browser: Option<TokenHash>,
    /// Where it ends: [`AT_CLIENT`], or a page of ours by its name.
    pub goal: String,
    /// The client that sent the person over; none for an attempt that ends at a page of ours.
    pub client_id: Option<String>,
    /// The checked authorization request.
    pub request: String,
    /// The sign-in machine's state.
    pub state: String,
    /// Counts changes of the state.
    pub version: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When both steps were completed.
    pub completed_at: Option<Timestamp>,
}

/// The goal of an attempt that answers a client's authorization request.
pub const AT_CLIENT: &str = "client";

/// Adds an attempt; false when the same post made it before.
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
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Looks an attempt up.
pub async fn by_id(sql: &mut impl Sql, id: AttemptId) -> Result<Option<Attempt>> {
    sql.q("SELECT id, browser, previous_browser, goal, client_id, request, state, version, created_at, completed_at
           FROM attempts WHERE id = $1")
        .bind(id)
        .opt()
        .await
}

/// Sets the next state if nobody did since `version` was read. A value that the browser had before is forgotten with the
/// state that it led to.
pub async fn advance(sql: &mut impl Sql, id: AttemptId, version: i64, state: &str) -> Result<bool> {
    let rows = sql
        .q("UPDATE attempts SET state = $3, version = version + 1, previous_browser = NULL
            WHERE id = $1 AND version = $2")
        .bind(id)
        .bind(version)
        .bind(state)
        .exec()
        .await?;
    Ok(rows == 1)
}

/// The two values that a browser has around a completed sign-in.
#[derive(Clone, Copy, Debug)]
pub struct BrowserChange<'a> {
    /// Value that posted.
    pub from: &'a TokenHash,
    /// Value that it gets.
    pub to: &'a TokenHash,
}

/// Completes an attempt and hands it to the browser's new value, if nobody changed it since `version` was read.
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
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Hands an open attempt with its next state to the browser's new value, if nobody changed it since `version` was read.
pub async fn hand_over(
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
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Which attempts of a browser move to its new value.
#[derive(Clone, Copy, Debug)]
pub enum Moves {
    /// All: the old value was presented.
    All,
    /// This one, and those that no earlier value has led on. The old value was not presented: whoever knows only the one
    /// before it does not get what was handed over since.
    Along(AttemptId),
}

/// Moves attempts of a browser to its new value.
pub async fn move_browser(
    sql: &mut impl Sql,
    browser: BrowserChange<'_>,
    moves: Moves,
) -> Result<()> {
    let (all, own) = match moves {
        Moves::All => (true, None),
        Moves::Along(id) => (false, Some(id)),
    };
    sql.q("UPDATE attempts SET browser = $2
           WHERE browser = $1 AND ($3 OR id = $4 OR previous_browser IS NULL)")
        .bind(browser.from)
        .bind(browser.to)
        .bind(all)
        .bind(own)
        .exec()
        .await?;
    Ok(())
}

/// Deletes up to `most` attempts that began before `before`; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, most: i64) -> Result<u64> {
    sql.q("DELETE FROM attempts WHERE id IN
           (SELECT id FROM attempts WHERE created_at < $1 ORDER BY created_at LIMIT $2)")
        .bind(before)
        .bind(most)
        .exec()
        .await
}
