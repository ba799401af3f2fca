//! Profiles: what kind of program a client is. A profile is a row of a table, with the defaults of its clients and what they
//! cannot choose.

use keys::Algorithm;
use serde_json::Map;

use super::metadata::{
    ApplicationType, AuthMethod, GrantType, Metadata, ResponseType, SubjectType, names,
};

names! {
    /// What kind of program a client is.
    Profile {
        /// A server that can keep a secret.
        Web = "web",
        /// A program in the browser (a single-page app): no secret.
        Spa = "spa",
        /// An app on people's own machines or phones (RFC 8252): no secret, free loopback ports, private schemes.
        Native = "native",
    }
}

/// A row of the table.
struct ProfileSpec {
    /// The type of its clients; decides which redirect URIs they may have.
    application_type: ApplicationType,
    /// The method of a client that requests none.
    auth_method: AuthMethod,
    /// What its clients may use at the token endpoint.
    grant_types: &'static [GrantType],
}

impl Profile {
    const fn spec(self) -> ProfileSpec {
        let grant_types = &[GrantType::AuthorizationCode];
        match self {
            Self::Web => ProfileSpec {
                application_type: ApplicationType::Web,
                auth_method: AuthMethod::Basic,
                grant_types,
            },
            Self::Spa => ProfileSpec {
                application_type: ApplicationType::Web,
                auth_method: AuthMethod::None,
                grant_types,
            },
            Self::Native => ProfileSpec {
                application_type: ApplicationType::Native,
                auth_method: AuthMethod::None,
                grant_types,
            },
        }
    }

    /// `application_type` of its clients.
    pub(super) const fn application_type(self) -> ApplicationType {
        self.spec().application_type
    }

    /// The metadata that a client of this profile starts with. What no profile decides has its default in RFC 7591 or OpenID
    /// Connect.
    pub(super) fn defaults(self, client_name: &str) -> Metadata {
        let row = self.spec();
        let grant_types = row.grant_types.to_vec();
        let has_codes = grant_types.contains(&GrantType::AuthorizationCode);
        Metadata {
            client_name: client_name.to_owned(),
            application_type: row.application_type,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            token_endpoint_auth_method: row.auth_method,
            grant_types,
            // The two lists must agree (RFC 7591, section 2.1).
            response_types: if has_codes { vec![ResponseType::Code] } else { Vec::new() },
            subject_type: SubjectType::Pairwise,
            id_token_signed_response_alg: Algorithm::RS256,
            policy_uri: None,
            other: Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The defaults in which the profiles differ.
    #[test]
    fn defaults_of_each_profile() {
        for (profile, name, application_type, auth_method) in [
            (Profile::Web, "web", "web", "client_secret_basic"),
            (Profile::Spa, "spa", "web", "none"),
            (Profile::Native, "native", "native", "none"),
        ] {
            assert_eq!((profile.as_str(), Profile::parse(name)), (name, Some(profile)));
            let document: Value = serde_json::to_value(profile.defaults("lab")).unwrap();
            assert_eq!(
                document,
                json!({
                    "client_name": "lab",
                    "application_type": application_type,
                    "redirect_uris": [],
                    "post_logout_redirect_uris": [],
                    "token_endpoint_auth_method": auth_method,
                    "grant_types": ["authorization_code"],
                    "response_types": ["code"],
                    "subject_type": "pairwise",
                    "id_token_signed_response_alg": "RS256",
                }),
                "{name}"
            );
        }
        assert_eq!(Profile::ALL.len(), 3, "each profile has a line here");
    }
}
