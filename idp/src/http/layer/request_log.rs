//! The one log line of a request.

use axum::http::{Method, StatusCode};
use flows::{Trace, observer::ClientSlot};
use store::Timestamp;

use super::span;
use crate::{http::error::Failure, metrics::known_method};

/// What is logged about a request, besides its result.
pub(super) struct RequestLog {
    /// A known method, or `other`: text of the client is not logged.
    method: &'static str,
    /// The path in the list of routes, without the client's values.
    path: &'static str,
    started: Timestamp,
    /// Set by the flow that identifies the client.
    pub(super) client_slot: ClientSlot,
}

impl RequestLog {
    pub(super) fn begin(path: &'static str, method: &Method, started: Timestamp) -> Self {
        Self { method: known_method(method), path, started, client_slot: ClientSlot::default() }
    }

    /// Writes the line. An OAuth error is logged like a success.
    pub(super) fn end(
        &self,
        now: Timestamp,
        trace: &Trace,
        status: StatusCode,
        failure: Option<&Failure>,
    ) {
        let millis = u64::try_from(now.since(self.started).as_millis()).unwrap_or(u64::MAX);
        let Self { method, path, .. } = self;
        let (status, reference, client) =
            (status.as_u16(), &trace.reference, self.client_slot.get());
        let network = &trace.client_address_text();
        span::record_identity(reference, client);
        match failure {
            Some(failure) if failure.is_server_error() => {
                let error = failure.detail();
                tracing::error!(
                    method,
                    path,
                    status,
                    millis,
                    reference,
                    network,
                    client,
                    error,
                    "request failed"
                );
            }
            None | Some(Failure::OAuth(_)) => {
                tracing::info!(method, path, status, millis, reference, network, client, "request");
            }
            Some(failure) => {
                let why = failure.detail();
                tracing::info!(
                    method,
                    path,
                    status,
                    millis,
                    reference,
                    network,
                    client,
                    why,
                    "request refused"
                );
            }
        }
    }
}
