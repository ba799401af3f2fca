//! The limit on posts of networks, before anything is hashed (decision 4).

use flows::{
    Trace,
    network::{self, Crowded},
};

use crate::{app::App, http::error::Failure};

/// Counts a post. Nobody may post without a network: unknown means refuse, not skip (misuse case 51). Too many are not
/// refused here, because a known device is heard all the same, and what it is the form says.
pub(super) async fn posts(app: &App, trace: &Trace) -> Result<Option<Crowded>, Failure> {
    if trace.network.is_none() {
        return Err(Failure::UnknownNetwork);
    }
    Ok(network::post(&app.cx(trace.clone())).await?)
}
