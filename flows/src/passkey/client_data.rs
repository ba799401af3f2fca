//! The client data of a ceremony (WebAuthn Level 3, section 5.8.1), as far as the library does not check it.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<serde::de::IgnoredAny>,
}

/// Whether a ceremony happened in a window of our own, and not in a frame of another site's page.
pub(super) fn is_of_own_window(client_data_json: &[u8]) -> bool {
    serde_json::from_slice::<ClientData>(client_data_json)
        .is_ok_and(|found| !found.cross_origin && found.top_origin.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_frames_are_told_apart() {
        for (json, own) in [
            (r#"{"type":"webauthn.get","challenge":"AA","origin":"https://a"}"#, true),
            (r#"{"crossOrigin":false}"#, true),
            (r#"{"crossOrigin":true}"#, false),
            (r#"{"crossOrigin":false,"topOrigin":"https://b"}"#, false),
            ("[]", false),
        ] {
            assert_eq!(is_of_own_window(json.as_bytes()), own, "{json}");
        }
    }
}
