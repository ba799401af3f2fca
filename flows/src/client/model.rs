//! A client, in its registration and in requests.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use store::{Timestamp, TokenHash, client::ClientRow};
use url::Url;

use super::{
    metadata::{
        ApplicationType, AuthMethod, GrantType, Metadata, OperatorPolicy, Pkce, ResponseType,
        SubjectType,
    },
    profile::Profile,
    redirect_uri,
};

/// A client: a registered one, or one that is to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// What kind of program it is.
    pub profile: Profile,
    /// What it says about itself.
    pub metadata: Metadata,
    /// What the operator decided about it.
    pub operator: OperatorPolicy,
    /// SHA-256 of its secret; none for a public client.
    pub secret: Option<TokenHash>,
}

impl Client {
    /// A new client with the defaults of its profile: without redirect URIs and without a secret, with its id as its name.
    #[must_use]
    pub fn new(id: &str, profile: Profile) -> Self {
        Self {
            id: id.to_owned(),
            profile,
            metadata: profile.defaults(id),
            operator: OperatorPolicy::new(id),
            secret: None,
        }
    }

    /// Whether it authenticates (RFC 6749, section 2.1).
    #[must_use]
    pub(crate) fn is_confidential(&self) -> bool {
        self.metadata.token_endpoint_auth_method != AuthMethod::None
    }

    /// Whether it may authenticate in this way.
    pub(crate) fn accepts_auth_method(&self, method: AuthMethod) -> bool {
        let registered = self.metadata.token_endpoint_auth_method;
        registered == method
            || !self.operator.auth_method_pinned && registered.has_secret() && method.has_secret()
    }

    /// Whether it runs on the person's own machine (RFC 8252).
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.metadata.application_type == ApplicationType::Native
    }

    /// Whether it has registered this redirect URI.
    pub(crate) fn has_redirect_uri(&self, given: &str) -> bool {
        let Metadata { redirect_uris, application_type, .. } = &self.metadata;
        redirect_uris.iter().any(|uri| redirect_uri::is_same(uri, given, *application_type))
    }

    /// Whether it may use this at the token endpoint.
    pub(crate) fn has_grant_type(&self, grant_type: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant_type)
    }

    /// Whether it may use this at the authorization endpoint.
    pub(crate) fn has_response_type(&self, response_type: ResponseType) -> bool {
        self.metadata.response_types.contains(&response_type)
    }

    /// The person's `sub` for this client (OpenID Connect Core 1.0, section 8): 256 bits that no two sectors share.
    #[must_use]
    pub fn subject(&self, subject: &str, pairwise_seed: &str) -> String {
        match self.metadata.subject_type {
            SubjectType::Public => subject.to_owned(),
            SubjectType::Pairwise => {
                let digest = keys::hash_text(&format!("{pairwise_seed}|{}", self.operator.sector));
                BASE64_URL_SAFE_NO_PAD.encode(digest.as_bytes())
            }
        }
    }

    /// Origins from which its pages may call the token endpoint and userinfo: those of its redirect URIs, if it is a public
    /// client that runs in a browser and not on the machine.
    pub(super) fn browser_origins(&self) -> Vec<String> {
        if self.is_confidential() || self.is_native() {
            return Vec::new();
        }
        let uris = self.metadata.redirect_uris.iter().filter_map(|uri| Url::parse(uri).ok());
        uris.map(|url| url.origin().ascii_serialization())
            .filter(|origin| origin != "null")
            .collect()
    }

    /// Parses a row.
    ///
    /// # Errors
    /// A value that this build does not know, or values that contradict each other: the client is refused.
    pub(super) fn from_row(row: &ClientRow) -> Result<Self, store::Error> {
        let client = Self {
            id: row.id.clone(),
            profile: Profile::parse(&row.profile)
                .ok_or_else(|| corrupt(row, "profile", format!("unknown: {}", row.profile)))?,
            metadata: document(row, "metadata", &row.metadata)?,
            operator: document(row, "operator", &row.operator)?,
            secret: row.secret_1.clone(),
        };
        match client.contradiction() {
            Some((column, why)) => Err(corrupt(row, column, why.to_owned())),
            None => Ok(client),
        }
    }

    /// A combination that no registration writes: its column and the reason.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let method = self.metadata.token_endpoint_auth_method;
        if self.metadata.application_type != self.profile.application_type() {
            Some(("metadata", "application_type is not that of the profile"))
        } else if method.has_secret() != self.secret.is_some() {
            Some(("secret_1", "does not go with token_endpoint_auth_method"))
        } else if !self.is_confidential() && self.operator.pkce != Pkce::Required {
            Some(("operator", "a client without a secret must use PKCE"))
        } else {
            None
        }
    }

    /// The row of a client that is to be added or changed.
    pub(super) fn to_row(&self, created_at: Timestamp) -> Result<ClientRow, serde_json::Error> {
        Ok(ClientRow {
            id: self.id.clone(),
            profile: self.profile.as_str().to_owned(),
            metadata: serde_json::to_string(&self.metadata)?,
            operator: serde_json::to_string(&self.operator)?,
            secret_1: self.secret.clone(),
            created_at,
        })
    }
}

