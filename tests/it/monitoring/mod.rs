//! What operators see: metrics, readiness, traces, the request log, and documents that match them.

mod certificate;
mod documents;
mod invariant_check;
mod metrics;
mod promql_queries;
mod readiness;
mod request_log;
mod traces;
