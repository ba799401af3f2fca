//! Security headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::{policy::POLICY, routes::Class};

const COMMON: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

const FOR_PEOPLE: [(HeaderName, &str); 5] = [
    // Not `no-referrer`: with it a browser posts our own forms with `Origin: null` (Fetch, "append a request Origin
    // header"), and one that knows no fetch metadata could not sign in. No other origin gets a referrer (decision 22).
    (header::REFERRER_POLICY, "same-origin"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// By which whoever sees an answer, but not our page, can ask about it: what it says is in the log and in the trail.
pub(super) fn identify(headers: &mut HeaderMap, reference: &str) {
    if let Ok(value) = HeaderValue::try_from(reference) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
}

/// Sets what the handler has not set itself.
pub(super) fn secure(headers: &mut HeaderMap, class: Class, https: bool) {
    if class.is_for_people() {
        for (name, value) in &FOR_PEOPLE {
            set(headers, name, value);
        }
    }
    for (name, value) in &COMMON {
        set(headers, name, value);
    }
    if class == Class::Document {
        // Metadata and keys are read by programs of any origin (OpenID Connect Discovery 1.0, section 4).
        set(headers, &header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        set(headers, &header::CACHE_CONTROL, "no-store");
    }
    if https {
        set(headers, &header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains");
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &'static str) {
    if !headers.contains_key(name) {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
}
