//! Security headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::{
    csp,
    route::{Audience, Policy},
};

const COMMON_HEADERS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const PAGE_HEADERS: [(HeaderName, &str); 5] = [
    // Not `no-referrer`: with it a browser posts our own forms with `Origin: null` (Fetch, "append a request Origin
    // header"), and one without Fetch metadata could not sign in. No other origin gets a referrer (decision 22).
    (header::REFERRER_POLICY, "same-origin"),
    (header::CONTENT_SECURITY_POLICY, csp::POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Sets `X-Request-Id` to the reference, which log and audit trail have too.
pub(super) fn set_request_id(headers: &mut HeaderMap, reference: &str) {
    if let Ok(value) = HeaderValue::try_from(reference) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}

/// Sets the headers that the handler has not set.
pub(super) fn set_security_headers(headers: &mut HeaderMap, policy: Policy, https: bool) {
    if policy.audience == Audience::People {
        for (name, value) in &PAGE_HEADERS {
            set_if_absent(headers, name, value);
        }
    }
    for (name, value) in &COMMON_HEADERS {
        set_if_absent(headers, name, value);
    }
    if !policy.is_constant {
        set_if_absent(headers, &header::CACHE_CONTROL, "no-store");
    }
    if https {
        set_if_absent(
            headers,
            &header::STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        );
    }
}

fn set_if_absent(headers: &mut HeaderMap, name: &HeaderName, value: &'static str) {
    if !headers.contains_key(name) {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
}
