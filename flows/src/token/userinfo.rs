//! The userinfo endpoint (OpenID Connect Core 1.0, section 5.3).

use serde_json::{Map, Value};

use super::principal::principal;
use crate::{Cx, Result, claims};

/// Claims of the person, or nothing when the token is not good (any more).
pub async fn userinfo(cx: &Cx, token: &str) -> Result<Option<Map<String, Value>>> {
    let found = principal(cx, token).await?;
    Ok(found
        .map(|found| claims::userinfo(&found.rests_on.user, found.token.sub, &found.token.scope)))
}
