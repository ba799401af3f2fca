//! The limit on posts of networks, before anything is hashed (decision 4).

use flows::{Trace, network};
use keys::Guest;

use crate::{
    app::App,
    http::{error::Failure, extract::Counted, login::password, routes::Route},
};

/// Counts a post. Nobody may post without a network: unknown means refuse, not skip (misuse case 51).
pub(super) async fn posts(app: &App, route: &Route, trace: &Trace) -> Result<Counted, Failure> {
    if trace.network.is_none() {
        return Err(Failure::UnknownNetwork);
    }
    if route.path == password::PATH && app.hasher.is_full(Guest::Stranger) {
        return Ok(Counted::NotYet);
    }
    let crowded = network::post(&app.cx(trace.clone())).await?;
    Ok(crowded.map_or(Counted::Within, Counted::Over))
}
