//! Clients (relying parties): what is registered, and the snapshot that requests look them up in.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use keys::{Algorithm, OpaqueToken};
use store::{Sql, TokenHash, client::ClientRow, user::User};
use url::Url;

use crate::{Cx, Result, audit};

/// A registered client.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties of a registration")]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// Name that people see.
    pub name: String,
    /// SHA-256 of the secret; none for a public client.
    pub secret: Option<TokenHash>,
    /// `token_endpoint_auth_method`.
    pub auth_method: AuthMethod,
    /// Registered redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Registered post-logout redirect URIs.
    pub post_logout_redirect_uris: Vec<String>,
    /// Whether a request without PKCE is refused.
    pub pkce_required: bool,
    /// Whether consent is skipped.
    pub first_party: bool,
    /// Whether loopback ports are free (RFC 8252, section 7.3).
    pub native: bool,
    /// Whether every client sees the same `sub`.
    pub public_subject: bool,
    /// Sector of pairwise subjects.
    pub sector: String,
    /// `id_token_signed_response_alg`.
    pub id_token_alg: Algorithm,
}

/// How a client shows who it is at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// HTTP Basic (RFC 6749, section 2.3.1).
    Basic,
    /// In the form body.
    Post,
    /// Not at all: a public client.
    None,
}

impl AuthMethod {
    /// Name in metadata and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::None => "none",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Basic, Self::Post, Self::None].into_iter().find(|method| method.as_str() == text)
    }
}

impl Client {
    /// The person's `sub` for this client (OpenID Connect Core 1.0, section 8): 256 bits that no two sectors share.
    #[must_use]
    pub fn subject(&self, subject: &str, pairwise_seed: &str) -> String {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        if self.public_subject {
            return subject.to_owned();
        }
        let digest = keys::hash_text(&format!("{pairwise_seed}|{}", self.sector));
        BASE64_URL_SAFE_NO_PAD.encode(digest.as_bytes())
    }

    /// [`Client::subject`] of a person's row.
    #[must_use]
    pub fn subject_of(&self, user: &User) -> String {
        self.subject(&user.subject, &user.pairwise_seed)
    }

    /// Origins from which its pages may call the token endpoint and userinfo: those of its redirect URIs, if it is a public
    /// client that runs in a browser and not on the machine.
    fn browser_origins(&self) -> Vec<String> {
        if self.secret.is_some() || self.native {
            return Vec::new();
        }
        let origins = self.redirect_uris.iter().filter_map(|uri| Url::parse(uri).ok());
        origins
            .map(|url| url.origin().ascii_serialization())
            .filter(|origin| origin != "null")
            .collect()
    }

    /// Reads a row.
    ///
    /// # Errors
    /// A value that this build does not know, or values that contradict each other: the client is refused.
    fn from_row(row: &ClientRow) -> Result<Self, store::Error> {
        let corrupt = |column: &'static str, why: String| store::Error::Corrupt {
            table: "clients",
            column,
            id: row.id.clone(),
            why,
        };
        let list = |column, json: &str| {
            serde_json::from_str(json).map_err(|error| corrupt(column, error.to_string()))
        };
        let auth_method = AuthMethod::parse(&row.auth_method)
            .ok_or_else(|| corrupt("auth_method", "unknown".to_owned()))?;
        let is_public = auth_method == AuthMethod::None;
        if is_public != row.secret.is_none() {
            return Err(corrupt("secret", "does not go with auth_method".to_owned()));
        }
        if is_public && !row.pkce_required {
            return Err(corrupt(
                "pkce_required",
                "a client without a secret must use PKCE".to_owned(),
            ));
        }
        Ok(Self {
            auth_method,
            redirect_uris: list("redirect_uris", &row.redirect_uris)?,
            post_logout_redirect_uris: list(
                "post_logout_redirect_uris",
                &row.post_logout_redirect_uris,
            )?,
            id_token_alg: row
                .id_token_alg
                .parse()
                .map_err(|_| corrupt("id_token_alg", "unknown".to_owned()))?,
            public_subject: match row.subject_type.as_str() {
                "public" => true,
                "pairwise" => false,
                _ => return Err(corrupt("subject_type", "unknown".to_owned())),
            },
            id: row.id.clone(),
            name: row.name.clone(),
            secret: row.secret.clone(),
            pkce_required: row.pkce_required,
            first_party: row.first_party,
            native: row.native,
            sector: row.sector.clone(),
        })
    }
}

/// A snapshot of every client, so that the sign-in page opens when the database is busy.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    by_id: HashMap<String, Arc<Client>>,
    /// Origins of public clients that run in a browser.
    origins: HashSet<String>,
    unusable: usize,
}