fn document<T: DeserializeOwned>(
    row: &ClientRow,
    column: &'static str,
    text: &str,
) -> Result<T, store::Error> {
    serde_json::from_str(text).map_err(|error| corrupt(row, column, error.to_string()))
}

fn corrupt(row: &ClientRow, column: &'static str, why: String) -> store::Error {
    store::Error::Corrupt { table: "clients", column, id: row.id.clone(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> ClientRow {
        let mut client = Client::new("lab", Profile::Native);
        client.metadata.redirect_uris = vec!["org.example.lab:/callback".to_owned()];
        client.to_row(Timestamp::from_millis(7)).unwrap()
    }

    #[test]
    fn row_is_read_as_written() {
        let (row, mut client) = (row(), Client::new("lab", Profile::Native));
        client.metadata.redirect_uris = vec!["org.example.lab:/callback".to_owned()];
        assert_eq!(Client::from_row(&row).unwrap(), client);
        client.metadata.token_endpoint_auth_method = AuthMethod::Post;
        client.secret = Some(keys::hash_text("a secret"));
        let row = client.to_row(Timestamp::from_millis(7)).unwrap();
        assert_eq!(Client::from_row(&row).unwrap(), client);
    }

    #[test]
    fn unreadable_row_names_its_column() {
        let web = Client::new("lab", Profile::Spa).to_row(Timestamp::from_millis(7)).unwrap();
        let optional = row().operator.replace("required", "optional");
        for (row, column) in [
            (ClientRow { profile: "kiosk".to_owned(), ..row() }, "column profile"),
            (ClientRow { metadata: "{".to_owned(), ..row() }, "column metadata"),
            (ClientRow { metadata: web.metadata, ..row() }, "application_type"),
            (ClientRow { operator: "[]".to_owned(), ..row() }, "column operator"),
            (ClientRow { secret_1: Some(keys::hash_text("a secret")), ..row() }, "secret_1"),
            (ClientRow { operator: optional, ..row() }, "must use PKCE"),
        ] {
            let why = Client::from_row(&row).unwrap_err().to_string();
            assert!(why.contains("row lab of clients") && why.contains(column), "{why}");
        }
    }

    #[test]
    fn browser_origins_need_public_web_client() {
        let origins = |profile, auth_method| {
            let mut client = Client::new("lab", profile);
            client.metadata.token_endpoint_auth_method = auth_method;
            client.metadata.redirect_uris =
                vec!["https://lab.example:8443/callback".to_owned(), "lab.example:/x".to_owned()];
            client.browser_origins()
        };
        assert_eq!(origins(Profile::Spa, AuthMethod::None), ["https://lab.example:8443"]);
        assert_eq!(origins(Profile::Web, AuthMethod::None), ["https://lab.example:8443"]);
        assert!(origins(Profile::Spa, AuthMethod::Basic).is_empty());
        assert!(origins(Profile::Native, AuthMethod::None).is_empty());
    }

    #[test]
    fn secret_is_sent_by_either_method() {
        let accepted = |registered, pinned| {
            let mut client = Client::new("lab", Profile::Web);
            client.metadata.token_endpoint_auth_method = registered;
            client.operator.auth_method_pinned = pinned;
            AuthMethod::ALL
                .iter()
                .copied()
                .filter(|method| client.accepts_auth_method(*method))
                .collect::<Vec<_>>()
        };
        let either = [AuthMethod::Basic, AuthMethod::Post];
        for registered in either {
            assert_eq!(accepted(registered, false), either);
            assert_eq!(accepted(registered, true), [registered]);
        }
        for pinned in [false, true] {
            assert_eq!(accepted(AuthMethod::None, pinned), [AuthMethod::None]);
        }
    }

    #[test]
    fn subject_depends_on_type_and_sector() {
        let mut client = Client::new("lab", Profile::Web);
        let own = client.subject("subject", "seed");
        assert_eq!(own.len(), 43);
        client.operator.sector = "lab.example".to_owned();
        assert_ne!(client.subject("subject", "seed"), own);
        client.metadata.subject_type = SubjectType::Public;
        assert_eq!(client.subject("subject", "seed"), "subject");
    }
}
