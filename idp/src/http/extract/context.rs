//! What the layer around a route passes to its extractors.

use axum::http::Extensions;
use flows::{Cx, Trace, actor::Actor, network::RateLimited, observer::ClientSlot};

use crate::{
    app::App,
    http::{error::Failure, route::Route},
};

/// What the layer has found out about a request.
#[derive(Clone, Debug)]
pub(in crate::http) struct RequestContext {
    /// The route.
    pub(in crate::http) route: &'static Route,
    /// Reference and client address.
    pub(in crate::http) trace: Trace,
    /// Where a flow notes which client the request is about.
    pub(in crate::http) client_slot: ClientSlot,
    /// The state of its network's limit, if it is a post that counts.
    pub(in crate::http) post_count: Option<PostCount>,
}

/// The state of a network's limit after a post.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum PostCount {
    /// Within its limit.
    WithinLimit,
    /// Beyond its limit. The post is not refused yet: posts of a known device have a limit of their own, and only the form
    /// has the account for which the device is known.
    OverLimit(RateLimited),
    /// Not counted yet: the post needs the hashing pool, which is full. Rejecting it must be cheap (decision 17), so its
    /// form is read first, and it is counted unless it is rejected for that.
    Deferred,
}

impl RequestContext {
    /// The context of a request; an error outside the layer.
    pub(super) fn from_extensions(extensions: &Extensions) -> Result<&Self, Failure> {
        let missing = || Failure::Internal("a handler outside the layer of its route".to_owned());
        extensions.get().ok_or_else(missing)
    }

    /// The context of the flow, with the actor of its rows in the audit trail.
    pub(super) fn cx(&self, app: &App, actor: Actor) -> Cx {
        let trace = Trace { actor, ..self.trace.clone() };
        Cx { client_slot: self.client_slot.clone(), ..app.cx(trace) }
    }
}
