//! A request that is in flight at the hard stop: its work is dropped, and it is answered all the same.

use axum::response::{IntoResponse, Response};
use store::CommitTracker;

use crate::{app::App, http::error::Failure};

/// The response of `work`. At a hard stop `work` is dropped, and the failure says what is certain: that nothing was done,
/// unless a commit had begun.
pub(super) async fn unless_hard_stopped(
    app: &App,
    work: impl Future<Output = Response>,
) -> Response {
    let commits = CommitTracker::default();
    tokio::select! {
        // A finished response is sent even at a hard stop.
        biased;
        response = commits.track(work) => return response,
        () = app.until_hard_stop() => {}
    }
    let why = "cancelled: this replica stops at once";
    let failure = if commits.cancel() {
        Failure::Unavailable(why.to_owned())
    } else {
        Failure::OutcomeUnknown(format!("{why}, after a commit was begun"))
    };
    failure.into_response()
}
