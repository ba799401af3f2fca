//! The standard claims of a person (OpenID Connect Core 1.0, section 5.1), as an operator gives them: checked by name
//! and by type, so that no client gets a value that its library refuses.

use std::fmt;

use serde_json::{Map, Value};

use super::distinct_members::{self, ParsedJson};
use crate::display_name;

/// The most characters of an address (of a page, a picture or a house).
const TEXT_MAX: usize = 1_000;

/// Claims that have been checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandardClaims {
    /// `name`.
    pub name: Option<String>,
    /// `email_verified`.
    pub email_verified: Option<bool>,
    /// All others.
    others: Map<String, Value>,
}

/// Why claims are refused: a line for each, which names the claim and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadClaims(Vec<String>);

impl fmt::Display for BadClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for BadClaims {}

/// What a claim must be.
#[derive(Clone, Copy)]
enum Kind {
    /// A line of text, such as a name.
    Line,
    /// An address of a page or a picture.
    Url,
    /// `YYYY-MM-DD`, or `YYYY` alone; the year 0000 hides it.
    Birthdate,
    /// A name of the time zone database.
    Zone,
    /// A tag of BCP 47.
    Language,
    /// A number in the form of E.164 or RFC 3966.
    Phone,
    Boolean,
    /// The parts of section 5.1.1.
    Address,
    /// What the program itself says of a person, with the reason.
    Own(&'static str),
}

const CLAIMS: [(&str, Kind); 20] = [
    ("name", Kind::Line),
    ("given_name", Kind::Line),
    ("family_name", Kind::Line),
    ("middle_name", Kind::Line),
    ("nickname", Kind::Line),
    ("preferred_username", Kind::Line),
    ("profile", Kind::Url),
    ("picture", Kind::Url),
    ("website", Kind::Url),
    ("gender", Kind::Line),
    ("birthdate", Kind::Birthdate),
    ("zoneinfo", Kind::Zone),
    ("locale", Kind::Language),
    ("email_verified", Kind::Boolean),
    ("phone_number", Kind::Phone),
    ("phone_number_verified", Kind::Boolean),
    ("address", Kind::Address),
    ("email", Kind::Own("it is the address of the account")),
    ("sub", Kind::Own("the program makes it")),
    ("updated_at", Kind::Own("it is the time of the last change")),
];

/// The parts of an address; the first two may have several lines.
const ADDRESS_PARTS: [&str; 6] =
    ["formatted", "street_address", "locality", "region", "postal_code", "country"];
const SEVERAL_LINES: [&str; 2] = ["formatted", "street_address"];

impl StandardClaims {
    /// Parses and checks a JSON object.
    ///
    /// # Errors
    /// Each claim that is not as it must be.
    pub fn parse(json: &str) -> Result<Self, BadClaims> {
        let ParsedJson { value, repeated } = distinct_members::parse(json)
            .map_err(|error| BadClaims(vec![format!("this is not JSON: {error}")]))?;
        let Value::Object(members) = value else {
            let shape = "must be a JSON object, such as {\"given_name\": \"Mere\", \"phone_number_verified\": true}";
            return Err(BadClaims(vec![shape.to_owned()]));
        };
        let mut bad: Vec<String> = members
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}: {}", check(name, value).err()?)))
            .collect();
        bad.extend(
            repeated.iter().map(|name| format!("{name}: is there twice; keep one of the two")),
        );
        if members.contains_key("phone_number_verified") && !members.contains_key("phone_number") {
            bad.push("phone_number_verified: is given without phone_number".to_owned());
        }
        if bad.is_empty() { Ok(Self::from_members(members)) } else { Err(BadClaims(bad)) }
    }

    fn from_members(mut others: Map<String, Value>) -> Self {
        let name = others.remove("name").and_then(|name| name.as_str().map(str::to_owned));
        let email_verified = others.remove("email_verified").and_then(|value| value.as_bool());
        Self { name, email_verified, others }
    }

