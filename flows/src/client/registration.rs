//! Adding, changing and removing clients, each with its row of the trail. A change is in force on every replica within two
//! seconds.

use keys::{Algorithm, OpaqueToken};
use serde_json::{Map, Value, json};
use store::{
    Tx,
    client::{ClientRange, ClientRow, ClientTable},
};
use uuid::Uuid;

use super::{
    BadClient, Client, check,
    metadata::{AuthMethod, Pkce},
    profile::Profile,
};
use crate::{
    Cx, Result,
    audit::{self, event},
    change_authority::ChangeAuthority,
};

/// Rows of a client that one transaction deletes.
const BATCH: i64 = 1_000;

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
            let entry = audit::AuditEntry::done(event::ClientAdded {})
                .by(authority)
                .client(row.id.as_str());
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
const EMPTY_CHANGE: event::ClientChanged = event::ClientChanged {
    id_token_signed_response_alg: None,
    before: None,
    client_secret: None,
    changes: None,
};

/// How a client may authenticate, as an operator asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethodChoice {
    /// By its secret, sent by either method.
    AnySecret,
    /// By this method alone.
    Only(AuthMethod),
}

impl AuthMethodChoice {
    /// Puts it into the documents of a client.
    pub fn apply_to(self, client: &mut Client) {
        let method = &mut client.metadata.token_endpoint_auth_method;
        match self {
            // As a new client has it, also after another method was pinned.
            Self::AnySecret => *method = AuthMethod::Basic,
            Self::Only(only) => *method = only,
        }
        client.operator.auth_method_pinned = matches!(self, Self::Only(only) if only.has_secret());
    }
}

/// What of a client is to be changed: each member is a new value, or none to leave it. The sector and the type of its subjects
/// are no part of it, so that each person keeps the `sub`.
#[derive(Clone, Debug, Default)]
pub struct ClientEdit {
    /// What kind of program it is.
    pub profile: Option<Profile>,
    /// Name that people see.
    pub client_name: Option<String>,
    /// Address of its privacy notice.
    pub policy_uri: Option<String>,
    /// Takes the address of its privacy notice away.
    pub no_policy_uri: bool,
    /// All its redirect URIs.
    pub redirect_uris: Option<Vec<String>>,
    /// All its post-logout redirect URIs.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// How it authenticates.
    pub auth_method: Option<AuthMethodChoice>,
    /// Signature of its tokens.
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// Whether an authorization request needs a PKCE challenge.
    pub pkce: Option<Pkce>,
    /// Whether the operator runs it: no consent page.
    pub first_party: Option<bool>,
}

impl ClientEdit {
    fn apply_to(&self, client: &mut Client) {
        if let Some(profile) = self.profile {
            client.profile = profile;
            client.metadata.application_type = profile.application_type();
        }
        let metadata = &mut client.metadata;
        replace(&mut metadata.client_name, self.client_name.as_ref());
        if self.policy_uri.is_some() || self.no_policy_uri {
            metadata.policy_uri.clone_from(&self.policy_uri);
        }
        replace(&mut metadata.redirect_uris, self.redirect_uris.as_ref());
        replace(&mut metadata.post_logout_redirect_uris, self.post_logout_redirect_uris.as_ref());
        replace(
            &mut metadata.id_token_signed_response_alg,
            self.id_token_signed_response_alg.as_ref(),
        );
        replace(&mut client.operator.pkce, self.pkce.as_ref());
        replace(&mut client.operator.first_party, self.first_party.as_ref());
        if let Some(auth_method) = self.auth_method {
            auth_method.apply_to(client);
        }
    }

    fn check(&self, client: &Client) -> Result<(), BadClient> {
        match (self.profile, self.auth_method) {
            (_, Some(_)) => check::check_auth_method(client)?,
            (Some(_), None) => {
                check::check_auth_method(client).map_err(|_| BadClient::SecretInTheWay)?;
            }
            (None, None) => {}
        }
        if self.client_name.is_some() || self.policy_uri.is_some() {
            check::check_texts(client)?;
        }
        check::check(client).map(|_| ())
    }
}

fn replace<T: Clone>(member: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        member.clone_from(value);
    }
}

/// A client after a change.
#[derive(Debug)]
pub struct EditedClient {
    /// The client.
    pub client: Client,
    /// The names of the members that have another value now; empty if nothing was changed.
    pub changed: Vec<String>,
    /// Its first secret, if it has become confidential.
    pub secret: Option<OpaqueToken>,
}

/// Changes a client. It keeps its sector and the type of its subjects. Without another value nothing is written.
pub async fn edit(
    cx: &Cx,
    authority: &ChangeAuthority,
    id: &str,
    edit: &ClientEdit,
) -> Result<Result<EditedClient, ClientChangeError>> {
    cx.db
        .write(async |tx| {
            let (before, mut client) = match edit_documents(tx, id, edit).await? {
                Ok(both) => both,
                Err(why) => return Ok(Err(why)),
            };
            let differing = differing_members(&before, &client)?;
            if differing.is_empty() {
                return Ok(Ok(EditedClient { client, changed: Vec::new(), secret: None }));
            }
            let (needs, has) = (client.is_confidential(), before.is_confidential());
            let secret = (needs && !has).then(|| OpaqueToken::generate(&cx.rng));
            if needs != has {
                client.secret = secret.as_ref().map(OpaqueToken::hash);
                store::client::put_secret(tx, id, client.secret.as_ref()).await?;
            }
            let algorithm = |client: &Client| client.metadata.id_token_signed_response_alg;
            let signs = (algorithm(&before) != algorithm(&client)).then_some(());
            let changed: Vec<String> = differing.keys().cloned().collect();
            let detail = event::ClientChanged {
                id_token_signed_response_alg: signs.map(|()| algorithm(&client)),
                before: signs.map(|()| algorithm(&before)),
                client_secret: (needs != has).then_some(if needs { "added" } else { "removed" }),
                changes: Some(differing),
            };
            let entry = audit::AuditEntry::done(detail).by(authority).client(id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(EditedClient { client, changed, secret }))
        })
        .await
}

