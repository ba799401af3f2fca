//! `/oauth2/userinfo`.

use axum::Json;
use flows::claims;
use serde_json::{Map, Value};

use crate::http::extract::BearerCall;

pub(in crate::http) async fn userinfo(call: BearerCall) -> Json<Map<String, Value>> {
    Json(claims::userinfo(&call.principal))
}