impl Clients {
    /// Reads every client. One that this build cannot read, as a newer one may have written it, is refused like one that is
    /// not registered; the others are not touched by it.
    pub async fn load(sql: &mut impl Sql) -> Result<Self> {
        let mut clients = Self::default();
        for row in store::client::all(sql).await? {
            match Client::from_row(&row) {
                Ok(client) => {
                    clients.origins.extend(client.browser_origins());
                    clients.by_id.insert(row.id, Arc::new(client));
                }
                Err(error) => {
                    clients.unusable += 1;
                    tracing::error!(%error, "alarm: this build cannot use a client, and refuses it");
                }
            }
        }
        Ok(clients)
    }

    /// How many clients this build cannot use.
    #[must_use]
    pub const fn unusable(&self) -> usize {
        self.unusable
    }

    /// Whether a page of this origin is a registered client that calls us from the browser.
    #[must_use]
    pub fn has_browser_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }

    /// Looks a client up.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Client>> {
        self.by_id.get(id)
    }

    /// Every client, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.by_id.values()
    }
}

/// A client to be added.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// `client_id`.
    pub id: String,
    /// Name that people see.
    pub name: String,
    /// How it shows who it is.
    pub auth_method: AuthMethod,
    /// Redirect URIs.
    pub redirect_uris: Vec<String>,
    /// Post-logout redirect URIs.
    pub post_logout_redirect_uris: Vec<String>,
    /// Whether PKCE may be left out; only for a confidential client.
    pub pkce_optional: bool,
    /// Whether it belongs to whoever runs this provider.
    pub first_party: bool,
    /// Whether it runs on people's own machines.
    pub native: bool,
    /// Signature of its ID tokens.
    pub id_token_alg: Algorithm,
    /// Its secret if it has one already; a confidential client without gets a new one.
    pub secret: Option<OpaqueToken>,
}

/// Why a client cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadClient {
    /// The id is taken.
    #[error("there is a client called {0} already")]
    Taken(String),
    /// The id has characters that do not travel well.
    #[error("a client id is 1 to 64 letters, digits, dots, dashes or underscores")]
    Id,
    /// No redirect URI.
    #[error("at least one --redirect-uri is needed")]
    NoRedirect,
    /// A redirect URI that cannot be trusted.
    #[error("{0}: {1}")]
    Redirect(String, &'static str),
    /// A public client without PKCE.
    #[error("a client without a secret must use PKCE (RFC 9700, section 2.1.1)")]
    PublicWithoutPkce,
    /// Pairwise subjects need one sector.
    #[error(
        "redirect URIs of several hosts: a client that is not first-party gets pairwise subjects, and these need one host \
         (OpenID Connect Core, section 8.1)"
    )]
    Sectors,
}

/// Adds a client; returns its secret, which is shown once and stored hashed.
pub async fn add(cx: &Cx, new: NewClient) -> Result<Result<Option<OpaqueToken>, BadClient>> {
    let sector = match check(&new) {
        Ok(sector) => sector,
        Err(bad) => return Ok(Err(bad)),
    };
    let secret = (new.auth_method != AuthMethod::None)
        .then(|| new.secret.unwrap_or_else(|| OpaqueToken::generate(&cx.rng)));
    let row = ClientRow {
        id: new.id.clone(),
        name: new.name,
        secret: secret.as_ref().map(OpaqueToken::hash),
        auth_method: new.auth_method.as_str().to_owned(),
        redirect_uris: serde_json::to_string(&new.redirect_uris)?,
        post_logout_redirect_uris: serde_json::to_string(&new.post_logout_redirect_uris)?,
        pkce_required: !new.pkce_optional,
        first_party: new.first_party,
        native: new.native,
        subject_type: if new.first_party { "public" } else { "pairwise" }.to_owned(),
        sector,
        id_token_alg: new.id_token_alg.to_string(),
        created_at: cx.now,
    };
    cx.db
        .write(async |tx| {
            if !store::client::insert(tx, &row).await? {
                return Ok(Err(BadClient::Taken(row.id.clone())));
            }
            audit::record(cx, tx, audit::Entry::new(audit::Event::ClientAdded).client(&row.id))
                .await?;
            Ok(Ok(secret))
        })
        .await
}

