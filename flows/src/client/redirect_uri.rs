//! Rules for the redirect URIs that a client registers.

use url::Url;

use super::metadata::ApplicationType;

/// RFC 9700, section 2.6: https, or http on loopback; a private scheme only for native clients (RFC 8252, section 7.1).
pub(super) fn parse(uri: &str, application: ApplicationType) -> Result<Url, &'static str> {
    let url = Url::parse(uri).map_err(|_| "not an absolute URI")?;
    if url.fragment().is_some() {
        return Err("a redirect URI has no fragment (RFC 6749, section 3.1.2)");
    }
    if !url.username().is_empty() || url.password().is_some() || uri.contains(['\\', ' ']) {
        return Err("a redirect URI has no user name, space or backslash");
    }
    let native = application == ApplicationType::Native;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("http is only for loopback; use https"),
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" => {
            Err("this scheme cannot be a redirect URI")
        }
        scheme if native && scheme.contains('.') => Ok(url),
        _ if native => Err("a private scheme is a reversed domain name, such as org.example.app"),
        _ => Err("only https, or http on loopback; a private scheme needs --profile native"),
    }
}

/// Whether an address is on the person's own machine.
#[must_use]
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: ApplicationType = ApplicationType::Web;
    const NATIVE: ApplicationType = ApplicationType::Native;

    #[test]
    fn redirect_uris_allowed_per_application_type() {
        for (uri, web, native) in [
            ("https://lab.example/callback", true, true),
            ("https://lab.example:8443/callback?a=b", true, true),
            ("http://127.0.0.1/callback", true, true),
            ("http://[::1]:8000/callback", true, true),
            ("http://localhost/callback", true, true),
            ("http://lab.example/callback", false, false),
            ("http://127.0.0.1.lab.example/callback", false, false),
            ("org.example.app:/callback", false, true),
            ("app:/callback", false, false),
            ("javascript:alert(1)", false, false),
            ("data:text/html,x", false, false),
            ("https://lab.example/callback#part", false, false),
            ("https://person@lab.example/callback", false, false),
            ("https://lab.example\\@evil.example/callback", false, false),
            ("https://lab.example/a callback", false, false),
            ("/callback", false, false),
            ("", false, false),
        ] {
            assert_eq!(parse(uri, WEB).is_ok(), web, "{uri}");
            assert_eq!(parse(uri, NATIVE).is_ok(), native, "{uri}");
        }
    }

    #[test]
    fn redirect_uri_errors_suggest_fix() {
        let http = parse("http://lab.example/callback", WEB);
        assert_eq!(http.unwrap_err(), "http is only for loopback; use https");
        assert!(parse("org.example.app:/callback", WEB).unwrap_err().contains("--profile native"));
        assert!(parse("app:/callback", NATIVE).unwrap_err().contains("reversed domain name"));
    }
}
