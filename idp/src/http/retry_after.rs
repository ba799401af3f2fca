//! `Retry-After` (RFC 9110, section 10.2.3), of every answer that has it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

/// Says after which time a request is worth trying again.
pub(super) fn set_retry_after(headers: &mut HeaderMap, wait: Duration) {
    headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
}

/// Rounded up, so that a request at that time is granted; never 0, which a program would read as "at once, again and
/// again".
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_rounded_up_to_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis}");
        }
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
