//! The extractor of routes that are called with an access token: in the header, or in the form body of a POST (RFC 6750,
//! section 2). Never in the query, which ends up in logs (RFC 9700, section 4.3.2).

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, Method, header},
};
use flows::{
    actor::Actor,
    token::{self, Principal},
};

use super::{Form, context::RequestContext};
use crate::{
    app::App,
    http::{error::Failure, oauth_error::BearerError, route::Caller},
};

/// A call with an access token that was issued for the scope of the route.
#[derive(Debug)]
pub(in crate::http) struct BearerCall {
    /// What the token proves.
    pub(in crate::http) principal: Principal,
}

impl FromRequest<App> for BearerCall {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let context = RequestContext::from_extensions(request.extensions())?;
        let Caller::Bearer(scope) = context.route.caller else {
            return Err(Failure::Internal("the route is not called with a token".to_owned()));
        };
        let cx = context.cx(app, Actor::Person);
        let presented = presented_token(request, app).await?;
        let principal =
            token::verify_access_token(&cx, &presented).await?.ok_or(BearerError::Invalid)?;
        if !principal.has_scope(scope) {
            return Err(BearerError::InsufficientScope(scope).into());
        }
        Ok(Self { principal })
    }
}

/// The token of a request, which may present it in one way only.
async fn presented_token(request: Request, app: &App) -> Result<String, Failure> {
    let in_header = in_header(request.headers()).map(str::to_owned);
    let in_body =
        if request.method() == Method::POST { in_body(request, app).await? } else { None };
    match (in_header, in_body) {
        (Some(_), Some(_)) => Err(BearerError::Repeated.into()),
        (header, body) => header.or(body).ok_or_else(|| BearerError::Missing.into()),
    }
}

fn in_header(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn in_body(request: Request, app: &App) -> Result<Option<String>, Failure> {
    match Form::from_request(request, app).await {
        Ok(Form(params)) if params.duplicate().is_some() => Err(BearerError::Repeated.into()),
        Ok(Form(params)) => Ok(params.get("access_token").map(str::to_owned)),
        // A body of another kind has no token in it; there may be one in the header.
        Err(Failure::NotAForm) => Ok(None),
        Err(failure) => Err(failure),
    }
}