    /// All but the name and whether the address is verified, as they are stored.
    #[must_use]
    pub(crate) fn stored(&self) -> String {
        Value::Object(self.others.clone()).to_string()
    }
}

fn check(name: &str, value: &Value) -> Result<(), String> {
    let Some((_, kind)) = CLAIMS.iter().find(|(known, _)| *known == name) else {
        let given = CLAIMS.iter().filter(|(_, kind)| !matches!(kind, Kind::Own(_)));
        let names: Vec<_> = given.map(|(known, _)| *known).collect();
        return Err(format!(
            "is not a standard claim (OpenID Connect Core 1.0, section 5.1); there are {}",
            names.join(", ")
        ));
    };
    let text = |wanted: &str| {
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("must be text, {wanted}; to give none, leave it out"))
    };
    let shape = |wanted: &str, good: fn(&str) -> bool| {
        text(wanted).and_then(|text| {
            if good(text) { Ok(()) } else { Err(format!("must be {wanted}, not `{text}`")) }
        })
    };
    match kind {
        Kind::Line => display_name::check(text("such as `Mere`")?).map_err(|bad| bad.to_string()),
        Kind::Url => shape("an address, such as `https://www.example.org/mere`", is_url),
        Kind::Birthdate => {
            shape("a date as `YYYY-MM-DD`, `0000-MM-DD` without the year, or `YYYY`", is_birthdate)
        }
        Kind::Zone => {
            shape("a name of the time zone database, such as `Pacific/Auckland`", is_zone)
        }
        Kind::Language => shape("a language tag of BCP 47, such as `en-NZ`", is_language_tag),
        Kind::Phone => {
            shape("a number with its country, such as `+64 4 123 4567` (E.164)", is_phone_number)
        }
        Kind::Boolean if value.is_boolean() => Ok(()),
        Kind::Boolean => Err("must be true or false, without quotation marks".to_owned()),
        Kind::Address => check_address(value),
        Kind::Own(why) => Err(format!("cannot be given: {why}")),
    }
}

fn check_address(value: &Value) -> Result<(), String> {
    let names = ADDRESS_PARTS.join(", ");
    let parts = value
        .as_object()
        .filter(|parts| !parts.is_empty())
        .ok_or_else(|| format!("must be a JSON object with some of {names} (section 5.1.1)"))?;
    for (name, part) in parts {
        if !ADDRESS_PARTS.contains(&name.as_str()) {
            return Err(format!("has no part {name}; there are {names} (section 5.1.1)"));
        }
        let several = SEVERAL_LINES.contains(&name.as_str());
        let good = part.as_str().is_some_and(|text| {
            let visible = |c: char| !c.is_control() || several && c == '\n';
            !text.trim().is_empty() && text.chars().all(visible) && text.chars().count() <= TEXT_MAX
        });
        if !good {
            let lines = if several { "text" } else { "a line of text" };
            return Err(format!("{name} must be {lines}; to give none, leave it out"));
        }
    }
    Ok(())
}

fn is_url(text: &str) -> bool {
    text.len() <= TEXT_MAX
        && url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

fn is_birthdate(text: &str) -> bool {
    let number = |part: &str, digits: usize| {
        let plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<u16>().ok()).flatten()
    };
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => number(year, 4).is_some_and(|year| year > 0),
        [year, month, day] => {
            let (year, month, day) = (number(year, 4), number(month, 2), number(day, 2));
            // Without the year the 29th of February is a date.
            let leap =
                year.is_some_and(|year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
            let days = match month {
                Some(4 | 6 | 9 | 11) => 30,
                Some(2) if leap => 29,
                Some(2) => 28,
                Some(1..=12) => 31,
                _ => 0,
            };
            year.is_some() && day.is_some_and(|day| (1..=days).contains(&day))
        }
        _ => false,
    }
}

fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    };
    text.len() <= 64 && text.split('/').all(part)
}

