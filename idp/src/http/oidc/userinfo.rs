//! `/oauth2/userinfo`: the access token comes in the header, or in the form body of a POST (RFC 6750, section 2).

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use flows::token;

use crate::http::{
    error::Failure,
    extract::{Ask, Form},
};

pub(in crate::http) async fn get(headers: HeaderMap, ask: Ask) -> Result<Response, Failure> {
    answer(&ask, bearer(&headers)).await
}

pub(in crate::http) async fn post(
    headers: HeaderMap,
    ask: Ask,
    form: Result<Form, Failure>,
) -> Result<Response, Failure> {
    let form = match form {
        Ok(form) => Some(form),
        // A body of another kind has no token in it; there may be one in the header.
        Err(Failure::NotAForm) => None,
        Err(failure) => return Err(failure),
    };
    let body = form.as_ref().and_then(|form| form.0.get("access_token"));
    match (bearer(&headers), body) {
        (Some(_), Some(_)) => Ok(challenge(StatusCode::BAD_REQUEST, Some("invalid_request"))),
        (header, body) => answer(&ask, header.or(body)).await,
    }
}

async fn answer(ask: &Ask, token: Option<&str>) -> Result<Response, Failure> {
    let Some(token) = token else { return Ok(challenge(StatusCode::UNAUTHORIZED, None)) };
    Ok(match token::userinfo(&ask.cx, token).await? {
        Some(claims) => Json(claims).into_response(),
        None => challenge(StatusCode::UNAUTHORIZED, Some("invalid_token")),
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// RFC 6750, section 3.
fn challenge(status: StatusCode, error: Option<&str>) -> Response {
    let value = match error {
        Some(error) => format!("Bearer realm=\"userinfo\", error=\"{error}\""),
        None => "Bearer realm=\"userinfo\"".to_owned(),
    };
    (status, [(header::WWW_AUTHENTICATE, value)]).into_response()
}
