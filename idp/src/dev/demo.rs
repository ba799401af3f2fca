//! The demo people and the demo client, created once per folder.

use flows::{
    Cx,
    account::{
        create::{self, BadUser, NewUser},
        standard_claims::StandardClaims,
    },
    change_authority::ChangeAuthority,
    client::{
        BadClient, Client, Profile,
        registration::{self, ClientChangeError, ClientEdit},
    },
    email::EmailAddress,
    settings::{self, Setting},
};
use keys::{OpaqueToken, Rng};
use serde_json::json;

use super::{
    folder::{DemoData, DemoPerson, DevFolder},
    portal::Portal,
};

/// `client_id` of the demo portal.
pub(super) const CLIENT_ID: &str = "demo-portal";

/// Letters and digits that are not easily confused.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567890";

/// Loads the demo data of the folder, or creates people and a secret.
pub(super) fn load_or_create(folder: &DevFolder, rng: &Rng) -> std::io::Result<DemoData> {
    if let Some(demo) = folder.load_demo() {
        return Ok(demo);
    }
    let person =
        |email: &str| DemoPerson { email: email.to_owned(), password: generate_password(rng) };
    let demo = DemoData {
        client_secret: OpaqueToken::generate(rng).reveal().to_owned(),
        people: vec![person("mere@patients.example"), person("hemi@patients.example")],
    };
    folder.save_demo(&demo)?;
    Ok(demo)
}

/// Four groups of five letters: easy to copy, 100 bits.
fn generate_password(rng: &Rng) -> String {
    let letters = rng
        .bytes::<20>()
        .map(|byte| LETTERS.get(usize::from(byte % 32)).map_or('x', |letter| char::from(*letter)));
    let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The authority of `dev` itself.
fn authority() -> ChangeAuthority {
    ChangeAuthority::from_program("dev", "demo data")
}

/// Adds the demo people that do not exist yet.
pub(super) async fn add_people(cx: &Cx, demo: &DemoData) -> Result<(), String> {
    let names = [("Mere", "Kahui"), ("Hemi", "Walker")];
    for (person, (given, family)) in demo.people.iter().zip(names) {
        let email = EmailAddress::parse(&person.email).map_err(|bad| bad.to_string())?;
        let new = NewUser {
            claims: StandardClaims::parse(&claims(given, family)).map_err(|bad| bad.to_string())?,
            email,
            name: format!("{given} {family}"),
            password: person.password.clone(),
        };
        match create::create(cx, &authority(), new).await.map_err(|error| error.to_string())? {
            Ok(_) | Err(BadUser::EmailTaken(_)) => {}
            Err(bad) => return Err(bad.to_string()),
        }
    }
    Ok(())
}

/// Every standard claim, so that every scope has a claim to show (OpenID Connect Core 1.0, section 5.1).
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

/// Limits under which developers and their tests sign in again and again as the same few people, from one address. The larger
/// of two that belong together comes first.
const GENEROUS: [(&str, &str); 9] = [
    ("sign_in.code_wait", "1m"),
    ("sign_in.code_failures", "100"),
    ("sign_in.sends_per_day", "100000"),
    ("sign_in.sends_per_hour", "10000"),
    ("sign_in.posts_per_minute_ipv6_48", "100000"),
    ("sign_in.posts_per_minute", "100000"),
    ("sign_in.network_failures_ipv6_48", "10000"),
    ("sign_in.network_failures_ipv6_64", "10000"),
    ("sign_in.network_failures_ipv4", "10000"),
];

/// Raises the limits that were never changed in this folder.
pub(super) async fn raise_limits(cx: &Cx) -> Result<(), String> {
    for (name, value) in GENEROUS {
        let setting = Setting::find(name).map_err(|bad| bad.to_string())?;
        let failed = |error: flows::Error| error.to_string();
        if !settings::history(cx, Some(setting)).await.map_err(failed)?.is_empty() {
            continue;
        }
        let set = settings::set(cx, &authority(), setting, value).await.map_err(failed)?;
        if let Err(bad) = set {
            // A related setting was changed to a value that does not go with it.
            tracing::info!(%bad, "a limit of dev stays as it is");
        }
    }
    Ok(())
}

/// Registers the demo portal, or updates its redirect URIs to the addresses of this start.
pub(super) async fn register_portal(cx: &Cx, portal: &Portal) -> Result<(), String> {
    let redirect_uris = vec![portal.redirect_uri()];
    let post_logout_redirect_uris = vec![portal.post_logout_redirect_uri()];
    let mut client = Client::new(&portal.client_id, Profile::Web);
    "Demo patient portal".clone_into(&mut client.metadata.client_name);
    client.metadata.redirect_uris.clone_from(&redirect_uris);
    client.metadata.post_logout_redirect_uris.clone_from(&post_logout_redirect_uris);
    client.operator.first_party = true;
    client.secret =
        OpaqueToken::parse(portal.client_secret.reveal()).as_ref().map(OpaqueToken::hash);
    let failed = |error: flows::Error| error.to_string();
    let id = match registration::add(cx, &authority(), client).await.map_err(failed)? {
        Ok(_) => return Ok(()),
        Err(BadClient::IdTaken(id)) => id,
        Err(bad) => return Err(bad.to_string()),
    };
    let moved = ClientEdit {
        redirect_uris: Some(redirect_uris),
        post_logout_redirect_uris: Some(post_logout_redirect_uris),
        ..ClientEdit::default()
    };
    let changed = registration::edit(cx, &authority(), &id, &moved).await.map_err(failed)?;
    changed.map(|_| ()).map_err(|why: ClientChangeError| why.to_string())
}
