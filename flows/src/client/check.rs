//! The rules for a registration. Those that depend on the profile come from its row, the others hold for every client.

use url::Url;

use super::{
    metadata::{AuthMethod, GrantType, Pkce},
    model::Client,
    profile::Profile,
    redirect_uri,
};
use crate::display_name::{self, BadName};

/// Why a client cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadClient {
    /// The id is taken.
    #[error("there is a client called {0} already")]
    IdTaken(String),
    /// The id has characters that would need escaping.
    #[error("a client id is 1 to 64 letters, digits, dots, dashes or underscores")]
    Id,
    /// The name is not acceptable.
    #[error("{0}")]
    Name(#[from] BadName),
    /// The privacy notice has an address that pages cannot link to.
    #[error("{0}: the privacy notice is an address that begins with https://, {1}")]
    PolicyUri(String, &'static str),
    /// No redirect URI was given.
    #[error("at least one --redirect-uri is needed")]
    NoRedirect,
    /// A redirect URI that cannot be trusted.
    #[error("{0}: {1}")]
    Redirect(String, &'static str),
    /// A public client without PKCE.
    #[error("a client without a secret must use PKCE (RFC 9700, section 2.1.1)")]
    PublicWithoutPkce,
    /// A program on the person's machine with a secret.
    #[error(
        "a program in the browser or on a person's own device cannot keep a secret, because each person has a copy \
         of it (RFC 6749, section 2.1): leave --auth-method out, and the client is protected by PKCE; or register the \
         server that keeps the secret, with --profile web"
    )]
    SecretNotKept,
    /// A client with a secret is to become such a program.
    #[error(
        "a program in the browser or on a person's own device cannot keep a secret, because each person has a copy \
         of it (RFC 6749, section 2.1), and this client has one: also give --auth-method none, which takes its secret \
         away"
    )]
    SecretInTheWay,
    /// Pairwise subjects need one sector.
    #[error(
        "redirect URIs of several hosts: a client that is not first-party gets pairwise subjects, and these need one host \
         (OpenID Connect Core, section 8.1)"
    )]
    Sectors,
}

/// Checks a client that is to be registered, and sets what it cannot choose, whatever it requests (RFC 7591, section 3.2.1):
/// `application_type`, `subject_type` and the sector.
pub(super) fn check_and_complete(mut client: Client) -> Result<Client, BadClient> {
    // Before the name, which is the id if none is given.
    check_id(&client.id)?;
    client.metadata.application_type = client.profile.application_type();
    client.metadata.subject_type = client.operator.subject_type();
    check_auth_method(&client)?;
    check_texts(&client)?;
    let urls = check(&client)?;
    client.operator.sector = sector(&client, &urls)?;
    Ok(client)
}

/// Whether its profile can keep what its method needs. A client from before this rule works on, and its other members can be
/// changed.
pub(super) fn check_auth_method(client: &Client) -> Result<(), BadClient> {
    let keeps_secret = match client.profile {
        Profile::Web => true,
        Profile::Spa | Profile::Native => false,
    };
    if client.is_confidential() && !keeps_secret { Err(BadClient::SecretNotKept) } else { Ok(()) }
}

/// Checks what people see of it. A client from before this rule works on, and its other members can be changed.
pub(super) fn check_texts(client: &Client) -> Result<(), BadClient> {
    display_name::check(&client.metadata.client_name)?;
    match &client.metadata.policy_uri {
        Some(uri) if client.metadata.privacy_link().is_none() => {
            let has_user = Url::parse(uri).is_ok_and(|url| url.scheme() == "https");
            let why = if has_user {
                "without a user name and a password: every person would see them"
            } else {
                "such as https://www.example.org/privacy"
            };
            Err(BadClient::PolicyUri(uri.clone(), why))
        }
        _ => Ok(()),
    }
}

fn check_id(id: &str) -> Result<(), BadClient> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let good = !id.is_empty() && id.len() <= 64 && id.chars().all(plain);
    if good { Ok(()) } else { Err(BadClient::Id) }
}

/// Checks the rules for every registered client; returns its redirect URIs.
pub(super) fn check(client: &Client) -> Result<Vec<Url>, BadClient> {
    check_id(&client.id)?;
    let metadata = &client.metadata;
    let public = metadata.token_endpoint_auth_method == AuthMethod::None;
    if client.operator.pkce == Pkce::Optional && public {
        return Err(BadClient::PublicWithoutPkce);
    }
    if client.has_grant_type(GrantType::AuthorizationCode) && metadata.redirect_uris.is_empty() {
        return Err(BadClient::NoRedirect);
    }
    let parse = |uri: &String| {
        redirect_uri::parse(uri, metadata.application_type)
            .map_err(|why| BadClient::Redirect(uri.clone(), why))
    };
    let urls = metadata.redirect_uris.iter().map(parse).collect::<Result<_, _>>()?;
    for uri in &metadata.post_logout_redirect_uris {
        parse(uri)?;
    }
    Ok(urls)
}

