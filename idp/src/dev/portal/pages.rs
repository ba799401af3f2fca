//! The pages of the portal.

use askama::Template;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::tz::TimeZone;
use openidconnect::CsrfToken;
use openidconnect::core::CoreIdToken;
use serde_json::{Map, Value};
use store::Timestamp;

use super::provider::{ProviderError, VerifiedTokens};
use crate::clock::clock_time;

/// The front page.
#[derive(Debug, Template)]
#[template(path = "dev/portal.html")]
pub(super) struct FrontPage;

/// The page after a sign-out.
#[derive(Debug, Template)]
#[template(path = "dev/portal_signed_out.html")]
pub(super) struct SignedOutPage {
    /// Whether the provider sent the browser back from the logout that it began here.
    pub(super) everywhere: bool,
}

/// The page of a person who is signed in.
#[derive(Debug, Template)]
#[template(path = "dev/portal_person.html")]
pub(super) struct PersonPage<'a> {
    pub(super) person: &'a Person,
}

/// A signed-in person, as the page shows it.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) claims: Vec<Claim>,
    pub(super) raw: String,
    pub(super) header: String,
    pub(super) payload: String,
    pub(super) access: String,
    /// The token that the sign-out form must post.
    pub(super) form: String,
    /// The `id_token_hint` of the logout request.
    pub(super) id_token: CoreIdToken,
}

/// One row of the table of claims.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) source: &'static str,
}

/// An error page, with a link to try again.
#[derive(Debug, Template)]
#[template(path = "dev/portal_problem.html")]
pub(super) struct ProblemPage {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) text: &'static str,
    /// For support: error code and description.
    pub(super) detail: String,
}

impl Person {
    /// `profile` is the answer of userinfo.
    pub(super) fn new(
        verified: &VerifiedTokens,
        profile: &Value,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Self {
        let raw = verified.id_token.to_string();
        let mut parts = raw.split('.').map(decode);
        let header = parts.next().unwrap_or_default();
        let payload = parts.next().unwrap_or_default();
        let profile = profile.as_object().cloned().unwrap_or_default();
        let claims = claims(&payload, &profile, zone);
        let name = display_name(&profile, &payload);
        let access = verified.access_lifetime.map_or_else(
            || "The access token does not say how long it works.".to_owned(),
            |life| {
                let until = clock_time(now.plus(life), zone);
                format!("The access token works until {until} ({} seconds).", life.as_secs())
            },
        );
        Self {
            name,
            claims,
            header: pretty(header),
            payload: pretty(payload),
            access,
            form: CsrfToken::new_random_len(32).secret().clone(),
            id_token: verified.id_token.clone(),
            raw,
        }
    }
}

/// Decodes one part of a token that was verified before, to be shown.
fn decode(part: &str) -> Map<String, Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn pretty(object: Map<String, Value>) -> String {
    format!("{:#}", Value::Object(object))
}

/// All claims of the ID token, then those that userinfo adds.
pub(super) fn claims(
    token: &Map<String, Value>,
    profile: &Map<String, Value>,
    zone: &TimeZone,
) -> Vec<Claim> {
    let row = |name: &String, value: &Value, source| Claim {
        name: name.clone(),
        value: display_value(name, value, zone),
        source,
    };
    let from_token = token.iter().map(|(name, value)| row(name, value, "ID token"));
    let added =
        profile.iter().filter(|(name, value)| !value.is_null() && !token.contains_key(*name));
    from_token.chain(added.map(|(name, value)| row(name, value, "userinfo"))).collect()
}

/// The value as text. Times are also shown as a time of day.
fn display_value(name: &str, value: &Value, zone: &TimeZone) -> String {
    match (name, value.as_i64()) {
        ("exp" | "iat" | "nbf" | "auth_time" | "updated_at", Some(seconds)) => {
            let at = Timestamp::from_millis(seconds.saturating_mul(1000));
            format!("{seconds} ({})", clock_time(at, zone))
        }
        _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    }
}

/// The name to show for the person, from the best claim of the provider.
pub(super) fn display_name(profile: &Map<String, Value>, token: &Map<String, Value>) -> String {
    let find = |key| profile.get(key).or_else(|| token.get(key)).and_then(Value::as_str);
    let found =
        ["name", "given_name", "preferred_username", "email", "sub"].into_iter().find_map(find);
    found.unwrap_or("you").to_owned()
}

impl ProblemPage {
    /// An error that the provider sent to the callback (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
    pub(super) fn from_callback(code: &str, description: &str) -> Self {
        let (title, text) = match code {
            "access_denied" => (
                "You did not sign in",
                "You stopped before the end, and nothing was shared with this portal. You can sign in \
                 whenever you are ready.",
            ),
            "server_error" | "temporarily_unavailable" => (
                "The sign-in service is busy",
                "It could not sign you in just now. Please wait a minute and try again.",
            ),
            _ => Self::NOT_DONE,
        };
        Self { status: StatusCode::BAD_REQUEST, title, text, detail: detail(code, description) }
    }

    /// A callback that belongs to no sign-in of this browser.
    pub(super) fn unknown_sign_in() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "This sign-in is no longer open",
            text: "It was finished already, begun in another browser, or begun before this portal was \
                   started again. Nothing is wrong with your account.",
            detail: "state: unknown".to_owned(),
        }
    }

    /// A page that does not exist.
    pub(super) fn not_found() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "There is no such page",
            text: "The address may be mistyped.",
            detail: String::new(),
        }
    }

    const NOT_DONE: (&'static str, &'static str) = (
        "Signing in did not work",
        "The portal and the sign-in service did not understand each other. Nothing is wrong with your \
         account. Please try again.",
    );
}

impl From<&ProviderError> for ProblemPage {
    fn from(error: &ProviderError) -> Self {
        let (status, (title, text), detail) = match error {
            ProviderError::Unreachable(_) => (
                StatusCode::BAD_GATEWAY,
                (
                    "The sign-in service does not answer",
                    "Nothing is wrong with your account. Please wait a minute and try again.",
                ),
                error.to_string(),
            ),
            ProviderError::Refused { code, description } => {
                (StatusCode::BAD_GATEWAY, Self::NOT_DONE, detail(code, description))
            }
            ProviderError::UnknownKey | ProviderError::Untrusted(_) => {
                (StatusCode::BAD_GATEWAY, Self::NOT_DONE, error.to_string())
            }
        };
        Self { status, title, text, detail }
    }
}

fn detail(code: &str, description: &str) -> String {
    let whole =
        if description.is_empty() { code.to_owned() } else { format!("{code}: {description}") };
    whole.chars().take(300).collect()
}
