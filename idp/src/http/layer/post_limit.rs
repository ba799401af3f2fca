//! The limit on posts of networks, before anything is hashed (decision 4).

use flows::{
    Trace,
    network::{self, Crowded},
};
use keys::Guest;

use crate::{
    app::App,
    http::{error::Failure, login::password, routes::Route},
};

/// What became of a post.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum Counted {
    /// It is counted, and within the limit.
    Within,
    /// It is counted, and its network had too many. It is not refused here, because a known device is heard all the same,
    /// and what it is the form says.
    Over(Crowded),
    /// It is a password, and just now nobody new would be heard. Whoever is turned away has to cost little (decision 17), so
    /// the form is read first, and counted unless that is all that happens.
    NotYet,
}

/// Counts a post. Nobody may post without a network: unknown means refuse, not skip (misuse case 51).
pub(super) async fn count(app: &App, route: &Route, trace: &Trace) -> Result<Counted, Failure> {
    if trace.network.is_none() {
        return Err(Failure::UnknownNetwork);
    }
    if route.path == password::PATH && app.hasher.is_full(Guest::Stranger) {
        return Ok(Counted::NotYet);
    }
    let crowded = network::post(&app.cx(trace.clone())).await?;
    Ok(crowded.map_or(Counted::Within, Counted::Over))
}
