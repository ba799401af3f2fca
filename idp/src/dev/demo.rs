//! The demo people and the demo client, made once per folder.

use flows::{
    Cx,
    account::create::{self, BadUser, NewUser},
    client::{self, AuthMethod, BadClient, NewClient},
    email::EmailAddress,
};
use keys::{Algorithm, OpaqueToken, Rng};
use serde_json::json;

use super::{
    folder::{Demo, DemoPerson, Folder},
    portal::Portal,
};

/// `client_id` of the demo portal.
pub(super) const CLIENT_ID: &str = "demo-portal";

/// Letters that cannot be mistaken for each other.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";

/// What was kept, or new people and a new secret.
pub(super) fn kept_or_new(folder: &Folder, rng: &Rng) -> std::io::Result<Demo> {
    if let Some(demo) = folder.demo() {
        return Ok(demo);
    }
    let person = |email: &str| DemoPerson { email: email.to_owned(), password: password(rng) };
    let demo = Demo {
        client_secret: OpaqueToken::generate(rng).reveal().to_owned(),
        people: vec![person("mere@patients.example"), person("hemi@patients.example")],
    };
    folder.keep(&demo)?;
    Ok(demo)
}

/// Four groups of five letters: easy to copy, 100 bits.
fn password(rng: &Rng) -> String {
    let letters = rng
        .bytes::<20>()
        .map(|byte| LETTERS.get(usize::from(byte % 32)).map_or('x', |letter| char::from(*letter)));
    let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// Adds whoever is missing.
pub(super) async fn people(cx: &Cx, demo: &Demo) -> Result<(), String> {
    let names = [("Mere", "Kahui"), ("Hemi", "Walker")];
    for (person, (given, family)) in demo.people.iter().zip(names) {
        let email = EmailAddress::parse(&person.email).map_err(|bad| bad.to_string())?;
        let new = NewUser {
            claims: claims(given, family),
            email,
            name: format!("{given} {family}"),
            password: person.password.clone(),
        };
        match create::create(cx, new).await.map_err(|error| error.to_string())? {
            Ok(_) | Err(BadUser::Taken(_)) => {}
            Err(bad) => return Err(bad.to_string()),
        }
    }
    Ok(())
}

/// Every standard claim, so that every scope has something to show (OpenID Connect Core 1.0, section 5.1).
fn claims(given: &str, family: &str) -> String {
    json!({
        "given_name": given,
        "family_name": family,
        "middle_name": "Aroha",
        "nickname": given,
        "preferred_username": given.to_lowercase(),
        "profile": "https://patients.example/profile",
        "picture": "https://patients.example/picture.png",
        "website": "https://patients.example",
        "gender": "unspecified",
        "birthdate": "1980-02-29",
        "zoneinfo": "Pacific/Auckland",
        "locale": "en-NZ",
        "phone_number": "+64 21 000 0000",
        "phone_number_verified": true,
        "address": {
            "formatted": "1 Example Street\nWellington 6011\nNew Zealand",
            "street_address": "1 Example Street",
            "locality": "Wellington",
            "postal_code": "6011",
            "country": "New Zealand",
        },
    })
    .to_string()
}

/// Registers the demo portal, or gives it the addresses of this start.
pub(super) async fn portal(cx: &Cx, portal: &Portal) -> Result<(), String> {
    let (redirect_uris, post_logout) =
        (vec![portal.redirect_uri()], vec![portal.post_logout_redirect_uri()]);
    let new = NewClient {
        id: portal.client_id.clone(),
        name: "Demo patient portal".to_owned(),
        auth_method: AuthMethod::Basic,
        redirect_uris: redirect_uris.clone(),
        post_logout_redirect_uris: post_logout.clone(),
        pkce_optional: false,
        first_party: true,
        native: false,
        id_token_alg: Algorithm::RS256,
        secret: OpaqueToken::parse(portal.client_secret.reveal()),
    };
    let failed = |error: flows::Error| error.to_string();
    match client::add(cx, new).await.map_err(failed)? {
        Ok(_) => Ok(()),
        Err(BadClient::Taken(id)) => {
            client::set_redirects(cx, &id, &redirect_uris, &post_logout).await.map_err(failed)
        }
        Err(bad) => Err(bad.to_string()),
    }
}
