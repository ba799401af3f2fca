//! The Host that a listener of `dev` knows: without it, any web page could have a name of its own point here and read the
//! mailbox (DNS rebinding).

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

/// Refuses every other Host.
pub(super) fn require_host(router: Router, authority: &str) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::<str>::from(authority), check))
}

async fn check(State(authority): State<Arc<str>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if host.is_some_and(|host| host.eq_ignore_ascii_case(&authority)) {
        next.run(request).await
    } else {
        let text = format!("This is a development server: open http://{authority}\n");
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    }
}
