//! `[passkeys]`: the RP ID, and the apps for phones that use passkeys of this provider.

use super::issuer::Issuer;
use super::reader::Reader;

/// Octets of a SHA-256 fingerprint.
const FINGERPRINT: usize = 32;
const ANDROID_EXAMPLE: &str = "`org.example.portal 14:6D:E9:..`: the package, then the SHA-256 of each certificate that signs it";
const APPLE_EXAMPLE: &str = "`ABCDE12345.org.example.portal`: the team, a dot and the bundle";

/// Passkeys of this provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasskeysConfig {
    /// The RP ID (WebAuthn Level 3, section 4), if it is not the host of the issuer.
    pub rp_id: Option<String>,
    /// Apps for Android.
    pub android_apps: Vec<AndroidApp>,
    /// Apps for Apple's systems: team and bundle.
    pub apple_apps: Vec<String>,
}

/// An app for Android. A build of a store and one of your own have other certificates: both are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AndroidApp {
    /// Its package.
    pub package: String,
    /// The SHA-256 of each certificate that signs it.
    pub certificates: Vec<[u8; FINGERPRINT]>,
}

impl PasskeysConfig {
    pub(super) fn read(reader: &mut Reader, issuer: Option<&Issuer>) -> Option<Self> {
        let host = issuer.and_then(|issuer| issuer.url().domain()).unwrap_or_default().to_owned();
        let rp_id = reader.optional("passkeys.rp_id", |text| parse_rp_id(text, &host));
        let android_apps = list(reader, "passkeys.android_apps", parse_android);
        let apple_apps = list(reader, "passkeys.apple_apps", parse_apple);
        Some(Self { rp_id: rp_id?, android_apps: android_apps?, apple_apps: apple_apps? })
    }
}

fn list<T>(
    reader: &mut Reader,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let texts = reader.list(key)?;
    let parsed: Result<Vec<T>, String> = texts.iter().map(|text| parse(text)).collect();
    parsed.map_err(|why| reader.add_problem(key, why)).ok()
}

/// Browsers accept the host of the page, or a domain above it that is not a public suffix (section 5.1.3).
fn parse_rp_id(text: &str, host: &str) -> Result<String, String> {
    let is_above =
        host.strip_suffix(text).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if is_above && (text.contains('.') || text == host) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is neither the host of `issuer` nor a domain above it"))
    }
}

fn parse_android(text: &str) -> Result<AndroidApp, String> {
    let shape = || format!("`{text}` must be written {ANDROID_EXAMPLE}");
    let mut words = text.split_whitespace();
    let package = words.next().filter(|name| is_name(name)).ok_or_else(shape)?;
    let certificates: Option<Vec<_>> = words.map(parse_fingerprint).collect();
    let certificates = certificates.filter(|all| !all.is_empty()).ok_or_else(shape)?;
    Ok(AndroidApp { package: package.to_owned(), certificates })
}

fn parse_fingerprint(text: &str) -> Option<[u8; FINGERPRINT]> {
    let octets = text
        .split(':')
        .map(|octet| (octet.len() == 2).then(|| u8::from_str_radix(octet, 16).ok()).flatten());
    octets.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

fn parse_apple(text: &str) -> Result<String, String> {
    let is_team = |team: &str| {
        team.len() == 10 && team.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    match text.split_once('.') {
        Some((team, bundle)) if is_team(team) && is_name(bundle) => Ok(text.to_owned()),
        _ => Err(format!("`{text}` must be written {APPLE_EXAMPLE}")),
    }
}

fn is_name(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.contains('.') && !text.starts_with('.') && text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rp_id_is_host_or_domain_above() {
        for (text, accepted) in [
            ("login.example.org", true),
            ("example.org", true),
            ("org", false),
            ("ample.org", false),
            ("other.example.org", false),
            ("", false),
        ] {
            assert_eq!(parse_rp_id(text, "login.example.org").is_ok(), accepted, "{text}");
        }
        assert!(parse_rp_id("localhost", "localhost").is_ok());
    }

    #[test]
    fn app_lists_are_checked() {
        let print = ["AB"; FINGERPRINT].join(":");
        let app = parse_android(&format!("org.example.portal {print} {print}")).unwrap();
        assert_eq!(app.package, "org.example.portal");
        assert_eq!(app.certificates, [[0xAB; FINGERPRINT]; 2]);
        for bad in
            ["org.example.portal", "org.example.portal AB:CD", &print, &format!("a/b {print}")]
        {
            assert!(parse_android(bad).is_err(), "{bad}");
        }
        assert!(parse_apple("ABCDE12345.org.example.portal").is_ok());
        for bad in ["org.example.portal", "abcde12345.org.example", "ABCDE12345.", "ABCDE12345"] {
            assert!(parse_apple(bad).is_err(), "{bad}");
        }
    }
}
