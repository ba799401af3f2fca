//! A request that is in flight at the hard stop: its work is dropped, and it is answered all the same.

use axum::response::{IntoResponse, Response};
use store::CommitTracker;

use crate::{app::App, http::error::Failure};

/// The answer of `work`; or, when the replica must end first, what is certain about work that was dropped: that nothing
/// was done, unless it had come to a commit.
pub(super) async fn unless_hard_stopped(
    app: &App,
    work: impl Future<Output = Response>,
) -> Response {
    let commits = CommitTracker::default();
    tokio::select! {
        // An answer that is there is given.
        biased;
        response = commits.track(work) => return response,
        () = app.until_hard_stop() => {}
    }
    let why = "given up: this replica stops at once";
    let failure = if commits.has_begun() {
        Failure::OutcomeUnknown(format!("{why}, after a commit was begun"))
    } else {
        Failure::Unavailable(why.to_owned())
    };
    failure.into_response()
}
