//! `idp client`.

use clap::{Args, Subcommand, ValueEnum};
use flows::client::{self, AuthMethod, NewClient};
use keys::Algorithm;
use serde_json::{Value, json};

use super::{Done, Failed, place::Where, print};

/// Add, change, list and show clients.
#[derive(Debug, Subcommand)]
pub(super) enum Client {
    /// Add a client; its secret is printed once and stored hashed.
    Add(Box<Add>),
    /// Change a client. It is in force on every replica within two seconds.
    Set {
        /// `client_id`.
        client_id: String,
        /// Signature of its tokens.
        #[arg(long, value_enum)]
        id_token_alg: IdTokenAlg,
        #[command(flatten)]
        at: Where,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret, printed once; the old one is refused on every replica within two seconds.
    RotateSecret {
        /// `client_id`.
        client_id: String,
        #[command(flatten)]
        at: Where,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List clients.
    List {
        #[command(flatten)]
        at: Where,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a client.
    Show {
        /// `client_id`.
        client_id: String,
        #[command(flatten)]
        at: Where,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A client to be added.
#[derive(Args, Debug)]
pub(super) struct Add {
    /// `client_id`: letters, digits, `.`, `-` and `_`.
    client_id: String,
    /// What kind of program it is.
    #[arg(long, value_enum)]
    profile: Profile,
    /// Name that people see; the `client_id` if left out.
    #[arg(long)]
    name: Option<String>,
    /// Redirect URI; repeat for more.
    #[arg(long = "redirect-uri", value_name = "URI", required = true)]
    redirect_uris: Vec<String>,
    /// Post-logout redirect URI; repeat for more.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// How it shows who it is at the token endpoint; by profile if left out.
    #[arg(long, value_enum)]
    auth_method: Option<Method>,
    /// Whether a request without PKCE is refused; `optional` only for a client with a secret.
    #[arg(long, value_enum, default_value = "required")]
    pkce: Pkce,
    /// It belongs to whoever runs this provider: no consent page, and the `sub` that all such clients share.
    #[arg(long)]
    first_party: bool,
    /// Signature of its ID tokens.
    #[arg(long, value_enum, default_value = "rs256")]
    id_token_alg: IdTokenAlg,
    #[command(flatten)]
    at: Where,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What kind of program a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// A server that can keep a secret.
    Web,
    /// An app on people's own machines or phones (RFC 8252): no secret, free loopback ports.
    Native,
    /// A program in the browser: no secret.
    Browser,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Method {
    #[value(name = "client_secret_basic")]
    Basic,
    #[value(name = "client_secret_post")]
    Post,
    #[value(name = "none")]
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pkce {
    Required,
    Optional,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum IdTokenAlg {
    Rs256,
    Es256,
    Eddsa,
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

impl Client {
    pub(super) async fn run(self) -> Done {
        match self {
            Self::Add(add) => add.run().await,
            Self::Set { client_id, id_token_alg, at, json } => {
                set(&client_id, id_token_alg.into(), &at, json).await
            }
            Self::RotateSecret { client_id, at, json } => {
                rotate_secret(&client_id, &at, json).await
            }
            Self::List { at, json } => list(&at, json).await,
            Self::Show { client_id, at, json } => show(&client_id, &at, json).await,
        }
    }
}

impl Add {
    async fn run(self) -> Done {
        let cx = self.at.open().await?.cx().await?;
        let (redirect_uris, id, as_json) =
            (self.redirect_uris.clone(), self.client_id.clone(), self.json);
        let secret = client::add(&cx, self.registration()).await??;
        if as_json {
            print::json(&json!({
                "client_id": id,
                "client_secret": secret.as_ref().map(keys::OpaqueToken::reveal),
                "redirect_uris": redirect_uris,
            }));
            return Ok(());
        }
        print::line(&format!("Added the client {id}."));
        if let Some(secret) = secret {
            print::line(&format!("Its secret, shown this once: {}", secret.reveal()));
        }
        Ok(())
    }

    fn registration(self) -> NewClient {
        let default = if self.profile == Profile::Web { Method::Basic } else { Method::None };
        NewClient {
            name: self.name.unwrap_or_else(|| self.client_id.clone()),
            id: self.client_id,
            auth_method: match self.auth_method.unwrap_or(default) {
                Method::Basic => AuthMethod::Basic,
                Method::Post => AuthMethod::Post,
                Method::None => AuthMethod::None,
            },
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            pkce_optional: self.pkce == Pkce::Optional,
            first_party: self.first_party,
            native: self.profile == Profile::Native,
            id_token_alg: self.id_token_alg.into(),
            secret: None,
        }
    }
}

async fn set(id: &str, algorithm: Algorithm, at: &Where, json: bool) -> Done {
    let cx = at.open().await?.cx().await?;
    if !client::set_algorithm(&cx, id, algorithm).await? {
        return Err(unknown(id));
    }
    if json {
        print::json(
            &json!({ "client_id": id, "id_token_signed_response_alg": algorithm.as_str() }),
        );
    } else {
        print::line(&format!("The tokens of {id} are signed with {algorithm} from now on."));
    }
    Ok(())
}

async fn rotate_secret(id: &str, at: &Where, json: bool) -> Done {
    let cx = at.open().await?.cx().await?;
    let secret = client::rotate_secret(&cx, id).await??;
    if json {
        print::json(&json!({ "client_id": id, "client_secret": secret.reveal() }));
        return Ok(());
    }
    print::line(&format!("The secret of {id} was replaced."));
    print::line(&format!("Its new secret, shown this once: {}", secret.reveal()));
    Ok(())
}

fn unknown(id: &str) -> Failed {
    Failed::new(format!("there is no client called {id}"))
}

async fn list(at: &Where, json: bool) -> Done {
    let cx = at.open().await?.cx().await?;
    let mut clients: Vec<_> = cx.clients.iter().collect();
    clients.sort_by(|a, b| a.id.cmp(&b.id));
    if json {
        print::json(&clients.iter().map(|client| document(client)).collect::<Value>());
        return Ok(());
    }
    for client in clients {
        print::line(&format!(
            "{:<24} {:<20} {}",
            client.id,
            client.auth_method.as_str(),
            client.name
        ));
    }
    Ok(())
}

async fn show(id: &str, at: &Where, json: bool) -> Done {
    let cx = at.open().await?.cx().await?;
    let client = cx.clients.get(id).ok_or_else(|| unknown(id))?;
    let document = document(client);
    if json {
        print::json(&document);
    } else {
        print::line(&format!("{document:#}"));
    }
    Ok(())
}

fn document(client: &client::Client) -> Value {
    json!({
        "client_id": client.id,
        "client_name": client.name,
        "token_endpoint_auth_method": client.auth_method.as_str(),
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "pkce_required": client.pkce_required,
        "first_party": client.first_party,
        "native": client.native,
        "subject_type": if client.public_subject { "public" } else { "pairwise" },
        "id_token_signed_response_alg": client.id_token_alg.as_str(),
    })
}