fn is_language_tag(text: &str) -> bool {
    // Section 5.1 also mentions an underscore, which many libraries write.
    let mut parts = text.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

fn is_phone_number(text: &str) -> bool {
    let (number, extension) = text.split_once(";ext=").unwrap_or((text, "0"));
    let Some(number) = number.strip_prefix('+') else { return false };
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    (6..=15).contains(&digits)
        && number.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')'))
        && (1..=15).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_standard_claims_are_accepted() {
        let json = r#"{
            "name": "Mere Kāhui", "given_name": "Mere", "family_name": "Kāhui", "middle_name": "Aroha",
            "nickname": "M", "preferred_username": "mere", "profile": "https://example.org/mere",
            "picture": "https://example.org/mere.png", "website": "http://mere.example/", "gender": "female",
            "birthdate": "0000-02-29", "zoneinfo": "Pacific/Auckland", "locale": "mi-NZ", "email_verified": false,
            "phone_number": "+64 (4) 123-4567;ext=12", "phone_number_verified": true,
            "address": {"formatted": "1 High St\nOtaki", "country": "New Zealand"}
        }"#;
        let claims = StandardClaims::parse(json).unwrap();
        assert_eq!(claims.name.as_deref(), Some("Mere Kāhui"));
        assert_eq!(claims.email_verified, Some(false));
        let stored: Value = serde_json::from_str(&claims.stored()).unwrap();
        assert_eq!(stored.as_object().map(Map::len), Some(15));
        assert_eq!(StandardClaims::parse("{}").unwrap().stored(), "{}");
    }

    #[test]
    fn each_bad_claim_is_named() {
        for (json, why) in [
            ("[]", "must be a JSON object"),
            ("{", "this is not JSON"),
            (r#"{"nick_name": "M"}"#, "nick_name: is not a standard claim"),
            (r#"{"email": "a@b.nz"}"#, "email: cannot be given: it is the address of the account"),
            (r#"{"gender": "a", "gender": "b"}"#, "gender: is there twice"),
            (r#"{"address": {"country": "a", "country": "a"}}"#, "address.country: is there twice"),
            (r#"{"sub": "1"}"#, "sub: cannot be given"),
            (r#"{"given_name": 1}"#, "given_name: must be text"),
            (r#"{"given_name": ""}"#, "given_name: must be text"),
            (
                r#"{"nickname": "a\u202eb"}"#,
                "nickname: the name has characters that cannot be seen",
            ),
            (r#"{"website": "www.example.org"}"#, "website: must be an address"),
            (r#"{"picture": "javascript:alert(1)"}"#, "picture: must be an address"),
            (r#"{"birthdate": "1/2/1980"}"#, "birthdate: must be a date"),
            (r#"{"birthdate": "1981-02-29"}"#, "birthdate: must be a date"),
            (r#"{"birthdate": 1980}"#, "birthdate: must be text, a date"),
            (r#"{"zoneinfo": "NZ time"}"#, "zoneinfo: must be a name of the time zone"),
            (r#"{"locale": "English"}"#, "locale: must be a language tag"),
            (r#"{"locale": "e"}"#, "locale: must be a language tag"),
            (
                r#"{"phone_number": "04 123 4567"}"#,
                "phone_number: must be a number with its country",
            ),
            (r#"{"email_verified": "true"}"#, "email_verified: must be true or false"),
            (r#"{"phone_number_verified": true}"#, "is given without phone_number"),
            (
                r#"{"address": "1 High St"}"#,
                "address: must be a JSON object with some of formatted",
            ),
            (r#"{"address": {"street": "1 High St"}}"#, "address: has no part street"),
            (
                r#"{"address": {"country": "New\nZealand"}}"#,
                "address: country must be a line of text",
            ),
        ] {
            let refused = StandardClaims::parse(json).unwrap_err().to_string();
            assert!(refused.contains(why), "{json}: {refused}");
        }
        let two =
            StandardClaims::parse(r#"{"given_name": 1, "gender": 2}"#).unwrap_err().to_string();
        assert_eq!(two.lines().count(), 2, "{two}");
    }
}
