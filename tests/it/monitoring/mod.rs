//! What operators see: figures, readiness, traces, the line of each request, and that the documents say what there is.

mod certificate;
mod documents;
mod figures;
mod lines;
mod proof;
mod ready;
mod selectors;
mod traces;