/// Edits profile and documents of a client; returns the client before and after. They are written only if they are still those
/// that were read, so that no concurrent change is lost.
async fn edit_documents(
    tx: &mut Tx,
    id: &str,
    edit: &ClientEdit,
) -> Result<Result<(Client, Client), ClientChangeError>> {
    // A further turn means that another change was committed first.
    loop {
        let Some(row) = store::client::get(tx, id).await? else {
            return Ok(Err(ClientChangeError::Unknown(id.to_owned())));
        };
        let before = match Client::from_row(&row) {
            Ok(client) => client,
            Err(why) => return Ok(Err(ClientChangeError::Unusable(row.id, why.to_string()))),
        };
        let mut client = before.clone();
        edit.apply_to(&mut client);
        if let Err(bad) = edit.check(&client) {
            return Ok(Err(bad.into()));
        }
        let new: ClientRow = client.to_row(row.created_at)?;
        if client == before || store::client::replace_documents(tx, &row, &new).await? {
            return Ok(Ok((before, client)));
        }
    }
}

/// The members that differ, each with its values before and after.
fn differing_members(before: &Client, after: &Client) -> Result<Map<String, Value>> {
    let (before, after) = (members(before)?, members(after)?);
    let differ = after.into_iter().filter_map(|(name, value)| {
        let old = before.get(&name).cloned().unwrap_or(Value::Null);
        (old != value).then(|| (name, json!({ "before": old, "after": value })))
    });
    Ok(differ.collect())
}

/// Every member that can be changed, under its name in the documents.
fn members(client: &Client) -> Result<Map<String, Value>> {
    let mut members = Map::new();
    for document in
        [serde_json::to_value(&client.metadata)?, serde_json::to_value(&client.operator)?]
    {
        if let Value::Object(document) = document {
            members.extend(document);
        }
    }
    // They are left out of a document where they are false or absent.
    members.insert("policy_uri".to_owned(), client.metadata.policy_uri.clone().into());
    members.insert("auth_method_pinned".to_owned(), client.operator.auth_method_pinned.into());
    members.insert("profile".to_owned(), client.profile.as_str().into());
    Ok(members)
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

/// What ends with a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemovedRows {
    /// Grants, each with its codes and tokens.
    pub grants: u64,
    /// Consents of people.
    pub consents: u64,
    /// Attempts of people to sign in to it.
    pub attempts: u64,
}

/// What would end with a client; an error if there is none.
pub async fn find_removable(cx: &Cx, id: &str) -> Result<Result<RemovedRows, ClientChangeError>> {
    let mut conn = cx.db.read().await?;
    if store::client::get(&mut conn, id).await?.is_none() {
        return Ok(Err(ClientChangeError::Unknown(id.to_owned())));
    }
    let rows = store::client::count_rows(&mut conn, id).await?;
    Ok(Ok(RemovedRows {
        grants: rows.grants.unsigned_abs(),
        consents: rows.consents.unsigned_abs(),
        attempts: rows.attempts.unsigned_abs(),
    }))
}

/// Removes a client, also one that this build cannot read. Its grants, codes, tokens and consents end; sessions stay, because
/// they are those of people. A removal that is interrupted is repeated: the client goes last.
pub async fn remove(
    cx: &Cx,
    authority: &ChangeAuthority,
    id: &str,
) -> Result<Result<RemovedRows, ClientChangeError>> {
    if store::client::get(&mut cx.db.read().await?, id).await?.is_none() {
        return Ok(Err(ClientChangeError::Unknown(id.to_owned())));
    }
    let removed = RemovedRows {
        grants: delete_rows(cx, ClientTable::Grants, id).await?,
        consents: delete_rows(cx, ClientTable::Consents, id).await?,
        attempts: delete_rows(cx, ClientTable::Attempts, id).await?,
    };
    cx.db
        .write(async |tx| {
            // With rows that were written meanwhile.
            if !store::client::remove(tx, id).await? {
                return Ok(Err(ClientChangeError::Unknown(id.to_owned())));
            }
            let RemovedRows { grants, consents, .. } = removed;
            let detail = event::ClientRemoved { grants, consents };
            let entry = audit::AuditEntry::done(detail).by(authority).client(id);
            audit::record(cx, tx, entry).await?;
            Ok(Ok(removed))
        })
        .await
}

/// Deletes a client's rows of one table in small transactions: one statement over the grants of a whole population
/// would be too long for the database.
async fn delete_rows(cx: &Cx, table: ClientTable, client: &str) -> Result<u64> {
    let mut range = ClientRange { table, client, after: Uuid::nil() };
    let mut deleted = 0;
    while let Some(last) =
        store::client::find_batch_end(&mut cx.db.read().await?, range, BATCH).await?
    {
        deleted +=
            cx.db.write(async |tx| store::client::delete_range(tx, range, last).await).await?;
        range.after = last;
    }
    Ok(deleted)
}
