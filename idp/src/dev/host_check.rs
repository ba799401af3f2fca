//! The check of the Host header at listeners of `dev`. Without it, any web site could let its own name resolve to this
//! machine and read the mailbox (DNS rebinding).

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use url::Url;

use crate::config::same_authority;

/// Refuses requests with any other Host.
pub(super) fn require_host(router: Router, address: &Url) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::new(address.clone()), check))
}

async fn check(State(address): State<Arc<Url>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if host.is_some_and(|host| same_authority(&address, host)) {
        next.run(request).await
    } else {
        let authority = address.authority();
        let text = format!("This is a development server: open http://{authority}\n");
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    }
}
