//! The two documents of a client, as they are stored: what it says about itself, and what the operator decided about it.
//!
//! A member that this build does not know is kept, so that a change by this build loses nothing that a newer one wrote. A
//! value that it does not know makes the document unreadable, and its client is refused: the value may require what this
//! build cannot do. A new member is a field here and a default in `profile.rs`; it also needs `#[serde(default)]`, because
//! older documents do not have it.

use keys::Algorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// Defines an enum of names that occur in a document, from one list of them.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$value_doc])* #[serde(rename = $text)] $value,)*
        }

        impl $name {
            /// Every value, in the order of the provider's metadata.
            pub const ALL: &[Self] = &[$(Self::$value,)*];

            /// Its name in a document.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }

            /// Parses the name of a value.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }
    )*};
}
pub(super) use names;

names! {
    /// `token_endpoint_auth_method`: how a client authenticates at the endpoints that it calls (RFC 7591, section 2).
    AuthMethod {
        /// HTTP Basic (RFC 6749, section 2.3.1).
        Basic = "client_secret_basic",
        /// Id and secret in the form body.
        Post = "client_secret_post",
        /// Not at all: a public client.
        None = "none",
    }

    /// A value of `grant_types` (RFC 7591, section 2).
    GrantType {
        /// An authorization code (RFC 6749, section 4.1).
        AuthorizationCode = "authorization_code",
    }

    /// A value of `response_types` (RFC 7591, section 2).
    ResponseType {
        /// An authorization code (RFC 6749, section 4.1.1).
        Code = "code",
    }

    /// `subject_type` (OpenID Connect Core 1.0, section 8).
    SubjectType {
        /// Every client sees the same `sub`.
        Public = "public",
        /// Each sector sees a `sub` of its own.
        Pairwise = "pairwise",
    }

    /// `application_type` (OpenID Connect Dynamic Client Registration 1.0, section 2).
    ApplicationType {
        /// On a server or in a browser.
        Web = "web",
        /// On the person's own machine (RFC 8252): loopback ports are free, private schemes are permitted.
        Native = "native",
    }

    /// Whether an authorization request needs a PKCE challenge (RFC 7636).
    Pkce {
        /// A request without one is refused.
        Required = "required",
        /// A request may have one.
        Optional = "optional",
    }
}

impl AuthMethod {
    /// Whether a client of this method has a secret.
    #[must_use]
    pub(crate) const fn has_secret(self) -> bool {
        match self {
            Self::Basic | Self::Post => true,
            Self::None => false,
        }
    }
}

/// What a client says about itself: the members of RFC 7591 (section 2), OpenID Connect Dynamic Client Registration 1.0
/// (section 2) and RP-Initiated Logout 1.0 (section 3.1), under their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Name that people see.
    pub client_name: String,
    /// Determined by the profile.
    pub application_type: ApplicationType,
    /// Registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Where people may be redirected after they signed out.
    pub post_logout_redirect_uris: Vec<String>,
    /// How it authenticates. A client with a secret may use either method of sending it, unless
    /// [`OperatorPolicy::auth_method_pinned`].
    pub token_endpoint_auth_method: AuthMethod,
    /// What it may use at the token endpoint.
    pub grant_types: Vec<GrantType>,
    /// What it may use at the authorization endpoint.
    pub response_types: Vec<ResponseType>,
    /// Determined by [`OperatorPolicy::first_party`] at the registration, and kept: another one would change the `sub` of
    /// every person.
    pub subject_type: SubjectType,
    /// Signature of its tokens.
    pub id_token_signed_response_alg: Algorithm,
    /// Where it says what it does with personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Members that this build does not know.
    #[serde(flatten)]
    pub(super) other: Map<String, Value>,
}

impl Metadata {
    /// `policy_uri` as a link on our pages: the client's word, so nothing but https.
    #[must_use]
    pub fn privacy_link(&self) -> Option<&str> {
        self.policy_uri.as_deref().filter(|uri| {
            Url::parse(uri).is_ok_and(|url| {
                url.scheme() == "https" && url.username().is_empty() && url.password().is_none()
            })
        })
    }
}

