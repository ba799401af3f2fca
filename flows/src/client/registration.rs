//! Adding and changing clients, each change with its row of the trail. A change is in force on every replica within two
//! seconds.

use keys::{Algorithm, OpaqueToken};
use store::Tx;

use super::{BadClient, Client, Metadata, check};
use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
};

/// Adds a client. If its method needs a secret and it has none, it gets a new one, which is returned to be shown once, and
/// stored hashed.
pub async fn add(
    cx: &Cx,
    authority: &ChangeAuthority,
    client: Client,
) -> Result<Result<Option<OpaqueToken>, BadClient>> {
    let mut client = match check::check_and_complete(client) {
        Ok(client) => client,
        Err(bad) => return Ok(Err(bad)),
    };
    let takes_secret = client.metadata.token_endpoint_auth_method.has_secret();
    let given = client.secret.take().filter(|_| takes_secret);
    let issued = (takes_secret && given.is_none()).then(|| OpaqueToken::generate(&cx.rng));
    client.secret = given.or(issued.as_ref().map(OpaqueToken::hash));
    let row = client.to_row(cx.now)?;
    cx.db
        .write(async |tx| {
            if !store::client::insert(tx, &row).await? {
                return Ok(Err(BadClient::IdTaken(row.id.clone())));
            }
            let entry =
                audit::AuditEntry::done(event::ClientAdded {}).by(authority).client(&row.id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(issued))
        })
        .await
}

/// Why a client cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientChangeError {
    /// No client has that id.
    #[error("there is no client called {0}")]
    Unknown(String),
    /// A public client (RFC 6749, section 2.1).
    #[error("{0} is a public client: it has no secret to replace")]
    Public(String),
    /// The client has a value that this build does not know.
    #[error("{0} cannot be changed by this build: {1}")]
    Unusable(String, String),
    /// The changed client would break the rules of registration.
    #[error(transparent)]
    Bad(#[from] BadClient),
}

/// A change without further detail in the trail.
const EMPTY_CHANGE: event::ClientChanged =
    event::ClientChanged { id_token_signed_response_alg: None, before: None, client_secret: None };

/// Sets the redirect URIs of a client, as `dev` does when its portal gets another port.
pub async fn set_redirects(
    cx: &Cx,
    authority: &ChangeAuthority,
    id: &str,
    redirect_uris: &[String],
    post_logout_redirect_uris: &[String],
) -> Result<Result<(), ClientChangeError>> {
    let edit = |metadata: &mut Metadata| {
        metadata.redirect_uris = redirect_uris.to_vec();
        metadata.post_logout_redirect_uris = post_logout_redirect_uris.to_vec();
    };
    cx.db
        .write(async |tx| {
            if let Err(why) = edit_metadata(tx, id, edit).await? {
                return Ok(Err(why));
            }
            let entry = audit::AuditEntry::done(EMPTY_CHANGE).by(authority).client(id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(()))
        })
        .await
}

/// Sets the signature algorithm of a client's tokens (`id_token_signed_response_alg`).
pub async fn set_algorithm(
    cx: &Cx,
    authority: &ChangeAuthority,
    id: &str,
    algorithm: Algorithm,
) -> Result<Result<(), ClientChangeError>> {
    let edit = |metadata: &mut Metadata| metadata.id_token_signed_response_alg = algorithm;
    cx.db
        .write(async |tx| {
            let before = match edit_metadata(tx, id, edit).await? {
                Ok(before) => before.id_token_signed_response_alg,
                Err(why) => return Ok(Err(why)),
            };
            let changed = event::ClientChanged {
                id_token_signed_response_alg: Some(algorithm),
                before: Some(before),
                ..EMPTY_CHANGE
            };
            let entry = audit::AuditEntry::done(changed).by(authority).client(id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(()))
        })
        .await
}

/// Edits the metadata of a client; returns the previous ones. The document is written only if it is still the one that was
/// read, so that no concurrent change is lost.
async fn edit_metadata(
    tx: &mut Tx,
    id: &str,
    edit: impl Fn(&mut Metadata),
) -> Result<Result<Metadata, ClientChangeError>> {
    // A further turn means that another change was committed first.
    loop {
        let Some(row) = store::client::get(tx, id).await? else {
            return Ok(Err(ClientChangeError::Unknown(id.to_owned())));
        };
        let mut client = match Client::from_row(&row) {
            Ok(client) => client,
            Err(why) => return Ok(Err(ClientChangeError::Unusable(row.id, why.to_string()))),
        };
        let before = client.metadata.clone();
        edit(&mut client.metadata);
        if let Err(bad) = check::check(&client) {
            return Ok(Err(bad.into()));
        }
        let text = serde_json::to_string(&client.metadata)?;
        if store::client::replace_metadata(tx, &row, &text).await? {
            return Ok(Ok(before));
        }
    }
}

/// Replaces a client's secret; returns the new one, which is shown once and stored hashed. The old one is refused on every
/// replica within two seconds. Sessions, codes and tokens of people stay as they are.
pub async fn rotate_secret(
    cx: &Cx,
    authority: &ChangeAuthority,
    id: &str,
) -> Result<Result<OpaqueToken, ClientChangeError>> {
    let secret = OpaqueToken::generate(&cx.rng);
    cx.db
        .write(async |tx| {
            if !store::client::set_secret(tx, id, &secret.hash()).await? {
                return Ok(Err(match store::client::get(tx, id).await? {
                    Some(_) => ClientChangeError::Public(id.to_owned()),
                    None => ClientChangeError::Unknown(id.to_owned()),
                }));
            }
            let changed = event::ClientChanged { client_secret: Some("replaced"), ..EMPTY_CHANGE };
            let entry = audit::AuditEntry::done(changed).by(authority).client(id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(secret))
        })
        .await
}
