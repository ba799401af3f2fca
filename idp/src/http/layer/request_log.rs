//! The one log line of a request.

use std::borrow::Cow;

use axum::http::{Method, StatusCode};
use flows::{Trace, observer::ClientSlot};
use store::Timestamp;

use super::span;
use crate::{http::error::Failure, metrics::known_method};

/// What is logged about a request, besides its result.
pub(super) struct RequestLog {
    /// A known method, or `other`: text of the client is not logged.
    method: &'static str,
    /// The path in the list of routes, without the client's values; of a path without a route what [`clean_path`] leaves.
    path: Cow<'static, str>,
    started: Timestamp,
    /// Whether every caller gets this answer: one without a failure is logged at `debug`, because writing the line
    /// costs more than the answer.
    is_constant: bool,
    /// Set by the flow that identifies the client.
    pub(super) client_slot: ClientSlot,
}

impl RequestLog {
    pub(super) fn begin(
        path: Cow<'static, str>,
        is_constant: bool,
        method: &Method,
        started: Timestamp,
    ) -> Self {
        let (method, client_slot) = (known_method(method), ClientSlot::default());
        Self { method, path, started, is_constant, client_slot }
    }

    /// Writes the line. An OAuth error is logged like a success.
    pub(super) fn end(
        &self,
        now: Timestamp,
        trace: &Trace,
        status: StatusCode,
        failure: Option<&Failure>,
    ) {
        let (reference, client) = (&trace.reference, self.client_slot.get());
        span::record_identity(reference, client);
        let is_quiet = self.is_constant && failure.is_none();
        if is_quiet && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let millis = u64::try_from(now.since(self.started).as_millis()).unwrap_or(u64::MAX);
        let (method, path) = (self.method, &*self.path);
        let (status, network) = (status.as_u16(), &trace.client_address_text());
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
            None if is_quiet => {
                tracing::debug!(
                    method, path, status, millis, reference, network, client, "request"
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

/// The most characters of a path without a route that are logged.
const PATH_SHOWN: usize = 48;
/// A longer segment of it may be a token, one with more digits a number of a person or a code.
const SEGMENT_SHOWN: usize = 24;
const DIGITS_SHOWN: usize = 3;

/// The beginning of a path without a route, so that an operator sees what is asked for. It is text of the client: a segment
/// that looks like anything but a name of a file or folder is replaced.
pub(super) fn clean_path(path: &str) -> String {
    let segments = path.split('/').map(|segment| if is_plain(segment) { segment } else { "?" });
    let mut clean = segments.collect::<Vec<_>>().join("/");
    if clean.len() > PATH_SHOWN {
        clean.truncate(PATH_SHOWN);
        clean.push_str("..");
    }
    clean
}

fn is_plain(segment: &str) -> bool {
    segment.len() <= SEGMENT_SHOWN
        && segment.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
        && segment.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_SHOWN
}

#[cfg(test)]
mod tests {
    use super::clean_path;

    #[test]
    fn unknown_path_is_cut_and_cleaned() {
        for (path, logged) in [
            ("/", "/"),
            ("/favicon.ico", "/favicon.ico"),
            ("/oauth2/token/", "/oauth2/token/"),
            ("/wp-login.php", "/wp-login.php"),
            ("/LOGIN/password", "/?/password"),
            ("/anna.walker@example.nz", "/?"),
            ("/code/184266", "/code/?"),
            ("/a\nrequest \u{1b}[31m", "/?"),
            ("/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIx/me", "/?/me"),
            ("/abcdefghijklmnopqrstuvwxyz", "/?"),
        ] {
            assert_eq!(clean_path(path), logged, "{path}");
        }
        assert_eq!(clean_path(&"/x".repeat(500)), format!("{}..", "/x".repeat(24)));
    }
}
