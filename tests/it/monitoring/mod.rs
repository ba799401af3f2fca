//! What operators see: figures, readiness, traces, the line of each request, and that the documents say what there is.

mod certificate;
mod documents;
mod invariant_check;
mod metrics;
mod promql_queries;
mod readiness;
mod request_log;
mod traces;
