//! Who is heard although the network of the post has had too many (decision 4): somebody who can show more than a stranger.

use store::user::User;

use super::Due;
use crate::{
    Cx, Result,
    attempt::{self, Attempt, Found, Purpose, Visit},
    device, session,
};

/// The account that a post of a step is heard for, counted by its own number: this browser is a known device of it, or has
/// proven both steps.
pub async fn account(cx: &Cx, visit: &Visit, name: &str, due: Due) -> Result<Option<[u8; 32]>> {
    // At the second step nothing but a device tells somebody from a stranger, who asks the database nothing.
    if due == Due::Code && visit.devices.is_empty() {
        return Ok(None);
    }
    let mut conn = cx.db.read().await?;
    let Found::Own(attempt) = attempt::find(cx, &mut conn, visit, name).await? else {
        return Ok(None);
    };
    let Some((user, is_proven)) = person(cx, &mut conn, visit, &attempt).await? else {
        return Ok(None);
    };
    let canonical = &user.counted_as();
    let is_heard = is_proven || device::known(cx, &mut conn, visit, canonical).await?.is_some();
    Ok(is_heard.then(|| cx.root.lookup(canonical)))
}

/// Whom an attempt is about, and whether this browser has proven both steps: in the attempt, or before it, by the session
/// that the page was made for.
async fn person(
    cx: &Cx,
    sql: &mut impl store::Sql,
    visit: &Visit,
    attempt: &Attempt,
) -> Result<Option<(User, bool)>> {
    let (id, is_proven) = match attempt {
        Attempt::Row(loaded) => (loaded.state.user(), loaded.state.is_led_on()),
        Attempt::Sealed { purpose: Purpose::Ask, .. } => {
            let live = session::live(cx, sql, visit.session.as_ref()).await?;
            (live.map(|live| live.user_id), true)
        }
        Attempt::Sealed { .. } => (None, false),
    };
    let Some(id) = id else { return Ok(None) };
    Ok(store::user::by_id(sql, id).await?.map(|user| (user, is_proven)))
}
