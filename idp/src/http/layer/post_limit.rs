//! The limit on posts of networks, before anything is hashed (decision 4).

use flows::{Trace, network};

use crate::{
    app::App,
    http::{error::Failure, extract::PostCount, route::Route},
};

/// Counts a post. A post from an unknown network is refused (misuse case 51).
pub(super) async fn count_post(
    app: &App,
    route: &Route,
    trace: &Trace,
) -> Result<PostCount, Failure> {
    if trace.client_address.is_none() {
        return Err(Failure::UnknownNetwork);
    }
    let cx = app.cx(trace.clone());
    let needs_hashing = route.step.is_some_and(|step| step.needs_hashing);
    if needs_hashing && app.hasher.is_full(network::hashing_caller(&cx, None)) {
        return Ok(PostCount::Deferred);
    }
    let rate_limited = network::count_post(&cx).await?;
    Ok(rate_limited.map_or(PostCount::WithinLimit, PostCount::OverLimit))
}
