//! Scopes, and the claims that each opens at the userinfo endpoint (OpenID Connect Core 1.0, section 5.4).

use openidconnect::core::CoreClaimName;
use serde_json::{Map, Value};

use crate::token::Principal;

/// `scopes_supported`, in the order in which they are granted.
pub const SCOPES: [&str; 5] = ["openid", "profile", "email", "address", "phone"];

const PROFILE: [&str; 12] = [
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
];

/// `claims_supported`.
#[must_use]
pub(crate) fn supported() -> Vec<CoreClaimName> {
    let own =
        ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "name"];
    let others = [
        "updated_at",
        "email",
        "email_verified",
        "address",
        "phone_number",
        "phone_number_verified",
    ];
    own.into_iter()
        .chain(PROFILE)
        .chain(others)
        .map(|name| CoreClaimName::new(name.to_owned()))
        .collect()
}

/// The userinfo response: `sub`, and the claims of the granted scopes. Empty claims are omitted (section 5.3.2).
#[must_use]
pub fn userinfo(principal: &Principal) -> Map<String, Value> {
    let user = principal.user();
    let stored: Map<String, Value> = serde_json::from_str(&user.claims).unwrap_or_default();
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), principal.subject().into());
    let mut copy = |names: &[&str]| {
        for name in names {
            if let Some(value) = stored.get(*name).filter(|value| !is_empty(value)) {
                claims.insert((*name).to_owned(), value.clone());
            }
        }
    };
    for scope in principal.scopes() {
        match scope {
            "profile" => copy(&PROFILE),
            "address" => copy(&["address"]),
            "phone" => copy(&["phone_number", "phone_number_verified"]),
            _ => {}
        }
    }
    if principal.has_scope("profile") {
        if !user.name.is_empty() {
            claims.insert("name".to_owned(), user.name.clone().into());
        }
        claims.insert("updated_at".to_owned(), user.updated_at.seconds().into());
    }
    if let Some(email) = &user.email
        && principal.has_scope("email")
    {
        claims.insert("email".to_owned(), email.clone().into());
        claims.insert("email_verified".to_owned(), user.email_verified.into());
    }
    claims
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_str().is_some_and(str::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}
