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

/// Counts a post. Nobody may post without a network: unknown means refuse, not skip (misuse case 51). Too many are not
/// refused here, because a known device is heard all the same, and what it is the form says.
///
/// A password is not counted while strangers have no seat in the hashing pool: whoever sends it is turned away, and has to
/// cost little (decision 17). One that is heard all the same, because a seat came free in that moment, counts as a failure
/// of its network until it is none.
pub(super) async fn posts(
    app: &App,
    route: &Route,
    trace: &Trace,
) -> Result<Option<Crowded>, Failure> {
    if trace.network.is_none() {
        return Err(Failure::UnknownNetwork);
    }
    if route.path == password::PATH && app.hasher.is_full(Guest::Stranger) {
        return Ok(None);
    }
    Ok(network::post(&app.cx(trace.clone())).await?)
}