/// Gives a client other addresses, as `dev` does when its portal gets another port.
pub async fn set_redirects(
    cx: &Cx,
    id: &str,
    redirect_uris: &[String],
    post_logout_redirect_uris: &[String],
) -> Result<()> {
    let redirect_uris = serde_json::to_string(redirect_uris)?;
    let post_logout_redirect_uris = serde_json::to_string(post_logout_redirect_uris)?;
    cx.db
        .write(async |tx| {
            store::client::set_redirects(tx, id, &redirect_uris, &post_logout_redirect_uris)
                .await?;
            audit::record(cx, tx, audit::Entry::new(audit::Event::ClientChanged).client(id)).await
        })
        .await
}

/// Gives a client another signature of its tokens (`id_token_signed_response_alg`); false when there is no such client. It is
/// in force on every replica within two seconds.
pub async fn set_algorithm(cx: &Cx, id: &str, algorithm: Algorithm) -> Result<bool> {
    let before = cx.clients.get(id).map(|client| client.id_token_alg.as_str());
    cx.db
        .write(async |tx| {
            if !store::client::set_algorithm(tx, id, algorithm.as_str()).await? {
                return Ok(false);
            }
            let detail = serde_json::json!({
                "id_token_signed_response_alg": algorithm.as_str(), "before": before,
            });
            let entry = audit::Entry::new(audit::Event::ClientChanged).client(id).detail(detail);
            audit::record(cx, tx, entry).await?;
            Ok(true)
        })
        .await
}

/// Why a client's secret cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// Nobody has that id.
    #[error("there is no client called {0}")]
    Unknown(String),
    /// A public client (RFC 6749, section 2.1).
    #[error("{0} is a public client: it has no secret to replace")]
    Public(String),
}

/// Replaces a client's secret; returns the new one, which is shown once and stored hashed. The old one is refused on every
/// replica within two seconds. Sessions, codes and tokens of people stay as they are.
pub async fn rotate_secret(cx: &Cx, id: &str) -> Result<Result<OpaqueToken, NoSecret>> {
    match cx.clients.get(id) {
        None => return Ok(Err(NoSecret::Unknown(id.to_owned()))),
        Some(client) if client.secret.is_none() => return Ok(Err(NoSecret::Public(id.to_owned()))),
        Some(_) => {}
    }
    let secret = OpaqueToken::generate(&cx.rng);
    cx.db
        .write(async |tx| {
            if !store::client::set_secret(tx, id, &secret.hash()).await? {
                return Ok(Err(NoSecret::Unknown(id.to_owned())));
            }
            let detail = serde_json::json!({ "client_secret": "replaced" });
            let entry = audit::Entry::new(audit::Event::ClientChanged).client(id).detail(detail);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(secret))
        })
        .await
}

fn check(new: &NewClient) -> Result<String, BadClient> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if new.id.is_empty() || new.id.len() > 64 || !new.id.chars().all(plain) {
        return Err(BadClient::Id);
    }
    if new.pkce_optional && new.auth_method == AuthMethod::None {
        return Err(BadClient::PublicWithoutPkce);
    }
    if new.redirect_uris.is_empty() {
        return Err(BadClient::NoRedirect);
    }
    let mut hosts = Vec::new();
    for uri in &new.redirect_uris {
        let url =
            check_redirect(uri, new.native).map_err(|why| BadClient::Redirect(uri.clone(), why))?;
        hosts.extend(url.host_str().map(str::to_owned));
    }
    for uri in &new.post_logout_redirect_uris {
        check_redirect(uri, new.native).map_err(|why| BadClient::Redirect(uri.clone(), why))?;
    }
    hosts.sort();
    hosts.dedup();
    match hosts.as_slice() {
        [host] if !new.native => Ok(host.clone()),
        _ if new.native || new.first_party => Ok(new.id.clone()),
        _ => Err(BadClient::Sectors),
    }
}

/// RFC 9700, section 2.6: https, or http on loopback; a private scheme only for native clients (RFC 8252, section 7.1).
fn check_redirect(uri: &str, native: bool) -> Result<Url, &'static str> {
    let url = Url::parse(uri).map_err(|_| "not an absolute URI")?;
    if url.fragment().is_some() {
        return Err("a redirect URI has no fragment (RFC 6749, section 3.1.2)");
    }
    if !url.username().is_empty() || url.password().is_some() || uri.contains(['\\', ' ']) {
        return Err("a redirect URI has no user name, space or backslash");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("http is only for loopback; use https"),
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" => {
            Err("this scheme cannot be a redirect URI")
        }
        scheme if native && scheme.contains('.') => Ok(url),
        _ if native => Err("a private scheme is a reversed domain name, such as org.example.app"),
        _ => Err("only https, or http on loopback; a private scheme needs --profile native"),
    }
}

/// Whether an address stays on the person's own machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