/// Decision 14: the one host of its redirect URIs. A native client, and one with public subjects and several hosts, is a
/// sector of its own.
fn sector(client: &Client, urls: &[Url]) -> Result<String, BadClient> {
    let mut hosts: Vec<&str> = urls.iter().filter_map(Url::host_str).collect();
    hosts.sort_unstable();
    hosts.dedup();
    match hosts.as_slice() {
        [host] if !client.is_native() => Ok((*host).to_owned()),
        _ if client.is_native() || client.operator.first_party => Ok(client.id.clone()),
        _ => Err(BadClient::Sectors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ApplicationType, SubjectType};

    const HOME: &str = "https://lab.example/callback";
    const OTHER: &str = "https://other.example/callback";
    const PRIVATE: &str = "org.example.lab:/callback";

    fn client(profile: Profile, redirect_uris: &[&str]) -> Client {
        let mut client = Client::new("lab", profile);
        client.metadata.redirect_uris = redirect_uris.iter().map(|uri| (*uri).to_owned()).collect();
        client
    }

    type Change = fn(&mut Client);

    /// What each profile refuses, and the sector of a client that it accepts.
    #[test]
    fn each_profile_refuses_invalid_registrations() {
        let optional: Change = |client| client.operator.pkce = Pkce::Optional;
        let first_party: Change = |client| client.operator.first_party = true;
        let as_it_is: Change = |_| {};
        let private = Err(redirect_uri::parse(PRIVATE, ApplicationType::Web).unwrap_err());
        let uri = |outcome: Result<&'static str, &'static str>| {
            outcome.map_err(|why| BadClient::Redirect(PRIVATE.to_owned(), why))
        };
        for (uris, change, web, spa, native) in [
            (&[HOME][..], as_it_is, Ok("lab.example"), Ok("lab.example"), Ok("lab")),
            (
                &[],
                as_it_is,
                Err(BadClient::NoRedirect),
                Err(BadClient::NoRedirect),
                Err(BadClient::NoRedirect),
            ),
            (&[PRIVATE], as_it_is, uri(private), uri(private), Ok("lab")),
            (&[HOME, OTHER], as_it_is, Err(BadClient::Sectors), Err(BadClient::Sectors), Ok("lab")),
            (&[HOME, OTHER], first_party, Ok("lab"), Ok("lab"), Ok("lab")),
            (&[HOME], first_party, Ok("lab.example"), Ok("lab.example"), Ok("lab")),
            (
                &[HOME],
                optional,
                Ok("lab.example"),
                Err(BadClient::PublicWithoutPkce),
                Err(BadClient::PublicWithoutPkce),
            ),
        ] {
            let wanted = [(Profile::Web, web), (Profile::Spa, spa), (Profile::Native, native)];
            for (profile, wanted) in wanted {
                let mut asked = client(profile, uris);
                change(&mut asked);
                let found = check_and_complete(asked).map(|client| client.operator.sector);
                assert_eq!(found, wanted.map(str::to_owned), "{profile:?} {uris:?}");
            }
        }
    }

    #[test]
    fn profile_overrides_client_chosen_members() {
        for (profile, application_type) in [
            (Profile::Web, ApplicationType::Web),
            (Profile::Spa, ApplicationType::Web),
            (Profile::Native, ApplicationType::Native),
        ] {
            let mut asked = client(profile, &[HOME]);
            asked.metadata.application_type = match application_type {
                ApplicationType::Web => ApplicationType::Native,
                ApplicationType::Native => ApplicationType::Web,
            };
            asked.metadata.subject_type = SubjectType::Public;
            asked.operator.sector = "other.example".to_owned();
            let mut ours = asked.clone();
            ours.operator.first_party = true;
            let (theirs, ours) =
                (check_and_complete(asked).unwrap(), check_and_complete(ours).unwrap());
            assert_eq!(theirs.metadata.application_type, application_type);
            assert_eq!(theirs.metadata.subject_type, SubjectType::Pairwise);
            assert_ne!(theirs.operator.sector, "other.example");
            assert_eq!(ours.metadata.subject_type, SubjectType::Public);
        }
    }

    #[test]
    fn only_web_clients_have_secrets() {
        for (profile, kept) in
            [(Profile::Web, true), (Profile::Spa, false), (Profile::Native, false)]
        {
            for method in AuthMethod::ALL {
                let mut asked = client(profile, &[HOME]);
                asked.metadata.token_endpoint_auth_method = *method;
                let wanted = kept || *method == AuthMethod::None;
                let refused = check_and_complete(asked).err();
                assert_eq!(
                    refused,
                    (!wanted).then_some(BadClient::SecretNotKept),
                    "{profile:?} {method:?}"
                );
            }
        }
    }

    #[test]
    fn client_id_charset_is_enforced() {
        for id in ["lab", "Lab-2_a.b", &"a".repeat(64)] {
            let client = Client { id: id.to_owned(), ..client(Profile::Web, &[HOME]) };
            assert!(check_and_complete(client).is_ok(), "{id}");
        }
        for id in ["", "a b", "ü", "a/b", "a:b", &"a".repeat(65)] {
            let client = Client { id: id.to_owned(), ..client(Profile::Web, &[HOME]) };
            assert_eq!(check_and_complete(client), Err(BadClient::Id), "{id}");
        }
    }

    #[test]
    fn post_logout_uris_are_checked() {
        let mut asked = client(Profile::Web, &[HOME]);
        asked.metadata.post_logout_redirect_uris = vec!["http://lab.example/".to_owned()];
        let why = "http is only for loopback; use https";
        assert_eq!(
            check_and_complete(asked),
            Err(BadClient::Redirect("http://lab.example/".to_owned(), why))
        );
    }
}