/// What the operator decided about a client. It shares no member with [`Metadata`]: what a client says about itself never
/// sets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorPolicy {
    /// Whether the operator runs it: no consent page, and a `sub` that all such clients share.
    pub first_party: bool,
    /// Optional only for a confidential client.
    pub pkce: Pkce,
    /// Sector of pairwise subjects (OpenID Connect Core 1.0, section 8.1). It is decided once: another one would change
    /// the `sub` of every person.
    pub sector: String,
    /// Whether a client with a secret must send it by `token_endpoint_auth_method`. Otherwise it may use either method:
    /// libraries have different defaults, and the secret is the same. Older documents do not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auth_method_pinned: bool,
    /// Members that this build does not know.
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl OperatorPolicy {
    /// The strictest policy: consent is requested, PKCE is required, and the client is a sector of its own.
    pub(super) fn new(sector: &str) -> Self {
        let sector = sector.to_owned();
        Self {
            first_party: false,
            pkce: Pkce::Required,
            sector,
            auth_method_pinned: false,
            other: Map::new(),
        }
    }

    /// `subject_type` of a client that is registered: first-party clients share a `sub`, any other client gets one of its own.
    pub(super) const fn subject_type(&self) -> SubjectType {
        if self.first_party { SubjectType::Public } else { SubjectType::Pairwise }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata() -> Value {
        json!({
            "client_name": "The lab",
            "application_type": "web",
            "redirect_uris": ["https://lab.example/callback"],
            "post_logout_redirect_uris": ["https://lab.example/signed-out"],
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "subject_type": "pairwise",
            "id_token_signed_response_alg": "ES256",
        })
    }

    fn operator() -> Value {
        json!({ "first_party": false, "pkce": "optional", "sector": "lab.example" })
    }

    #[test]
    fn full_documents_are_written_as_read() {
        let (client, by_operator) = (metadata(), operator());
        let read: Metadata = serde_json::from_value(client.clone()).unwrap();
        assert_eq!(read.token_endpoint_auth_method, AuthMethod::Post);
        assert_eq!(read.id_token_signed_response_alg, Algorithm::ES256);
        assert_eq!(serde_json::to_value(&read).unwrap(), client);
        let read: OperatorPolicy = serde_json::from_value(by_operator.clone()).unwrap();
        assert_eq!((read.pkce, read.sector.as_str()), (Pkce::Optional, "lab.example"));
        assert!(!read.auth_method_pinned, "a document from before the member");
        assert_eq!(serde_json::to_value(&read).unwrap(), by_operator);
        let mut pinned = by_operator;
        pinned["auth_method_pinned"] = true.into();
        let read: OperatorPolicy = serde_json::from_value(pinned.clone()).unwrap();
        assert!(read.auth_method_pinned);
        assert_eq!(serde_json::to_value(&read).unwrap(), pinned);
    }

    #[test]
    fn unknown_members_are_written_as_read() {
        let (mut client, mut by_operator) = (metadata(), operator());
        client["jwks"] = json!({ "keys": [{ "kty": "EC", "x5t#S256": "é\n" }] });
        client["client_name#mi"] = json!("Te taiwhanga");
        client["next_number"] = json!(18_446_744_073_709_551_615_u64);
        by_operator["next_flag"] = Value::Null;
        let text = client.to_string();
        let read: Metadata = serde_json::from_str(&text).unwrap();
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), client);
        let read: OperatorPolicy = serde_json::from_value(by_operator.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), by_operator);
    }

    #[test]
    fn unknown_values_make_documents_unreadable() {
        for (member, value) in [
            ("client_name", json!(["a list"])),
            ("application_type", json!("kiosk")),
            ("redirect_uris", json!("https://lab.example/callback")),
            ("post_logout_redirect_uris", json!([1])),
            ("token_endpoint_auth_method", json!("private_key_jwt")),
            ("token_endpoint_auth_method", json!("CLIENT_SECRET_POST")),
            ("grant_types", json!(["authorization_code", "refresh_token"])),
            ("response_types", json!(["code id_token"])),
            ("subject_type", json!("ephemeral")),
            ("id_token_signed_response_alg", json!("none")),
        ] {
            let mut document = metadata();
            document[member] = value;
            assert!(serde_json::from_value::<Metadata>(document).is_err(), "{member}");
        }
        for (member, value) in
            [("first_party", json!("yes")), ("pkce", json!("plain")), ("sector", Value::Null)]
        {
            let mut document = operator();
            document[member] = value;
            assert!(serde_json::from_value::<OperatorPolicy>(document).is_err(), "{member}");
        }
    }

    #[test]
    fn missing_or_repeated_members_are_unreadable() {
        for member in metadata().as_object().unwrap().keys() {
            let mut document = metadata();
            document.as_object_mut().unwrap().remove(member);
            assert!(serde_json::from_value::<Metadata>(document).is_err(), "{member}");
        }
        for member in operator().as_object().unwrap().keys() {
            let mut document = operator();
            document.as_object_mut().unwrap().remove(member);
            assert!(serde_json::from_value::<OperatorPolicy>(document).is_err(), "{member}");
        }
        let text = operator().to_string().replacen('{', r#"{"first_party":true,"#, 1);
        assert!(serde_json::from_str::<OperatorPolicy>(&text).is_err(), "{text}");
    }

    #[test]
    fn names_are_read_as_written() {
        for method in AuthMethod::ALL {
            assert_eq!(AuthMethod::parse(method.as_str()), Some(*method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
        assert_eq!(AuthMethod::parse("Basic"), None);
        for algorithm in Algorithm::ALL {
            assert_eq!(serde_json::to_value(algorithm).unwrap(), algorithm.as_str());
        }
    }
}
