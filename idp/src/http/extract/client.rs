//! The extractor of routes that clients call: a client that has authenticated, and the parameters of its request.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use flows::{
    Cx,
    actor::Actor,
    client_auth::{self, AuthenticatedClient, Credentials},
    request::Params,
};

use super::{Form, context::RequestContext};
use crate::{app::App, http::error::Failure};

/// A call of a client.
#[derive(Debug)]
pub(in crate::http) struct ClientCall {
    /// The context.
    pub(in crate::http) cx: Cx,
    /// The client.
    pub(in crate::http) client: AuthenticatedClient,
    /// Its parameters, without duplicates.
    pub(in crate::http) params: Params,
}

impl FromRequest<App> for ClientCall {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let cx = RequestContext::from_extensions(request.extensions())?.cx(app, Actor::Client);
        let credentials = credentials(request.headers());
        let Form(params) = Form::from_request(request, app).await?;
        let client = client_auth::authenticate(&cx, &credentials, &params).await??;
        Ok(Self { cx, client, params })
    }
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let authorization = headers.get(header::AUTHORIZATION);
    Credentials::parse(authorization.map(|value| value.to_str().unwrap_or_default()))
}
