//! Scopes, and the claims that each opens at the userinfo endpoint (OpenID Connect Core 1.0, section 5.4).

use openidconnect::core::CoreClaimName;
use serde_json::{Map, Value};
use store::{Timestamp, UserId};

use crate::{Cx, Result, token::Principal};

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
    let person = PersonalData {
        name: &user.name,
        email: user.email.as_deref(),
        email_verified: user.email_verified,
        claims: serde_json::from_str(&user.claims).unwrap_or_default(),
        updated_at: user.updated_at,
    };
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), principal.subject().into());
    for scope in principal.scopes() {
        claims.extend(person.claims_of(scope));
    }
    claims
}

/// What each scope of a request would give to its client now, for the person who is asked.
pub async fn of_scopes<'s>(
    cx: &Cx,
    user: UserId,
    scopes: &'s [String],
) -> Result<Vec<(&'s str, Map<String, Value>)>> {
    let user = store::user::by_id(&mut cx.db.read().await?, user).await?;
    let person = user.as_ref().map(|user| PersonalData {
        name: &user.name,
        email: user.email.as_deref(),
        email_verified: user.email_verified,
        claims: serde_json::from_str(&user.claims).unwrap_or_default(),
        updated_at: user.updated_at,
    });
    let claims_of = |scope: &'s String| {
        let claims = person.as_ref().map(|person| person.claims_of(scope));
        (scope.as_str(), claims.unwrap_or_default())
    };
    Ok(scopes.iter().map(claims_of).collect())
}

/// What is stored of a person.
struct PersonalData<'a> {
    name: &'a str,
    email: Option<&'a str>,
    email_verified: bool,
    /// Further standard claims.
    claims: Map<String, Value>,
    updated_at: Timestamp,
}

impl PersonalData<'_> {
    /// The claims that a scope gives access to: the only text of it, for the page that asks and for the answer that gives.
    fn claims_of(&self, scope: &str) -> Map<String, Value> {
        match scope {
            "profile" => {
                let mut claims = self.stored(&PROFILE);
                if !self.name.is_empty() {
                    claims.insert("name".to_owned(), self.name.into());
                }
                claims.insert("updated_at".to_owned(), self.updated_at.seconds().into());
                claims
            }
            "email" => self.email.map_or_else(Map::new, |email| {
                let address = ("email".to_owned(), email.into());
                [address, ("email_verified".to_owned(), self.email_verified.into())]
                    .into_iter()
                    .collect()
            }),
            "address" => self.stored(&["address"]),
            "phone" => self.stored(&["phone_number", "phone_number_verified"]),
            _ => Map::new(),
        }
    }

    fn stored(&self, names: &[&str]) -> Map<String, Value> {
        let found = names.iter().filter_map(|name| {
            let value = self.claims.get(*name).filter(|value| !is_empty(value))?;
            Some(((*name).to_owned(), value.clone()))
        });
        found.collect()
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_str().is_some_and(str::is_empty)
        || value.as_object().is_some_and(Map::is_empty)
}
