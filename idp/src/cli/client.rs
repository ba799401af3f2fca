//! `idp client`.

use clap::{
    Args, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use flows::{
    Cx,
    client::{
        self, AuthMethod, Pkce,
        registration::{self, AuthMethodChoice, ClientEdit, RemovedRows},
    },
};
use keys::Algorithm;
use serde_json::{Value, json};

use super::{CommandError, CommandResult, change::ChangeArgs, data_source::DataSourceArgs, print};

/// Add, change, remove, list and show clients.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Add a client; its secret is printed once and stored hashed.
    Add(Box<AddClient>),
    /// Change a client; what is not named stays. Each person keeps the `sub`. In force on every replica within two seconds.
    Set(Box<SetClient>),
    /// Remove a client: its grants, codes, tokens and people's consents end; people stay signed in.
    Remove {
        /// `client_id`.
        client_id: String,
        /// Remove it; without this the command says what would end, and changes nothing.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret, printed once; the old one is refused on every replica within two seconds.
    RotateSecret {
        /// `client_id`.
        client_id: String,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List clients.
    List {
        #[command(flatten)]
        at: DataSourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a client.
    Show {
        /// `client_id`.
        client_id: String,
        #[command(flatten)]
        at: DataSourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A client to be added.
#[derive(Args, Debug)]
pub(super) struct AddClient {
    /// `client_id`: letters, digits, `.`, `-` and `_`.
    client_id: String,
    /// What kind of program it is.
    #[arg(long, value_enum)]
    profile: Profile,
    /// Name that people see; the `client_id` if left out.
    #[arg(long)]
    name: Option<String>,
    /// Address of its privacy notice, https: the consent page links to it.
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// Redirect URI; repeat for more.
    #[arg(long = "redirect-uri", value_name = "URI", required = true)]
    redirect_uris: Vec<String>,
    /// Post-logout redirect URI; repeat for more.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// How it authenticates at the token endpoint: `any` accepts its secret by either method, another value only that method.
    /// `any` for `web` and `none` for the other profiles if left out.
    #[arg(long, value_name = "METHOD", value_parser = one_of(AUTH_METHODS, auth_method_name))]
    auth_method: Option<AuthMethodChoice>,
    /// Whether a request without PKCE is refused; `optional` only for a client with a secret.
    #[arg(long, value_parser = one_of(Pkce::ALL, Pkce::as_str), default_value = "required")]
    pkce: Pkce,
    /// The client belongs to the operator of this provider: no consent page, and the `sub` that all such clients share.
    #[arg(long)]
    first_party: bool,
    /// Signature algorithm of its ID tokens.
    #[arg(long, value_enum, default_value = "rs256")]
    id_token_alg: IdTokenAlg,
    #[command(flatten)]
    change: ChangeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A client to be changed.
#[derive(Args, Debug)]
pub(super) struct SetClient {
    /// `client_id`.
    client_id: String,
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    change: ChangeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is to be changed.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Members {
    /// What kind of program it is.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Name that people see.
    #[arg(long)]
    name: Option<String>,
    /// Address of its privacy notice, https: the consent page links to it.
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    /// It has no privacy notice any more.
    #[arg(long, conflicts_with = "policy_uri")]
    no_policy_uri: bool,
    /// Redirect URI; repeat for more. They replace all that it has.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Post-logout redirect URI; repeat for more. They replace all that it has.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// It has no post-logout redirect URI any more.
    #[arg(long, conflicts_with = "post_logout_redirect_uris")]
    no_post_logout_redirect_uri: bool,
    /// How it authenticates at the token endpoint: `any` accepts its secret by either method, another value only that method.
    /// `none` takes its secret away; a client that had none gets one, printed once.
    #[arg(long, value_name = "METHOD", value_parser = one_of(AUTH_METHODS, auth_method_name))]
    auth_method: Option<AuthMethodChoice>,
    /// Whether a request without PKCE is refused; `optional` only for a client with a secret.
    #[arg(long, value_parser = one_of(Pkce::ALL, Pkce::as_str))]
    pkce: Option<Pkce>,
    /// Whether the client belongs to the operator of this provider: no consent page. Each person keeps the `sub`.
    #[arg(long, value_name = "BOOL")]
    first_party: Option<bool>,
    /// Signature algorithm of its tokens.
    #[arg(long, value_enum)]
    id_token_alg: Option<IdTokenAlg>,
}

/// The choices of `--auth-method`.
const AUTH_METHODS: &[AuthMethodChoice] = &[
    AuthMethodChoice::AnySecret,
    AuthMethodChoice::Only(AuthMethod::Basic),
    AuthMethodChoice::Only(AuthMethod::Post),
    AuthMethodChoice::Only(AuthMethod::None),
];

const fn auth_method_name(choice: AuthMethodChoice) -> &'static str {
    match choice {
        AuthMethodChoice::AnySecret => "any",
        AuthMethodChoice::Only(method) => method.as_str(),
    }
}

/// What kind of program a client is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    /// A server that can keep a secret.
    Web,
    /// An app on people's own machines or phones (RFC 8252): no secret, free loopback ports.
    Native,
    /// A program in the browser: no secret.
    Browser,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum IdTokenAlg {
    Rs256,
    Es256,
    Eddsa,
}

impl From<Profile> for client::Profile {
    fn from(chosen: Profile) -> Self {
        match chosen {
            Profile::Web => Self::Web,
            Profile::Native => Self::Native,
            Profile::Browser => Self::Spa,
        }
    }
}

/// The name of a profile on the command line.
const fn profile_name(profile: client::Profile) -> &'static str {
    match profile {
        client::Profile::Web => "web",
        client::Profile::Native => "native",
        client::Profile::Spa => "browser",
    }
}

/// A parser for one of the names that stored documents use; the help lists them.
fn one_of<T: Copy + Send + Sync + 'static>(
    values: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(values.iter().map(move |value| name(*value))).try_map(move |text| {
        values.iter().copied().find(|value| name(*value) == text).ok_or("not a value of the list")
    })
}

impl From<IdTokenAlg> for Algorithm {
    fn from(chosen: IdTokenAlg) -> Self {
        match chosen {
            IdTokenAlg::Rs256 => Self::RS256,
            IdTokenAlg::Es256 => Self::ES256,
            IdTokenAlg::Eddsa => Self::EdDSA,
        }
    }
}

impl ClientCommand {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::Add(add) => add.run().await,
            Self::Set(set) => set.run().await,
            Self::Remove { client_id, yes, change, json } => {
                remove(&client_id, yes, &change, json).await
            }
            Self::RotateSecret { client_id, change, json } => {
                rotate_secret(&client_id, &change, json).await
            }
            Self::List { at, json } => list(&at, json).await,
            Self::Show { client_id, at, json } => show(&client_id, &at, json).await,
        }
    }
}

impl AddClient {
    async fn run(self) -> CommandResult {
        let authority = self.change.authority()?;
        let cx = self.change.open().await?.cx().await?;
        let as_json = self.json;
        let client = self.client();
        let secret = registration::add(&cx, &authority, client.clone()).await??;
        if as_json {
            print::json(&json!({
                "client_id": client.id,
                "client_secret": secret.as_ref().map(keys::OpaqueToken::reveal),
                "redirect_uris": client.metadata.redirect_uris,
            }));
            return Ok(());
        }
        print::line(&format!("Added the client {}.", client.id));
        if let Some(secret) = secret {
            print::line(&format!("Its secret, shown this once: {}", secret.reveal()));
        }
        Ok(())
    }

    /// The client with the defaults of its profile and the given options.
    fn client(self) -> client::Client {
        let mut client = client::Client::new(&self.client_id, self.profile.into());
        let metadata = &mut client.metadata;
        metadata.policy_uri = self.policy_uri;
        metadata.redirect_uris = distinct(self.redirect_uris);
        metadata.post_logout_redirect_uris = distinct(self.post_logout_redirect_uris);
        metadata.id_token_signed_response_alg = self.id_token_alg.into();
        if let Some(name) = self.name {
            metadata.client_name = name;
        }
        client.operator.pkce = self.pkce;
        client.operator.first_party = self.first_party;
        if let Some(auth_method) = self.auth_method {
            auth_method.apply_to(&mut client);
        }
        client
    }
}

/// Each URI once, in the order in which they were given.
fn distinct(uris: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    for uri in uris {
        if !kept.contains(&uri) {
            kept.push(uri);
        }
    }
    kept
}

impl Members {
    fn edit(self) -> ClientEdit {
        let given = |uris: Vec<String>| (!uris.is_empty()).then(|| distinct(uris));
        ClientEdit {
            profile: self.profile.map(Into::into),
            client_name: self.name,
            policy_uri: self.policy_uri,
            no_policy_uri: self.no_policy_uri,
            redirect_uris: given(self.redirect_uris),
            post_logout_redirect_uris: given(self.post_logout_redirect_uris)
                .or_else(|| self.no_post_logout_redirect_uri.then(Vec::new)),
            auth_method: self.auth_method,
            id_token_signed_response_alg: self.id_token_alg.map(Into::into),
            pkce: self.pkce,
            first_party: self.first_party,
        }
    }
}

impl SetClient {
    async fn run(self) -> CommandResult {
        let authority = self.change.authority()?;
        let cx = self.change.open().await?.cx().await?;
        let (id, as_json) = (self.client_id, self.json);
        let edited = registration::edit(&cx, &authority, &id, &self.members.edit()).await??;
        let secret = edited.secret.as_ref().map(keys::OpaqueToken::reveal);
        if as_json {
            let mut document = document(&edited.client)?;
            if let Value::Object(members) = &mut document {
                members.insert("changed".to_owned(), edited.changed.into());
                members.extend(secret.map(|secret| ("client_secret".to_owned(), secret.into())));
            }
            print::json(&document);
            return Ok(());
        }
        if edited.changed.is_empty() {
            print::line(&format!("{id} has these values already; nothing was changed."));
            return Ok(());
        }
        print::line(&format!("Changed {id}: {}.", edited.changed.join(", ")));
        if let Some(secret) = secret {
            print::line(&format!("Its secret, shown this once: {secret}"));
        }
        Ok(())
    }
}

async fn remove(id: &str, yes: bool, change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let cx = change.open().await?.cx().await?;
    if !yes {
        let ends = registration::find_removable(&cx, id).await??;
        return Err(CommandError::usage(format!(
            "removing {id} ends {}; codes and tokens end with their grants. People stay signed in, and the audit trail is \
             kept. It cannot be undone: the client would be added anew, with another secret. Give --yes to remove it. Nothing \
             was changed.",
            counted(ends)
        )));
    }
    let ended = registration::remove(&cx, &authority, id).await??;
    if json {
        let RemovedRows { grants, consents, attempts } = ended;
        print::json(&json!({
            "client_id": id, "grants": grants, "consents": consents, "attempts": attempts,
        }));
    } else {
        print::line(&format!("Removed {id}, and with it {}.", counted(ended)));
    }
    Ok(())
}

fn counted(RemovedRows { grants, consents, attempts }: RemovedRows) -> String {
    format!("{grants} grants, {consents} consents and {attempts} attempts to sign in")
}

async fn rotate_secret(id: &str, change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let cx = change.open().await?.cx().await?;
    let secret = registration::rotate_secret(&cx, &authority, id).await??;
    if json {
        print::json(&json!({ "client_id": id, "client_secret": secret.reveal() }));
        return Ok(());
    }
    print::line(&format!("The secret of {id} was replaced."));
    print::line(&format!("Its new secret, shown this once: {}", secret.reveal()));
    Ok(())
}

async fn list(at: &DataSourceArgs, json: bool) -> CommandResult {
    let cx = at.open().await?.cx().await?;
    let mut clients: Vec<_> = cx.clients.iter().collect();
    clients.sort_by(|a, b| a.id.cmp(&b.id));
    let mut unusable: Vec<_> = cx.clients.iter_unusable().collect();
    unusable.sort_unstable();
    if json {
        let known = clients.iter().map(|client| document(client));
        let others =
            unusable.iter().map(|(id, why)| Ok(json!({ "client_id": id, "unusable": why })));
        print::json(&known.chain(others).collect::<Result<Value, _>>()?);
        return Ok(());
    }
    for client in clients {
        print::line(&format!(
            "{:<24} {:<20} {}",
            client.id,
            client.metadata.token_endpoint_auth_method.as_str(),
            client.metadata.client_name
        ));
    }
    for (id, why) in unusable {
        print::line(&format!("{id:<24} {:<20} {why}", "unusable"));
    }
    Ok(())
}

async fn show(id: &str, at: &DataSourceArgs, json: bool) -> CommandResult {
    let cx = at.open().await?.cx().await?;
    let client = cx.clients.get(id).ok_or_else(|| not_found(&cx, id))?;
    let document = document(client)?;
    if json {
        print::json(&document);
    } else {
        print::line(&format!("{document:#}"));
    }
    Ok(())
}

fn not_found(cx: &Cx, id: &str) -> CommandError {
    match cx.clients.why_unusable(id) {
        Some(why) => CommandError::new(format!(
            "{id} cannot be used by this build: {why}; use the version that wrote it, or correct the row"
        )),
        None => CommandError::new(format!("there is no client called {id}")),
    }
}

/// The metadata, with the id and the operator's part.
fn document(client: &client::Client) -> Result<Value, CommandError> {
    let mut document = serde_json::to_value(&client.metadata)?;
    let beside = json!({
        "client_id": client.id,
        "pkce_required": client.operator.pkce == Pkce::Required,
        "first_party": client.operator.first_party,
        "native": client.is_native(),
        "profile": profile_name(client.profile),
        "auth_method_pinned": client.operator.auth_method_pinned,
        "sector": client.operator.sector,
    });
    if let (Value::Object(members), Value::Object(beside)) = (&mut document, beside) {
        members.extend(beside);
    }
    Ok(document)
}
