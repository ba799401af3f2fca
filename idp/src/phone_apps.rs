//! The files by which phones learn which apps may use passkeys of this provider: made once, from one list.

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::config::{AndroidApp, PasskeysConfig};

/// The path of Apple's file.
pub(crate) const APPLE: &str = "/.well-known/apple-app-site-association";
/// The path of Android's file.
pub(crate) const ANDROID: &str = "/.well-known/assetlinks.json";

/// Both files.
#[derive(Debug)]
pub(crate) struct PhoneAppFiles {
    pub(crate) apple: Bytes,
    pub(crate) android: Bytes,
}

impl PhoneAppFiles {
    /// The files of the configured apps.
    pub(crate) fn of(config: &PasskeysConfig) -> Self {
        Self {
            apple: apple(config).to_string().into(),
            android: android(config).to_string().into(),
        }
    }
}

/// `apple-app-site-association`: the apps that share credentials with this host.
pub(crate) fn apple(config: &PasskeysConfig) -> Value {
    json!({ "webcredentials": { "apps": config.apple_apps } })
}

/// `assetlinks.json` (Digital Asset Links): passkeys need the first relation, passwords the second.
pub(crate) fn android(config: &PasskeysConfig) -> Value {
    let statement = |app: &AndroidApp| {
        let prints: Vec<String> = app.certificates.iter().map(|print| fingerprint(print)).collect();
        json!({
            "relation": [
                "delegate_permission/common.handle_all_urls",
                "delegate_permission/common.get_login_creds",
            ],
            "target": {
                "namespace": "android_app",
                "package_name": app.package,
                "sha256_cert_fingerprints": prints,
            },
        })
    };
    Value::Array(config.android_apps.iter().map(statement).collect())
}

fn fingerprint(octets: &[u8]) -> String {
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02X}")).collect();
    octets.join(":")
}
